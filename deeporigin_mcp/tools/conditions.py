"""Words that lists and searches of executions take, and what was meant by others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.status import KNOWN
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.nearness import nearest, plainly

ORDER_FIELDS = ("createdAt", "startedAt", "completedAt", "status", "tool", "name", "executionId")
_ORDER = re.compile(r"(.+?)\??(?:\s+(asc|desc))?", re.IGNORECASE | re.DOTALL)
_DOWNWARDS = re.compile(r"^-|\b(desc\w*|down\w*|newest|latest|reverse)\b", re.IGNORECASE)

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

MAX_COLUMNS_EXPLAINED = 5

SEARCH_STATUSES = (*KNOWN, "DataIngesting", "Succeeded")
"""Statuses of the data platform's records: those of executions, one of its own, and the older word for success."""


class Order(NamedTuple):
    """A field and `asc` or `desc`, written `createdAt desc`."""

    field: str
    way: str

    def __str__(self) -> str:
        return f"{self.field} {self.way}"


def order_in(order: str) -> Order | None:
    """What an order says, upwards if it names no way; None if it says nothing."""
    match = _ORDER.fullmatch(order.strip())
    return Order(match[1], (match[2] or "asc").lower()) if match else None


def order_meant(order: str, fields: Iterable[str]) -> Order | None:
    """The order by one of these fields that was probably meant."""
    known = list(fields)
    said = order_in(order)
    near = [name for word in [*(said or ())[:1], *re.findall(r"\w+", order)[:1]] for name in nearest(word, known)]
    return Order(near[0], "desc" if _DOWNWARDS.search(order.strip()) else "asc") if near else None


def checked_order(order: str) -> str:
    """An order of executions as the platform takes it.

    Raises:
        ArgumentError: it is none; names the valid ones and the one that was probably meant.
    """
    said = order_in(order)
    # Rows show the same columns as created_at and so on.
    field = next((name for name in ORDER_FIELDS if said and name.lower() == said.field.replace("_", "").lower()), None)
    if said and field is not None:
        return str(said._replace(field=field))
    meant = order_meant(order, ORDER_FIELDS)
    hint = f" Did you mean {steps.call('list_executions', order=str(meant))}?" if meant else ""
    raise ArgumentError(
        f"order is {one_line(order, 60)!r}.",
        next_step=f"Valid: one of {', '.join(ORDER_FIELDS)}, then asc or desc, such as 'createdAt desc'.{hint}",
    )


def check_status(status: object, place: str) -> None:
    """Refuse a status that is a near miss. Other words pass: the platform may know more than this server.

    Args:
        place: the argument, for the message.

    Raises:
        ArgumentError: names the status that was probably meant.
    """
    if not isinstance(status, str) or status in SEARCH_STATUSES:
        return
    near = nearest(status, SEARCH_STATUSES)
    if near:
        raise ArgumentError(
            f"{place} is {one_line(status, 60)!r}, which no execution has. Nothing was searched.",
            next_step=f"Did you mean {steps.call('search_executions', status=near[0])}? "
            f"Valid: {', '.join(SEARCH_STATUSES[:-1])}.",
        )


def check_filters(filters: Sequence[Any]) -> None:
    """Refuse conditions on the status that name a near miss of one.

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


def column_advice(filters: Sequence[Any], select: Sequence[str] | None) -> str:
    """Which columns there are, after the platform has refused a search, and which of them may be meant."""
    named = dict.fromkeys([*(condition.column for condition in filters), *(select or ())])
    advice: list[str] = []
    for column in [name for name in named if column_of(name) not in SEARCH_COLUMNS][:MAX_COLUMNS_EXPLAINED]:
        if plainly(column).startswith("created"):
            advice.append("Times of creation are not on record there: list_executions has created_after.")
        elif near := nearest(column, SEARCH_COLUMNS):
            advice.append(f"For {one_line(column, 40)}, did you mean {' or '.join(near)}?")
    valid = f"Columns are {', '.join(SEARCH_COLUMNS)}; `in` takes a list, the other operators one value."
    return " ".join([*advice, valid])


def nothing_matches(status: str | None) -> str:
    """What to do about a search that is right, as far as this server knows, and found nothing."""
    told = "Nothing matches. These records follow the runs with a delay: list_executions shows the current state."
    if status is not None and status not in SEARCH_STATUSES:
        told += f" Known statuses: {', '.join(SEARCH_STATUSES[:-1])}."
    return told
