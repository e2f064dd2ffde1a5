"""The platform's execution record, in the shape of every era (platform-facts 1.3, 1.8, 8).

The record is kept as it came, so that unknown fields survive; what this project uses of it is read when it is
asked for. That is also what makes ten thousand rows cheap.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform import money, progress, status, traffic
from deeporigin_mcp.platform.wording import one_line, word

Json = dict[str, Any]

MAX_REASON_CHARACTERS = 2_000


class Execution:
    """A tools-service execution DTO. Every property tolerates a missing or malformed field.

    Ids, names and words are one short line each; `raw` holds what came.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Json) -> None:
        self.raw = raw

    @property
    def execution_id(self) -> str:
        return word(self.raw.get("executionId"))

    @property
    def status(self) -> str:
        return status.normalised(self.raw.get("status"))

    @property
    def is_terminal(self) -> bool:
        return self.status in status.TERMINAL

    @property
    def is_settled(self) -> bool:
        return self.status in status.SETTLED

    @property
    def name(self) -> str:
        return word(self.raw.get("name"))

    @property
    def tool_key(self) -> str:
        return word(_object(self.raw.get("tool")).get("key"))

    @property
    def tool_version(self) -> str:
        return word(_object(self.raw.get("tool")).get("version"))

    @property
    def project_id(self) -> str:
        return word(self.raw.get("projectId"))

    @property
    def session(self) -> str:
        return word(self.raw.get("session"))

    @property
    def metadata(self) -> Json:
        return _object(self.raw.get("metadata"))

    @property
    def created_at(self) -> str:
        return word(self.raw.get("createdAt"))

    @property
    def started_at(self) -> str:
        return word(self.raw.get("startedAt"))

    @property
    def completed_at(self) -> str:
        return word(self.raw.get("completedAt"))

    @property
    def runtime_seconds(self) -> float | None:
        """From start to end; None while it runs, and for cancelled runs, which have no end on record."""
        started, completed = moment(self.started_at), moment(self.completed_at)
        if started is None or completed is None or completed < started:
            return None
        return round((completed - started).total_seconds(), 3)

    @property
    def progress_percent(self) -> float | None:
        return progress.percent(self.raw.get("progressReport"), self.status)

    @property
    def quoted_price(self) -> Decimal | None:
        """USD; None if there is no price, which is not the same as free."""
        return money.quoted_price(self.raw.get("quotationResult"))

    @property
    def price_is_partial(self) -> bool:
        return money.quote_is_partial(self.raw.get("quotationResult"))

    @property
    def line_items(self) -> list[money.LineItem]:
        return money.line_items(self.raw.get("quotationResult"))

    @property
    def billed(self) -> Decimal | None:
        """USD that the platform has billed, or reserved while it runs; None before that."""
        return money.billed_cost(self.raw.get("billingTransaction"))

    @property
    def cost(self) -> Decimal | None:
        """USD: what was billed, or the quote once the run has completed."""
        billed = self.billed
        if billed is None and self.status == status.SUCCEEDED and not self.price_is_partial:
            return self.quoted_price
        return billed

    @property
    def cost_state(self) -> str:
        """What the `cost` of a cancelled run is: reserved, charged, refunded, or not known yet.

        Empty for other runs, and for those that never got as far as a bill.
        """
        bill = _object(self.raw.get("billingTransaction"))
        if self.status != "Cancelled" or not (bill or self.started_at):
            return ""
        # Only `Approved` has been seen (platform-facts 5.2); what no word tells is not known.
        return _COST_STATES.get(text(bill.get("status")).lower(), "not known yet")

    @property
    def status_reason(self) -> str:
        """Why it is in this state, in the platform's words."""
        return one_line(reason_text(self.raw.get("statusReason")), MAX_REASON_CHARACTERS)

    @property
    def outputs(self) -> Any:
        """`jobOutputs` as it came: an object, a list of objects, or None."""
        return self.raw.get("jobOutputs")


_COST_STATES = {
    "approved": "reserved",
    "authorized": "reserved",
    "reserved": "reserved",
    **dict.fromkeys(("billed", "captured", "charged", "completed", "paid", "settled"), "charged"),
    **dict.fromkeys(("canceled", "cancelled", "refunded", "released", "reversed", "voided"), "refunded"),
}
"""By the status of a billing transaction."""


def reason_text(reason: Any) -> str:
    """The readable part of a `statusReason`, which is text, an object or null (platform-facts 4.2, 8.14)."""
    if isinstance(reason, str):
        return reason.strip()
    if not isinstance(reason, dict):
        return ""
    items = reason.get("items")
    rows = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    parts = [text(reason.get("message"))]
    parts += [text(row.get("purchaseApprovalComment")) for row in rows]
    parts.append(text(reason.get("actionRequest")))
    parts += [text(row.get("actionRequest")) for row in rows]
    said = [part.strip().rstrip(".") for part in dict.fromkeys(parts) if part.strip()]
    return ". ".join(said) + "." if said else text(reason.get("code"))


def moment(value: Any) -> datetime | None:
    """A timestamp with or without milliseconds, with `Z` or an offset; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def utc_stamp(seconds: float) -> str:
    """Unix seconds as a timestamp in UTC, such as 2026-05-07T15:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def object_answer(answer: Any, what: str) -> Json:
    """An answer that is an object.

    Raises:
        PlatformError: it is something else.
    """
    if isinstance(answer, dict):
        return answer
    raise PlatformError(
        f"The platform's answer to {what} is not an object.",
        next_step="Call again; if it stays, tell the user.",
        request_id=traffic.unreadable(),
    )


def execution_answer(answer: Any, what: str, execution_id: str) -> Json:
    """An answer that is the record of the execution that was asked for.

    Raises:
        PlatformError: it is no object, or about another execution, and nothing of it may be used.
    """
    dto = object_answer(answer, what)
    # As it came, not cleaned. Ids are UUIDs, which may be written in either case.
    if text(dto.get("executionId")).casefold() != execution_id.strip().casefold():
        raise PlatformError(
            f"The platform answered about another execution than was asked for: {what}.",
            next_step="Call again; if it stays, tell the user.",
            request_id=traffic.unreadable(),
        )
    return dto


def list_answer(answer: Any, what: str) -> Any:
    """An answer that holds rows, unchanged.

    Raises:
        PlatformError: it is neither a list nor an object with a list in `data`. Taking it for an empty list would
            tell a caller that there is nothing.
    """
    if isinstance(answer, list) or (isinstance(answer, dict) and isinstance(answer.get("data", 0), list | NoneType)):
        return answer
    raise PlatformError(
        f"The platform's answer to {what} is not a list.",
        next_step="Call again; if it stays, tell the user.",
        request_id=traffic.unreadable(),
    )


def in_envelope(answer: Any, what: str) -> Json:
    """An answer of the data platform; a bare list is put into its usual envelope. Raises as `list_answer` does."""
    checked = list_answer(answer, what)
    return checked if isinstance(checked, dict) else {"data": rows_of(checked), "meta": {}}


def rows_of(answer: Any) -> list[Json]:
    """The rows of any envelope the platform has used: `{"data": […]}` or a bare list (platform-facts 8.1)."""
    rows = answer.get("data") if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def total_of(answer: Any) -> int | None:
    """How many rows match in all, where the answer says so (platform-facts 8.2).

    `meta.count` is left out on purpose: it counts the rows of the page.
    """
    if not isinstance(answer, dict):
        return None
    for holder, key in (
        (answer.get("meta"), "total_count"),
        (answer.get("pagination"), "count"),
        (answer, "count"),
    ):
        value = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def has_more_of(answer: Any) -> bool | None:
    """Whether more rows follow, where an answer of the data platform says so."""
    value = _object(_object(answer).get("meta")).get("hasMore")
    return value if isinstance(value, bool) else None


def next_cursor_of(answer: Any) -> str | None:
    """Where the rows after these begin, where an answer of the data platform says so."""
    return text(_object(_object(answer).get("meta")).get("nextCursor")) or None


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
