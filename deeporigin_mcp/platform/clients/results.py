"""Result rows that runs wrote to the data platform (platform-facts 1.16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import in_envelope
from deeporigin_mcp.platform.transport.scope import Scope

COLUMNS = ("id", "tool_key", "tool_version", "data", "compute_job_id")
DEFAULT_LIMIT = 100
CANONICAL_FIELDS = frozenset(
    {
        "id",
        "created_at",
        "updated_at",
        "modified_by",
        "deleted",
        "project_id",
        "execution_id",
        "tool_id",
        "tool_key",
        "tool_version",
        "measured_at",
        "ligand_canonical_id",
        "protein_canonical_id",
        "result_table_name",
        "compute_job_id",
        "execution_name",
        "tool_name",
    }
)
"""Columns of the table itself; every other field is inside of a row's `data`."""


def is_paged_by_offset(sort: Mapping[str, str] | None) -> bool:
    """Whether pages in this order need `offset`: the platform gives cursors for canonical fields only."""
    return any(field not in CANONICAL_FIELDS for field in sort or ())


class Results:
    """`client.results`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def page(
        self,
        *,
        compute_job_id: str | None = None,
        result_type: str | list[str] | None = None,
        project_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        sort: Mapping[str, str] | None = None,
        offset: int = 0,
        row_id: str | None = None,
        extra_columns: Sequence[str] = (),
    ) -> Json:
        """One page of result rows: `{"data": [row, …], "meta": {"nextCursor": …, "hasMore": …}}`.

        Args:
            compute_job_id: the tools-service id of the execution that wrote them.
            result_type: such as `pose` or `pocket`, one or several; case does not matter.
            project_id: None means the client's project, if it has one.
            cursor: the place of the page, unless `sort` is paged by offset.
            sort: `asc` or `desc` by field, the first one first. Without it the order is the platform's.
            offset: the place of the page, rows to skip, where `is_paged_by_offset(sort)`; not used otherwise.
            row_id: only the row with this id.
            extra_columns: further columns to select.
        """
        conditions: dict[str, Any] = {}
        if isinstance(result_type, str):
            conditions["result_type"] = {"eq": result_type.strip().lower()}
        elif result_type is not None:
            conditions["result_type"] = {"in": [name.strip().lower() for name in result_type]}
        if project := project_id or self._scope.project_id:
            conditions["project_id"] = {"eq": project}
        if compute_job_id is not None:
            conditions["compute_job_id"] = {"eq": compute_job_id}
        if row_id is not None:
            conditions["id"] = {"eq": row_id}
        body: dict[str, Any] = {"filter": conditions, "limit": limit, "select": [*COLUMNS, *extra_columns]}
        by_offset = is_paged_by_offset(sort)
        if by_offset:
            body["offset"] = offset
        if sort is not None:
            body["sort"] = dict(sort)
        if cursor is not None and not by_offset:
            body["cursor"] = cursor
        response = await self._transport.send(
            "POST",
            f"/data-platform/{self._scope.org_segment}/result-explorer/search",
            what="read results",
            body=body,
        )
        return in_envelope(response, "read results")
