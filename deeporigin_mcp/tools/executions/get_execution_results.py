"""The results of an execution: its outputs, and the result rows that it stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from deeporigin_mcp.errors import InvalidRequestError, PlatformError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import next_cursor_of, rows_of
from deeporigin_mcp.tools.executions.details import big_fields, result_files
from deeporigin_mcp.tools.executions.lists import cut_to
from deeporigin_mcp.tools.executions.result_columns import (
    NAME,
    facts_of,
    has_column,
    legend,
    no_such_column,
    numeric_in,
    shown_row,
)
from deeporigin_mcp.tools.executions.result_gaps import add_missing, explain_no_rows
from deeporigin_mcp.tools.executions.result_pages import (
    VALID_CURSOR,
    Asked,
    Page,
    check_sorted,
    order_refused,
    page_after,
    page_at,
    row_order,
    sorted_page,
)
from deeporigin_mcp.tools.executions.result_parts import ROOM, part_in, part_view, reads_cut, reads_on
from deeporigin_mcp.tools.executions.results_view import ExecutionResultsView
from deeporigin_mcp.tools.files.meanings import Meanings
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import Summary, rows_that_fit, size
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

MOST_READ_AGAIN = 100
"""Rows before those shown that are read again with each page."""


async def get_execution_results(
    ctx: ToolContext,
    execution_id: ExecutionId,
    result_type: Annotated[str | None, Field(description="Only this type, e.g. pose.")] = None,
    columns: Annotated[list[str] | None, Field(description="Only these, e.g. name.")] = None,
    order: Annotated[str | None, Field(description="E.g. pose_score desc.")] = None,
    best_per: Annotated[str | None, Field(description="E.g. ligand_id: the best row of each.")] = None,
    limit: Annotated[int, Field(description="1 to 200.", ge=1, le=200)] = 20,
    cursor: Annotated[str | None, Field(description="To read on.")] = None,
) -> ExecutionResultsView:
    """Read what a run found: its outputs, or its stored rows, with ligand names and units.

    Ligands without a result are named too. Reads only.
    """
    state = state_of(ctx)
    names = dict.fromkeys(name.strip() for name in columns or ())
    asked = Asked(result_type, tuple(filter(None, names)), row_order(order), (best_per or "").strip() or None, limit)
    execution = await existing(state.client, execution_id)
    outputs = big_fields(execution)["outputs"]
    is_plain = not cursor and asked == Asked(limit=limit)
    if part := part_in(cursor):
        view = await part_view(state.client, execution, part)
    elif outputs is not None and is_plain:
        view = await _outputs(state, execution, outputs)
        await add_missing(state, view, execution, [])
    else:
        page = page_at(execution, cursor, asked.order, asked.best_per)
        view = await (_compared if page.is_compared else _rows)(state, execution, asked, page)
    if view.outputs is None and is_plain:
        view.outputs = result_files(execution)
    if view.next_step is None and not execution.is_terminal:
        view.next_step = steps.after(execution, state.settings)
    return view


async def _outputs(state: ServerState, execution: Execution, outputs: Json) -> ExecutionResultsView:
    from deeporigin_mcp.tools.files.run_rows import output_rows

    view, summary = ExecutionResultsView.of(execution), Summary("outputs:")
    await _explain(state, view, execution, [row for _, row in output_rows(execution)])
    shown = summary.of(outputs, _room_beside(view))
    first = summary.first_cursor(shown) if summary.is_cut else None
    view.outputs, view.has_more, view.next_cursor = shown, summary.is_cut, first
    view.next_step = reads_cut(execution, first) if first else None
    return view


async def _rows(state: ServerState, execution: Execution, asked: Asked, page: Page) -> ExecutionResultsView:
    """A page of rows in an order of the platform."""
    client, order, limit = state.client, page.order, asked.limit

    async def request(count: int, sort: Mapping[str, str] | None) -> Json:
        return await client.results.page(
            compute_job_id=execution.execution_id,
            result_type=asked.result_type,
            project_id=execution.project_id or None,
            limit=count,
            cursor=page.cursor,
            sort=sort,
            offset=page.skipped,
        )

    unordered = steps.call(
        "get_execution_results", execution_id=execution.execution_id, **asked._replace(order=None).arguments()
    )
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
    found = received[before:]
    if found:
        await _check_columns(state, execution, asked, found)
    view = ExecutionResultsView.of(execution)
    shown = await _show(state, view, execution, asked, found)
    following = page_after(response, len(received), page, shown, before + limit)
    if following is not None and following.skipped >= MOST_READ_AGAIN and not page.is_by_offset:
        # Not to read so many rows again with each page: a page that ends here has a cursor of its own.
        shorter = await sorted_page(order, request, following.skipped)
        if next_cursor_of(shorter) and len(rows_of(shorter)) == following.skipped:
            following = Page(next_cursor_of(shorter), 0, order)
    _go_on(view, execution, asked, following, len(found))
    if not found:
        await explain_no_rows(state, view, execution, asked, page)
    elif page.is_start:
        is_whole = following is None and asked.result_type is None
        await add_missing(state, view, execution, received if is_whole else [])
    return view


async def _compared(state: ServerState, execution: Execution, asked: Asked, page: Page) -> ExecutionResultsView:
    """A page of rows that are compared here, all of them for each page."""
    from deeporigin_mcp.tools.executions.best_rows import best_of, rows_to_compare

    view = ExecutionResultsView.of(execution)
    rows, is_cut = await rows_to_compare(state.client, execution, asked.result_type)
    if not rows:
        view.rows = []
        await explain_no_rows(state, view, execution, asked, page)
        return view
    await _check_columns(state, execution, asked, rows, is_all=True)
    meanings = await Meanings.of(state.client, execution)
    best = best_of(rows, page.best_per, page.order, asked.columns, meanings, execution.execution_id)
    if page.best_per:
        view.best_by, view.groups, view.rows_read = best.best_by, len(best.rows), len(rows)
    notes = [
        f"Best of the first {len(rows)} rows: the run may have more than can be read." if is_cut else None,
        best.note,
    ]
    view.note = " ".join(filter(None, notes)) or None
    found = best.rows[page.skipped : page.skipped + asked.limit]
    shown = await _show(state, view, execution, asked, found, meanings)
    seen = page.skipped + shown
    following = page._replace(skipped=seen, order=best.order) if found and seen < len(best.rows) else None
    _go_on(view, execution, asked, following, len(found))
    if not found:
        await explain_no_rows(state, view, execution, asked, page)
    elif page.is_start and not is_cut:
        await add_missing(state, view, execution, [] if asked.result_type else rows)
    return view


async def _check_columns(
    state: ServerState, execution: Execution, asked: Asked, rows: Sequence[Json], *, is_all: bool = False
) -> None:
    """Refuse columns that no row of the run has; those that only rows of other pages have are no mistake."""
    from deeporigin_mcp.tools.executions.best_rows import rows_to_compare

    missing = [column for column in asked.columns if column != NAME and not has_column(rows, column)]
    if missing and not is_all:
        rows, _ = await rows_to_compare(state.client, execution, asked.result_type)
        missing = [column for column in missing if not has_column(rows, column)]
    if missing:
        raise no_such_column("columns", ", ".join(missing), missing[0], rows)


async def _show(
    state: ServerState,
    view: ExecutionResultsView,
    execution: Execution,
    asked: Asked,
    found: Sequence[Json],
    meanings: Meanings | None = None,
) -> int:
    """Put rows into the view, with the names of their molecules and what their numbers mean; how many of them fit."""
    from deeporigin_mcp.tools.files.run_molecules import names_of

    names = await names_of(state.client, execution, found)
    rows = [shown_row(row, name, asked.columns) for row, name in zip(found, names, strict=True)]
    await _explain(state, view, execution, [facts_of(row) for row in found], asked.columns, meanings)
    shown = rows_that_fit(rows, _room_beside(view))
    view.rows = rows[:shown]
    return shown


async def _explain(
    state: ServerState,
    view: ExecutionResultsView,
    execution: Execution,
    rows: Sequence[Json],
    columns: Sequence[str] = (),
    meanings: Meanings | None = None,
) -> None:
    if numeric := numeric_in(rows, columns):
        meanings = meanings or await Meanings.of(state.client, execution)
        known, unknown = legend(meanings, rows, numeric)
        view.columns, view.not_documented_by_the_tool = known or None, unknown or None


def _room_beside(view: ExecutionResultsView) -> int:
    """Characters that what explains the columns leaves to the results."""
    return ROOM - size([view.columns, view.not_documented_by_the_tool])


def _go_on(view: ExecutionResultsView, execution: Execution, asked: Asked, following: Page | None, found: int) -> None:
    """Say how to read on, if there is more."""
    if following is None:
        return
    shown = len(view.rows or ())
    view.has_more, view.next_cursor = True, str(following)
    again = asked._replace(order=following.order, best_per=following.best_per)
    view.next_step = reads_on(execution, **again.arguments(), cursor=view.next_cursor)
    if shown < found:
        view.next_step += f" {cut_to(shown, asked.limit)}"
