"""Simulated time: what the platform calls "now", and how a request waits for a later instant.

Instants are timezone-aware UTC datetimes; durations are simulated seconds. Nothing else in this package
reads a real clock, so a test that owns the clock owns every transition.
"""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the simulator asks of time."""

    @property
    def speed(self) -> float:
        """Simulated seconds per real second; 1.0 when real time plays no part."""

    def now(self) -> datetime:
        """The simulated instant, UTC."""

    def wall_now(self) -> datetime:
        """The real instant, UTC. Token expiry is judged by it, because clients judge it so too."""

    async def sleep_until(self, instant: datetime, *, background: bool = False) -> None:
        """Wait for a simulated instant, or less than that: callers look again.

        `background` marks waits that no request depends on.
        """


class ScaledClock:
    """Real time, `speed` times faster, anchored at the real UTC instant of its construction.

    Args:
        speed: Simulated seconds per real second; above 0, below 1 is slow motion.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, got {speed!r}")
        self._speed = float(speed)
        self._origin = datetime.now(UTC)
        self._started = time.monotonic()

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> datetime:
        return self._origin + timedelta(seconds=(time.monotonic() - self._started) * self._speed)

    def wall_now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime, *, background: bool = False) -> None:  # noqa: ARG002
        left = (instant - self.now()).total_seconds() / self._speed
        # An event loop accepts no timer beyond about a day on some systems; callers look at the clock and come again.
        await asyncio.sleep(min(max(left, 0.0), 3600.0))


class ManualClock:
    """Time that moves only when told to; safe to advance from another thread than the server's.

    Args:
        start: First instant, UTC.
        auto_advance: Jump forward by itself to whatever instant a request waits for, so that a blocking
            create answers at once. Background waits (event streams) never move it.
    """

    def __init__(self, start: datetime | None = None, *, auto_advance: bool = False) -> None:
        self._now = (start or datetime(2026, 10, 5, 9, 0, tzinfo=UTC)).astimezone(UTC)
        self._auto_advance = auto_advance
        self._order = itertools.count()
        self._waiters: list[tuple[datetime, int, Callable[[], None]]] = []
        self._changed = threading.Condition()

    @property
    def speed(self) -> float:
        return 1.0

    def now(self) -> datetime:
        return self._now

    def wall_now(self) -> datetime:
        return datetime.now(UTC)

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` (0 or more) and wake whoever waited for an instant now past."""
        if seconds < 0:
            raise ValueError(f"time only moves forward, got {seconds!r}")
        with self._changed:
            self._now += timedelta(seconds=seconds)
            self._wake_due()
            return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move forward to an instant; one in the past changes nothing."""
        with self._changed:
            self._now = max(self._now, instant)
            self._wake_due()

    def wait_for_waiters(self, count: int = 1, *, timeout_seconds: float = 5.0) -> bool:
        """Block the calling thread until `count` waits are pending; False when that never happens."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiters) >= count, timeout_seconds)

    async def sleep_until(self, instant: datetime, *, background: bool = False) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            with suppress(RuntimeError):  # the loop of an abandoned waiter may be closed by now
                loop.call_soon_threadsafe(finish)

        with self._changed:
            if self._auto_advance and not background and instant > self._now:
                self._now = instant
                self._wake_due()
            if instant <= self._now:
                return
            entry = (instant, next(self._order), wake)
            heapq.heappush(self._waiters, entry)
            self._changed.notify_all()
        try:
            await future
        finally:
            with self._changed:
                if entry in self._waiters:
                    self._waiters.remove(entry)
                    heapq.heapify(self._waiters)

    def _wake_due(self) -> None:
        while self._waiters and self._waiters[0][0] <= self._now:
            heapq.heappop(self._waiters)[2]()


class Bell:
    """Wakes waiting coroutines, of any event loop, when a state changes outside of time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def ring(self) -> None:
        """Wake everyone who waits now; callable from any thread."""
        with self._lock:
            listeners = list(self._listeners.items())
        for event, loop in listeners:
            with suppress(RuntimeError):  # that loop is closed, so nobody waits there
                loop.call_soon_threadsafe(event.set)

    def listen(self) -> "Listener":
        """Start to remember rings for one coroutine; use as a context manager."""
        return Listener(self)

    def _join(self, event: asyncio.Event) -> None:
        with self._lock:
            self._listeners[event] = asyncio.get_running_loop()

    def _leave(self, event: asyncio.Event) -> None:
        with self._lock:
            self._listeners.pop(event, None)


class Listener:
    """One coroutine's ear on a `Bell`: a ring between two waits is not lost."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._event = asyncio.Event()

    def __enter__(self) -> "Listener":
        self._bell._join(self._event)  # noqa: SLF001 - the two classes are one mechanism
        return self

    def __exit__(self, *_: object) -> None:
        self._bell._leave(self._event)  # noqa: SLF001

    async def wait(self, clock: Clock, until: datetime, *, background: bool = False) -> bool:
        """Wait for a ring or for `until`, whichever is first; True when it was a ring."""
        if not self._event.is_set():
            tasks = [
                asyncio.ensure_future(self._event.wait()),
                asyncio.ensure_future(clock.sleep_until(until, background=background)),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        rang = self._event.is_set()
        self._event.clear()
        return rang


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
