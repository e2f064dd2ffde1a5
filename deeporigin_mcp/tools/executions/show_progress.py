"""What the monitor page asks for again and again: the state of runs, and the steps of the one that is open on it."""

# Without `from __future__ import annotations`, for the reason that `responses/views.py` gives.
from itertools import islice
from typing import Annotated, Any

import anyio
from pydantic import Field

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.progress import is_tree
from deeporigin_mcp.platform.records.values import moment
from deeporigin_mcp.platform.waiting.engine import watch
from deeporigin_mcp.tools.executions.details import progress_lines, tree_steps
from deeporigin_mcp.tools.executions.lists import PROGRESS_SECONDS
from deeporigin_mcp.tools.executions.wait_executions import add_progress, names_in, not_over, row_of
from deeporigin_mcp.tools.responses.toolsets import is_offered
from deeporigin_mcp.tools.responses.views import View, WaitRow
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

MOST_STEPS = 100
POLL_SECONDS = 5.0
"""Between two polls of the engine, of which one call makes only the first."""
MOST_CHARACTERS = 100_000
"""No model reads this."""


class StepRow(View):
    """A step of a run, with how deep it is below the run; `status` is missing where a report is only text."""

    depth: int
    name: str
    status: str | None = None
    percent: float | None = None
    message: str | None = None


class ProgressRow(WaitRow):
    """`elapsed_seconds`: from its start to its end, or until now. `steps`: of the run for which they were asked."""

    elapsed_seconds: float | None = None
    steps: list[StepRow] | None = None
    more_steps: bool | None = None


class ProgressView(View):
    """The present state of executions. `pending`: ids not known to be over. `can_cancel`: whether a page may do it."""

    executions: list[ProgressRow]
    pending: list[str]
    can_cancel: bool


async def show_progress(
    ctx: ToolContext,
    execution_ids: Annotated[list[str], Field(description="1 to 100 execution ids.", min_length=1, max_length=100)],
    steps_of: Annotated[str | None, Field(description="Of these, the one whose steps are shown.")] = None,
) -> ProgressView:
    """Show the state of executions on the monitor page. A model calls wait_executions instead. Reads only."""
    state = state_of(ctx)
    found = await watch(
        state.client.observer,
        names_in(execution_ids),
        poll_interval_seconds=POLL_SECONDS,
        timeout_seconds=0,
        timing=state.client.timing,
    )
    await add_progress(state.client, found, PROGRESS_SECONDS)
    rows = []
    for name in found.ids:
        row = ProgressRow(**dict(row_of(found, name)))
        if name in found.found:
            execution = Execution(found.found[name])
            # What was read before is no measure of now.
            row.elapsed_seconds = None if row.error else _elapsed(execution, state.client.now())
            if name == steps_of:
                row.steps, row.more_steps = await _steps(state, execution)
        rows.append(row)
    view = ProgressView(
        executions=rows, pending=not_over(found), can_cancel=is_offered("cancel_execution", state.settings)
    )
    return view.limited_to(MOST_CHARACTERS)


def _elapsed(execution: Execution, now: float) -> float | None:
    """Seconds; None before the start, and for an end that the platform did not note."""
    started = moment(execution.started_at)
    if execution.is_settled or started is None:
        return execution.runtime_seconds
    return round(max(0.0, now - started.timestamp()), 1)


async def _steps(state: ServerState, execution: Execution) -> tuple[list[StepRow] | None, bool | None]:
    """What its report says, in order, and whether it says more; None if it says nothing."""
    report: Any = execution.raw.get("progressReport")
    if report is None:
        # Rows of a list have none.
        with anyio.move_on_after(PROGRESS_SECONDS):
            try:
                report = (await state.client.executions.get(execution.execution_id)).get("progressReport")
            except DeepOriginError:
                return None, None
    if isinstance(report, dict) and report.keys() == {"complete"}:
        # The percent of the run.
        return None, None
    if not is_tree(report):
        lines, has_more = progress_lines(report)
        return [StepRow(depth=0, name=line) for line in lines or ()] or None, has_more or None
    whole, *below = islice(tree_steps(report), MOST_STEPS + 2)
    # The first is the run itself.
    steps = [step._replace(depth=step.depth - 1) for step in below] or [whole]
    rows = [
        StepRow(
            depth=step.depth, name=step.name, status=step.status, percent=step.percent, message=step.message or None
        )
        for step in steps[:MOST_STEPS]
    ]
    return rows, len(steps) > MOST_STEPS or None
