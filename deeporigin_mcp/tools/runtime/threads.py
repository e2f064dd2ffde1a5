"""Work that computes for a while, in a few threads, so that the server goes on responding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

Result = TypeVar("Result")

MAX_THREADS = 2
"""More would only slow each other down, and everything else."""

_THREADS: RunVar[anyio.CapacityLimiter] = RunVar("threads that compute")


async def off_loop(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in one of a few threads. A cancelled caller does not wait for it, so it should change nothing."""
    limiter = _THREADS.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _THREADS.set(limiter)
    return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=limiter)
