"""When a request is sent again, and after which pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from deeporigin_mcp.platform.transport.timing import Timing

RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
"""As in the official client (platform-facts 4.3)."""


class RetryPolicy(NamedTuple):
    """How often and how long safe requests are retried. Others are sent with `attempts=1`."""

    attempts: int = 4
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    budget_seconds: float = 30.0
    """No attempt starts later than this after the first one; one in flight may overrun it."""

    def pause(self, attempt: int, timing: Timing, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after failed attempt number `attempt`, counted from 1.

        Exponential backoff with jitter over the upper half, so that many clients do not come back together.
        A longer `Retry-After` wins.
        """
        longest: float = min(self.first_pause_seconds * 2 ** (attempt - 1), self.longest_pause_seconds)
        spread = longest * (0.5 + 0.5 * timing.chance())
        return max(spread, retry_after_seconds or 0.0)


def retry_after_seconds(headers: Mapping[str, str], timing: Timing) -> float | None:
    """Seconds of `Retry-After`, which are seconds or a date; None if absent or invalid."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    instant = http_date(value)
    return None if instant is None else max(0.0, instant - timing.wall())


def http_date(value: str) -> float | None:
    """A date of an HTTP header in Unix seconds; None if it is invalid."""
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
