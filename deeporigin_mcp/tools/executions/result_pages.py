"""Places among result rows, and the cursors that name them."""

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

NO_SUCH_CURSOR = "Take a cursor from an answer, unchanged; without one the results are read from the start."

_PLACE = re.compile(r"page(\d{1,9})(?:\[(.+?) (asc|desc)\])?:(.*)", re.DOTALL)


class Page(NamedTuple):
    """A place among the rows of an order: a cursor of the platform's, and rows from there on which were seen already.

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


def page_at(execution: Execution, cursor: str | None, order: Order | None) -> Page:
    """The place that a cursor names, which holds the order too, so that it reads on without the argument.

    Raises:
        ArgumentError: it is none, or belongs to another order.
    """
    if not cursor:
        return Page(order=order)
    match = _PLACE.fullmatch(cursor)
    if match is None:
        raise ArgumentError(f"cursor is {one_line(cursor, 60)!r}.", next_step=NO_SUCH_CURSOR)
    page = Page(match[4] or None, int(match[1]), Order(match[2], match[3]) if match[2] else None)
    if order is not None and order != page.order:
        anew = steps.call("get_execution_results", execution_id=execution.execution_id, order=str(order))
        raise ArgumentError(
            f"cursor belongs to {f'the order {one_line(str(page.order), 60)!r}' if page.order else 'no order'}, "
            f"not to {str(order)!r}.",
            next_step=f"{anew} reads in the other order from the start; the cursor alone reads on in its own.",
        )
    return page


def page_after(answer: Json, received: int, page: Page, shown: int, asked: int) -> Page | None:
    """Where the rows after those shown begin; None if there are none.

    Args:
        received: rows in the answer.
        shown: rows of these that the caller sees.
        asked: rows that the answer was to have.
    """
    seen = page.skipped + shown
    if seen < (page.skipped if page.is_by_offset else 0) + received:
        return page._replace(skipped=seen)
    if not page.is_by_offset and (following := next_cursor_of(answer)):
        return page._replace(cursor=following, skipped=0)
    says = has_more_of(answer)
    # An answer that does not say is taken at its length: a full page may have a successor.
    has_more = received >= asked if says is None else says
    return page._replace(skipped=seen) if has_more and shown else None
