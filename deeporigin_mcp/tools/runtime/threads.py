"""Work that computes for a while, in a few threads, so that the server goes on responding."""

from __future__ import annotations

import contextlib
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
    """Call a function in one of a few threads. A cancelled caller does not wait for it, so it should change nothing.

    One that may take long calls `stop_if_abandoned` now and then.
    """
    limiter = _THREADS.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _THREADS.set(limiter)
    return await anyio.to_thread.run_sync(function, *arguments, abandon_on_cancel=True, limiter=limiter)


def stop_if_abandoned() -> None:
    """End a thread of `off_loop` whose caller was cancelled: the few threads are for calls that are waited for."""
    from anyio.from_thread import check_cancelled

    with contextlib.suppress(RuntimeError):
        # Outside of such a thread there is nobody to ask.
        check_cancelled()
