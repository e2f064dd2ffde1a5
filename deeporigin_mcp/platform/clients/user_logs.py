"""What a run wrote for its user (platform-facts 1.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import in_envelope
from deeporigin_mcp.platform.transport.scope import Scope


class UserLogs:
    """`client.user_logs`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def search(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        select: list[str] | None = None,
        with_total_count: bool = False,
        extra_props: Sequence[Mapping[str, Any]] = (),
        sort: Mapping[str, str] | None = None,
    ) -> Json:
        """Log rows, of one execution if its tools-service id is given: `{"data": […], "meta": {…}}`.

        Args:
            extra_props: further `{column, op, value}` conditions.
            sort: `asc` or `desc` by column. Without it the order is the platform's.
        """
        props = [] if execution_id is None else [{"column": "execution_id", "op": "eq", "value": execution_id}]
        optional = {
            "limit": limit,
            "offset": offset,
            "select": select,
            "with_total_count": with_total_count or None,
            "sort": None if sort is None else dict(sort),
        }
        body: dict[str, Any] = {"filter": {"props": [*props, *extra_props]}}
        body |= {key: value for key, value in optional.items() if value is not None}
        response = await self._transport.send(
            "POST", f"/data-platform/{self._scope.org_segment}/user_logs/search", what="read logs", body=body
        )
        return in_envelope(response, "read logs")
