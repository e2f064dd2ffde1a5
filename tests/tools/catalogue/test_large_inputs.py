"""Inputs are checked beside everything else, not before it, however long that takes."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from deeporigin_mcp.tools.catalogue import checking
from deeporigin_mcp.tools.catalogue.checking import Findings, checked
from deeporigin_mcp.tools.protocol import tool as surface
from deeporigin_mcp.tools.runtime.threads import MAX_THREADS, off_loop
from tests.support.bench import Bench, docking
from tests.support.errors import ErrorFacts

pytestmark = pytest.mark.anyio

MANY = docking(*["CCO"] * 3_000)


class Held:
    """A check that goes on until it is let go, and only where that holds up nobody."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.now = self.most = 0

    def __call__(self, given: dict[str, Any], schema: dict[str, Any], tool_key: str = "") -> Findings:
        assert threading.current_thread() is not threading.main_thread()
        self.now += 1
        self.most = max(self.most, self.now)
        self.begun.release()
        assert self.let_go.wait(60)
        self.now -= 1
        return checked(given, schema, tool_key)

    async def wait_begun(self) -> None:
        assert await anyio.to_thread.run_sync(lambda: self.begun.acquire(timeout=20))


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(checking, "checked", held)
    return held


async def test_other_calls_get_results_while_large_inputs_are_checked(bench: Bench, held: Held) -> None:
    errors: list[ErrorFacts] = []

    async with bench.agent() as agent:

        async def create() -> None:
            errors.append(await agent.error("create_execution", **MANY))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create)
            await held.wait_begun()
            assert (await agent.read("find_platform_tools"))["count"] > 10
            assert not errors
            held.let_go.set()
    assert errors == [("invalid_inputs", "nothing_created")]


async def test_a_call_that_times_out_does_not_wait_for_its_check(
    bench: Bench, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "CALL_SECONDS", 0.5)
    try:
        async with bench.agent() as agent:
            refused = await agent.error("create_execution", **MANY)
    finally:
        held.let_go.set()
    assert refused == ("timed_out", "unknown")
    assert not bench.platform.creates


async def test_only_so_many_are_checked_at_once(held: Held) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(MAX_THREADS + 3):
            tasks.start_soon(off_loop, held, {}, {})
        for _ in range(MAX_THREADS):
            await held.wait_begun()
        held.let_go.set()
    assert held.most == MAX_THREADS
