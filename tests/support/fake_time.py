"""Time that passes only where the code under test sleeps, or where a test says so."""

from __future__ import annotations

import heapq
import itertools

import anyio
from anyio.lowlevel import checkpoint

from deeporigin_mcp.platform import Timing

START = 1_760_000_000.0
"""Unix seconds: 9 October 2025, 08:53:20 UTC."""


TURNS = 5
"""Turns of the event loop in which whoever was woken does its work and goes to sleep again."""


class FakeTime:
    """A clock for `Timing`. A sleep moves it forward at once; nothing waits in real time.

    What sleeps beside, as a heartbeat does, does not move it: it wakes when something else has moved it far enough.

    Args:
        stands: no sleep moves it, only `advance`.
    """

    def __init__(self, *, chance: float = 1.0, stands: bool = False) -> None:
        self.now = 0.0
        self.chance = chance
        self.sleeps: list[float] = []
        self._stands = stands
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    @property
    def timing(self) -> Timing:
        return Timing(
            wall=lambda: START + self.now,
            monotonic=lambda: self.now,
            sleep=self._sleep_beside if self._stands else self._sleep,
            background_sleep=self._sleep_beside,
            chance=lambda: self.chance,
            since_boot=lambda: self.now,
        )

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake whoever slept until then."""
        self.now += seconds
        while self._sleepers and self._sleepers[0][0] <= self.now:
            heapq.heappop(self._sleepers)[2].set()

    async def _sleep_beside(self, seconds: float) -> None:
        event = anyio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), event))
        await event.wait()

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        end = self.now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            self.advance(self._sleepers[0][0] - self.now)
            for _ in range(TURNS):
                await checkpoint()
        self.advance(max(0.0, end - self.now))
        await checkpoint()
