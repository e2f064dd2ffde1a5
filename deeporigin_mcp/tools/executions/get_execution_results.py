"""The results of an execution: its outputs, and the result rows that it stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, PlatformError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import next_cursor_of, rows_of
from deeporigin_mcp.tools.executions.details import big_fields, result_files
from deeporigin_mcp.tools.executions.lists import cut_to
from deeporigin_mcp.tools.executions.result_pages import (
    VALID_CURSOR,
    Page,
    check_sorted,
    facts_of,
    invalid_cursor,
    order_refused,
    page_after,
    page_at,
    row_order,
    sorted_page,
)
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, Summary, part_at, rows_that_fit
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS, ExecutionResultsView, MissingRow
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing, is_being_stored
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

ROOM = RESULT_CHARACTERS - 3_000
"""Leaves room for the next call, whose cursor may be long, and for the escapes of other JSON encoders."""
ROW_CHARACTERS = 4_000
MOST_READ_AGAIN = 100
"""Rows before those shown that are read again with each page."""
ROWS_READ_FOR_TYPES = 200
MAX_MISSING = 20

_PART = re.compile(r"(?:(outputs|inputs|billing|metadata|progress|prices)|row:([^:@]+)):([\d.]*)@(\d+)")
_ROW_ID = re.compile(r"[^:@\s]{1,100}")


async def get_execution_results(
    ctx: ToolContext,
    execution_id: ExecutionId,
    result_type: Annotated[str | None, Field(description="Only this type, e.g. pose or pocket.")] = None,
    order: Annotated[str | None, Field(description="A column, then asc or desc, e.g. pose_score desc.")] = None,
    limit: Annotated[int, Field(description="1 to 200 rows.", ge=1, le=200)] = 20,
    cursor: Annotated[str | None, Field(description="To read on.")] = None,
) -> ExecutionResultsView:
    """Read what a run found: its outputs, or the rows that it stored, such as poses with their scores.

    The call after Completed; `order` puts the best rows first, and ligands without a result are named. A big field
    is cut in place, with the cursor that reads it. Reads only.
    """
    state = state_of(ctx)
    sort = row_order(order)
    execution = await existing(state.client, execution_id)
    outputs = big_fields(execution)["outputs"]
    if cursor and (part := _PART.fullmatch(cursor)):
        view = await _part(state.client, execution, part)
    elif outputs is not None and not cursor and not result_type and not sort:
        view = _outputs(execution, outputs)
    else:
        view = await _rows(state, execution, result_type, limit, page_at(execution, cursor, sort))
    if view.outputs is None and not cursor and not result_type and not sort:
        view.outputs = result_files(execution)
    if view.next_step is None and not execution.is_terminal:
        view.next_step = steps.after(execution, state.settings)
    return view


def _outputs(execution: Execution, outputs: Json) -> ExecutionResultsView:
    summary = Summary("outputs:")
    shown = summary.of(outputs, ROOM)
    first = summary.first_cursor(shown) if summary.is_cut else None
    return ExecutionResultsView(
        execution_id=execution.execution_id,
        status=one_line(execution.status, WORD_CHARACTERS),
        outputs=shown,
        has_more=summary.is_cut,
        next_cursor=first,
        next_step=_reads_cut(execution, first) if first else None,
    )


async def _rows(
    state: ServerState, execution: Execution, result_type: str | None, limit: int, page: Page
) -> ExecutionResultsView:
    client, order = state.client, page.order

    async def request(count: int, sort: Mapping[str, str] | None) -> Json:
        return await client.results.page(
            compute_job_id=execution.execution_id,
            result_type=result_type,
            project_id=execution.project_id or None,
            limit=count,
            cursor=page.cursor,
            sort=sort,
            offset=page.skipped,
        )

    chosen = {"result_type": result_type, "limit": limit} if result_type else {"limit": limit}
    unordered = steps.call("get_execution_results", execution_id=execution.execution_id, **chosen)
    # Rows before those asked for come again, unless the platform pages by offset.
    before = 0 if page.is_by_offset else page.skipped
    try:
        response = await sorted_page(order, request, before + limit)
    except InvalidRequestError as error:
        if not page.is_start:
            error.next_step = VALID_CURSOR
        elif order:
            raise await order_refused(order, error, request, unordered) from None
        raise
    except PlatformError as error:
        if order:
            error.next_step = f"{error.next_step} Without the order: {unordered}."
        raise
    received = rows_of(response)
    if order:
        await check_sorted(order, received, request, unordered, is_start=page.is_start)
    rows = [_row(row) for row in received[before:]]
    shown = rows_that_fit(rows, ROOM)
    following = page_after(response, len(received), page, shown, before + limit)
    if following is not None and following.skipped >= MOST_READ_AGAIN and not page.is_by_offset:
        # Not to read so many rows again with each page: a page that ends here has a cursor of its own.
        shorter = await sorted_page(order, request, following.skipped)
        if next_cursor_of(shorter) and len(rows_of(shorter)) == following.skipped:
            following = Page(next_cursor_of(shorter), 0, order)
    view = ExecutionResultsView(
        execution_id=execution.execution_id,
        status=one_line(execution.status, WORD_CHARACTERS),
        rows=rows[:shown],
        has_more=following is not None,
    )
    if following is not None:
        named = str(order) if order else None
        view.next_cursor = str(following)
        view.next_step = _reads_on(
            execution, result_type=result_type, order=named, limit=limit, cursor=view.next_cursor
        )
        if shown < len(rows):
            view.next_step += f" {cut_to(shown, limit)}"
    elif not rows:
        await _explain_no_rows(state, view, execution, result_type, page)
    if rows and page.is_start:
        is_whole = following is None and result_type is None
        await _add_missing(state, view, execution, received if is_whole else [])
    return view


async def _add_missing(state: ServerState, view: ExecutionResultsView, execution: Execution, rows: list[Json]) -> None:
    """Say which ligands of the inputs have no result; nothing where none is missing.

    Args:
        rows: all that the run has, or none if they are still to be read.
    """
    if execution.status != "Completed" or not _has_ligands(execution):
        return
    from deeporigin_mcp.tools.files.missing import NO_RESULT, missing_in
    from deeporigin_mcp.tools.files.run_files import MAX_ROWS, all_rows

    try:
        rows = rows or await all_rows(state.client, execution)
    except DeepOriginError:
        # The rows that were asked for are there all the same.
        return
    if len(rows) >= MAX_ROWS or not (found := await missing_in(state.client, execution, rows)):
        return
    requested, count, named = found
    if not count:
        return
    if await is_being_stored(state.client, execution):
        view.next_step = (
            f"{view.next_step or ''} Results of {count} of {requested} ligands may still be being stored; look again "
            "in a minute."
        ).strip()
        return
    view.requested, view.returned = requested, requested - count
    missing = [MissingRow(name=name, reason=reason) for name, reason in named]
    view.missing = missing[:MAX_MISSING]
    view.missing_count = count if count > len(view.missing) else None
    if view.next_step is None and any(row.reason == NO_RESULT for row in missing):
        logs = steps.call("get_execution_logs", execution_id=execution.execution_id, level="warning")
        view.next_step = f"{logs} may say why."


def _has_ligands(execution: Execution) -> bool:
    """Whether the inputs list ligands, each by what the others have too."""
    inputs = big_fields(execution)["inputs"] or {}
    ligands = inputs.get("ligands")
    if not isinstance(ligands, list):
        return bool(text(inputs.get("ligands_file")))
    rows = [ligand for ligand in ligands if isinstance(ligand, dict)]
    return len(rows) == len(ligands) and any(all(text(row.get(name)) for row in rows) for name in ("id", "smiles"))


def _row(row: Json) -> Json:
    """One result row, cut to its share."""
    row_id = text(row.get("id"))
    # Without an id there is no cursor for what does not fit.
    shown: Json = Summary(f"row:{row_id}:" if _ROW_ID.fullmatch(row_id) else None).of(facts_of(row), ROW_CHARACTERS)
    return shown


async def _part(client: DeepOriginClient, execution: Execution, match: re.Match[str]) -> ExecutionResultsView:
    """A big field of the execution or of one row, or the rest of it."""
    field, row_id, start = match[1], match[2], int(match[4][:12])
    place = tuple(int(step[:9]) for step in match[3].split(".") if step)
    whole: Any
    if field:
        whole, summary = big_fields(execution)[field], Summary(f"{field}:", place)
    else:
        page = await client.results.page(
            compute_job_id=execution.execution_id, project_id=execution.project_id or None, row_id=row_id, limit=1
        )
        row = next((row for row in rows_of(page) if row.get("id") == row_id), None)
        if row is None:
            raise invalid_cursor(match[0])
        whole = facts_of(row)
        summary = Summary(f"row:{row_id}:", place)
    value = part_at(whole, place)
    if value is None or start > len(value):
        raise invalid_cursor(match[0])
    shown, following = summary.slice(value, start, ROOM)
    has_more = following < len(value)
    view = ExecutionResultsView(
        execution_id=execution.execution_id,
        status=one_line(execution.status, WORD_CHARACTERS),
        has_more=has_more or summary.is_cut,
    )
    setattr(view, field or "row", shown)
    if has_more:
        view.next_cursor = summary.cursor(place, following)
        view.next_step = _reads_on(execution, cursor=view.next_cursor)
    elif summary.is_cut:
        view.next_cursor = summary.first_cursor(shown)
        view.next_step = _reads_cut(execution, view.next_cursor)
    return view


def _reads_on(execution: Execution, **arguments: Any) -> str:
    chosen = {key: value for key, value in arguments.items() if value}
    return f"{steps.call('get_execution_results', execution_id=execution.execution_id, **chosen)} reads on."


def _reads_cut(execution: Execution, cursor: str) -> str:
    call = steps.call("get_execution_results", execution_id=execution.execution_id, cursor=cursor)
    return f"{call} reads what was cut there; each cursor above reads its own part."


async def _explain_no_rows(
    state: ServerState, view: ExecutionResultsView, execution: Execution, result_type: str | None, page: Page
) -> None:
    name = execution.execution_id
    order = {"order": str(page.order)} if page.order else {}
    if not page.is_start:
        view.next_step = (
            f"There are no more rows; {steps.call('get_execution_results', execution_id=name, **order)} starts again."
        )
        return
    if result_type:
        seen = await _types_seen(state.client, execution)
        if seen:
            view.result_types = seen
        if seen != []:
            types = f"rows of type {', '.join(seen)}" if seen else "rows of other types"
            call = steps.call("get_execution_results", execution_id=name, **order)
            view.next_step = f"No rows of type {one_line(result_type, 40)!r}; it has {types}. {call} shows them all."
            return
    if big_fields(execution)["outputs"] is not None:
        raise ArgumentError(
            f"Invalid {'order' if page.order else 'result_type'}: it is for stored rows, and this execution has none "
            "yet. It has outputs, in the tool's own order.",
            next_step=f"{steps.call('get_execution_results', execution_id=name)} shows them.",
        )
    if execution.status != "Completed":
        next_step = steps.after(execution, state.settings) or ""
        view.next_step = f"It is {view.status} and has no results. {next_step}".strip()
    elif await is_being_stored(state.client, execution):
        again = steps.call("get_execution_results", execution_id=name, **order)
        view.next_step = f"It is completed, but its results are still being stored; {again} in a minute."
    else:
        logs = steps.call("get_execution_logs", execution_id=name)
        view.next_step = f"It is completed and stored no result rows; {logs} may say why."


async def _types_seen(client: DeepOriginClient, execution: Execution) -> list[str] | None:
    """The types of the first rows; None if there are rows and their types cannot be read."""

    async def page(*extra_columns: str) -> list[Json]:
        response = await client.results.page(
            compute_job_id=execution.execution_id,
            project_id=execution.project_id or None,
            limit=ROWS_READ_FOR_TYPES,
            extra_columns=extra_columns,
        )
        return rows_of(response)

    try:
        rows = await page("result_type")
    except InvalidRequestError:
        rows = await page()
    names = {one_line(text(row.get("result_type")), 40) for row in rows} - {""}
    return sorted(names)[:20] or (None if rows else [])
