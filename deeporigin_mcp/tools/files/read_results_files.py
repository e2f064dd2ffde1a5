"""Coordinates for the results page in a client with MCP Apps, when they are looked at. No model calls this tool."""

# Without `from __future__ import annotations`: pydantic would have to compile each annotation at a server's start.
from typing import Annotated

from pydantic import Field

from deeporigin_mcp.tools.responses.views import PageView, View
from deeporigin_mcp.tools.runtime.executions import ExecutionId
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

TEXT_CHARACTERS = 100_000
"""Of the texts in one response: the strictest known client takes 150,000 characters."""
MAX_FILES = 100


class FileText(View):
    file: str
    text: str
    problem: str | None = None


class ResultsFilesView(PageView):
    """Files in the order in which they were asked for, as many as fit. `next_offset`: the last one goes on there."""

    files: list[FileText] | None = None
    next_offset: int | None = None
    pending: bool | None = None


async def read_results_files(
    ctx: ToolContext,
    execution_id: ExecutionId,
    files: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Field(description="As read_results_page names them.", min_length=1, max_length=MAX_FILES),
    ],
    offset: Annotated[int, Field(description="Where the first one goes on, in characters.", ge=0)] = 0,
) -> ResultsFilesView:
    """Read poses or the protein for the results page. Only the page needs this: call download_files instead.

    Reads only.
    """
    from deeporigin_mcp.tools.files.shown_runs import shown_run

    state = state_of(ctx)
    run = await shown_run(state, execution_id.strip())
    if run is None:
        return ResultsFilesView(pending=True)
    view, left = ResultsFilesView(files=[]), TEXT_CHARACTERS
    for file, (text, problem) in zip(files, await run.texts(state, files), strict=True):
        piece = text[offset : offset + left]
        view.files = [*(view.files or []), FileText(file=file, text=piece, problem=problem or None)]
        left -= len(piece)
        if offset + len(piece) < len(text):
            view.next_offset = offset + len(piece)
            break
        offset = 0
        if left <= 0:
            break
    return view
