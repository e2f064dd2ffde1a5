"""When a request is sent again, and after which pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from deeporigin_mcp.errors import DeepOriginError, NetworkError, RateLimitError, RestrictionError
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


class Attempts:
    """The attempts at one request, as a policy allows them.

    Args:
        most: how often it may be sent; None: as the policy says.
        budget_seconds: no attempt starts later than this after the first one; None: the policy's.
    """

    def __init__(
        self, policy: RetryPolicy, timing: Timing, *, most: int | None = None, budget_seconds: float | None = None
    ) -> None:
        self._policy = policy
        self._timing = timing
        self._most = policy.attempts if most is None else most
        self._budget_seconds = policy.budget_seconds if budget_seconds is None else budget_seconds
        self._started = timing.monotonic()
        self.number = 1
        """Of the attempt that is made now."""

    async def pause(self, error: DeepOriginError, asked_seconds: float | None = None) -> None:
        """Wait until the next attempt after a failure; raise `error` if there is none.

        Args:
            asked_seconds: of `Retry-After`; None: those of `error`, if it has any.
        """
        if asked_seconds is None and isinstance(error, RateLimitError):
            asked_seconds = error.retry_after_seconds
        seconds = self._policy.pause(self.number, self._timing, asked_seconds)
        spent = self._timing.monotonic() - self._started
        if not _may_pass(error) or self.number >= self._most or spent + seconds > self._budget_seconds:
            raise error
        self.number += 1
        await self._timing.sleep(seconds)

    async def begin_anew(self) -> None:
        """Count from 1 again, after a pause: a failed attempt got something done."""
        self.number, self._started = 1, self._timing.monotonic()
        await self._timing.sleep(self._policy.pause(1, self._timing))


def _may_pass(error: DeepOriginError) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, NetworkError):
        return not error.is_lasting
    return error.http_status in RETRYABLE_STATUSES and not isinstance(error, RestrictionError)


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
