"""Pages of result rows: their order, requested of the platform and checked in its response, and their cursors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, PlatformError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.results import CANONICAL_FIELDS, is_paged_by_offset
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import has_more_of, next_cursor_of, rows_of
from deeporigin_mcp.tools.executions.filters import Order, order_in
from deeporigin_mcp.tools.executions.result_columns import (
    COLUMN_CHARACTERS,
    facts_of,
    has_column,
    no_such_column,
)
from deeporigin_mcp.tools.files.meanings import is_number, value_of
from deeporigin_mcp.tools.responses import steps

RequestRows = Callable[[int, Mapping[str, str] | None], Awaitable[Json]]
"""Requests so many rows of the page, sorted like this."""

ROWS_READ_FOR_COLUMNS = 20
MAX_FIELD_CHARACTERS = 100
VALID_CURSOR = "Valid: a cursor of an earlier result, unchanged; without one the results are read from the start."

WITHOUT = {"order": "the platform's own order", "best_per": "all rows"}
"""What a page is of that has no such argument."""

_PAGE = re.compile(r"page(\d{1,9})(?:\[(.+?) (asc|desc)(?: per (.+?))?\])?:(.*)", re.DOTALL)


class Asked(NamedTuple):
    """What a caller asks of the rows."""

    result_type: str | None = None
    columns: tuple[str, ...] = ()
    order: Order | None = None
    best_per: str | None = None
    limit: int = 0

    def arguments(self) -> dict[str, Any]:
        """As arguments of a call, without those that were not given."""
        given = {**self._asdict(), "columns": [*self.columns], "order": str(self.order) if self.order else None}
        return {name: value for name, value in given.items() if value}


class Page(NamedTuple):
    """Where a page begins: a cursor of the platform, and how many rows after it were shown already.

    An order that the platform pages by offset has no cursors: its rows are counted from the first one. So are rows
    that are compared here.
    """

    cursor: str | None = None
    skipped: int = 0
    order: Order | None = None
    best_per: str | None = None

    def __str__(self) -> str:
        per = f" per {self.best_per}" if self.best_per else ""
        return f"page{self.skipped}{f'[{self.order}{per}]' if self.order else ''}:{self.cursor or ''}"

    @property
    def is_start(self) -> bool:
        return self.cursor is None and not self.skipped

    @property
    def is_compared(self) -> bool:
        """Whether this server compares the rows: the platform knows no groups, and no order inside of an object."""
        return self.best_per is not None or (self.order is not None and "." in self.order.field)

    @property
    def is_by_offset(self) -> bool:
        return self.order is not None and is_paged_by_offset(sort_of(self.order))


def invalid_cursor(cursor: str) -> ArgumentError:
    return ArgumentError(f"Invalid cursor {one_line(cursor, 60)!r}.", next_step=VALID_CURSOR)


def page_at(execution: Execution, cursor: str | None, order: Order | None, best_per: str | None) -> Page:
    """The page of a cursor, which holds order and best_per too, so that it reads on without these arguments.

    Raises:
        ArgumentError: an invalid cursor, or one of another order or best_per.
    """
    if not cursor:
        return Page(order=order, best_per=best_per)
    match = _PAGE.fullmatch(cursor)
    if match is None:
        raise invalid_cursor(cursor)
    page = Page(match[5] or None, int(match[1]), Order(match[2], match[3]) if match[2] else None, match[4])
    asked = {name: value for name, value in (("order", order and str(order)), ("best_per", best_per)) if value}
    held = {"order": page.order and str(page.order), "best_per": page.best_per}
    other = next((name for name, value in asked.items() if value != held[name]), None)
    if other is not None:
        own = f"the {other} {one_line(held[other] or '', 60)!r}" if held[other] else WITHOUT[other]
        anew = steps.call("get_execution_results", execution_id=execution.execution_id, **asked)
        raise ArgumentError(
            f"Invalid {other} {one_line(asked[other], 60)!r} for this cursor, which is of {own}.",
            next_step=f"{anew} reads so from the start; the cursor alone reads on as it began.",
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
    values = [value for row in rows if (value := value_of(facts_of(row), order.field)) is not None]
    if not values and is_start:
        # Rows without a value may come first; the other way round they come last.
        other_end = await sorted_page(
            order._replace(direction="asc" if order.direction == "desc" else "desc"), request, 1
        )
        if not has_column(rows_of(other_end), order.field):
            raise no_such_column("order", str(order), order.field, rows)
    numbers = [value for value in values if is_number(value)]
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
    if rows and order.field not in CANONICAL_FIELDS and not has_column(rows, order.field):
        return no_such_column("order", str(order), order.field, rows)
    return InvalidRequestError(
        f"The platform refused the order {str(order)!r}. {refusal.message}",
        next_step=f"{unordered} reads them in the platform's own order.",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )
