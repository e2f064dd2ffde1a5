"""The shapes of responses: objects, lists, envelopes, pages (platform-facts 8)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport import tracing as traffic


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
    value = as_object(as_object(answer).get("meta")).get("hasMore")
    return value if isinstance(value, bool) else None


def next_cursor_of(answer: Any) -> str | None:
    """Where the rows after these begin, where an answer of the data platform says so."""
    return text(as_object(as_object(answer).get("meta")).get("nextCursor")) or None
