"""Waiting for executions, within the time that a call may last."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import utc_stamp
from deeporigin_mcp.platform.waiting.engine import LAST_POLL_SECONDS, LIST_ACTIVE_FROM, Outline, WaitState, watch
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.lists import PROGRESS_SECONDS, with_progress
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, size
from deeporigin_mcp.tools.responses.views import WaitRow, WaitView, wait_row
from deeporigin_mcp.tools.runtime.executions import is_execution_id, not_found
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ToolContext, state_of

MAX_ID_CHARACTERS = 200
"""Longer than any mistyped id, or than a URL with an id in it; those are explained in their row."""
SHORT_ID_CHARACTERS = 60
MAX_CHANGES_NAMED = 5
MAX_ERROR_CHARACTERS = 400
SHORT_ERROR_CHARACTERS = 40
LONGEST_WAIT_SECONDS = CALL_SECONDS - LAST_POLL_SECONDS - 1
"""Leaves time for the last poll and for the response."""


async def wait_executions(
    ctx: ToolContext,
    execution_ids: Annotated[list[str], Field(description="1 to 100 execution ids.", min_length=1, max_length=100)],
    timeout_seconds: Annotated[float, Field(description="0 to 50; 0 polls once.", ge=0, le=50)] = 45,
    poll_interval_seconds: Annotated[float, Field(description="1 to 30.", ge=1, le=30)] = 5,
    until: Annotated[Literal["all", "any"], Field(description="any: return when the first is over.")] = "all",
) -> WaitView:
    """Wait until executions are over or time is up, reporting progress meanwhile.

    Use it instead of repeated get_execution. Time up is no error: it returns every status, all_done false and the
    call to go on with. Quoted ones are not waited for. Reads only.
    """
    state = state_of(ctx)
    reported = 0.0
    reported_outline: Outline = {}

    async def report(now: WaitState) -> None:
        nonlocal reported, reported_outline
        # The protocol wants progress to grow with every report, even of two within one tick of the clock.
        reported = round(max(now.waited_seconds, reported + 0.001), 3)
        before, reported_outline = reported_outline, now.outline()
        await ctx.report_progress(reported, max(timeout_seconds, reported), summary_of(now, before))

    names = [name.strip() for name in execution_ids]
    for index, name in enumerate(names):
        if len(name) > MAX_ID_CHARACTERS:
            raise ArgumentError(
                f"Invalid execution_ids.{index}: it has {len(name)} characters.",
                next_step="Valid: execution_id values of earlier results, 36 characters each.",
            )
    found = await watch(
        state.client.observer,
        names,
        until=until,
        poll_interval_seconds=poll_interval_seconds,
        timeout_seconds=min(timeout_seconds, LONGEST_WAIT_SECONDS),
        timing=state.client.timing,
        report=report,
    )
    if len(found.pending) >= LIST_ACTIVE_FROM:
        # The engine read these from a list, whose rows may have no progress.
        seconds = min(PROGRESS_SECONDS, LONGEST_WAIT_SECONDS + 1 - found.waited_seconds)
        running = [name for name in found.pending if name not in found.failed]
        rows = [Execution(found.found[name]) for name in running]
        for name, row in zip(running, await with_progress(state.client, rows, within_seconds=seconds), strict=True):
            found.found[name] = row.raw
    return wait_view(found, state.settings)


def wait_view(found: WaitState, settings: Settings) -> WaitView:
    """The result of a wait: one row for each id, shorter ones where full ones do not fit."""
    names = list(dict.fromkeys(found.ids))
    lost = {name: found.failed[name] for name in names if name in found.given_up}
    over = [Execution(found.found[name]) for name in names if name not in lost and name not in found.pending]
    view = WaitView(
        executions=[_row(found, name) for name in found.ids],
        all_done=len(over) == len(names),
        # One that was read once and cannot be read any more may still run.
        pending=[name for name in names if name in found.pending or (name in lost and name in found.found)],
        waited_seconds=round(found.waited_seconds, 1),
        next_step=steps.after_waiting(over, found.pending, lost, settings),
    )
    if size(view) > RESULT_CHARACTERS:
        view.executions = [_short(row) for row in view.executions]
    return view


def _short(row: WaitRow) -> WaitRow:
    return WaitRow(
        # An id is shorter; anything longer is invalid.
        execution_id=one_line(row.execution_id, SHORT_ID_CHARACTERS),
        status=row.status,
        progress_percent=row.progress_percent,
        last_seen_at=row.last_seen_at,
        error=row.error and one_line(row.error, SHORT_ERROR_CHARACTERS),
    )


def _row(found: WaitState, name: str) -> WaitRow:
    error = found.failed.get(name)
    if name in found.found:
        row = wait_row(Execution(found.found[name]))
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
    """What changed since the last report, such as `1 of 3 over; BRD4 pilot: Running 40 %, 9f3c1a2b: Failed`."""
    outline = now.outline()
    changed = [name for name in outline if outline[name] != before.get(name)]
    words = []
    for name in changed[:MAX_CHANGES_NAMED]:
        status, percent = outline[name]
        known_as = one_line(Execution(now.found[name]).name, 40) or name[:8]
        words.append(
            f"{known_as}: {status}" + (f" {percent:g} %" if percent is not None and status == "Running" else "")
        )
    if len(changed) > MAX_CHANGES_NAMED:
        words.append(f"{len(changed) - MAX_CHANGES_NAMED} more")
    total = len(dict.fromkeys(now.ids))
    over = total - len({*now.pending, *now.given_up})
    unread = f"; {len(now.unknown)} cannot be read now" if now.unknown else ""
    return f"{over} of {total} over{unread}; {', '.join(words) or 'no change'}"
