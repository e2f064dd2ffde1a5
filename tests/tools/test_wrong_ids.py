"""An id of another kind is recognised and named, in every tool that takes one, with the exact next call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.identifiers import stray
from tests.tools.bench import PROJECT, Agent, Bench, running_bench
from tests.tools.facts import calls_in

pytestmark = pytest.mark.anyio

CHANGING = ("confirm_execution", "cancel_execution")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        found.platform.seed_executions(count=5)
        yield found


@pytest.fixture(scope="module")
async def agent(bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    async with bench.agent() as found:
        yield found


@pytest.fixture(scope="module")
def name(bench: Bench) -> str:
    return bench.seeded("Completed", name="BRD4 pilot")


@pytest.fixture
def wrong(bench: Bench, name: str) -> dict[str, str]:
    """One id of each kind, all of them of one execution where they can be."""
    execution = bench.platform.executions[name]
    resource = str(execution.stored["resourceId"])
    return {
        "data platform": execution.data_platform_id,
        "resource": resource,
        "workflow": f"workflow-{resource}",
        "workflow step": f"workflow-{resource}-1180042",
        "project": PROJECT,
        "ligand": "08TARGETPR001",
        "tool key": "deeporigin.docking",
        "capitals": name.upper(),
        "braces": f"{{{name}}}",
        "address": f"https://app.example.org/acme/executions/{name}?tab=logs",
        "bare digits": name.replace("-", ""),
        "list in a text": f'["{name}"]',
        "beginning": name[:8],
        "cut": name[:-1],
        "slip": name[:-1] + ("0" if name[-1] != "0" else "1"),
        "transaction": "68e2a0b1c2d3e4f5a6b7c8d9",
        "name": "BRD4 pilot",
        "placeholder": "<execution_id>",
        "latest": "latest",
        "nothing": "00000000-0000-4000-8000-000000000005",
    }


WORDS = {
    "data platform": "is an id of the data platform, not of the tools service",
    "resource": "names a workflow inside the platform (resourceId ",
    "workflow": "names a workflow inside the platform (resourceId ",
    "workflow step": "names a workflow inside the platform (resourceId ",
    "project": "project",
    "ligand": "the data platform",
    "tool key": "is a tool_key",
    "capitals": "is an execution_id in capital letters",
    "braces": "is no execution_id by itself, but holds one",
    "address": "is no execution_id by itself, but holds one",
    "bare digits": "is no execution_id by itself, but holds one",
    "list in a text": "is no execution_id by itself, but holds one",
    "beginning": "has 8 characters, and so is cut or mistyped",
    "cut": "has 35 characters, and so is cut or mistyped",
    "slip": "There is no execution",
    "transaction": "is the id of a billing transaction",
    "name": "There is no execution BRD4 pilot",
    "placeholder": "is a placeholder",
    "latest": "is a placeholder",
    "nothing": "There is no execution",
}
READ_AT_ONCE = (
    "data platform", "resource", "workflow", "workflow step", "capitals", "braces", "address", "bare digits",
    "list in a text", "beginning", "cut", "slip",
)  # fmt: skip
"""Kinds whose refusal by get_execution names the call that reads the execution which was meant."""
HOLDS_IT = ("capitals", "braces", "address", "bare digits", "list in a text")
"""Kinds that spell the right id, so that any tool can name its own next call."""


@pytest.mark.parametrize("kind", WORDS)
async def test_reading_by_a_wrong_id_says_what_it_is_and_names_the_next_call(
    agent: Agent, wrong: dict[str, str], name: str, kind: str
) -> None:
    told = await agent.refused("get_execution", execution_id=wrong[kind])
    assert WORDS[kind] in told
    if kind in READ_AT_ONCE:
        assert (await agent.follow(told))["execution_id"] == name
    else:
        assert calls_in(told, agent.inputs) or "list_executions shows those that exist" in told


@pytest.mark.parametrize("tool", CHANGING)
@pytest.mark.parametrize("kind", WORDS)
async def test_changing_by_a_wrong_id_names_it_and_neither_looks_it_up_nor_guesses(
    agent: Agent, bench: Bench, wrong: dict[str, str], name: str, tool: str, kind: str
) -> None:
    bench.platform.requests.clear()
    told = await agent.refused(tool, execution_id=wrong[kind])
    assert WORDS[kind] in told
    assert [method for method, _, _ in bench.platform.requests] == ["GET"], "the id itself was asked for, nothing else"
    calls = calls_in(told, agent.inputs)
    if kind in HOLDS_IT:
        assert calls == [(tool, {"execution_id": name})]
    else:
        assert not {called for called, _ in calls} & {*CHANGING}


async def test_waiting_by_wrong_ids_names_each_in_its_row(agent: Agent, wrong: dict[str, str], name: str) -> None:
    found = await agent.read("wait_executions", execution_ids=[name, *wrong.values()], timeout_seconds=0)
    rows = found["executions"]
    assert rows[0]["status"] == "Completed"
    assert found["all_done"] is False
    for kind, row in zip(wrong, rows[1:], strict=True):
        assert WORDS[kind] in row["error"], row
        calls = calls_in(row["error"], agent.inputs)
        if kind in HOLDS_IT:
            assert calls == [("wait_executions", {"execution_ids": [name]})]


@pytest.mark.parametrize("kind", [kind for kind in WORDS if kind not in ("slip", "nothing", "list in a text")])
async def test_searching_by_a_wrong_id_says_what_it_is(agent: Agent, wrong: dict[str, str], kind: str) -> None:
    found = await agent.read("search_executions", compute_job_id=wrong[kind])
    assert (found["rows"], WORDS[kind] in found["next_step"]) == ([], True)


async def test_a_projects_id_names_the_runs_of_the_project(agent: Agent) -> None:
    told = await agent.refused("get_execution", execution_id=PROJECT)
    assert f"{PROJECT} is a project_id, not an execution_id" in told
    assert (await agent.follow(told))["count"] > 0


async def test_a_ligands_id_is_probably_that(agent: Agent) -> None:
    assert "probably that of a ligand or protein" in await agent.refused("get_execution", execution_id="08TARGETPR001")


async def test_a_runs_name_leads_to_the_search_that_finds_it(agent: Agent, name: str) -> None:
    told = await agent.refused("get_execution", execution_id="BRD4 pilot")
    assert [row["execution_id"] for row in (await agent.follow(told))["rows"]] == [name]


async def test_of_several_ids_in_one_text_none_is_picked(agent: Agent, name: str) -> None:
    for tool in ("get_execution", *CHANGING):
        told = await agent.refused(tool, execution_id=f"{name}, 00000000-0000-4000-8000-000000000005")
        assert "holds several ids" in told
        assert calls_in(told, agent.inputs) == []


async def test_a_look_up_that_fails_hides_nothing(agent: Agent, bench: Bench, wrong: dict[str, str]) -> None:
    bench.fault("GET */executions status=500")
    bench.fault("GET */data-platform/* status=403")
    try:
        for kind in ("data platform", "resource", "slip"):
            assert WORDS[kind] in await agent.refused("get_execution", execution_id=wrong[kind])
    finally:
        bench.heal()


async def test_a_platform_that_refuses_malformed_ids_as_bad_requests_is_explained_alike(
    agent: Agent, bench: Bench, wrong: dict[str, str], name: str
) -> None:
    bench.fault("GET */executions/* status=400")
    try:
        told = await agent.refused("get_execution", execution_id=wrong["address"])
        assert WORDS["address"] in told
        found = await agent.read("wait_executions", execution_ids=[wrong["tool key"]], timeout_seconds=0)
        assert WORDS["tool key"] in found["executions"][0]["error"]
        assert "HTTP 400" in await agent.refused("get_execution", execution_id=name)
    finally:
        bench.heal()


@pytest.mark.parametrize(
    ("given", "words"),
    [(PROJECT, "such ids also name projects"), ("BRD4 pilot", "Its ids have 13 characters"), ("", "is empty")],
)
async def test_the_data_platforms_wrong_ids_are_named_too(agent: Agent, given: str, words: str) -> None:
    told = await agent.refused("get_execution", execution_id=given or " ", source="data_platform")
    assert words in told


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-fA-F-]{1,40}", fullmatch=True))
def test_every_text_is_explained_in_few_words(text: Any) -> None:
    found = stray(text)
    assert 20 < len(found.told) < 400
    assert 10 < len(found.next_step) < 500
    assert "\n" not in found.told + found.next_step
