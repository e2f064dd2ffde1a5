"""Simulated time: what the platform calls "now", and how a request waits for a later instant or for a change.

Instants are timezone-aware UTC datetimes; durations are simulated seconds. Nothing else in this package
reads a real clock, so a test that owns the clock owns every transition.
"""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime, timedelta


class Clock(ABC):
    """Time, and the coroutines of any event loop that wait on it.

    Attributes:
        speed: Simulated seconds per real second; 1.0 when real time plays no part.
    """

    speed = 1.0

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._listeners: list[Listener] = []

    @abstractmethod
    def now(self) -> datetime:
        """The simulated instant, UTC."""

    def wall_now(self) -> datetime:
        """The real instant, UTC. Token expiry is judged by it, because clients judge it so too."""
        return datetime.now(UTC)

    def wake(self) -> None:
        """Wake everyone who waits: something changed that time alone does not explain. Callable from any thread."""
        with self._changed:
            for listener in self._listeners:
                listener.wake()

    def listen(self) -> "Listener":
        """Waits of one coroutine; use as a context manager."""
        return Listener(self)

    @abstractmethod
    def real_seconds_until(self, instant: datetime) -> float | None:
        """How long to wait, at most; None to wait until woken."""

    def arrive(self, listener: "Listener", instant: datetime, *, background: bool) -> bool:  # noqa: ARG002
        """Note that a listener waits for an instant; False when that has come already. Called with the lock held."""
        listener.until = instant
        self._changed.notify_all()
        return instant > self.now()


class Listener:
    """One coroutine's waits; a wake between two of them is not lost.

    Attributes:
        until: The instant that it waits for now; None while it does not wait.
    """

    def __init__(self, clock: Clock) -> None:
        self.until: datetime | None = None
        self._clock = clock
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> "Listener":
        with self._clock._changed:  # noqa: SLF001 - the two classes are one mechanism
            self._clock._listeners.append(self)  # noqa: SLF001
        return self

    def __exit__(self, *_: object) -> None:
        with self._clock._changed:  # noqa: SLF001
            self._clock._listeners.remove(self)  # noqa: SLF001

    def wake(self) -> None:
        """End the wait, or the next one."""
        with suppress(RuntimeError):  # the loop of an abandoned listener may be closed by now
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, until: datetime, *, background: bool = False) -> None:
        """Wait for an instant or a wake, or less than that: callers look again.

        `background` marks waits that no request depends on; an auto-advancing clock does not jump for them.
        """
        try:
            with self._clock._changed:  # noqa: SLF001
                waits = self._event.is_set() or self._clock.arrive(self, until, background=background)
            if waits:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._event.wait(), self._clock.real_seconds_until(until))
        finally:
            self.until = None
            self._event.clear()


class ScaledClock(Clock):
    """Real time, `speed` times faster, anchored at the real UTC instant of its construction.

    Args:
        speed: Simulated seconds per real second; above 0, below 1 is slow motion.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, got {speed!r}")
        super().__init__()
        self.speed = float(speed)
        self._origin = self.wall_now()
        self._started = time.monotonic()

    def now(self) -> datetime:
        return self._origin + timedelta(seconds=(time.monotonic() - self._started) * self.speed)

    def real_seconds_until(self, instant: datetime) -> float:
        left = (instant - self.now()).total_seconds() / self.speed
        # An event loop accepts no timer beyond about a day on some systems.
        return min(max(left, 0.0), 3600.0)


class ManualClock(Clock):
    """Time that moves only when told to; safe to advance from another thread than the server's.

    Args:
        start: First instant, UTC.
        auto_advance: Jump forward by itself to whatever instant a request waits for, so that a blocking
            create answers at once. Background waits (event streams) never move it.
    """

    def __init__(self, start: datetime | None = None, *, auto_advance: bool = False) -> None:
        super().__init__()
        self._now = (start or datetime(2026, 10, 5, 9, 0, tzinfo=UTC)).astimezone(UTC)
        self._auto_advance = auto_advance

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` (0 or more) and wake whoever waited for an instant now past."""
        if seconds < 0:
            raise ValueError(f"time only moves forward, got {seconds!r}")
        with self._changed:
            self.advance_to(self._now + timedelta(seconds=seconds))
            return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move forward to an instant; one in the past changes nothing."""
        with self._changed:
            self._now = max(self._now, instant)
            for listener in self._listeners:
                if listener.until is not None and listener.until <= self._now:
                    listener.wake()

    def wait_for_waiters(self, count: int = 1, *, timeout_seconds: float = 60.0) -> bool:
        """Block the calling thread until `count` waits are pending; False when that never happens."""

        def enough() -> bool:
            return sum(listener.until is not None for listener in self._listeners) >= count

        with self._changed:
            return self._changed.wait_for(enough, timeout_seconds)

    def real_seconds_until(self, instant: datetime) -> None:  # noqa: ARG002
        return None

    def arrive(self, listener: Listener, instant: datetime, *, background: bool) -> bool:
        if self._auto_advance and not background:
            self.advance_to(instant)
        return super().arrive(listener, instant, background=background)


def stamp(instant: datetime) -> str:
    """ISO text with milliseconds and `Z`, the platform's usual form (platform-facts 1.3)."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def whole_seconds(instant: datetime) -> datetime:
    """The instant without its fraction: workflow runs start and end on whole seconds."""
    return instant.replace(microsecond=0)


def instant_of(text: object) -> datetime | None:
    """Read an ISO timestamp (a naive one is UTC); None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
