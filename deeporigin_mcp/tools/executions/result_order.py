"""Result rows in an order: requested of the platform, and checked in its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, PlatformError
from deeporigin_mcp.platform.clients.results import CANONICAL_FIELDS, is_paged_by_offset
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.filters import Order, order_in
from deeporigin_mcp.tools.responses.suggestions import closest

Ask = Callable[[int, Mapping[str, str] | None], Awaitable[Json]]
"""Requests so many rows of the page, sorted like this."""

ROWS_READ_FOR_COLUMNS = 20
MOST_COLUMNS_NAMED = 40
MAX_FIELD_CHARACTERS = 100
COLUMN_CHARACTERS = 60
"""How much of a column's name is shown."""


def asked_for(order: str | None) -> Order | None:
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


def total(order: Order) -> dict[str, str]:
    """The order as the platform takes it.

    Where it pages by offset, the id is added, so that rows of one value keep their order between two pages.
    """
    sort = {order.field: order.direction}
    return {**sort, "id": "asc"} if is_paged_by_offset(sort) else sort


async def page_in(order: Order | None, ask: Ask, count: int) -> Json:
    """A page in an order. Whether the platform takes a second field is not documented: if it refuses, one is sent."""
    if order is None:
        return await ask(count, None)
    try:
        return await ask(count, total(order))
    except InvalidRequestError:
        if order.field in CANONICAL_FIELDS:
            raise
    return await ask(count, {order.field: order.direction})


async def check_followed(order: Order, rows: Sequence[Json], ask: Ask, unordered: str, *, is_start: bool) -> None:
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
    values = [value for row in rows if (value := _fields(row).get(order.field)) is not None]
    if not values and is_start:
        # Rows without a value may come first; the other way round they come last.
        other_end = await page_in(order._replace(direction="asc" if order.direction == "desc" else "desc"), ask, 1)
        if all(_fields(row).get(order.field) is None for row in rows_of(other_end)):
            raise _no_such_column(order, rows)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if any(first < second if order.direction == "desc" else first > second for first, second in pairwise(numbers)):
        raise PlatformError(
            f"The platform did not sort the rows by {one_line(order.field, COLUMN_CHARACTERS)!r}.",
            next_step=f"{unordered} reads them in the platform's own order; compare them all.",
        )


async def refused(order: Order, refusal: InvalidRequestError, ask: Ask, unordered: str) -> ArgumentError:
    """The error for an order that the platform refuses: an unknown column, or one that it does not sort by."""
    try:
        rows = rows_of(await ask(ROWS_READ_FOR_COLUMNS, None))
    except InvalidRequestError:
        rows = []
    if rows and order.field not in CANONICAL_FIELDS and all(order.field not in _fields(row) for row in rows):
        return _no_such_column(order, rows)
    return InvalidRequestError(
        f"The platform refused the order {str(order)!r}. {refusal.message}",
        next_step=f"{unordered} reads them in the platform's own order.",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )


def _no_such_column(order: Order, rows: Sequence[Json]) -> ArgumentError:
    columns = list(dict.fromkeys(name for row in rows for name in ("id", *_fields(row))))
    meant = closest(order.field, columns)
    hint = f"Did you mean {one_line(meant, COLUMN_CHARACTERS)}? " if meant else ""
    named = ", ".join(one_line(name, COLUMN_CHARACTERS) for name in columns[:MOST_COLUMNS_NAMED])
    return ArgumentError(
        f"Invalid order {one_line(str(order), 60)!r}: the rows have no such column.",
        next_step=f"{hint}Valid: one of these, then asc or desc: {named}.",
    )


def _fields(row: Json) -> dict[str, Any]:
    """The data of a row, without nulls."""
    data = row.get("data")
    return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else {}
