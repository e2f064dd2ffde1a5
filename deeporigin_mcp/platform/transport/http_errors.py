"""HTTP error responses, and refusals for money, licence or plan, as errors by who can act (platform-facts 4.1, 4.2)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json

from deeporigin_mcp.errors import (
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    NotFoundError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform.records.sanitizing import has_usual_numbers, one_line, sanitized
from deeporigin_mcp.platform.transport.tracing import request_id_in
from deeporigin_mcp.settings.places import IN_ENVIRONMENT, CredentialPlaces


def failure(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    what: str,
    retry_after_seconds: float | None = None,
    places: CredentialPlaces = IN_ENVIRONMENT,
) -> DeepOriginError:
    """The error for a response with a status of 300 or more.

    Args:
        status: HTTP status code, 300 or more.
        body: in any of the shapes of platform-facts 4.1.
        headers: a request id is taken from them.
        what: the request in words, such as "get execution 3f0c…".
        retry_after_seconds: of `Retry-After`, already parsed.
        places: where the caller's credentials come from.
    """
    decoded = sanitized_body(body)
    request_id = request_id_in(headers)
    restriction = restriction_in(decoded, http_status=status)
    if restriction is not None:
        restriction.request_id = request_id
        return restriction
    said = message_in(decoded, body)
    text = f"The platform returned HTTP {status} for: {what}." + (f" It says: {said.rstrip('.')}." if said else "")

    if status == 429:
        return RateLimitError(text, retry_after_seconds=retry_after_seconds, request_id=request_id)
    if 300 <= status < 400:
        return PlatformError(
            f"The platform returned a redirect (HTTP {status}) for: {what}. Redirects are not followed, "
            "because the token may only go to the configured address.",
            next_step="The operator should check DO_BASE_URL.",
            http_status=status,
            request_id=request_id,
            code="redirect",
        )
    if status in (401, 403):
        next_step = places.when_refused if status == 401 else places.when_forbidden
        return CredentialError(text, next_step=next_step, http_status=status, request_id=request_id)
    kind, next_step = _KINDS.get(status, (InvalidRequestError if status < 500 else PlatformError, ""))
    if not next_step:
        next_step = (
            "Correct the request as the platform's message says."
            if status < 500
            else "The platform or a proxy failed. Call again in a minute. If it fails again, tell the user."
        )
    return kind(text, next_step=next_step, http_status=status, request_id=request_id)


_KINDS: Mapping[int, tuple[type[DeepOriginError], str]] = {
    404: (NotFoundError, "Check the id, and that it belongs to this organisation."),
    409: (StateConflictError, "Read its current state before trying again."),
    407: (PlatformError, "A proxy requires credentials. The operator should put them into HTTPS_PROXY."),
    408: (PlatformError, "Call again."),
}


def decoded_body(body: bytes) -> Any:
    """The JSON of a body; None if it is invalid or nested deeper than Python reads."""
    with contextlib.suppress(ValueError):
        # Faster than `json`, and repeated texts are stored once; but it accepts less.
        return from_json(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def sanitized_body(body: bytes) -> Any:
    """The JSON of a body as `sanitized` leaves it; None as in `decoded_body`."""
    with contextlib.suppress(ValueError):
        # What this accepts has no lone surrogates, and is not nested too deeply.
        found = from_json(body, allow_inf_nan=False)
        return found if has_usual_numbers(body) else sanitized(found)
    return sanitized(decoded_body(body))


def message_in(decoded: Any, body: bytes = b"") -> str:
    """The platform's own message on one line of at most 600 characters; empty if there is none."""
    if decoded is None:
        text = body[:2000].decode("utf-8", "replace").strip()
        if text[:1] == "<":
            return "(an HTML page, probably from a proxy)"
        return one_line(text)
    if isinstance(decoded, str):
        return one_line(decoded)
    if not isinstance(decoded, dict):
        return ""
    heads = (decoded.get(key) for key in ("message", "error", "detail"))
    head = next((value for value in heads if value), None)
    parts = [_row(row) for row in (head if isinstance(head, list) else [head])]
    errors = decoded.get("errors")
    if isinstance(errors, list):
        parts += [_row(row) for row in errors]
    return one_line("; ".join(part.strip().rstrip(".;") for part in parts if part))


def _row(row: Any) -> str:
    """One entry of a list of errors: data platform, JSON:API, FastAPI, or plain text."""
    if isinstance(row, str):
        return row
    if not isinstance(row, dict):
        return ""
    source = row.get("source")
    location = row.get("loc")
    pointed = source.get("pointer") or source.get("parameter") if isinstance(source, dict) else None
    located = ".".join(str(part) for part in location) if isinstance(location, list) else None
    place = row.get("field") or pointed or located
    reasons = (row.get(key) for key in ("reason", "detail", "title", "message", "msg", "code"))
    reason = next((value for value in reasons if isinstance(value, str) and value), "")
    return ": ".join(str(part) for part in (place, reason) if part)


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
"""Error codes of refusals by the organisation's rules. A resource quota is not one: it may free up."""


def restriction_in(body: Any, *, http_status: int | None = None) -> RestrictionError | None:
    """The refusal for money, licence or plan in an HTTP error body or an execution's DTO; None without one."""
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
    """The texts that are not empty, sanitised, each once."""
    lines = (one_line(value) for value in values if isinstance(value, str))
    return list(dict.fromkeys(line for line in lines if line))
