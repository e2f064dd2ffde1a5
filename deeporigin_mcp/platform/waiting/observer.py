"""What the wait engine sees of the platform: single executions, the active ones, and the event stream.

A frame of the stream only says "poll again" (platform-facts 1.18). None is replayed and some get lost, so the stream
makes a wait prompt, and polling keeps it correct.

The parser is our own because `httpx-sse` limits neither a line nor an event, so that a frame without an end would fill
the memory, and it reads the response past `decompression`, which bounds the rest.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from deeporigin_mcp.errors import DeepOriginError, NetworkError, PlatformError, RateLimitError, StateConflictError
from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.records.queries import ListQuery
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import ACCEPT_EXECUTION, Transport
from deeporigin_mcp.platform.transport.responses import expect_execution, expect_list, rows_of
from deeporigin_mcp.platform.transport.scope import Scope, segment
from deeporigin_mcp.platform.transport.timing import Timing

ACTIVE = tuple(word for word in status.KNOWN if word not in status.SETTLED)
ACTIVE_ROWS = 1000

READ_TIMEOUT_SECONDS = 60.0
"""A heartbeat comes every 25 s; a stream that is silent for longer than this is dead."""
STABLE_SECONDS = 30.0
"""After a stream that lasted this long, the backoff starts anew."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
MAX_FRAME_BYTES = 256 * 1024
"""A frame about a hundred executions has 2 KB."""


class Observer:
    """The `Source` of the wait engine."""

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
        response = await self._transport.send(
            "GET",
            f"{self._scope.executions_path}/{segment(execution_id, 'execution_id')}",
            what=what,
            accept=ACCEPT_EXECUTION,
            attempts=attempts,
        )
        return expect_execution(response, what, execution_id)

    async def poll(self, execution_id: str) -> Json:
        """`read` without retries: the engine polls again anyway."""
        return await self.read(execution_id, attempts=1)

    async def active(self, oldest: datetime | None) -> dict[str, Json]:
        """The organisation's active executions by id, at most 1,000: the newest, or those since `oldest`.

        One request for any number of executions. An execution that is missing may be active all the same.
        """
        if oldest is None:
            query = ListQuery(status=ACTIVE, order="createdAt desc")
        else:
            query = ListQuery(created_after=oldest - timedelta(milliseconds=1), status=ACTIVE, order="createdAt asc")
        what = "list active executions"
        response = await self._transport.send(
            "GET",
            self._scope.executions_path,
            what=what,
            params=query.params(0, ACTIVE_ROWS),
            attempts=1,
        )
        return {name: row for row in rows_of(expect_list(response, what)) if (name := word(row.get("executionId")))}

    async def follow(
        self, project_id: str, ids: Sequence[str], on_open: Callable[[], None], on_dirty: Callable[[list[str]], None]
    ) -> None:
        """Keep a stream on these executions of one project open until cancelled.

        Returns only if the platform refuses for good (no right, no such project, no such service).

        Args:
            on_open: called after every (re)connection; earlier events were missed.
            on_dirty: called with the ids that changed.
        """
        names = {f"e{number}" if len(ids) > 1 else "execution": name for number, name in enumerate(ids)}
        path = f"/sse/{self._scope.org_segment}/stream/{segment(project_id, 'project_id')}"
        params = [("filter", f"{filter_id}=execution:{name}") for filter_id, name in names.items()]
        failures = 0
        while True:
            opened = self._timing.monotonic()
            try:
                async with self._transport.stream(
                    path, what="follow executions", params=params, silence_seconds=READ_TIMEOUT_SECONDS
                ) as content:
                    on_open()
                    async for filters in dirty_filters(content):
                        if changed := [names[filter_id] for filter_id in filters if filter_id in names]:
                            on_dirty(changed)
            except (NetworkError, PlatformError, RateLimitError, StateConflictError):
                # Too many streams of this user (409), or an interruption: polling goes on meanwhile.
                pass
            except DeepOriginError:
                return
            failures = 1 if self._timing.monotonic() - opened >= STABLE_SECONDS else failures + 1
            longest = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
            await self._timing.sleep(longest * (0.5 + 0.5 * self._timing.chance()))


async def dirty_filters(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[str]]:
    """Yield the filter ids of each complete `filters.dirty` frame; others, and invalid ones, are skipped.

    Raises:
        PlatformError: a frame is longer than `MAX_FRAME_BYTES`.
    """
    data: list[str] = []
    size = 0
    async for line in _lines(chunks):
        size += len(line) + 1
        if size > MAX_FRAME_BYTES:
            raise _frame_too_large()
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" ").decode("utf-8", "replace"))
        elif not line:
            if data and (filters := _dirty("\n".join(data))):
                yield filters
            data, size = [], 0


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield complete lines; the rest of a lost connection is dropped."""
    rest = bytearray()
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest += first
        for other in others:
            yield bytes(rest).removesuffix(b"\r")
            rest[:] = other
        if len(rest) > MAX_FRAME_BYTES:
            raise _frame_too_large()


def _frame_too_large() -> PlatformError:
    return PlatformError(
        f"The event stream sent a frame of more than {MAX_FRAME_BYTES // 1024} KiB.", code="response_too_large"
    )


def _dirty(text: str) -> list[str]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(frame, dict) or frame.get("type") != "filters.dirty":
        return []
    filters = frame.get("filters")
    return [name for name in filters if isinstance(name, str)] if isinstance(filters, list) else []
