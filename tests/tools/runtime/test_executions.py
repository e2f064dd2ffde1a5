"""An unknown id is refused with the tools that show known ones; a close id is suggested to calls that only read."""

from __future__ import annotations

import pytest

from deeporigin_mcp.tools.runtime.executions import at_its_end, existing
from tests.support.bench import PROJECT, Agent, Bench
from tests.support.facts import calls_in

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

CHANGING = ("confirm_execution", "cancel_execution")
READING = ("get_execution", "get_execution_logs", "get_execution_results")


@pytest.fixture(scope="module")
def name(module_bench: Bench) -> str:
    module_bench.platform.seed_executions(count=5)
    return module_bench.seeded("Completed", name="BRD4 pilot")


@pytest.fixture
def wrong(bench: Bench, name: str) -> dict[str, str]:
    return {
        "data platform": bench.platform.executions[name].data_platform_id,
        "capitals": name.upper(),
        "beginning": name[:8],
        "cut": name[:-1],
        "slip": name[:-1] + ("0" if name[-1] != "0" else "1"),
        "project": PROJECT,
        "tool key": "deeporigin.docking",
        "name": "BRD4 pilot",
        "placeholder": "<execution_id>",
        "nothing": "00000000-0000-4000-8000-000000000005",
    }


KINDS = (
    "data platform", "capitals", "beginning", "cut", "slip", "project", "tool key", "name", "placeholder", "nothing",
)  # fmt: skip
CLOSE = KINDS[:5]
"""Kinds whose execution is suggested when they are read."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tool", READING)
async def test_reading_by_a_wrong_id_names_it_and_suggests_a_close_one(
    agent: Agent, wrong: dict[str, str], name: str, tool: str, kind: str
) -> None:
    message = await agent.refused(tool, execution_id=wrong[kind])
    assert wrong[kind] in message
    assert {"list_executions", "search_executions"} <= set(message.replace(";", " ").split())
    suggested = [("get_execution", {"execution_id": name})] if kind in CLOSE else []
    assert calls_in(message, agent.inputs) == suggested


@pytest.mark.parametrize("tool", CHANGING)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_by_an_unknown_id_names_it_and_neither_searches_nor_guesses(
    agent: Agent, bench: Bench, wrong: dict[str, str], tool: str, kind: str
) -> None:
    bench.platform.requests.clear()
    message = await agent.refused(tool, execution_id=wrong[kind])
    assert wrong[kind] in message
    assert "list_executions" in message
    assert [method for method, _, _ in bench.platform.requests] == ["GET"], "the id itself was asked for, nothing else"
    assert calls_in(message, agent.inputs) == []


async def test_waiting_by_wrong_ids_names_each_in_its_row(agent: Agent, wrong: dict[str, str], name: str) -> None:
    found = await agent.read("wait_executions", execution_ids=[name, *wrong.values()], timeout_seconds=0)
    rows = found["executions"]
    assert rows[0]["status"] == "Completed"
    assert found["all_done"] is False
    for given, row in zip(wrong.values(), rows[1:], strict=True):
        assert (row["execution_id"], given in row["error"]) == (given, True)
        assert "list_executions" in row["error"]


async def test_a_search_that_fails_hides_nothing(agent: Agent, bench: Bench, wrong: dict[str, str]) -> None:
    bench.fault("GET */executions status=500")
    bench.fault("GET */data-platform/* status=403")
    try:
        for kind in ("data platform", "slip"):
            message = await agent.refused("get_execution", execution_id=wrong[kind])
            assert wrong[kind] in message
            assert "list_executions" in message
    finally:
        bench.heal()


async def test_a_platform_that_refuses_malformed_ids_as_bad_requests_is_explained_alike(
    agent: Agent, bench: Bench, wrong: dict[str, str], name: str
) -> None:
    bench.fault("GET */executions/* status=400")
    try:
        assert (await agent.error("get_execution", execution_id=wrong["tool key"])).code == "not_found"
        found = await agent.read("wait_executions", execution_ids=[wrong["tool key"]], timeout_seconds=0)
        assert "list_executions" in found["executions"][0]["error"]
        assert (await agent.error("get_execution", execution_id=name)).code == "invalid_request"
    finally:
        bench.heal()


async def test_unknown_ids_of_the_data_platform_are_not_found_either(agent: Agent, name: str) -> None:
    for unknown in (PROJECT, "BRD4 pilot", name):
        refused = await agent.error("get_execution", execution_id=unknown, source="data_platform")
        assert refused.code == "not_found"


async def test_a_run_that_is_not_over_in_time_still_has_its_inputs(bench: Bench) -> None:
    running = bench.seeded("Running")
    async with bench.connect(bench.settings()) as client:
        before = await existing(client, running)
        after = await at_its_end(client, before, 3.0)
    assert (after.status, after.inputs, after.metadata) == ("Running", before.inputs, before.metadata)
    assert before.inputs
