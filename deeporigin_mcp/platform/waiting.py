"""Looking at executions until they are over: the one engine behind every wait.

Looks at once, then after pauses that grow to the interval; all ids of one cycle together; an id that is over is
never asked again. A failure that may pass neither ends the wait nor hides the other ids; a failure that cannot
pass is that id's result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    NetworkError,
    PlatformError,
    RateLimitError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform.timing import Timing
from deeporigin_mcp.platform.wire import Execution, Json

MAX_CONCURRENT_LOOKS = 10
FIRST_PAUSE_SECONDS = 1.0
PAUSE_GROWTH = 1.5
SHORTEST_LOOK_SECONDS = 10.0
"""A first look may take this long even if the wait's own time is shorter: a wait of 0 s looks once."""
HEARTBEAT_SECONDS = 9.0
"""Progress is reported at least this often; clients reckon with 10 s (mcp-facts 2)."""

Get = Callable[[str], Awaitable[Json]]


@dataclass
class Watch:
    """What a wait knows: the latest DTO of each id, and the failure of each id that cannot be read."""

    ids: Sequence[str]
    found: dict[str, Json] = field(default_factory=dict)
    failed: dict[str, DeepOriginError] = field(default_factory=dict)
    hopeless: set[str] = field(default_factory=set)
    waited_seconds: float = 0.0

    @property
    def pending(self) -> list[str]:
        """Ids that are not over, once each, in input order."""
        return [name for name in dict.fromkeys(self.ids) if not self._is_over(name)]

    def is_done(self, until: Literal["all", "any"]) -> bool:
        open_ids = len(self.pending)
        return open_ids == 0 if until == "all" else open_ids < len(dict.fromkeys(self.ids))

    def _is_over(self, name: str) -> bool:
        return name in self.hopeless or (name in self.found and Execution(self.found[name]).is_settled)


Report = Callable[[Watch], Awaitable[None]]


async def watch(
    get: Get,
    ids: Sequence[str],
    *,
    until: Literal["all", "any"] = "all",
    poll_interval_seconds: float,
    first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    timeout_seconds: float | None,
    timing: Timing,
    report: Report | None = None,
) -> Watch:
    """Look until `until` holds or time is up, at least once; never raises for what the platform did.

    Args:
        report: told after each cycle that changed something, and every `HEARTBEAT_SECONDS`.
    """
    state = Watch(ids=ids)
    started = timing.monotonic()

    def left() -> float:
        state.waited_seconds = timing.monotonic() - started
        return float("inf") if timeout_seconds is None else timeout_seconds - state.waited_seconds

    async def heartbeat() -> None:
        while report is not None:
            await timing.sleep(HEARTBEAT_SECONDS)
            left()
            await report(state)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heartbeat)
        pause = min(first_pause_seconds, poll_interval_seconds)
        first_look_seconds = SHORTEST_LOOK_SECONDS
        while True:
            before = _outline(state)
            with anyio.move_on_after(max(left(), first_look_seconds)):
                await _look_at_all(get, state)
            first_look_seconds = 0.0
            remaining = left()
            if report is not None and _outline(state) != before:
                await report(state)
            if state.is_done(until) or remaining <= 0:
                break
            await timing.sleep(min(pause * (0.8 + 0.2 * timing.chance()), remaining))
            pause = min(pause * PAUSE_GROWTH, poll_interval_seconds)
            if left() <= 0:
                break
        tasks.cancel_scope.cancel()
    return state


async def wait_for_all(
    get: Get,
    ids: Sequence[str],
    *,
    poll_interval_seconds: float,
    timeout_seconds: float | None,
    timing: Timing,
) -> list[Json]:
    """The DTOs of all ids once they are over, in input order.

    Raises:
        ArgumentError: no ids, an empty id, or an interval that is not positive.
        WaitTimeoutError: time ran out first.
        DeepOriginError: an id that cannot be read.
    """
    if not ids:
        raise ArgumentError("executions is empty.", next_step="Give at least one execution id.")
    if not all(name.strip() for name in ids):
        raise ArgumentError("executions holds an empty id.", next_step="Give ids as earlier calls returned them.")
    if poll_interval_seconds <= 0:
        raise ArgumentError(f"poll_interval is {poll_interval_seconds}. Valid: seconds, more than 0.")
    state = await watch(
        get,
        ids,
        poll_interval_seconds=poll_interval_seconds,
        first_pause_seconds=poll_interval_seconds,
        timeout_seconds=timeout_seconds,
        timing=timing,
    )
    for name in state.hopeless:
        raise state.failed[name]
    if state.pending:
        raise WaitTimeoutError(
            f"After {state.waited_seconds:.0f} s not over: {', '.join(state.pending)}.",
            next_step="They go on; wait again.",
        )
    return [state.found[name] for name in ids]


async def _look_at_all(get: Get, state: Watch) -> None:
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT_LOOKS)

    async def look(name: str) -> None:
        async with limiter:
            try:
                state.found[name] = await get(name)
                state.failed.pop(name, None)
            except DeepOriginError as error:
                state.failed[name] = error
                may_pass = isinstance(error, NetworkError | PlatformError | RateLimitError)
                if not may_pass:
                    state.hopeless.add(name)
                if isinstance(error, CredentialError) and error.http_status is None:
                    # Missing or expired here: no id can be read any more.
                    state.hopeless.update(state.ids)
                    for other in state.ids:
                        state.failed.setdefault(other, error)

    async with anyio.create_task_group() as tasks:
        for name in state.pending:
            tasks.start_soon(look, name)


def _outline(state: Watch) -> dict[str, tuple[str, float | None]]:
    """What counts as a change: status and percent of each id."""
    dtos = {name: Execution(dto) for name, dto in state.found.items()}
    return {name: (dto.status, dto.progress_percent) for name, dto in dtos.items()}
