"""`confirm_execution` waits a little, so that the outcome of a short run comes with it."""

from __future__ import annotations

import pytest

from tests.support.bench import Agent, Bench, docking

pytestmark = pytest.mark.anyio


async def quoted(agent: Agent) -> str:
    return str((await agent.read("create_execution", **docking("CCO")))["execution_id"])


async def test_a_run_that_ends_within_the_wait_comes_with_its_outcome(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        short = await agent.read("create_execution", tool_key="acme.hello-test", inputs={"message": "hi"})
        found = await agent.read("confirm_execution", execution_id=short["execution_id"], wait_seconds=45)
    assert found["status"] == "Completed"


async def test_a_longer_run_comes_with_the_call_that_waits_on(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        began = bench.time.elapsed()
        found = await agent.read("confirm_execution", execution_id=await quoted(agent), wait_seconds=5)
        assert 5 <= bench.time.elapsed() - began <= 8
        assert found["status"] == "Running"
        assert (await agent.follow(found["next_step"]))["all_done"]


async def test_a_run_that_goes_on_is_polled_after_pauses_that_grow(bench: Bench) -> None:
    bench.fault("GET *stream* status=409")
    async with bench.agent(auto_approve_up_to=1) as agent:
        name = await quoted(agent)
        await agent.read("confirm_execution", execution_id=name, wait_seconds=10)
    # The quote, what became of it, then after 1, 2.5, 4.8 and 8 seconds, and at the end.
    assert len(bench.sent("GET", f"executions/{name}")) <= 2 + 5


async def test_no_wait_returns_what_was_read_after_the_start(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        began = bench.time.elapsed()
        found = await agent.read("confirm_execution", execution_id=await quoted(agent), wait_seconds=0)
        assert bench.time.elapsed() == began
    assert found["status"] == "Created"


async def test_a_state_that_cannot_be_read_meanwhile_is_no_failure_of_what_was_started(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        name = await quoted(agent)
        # The quote and the state after the start are read; then the platform fails.
        bench.fault("GET */executions/* status=503 skip=2 times=50")
        found = await agent.read("confirm_execution", execution_id=name, wait_seconds=5)
    assert found["status"] == "Created"
    assert bench.platform.confirms == [name]
