"""Files of a run, or files by path, onto the user's disk; over HTTP as signed links."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import anyio
from anyio.to_thread import run_sync
from pydantic import Field

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    RestrictionError,
)
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.paging import gather
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.files.run_rows import ALL, MADE, RECORD, REPORT, STORING_PAUSES, TABLE
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.views import Completeness, MissingRow, View
from deeporigin_mcp.tools.runtime.executions import at_its_end, existing
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

if TYPE_CHECKING:
    from deeporigin_mcp.tools.files.downloading import Download, Request
    from deeporigin_mcp.tools.files.folders import Folders
    from deeporigin_mcp.tools.files.missing import Missing
    from deeporigin_mcp.tools.files.run_files import Found, Item

WAIT_SECONDS = 42.0
"""How long a call may take before it returns; the download then goes on without it."""
RUN_SECONDS = 38.0
"""How long it waits for the end of the run before that."""
MAX_PATHS = 1_000
FEW_FILES, FIRST_FILES = 8, 4
"""So many files are all named; of more, the first."""
MAX_MISSING = 20
MAX_LINKS = 10
"""A link has up to 1,500 characters."""
PATHS_IN_CALL = 5
"""A next call with more of them is not written out again."""
REASON_CHARACTERS = 200
NAME_CHARACTERS = 120
LINK_IS_SECRET = (
    "Each link opens its file for anyone for 24 h: a secret, for the user only, who saves the file with a browser or "
    "`curl -o NAME 'LINK'`."
)
MORE_LINKS = "These are the first; give others as paths."


class FileRow(View):
    name: str
    size: int | None = None
    link: str | None = None


class Downloaded(View):
    """Files that are in the folder now, best poses first; all of them, or the first. Sizes in bytes."""

    folder: str | None = None
    count: int
    already_there: int | None = None
    size: int | None = None
    files: list[FileRow]


class DownloadsView(Completeness, Downloaded):
    """A download; files of which no ligand is known can be `missing` too."""

    pending: int | None = None
    has_more: bool
    next_step: str | None = None


async def download_files(
    ctx: ToolContext,
    paths: Annotated[
        list[str] | None,
        Field(description="Up to 1,000.", max_length=MAX_PATHS),
    ] = None,
    execution_id: Annotated[str | None, Field(description="The run; with paths: only these of it.")] = None,
    what: Annotated[
        str,
        Field(
            description="Of a run: all, best_poses (one a ligand), report (page), table (CSV), record (JSON) or a type:"
            " pose."
        ),
    ] = ALL,
    folder: Annotated[str | None, Field(description="Below the downloads folder; default: one per run.")] = None,
    combine: Annotated[bool, Field(description="Also join poses to one SDF, best first, with scores.")] = False,
) -> DownloadsView:
    """Get files of a run (poses, tables), or files by path.

    Saved in a folder, with an index.csv of molecules and scores; nothing is overwritten. After a cut repeat it. Free.
    """
    state, deadline = state_of(ctx), anyio.current_time() + WAIT_SECONDS
    what = what.strip().lower()
    if execution_id is None and not paths:
        raise ArgumentError("Give execution_id or paths.")
    if paths and what != ALL:
        raise ArgumentError(
            f"Invalid what {one_line(what, 40)!r} with paths. Valid: all, the default.",
            next_step="Omit what to get these files, or paths to get all files of that kind of an execution_id.",
        )
    execution = None if execution_id is None else await existing(state.client, execution_id.strip())
    if execution is not None and what != RECORD:
        execution = await at_its_end(state.client, execution, RUN_SECONDS)
    if not state.settings.is_local:
        if execution is not None and what in MADE:
            raise _not_over_http(state, execution, what)
        # Both waits together would last longer than a call.
        waits = anyio.current_time() <= deadline - sum(STORING_PAUSES)
        return await _links(state, execution, paths or [], what, waits=waits)
    from deeporigin_mcp.tools.files.downloading import Download, Request
    from deeporigin_mcp.tools.files.folders import folders_of

    request = Request(tuple(paths or ()), execution, what, folder, combine and what not in MADE)
    # What a running execution had left when an earlier call looked says nothing of the ended one.
    status = execution and execution.status
    key = json.dumps(["download", paths, execution_id, status, what, folder, combine])
    state.forget_ended_transfers()
    work = state.transfers.get(key)
    if not isinstance(work, Download):
        work = state.transfers[key] = _work(state, await folders_of(ctx), request)
    try:
        is_over, _ = await work.result(state, max(0.0, deadline - anyio.current_time()))
    finally:
        if work.has_ended:
            state.transfers.pop(key, None)
    return await run_sync(_view, state, request, work, is_over)


def _work(state: ServerState, folders: Folders, request: Request) -> Download:
    from deeporigin_mcp.tools.files.downloading import Download

    if request.execution is None or request.what not in MADE:
        return Download(state, folders, request)
    if request.what == TABLE:
        from deeporigin_mcp.tools.files.table import TableFile

        return TableFile(state, folders, request.execution, request.folder)
    if request.what == RECORD:
        from deeporigin_mcp.tools.files.record import RecordFile

        return RecordFile(state, folders, request.execution, request.folder)
    from deeporigin_mcp.tools.files.report import report_of

    return report_of(state, folders, request.execution, request.folder)


def _not_over_http(state: ServerState, execution: Execution, what: str) -> ArgumentError:
    of = {"execution_id": execution.execution_id}
    step, tool = {
        RECORD: (f"{steps.call('get_execution', **of, detail='record')} shows the record.", "get_execution"),
        TABLE: (f"{steps.call('get_execution_results', **of)} reads the rows.", "get_execution_results"),
        REPORT: (f"{_call((), execution)} gives links to the files.", "download_files"),
    }[what]
    return ArgumentError(
        f"Invalid what {what!r}: it makes a file on the user's disk, and this server works over HTTP.",
        next_step=toolsets.step(state.settings, step, tool),
    )


def _view(state: ServerState, request: Request, work: Download, is_over: bool) -> DownloadsView:
    sizes = {}
    for name in work.names():
        with contextlib.suppress(OSError):
            sizes[name] = (work.path / name).stat().st_size if work.path else 0
    listed = [FileRow(name=one_line(name, NAME_CHARACTERS), size=size) for name, size in sizes.items()]
    view = DownloadsView(
        folder=work.shown_folder if sizes else None,
        count=len(sizes),
        already_there=work.already_there or None,
        size=sum(sizes.values()),
        files=listed if len(listed) <= FEW_FILES else listed[:FIRST_FILES],
        has_more=not is_over,
        pending=work.pending() or None,
    )
    if not is_over:
        view.next_step = f"The download goes on; {_same_call(request)} waits for it."
        return view
    _add_missing(view, work.found, work.missing)
    view.next_step = _next_step(state, view, request, work)
    return view


def _add_missing(view: DownloadsView, found: Found, missing: Missing | None) -> None:
    """What there is no file of: ligands by their names, and files of which no ligand is known."""
    reasons = dict(missing.named) if missing is not None else {}
    for item in found.items:
        if item.problem:
            reasons.setdefault(item.molecule.shown or item.path, item.problem)
    if missing is not None:
        view.requested, view.returned = found.ligand_count, found.ligand_count - missing.ligand_count
    rows = [MissingRow(name=one_line(name, NAME_CHARACTERS), reason=reason) for name, reason in reasons.items()]
    view.missing = rows[:MAX_MISSING] or None
    view.missing_count = len(rows) if len(rows) > MAX_MISSING else None


def _next_step(state: ServerState, view: DownloadsView, request: Request, work: Download) -> str | None:
    from deeporigin_mcp.tools.files.downloading import JOINED
    from deeporigin_mcp.tools.files.missing import NO_RESULT

    found, execution = work.found, request.execution
    again = _same_call(request)
    parts = []
    if execution is not None and not found.items and not work.made:
        return _why_nothing(state, execution, found, again, "rows" if request.what == TABLE else "files")
    if execution is not None and not execution.is_terminal:
        parts.append(
            f"It is {one_line(execution.status, 40)}, so there may be more later. {_after(state, execution, again)}"
        )
    elif found.is_being_stored:
        parts.append(f"Its results are still being stored: {again} in a minute may find more.")
    elif execution is not None and any(row.reason == NO_RESULT for row in view.missing or ()):
        parts.append(_logs(state, execution.execution_id))
    if any(item.may_come for item in found.items):
        parts.append(f"{again} tries what is missing again.")
    if request.combine and not any(name.startswith(JOINED) for name in work.made):
        parts.append("Nothing was joined: there is no SDF file among them.")
    if work.columns_left_out and execution is not None:
        reads = f"{steps.call('get_execution_results', execution_id=execution.execution_id)} reads them."
        shown = toolsets.step(state.settings, reads, "get_execution_results")
        parts.append(f"{work.columns_left_out} of its columns are not in the table. {shown}".strip())
    if found.is_cut:
        parts.append(f"There are more: these are the first {'50,000' if request.what == TABLE else '10,000'}.")
    return " ".join(parts) or None


def _why_nothing(state: ServerState, execution: Execution, found: Found, again: str, what: str = "files") -> str:
    status, name = one_line(execution.status, 40), execution.execution_id
    if found.is_being_stored:
        return f"It is {status}, but its results are still being stored; {again} in a minute."
    if execution.is_terminal:
        return f"It is {status} and left no {what}. {_logs(state, name)}"
    return f"It is {status} and has no {what} yet. {_after(state, execution, again)}".strip()


def _after(state: ServerState, execution: Execution, again: str) -> str:
    if not execution.is_settled:
        return f"{again} waits on."
    return toolsets.step(state.settings, steps.after(execution, state.settings) or "", "wait_executions")


def _logs(state: ServerState, execution_id: str) -> str:
    return toolsets.step(state.settings, steps.logs_of(execution_id), "get_execution_logs")


def _call(paths: Sequence[str], execution: Execution | None, **chosen: object) -> str:
    """The same call again; `chosen` without those that are None."""
    if len(paths) > PATHS_IN_CALL:
        return "download_files with the same arguments"
    of: dict[str, object] = {} if execution is None else {"execution_id": execution.execution_id}
    of |= {"paths": list(paths)} if paths else {}
    given = {name: value for name, value in chosen.items() if value not in (None, False, ALL)}
    return steps.call("download_files", **of, **given)


def _same_call(request: Request) -> str:
    return _call(request.paths, request.execution, what=request.what, folder=request.folder, combine=request.combine)


async def _links(
    state: ServerState, execution: Execution | None, paths: Sequence[str], what: str, *, waits: bool
) -> DownloadsView:
    """Signed links to the first files, where there is no disk of the user's."""
    from deeporigin_mcp.tools.files.missing import missing_of
    from deeporigin_mcp.tools.files.run_files import files_of_paths, files_of_run, without_record

    client = state.client
    if execution is None:
        found = files_of_paths(paths)
    else:
        found = await files_of_run(client, execution, what, waits=waits, only=paths)
    by_path: dict[str, list[Item]] = {}
    for item in found.items:
        if item.path:
            by_path.setdefault(without_record(item.path), []).append(item)
    wanted = [*by_path.items()]
    rows: dict[int, FileRow] = {}

    async def link(number: int) -> None:
        path, items = wanted[number]
        try:
            # There are links to files that do not exist.
            file = await client.files.stat(path)
            signed = await client.files.signed_link(path)
        except (RestrictionError, CredentialError):
            raise
        except DeepOriginError as error:
            for item in items:
                item.problem = explained(error, REASON_CHARACTERS, with_step=False)
        else:
            for item in items:
                item.local = f"{item.stem}{item.suffix}"
            rows[number] = FileRow(name=items[0].local, size=file.size, link=signed.reveal())

    await gather(link, range(min(MAX_LINKS, len(wanted))))
    listed = [rows[number] for number in sorted(rows)]
    view = DownloadsView(count=len(listed), files=listed, has_more=len(wanted) > MAX_LINKS)
    if not view.has_more and execution is not None and execution.is_terminal:
        _add_missing(view, found, await missing_of(client, execution, found))
    else:
        _add_missing(view, found, None)
    parts = [LINK_IS_SECRET] if listed else []
    if view.has_more:
        view.pending = len(wanted) - MAX_LINKS
        parts.append(MORE_LINKS)
    if execution is not None and not found.items:
        parts.append(_why_nothing(state, execution, found, _call((), execution, what=what)))
    elif execution is not None and not wanted:
        shown = toolsets.step(state.settings, steps.results_of(execution.execution_id), "get_execution_results")
        parts.append(f"It has rows and no files. {shown}")
    view.next_step = " ".join(parts) or None
    return view
