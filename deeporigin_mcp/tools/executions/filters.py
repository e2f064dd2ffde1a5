"""The orders, statuses and columns that lists and searches of executions take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.status import KNOWN
from deeporigin_mcp.tools.responses.suggestions import closest

ORDER_FIELDS = ("createdAt", "startedAt", "completedAt", "status", "tool", "name", "executionId")
ORDERED_HERE = ("cost", "quotedPrice")
"""Orders that the platform does not have."""
_ORDERS = (*ORDER_FIELDS, *ORDERED_HERE)
_ORDER = re.compile(r"(.+?)\??(?:\s+(asc|desc))?", re.IGNORECASE | re.DOTALL)

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
SHOWN_AS = {"compute_job_id": "execution_id", "id": "data_platform_id"}
"""Columns that rows show by the names that all tools use. Conditions and selections take either name."""
_COLUMN_OF = {shown: column for column, shown in SHOWN_AS.items()}
COLUMN_ADVICE = (
    f"Valid columns: {', '.join(SEARCH_COLUMNS)}; `in` takes a list, the other operators one value. "
    "These records have no time of creation: list_executions has created_after."
)
"""The next step after the platform refused a search."""

SEARCH_STATUSES = (*KNOWN, "DataIngesting", "Succeeded")
"""Statuses of the data platform's records: those of executions, one of its own, and the older word for success."""
_STATUSES = f"Known statuses: {', '.join(SEARCH_STATUSES[:-1])}."


class Order(NamedTuple):
    """A field and `asc` or `desc`, written `createdAt desc`."""

    field: str
    direction: str

    def __str__(self) -> str:
        return f"{self.field} {self.direction}"


def order_in(order: str) -> Order | None:
    """The order of a text such as `name desc`, ascending if it names no direction; None if it is empty."""
    match = _ORDER.fullmatch(order.strip())
    return Order(match[1], (match[2] or "asc").lower()) if match else None


def checked_order(order: str) -> Order:
    """An order of executions, its field spelt as the platform spells it.

    Raises:
        ArgumentError: an invalid order; lists the valid ones.
    """
    asked = order_in(order)
    # Rows show the same columns as created_at and so on.
    field = next((name for name in _ORDERS if asked and name.lower() == asked.field.replace("_", "").lower()), None)
    if asked and field is not None:
        return asked._replace(field=field)
    raise ArgumentError(
        f"Invalid order {one_line(order, 60)!r}.",
        next_step=f"Valid: {', '.join(_ORDERS)}, then asc or desc, such as 'createdAt desc'.",
    )


def check_status(status: object, path: str) -> None:
    """Refuse a misspelt status. Other words pass: the platform may know more than this server.

    Args:
        path: the argument, for the message.

    Raises:
        ArgumentError: lists the valid ones.
    """
    if isinstance(status, str) and status not in SEARCH_STATUSES and (meant := closest(status, SEARCH_STATUSES)):
        raise ArgumentError(f"Invalid {path} {one_line(status, 60)!r}.", next_step=f"Did you mean {meant}? {_STATUSES}")


def check_filters(filters: Sequence[Any]) -> None:
    """Refuse conditions on the status that misspell one.

    Raises:
        ArgumentError: see `check_status`.
    """
    for number, condition in enumerate(filters):
        if condition.column == "status":
            for value in condition.value if isinstance(condition.value, list) else [condition.value]:
                check_status(value, f"filters.{number}.value")


def column_of(name: str) -> str:
    """The platform's name of a column."""
    return _COLUMN_OF.get(name, name)


def nothing_matches(status: str | None) -> str:
    """The next step after a valid search that found nothing."""
    step = "Nothing matches. These records follow the runs with a delay: list_executions shows the current state."
    return f"{step} {_STATUSES}" if status is not None and status not in SEARCH_STATUSES else step
