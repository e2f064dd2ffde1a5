"""Listing the platform's files: one folder, or those of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.transport.remote_paths import MAX_CHARACTERS as PATH_CHARACTERS
from deeporigin_mcp.platform.transport.remote_paths import cleaned
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, rows_that_fit
from deeporigin_mcp.tools.responses.toolsets import is_offered
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.executions import existing, is_being_stored
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

if TYPE_CHECKING:
    from deeporigin_mcp.platform.records.files import RemoteFile

ROOM = RESULT_CHARACTERS - 3_000
"""Leaves room for the next call, whose cursor may be long."""
MAX_ROWS = 200
PATHS_IN_STEP = 3


class FileRow(View):
    """A file with its size in bytes, or a folder, which ends in `/`; `molecule` is whose file of a run it is."""

    path: str
    size: int | None = None
    molecule: str | None = None


class FilesView(View):
    files: list[FileRow]
    count: int | None = None
    has_more: bool
    next_cursor: str | None = None
    next_step: str | None = None


async def list_files(
    ctx: ToolContext,
    path: Annotated[str, Field(description="A folder; empty for the top.")] = "",
    execution_id: Annotated[str | None, Field(description="A run, instead of path.")] = None,
    limit: Annotated[int, Field(description="1 to 200.", ge=1, le=MAX_ROWS)] = 50,
    cursor: Annotated[str | None, Field(description="To read on.")] = None,
) -> FilesView:
    """List files of the platform with their sizes: those of a folder, and its folders (ending in /), or of a run.

    The paths go into a run's inputs as they are. Reads only.
    """
    state = state_of(ctx)
    if execution_id is not None:
        if path.strip():
            raise ArgumentError("Invalid arguments: both path and execution_id are given.", next_step="Give one.")
        return await _of_run(state, execution_id, limit, cursor)
    return await _of_folder(state, cleaned(path.strip()), limit, cursor)


async def _of_folder(state: ServerState, folder: str, limit: int, cursor: str | None) -> FilesView:
    from deeporigin_mcp.platform.records.files import listed_file

    files = state.client.files

    async def page(count: int) -> tuple[list[FileRow], str | None]:
        try:
            found = await files.page(folder, recursive=False, continuation_token=cursor, max_keys=count)
        except InvalidRequestError as error:
            if cursor:
                error.next_step = f"{_call(folder, limit)} lists it from the start."
            raise
        listed = [file for file in map(listed_file, found["data"]) if file.path]
        return [_row(file) for file in listed], found["continuationToken"]

    rows, following = await page(limit)
    shown = rows_that_fit(rows, ROOM)
    if shown < len(rows):
        # A page that ends here has a cursor of its own.
        rows, following = await page(shown)
    if not rows and cursor is None and folder and not folder.endswith("/"):
        # The path may be a file's.
        try:
            rows = [_row(await files.stat(folder))]
        except NotFoundError:
            rows = []
    view = FilesView(files=rows, has_more=following is not None, next_cursor=following)
    if following is not None:
        view.next_step = f"{_call(folder, limit, cursor=following)} reads on."
    elif rows:
        paths = [row.path for row in rows if not row.path.endswith("/")][:PATHS_IN_STEP]
        view.next_step = f"{steps.call('download_files', paths=paths)} fetches files." if paths else None
    else:
        view.next_step = "There is nothing. " + (f"{_call('', limit)} shows the top folder." if folder else "")
    return view


async def _of_run(state: ServerState, execution_id: str, limit: int, cursor: str | None) -> FilesView:
    from deeporigin_mcp.tools.files.run_files import files_of_run, without_record
    from deeporigin_mcp.tools.files.run_rows import ALL

    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 7):
        raise ArgumentError(
            f"Invalid cursor {one_line(cursor, 60)!r}.",
            next_step=f"{steps.call('list_files', execution_id=execution_id)} lists them from the start.",
        )
    execution = await existing(state.client, execution_id.strip())
    found = await files_of_run(state.client, execution, ALL, waits=False)
    rows, start = list[FileRow](), int(cursor or 0)
    named = {item.path: item for item in found.items if item.path}
    for path, item in [*named.items()][start : start + limit]:
        listed = found.listed.get(without_record(path))
        size = None if listed is None else listed.size
        rows.append(FileRow(path=one_line(path, PATH_CHARACTERS), size=size, molecule=item.molecule.shown or None))
    rows = rows[: rows_that_fit(rows, ROOM)]
    end = start + len(rows)
    has_more = end < len(named)
    view = FilesView(files=rows, count=len(named), has_more=has_more, next_cursor=str(end) if has_more else None)
    call = steps.call("list_files", execution_id=execution.execution_id, limit=limit, cursor=view.next_cursor)
    if has_more:
        view.next_step = f"{call} reads on."
    elif not named and execution.status == "Completed" and await is_being_stored(state.client, execution):
        again = steps.call("list_files", execution_id=execution.execution_id)
        view.next_step = f"It is completed, but its results are still being stored; {again} in a minute."
    elif not named:
        after = steps.after(execution, state.settings) if is_offered("get_execution", state.settings) else ""
        view.next_step = f"It is {one_line(execution.status, 40)} and has no files. {after or ''}".strip()
    else:
        fetch = steps.call("download_files", execution_id=execution.execution_id)
        view.next_step = f"{fetch} fetches them."
    return view


def _call(folder: str, limit: int, **more: str) -> str:
    return steps.call("list_files", **({"path": folder} if folder else {}), limit=limit, **more)


def _row(file: RemoteFile) -> FileRow:
    return FileRow(path=one_line(file.path, PATH_CHARACTERS), size=None if file.is_folder else file.size)
