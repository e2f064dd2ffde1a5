"""Listing executions, with totals by tool."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records.status import Status
from deeporigin_mcp.platform.records.values import utc_stamp
from deeporigin_mcp.tools.executions.filters import ORDER_FIELDS, ORDERED_HERE, Order, checked_order
from deeporigin_mcp.tools.executions.list_totals import GrandTotal, ToolTotal, totals_by_tool
from deeporigin_mcp.tools.executions.listed import (
    Listed,
    ListedExecution,
    RepeatedInputs,
    by_price,
    kept,
    listed_rows,
    read_list,
    repeated_inputs,
    shared_by,
)
from deeporigin_mcp.tools.executions.lists import MOST_ROWS, PAGE_SIZE, room_for, unknown_filters, with_progress
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import size, without_columns
from deeporigin_mcp.tools.responses.times import checked_time
from deeporigin_mcp.tools.responses.toolsets import is_offered
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.executions import Detail
from deeporigin_mcp.tools.runtime.people import People, other_projects
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

QUOTES = "Quotes cost nothing; cancel_execution may withdraw them."
ROWS_OF_MANY = 50
"""Rows of a page where more were asked for than fit."""
ROW_CHARACTERS = 300
"""What a concise row may take, on an average, where a page has many."""
CUT_FIRST = (
    ("status_reason", 80),
    ("name", 60),
    ("tool_version", 0),
    ("runtime_seconds", 0),
    ("inputs_summary", 50),
    ("inputs_summary", 40),
    ("status_reason", 40),
    ("name", 40),
    ("started_at", 0),
    ("completed_at", 0),
    ("project_id", 0),
    ("cluster_id", 0),
    ("session", 0),
    ("name", 32),
)
HASHES_OF_ONE = "inputs_hash of inputs that ran once"
CUT_LAST = (
    ("inputs_summary", 0),
    ("project", 0),
    ("created_at", 0),
    ("inputs_hash", 0),
    ("created_by", 0),
    ("status_reason", 0),
    ("progress_percent", 0),
    ("tool_key", 0),
    ("name", 0),
    ("quoted_price", 0),
    ("cost", 0),
)
"""Columns that are dropped or cut until all rows of a page fit: name and characters kept, least important first."""


class ExecutionListView(View):
    """A page of a list. `cut` names columns that were dropped so that all rows of the page fit.

    `same_in_all` holds what all rows have in common. `filtered_from`: how many runs this server read to apply filters
    that the platform lacks. `hidden_left_out`: how many of those were hidden, else of this page; while only this page
    was read, `count` has hidden ones too. `other_rows_project`: of rows without `project`. `repeated`: of all pages.
    """

    same_in_all: dict[str, Any] | None = None
    executions: list[ListedExecution]
    other_rows_project: str | None = None
    repeated: list[RepeatedInputs] | None = None
    totals: list[ToolTotal] | None = None
    total: GrandTotal | None = None
    count: int
    page: int
    page_size: int
    has_more: bool
    next_page: int | None = None
    filtered_from: int | None = None
    hidden_left_out: int | None = None
    cut: list[str] | None = None
    next_step: str | None = None


async def list_executions(
    ctx: ToolContext,
    tool_key: Annotated[str | None, Field(description="E.g. deeporigin.docking.")] = None,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    session: Annotated[str | None, Field(description="Only of this session.")] = None,
    created_by: Annotated[str | None, Field(description="me, a name, e-mail or id.")] = None,
    name_contains: Annotated[str | None, Field(description="In any case.")] = None,
    created_after: Annotated[str | None, Field(description="UTC, e.g. 2026-05-07T15:00:00Z.")] = None,
    created_before: Annotated[str | None, Field(description="UTC.")] = None,
    include_hidden: Annotated[bool, Field(description="Also hidden ones.")] = False,
    order: Annotated[
        str,
        Field(
            description="createdAt, startedAt, completedAt, cost, quotedPrice, status, tool, name, executionId; "
            "asc or desc."
        ),
    ] = "createdAt desc",
    page: Annotated[int, Field(description="From 0.", ge=0)] = 0,
    page_size: Annotated[int, Field(description="1 to 10000.", ge=1, le=10_000)] = PAGE_SIZE,
    fetch_all_pages: Annotated[bool, Field(description="Adds totals, `repeated`.")] = False,
    status: Annotated[list[Status] | None, Field(description="Any of these.")] = None,
    detail: Annotated[Detail, Field(description="detailed adds start, end, session, cluster.")] = "concise",
) -> ExecutionListView:
    """List executions (runs of scientific tools) of the organisation, newest first: status, price, by whom, with what.

    Equal inputs have an equal inputs_hash; `repeated`: inputs that ran again. `count`: matches in all. Reads only.
    """
    state = state_of(ctx)
    ordered = checked_order(order)
    yesterday = steps.call("list_executions", created_after=utc_stamp(state.client.now() - 24 * 3600))
    example = f"The last 24 hours: {yesterday}."
    query = ListQuery(
        tool_key=tool_key,
        session=session,
        project_id=project_id,
        created_after=checked_time("created_after", created_after, example),
        created_before=checked_time("created_before", created_before, example),
        status=status or (),
        order=str(ordered) if ordered.field in ORDER_FIELDS else "createdAt desc",
    )
    arguments = {
        "tool_key": tool_key,
        "project_id": project_id,
        "session": session,
        "created_by": created_by,
        "name_contains": name_contains,
        "created_after": created_after,
        "created_before": created_before,
        "include_hidden": include_hidden,
        "order": order if order != "createdAt desc" else None,
        "status": status,
        "detail": detail if detail != "concise" else None,
    }
    request = ListRequest(
        query=query,
        order=ordered,
        created_by=created_by,
        name_contains=name_contains,
        include_hidden=include_hidden,
        page=page,
        page_size=page_size,
        fetch_all_pages=fetch_all_pages,
        detail=detail,
        repeated={key: value for key, value in arguments.items() if value},
    )
    request.check_page()
    listed = await read_list(state.client, query, page, min(page_size, MOST_ROWS), is_whole=request.needs_all_pages)
    people = await People.of(state)
    matches = _matches(listed, request, people)
    return await _response(state, request, matches, people)


# What is asked


@dataclass(frozen=True)
class ListRequest:
    """The arguments of a call: what the platform filters by is in `query`, the rest is done here."""

    query: ListQuery
    order: Order
    created_by: str | None
    name_contains: str | None
    include_hidden: bool
    page: int
    page_size: int
    fetch_all_pages: bool
    detail: Detail
    repeated: dict[str, Any]
    """Those of the arguments that the next call repeats."""

    @property
    def needs_all_pages(self) -> bool:
        """Whether the platform's own pages and count cannot be used."""
        # Its session filter lets rows without a session through.
        is_filtered_here = bool(self.query.session or self.created_by or self.name_contains)
        return self.fetch_all_pages or is_filtered_here or self.order.field in ORDERED_HERE

    def call(self, **further: Any) -> str:
        """The same call, with further arguments."""
        return steps.call("list_executions", **self.repeated, **further)

    def check_page(self) -> None:
        """Refuse a page after one that was not shown whole: the rows between must not be lost."""
        page, page_size = self.page, self.page_size
        if not page or page_size <= MOST_ROWS:
            return
        call = self.call(page=1 if page == 1 else page * page_size // ROWS_OF_MANY, page_size=ROWS_OF_MANY)
        where = f"after the {ROWS_OF_MANY} rows that page 0 showed" if page == 1 else "at the same row"
        raise ArgumentError(
            f"Invalid page_size {page_size} for page {page}. Valid: up to {MOST_ROWS} for pages after the first, as a "
            "response has no room for more.",
            next_step=f"{call} reads on {where}.",
        )


# What matches


@dataclass(frozen=True)
class Matches:
    """The runs that match, of all pages or of the one that was read."""

    runs: list[Execution]
    count: int
    """Of all pages."""
    are_whole: bool
    """Whether `runs` are of all pages."""
    filtered_from: int | None
    hidden_left_out: int | None


def _matches(listed: Listed, request: ListRequest, people: People) -> Matches:
    """What is left by the filters that the platform lacks, in order."""
    creators = people.meant(request.created_by) if request.created_by else None
    found = kept(listed.executions, request.query, creators, request.name_contains)
    runs = [run for run in found if request.include_hidden or not run.is_hidden]
    return Matches(
        runs=by_price(runs, request.order) if request.order.field in ORDERED_HERE else runs,
        count=len(runs) if listed.is_whole else listed.in_all,
        are_whole=listed.is_whole,
        filtered_from=len(listed.executions) if len(found) < len(listed.executions) else None,
        hidden_left_out=len(found) - len(runs) or None,
    )


# The response


async def _response(state: ServerState, request: ListRequest, matches: Matches, people: People) -> ExecutionListView:
    runs, count, page = matches.runs, matches.count, request.page
    totals, total = totals_by_tool(runs) if request.fetch_all_pages and runs else (None, None)
    projects = await other_projects(state, runs)
    is_brief = request.detail == "concise" and request.page_size <= PAGE_SIZE
    most, room = room_for(is_brief, request.repeated, size(totals) if totals else 0)

    page_size = ROWS_OF_MANY if request.page_size > MOST_ROWS and count > MOST_ROWS else request.page_size
    if request.fetch_all_pages and _fit(runs, request.detail, people, projects, room):
        page_size = max(page_size, count)
    has_more = (page + 1) * page_size < count
    start = page * page_size if matches.are_whole else 0
    shown = await with_progress(state.client, runs[start : start + page_size])

    rows = listed_rows(shown, request.detail, people, projects)
    other_project = await _other_rows_project(state, shown, rows)
    repeated = repeated_inputs(runs, {run.execution_id for run in shown})
    # Counts of one page would be taken for those of all.
    counted = repeated if matches.are_whole else []
    same = shared_by(rows)
    room -= size([counted, same])
    if request.detail == "concise":
        room = min(room, ROW_CHARACTERS * max(len(rows), PAGE_SIZE))
    cut = _cut(rows, room, {one.inputs_hash for one in repeated})

    next_step: str | None
    if has_more:
        further = request.call(page=page + 1, page_size=page_size)
        next_step = f"totals and count are of all pages. {further} shows further rows." if totals else further
    elif rows:
        next_step = await _after_the_last_rows(state, request, shown)
    else:
        next_step = await _after_no_rows(state, request, matches, page_size, people)
    return ExecutionListView(
        same_in_all=same,
        executions=rows,
        other_rows_project=None if "project" in cut else other_project,
        repeated=counted or None,
        totals=totals,
        total=total,
        count=count,
        page=page,
        page_size=page_size,
        has_more=has_more,
        next_page=page + 1 if has_more else None,
        filtered_from=matches.filtered_from,
        hidden_left_out=matches.hidden_left_out,
        cut=cut or None,
        next_step=next_step,
    ).limited_to(most)


def _fit(runs: Sequence[Execution], detail: Detail, people: People, projects: Mapping[str, str], room: int) -> bool:
    """Whether one page has room for all of them."""
    return len(runs) <= MOST_ROWS and size(listed_rows(runs, detail, people, projects)) <= room


async def _other_rows_project(
    state: ServerState, shown: Sequence[Execution], rows: Sequence[ListedExecution]
) -> str | None:
    """The server's own project, where rows of it stand beside rows of others."""
    own = state.settings.project_id
    if not own or not any(row.project for row in rows) or all(run.project_id != own for run in shown):
        return None
    return (await state.names.projects()).get(own, own)


async def _after_the_last_rows(state: ServerState, request: ListRequest, shown: Sequence[Execution]) -> str | None:
    query = request.query
    # Rows without a project come with those of any project, so an unknown project may have rows.
    if query.project_id and all(run.project_id != query.project_id for run in shown):
        unknown = await unknown_filters(state, [query.tool_key] if query.tool_key else (), query.project_id)
        if unknown is not None:
            return unknown
    return QUOTES if [*query.status] == ["Quoted"] and is_offered("cancel_execution", state.settings) else None


async def _after_no_rows(
    state: ServerState, request: ListRequest, matches: Matches, page_size: int, people: People
) -> str:
    page, count, query = request.page, matches.count, request.query
    if matches.hidden_left_out:
        where = {"page": page, "page_size": page_size} if page else {}
        return f"Only hidden runs are here: {request.call(**where, include_hidden=True)} shows them."
    if count:
        call = request.call(page=(count - 1) // page_size, page_size=page_size)
        return f"Page {page} is beyond the end: {count} match in all; {call} is the last page."
    unknown = await unknown_filters(state, [query.tool_key] if query.tool_key else (), query.project_id)
    if unknown is not None:
        return unknown
    if request.created_by and people.names:
        return f"Nothing matches. Users of the organisation: {people.listed()}."
    return "Nothing matches. Loosen the filters."


def _cut(rows: Sequence[ListedExecution], room: int, repeated: Collection[str]) -> list[str]:
    """Make rows fit, and the names of the columns dropped. The hash of repeated inputs stays longer: it tells which
    rows `repeated` means.
    """
    dropped = without_columns(rows, room, CUT_FIRST)
    having = [row for row in rows if row.inputs_hash]
    others = [row for row in having if row.inputs_hash not in repeated]
    if others and size(rows) > room:
        for row in others:
            row.inputs_hash = None
        dropped.append("inputs_hash" if others == having else HASHES_OF_ONE)
    last = without_columns(rows, room, CUT_LAST)
    return [*(name for name in dropped if "inputs_hash" not in last or name != HASHES_OF_ONE), *last]
