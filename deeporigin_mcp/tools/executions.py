"""Listing, searching, reading and cancelling executions."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery, SearchQuery
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.money import LineItem
from deeporigin_mcp.platform.progress import children, is_tree, label
from deeporigin_mcp.platform.status import Status
from deeporigin_mcp.platform.wire import Json, moment, rows_of, text, total_of
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.shaping import CONCISE_CHARACTERS, RESULT_CHARACTERS, fitted, rows_that_fit
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import (
    ROW_FIELDS,
    ExecutionListView,
    ExecutionView,
    LineItemView,
    SearchRow,
    SearchView,
    execution_row,
    execution_view,
)

Detail = Literal["concise", "detailed"]
ExecutionId = Annotated[str, Field(description="Execution id (UUID) of an earlier answer.", min_length=1)]

ORDER_FIELDS = ("createdAt", "startedAt", "completedAt", "status", "tool", "name", "executionId")
_ORDER = re.compile(r"^(\w+)\??(?:\s+(asc|desc))?$", re.IGNORECASE)
_TOOLS_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_DATA_PLATFORM_ID = re.compile(r"^(?:[0-9A-HJKMNP-TV-Z]{13}|[0-9a-f]{16})$")

SEARCH_COLUMNS = (
    "id",
    "compute_job_id",
    "tool_key",
    "tool_version",
    "status",
    "name",
    "started_at",
    "completed_at",
    "project_id",
)
SMALLEST_ROW = 30
"""Characters that no row is shorter than, since each has the name of its id and a status."""
RESULT_ROWS = 20
"""Result rows that a detailed answer shows."""
MAX_PROGRESS_LINES = 40
PROGRESS_CHARACTERS = 3_500


class Condition(BaseModel):
    """One condition of a search."""

    column: Annotated[str, Field(description="Column, e.g. name, started_at, tool_version.")]
    op: Literal["eq", "neq", "in", "gt", "gte", "lt", "lte", "icontains"]
    value: Annotated[Any, Field(description="Value; a list for `in`.")]


async def list_executions(
    ctx: ToolContext,
    tool_key: Annotated[str | None, Field(description="Only this tool, e.g. deeporigin.docking.")] = None,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    session: Annotated[
        str | None, Field(description="Only what this session created; get_workspace names this server's.")
    ] = None,
    created_after: Annotated[
        str | None, Field(description="Only later than this UTC time, e.g. 2026-05-07T15:00:00Z.")
    ] = None,
    order: Annotated[
        str,
        Field(description="createdAt, startedAt, completedAt, status, tool, name or executionId, then asc or desc."),
    ] = "createdAt desc",
    page: Annotated[int, Field(description="0 is the first page.", ge=0)] = 0,
    page_size: Annotated[int, Field(description="1 to 10000.", ge=1, le=10_000)] = 20,
    fetch_all_pages: Annotated[bool, Field(description="Read every page; the answer is cut to what fits.")] = False,
    status: Annotated[list[Status] | None, Field(description="Only these statuses.")] = None,
    detail: Annotated[Detail, Field(description="detailed adds start, end and project.")] = "concise",
) -> ExecutionListView:
    """List executions (runs of scientific tools) of the organisation, newest first, with status and price.

    Use it to see what ran, runs or waits for confirmation. To filter by name, start time or hidden runs use
    search_executions; for one known id use get_execution. `count` is how many match in all. Free, reads only.
    """
    client = state_of(ctx).client
    query = ListQuery(
        tool_key=tool_key,
        session=session,
        project_id=project_id,
        created_after=_checked_time(created_after),
        status=status or (),
        order=_checked_order(order),
    )
    if fetch_all_pages or session is not None:
        # The platform's session filter also lets rows without a session through, so its pages and count are of no use.
        answer = await client.listing.all(query, fields=ROW_FIELDS)
        if fetch_all_pages:
            page, page_size = 0, max(1, answer["count"])
        found = [Execution(row) for row in answer["data"][page * page_size : (page + 1) * page_size]]
    else:
        answer = await client.listing.page(query, page, page_size)
        found = [Execution(row) for row in answer["data"]]
    room = _room(detail)
    rows = [execution_row(execution, detailed=detail == "detailed") for execution in found[: room // SMALLEST_ROW]]
    shown = rows_that_fit([row.model_dump(exclude_none=True) for row in rows], room)
    if shown < len(found):
        shown = _cut(page * page_size, shown)
    has_more = shown < len(found) or (page + 1) * page_size < answer["count"]
    next_step = None
    if has_more:
        given = {
            "tool_key": tool_key,
            "project_id": project_id,
            "session": session,
            "created_after": created_after,
            "order": order if order != "createdAt desc" else None,
            "status": status,
            "detail": detail if detail != "concise" else None,
        }
        following = _page_after(page, page_size, shown, len(found))
        next_step = steps.call("list_executions", **{k: v for k, v in given.items() if v}, **following)
    elif not rows:
        next_step = "Nothing matches. Loosen the filters, or use search_executions for hidden runs and names."
    return ExecutionListView(
        executions=rows[:shown],
        count=answer["count"],
        page=page,
        page_size=page_size,
        has_more=has_more,
        next_step=next_step,
    )


async def search_executions(
    ctx: ToolContext,
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
    tool_keys: Annotated[list[str] | None, Field(description="Only these tools.")] = None,
    status: Annotated[
        str | None, Field(description="One status; DataIngesting means that results are still being stored.")
    ] = None,
    compute_job_id: Annotated[str | None, Field(description="The execution_id of the other tools.")] = None,
    filters: Annotated[list[Condition] | None, Field(description="Further conditions; all must hold.")] = None,
    select: Annotated[list[str] | None, Field(description="Only these columns, as the platform names them.")] = None,
    limit: Annotated[int, Field(description="1 to 1000 rows.", ge=1, le=1000)] = 20,
    offset: Annotated[int, Field(description="Rows to skip.", ge=0)] = 0,
    with_total_count: Annotated[bool, Field(description="Count all matches; slower.")] = False,
    include_hidden: Annotated[bool, Field(description="Also runs that were created hidden.")] = False,
) -> SearchView:
    """Search the data platform's records of executions by column, e.g. by a word in the name or a start time.

    These records follow the runs with a delay and carry no prices or progress: use list_executions or
    get_execution for the current state. Columns: id, compute_job_id, tool_key, tool_version, status, name,
    started_at, completed_at, project_id. Free, reads only.
    """
    client = state_of(ctx).client
    # One row more than asked for tells whether there are more, whatever the answer's envelope says.
    query = SearchQuery(
        project_id=project_id,
        tool_key=tool_keys,
        status=status,
        compute_job_id=compute_job_id,
        props=[condition.model_dump() for condition in filters or ()],
        limit=limit + 1,
        offset=offset,
        select=select,
        with_total_count=with_total_count,
        include_hidden=include_hidden,
    )
    try:
        answer = await client.listing.search(query)
    except InvalidRequestError as error:
        error.next_step = f"Columns are {', '.join(SEARCH_COLUMNS)}; `in` takes a list, the other operators one value."
        raise
    found = rows_of(answer)
    rows = [_search_row(row, select) for row in found[:limit]]
    shown = rows_that_fit([row.model_dump(exclude_none=True) for row in rows], CONCISE_CHARACTERS)
    has_more = len(found) > limit or shown < len(rows)
    next_step = None
    if has_more:
        given = {
            "project_id": project_id,
            "tool_keys": tool_keys,
            "status": status,
            "compute_job_id": compute_job_id,
            "filters": [condition.model_dump() for condition in filters or ()],
            "select": select,
            "include_hidden": include_hidden,
        }
        next_step = steps.call(
            "search_executions", **{k: v for k, v in given.items() if v}, limit=limit, offset=offset + shown
        )
    return SearchView(
        rows=rows[:shown],
        limit=limit,
        offset=offset,
        total_count=total_of(answer) if with_total_count else None,
        has_more=has_more,
        next_step=next_step,
    )


async def get_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    source: Annotated[
        Literal["tools_service", "data_platform"],
        Field(description="data_platform takes the 13-character id of search_executions."),
    ] = "tools_service",
    detail: Annotated[
        Detail, Field(description="detailed adds price items, progress steps, inputs, outputs, results and billing.")
    ] = "concise",
) -> ExecutionView:
    """Read one execution: status, progress, price, cost, reason of a failure; with detail, its inputs and outputs.

    The first thing to call with an id at hand. To wait for an end use wait_executions instead of calling this
    repeatedly. Free, reads only.
    """
    state = state_of(ctx)
    if source == "data_platform":
        return await _from_data_platform(state.client, execution_id)
    execution = await existing(state.client, execution_id)
    view = execution_view(execution, next_step=steps.after(execution, state.settings, detailed=detail == "detailed"))
    return await _with_details(view, execution, state.client) if detail == "detailed" else view


async def cancel_execution(ctx: ToolContext, execution_id: ExecutionId) -> ExecutionView:
    """Cancel an execution that is waiting or running. Cannot be undone; what has run so far may be charged.

    An execution that is already over, or only quoted, is left as it is: nothing is sent and its state is returned.
    """
    state = state_of(ctx)
    before = await existing(state.client, execution_id)
    if before.is_settled:
        left = f"It was {before.status} already, so nothing was cancelled."
        if before.status == "Quoted":
            left = "It is only quoted: it does not run and costs nothing, so there is nothing to cancel."
        return execution_view(before, next_step=left)
    await state.client.executions.cancel(execution_id)
    after = Execution(await state.client.executions.get(execution_id))
    next_step = steps.after(after, state.settings)
    if not after.is_terminal:
        next_step = f"The cancellation was sent, but it is still {after.status}: look again by {next_step}"
    return execution_view(after, next_step=next_step)


async def existing(client: DeepOriginClient, execution_id: str) -> Execution:
    """An execution by its tools-service id.

    Raises:
        NotFoundError: there is none; an id of the data platform is recognised.
    """
    try:
        return Execution(await client.executions.get(execution_id))
    except NotFoundError as error:
        raise not_found(execution_id, error) from None


def not_found(execution_id: str, error: NotFoundError) -> NotFoundError:
    """Why there is no such execution, and what to call instead."""
    if _DATA_PLATFORM_ID.match(execution_id.strip()):
        return NotFoundError(
            f"{execution_id} is an id of the data platform, not of the tools service.",
            next_step=steps.call("get_execution", execution_id=execution_id, source="data_platform") + " reads it.",
            request_id=error.request_id,
        )
    return NotFoundError(
        f"There is no execution {one_line(execution_id, 60)} in this organisation.",
        next_step="list_executions shows those that exist.",
        request_id=error.request_id,
    )


def _room(detail: Detail) -> int:
    return RESULT_CHARACTERS - 1500 if detail == "detailed" else CONCISE_CHARACTERS - 500


def _checked_order(order: str) -> str:
    match = _ORDER.match(order.strip())
    field = next((name for name in ORDER_FIELDS if match and name.lower() == match[1].lower()), None)
    if not match or field is None:
        raise ArgumentError(
            f"order is {one_line(order, 60)!r}.",
            next_step=f"Valid: one of {', '.join(ORDER_FIELDS)}, then asc or desc, such as 'createdAt desc'.",
        )
    return f"{field} {(match[2] or 'asc').lower()}"


def _checked_time(created_after: str | None) -> datetime | None:
    moment_after = moment(created_after)
    # The first and the last days of the calendar have no place in another time zone.
    if created_after is not None and (moment_after is None or not 1 < moment_after.year < 9999):
        raise ArgumentError(
            f"created_after is {one_line(created_after, 60)!r}.",
            next_step="Valid: a UTC time such as 2026-05-07T15:00:00Z, or a date such as 2026-05-07.",
        )
    return moment_after


def _page_after(page: int, page_size: int, shown: int, received: int) -> dict[str, int]:
    """The page parameters that continue after the rows shown."""
    if shown == received:
        return {"page": page + 1, "page_size": page_size}
    return {"page": (page * page_size + shown) // shown, "page_size": shown}


def _cut(start: int, fitting: int) -> int:
    """How many of the rows that fit to show of a page that is cut.

    Pages are numbered, so the next call goes on only with a page size that divides the rows already seen. From the
    start it is a power of two, which can be halved again where later rows are longer.
    """
    if start == 0:
        return 1 << (fitting.bit_length() - 1)
    return next(width for width in range(fitting, 0, -1) if start % width == 0)


def _search_row(row: Json, select: list[str] | None) -> SearchRow:
    if select:
        return SearchRow(
            **{
                key: value
                for key, value in row.items()
                if key not in SearchRow.model_fields or value is None or isinstance(value, str)
            }
        )
    facts = {name: text(row.get(name)) or None for name in SearchRow.model_fields}
    facts["execution_id"] = text(row.get("compute_job_id")) or None
    facts["data_platform_id"] = text(row.get("id")) or None
    facts["name"] = one_line(facts["name"] or "", 120) or None
    return SearchRow(**facts)


async def _from_data_platform(client: DeepOriginClient, data_platform_id: str) -> ExecutionView:
    try:
        row = await client.executions.from_data_platform(data_platform_id)
    except (NotFoundError, InvalidRequestError) as error:
        if _TOOLS_ID.match(data_platform_id.strip()):
            raise NotFoundError(
                f"{data_platform_id} is an id of the tools service, not of the data platform.",
                next_step=steps.call("get_execution", execution_id=data_platform_id) + " reads it.",
                request_id=error.request_id,
            ) from None
        raise NotFoundError(
            f"There is no execution {one_line(data_platform_id, 60)} on the data platform.",
            next_step="Its ids have 13 characters; search_executions shows them.",
            request_id=error.request_id,
        ) from None
    if len(found := rows_of(row)) == 1:
        row = found[0]
    execution = Execution(
        {
            "executionId": row.get("compute_job_id"),
            "status": row.get("status"),
            "name": row.get("name"),
            "tool": {"key": row.get("tool_key"), "version": row.get("tool_version")},
            "startedAt": row.get("started_at"),
            "completedAt": row.get("completed_at"),
            "projectId": row.get("project_id"),
        }
    )
    view = execution_view(execution)
    view.data_platform_id = text(row.get("id")) or data_platform_id
    view.next_step = steps.call("get_execution", execution_id=execution.execution_id) + " has price and outputs."
    return view


async def _with_details(view: ExecutionView, execution: Execution, client: DeepOriginClient) -> ExecutionView:
    """Add the big fields, each within its share of what a result may hold."""
    cut: list[str] = []

    def share(name: str, value: Any, characters: int) -> Any:
        if value in (None, {}, []):
            return None
        shaped, was_cut = fitted(value, characters)
        if was_cut:
            cut.append(name)
        return shaped

    raw = execution.raw

    def field(name: str) -> Json | None:
        value = raw.get(name)
        return value if isinstance(value, dict) else None

    items = [_price_item(item) for item in execution.line_items]
    shown = rows_that_fit([item.model_dump(exclude_none=True) for item in items], 1500)
    view.price_items = items[:shown] or None
    cut += ["price_items"] if shown < len(items) else []
    view.progress = share("progress", progress_lines(raw.get("progressReport")), PROGRESS_CHARACTERS)
    view.inputs = share("inputs", field("userInputs"), 3000)
    view.outputs = share("outputs", execution.outputs, 7000)
    view.billing = share("billing", field("billingTransaction"), 1200)
    view.metadata = share("metadata", execution.metadata, 1000)
    view.session = one_line(execution.session, 120) or None
    if execution.status == "Completed" and view.outputs is None:
        await _add_results(view, execution, client, share)
    view.cut = cut or None
    return view


def _price_item(item: LineItem) -> LineItemView:
    return LineItemView(
        **{**item._asdict(), "code": one_line(item.code, 60), "name": one_line(item.name, 80) or None},
    )


async def _add_results(view: ExecutionView, execution: Execution, client: DeepOriginClient, share: Any) -> None:
    """What a run stored on the data platform; runs that do not answer at once have their outputs only there."""
    try:
        page = await client.results.page(
            compute_job_id=execution.execution_id, project_id=execution.project_id or None, limit=RESULT_ROWS + 1
        )
    except DeepOriginError as error:
        view.next_step = f"Its results could not be read now: {one_line(str(error), 200)}"
        return
    rows = rows_of(page)
    data = [{"id": row.get("id"), **(row["data"] if isinstance(row.get("data"), dict) else {})} for row in rows]
    view.results = share("results", data[:RESULT_ROWS], 7000)
    shown = len(view.results or ())
    view.results_has_more = True if len(rows) > shown else None
    if not rows:
        view.next_step = "It is completed, but its results are not stored yet; read it again in a minute."


def progress_lines(report: Any) -> list[str] | None:
    """A progress report as short lines: the steps of a tree, or the end of a text."""
    if isinstance(report, str):
        lines = [one_line(line, 160) for line in report.splitlines() if line.strip()]
        newest = lines[-MAX_PROGRESS_LINES:]
        return newest[-rows_that_fit(newest[::-1], PROGRESS_CHARACTERS) :] or None
    if not isinstance(report, dict) or not report:
        return None
    if not is_tree(report):
        shaped, _ = fitted(report, 1000)
        return [f"{one_line(str(key), 60)}: {one_line(str(value), 120)}" for key, value in shaped.items()]
    lines = []
    open_nodes = [(report, 0)]
    while open_nodes and len(lines) < MAX_PROGRESS_LINES:
        node, depth = open_nodes.pop()
        message = one_line(text(node.get("message")), 100)
        tool_progress = node.get("toolProgress")
        done = tool_progress.get("complete") if isinstance(tool_progress, dict) else None
        parts = [f"{'  ' * min(depth, 8)}{one_line(label(node), 80)}: {node.get('status')}"]
        parts += [f"{done} %"] if isinstance(done, int | float) else []
        parts += [message] if message else []
        lines.append(", ".join(parts))
        open_nodes += [(child, depth + 1) for child in reversed(children(node))]
    if open_nodes:
        lines.append("… and further steps")
    return lines
