"""The shapes of JSON responses: objects, lists, envelopes, pages (platform-facts 8)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport import tracing

AGAIN = "Call again. If it fails again, tell the user."


def _unusable(message: str, *, code: str = "invalid_response") -> PlatformError:
    """The error of a response that cannot be used, which counts as unreadable."""
    return PlatformError(message, next_step=AGAIN, code=code, request_id=tracing.count_unreadable())


def expect_object(response: Any, what: str) -> Json:
    """The response if it is a JSON object.

    Raises:
        PlatformError: it is something else.
    """
    if isinstance(response, dict):
        return response
    raise _unusable(f"The response to {what} is not an object.")


def expect_execution(response: Any, what: str, execution_id: str) -> Json:
    """The response if it is the DTO of the requested execution.

    Raises:
        PlatformError: it is not an object, or about another execution; nothing of it may be used.
    """
    dto = expect_object(response, what)
    # The raw id, not sanitised. UUIDs may be written in either case.
    if text(dto.get("executionId")).casefold() != execution_id.strip().casefold():
        raise _unusable(f"The response is about another execution than requested: {what}.", code="wrong_execution")
    return dto


def expect_list(response: Any, what: str) -> Any:
    """The response, unchanged, if it holds rows.

    Raises:
        PlatformError: it is neither a list nor an object with a list in `data`; an empty list would hide that.
    """
    if isinstance(response, list) or (
        isinstance(response, dict) and isinstance(response.get("data", 0), list | NoneType)
    ):
        return response
    raise _unusable(f"The response to {what} is not a list.")


def in_envelope(response: Any, what: str) -> Json:
    """Rows of the data platform as `{"data": […], "meta": {…}}`. Raises as `expect_list` does."""
    checked = expect_list(response, what)
    return checked if isinstance(checked, dict) else {"data": rows_of(checked), "meta": {}}


def rows_of(response: Any) -> list[Json]:
    """The rows of `{"data": […]}` or of a bare list (platform-facts 8.1)."""
    rows = response.get("data") if isinstance(response, dict) else response
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def total_of(response: Any) -> int | None:
    """How many rows match in all; None if the response does not say so (platform-facts 8.2).

    `meta.count` is left out on purpose: it counts the rows of the page.
    """
    if not isinstance(response, dict):
        return None
    for holder, key in (
        (response.get("meta"), "total_count"),
        (response.get("pagination"), "count"),
        (response, "count"),
    ):
        value = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def has_more_of(response: Any) -> bool | None:
    """`meta.hasMore` of a data-platform response; None without it."""
    value = as_object(as_object(response).get("meta")).get("hasMore")
    return value if isinstance(value, bool) else None


def next_cursor_of(response: Any) -> str | None:
    """`meta.nextCursor` of a data-platform response; None without it."""
    return text(as_object(as_object(response).get("meta")).get("nextCursor")) or None
