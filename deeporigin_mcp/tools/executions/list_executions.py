"""Listing and searching executions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError
from deeporigin_mcp.platform import Execution, ListQuery, SearchQuery
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.status import Status
from deeporigin_mcp.platform.records.values import Json, moment, text, utc_stamp
from deeporigin_mcp.platform.transport.responses import rows_of, total_of
from deeporigin_mcp.tools.catalogue.definitions import unknown_tool
from deeporigin_mcp.tools.executions.filters import (
    COLUMN_ADVICE,
    SHOWN_AS,
    check_filters,
    check_status,
    checked_order,
    column_of,
    nothing_matches,
)
from deeporigin_mcp.tools.executions.get_execution import Detail
from deeporigin_mcp.tools.executions.progress import with_progress
from deeporigin_mcp.tools.executions.totals import totals_of
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import (
    CONCISE_CHARACTERS,
    RESULT_CHARACTERS,
    Summary,
    rows_that_fit,
    size,
    without_columns,
)
from deeporigin_mcp.tools.responses.views import (
    NAME_CHARACTERS,
    ROW_FIELDS,
    WORD_CHARACTERS,
    ExecutionListView,
    ExecutionRow,
    SearchRow,
    SearchView,
    execution_row,
)
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of
from deeporigin_mcp.tools.workspace.projects import unknown_project

COLUMN_CHARACTERS = (800, 200)
"""How much of one selected column is shown: less where not all rows would fit."""
WHOLE_COLUMN_CHARACTERS = 12_000
"""How much of it is shown where one row is asked for."""

ENVELOPE_CHARACTERS = 500
"""What a list takes beside its rows and the arguments that its next call repeats."""
MOST_REPEATED_BRIEFLY = 1_000
MAX_KEYS_EXPLAINED = 5
PAGE_SIZE = 20
MOST_ROWS = 200
"""Rows of a page at most: of so many an answer has room for id and status at least."""
ROWS_OF_MANY = 50
"""Rows of a page where more were asked for than there is room for."""
LEFT_OUT = (
    ("status_reason", 80),
    ("name", 60),
    ("tool_version", 0),
    ("runtime_seconds", 0),
    ("status_reason", 40),
    ("name", 40),
    ("started_at", 0),
    ("completed_at", 0),
    ("project_id", 0),
    ("created_at", 0),
    ("status_reason", 0),
    ("progress_percent", 0),
    ("tool_key", 0),
    ("name", 0),
    ("quoted_price", 0),
    ("cost", 0),
)
"""What the rows of a page go without so that all of them fit, the least important first."""
SEARCH_LEFT_OUT = (
    ("name", 60),
    ("tool_version", 0),
    ("completed_at", 0),
    ("project_id", 0),
    ("name", 40),
    ("data_platform_id", 0),
    ("started_at", 0),
    ("tool_key", 0),
    ("name", 0),
)


_VALUE_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
    ]
}


class Condition(BaseModel):
    # One condition of a search; a docstring would be a part of the schema.

    column: Annotated[str, Field(description="Column, e.g. name, started_at, tool_version.")]
    op: Literal["eq", "neq", "in", "gt", "gte", "lt", "lte", "icontains"]
    value: Annotated[
        str | int | float | bool | list[Any] | None,
        WithJsonSchema({"description": "A list for `in`.", **_VALUE_SCHEMA}),
    ]


async def list_executions(
    ctx: ToolContext,
    tool_key: Annotated[str | None, Field(description="Only this tool, e.g. deeporigin.docking.")] = None,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    session: Annotated[str | None, Field(description="Only of this session.")] = None,
    created_after: Annotated[
        str | None, Field(description="Only later than this UTC time, e.g. 2026-05-07T15:00:00Z.")
    ] = None,
    order: Annotated[
        str,
        Field(description="createdAt, startedAt, completedAt, status, tool, name or executionId, then asc or desc."),
    ] = "createdAt desc",
    page: Annotated[int, Field(description="0 is the first page.", ge=0)] = 0,
    page_size: Annotated[int, Field(description="1 to 10000; over 200 come in parts.", ge=1, le=10_000)] = PAGE_SIZE,
    fetch_all_pages: Annotated[
        bool, Field(description="Adds totals of all pages, by tool; all rows if they fit.")
    ] = False,
    status: Annotated[list[Status] | None, Field(description="Only these statuses.")] = None,
    detail: Annotated[Detail, Field(description="detailed adds start, end and project.")] = "concise",
) -> ExecutionListView:
    """List executions (runs of scientific tools) of the organisation, newest first, with status and price.

    Use it to see what ran, runs or waits for confirmation, hidden ones too. By name or start time: search_executions;
    for one known id: get_execution. `count` is how many match in all. Free, reads only.
    """
    state = state_of(ctx)
    client = state.client
    query = ListQuery(
        tool_key=tool_key,
        session=session,
        project_id=project_id,
        created_after=_checked_time(created_after, client.now()),
        status=status or (),
        order=checked_order(order),
    )
    given = {
        "tool_key": tool_key,
        "project_id": project_id,
        "session": session,
        "created_after": created_after,
        "order": order if order != "createdAt desc" else None,
        "status": status,
        "detail": detail if detail != "concise" else None,
    }
    repeated = {key: value for key, value in given.items() if value}
    if page and page_size > MOST_ROWS:
        raise _too_large(page, page_size, repeated)
    totals = total = None
    # The platform's session filter also lets rows without a session through, so its pages and count are of no use.
    is_whole = fetch_all_pages or session is not None
    if not is_whole:
        rows_asked = min(page_size, MOST_ROWS)
        answer = await client.listing.page(query, page, rows_asked)
        # A platform whose own pages are smaller counts them otherwise, too.
        is_whole = len(answer["data"]) < min(rows_asked, answer["count"] - page * rows_asked)
    if is_whole:
        answer = await client.listing.all(query, fields=ROW_FIELDS)
    read, count = [Execution(row) for row in answer["data"]], answer["count"]
    if fetch_all_pages and read:
        totals, total = totals_of(read)
    if page_size > MOST_ROWS and count > MOST_ROWS:
        page_size = ROWS_OF_MANY
    summed = size(totals) if totals else 0
    most, room = _room(detail == "concise" and page_size <= PAGE_SIZE, repeated, summed)
    if fetch_all_pages and len(read) <= MOST_ROWS and size(_rows(read, detail)) <= room:
        page_size = max(page_size, count)
    start = page * page_size if is_whole else 0
    found = read[start : start + page_size]
    rows = _rows(await with_progress(client, found), detail)
    cut = without_columns(rows, room, LEFT_OUT)
    has_more = (page + 1) * page_size < count
    next_step = None
    if has_more:
        next_step = steps.call("list_executions", **repeated, page=page + 1, page_size=page_size)
        if totals:
            next_step = f"totals and count are of all pages. {next_step} shows further rows."
    elif not rows and count:
        last = (count - 1) // page_size
        call = steps.call("list_executions", **repeated, page=last, page_size=page_size)
        next_step = f"Page {page} is beyond the end: {count} match in all; {call} is the last page."
    elif not rows or (project_id and all(row.project_id != project_id for row in found)):
        # Rows of no project come with those of any project, so there may be rows of one that does not exist.
        next_step = await _why_nothing(state, [tool_key] if tool_key else (), project_id)
        if not rows and next_step is None:
            next_step = "Nothing matches. Loosen the filters, or search by name with search_executions."
    return ExecutionListView(
        executions=rows,
        totals=totals,
        total=total,
        count=count,
        page=page,
        page_size=page_size,
        has_more=has_more,
        cut=cut or None,
        next_step=next_step,
    ).held_to(most)


def _rows(executions: Sequence[Execution], detail: Detail) -> list[ExecutionRow]:
    return [execution_row(execution, detailed=detail == "detailed") for execution in executions]


def _too_large(page: int, page_size: int, repeated: dict[str, Any]) -> ArgumentError:
    """For a page that would begin where one ended that was not shown whole: what lies between must not be lost."""
    first = 1 if page == 1 else page * page_size // ROWS_OF_MANY
    return ArgumentError(
        f"page_size is {page_size}; an answer has room for {MOST_ROWS} rows, so pages of that size would lose rows.",
        next_step=f"{steps.call('list_executions', **repeated, page=first, page_size=ROWS_OF_MANY)} goes on"
        + (f" after the {ROWS_OF_MANY} rows that page 0 showed." if page == 1 else " there."),
    )


async def search_executions(
    ctx: ToolContext,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    tool_keys: Annotated[list[str] | None, Field(description="Only these tools.")] = None,
    status: Annotated[
        str | None, Field(description="One status; DataIngesting: results are still being stored.")
    ] = None,
    compute_job_id: Annotated[str | None, Field(description="The execution_id of the other tools.")] = None,
    filters: Annotated[list[Condition] | None, Field(description="Further conditions; all must hold.")] = None,
    select: Annotated[list[str] | None, Field(description="Only these columns.")] = None,
    limit: Annotated[int, Field(description="1 to 1000 rows.", ge=1, le=1000)] = 20,
    offset: Annotated[int, Field(description="Rows to skip.", ge=0)] = 0,
    with_total_count: Annotated[bool, Field(description="Count all matches; slower.")] = False,
    include_hidden: Annotated[bool, Field(description="Also hidden runs.")] = False,
) -> SearchView:
    """Search the data platform's records of executions by column, e.g. by a word in the name or a start time.

    These records follow the runs with a delay and have no prices or progress: for these use list_executions or
    get_execution. Columns: id, compute_job_id, tool_key, tool_version, status, name,
    started_at, completed_at, project_id. Free, reads only.
    """
    state = state_of(ctx)
    client = state.client
    check_status(status, "status")
    check_filters(filters or ())
    # One row more than asked for tells whether there are more, whatever the answer's envelope says.
    query = SearchQuery(
        project_id=project_id,
        tool_key=tool_keys,
        status=status,
        compute_job_id=compute_job_id,
        props=[{**condition.model_dump(), "column": column_of(condition.column)} for condition in filters or ()],
        limit=limit + 1,
        offset=offset,
        select=select and [column_of(name) for name in select],
        with_total_count=with_total_count,
        include_hidden=include_hidden,
    )
    try:
        answer = await client.listing.search(query)
    except InvalidRequestError as error:
        error.next_step = COLUMN_ADVICE
        raise
    found = rows_of(answer)
    given = {
        "project_id": project_id,
        "tool_keys": tool_keys,
        "status": status,
        "compute_job_id": compute_job_id,
        "filters": [condition.model_dump() for condition in filters or ()],
        "select": select,
        "include_hidden": include_hidden,
    }
    repeated = {key: value for key, value in given.items() if value}
    # One row with columns of choice is for what has no room beside others.
    most, room = _room(limit <= PAGE_SIZE and not (select and limit == 1), repeated)
    rows, cut, cut_at = _search_rows(found[:limit], select, room)
    shown = rows_that_fit(rows, room)
    has_more = len(found) > limit or shown < len(rows)
    next_step = None
    if has_more:
        next_step = steps.call("search_executions", **repeated, limit=limit, offset=offset + shown)
        if shown < len(rows):
            next_step = f"{next_step} reads on: of the {limit} rows asked for, an answer has room for {shown}."
    if cut_at is not None:
        whole = steps.call("search_executions", **repeated, limit=1, offset=offset + cut_at)
        told = f"{', '.join(cut)} did not fit. {whole} shows more of the first such row."
        if limit == 1:
            name = text(found[0].get("compute_job_id"))
            whole = steps.call("get_execution", execution_id=name, detail="detailed") if name else "get_execution"
            told = f"{', '.join(cut)} did not fit. {whole} shows how to read all inputs and outputs."
        next_step = f"{next_step}. {told}" if next_step else told
    if offset and not found:
        first = steps.call("search_executions", **repeated, limit=limit)
        next_step = f"There are no rows from offset {offset} on; {first} shows the first ones."
    elif not offset and (not found or (project_id and all(row.get("project_id") is None for row in found))):
        next_step = await _why_nothing(state, tool_keys or (), project_id)
        if not found and next_step is None:
            next_step = nothing_matches(status)
    return SearchView(
        rows=rows[:shown],
        limit=limit,
        offset=offset,
        total_count=total_of(answer) if with_total_count else None,
        has_more=has_more,
        next_offset=offset + shown if has_more else None,
        cut=cut or None,
        next_step=next_step,
    ).held_to(most)


async def _why_nothing(state: ServerState, tool_keys: Sequence[str], project_id: str | None) -> str | None:
    """Which of the filters of a list that found nothing name a tool or project that does not exist."""
    told = [await unknown_tool(state, key) for key in tool_keys[:MAX_KEYS_EXPLAINED]]
    if project_id:
        told.append(await unknown_project(state.client, project_id))
    return " ".join(filter(None, told)) or None


def _room(is_concise: bool, repeated: dict[str, Any], summed: int = 0) -> tuple[int, int]:
    """Characters for an answer, and for its rows: the next call repeats what was asked, however long that is.

    Args:
        summed: what totals take, for which there is room beside the rows.
    """
    asked = size(repeated)
    most = CONCISE_CHARACTERS if is_concise and asked <= MOST_REPEATED_BRIEFLY else RESULT_CHARACTERS
    most = min(most + summed, RESULT_CHARACTERS)
    return most, most - summed - ENVELOPE_CHARACTERS - min(asked, RESULT_CHARACTERS // 2)


def _checked_time(created_after: str | None, now: float) -> datetime | None:
    moment_after = moment(created_after)
    # The first and the last days of the calendar have no place in another time zone.
    if created_after is not None and (moment_after is None or not 1 < moment_after.year < 9999):
        # A model rarely knows what time it is.
        yesterday = utc_stamp(now - 24 * 3600)
        raise ArgumentError(
            f"Invalid created_after {one_line(created_after, 60)!r}.",
            next_step="Valid: a UTC time such as 2026-05-07T15:00:00Z, or a date such as 2026-05-07. "
            f"The last 24 hours: {steps.call('list_executions', created_after=yesterday)}.",
        )
    return moment_after


def _search_rows(
    found: Sequence[Json], select: list[str] | None, room: int
) -> tuple[list[SearchRow], list[str], int | None]:
    """Rows as they are shown, the columns that had no room, and the first row in which a value is cut."""
    if not select:
        rows = [_search_row(row) for row in found]
        return rows, without_columns(rows, room, SEARCH_LEFT_OUT) if len(rows) <= MOST_ROWS else [], None
    alone = (WHOLE_COLUMN_CHARACTERS, WHOLE_COLUMN_CHARACTERS // len(select))
    for characters in COLUMN_CHARACTERS if len(found) > 1 else alone:
        cut: dict[str, int] = {}
        rows = [_selected(row, select, characters, cut, number) for number, row in enumerate(found)]
        if size(rows) <= room:
            break
    return rows, list(cut), min(cut.values(), default=None)


def _selected(row: Json, select: list[str], characters: int, cut: dict[str, int], number: int) -> SearchRow:
    """A row of chosen columns; those of which a part is left out are added to `cut`, with the row's number."""
    named = {SHOWN_AS[key] if SHOWN_AS.get(key) in select else key: value for key, value in row.items()}
    shown: Json = {}
    for key, value in named.items():
        if key not in SearchRow.model_fields or value is None or isinstance(value, str):
            summary = Summary(None)
            shown[key] = summary.of(value, characters)
            if summary.is_cut:
                cut.setdefault(key, number)
    return SearchRow(**shown)


def _search_row(row: Json) -> SearchRow:
    facts = {name: one_line(text(row.get(name)), WORD_CHARACTERS) or None for name in SearchRow.model_fields}
    facts["execution_id"] = word(row.get("compute_job_id")) or None
    facts["data_platform_id"] = word(row.get("id")) or None
    facts["name"] = one_line(text(row.get("name")), NAME_CHARACTERS) or None
    return SearchRow(**facts)
