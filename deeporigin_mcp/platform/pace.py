"""How fast a wait may look: what events may cause, and what a 429 holds back."""

from __future__ import annotations

from deeporigin_mcp.errors import RateLimitError
from deeporigin_mcp.platform.timing import Timing

EVENT_BURST_PER_ID = 15
LARGEST_EVENT_BURST = 60
EVENT_SHARE = 0.02
"""Events are looked into at once up to a burst; after that at a rate that is a small share of what asking for each
execution once per interval would be. Most events tell of a little progress only."""
RATE_LIMIT_SECONDS = 2.0
LONGEST_RATE_LIMIT_SECONDS = 60.0


class EventAllowance:
    """How many looks events may still cause: a burst that refills at `EVENT_SHARE` of polling."""

    def __init__(self, executions: int, interval_seconds: float, now: float) -> None:
        """All instants are of the monotonic clock, in seconds; so is `now`."""
        self._burst = float(min(EVENT_BURST_PER_ID * executions, LARGEST_EVENT_BURST))
        self._looks_per_second = EVENT_SHARE * executions / interval_seconds
        self._looks = self._burst
        self._counted_at = now

    def next_look(self, now: float) -> float:
        """When an event may be looked into: since ever, or at an instant."""
        gained = (now - self._counted_at) * self._looks_per_second
        self._looks, self._counted_at = min(self._looks + gained, self._burst), now
        if self._looks > 0.999:
            return float("-inf")
        return now + (1.0 - self._looks) / self._looks_per_second

    def spend(self, looks: int) -> None:
        self._looks -= looks


class Hold:
    """The pause after a 429: the platform's own, or one that doubles with each until something is answered."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._rate_limits = 0
        self.until = float("-inf")
        """No look at anything before this instant of the monotonic clock."""

    def begin(self, error: RateLimitError) -> None:
        self._rate_limits += 1
        own = min(RATE_LIMIT_SECONDS * 2 ** (self._rate_limits - 1), LONGEST_RATE_LIMIT_SECONDS)
        asked = own if error.retry_after_seconds is None else error.retry_after_seconds
        spread = asked + 0.2 * asked * self._timing.chance()
        self.until = max(self.until, self._timing.monotonic() + spread)

    def answered(self) -> None:
        """The platform answers again: the next pause of our own starts small."""
        self._rate_limits = 0
