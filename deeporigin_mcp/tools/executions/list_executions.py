"""Listing executions, with totals by tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records import money
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.status import Status
from deeporigin_mcp.platform.records.values import utc_stamp
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.executions.filters import ORDER_FIELDS, ORDERED_HERE, checked_order
from deeporigin_mcp.tools.executions.listed import by_price, kept, listed_rows, read_list, repeated_inputs, shared_by
from deeporigin_mcp.tools.executions.lists import MOST_ROWS, PAGE_SIZE, room_for, unknown_filters, with_progress
from deeporigin_mcp.tools.executions.people import People, other_projects
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import size, without_columns
from deeporigin_mcp.tools.responses.times import checked_time
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, ExecutionListView, GrandTotal, ToolTotal
from deeporigin_mcp.tools.runtime.executions import Detail
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

ROWS_OF_MANY = 50
"""Rows of a page where more were asked for than fit."""
ROW_CHARACTERS = 300
"""What a concise row may take, on an average, where a page has many."""
MOST_TOOLS = 20
"""More rows would leave no room for the runs themselves."""
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
    ("inputs_hash", 0),
    ("inputs_summary", 0),
    ("project", 0),
    ("created_at", 0),
    ("created_by", 0),
    ("status_reason", 0),
    ("progress_percent", 0),
    ("tool_key", 0),
    ("name", 0),
    ("quoted_price", 0),
    ("cost", 0),
)
"""Columns that are dropped or cut until all rows of a page fit: name and characters kept, least important first."""


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
    fetch_all_pages: Annotated[bool, Field(description="Adds totals by tool.")] = False,
    status: Annotated[list[Status] | None, Field(description="Any of these.")] = None,
    detail: Annotated[Detail, Field(description="detailed adds start, end, session, cluster.")] = "concise",
) -> ExecutionListView:
    """List executions (runs of scientific tools) of the organisation, newest first: status, price, by whom, with what.

    Equal inputs have an equal inputs_hash; `repeated`: inputs that ran again. `count`: matches in all. Reads only.
    """
    state = state_of(ctx)
    client = state.client
    ordered = checked_order(order)
    yesterday = steps.call("list_executions", created_after=utc_stamp(client.now() - 24 * 3600))
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
    repeated = {key: value for key, value in arguments.items() if value}
    if page and page_size > MOST_ROWS:
        raise _too_large(page, page_size, repeated)
    # The platform's session filter lets rows without a session through, so its pages and count cannot be used.
    is_whole = fetch_all_pages or bool(session or created_by or name_contains) or ordered.field in ORDERED_HERE
    listed = await read_list(client, query, page, min(page_size, MOST_ROWS), is_whole=is_whole)
    people = await People.of(state)
    found = kept(listed.executions, query, people.meant(created_by) if created_by else None, name_contains)
    left_out = 0 if include_hidden else sum(execution.is_hidden for execution in found)
    read = [execution for execution in found if include_hidden or not execution.is_hidden]
    count = len(read) if listed.is_whole else listed.in_all
    if ordered.field in ORDERED_HERE:
        read = by_price(read, ordered)
    totals = total = None
    if fetch_all_pages and read:
        totals, total = _totals(read)
    if page_size > MOST_ROWS and count > MOST_ROWS:
        page_size = ROWS_OF_MANY
    projects = await other_projects(state, read)
    summed = size(totals) if totals else 0
    most, room = room_for(detail == "concise" and page_size <= PAGE_SIZE, repeated, summed)
    if fetch_all_pages and len(read) <= MOST_ROWS and size(listed_rows(read, detail, people, projects)) <= room:
        page_size = max(page_size, count)
    start = page * page_size if listed.is_whole else 0
    shown = await with_progress(client, read[start : start + page_size])
    again = repeated_inputs(read, {execution.execution_id for execution in shown})
    rows = listed_rows(shown, detail, people, projects)
    same = shared_by(rows)
    room -= size([again, same])
    if detail == "concise":
        room = min(room, ROW_CHARACTERS * max(len(rows), PAGE_SIZE))
    cut = without_columns(rows, room, CUT_FIRST)
    has_more = (page + 1) * page_size < count
    next_step = None
    if has_more:
        next_step = steps.call("list_executions", **repeated, page=page + 1, page_size=page_size)
        if totals:
            next_step = f"totals and count are of all pages. {next_step} shows further rows."
    elif not rows and left_out:
        where = {"page": page, "page_size": page_size} if page else {}
        call = steps.call("list_executions", **repeated, **where, include_hidden=True)
        next_step = f"Only hidden runs are here: {call} shows them."
    elif not rows and count:
        last = (count - 1) // page_size
        call = steps.call("list_executions", **repeated, page=last, page_size=page_size)
        next_step = f"Page {page} is beyond the end: {count} match in all; {call} is the last page."
    elif not rows or (project_id and all(execution.project_id != project_id for execution in shown)):
        # Rows without a project come with those of any project, so an unknown project may have rows.
        next_step = await unknown_filters(state, [tool_key] if tool_key else (), project_id)
        if not rows and next_step is None:
            next_step = "Nothing matches. Loosen the filters."
            if created_by and people.names:
                next_step = f"Nothing matches. Users of the organisation: {people.listed()}."
    return ExecutionListView(
        same_in_all=same,
        executions=rows,
        repeated=again or None,
        totals=totals,
        total=total,
        count=count,
        page=page,
        page_size=page_size,
        has_more=has_more,
        filtered_from=len(listed.executions) if len(found) < len(listed.executions) else None,
        hidden_left_out=left_out or None,
        cut=cut or None,
        next_step=next_step,
    ).limited_to(most)


def _too_large(page: int, page_size: int, repeated: dict[str, Any]) -> ArgumentError:
    """For a page after one that was not shown whole: the rows between must not be lost."""
    first = 1 if page == 1 else page * page_size // ROWS_OF_MANY
    call = steps.call("list_executions", **repeated, page=first, page_size=ROWS_OF_MANY)
    where = f"after the {ROWS_OF_MANY} rows that page 0 showed" if page == 1 else "at the same row"
    return ArgumentError(
        f"Invalid page_size {page_size} for page {page}. Valid: up to {MOST_ROWS} for pages after the first, as a "
        "response has no room for more.",
        next_step=f"{call} reads on {where}.",
    )


def _totals(executions: Iterable[Execution]) -> tuple[list[ToolTotal], GrandTotal]:
    """One row for each tool, the dearest first, and the total of all.

    Where there are more than `MOST_TOOLS`, the last row is the total of the further ones, so that the rows add up.
    `cost` is the sum of what was billed, `quoted_price` that of the others; null if no run has one. A quote that
    cannot run any more costs nothing; `unpriced` counts the runs that are in neither sum.
    """
    by_tool: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        by_tool[execution.tool_key].append(execution)
    rows = {key: _total(one_line(key, NAME_CHARACTERS), runs) for key, runs in by_tool.items()}
    dearest = sorted(
        rows, key=lambda key: (-(rows[key].cost or 0), -(rows[key].quoted_price or 0), -rows[key].count, key)
    )
    shown = [rows[key] for key in dearest]
    if len(shown) > MOST_TOOLS:
        rest = dearest[MOST_TOOLS - 1 :]
        runs = [run for key in rest for run in by_tool[key]]
        shown = [*shown[: MOST_TOOLS - 1], _total(f"{len(rest)} further tools", runs)]
    everything = _total("", [run for runs in by_tool.values() for run in runs])
    return shown, GrandTotal(tools=len(rows), **everything.model_dump(exclude={"tool_key"}))


def _total(tool_key: str, runs: Sequence[Execution]) -> ToolTotal:
    unbilled = [run for run in runs if run.cost is None and (was_started(run) or not run.is_terminal)]
    priced = [run for run in unbilled if run.quoted_price is not None and not run.price_is_partial]
    return ToolTotal(
        tool_key=tool_key,
        count=len(runs),
        quoted_price=money.total(run.quoted_price for run in priced),
        cost=money.total(run.cost for run in runs),
        unpriced=len(unbilled) - len(priced) or None,
    )
