"""What results lack: ligands of the inputs without a row, and the reason why there are no rows."""

from __future__ import annotations

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.tools.executions.completeness import judged, may_lack
from deeporigin_mcp.tools.executions.details import big_fields
from deeporigin_mcp.tools.executions.result_pages import Asked, Page
from deeporigin_mcp.tools.executions.results_view import ExecutionResultsView
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.failures import failed_parts, reason_of
from deeporigin_mcp.tools.responses.views import REASON_CHARACTERS
from deeporigin_mcp.tools.runtime.executions import is_being_stored
from deeporigin_mcp.tools.runtime.state import ServerState


async def add_missing(state: ServerState, view: ExecutionResultsView, execution: Execution, rows: list[Json]) -> None:
    """Say which ligands of the inputs have no result; nothing where none is missing.

    Args:
        rows: all that the run has, or none if they are still to be read.
    """
    from deeporigin_mcp.tools.files.missing import NO_RESULT
    from deeporigin_mcp.tools.files.run_rows import MAX_ROWS

    found = await judged(state, execution, rows, MAX_ROWS) if may_lack(execution, MAX_ROWS) else None
    parts = found.parts if found else None
    if found is None or parts is None or parts.requested is None or parts.requested == parts.returned:
        return
    if found.is_being_stored:
        view.next_step = (
            f"{view.next_step or ''} Results of {parts.requested - (parts.returned or 0)} of {parts.requested} ligands "
            "may still be being stored; look again in a minute."
        ).strip()
        return
    view.requested, view.returned = parts.requested, parts.returned
    view.missing, view.missing_count = parts.missing, parts.missing_count
    if view.next_step is None and any(row.reason == NO_RESULT for row in parts.missing or ()):
        logs = steps.call("get_execution_logs", execution_id=execution.execution_id, level="warning")
        view.next_step = f"{logs} may say why."


async def explain_no_rows(
    state: ServerState, view: ExecutionResultsView, execution: Execution, asked: Asked, page: Page
) -> None:
    """Say why there are no rows, or no more.

    Raises:
        ArgumentError: the run has outputs, for which an argument is not meant.
    """
    name, result_type = execution.execution_id, asked.result_type
    order = {
        **({"best_per": page.best_per} if page.best_per else {}),
        **({"order": str(page.order)} if page.order else {}),
    }
    if not page.is_start:
        view.next_step = (
            f"There are no more rows; {steps.call('get_execution_results', execution_id=name, **order)} starts again."
        )
        return
    if result_type:
        from deeporigin_mcp.tools.files.run_rows import types_seen

        seen = await types_seen(state.client, execution)
        if seen:
            view.result_types = seen
        if seen != []:
            types = f"rows of type {', '.join(seen)}" if seen else "rows of other types"
            call = steps.call("get_execution_results", execution_id=name, **order)
            view.next_step = f"No rows of type {one_line(result_type, 40)!r}; it has {types}. {call} shows them all."
            return
    if big_fields(execution)["outputs"] is not None:
        argument = next((name for name in ("order", "best_per", "columns") if getattr(asked, name)), "result_type")
        raise ArgumentError(
            f"Invalid {argument}: it is for stored rows, and this execution has none "
            "yet. It has outputs, in the tool's own order.",
            next_step=f"{steps.call('get_execution_results', execution_id=name)} shows them.",
        )
    if execution.status != "Completed":
        next_step = steps.after(execution, state.settings) or ""
        view.status_reason = one_line(reason_of(execution), REASON_CHARACTERS) or None
        view.failed_parts = failed_parts(execution)
        view.next_step = f"It is {view.status} and has no results. {next_step}".strip()
    elif await is_being_stored(state.client, execution):
        again = steps.call("get_execution_results", execution_id=name, **order)
        view.next_step = f"It is completed, but its results are still being stored; {again} in a minute."
    else:
        logs = steps.call("get_execution_logs", execution_id=name)
        view.next_step = f"It is completed and stored no result rows; {logs} may say why."
