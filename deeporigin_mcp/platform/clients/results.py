"""Result rows that runs wrote to the data platform (platform-facts 1.16), and poses and pockets among them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.clients.paging import Cursors
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import has_more_of, in_envelope, next_cursor_of, rows_of
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
        result_type: str | Sequence[str] | None = None,
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
        conditions = self._scoped({"result_type": _lower(result_type)}, project_id)
        conditions.update(_conditions({"compute_job_id": compute_job_id, "id": row_id}))
        return await self._search(conditions, limit, cursor, sort, offset, extra_columns)

    async def poses(
        self,
        *,
        protein_id: str | None = None,
        ligand_id: str | Sequence[str] | None = None,
        compute_job_id: str | None = None,
        row_id: str | Sequence[str] | None = None,
        best_pose: bool | None = None,
        effort: int | None = None,
        tool_version: str | None = None,
        least_score: float | None = None,
        project_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        sort: Mapping[str, str] | None = None,
        offset: int = 0,
        extra_columns: Sequence[str] = (),
    ) -> Json:
        """One page of poses, of a protein, of ligands or of an execution, whatever tool made them.

        Args:
            best_pose: True: one for each ligand.
            least_score: only poses with at least this `pose_score`; references and registered poses have none.
            project_id, limit, cursor, sort, offset, extra_columns: as for `page`.
        """
        wanted = {
            "id": row_id,
            "protein_id": protein_id,
            "ligand_id": ligand_id,
            "compute_job_id": compute_job_id,
            "tool_version": tool_version,
            "effort": effort,
            "best_pose": best_pose,
        }
        conditions = self._scoped({**wanted, "result_type": "pose"}, project_id)
        if least_score is not None:
            conditions["pose_score"] = {"gte": least_score}
        return await self._search(conditions, limit, cursor, sort, offset, extra_columns)

    async def pockets(
        self,
        *,
        protein_id: str | None = None,
        compute_job_id: str | None = None,
        row_id: str | Sequence[str] | None = None,
        tool_version: str | None = None,
        project_id: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        sort: Mapping[str, str] | None = None,
        offset: int = 0,
        extra_columns: Sequence[str] = (),
    ) -> Json:
        """One page of pockets, of a protein or of an execution. Arguments as for `poses`."""
        wanted = {
            "id": row_id,
            "protein_id": protein_id,
            "compute_job_id": compute_job_id,
            "tool_version": tool_version,
        }
        conditions = self._scoped({**wanted, "result_type": "pocket"}, project_id)
        return await self._search(conditions, limit, cursor, sort, offset, extra_columns)

    async def all(
        self,
        fetch: Callable[[str | None, int], Awaitable[Json]],
        limit: int | None = None,
        *,
        by_offset: bool = False,
    ) -> list[Json]:
        """All rows up to `limit`, page after page.

        Args:
            fetch: reads the page at a cursor and an offset, such as
                `lambda cursor, offset: client.results.poses(protein_id=…, cursor=cursor, offset=offset)`.
            by_offset: whether its order is paged by offset (`is_paged_by_offset`).
        """
        rows: list[Json] = []
        cursor: str | None = None
        cursors = Cursors("results")
        while limit is None or len(rows) < limit:
            page = await fetch(cursor, len(rows))
            found = rows_of(page)
            rows += found
            if by_offset:
                is_last = not found or has_more_of(page) is False
            else:
                cursor = cursors.next(next_cursor_of(page), has_new=bool(found))
                is_last = cursor is None
            if is_last:
                break
        return rows[:limit]

    async def with_ligands(
        self,
        *,
        experiments: Sequence[Mapping[str, str]] | None = None,
        conditions: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        select: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> Json:
        """One page of ligands with the columns that tools have given them; `meta.output_schemas` describes these.

        Args:
            experiments: `{"toolId": …, "toolVersion": …}` of each tool.
            conditions: as for `client.entities`.
        """
        body: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        if experiments is not None:
            body["experiments"] = [dict(experiment) for experiment in experiments]
        body["filter"] = self._scoped({}, project_id, {**(conditions or {}), "deleted": False})
        given = {"limit": limit, "select": select, "sort": sort}
        body.update((name, value) for name, value in given.items() if value is not None)
        response = await self._transport.send(
            "POST",
            f"/data-platform/{self._scope.org_segment}/ligands_with_results/search",
            what="read ligands with results",
            body=body,
        )
        return in_envelope(response, "read ligands with results")

    def _scoped(
        self, wanted: Mapping[str, Any], project_id: str | None, conditions: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        found = {**(conditions or {}), **_conditions(wanted)}
        if project := project_id or self._scope.project_id:
            found["project_id"] = {"eq": project}
        return found

    async def _search(
        self,
        conditions: Mapping[str, Any],
        limit: int,
        cursor: str | None,
        sort: Mapping[str, str] | None,
        offset: int,
        extra_columns: Sequence[str] = (),
    ) -> Json:
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


def _conditions(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A list becomes `in`, a single value `eq`, None no condition."""
    return {
        name: {"eq": value} if isinstance(value, str | int | float) else {"in": [*value]}
        for name, value in wanted.items()
        if value is not None
    }


def _lower(result_type: str | Sequence[str] | None) -> str | list[str] | None:
    if result_type is None:
        return None
    if isinstance(result_type, str):
        return result_type.strip().lower()
    return [name.strip().lower() for name in result_type]
