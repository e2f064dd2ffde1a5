"""Refusals for money, licence or plan, in each place where the platform puts them (platform-facts 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deeporigin_mcp.errors import RestrictionError
from deeporigin_mcp.platform.wording import one_line

RESTRICTION_CODES = frozenset(
    {
        "LICENSE.FEATURE_NOT_LICENSED",
        "LICENSE.INSUFFICIENT_AVAILABILITY",
        "LICENSE.RESERVE.FEATURE_NOT_LICENSED",
        "LICENSE.RESERVE.EXCEEDS_MAX",
        "MASON.TOOL_EXECUTION.BILLING_REJECTED",
        "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED",
        "CREDITS_TX.PREPARE.INSUFFICIENT",
    }
)
"""Codes that mean "the organisation's rules refuse this". A resource quota is not one: it may free up."""


def restriction_in(body: Any, *, http_status: int | None = None) -> RestrictionError | None:
    """The restriction that an error body or an execution DTO carries, or None.

    Works on the decoded body of an HTTP error and on the DTO that create, confirm or wait returned.
    """
    if not isinstance(body, dict):
        return None
    found = _reasons(body)
    if not found:
        return None
    messages = _distinct(message for message, _ in found)
    actions = _distinct(action for _, action in found)
    message = one_line("; ".join(messages)) or "The platform's licence or billing rules refuse this run"
    action = one_line("; ".join(actions)) or None
    return RestrictionError(
        " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in (message, action) if part),
        action=action,
        execution=body if isinstance(body.get("executionId"), str) else None,
        http_status=http_status,
    )


def _reasons(body: dict[str, Any]) -> list[tuple[str, str]]:
    reason = body.get("statusReason")
    if _is_restriction(body) or body.get("purchase_approved") is False or body.get("is_approved") is False:
        return [_words(body)]
    if body.get("status") == "InsufficientFunds":
        return [_words(reason if isinstance(reason, dict) else {"message": reason})]
    if isinstance(reason, dict) and _is_restriction(reason):
        return [_words(reason)]
    errors = body.get("errors")
    rows = errors if isinstance(errors, list) else []
    return [_words(row) for row in rows if isinstance(row, dict) and _is_restriction(row)]


def _is_restriction(holder: dict[str, Any]) -> bool:
    code = holder.get("code")
    return isinstance(code, str) and code in RESTRICTION_CODES


def _words(holder: dict[str, Any]) -> tuple[str, str]:
    """The message and the requested action of one refusal; either may be empty."""
    items = holder.get("items")
    rows = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    messages = [holder.get(key) for key in ("purchase_approval_comment", "message", "detail", "title")]
    actions = [holder.get(key) for key in ("action_request", "actionRequest")]
    message = next(iter(_distinct(messages)), "") or "; ".join(
        _distinct(row.get("purchaseApprovalComment") for row in rows)
    )
    action = next(iter(_distinct(actions)), "") or "; ".join(_distinct(row.get("actionRequest") for row in rows))
    return message, action


def _distinct(values: Iterable[Any]) -> list[str]:
    """The texts with something to read in them, cleaned, each once."""
    told = (one_line(value) for value in values if isinstance(value, str))
    return list(dict.fromkeys(text for text in told if text))
