"""Times that a caller gives."""

from __future__ import annotations

from datetime import datetime

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import moment


def checked_time(name: str, given: str | None, example: str, *, after_year: int = 1) -> datetime | None:
    """The time that an argument names; None if it is not given.

    Args:
        example: a sentence with a call that gives a valid one. A model rarely knows the time.
        after_year: the last year that is too early. The first and the last of the calendar may not exist in another
            time zone.

    Raises:
        ArgumentError: it is not a time.
    """
    found = moment(given)
    if given is not None and (found is None or not after_year < found.year < 9999):
        raise ArgumentError(
            f"Invalid {name} {one_line(given, 60)!r}.",
            next_step=f"Valid: a UTC time such as 2026-05-07T15:00:00Z, or a date such as 2026-05-07. {example}",
        )
    return found
