"""Pages of result rows, and their cursors."""

from __future__ import annotations

import re
from typing import NamedTuple

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.results import is_paged_by_offset
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import has_more_of, next_cursor_of
from deeporigin_mcp.tools.executions import result_order
from deeporigin_mcp.tools.executions.filters import Order
from deeporigin_mcp.tools.responses import steps

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
        return self.order is not None and is_paged_by_offset(result_order.total(self.order))


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
