"""Subscriptions to changes of executions, and the one wait behind all of them.

Any number of followers share one run of the wait engine (`engine.watch`): its polls and its event streams. It starts
with the first follower, polls only executions that are followed and not over, and stops when there are none.
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
"""The poll interval; the event stream makes changes prompt."""
GATHER_SECONDS = 0.5
"""Followers come in bursts: those within this time are polled together."""
QUOTE_SECONDS = 30.0
"""How often a quoted execution is polled: for the engine it is over, but a person may confirm it."""

State = tuple[str, float | None]
"""Status and percent."""
NEVER_AGAIN: State = ("", None)
UNREADABLE: State = ("not readable now", None)
UNREADABLE_SECONDS = 60.0
"""An execution that is unreadable for so long counts as changed: its last state may not be its present one."""


class Followers:
    """Calls the followers of an execution when it changed; they then read what they need.

    A follower is called for each change of status or percent, when the execution has been unreadable for
    `UNREADABLE_SECONDS` and when it is readable again, and at its end. The first state that is read is no change,
    unless it is the end.

    Args:
        source: the platform, for the wait engine.
        tasks: where the wait runs; it may outlive any follower.
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
            # A new follower has to be called for the end too, so it is read once more.
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

    def is_over(self, execution_id: str) -> bool:
        """Whether a followed execution is over, or is polled no more."""
        return execution_id in self._over

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
                    await self._wait()
                self._watched = []
        finally:
            self._is_running = False

    async def _wait(self) -> None:
        """Wait for all that are open now, until they are over or the set of followed executions changes."""
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
                report=self._receive,
                known=self._seen,
            )
        except Exception as error:  # noqa: BLE001 (a bug must not end the server that this runs in)
            logger.error("following executions failed: %s", type(error).__name__)  # noqa: TRY400 (no stack in a log)
            self._end(self._watched)
            return
        await self._receive(found)
        if self._open():
            await self._timing.sleep(QUOTE_SECONDS)

    async def _receive(self, now: WaitState) -> None:
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
                self._notify(name)
        is_due = self._timing.monotonic() - self._quotes_seen_at >= QUOTE_SECONDS
        if is_due and any(self._seen.get(name, ("",))[0] == "Quoted" for name in self._open()):
            self._turn.cancel()

    def _end(self, names: list[str]) -> None:
        """Call the followers a last time, and poll no more."""
        for name in names:
            self._over.add(name)
            self._notify(name)

    def _notify(self, name: str) -> None:
        for on_change in [*self._followers.get(name, {}).values()]:
            on_change()
