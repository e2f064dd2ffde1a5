"""Who wants to hear of which executions, and the one watch behind all of them.

Any number of followers share one run of the wait engine (`waiting.watch`): one poll, and at most its number of event
streams. It starts with the first follower, asks only for executions that somebody follows and that are not over, and
stops when there are none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import anyio.abc

from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.transport.timing import Timing
from deeporigin_mcp.platform.waiting.engine import Source, WaitState, watch

logger = logging.getLogger("deeporigin_mcp")

POLL_SECONDS = 8.0
"""The interval that looks grow to; the event stream makes news prompt."""
GATHER_SECONDS = 0.5
"""Followers come in bursts: what comes within this time is looked at together."""
QUOTE_SECONDS = 30.0
"""How often a quoted execution is looked at: it waits for a person, and the engine does not wait for it."""

State = tuple[str, float | None]
"""Status and percent."""
NEVER_AGAIN: State = ("", None)
UNREADABLE: State = ("not readable now", None)
UNREADABLE_SECONDS = 60.0
"""An execution that cannot be read for so long is news: what was read last must not be taken for its present state."""


class Followers:
    """Tells followers of executions that something changed; they then read what they need.

    A follower hears of each change of status or percent, when the execution could not be read for `BLIND_SECONDS` and
    when it can be again, and once more when it is over or will not be read any more. The state that is found first is
    no change, unless it is such an end.

    Args:
        source: the platform, as the wait engine sees it.
        tasks: where the watch runs; it may outlive any follower.
    """

    def __init__(self, source: Source, timing: Timing, tasks: anyio.abc.TaskGroup) -> None:
        self._source = source
        self._timing = timing
        self._tasks = tasks
        self._followers: dict[str, dict[object, Callable[[], None]]] = {}
        self._seen: dict[str, State] = {}
        self._over: set[str] = set()
        self._watched: list[str] = []
        self._quotes_seen_at = 0.0
        self._turn = anyio.CancelScope()
        self._is_running = False

    def follow(self, execution_id: str, on_change: Callable[[], None]) -> Callable[[], None]:
        """Follow an execution until the returned function is called.

        `on_change` must neither raise nor wait.
        """
        token = object()
        others = self._followers.setdefault(execution_id, {})
        others[token] = on_change
        if execution_id in self._over:
            # A newcomer has to hear of the end too: it is found once more.
            self._over.discard(execution_id)
            self._seen.pop(execution_id, None)
        if not self._is_running:
            self._is_running = True
            self._tasks.start_soon(self._run)
        elif self._watched and execution_id not in self._watched:
            self._turn.cancel()

        def stop() -> None:
            if others.pop(token, None) is not None and not others:
                self._forget(execution_id)

        return stop

    def _forget(self, execution_id: str) -> None:
        del self._followers[execution_id]
        self._seen.pop(execution_id, None)
        self._over.discard(execution_id)
        if execution_id in self._watched:
            self._turn.cancel()

    def _open(self) -> list[str]:
        return [name for name in self._followers if name not in self._over]

    async def _run(self) -> None:
        try:
            while self._open():
                with anyio.CancelScope() as self._turn:
                    await self._look()
                self._watched = []
        finally:
            self._is_running = False

    async def _look(self) -> None:
        """Watch all that are open now, until they are over or others are to be watched."""
        await self._timing.sleep(GATHER_SECONDS)
        self._watched = self._open()
        self._quotes_seen_at = self._timing.monotonic()
        try:
            found = await watch(
                self._source,
                self._watched,
                poll_interval_seconds=POLL_SECONDS,
                timeout_seconds=None,
                timing=self._timing,
                report=self._hear,
                known=self._seen,
            )
        except Exception as error:  # noqa: BLE001 (a fault of ours must not end the server that it runs in)
            logger.error("following executions failed: %s", type(error).__name__)  # noqa: TRY400 (no stack in a log)
            self._end(self._watched)
            return
        await self._hear(found)
        if self._open():
            await self._timing.sleep(QUOTE_SECONDS)

    async def _hear(self, now: WaitState) -> None:
        outline = now.outline()
        for name in now.ids:
            state = outline.get(name)
            if name in now.given_up:
                state = NEVER_AGAIN
            elif name in now.failed and self._source.now() - now.seen_at.get(name, 0.0) >= UNREADABLE_SECONDS:
                state = UNREADABLE
            if state is None or name not in self._followers or name in self._over:
                continue
            before = self._seen.get(name)
            self._seen[name] = state
            if not state[0] or state[0] in status.TERMINAL:
                self._end([name])
            elif before is not None and before != state:
                self._tell(name)
        is_due = self._timing.monotonic() - self._quotes_seen_at >= QUOTE_SECONDS
        if is_due and any(self._seen.get(name, ("",))[0] == "Quoted" for name in self._open()):
            self._turn.cancel()

    def _end(self, names: list[str]) -> None:
        """Tell followers for the last time, and ask no more."""
        for name in names:
            self._over.add(name)
            self._tell(name)

    def _tell(self, name: str) -> None:
        for on_change in [*self._followers.get(name, {}).values()]:
            on_change()
