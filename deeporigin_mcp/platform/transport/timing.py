"""Clock, sleep and chance in one place, so that tests can replace them."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio


def seconds_since_boot() -> float:
    """Seconds that pass while the machine sleeps too, and that setting its clock does not change.

    `time.monotonic` stands still while a laptop with Linux or macOS sleeps.
    """
    if sys.platform == "win32":
        return time.monotonic()
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class Timing:
    """The passage of time as the client sees it. All values are seconds."""

    wall: Callable[[], float] = time.time
    """Unix time; token expiry and `Retry-After` dates are compared with it."""
    monotonic: Callable[[], float] = time.monotonic
    """Durations and deadlines."""
    since_boot: Callable[[], float] = seconds_since_boot
    """Ages that count on while the machine sleeps."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    background_sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """Of what runs beside the work that time is for, such as a heartbeat: a clock of tests does not move for it."""
    chance: Callable[[], float] = random.random
    """Uniform in [0, 1); spreads retries and polls of many clients."""
