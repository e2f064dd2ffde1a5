"""The platform's execution record, in the shape of every era (platform-facts 1.3, 1.8, 8).

The raw object is kept, so that unknown fields survive, and fields are read on access, which makes ten thousand rows
cheap; what one call reads again and again is kept.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Any

from deeporigin_mcp.platform.records import money, progress, status
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, moment, text

MAX_REASON_CHARACTERS = 2_000
IMPORT_KEY = "deeporigin.import-dataset"


OF_A_RUN_UNDER_WAY = (
    "executionId",
    "status",
    "name",
    "tool",
    "projectId",
    "createdAt",
    "startedAt",
    "completedAt",
    "progressReport",
    "quotationResult",
    "billingTransaction",
    "statusReason",
)
"""Fields that say where an execution is; not what it was given, which may be a million ligands."""


def under_way(raw: Json) -> Json:
    """What to remember of an execution that is going to be read again, instead of all of its record."""
    return {name: raw[name] for name in OF_A_RUN_UNDER_WAY if raw.get(name) is not None}


class Execution:
    """A tools-service execution DTO. Every property tolerates a missing or malformed field.

    Ids, names and statuses are sanitised to one short line; `raw` is the platform's object, unchanged.
    """

    def __init__(self, raw: Json) -> None:
        self.raw = raw

    @cached_property
    def execution_id(self) -> str:
        return word(self.raw.get("executionId"))

    @cached_property
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
        return word(as_object(self.raw.get("tool")).get("key"))

    @property
    def tool_version(self) -> str:
        return word(as_object(self.raw.get("tool")).get("version"))

    @property
    def project_id(self) -> str:
        return word(self.raw.get("projectId"))

    @property
    def session(self) -> str:
        return word(self.raw.get("session"))

    @property
    def created_by(self) -> str:
        """Id of the person, or in older records such as `google-apps|user@x`."""
        return word(self.raw.get("createdBy"))

    @property
    def cluster_id(self) -> str:
        return word(as_object(self.raw.get("cluster")).get("id"))

    @property
    def is_hidden(self) -> bool:
        """Whether it was created hidden. Imports are, also where their record does not say so (platform-facts 7)."""
        visibility = self.raw.get("visibility")
        return visibility == "hidden" or (visibility is None and self.tool_key == IMPORT_KEY)

    @property
    def metadata(self) -> Json:
        return as_object(self.raw.get("metadata"))

    @property
    def inputs(self) -> Json:
        return as_object(self.raw.get("userInputs"))

    @property
    def created_at(self) -> str:
        return word(self.raw.get("createdAt"))

    @cached_property
    def started_at(self) -> str:
        return word(self.raw.get("startedAt"))

    @property
    def completed_at(self) -> str:
        return word(self.raw.get("completedAt"))

    @property
    def runtime_seconds(self) -> float | None:
        """From start to end; None while it runs, and for cancelled runs, which have no `completedAt`."""
        started, completed = moment(self.started_at), moment(self.completed_at)
        if started is None or completed is None or completed < started:
            return None
        return round((completed - started).total_seconds(), 3)

    @property
    def progress_percent(self) -> float | None:
        return progress.percent(self.raw.get("progressReport"), self.status)

    @property
    def failed_steps(self) -> list[tuple[str, str]]:
        """Label and message of each step that failed, as its progress report says."""
        return progress.failed_steps(self.raw.get("progressReport"))

    @property
    def failed_ligands(self) -> tuple[int, int] | None:
        """How many ligands failed, and of how many; None if its progress report does not count them."""
        return progress.failed_ligands(self.raw.get("progressReport"))

    @cached_property
    def quoted_price(self) -> Decimal | None:
        """USD; None if there is no price, which is not the same as free."""
        return money.quoted_price(self.raw.get("quotationResult"))

    @cached_property
    def price_is_partial(self) -> bool:
        return money.quote_is_partial(self.raw.get("quotationResult"))

    @property
    def line_items(self) -> list[money.LineItem]:
        return money.line_items(self.raw.get("quotationResult"))

    @cached_property
    def billed(self) -> Decimal | None:
        """USD that the platform has billed, or reserved while it runs; None before that."""
        return money.billed_cost(self.raw.get("billingTransaction"))

    @cached_property
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
        bill = as_object(self.raw.get("billingTransaction"))
        if self.status != "Cancelled" or not (bill or self.started_at):
            return ""
        return self.bill_state or "not known yet"

    @property
    def bill_state(self) -> str:
        """What the status of the bill says: reserved, charged or refunded; empty without a status that is known."""
        # Only `Approved` has been seen (platform-facts 5.2).
        return _COST_STATES.get(text(as_object(self.raw.get("billingTransaction")).get("status")).lower(), "")

    @property
    def status_reason(self) -> str:
        """The platform's reason for the status, on one line; empty without one."""
        return one_line(reason_text(self.raw.get("statusReason")), MAX_REASON_CHARACTERS)

    @property
    def outputs(self) -> Any:
        """`jobOutputs`, unchanged: an object, a list of objects, or None."""
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
    sentences = [part.strip().rstrip(".") for part in dict.fromkeys(parts) if part.strip()]
    return ". ".join(sentences) + "." if sentences else text(reason.get("code"))
