"""The end of several executions, or the error that stands in its way: what `client.executions.wait` returns."""

from __future__ import annotations

from collections.abc import Sequence

from deeporigin_mcp.errors import ArgumentError, WaitTimeoutError
from deeporigin_mcp.platform.timing import Timing
from deeporigin_mcp.platform.waiting import Source, watch
from deeporigin_mcp.platform.wire import Json


async def wait_for_all(
    source: Source,
    ids: Sequence[str],
    *,
    poll_interval_seconds: float,
    timeout_seconds: float | None,
    timing: Timing,
) -> list[Json]:
    """The DTOs of all ids once they are over, in input order.

    Raises:
        ArgumentError: no ids, an empty id, or an interval that is not positive.
        WaitTimeoutError: they were not over at the deadline, when they were polled for the last time.
        DeepOriginError: an id that cannot be read (any more).
    """
    if not ids:
        raise ArgumentError("executions is empty.", next_step="Give at least one execution id.")
    if not all(name.strip() for name in ids):
        raise ArgumentError("executions holds an empty id.", next_step="Give ids as earlier calls returned them.")
    if not 0 < poll_interval_seconds < float("inf"):
        raise ArgumentError(f"poll_interval is {poll_interval_seconds}. Valid: seconds, more than 0.")
    if timeout_seconds is not None and timeout_seconds != timeout_seconds:
        raise ArgumentError("timeout is not a number. Valid: seconds, or None.")
    state = await watch(
        source,
        ids,
        until="all or a failure",
        poll_interval_seconds=poll_interval_seconds,
        first_pause_seconds=poll_interval_seconds,
        timeout_seconds=timeout_seconds,
        timing=timing,
    )
    for name in ids:
        if name in state.hopeless:
            raise state.failed[name]
    if state.pending:
        told = f"After {state.waited_seconds:.0f} s not over: {', '.join(state.pending)}."
        if state.blind:
            told = f"{told} Not readable at the end: {', '.join(state.blind)}. {state.failed[state.blind[0]]}"
        raise WaitTimeoutError(told, next_step="They go on; wait again.")
    return [state.found[name] for name in ids]
