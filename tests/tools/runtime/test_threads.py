"""Work in threads ends when nobody waits for it any more."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from deeporigin_mcp.tools.runtime.threads import off_loop, stop_if_abandoned

pytestmark = pytest.mark.anyio


async def test_a_computation_whose_call_is_over_ends() -> None:
    begun, ended = threading.Event(), threading.Event()

    def compute() -> None:
        try:
            while True:
                stop_if_abandoned()
                begun.set()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(off_loop, compute)
        await anyio.to_thread.run_sync(begun.wait, 10)
        tasks.cancel_scope.cancel()
    assert await anyio.to_thread.run_sync(ended.wait, 10)


def test_outside_of_such_a_thread_nothing_stops() -> None:
    stop_if_abandoned()
