"""Pages of result rows: their order, requested of the platform and checked in its response, and their cursors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, PlatformError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.results import CANONICAL_FIELDS, is_paged_by_offset
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.platform.transport.responses import has_more_of, next_cursor_of, rows_of
from deeporigin_mcp.tools.executions.filters import Order, order_in
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.suggestions import closest

RequestRows = Callable[[int, Mapping[str, str] | None], Awaitable[Json]]
"""Requests so many rows of the page, sorted like this."""

ROWS_READ_FOR_COLUMNS = 20
MOST_COLUMNS_NAMED = 40
MAX_FIELD_CHARACTERS = 100
COLUMN_CHARACTERS = 60
"""How much of a column's name is shown."""
VALID_CURSOR = "Valid: a cursor of an earlier result, unchanged; without one the results are read from the start."

_PAGE = re.compile(r"page(\d{1,9})(?:\[(.+?) (asc|desc)\])?:(.*)", re.DOTALL)


class Page(NamedTuple):
    """Where a page begins: a cursor of the platform, and how many rows after it were shown already.

    An order that the platform pages by offset has no cursors: its rows are counted from the first one.
    """

    cursor: str | None = None
    skipped: int = 0
    order: Order | None = None

    def __str__(self) -> str:
        return f"page{self.skipped}{f'[{self.order}]' if self.order else ''}:{self.cursor or ''}"

    @property
    def is_start(self) -> bool:
        return self.cursor is None and not self.skipped

    @property
    def is_by_offset(self) -> bool:
        return self.order is not None and is_paged_by_offset(sort_of(self.order))


def invalid_cursor(cursor: str) -> ArgumentError:
    return ArgumentError(f"Invalid cursor {one_line(cursor, 60)!r}.", next_step=VALID_CURSOR)


def page_at(execution: Execution, cursor: str | None, order: Order | None) -> Page:
    """The page of a cursor, which holds the order too, so that it reads on without that argument.

    Raises:
        ArgumentError: an invalid cursor, or one of another order.
    """
    if not cursor:
        return Page(order=order)
    match = _PAGE.fullmatch(cursor)
    if match is None:
        raise invalid_cursor(cursor)
    page = Page(match[4] or None, int(match[1]), Order(match[2], match[3]) if match[2] else None)
    if order is not None and order != page.order:
        anew = steps.call("get_execution_results", execution_id=execution.execution_id, order=str(order))
        raise ArgumentError(
            f"Invalid order {str(order)!r} for this cursor, which is of "
            + (f"the order {one_line(str(page.order), 60)!r}." if page.order else "the platform's own order."),
            next_step=f"{anew} reads in that order from the start; the cursor alone reads on in its own.",
        )
    return page


def page_after(response: Json, received: int, page: Page, shown: int, asked: int) -> Page | None:
    """The page after the rows shown; None if there is none.

    Args:
        response: of the platform.
        received: rows in the response.
        shown: rows of these that the caller sees.
        asked: rows asked for.
    """
    seen = page.skipped + shown
    if seen < (page.skipped if page.is_by_offset else 0) + received:
        return page._replace(skipped=seen)
    if not page.is_by_offset and (following := next_cursor_of(response)):
        return page._replace(cursor=following, skipped=0)
    has_more = has_more_of(response)
    if has_more is None:
        # A full page may have a successor.
        has_more = received >= asked
    return page._replace(skipped=seen) if has_more and shown else None


# The order


def row_order(order: str | None) -> Order | None:
    """The order of an argument, if there is one.

    Raises:
        ArgumentError: it has no column.
    """
    if not order or not order.strip():
        return None
    asked = order_in(order)
    if asked is None or len(asked.field) > MAX_FIELD_CHARACTERS or asked.field.lower() in ("asc", "desc"):
        raise ArgumentError(
            f"Invalid order {one_line(order, 60)!r}.",
            next_step="Valid: a column of the rows, then asc or desc, such as 'pose_score desc'.",
        )
    return asked


def sort_of(order: Order) -> dict[str, str]:
    """The order as the platform takes it.

    Where it pages by offset, the id is added, so that rows of one value keep their order between two pages.
    """
    sort = {order.field: order.direction}
    return {**sort, "id": "asc"} if is_paged_by_offset(sort) else sort


async def sorted_page(order: Order | None, request: RequestRows, count: int) -> Json:
    """A page in an order. Whether the platform takes a second field is not documented: if it refuses, one is sent."""
    if order is None:
        return await request(count, None)
    try:
        return await request(count, sort_of(order))
    except InvalidRequestError:
        if order.field in CANONICAL_FIELDS:
            raise
    return await request(count, {order.field: order.direction})


async def check_sorted(
    order: Order, rows: Sequence[Json], request: RequestRows, unordered: str, *, is_start: bool
) -> None:
    """Refuse rows that are not in the order asked for: the first would be taken for the best.

    Args:
        rows: as the platform returned them.
        unordered: the call without an order.

    Raises:
        ArgumentError: no row has the column; the platform may not refuse that.
        PlatformError: numbers are not in their order.
    """
    if order.field in CANONICAL_FIELDS or not rows:
        return
    values = [value for row in rows if (value := facts_of(row).get(order.field)) is not None]
    if not values and is_start:
        # Rows without a value may come first; the other way round they come last.
        other_end = await sorted_page(
            order._replace(direction="asc" if order.direction == "desc" else "desc"), request, 1
        )
        if all(facts_of(row).get(order.field) is None for row in rows_of(other_end)):
            raise _no_such_column(order, rows)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if any(first < second if order.direction == "desc" else first > second for first, second in pairwise(numbers)):
        raise PlatformError(
            f"The platform did not sort the rows by {one_line(order.field, COLUMN_CHARACTERS)!r}.",
            next_step=f"{unordered} reads them in the platform's own order; compare them all.",
        )


async def order_refused(
    order: Order, refusal: InvalidRequestError, request: RequestRows, unordered: str
) -> ArgumentError:
    """The error for an order that the platform refuses: an unknown column, or one that it does not sort by."""
    try:
        rows = rows_of(await request(ROWS_READ_FOR_COLUMNS, None))
    except InvalidRequestError:
        rows = []
    if rows and order.field not in CANONICAL_FIELDS and all(order.field not in facts_of(row) for row in rows):
        return _no_such_column(order, rows)
    return InvalidRequestError(
        f"The platform refused the order {str(order)!r}. {refusal.message}",
        next_step=f"{unordered} reads them in the platform's own order.",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )


def _no_such_column(order: Order, rows: Sequence[Json]) -> ArgumentError:
    columns = list(dict.fromkeys(name for row in rows for name in ("id", *facts_of(row))))
    meant = closest(order.field, columns)
    hint = f"Did you mean {one_line(meant, COLUMN_CHARACTERS)}? " if meant else ""
    named = ", ".join(one_line(name, COLUMN_CHARACTERS) for name in columns[:MOST_COLUMNS_NAMED])
    return ArgumentError(
        f"Invalid order {one_line(str(order), 60)!r}: the rows have no such column.",
        next_step=f"{hint}Valid: one of these, then asc or desc: {named}.",
    )


def facts_of(row: Json) -> Json:
    """The id and the data of a row as one object, without nulls."""
    data = row.get("data")
    named = {"id": text(row.get("id")) or None, **(data if isinstance(data, dict) else {"data": data})}
    return {key: value for key, value in named.items() if value is not None}
