"""Looking at executions: one by one, those that are active at once, or told by the event stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from deeporigin_mcp.platform import events, status
from deeporigin_mcp.platform.queries import ListQuery
from deeporigin_mcp.platform.scope import Scope
from deeporigin_mcp.platform.timing import Timing
from deeporigin_mcp.platform.transport import ACCEPT_EXECUTION, Transport, segment
from deeporigin_mcp.platform.wire import Json, execution_answer, list_answer, rows_of
from deeporigin_mcp.platform.wording import word

ACTIVE = tuple(word for word in status.KNOWN if word not in status.SETTLED)
ACTIVE_ROWS = 1000


class Observer:
    """What the wait engine sees of the platform."""

    def __init__(self, transport: Transport, scope: Scope, timing: Timing) -> None:
        self._transport = transport
        self._scope = scope
        self._timing = timing

    def now(self) -> float:
        """Unix seconds by the platform's clock; see `Transport.platform_time`."""
        return self._transport.platform_time()

    async def read(self, execution_id: str, *, attempts: int | None = None) -> Json:
        """One execution with its v2 progress tree (platform-facts 1.2)."""
        what = f"get execution {execution_id}"
        answer = await self._transport.send(
            "GET",
            f"/tools/{self._scope.org_segment}/tools/executions/{segment(execution_id, 'execution_id')}",
            what=what,
            accept=ACCEPT_EXECUTION,
            attempts=attempts,
        )
        return execution_answer(answer, what, execution_id)

    async def look(self, execution_id: str) -> Json:
        """`read`, sent once: whoever looks again anyway needs no retries."""
        return await self.read(execution_id, attempts=1)

    async def active(self, oldest: datetime | None) -> dict[str, Json]:
        """The organisation's active executions by id, at most 1,000: the newest, or those since `oldest`.

        One request for any number of executions. Being in it proves that an execution was active; not being in it
        proves nothing.
        """
        if oldest is None:
            query = ListQuery(status=ACTIVE, order="createdAt desc")
        else:
            query = ListQuery(created_after=oldest - timedelta(milliseconds=1), status=ACTIVE, order="createdAt asc")
        what = "list active executions"
        answer = await self._transport.send(
            "GET",
            f"/tools/{self._scope.org_segment}/tools/executions",
            what=what,
            params=query.params(0, ACTIVE_ROWS),
            attempts=1,
        )
        return {name: row for row in rows_of(list_answer(answer, what)) if (name := word(row.get("executionId")))}

    async def follow(
        self, project_id: str, ids: Sequence[str], on_open: Callable[[], None], on_dirty: Callable[[list[str]], None]
    ) -> None:
        """See `events.follow`."""
        await events.follow(
            self._transport, self._scope, self._timing, project_id, ids, on_open=on_open, on_dirty=on_dirty
        )
