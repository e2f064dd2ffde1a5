"""Searching the data platform's records of executions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from deeporigin_mcp.errors import InvalidRequestError
from deeporigin_mcp.platform import SearchQuery
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import has_more_of, rows_of, total_of
from deeporigin_mcp.tools.executions.filters import (
    COLUMN_ADVICE,
    SHOWN_AS,
    check_filters,
    check_status,
    column_of,
    nothing_matches,
)
from deeporigin_mcp.tools.executions.lists import MOST_ROWS, PAGE_SIZE, cut_to, room_for, unknown_filters
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import Summary, rows_that_fit, size, without_columns
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, WORD_CHARACTERS, View
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

COLUMN_CHARACTERS = (800, 200)
"""How much of one selected column is shown: less where not all rows would fit."""
WHOLE_COLUMN_CHARACTERS = 12_000
"""How much of it is shown where one row is asked for."""

CUT_FIRST = (
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
"""As in list_executions."""

_VALUE_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
    ]
}


class SearchRow(BaseModel):
    """A row of the data platform; with `select`, its columns."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    execution_id: str | None = None
    data_platform_id: str | None = None
    name: str | None = None
    tool_key: str | None = None
    tool_version: str | None = None
    status: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    project_id: str | None = None


class SearchView(View):
    """Rows of a search. `next_offset`: the offset of the next page."""

    rows: list[SearchRow]
    limit: int
    offset: int
    total_count: int | None = None
    has_more: bool
    next_offset: int | None = None
    cut: list[str] | None = None
    next_step: str | None = None


class Condition(BaseModel):
    # One condition of a search; a docstring would be a part of the schema.

    column: Annotated[str, Field(description="E.g. name.")]
    op: Literal["eq", "neq", "in", "gt", "gte", "lt", "lte", "icontains"]
    value: Annotated[
        str | int | float | bool | list[Any] | None,
        WithJsonSchema({"description": "A list for `in`.", **_VALUE_SCHEMA}),
    ]


async def search_executions(
    ctx: ToolContext,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    tool_keys: Annotated[list[str] | None, Field(description="Only these tools.")] = None,
    status: Annotated[str | None, Field(description="One; DataIngesting: storing results.")] = None,
    compute_job_id: Annotated[str | None, Field(description="An execution_id.")] = None,
    filters: Annotated[list[Condition] | None, Field(description="All must hold.")] = None,
    select: Annotated[list[str] | None, Field(description="Only these columns.")] = None,
    limit: Annotated[int, Field(description="1 to 1000 rows.", ge=1, le=1000)] = 20,
    offset: Annotated[int, Field(description="Rows to skip.", ge=0)] = 0,
    with_total_count: Annotated[bool, Field(description="Count all matches; slower.")] = False,
    include_hidden: Annotated[bool, Field(description="Also hidden runs.")] = False,
) -> SearchView:
    """Search the data platform's records of executions by column, e.g. by a word in the name or a start time.

    They lag behind the runs and have no prices: for these use list_executions. Columns: id, compute_job_id,
    tool_key, tool_version, status, name, started_at, completed_at, project_id. Reads only.
    """
    state = state_of(ctx)
    client = state.client
    check_status(status, "status")
    check_filters(filters or ())
    # One row more than asked for shows whether there are more, whatever the envelope of the response says.
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
        page = await client.listing.search(query)
    except InvalidRequestError as error:
        error.next_step = COLUMN_ADVICE
        raise
    found = rows_of(page)
    arguments = {
        "project_id": project_id,
        "tool_keys": tool_keys,
        "status": status,
        "compute_job_id": compute_job_id,
        "filters": [condition.model_dump() for condition in filters or ()],
        "select": select,
        "include_hidden": include_hidden,
    }
    repeated = {key: value for key, value in arguments.items() if value}
    # A single row with selected columns is asked for to read what has no room beside others.
    most, room = room_for(limit <= PAGE_SIZE and not (select and limit == 1), repeated)
    rows, cut, cut_at = _search_rows(found[:limit], select, room)
    shown = rows_that_fit(rows, room)
    # A platform with shorter pages than were asked for says that there are more.
    has_more = len(found) > limit or shown < len(rows) or (bool(found) and has_more_of(page) is True)
    next_step = None
    if has_more:
        next_step = steps.call("search_executions", **repeated, limit=limit, offset=offset + shown)
        if shown < len(rows):
            next_step = f"{next_step} reads on. {cut_to(shown, limit)}"
    if cut_at is not None:
        whole = steps.call("search_executions", **repeated, limit=1, offset=offset + cut_at)
        shows = "more of the first such row"
        if limit == 1:
            name = text(found[0].get("compute_job_id"))
            whole = steps.call("get_execution", execution_id=name, detail="detailed") if name else "get_execution"
            shows = "how to read all inputs and outputs"
        cut_step = f"{', '.join(cut)} did not fit. {whole} shows {shows}."
        next_step = f"{next_step.removesuffix('.')}. {cut_step}" if next_step else cut_step
    if offset and not found:
        first = steps.call("search_executions", **repeated, limit=limit)
        next_step = f"There are no rows from offset {offset} on; {first} shows the first ones."
    elif not offset and (not found or (project_id and all(row.get("project_id") is None for row in found))):
        next_step = await unknown_filters(state, tool_keys or (), project_id)
        if not found and next_step is None:
            next_step = nothing_matches(status)
    return SearchView(
        rows=rows[:shown],
        limit=limit,
        offset=offset,
        total_count=total_of(page) if with_total_count else None,
        has_more=has_more,
        next_offset=offset + shown if has_more else None,
        cut=cut or None,
        next_step=next_step,
    ).limited_to(most)


def _search_rows(
    found: Sequence[Json], select: list[str] | None, room: int
) -> tuple[list[SearchRow], list[str], int | None]:
    """Rows as they are shown, the columns that did not fit, and the first row in which a value is cut."""
    if not select:
        rows = [_search_row(row) for row in found]
        return rows, without_columns(rows, room, CUT_FIRST) if len(rows) <= MOST_ROWS else [], None
    alone = (WHOLE_COLUMN_CHARACTERS, WHOLE_COLUMN_CHARACTERS // len(select))
    for characters in COLUMN_CHARACTERS if len(found) > 1 else alone:
        cut: dict[str, int] = {}
        rows = [_selected(row, select, characters, cut, number) for number, row in enumerate(found)]
        if size(rows) <= room:
            break
    return rows, list(cut), min(cut.values(), default=None)


def _selected(row: Json, select: list[str], characters: int, cut: dict[str, int], number: int) -> SearchRow:
    """A row of selected columns; those that are cut are added to `cut`, with the row's number."""
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
