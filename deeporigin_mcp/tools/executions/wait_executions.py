"""Waiting for executions, within the time that a call may last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import utc_stamp
from deeporigin_mcp.platform.waiting.engine import LAST_POLL_SECONDS, LIST_ACTIVE_FROM, Outline, WaitState, watch
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.completeness import LookedAt, looked_at
from deeporigin_mcp.tools.executions.lists import PROGRESS_SECONDS, with_progress
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, size
from deeporigin_mcp.tools.responses.views import ROW_REASON_CHARACTERS, WaitRow, WaitView, wait_row
from deeporigin_mcp.tools.runtime.executions import is_execution_id, not_found
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ToolContext, at_the_latest, state_of

MAX_ID_CHARACTERS = 200
"""Longer than any mistyped id, or than a URL with an id in it; those are explained in their row."""
SHORT_ID_CHARACTERS = 60
MAX_CHANGES_NAMED = 5
MAX_ERROR_CHARACTERS = 400
SHORT_ERROR_CHARACTERS = 40
SLOW_SECONDS = 1.0
"""Where the last poll took longer than this, platform or server are busy, and progress is not read as well."""
LONG_SECONDS = 40.0
"""After a wait of so long it is said how to wait without calls."""
MISSING_CHARACTERS = 600
"""Of what a row's run lacks; get_execution names more."""
LONGEST_WAIT_SECONDS = CALL_SECONDS - LAST_POLL_SECONDS - 1
"""Leaves time for the last poll and for the response."""


async def wait_executions(
    ctx: ToolContext,
    execution_ids: Annotated[list[str], Field(description="1 to 100 execution ids.", min_length=1, max_length=100)],
    timeout_seconds: Annotated[
        float, Field(description="0 to 50, of which it waits 47; 0 polls once.", ge=0, le=50)
    ] = 45,
    poll_interval_seconds: Annotated[float, Field(description="1 to 30.", ge=1, le=30)] = 5,
    until: Annotated[Literal["all", "any"], Field(description="any: return when the first is over.")] = "all",
) -> WaitView:
    """Wait until executions are over or time is up, reporting progress meanwhile.

    Use it instead of repeated get_execution. Time up is no error: it returns every status, all_done false and the
    call to go on with. Quoted ones are not waited for. Reads only.
    """
    state = state_of(ctx)
    now = state.client.timing.monotonic
    began = now()
    seen: WaitState | None = None
    reported = 0.0
    reported_outline: Outline = {}

    def last_seen() -> WaitView | None:
        if seen is None or not seen.found:
            return None
        seen.waited_seconds = now() - began
        seen.give_up_reading([name for name in seen.pending if name not in seen.failed])
        return wait_view(seen, state.settings)

    at_the_latest.set(last_seen)

    async def report(present: WaitState) -> None:
        nonlocal seen, reported, reported_outline
        seen = present
        # The protocol wants progress to grow with every report, even of two within one tick of the clock.
        reported = round(max(present.waited_seconds, reported + 0.001), 3)
        before, reported_outline = reported_outline, present.outline()
        await ctx.report_progress(reported, max(timeout_seconds, reported), summary_of(present, before))

    timeout_seconds = min(timeout_seconds, LONGEST_WAIT_SECONDS)
    found = await watch(
        state.client.observer,
        names_in(execution_ids),
        until=until,
        poll_interval_seconds=poll_interval_seconds,
        timeout_seconds=timeout_seconds,
        timing=state.client.timing,
        report=report,
    )
    if found.waited_seconds <= timeout_seconds + SLOW_SECONDS:
        await add_progress(state.client, found, LONGEST_WAIT_SECONDS + 1 - found.waited_seconds)
    left = began + timeout_seconds - now()
    parts = await looked_at(state, ended_of(found), seconds_left=left)
    found.waited_seconds = now() - began
    return wait_view(found, state.settings, parts)


def names_in(execution_ids: Sequence[str]) -> list[str]:
    """The ids of an argument.

    Raises:
        ArgumentError: one of them is too long to be one.
    """
    names = [name.strip() for name in execution_ids]
    for index, name in enumerate(names):
        if len(name) > MAX_ID_CHARACTERS:
            raise ArgumentError(
                f"Invalid execution_ids.{index}: it has {len(name)} characters.",
                next_step="Valid: execution_id values of earlier results, 36 characters each.",
            )
    return names


async def add_progress(client: DeepOriginClient, found: WaitState, within_seconds: float) -> None:
    """Read the progress of runs that the engine read from a list, whose rows may have none."""
    if len(found.pending) < LIST_ACTIVE_FROM:
        return
    seconds = min(PROGRESS_SECONDS, within_seconds)
    running = [name for name in found.pending if name not in found.failed]
    rows = [Execution(found.found[name]) for name in running]
    for name, row in zip(running, await with_progress(client, rows, within_seconds=seconds), strict=True):
        found.found[name] = row.raw


def ended_of(found: WaitState) -> list[Execution]:
    """The executions that a wait has seen the end of, once each."""
    seen = [Execution(found.found[name]) for name in dict.fromkeys(found.ids) if name in found.found]
    return [execution for execution in seen if execution.is_terminal]


def wait_view(found: WaitState, settings: Settings, parts: LookedAt | None = None) -> WaitView:
    """The result of a wait: one row for each id, shorter ones where full ones do not fit."""
    names = list(dict.fromkeys(found.ids))
    lost = {name: found.failed[name] for name in names if name in found.given_up}
    over = [Execution(found.found[name]) for name in names if name not in lost and name not in found.pending]
    quoted = sum(execution.status == "Quoted" for execution in over)
    view = WaitView(
        executions=[row_of(found, name, parts) for name in found.ids],
        all_done=len(over) == len(names) and not quoted,
        pending=not_over(found),
        quoted=quoted or None,
        waited_seconds=round(found.waited_seconds, 1),
        next_step=steps.after_waiting(
            over, found.pending, lost, settings, is_long=found.waited_seconds >= LONG_SECONDS
        ),
    )
    if size(view) > RESULT_CHARACTERS:
        view.executions = [_short(row) for row in view.executions]
    return view


def not_over(found: WaitState) -> list[str]:
    """Ids not known to be over: one that was read once and cannot be read any more may still run."""
    pending = {*found.pending, *(name for name in found.given_up if name in found.found)}
    return [name for name in dict.fromkeys(found.ids) if name in pending]


def _short(row: WaitRow) -> WaitRow:
    return WaitRow(
        # An id is shorter; anything longer is invalid.
        execution_id=one_line(row.execution_id, SHORT_ID_CHARACTERS),
        status=row.status,
        progress_percent=row.progress_percent,
        requested=row.requested,
        returned=row.returned,
        last_seen_at=row.last_seen_at,
        error=row.error and one_line(row.error, SHORT_ERROR_CHARACTERS),
    )


def row_of(found: WaitState, name: str, parts: LookedAt | None = None) -> WaitRow:
    """The execution as it was read last, with what it lacks, or why it was not read."""
    error = found.failed.get(name)
    if name in found.found:
        execution = Execution(found.found[name])
        row = wait_row(execution)
        if parts is not None:
            parts.add_to(row, execution, MISSING_CHARACTERS, ROW_REASON_CHARACTERS)
        if error is not None:
            row.last_seen_at = utc_stamp(found.seen_at[name])
            row.error = f"Not read since {row.last_seen_at}: {explained(error, MAX_ERROR_CHARACTERS)}"
        return row
    refused = isinstance(error, InvalidRequestError) and not is_execution_id(name)
    if error is not None and (refused or isinstance(error, NotFoundError)):
        error = not_found(name, error)
    reason = explained(error, MAX_ERROR_CHARACTERS) if error else "Not read in time; wait again."
    return WaitRow(execution_id=name, error=reason)


def summary_of(now: WaitState, before: Outline) -> str:
    """What changed since the last report, such as `1 of 3 over; BRD4 pilot: Running 40 %, 9f3c1a2b: Failed`.

    In the order asked for: that in which the platform answers is chance.
    """
    outline, ids = now.outline(), [*dict.fromkeys(now.ids)]
    changed = [name for name in ids if name in outline and outline[name] != before.get(name)]
    words = []
    for name in changed[:MAX_CHANGES_NAMED]:
        status, percent = outline[name]
        known_as = one_line(Execution(now.found[name]).name, 40) or name[:8]
        words.append(
            f"{known_as}: {status}" + (f" {percent:g} %" if percent is not None and status == "Running" else "")
        )
    if len(changed) > MAX_CHANGES_NAMED:
        words.append(f"{len(changed) - MAX_CHANGES_NAMED} more")
    total = len(ids)
    over = total - len({*now.pending, *now.given_up})
    unread = f"; {len(now.unknown)} cannot be read now" if now.unknown else ""
    return f"{over} of {total} over{unread}; {', '.join(words) or 'no change'}"
