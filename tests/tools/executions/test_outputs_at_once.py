"""A run that ends within the call that starts it: its small outputs come at once, as get_execution_results has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from deeporigin_mcp.tools.executions.details import SMALL_OUTPUTS_CHARACTERS, ended_view
from deeporigin_mcp.tools.protocol.tool import content_of
from deeporigin_mcp.tools.responses import steps
from tests.support.bench import FREE, Agent, Bench, SimulatedTime, compact_size, docking

pytestmark = pytest.mark.anyio


@pytest.fixture
async def quick(anyio_backend: str) -> AsyncIterator[Agent]:
    """An agent of a platform whose short runs end within the request that starts them."""
    clock = ManualClock(auto_advance=True)
    platform = Platform(clock=clock)
    with running_simulator(platform) as simulator:
        async with Bench(platform, clock, simulator.base_url, SimulatedTime(clock)).agent() as agent:
            yield agent


async def test_creating_and_starting_a_short_free_run_gives_its_outputs(quick: Agent) -> None:
    made = await quick.read("create_execution", **FREE, start=True, sync=True)
    assert made["status"] == "Completed"
    assert "next_step" not in made
    read = await quick.read("get_execution_results", execution_id=made["execution_id"])
    assert made["outputs"] == read["outputs"] != {}


async def test_confirming_a_short_run_gives_its_outputs(quick: Agent) -> None:
    made = await quick.read("create_execution", **FREE)
    assert "outputs" not in made
    done = await quick.read("confirm_execution", execution_id=made["execution_id"])
    read = await quick.read("get_execution_results", execution_id=made["execution_id"])
    assert done["outputs"] == read["outputs"]


async def test_the_same_key_gives_the_outputs_again(quick: Agent) -> None:
    first = await quick.read("create_execution", **FREE, start=True, idempotency_key="k")
    again = await quick.read("create_execution", **FREE, start=True, idempotency_key="k")
    assert again["outputs"] == first["outputs"]
    assert "get_execution_results" not in again["next_step"]


async def test_a_run_that_goes_on_has_no_outputs_yet(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        made = await agent.read("create_execution", **docking(), start=True)
    assert "outputs" not in made
    assert "wait_executions(" in made["next_step"]


def _exactly(characters: int) -> dict[str, Any]:
    """Outputs of so many characters as compact JSON, without a long text."""
    values: dict[str, Any] = {"values": [1] * ((characters - 50) // 2), "rest": ""}
    values["rest"] = "x" * (characters - compact_size({**values, "rest": ""}))
    assert compact_size(values) == characters
    return values


@pytest.mark.parametrize(
    ("outputs", "is_small"),
    [
        (_exactly(SMALL_OUTPUTS_CHARACTERS), True),
        (_exactly(SMALL_OUTPUTS_CHARACTERS + 1), False),
        ({"text": "x" * 501}, False),
        ([{"one": 1}], True),
        ([1, 2], True),
        ({}, False),
        (None, False),
    ],
)
async def test_outputs_come_at_once_only_whole_and_small(
    agent: Agent, bench: Bench, outputs: Any, is_small: bool
) -> None:
    name = bench.raw(status="Succeeded", jobOutputs=outputs)
    execution = Execution({"executionId": name, "status": "Succeeded", "jobOutputs": outputs})
    told = content_of(ended_view(execution, steps.results_of(name)))[0]
    read = await agent.read("get_execution_results", execution_id=name)
    if is_small:
        assert told["outputs"] == read["outputs"]
        assert "next_step" not in told
    else:
        assert "outputs" not in told
        assert told["next_step"] == steps.results_of(name)
