"""A wait as a task of a server in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.bench import Bench, bench_token
from tests.support.task_client import MODERN, TakesTasks, get_task, handle_of
from tests.support.waiting_server import WAIT, Waiter, started

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


def process(bench: Bench, extension: TakesTasks) -> Client:
    """A client of a fresh server process with the same credentials as every other."""
    environment: dict[str, Any] = {
        "DO_AUTH_TOKEN": bench_token(),
        "DO_ORG_KEY": "deeporigin",
        "DO_BASE_URL": bench.base_url,
    }
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "tests.support.waiting_server"], env=environment, cwd=ROOT
    )
    return Client(stdio_client(server), mode=MODERN, extensions=[extension])


async def test_a_task_outlives_the_process_that_gave_it(bench: Bench) -> None:
    names = [await started(bench), await started(bench, *["CCO"] * 20)]
    async with process(bench, TakesTasks()) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": names})
        assert (handle.status, handle.poll_interval_ms) == ("working", 5000)
        assert (await get_task(agent.session, handle.task_id)).created_at == handle.created_at
    bench.clock.advance(600)
    waiter = Waiter(bench)
    async with process(bench, waiter) as agent:
        state = await get_task(agent.session, handle.task_id)
        assert (state.status, state.created_at) == ("completed", handle.created_at)
        assert state.result is not None
        assert [row["status"] for row in state.result["structuredContent"]["executions"]] == ["Completed"] * 2

        answer = await agent.call_tool(WAIT, {"execution_ids": [await started(bench, *["CCO"] * 20)]})
        assert answer.structured_content["all_done"] is True
    assert sum(waiter.paused_ms) > 100_000
