"""The rows of a run for the results page in a client with MCP Apps. No model calls this tool."""

# Without `from __future__ import annotations`: pydantic would have to compile each annotation at a server's start.
from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.tools.responses.size_limit import rows_that_fit
from deeporigin_mcp.tools.responses.views import PageView
from deeporigin_mcp.tools.runtime.executions import ExecutionId
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

PAGE_CHARACTERS = 100_000
"""Of the rows in one response: the strictest known client takes 150,000 characters."""


class ResultsPageView(PageView):
    """Part of the data that `apps/results/data.js` tells; what is not of the rows comes with the first part only.

    `pending`: it is still being read, call again. `is_changed`: the rows are others than those of `version`, begin
    anew.
    """

    version: str | None = None
    run: dict[str, Any] | None = None
    notes: list[str] | None = None
    columns: list[dict[str, Any]] | None = None
    protein: dict[str, str] | None = None
    row_count: int | None = None
    rows: list[dict[str, Any]] | None = None
    shapes: list[dict[str, str]] | None = None
    next_offset: int | None = None
    pending: bool | None = None
    is_changed: bool | None = None


async def read_results_page(
    ctx: ToolContext,
    execution_id: ExecutionId,
    offset: Annotated[int, Field(description="The first row, from 0.", ge=0)] = 0,
    version: Annotated[str | None, Field(description="That of the part before.", max_length=40)] = None,
) -> ResultsPageView:
    """Read rows for the results page. Only the page needs this: call get_execution_results instead. Reads only."""
    from deeporigin_mcp.tools.files.shown_runs import shown_run

    run = await shown_run(state_of(ctx), execution_id.strip(), anew=version is None)
    if run is None:
        return ResultsPageView(pending=True)
    if version is not None and version != run.version:
        return ResultsPageView(is_changed=True)
    data = run.data
    rows = data["rows"][offset:]
    shown = rows[: rows_that_fit(rows, PAGE_CHARACTERS)]
    numbers = [row["shape"] for row in shown if row.get("shape") is not None]
    following = offset + len(shown)
    view = ResultsPageView(
        version=run.version,
        rows=shown,
        shapes=data["shapes"][numbers[0] : numbers[-1] + 1] if numbers else [],
        next_offset=following if following < len(data["rows"]) else None,
    )
    if offset == 0:
        view.run, view.notes, view.columns, view.protein = (
            data[name] for name in ("run", "notes", "columns", "protein")
        )
        view.row_count = len(data["rows"])
    return view
