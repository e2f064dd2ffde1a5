"""Clock, sleep and randomness in one place, so that tests can replace them."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio


def seconds_since_boot() -> float:
    """Monotonic seconds that also count while the machine sleeps.

    `time.monotonic` stands still while a laptop with Linux or macOS sleeps.
    """
    if sys.platform == "win32":
        return time.monotonic()
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Timing(NamedTuple):
    """Clocks and sleep of the client. All values are seconds."""

    wall: Callable[[], float] = time.time
    """Unix time; token expiry and `Retry-After` dates are compared with it."""
    monotonic: Callable[[], float] = time.monotonic
    """Durations and deadlines."""
    since_boot: Callable[[], float] = seconds_since_boot
    """Ages that also grow while the machine sleeps."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    background_sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """For background work such as a heartbeat: a test's clock does not advance for it."""
    chance: Callable[[], float] = random.random
    """Uniform in [0, 1); jitter of retries and polls."""
