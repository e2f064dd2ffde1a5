"""Calls that cannot work as written are refused in plain lines, before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.tools.bench import Agent, Bench, docking, lines_of, running_bench

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        yield found


@pytest.fixture(scope="module")
async def agent(bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    async with bench.agent() as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_sent_yet(bench: Bench) -> None:
    bench.platform.requests.clear()
    bench.platform.creates.clear()


ID = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"

BAD: list[tuple[str, dict[str, Any], list[str]]] = [
    ("list_executions", {"page": -1}, ["page: input should be greater than or equal to 0; got -1"]),
    ("list_executions", {"page_size": 0}, ["page_size: input should be greater than or equal to 1; got 0"]),
    ("list_executions", {"page_size": 10_001}, ["page_size: input should be less than or equal to 10000; got 10001"]),
    ("list_executions", {"status": "Failed"}, ["status: input should be a valid list; got 'Failed'"]),
    ("list_executions", {"detail": "all"}, ["detail: input should be 'concise' or 'detailed'; got 'all'"]),
    ("search_executions", {"limit": 0, "offset": -1}, ["limit: ", "offset: "]),
    (
        "search_executions",
        {"filters": [{"column": "a"}]},
        ["filters.0.op: is required", "filters.0.value: is required"],
    ),
    ("search_executions", {"filters": [{"column": "a", "op": "like", "value": 1}]}, ["filters.0.op: "]),
    ("get_execution", {}, ["execution_id: is required"]),
    ("get_execution", {"execution_id": 17}, ["execution_id: input should be a valid string; got 17"]),
    ("get_execution", {"execution_id": ID, "source": "s3"}, ["source: "]),
    ("create_execution", {}, ["tool_key: is required", "inputs: is required"]),
    ("create_execution", {"tool_key": "x", "inputs": [1]}, ["inputs: input should be a valid dictionary; got [1]"]),
    ("create_execution", {**docking(), "batch_size": 0}, ["batch_size: "]),
    ("create_execution", {**docking(), "visibility": "secret"}, ["visibility: "]),
    ("create_execution", {**docking(), "sync": "perhaps"}, ["sync: "]),
    ("create_execution", {**docking(), "idempotency_key": ""}, ["idempotency_key: "]),
    ("create_execution", {**docking(), "idempotency_key": "k" * 201}, ["idempotency_key: "]),
    ("confirm_execution", {"execution_id": ID, "expected_price": -1}, ["expected_price: "]),
    ("confirm_execution", {"execution_id": ID, "expected_price": "a lot"}, ["expected_price: "]),
    ("cancel_execution", {"execution_id": None}, ["execution_id: "]),
    ("wait_executions", {"execution_ids": []}, ["execution_ids: "]),
    ("wait_executions", {"execution_ids": ID}, ["execution_ids: "]),
    ("wait_executions", {"execution_ids": [ID] * 101}, ["execution_ids: "]),
    ("wait_executions", {"execution_ids": [ID], "timeout_seconds": 51}, ["timeout_seconds: "]),
    ("wait_executions", {"execution_ids": [ID], "poll_interval_seconds": 0.5}, ["poll_interval_seconds: "]),
    (
        "wait_executions",
        {"execution_ids": [ID], "until": "some"},
        ["until: input should be 'all' or 'any'; got 'some'"],
    ),
    ("find_platform_tools", {"limit": 0}, ["limit: "]),
]


@pytest.mark.parametrize(("tool", "arguments", "problems"), BAD, ids=lambda value: value if type(value) is str else "")
async def test_each_problem_of_the_arguments_is_one_plain_line(
    agent: Agent, bench: Bench, tool: str, arguments: dict[str, Any], problems: list[str]
) -> None:
    told = await agent.refused(tool, **arguments)
    assert told.startswith(f"{tool} was not run; correct the arguments:\n- ")
    lines = lines_of(told)
    assert len(lines) == len(problems) == len(told.splitlines()) - 1
    for line, problem in zip(lines, problems, strict=True):
        assert line.startswith(problem)
    assert not bench.platform.requests


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("list_executions", {"pagesize": 5}, "pagesize: list_executions has no such argument; did you mean page_size?"),
        ("list_executions", {"order_by": "x"}, "did you mean order?"),
        ("get_execution", {"executionId": ID}, "did you mean execution_id?"),
        ("wait_executions", {"execution_id": ID}, "did you mean execution_ids?"),
        ("create_execution", {**docking(), "project": "p"}, "did you mean project_id?"),
        ("create_execution", {**docking(), "approve_amount": 100}, "no such argument"),
        ("confirm_execution", {"execution_id": ID, "force": True}, "valid arguments: execution_id, expected_price"),
        ("get_workspace", {"x": 1}, "valid arguments: it takes none"),
        ("find_platform_tools", {"ctx": 1}, "ctx: find_platform_tools has no such argument"),
    ],
)
async def test_an_argument_that_does_not_exist_is_refused_by_name(
    agent: Agent, bench: Bench, tool: str, arguments: dict[str, Any], words: str
) -> None:
    assert words in await agent.refused(tool, **arguments)
    assert not bench.platform.requests


async def test_all_unknown_arguments_are_named_at_once(agent: Agent) -> None:
    told = await agent.refused("list_executions", pagesize=5, sesion="s", zzz=1)
    assert len(lines_of(told)) == 4


async def test_a_flood_of_problems_is_cut(agent: Agent) -> None:
    told = await agent.refused("wait_executions", execution_ids=list(range(100)))
    assert len(lines_of(told)) == 20
    told = await agent.refused("get_workspace", **{f"argument_{number}" + "x" * 500: 1 for number in range(30)})
    assert len(told) < 4000


async def test_values_in_problems_are_cut_and_on_one_line(agent: Agent) -> None:
    told = await agent.refused("get_execution", execution_id=["\n" * 50 + "x" * 5000])
    assert len(told) < 300


@pytest.mark.parametrize("empty", [" ", "\t\n"])
@pytest.mark.parametrize("tool", ["get_execution", "confirm_execution", "cancel_execution"])
async def test_a_blank_id_is_refused_before_anything_is_sent(agent: Agent, bench: Bench, tool: str, empty: str) -> None:
    assert "execution_id is empty" in await agent.refused(tool, execution_id=empty)
    assert not bench.platform.requests


async def test_numbers_are_taken_where_versions_are_meant(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.docking", tool_version=4)
    assert found["tool_version"].startswith("4.")


async def test_json_in_text_is_taken_where_an_object_is_meant(agent: Agent) -> None:
    """Some clients hand nested arguments over as JSON text."""
    created = await agent.read(
        "create_execution",
        tool_key="deeporigin.mol-props-combined",
        inputs='{"ligands": [{"smiles": "CCO"}]}',
    )
    assert created["status"] == "Quoted"


async def test_all_problems_of_the_inputs_are_told_at_once_with_their_paths(agent: Agent, bench: Bench) -> None:
    told = await agent.refused(
        "create_execution",
        tool_key="deeporigin.docking",
        inputs={
            "protein": {"id": 5},
            "pocket": {"center": [1, 2], "box_size_x": 0, "box_size_y": "wide", "box_size_z": 9},
            "ligand": [{"smiles": "CCO"}],
            "effort": 9,
        },
    )
    assert told.startswith("Nothing was created: `inputs` has ")
    problems = " / ".join(lines_of(told))
    for expected in (
        "protein.file_path: is required",
        "protein.id: must be of type string; got 5",
        "pocket.center: must have at least 3 entries; got 2",
        "pocket.box_size_x: must be at least 0 (exclusive); got 0",
        "pocket.box_size_y: must be of type number; got 'wide'",
        "ligand: the tool has no such input; did you mean ligands?",
        "effort: must be at most 5; got 9",
    ):
        assert expected in problems
    assert not bench.sent("POST")


async def test_alternatives_are_explained(agent: Agent) -> None:
    inputs = docking()["inputs"]
    told = await agent.refused(
        "create_execution", tool_key="deeporigin.docking", inputs={k: v for k, v in inputs.items() if k != "ligands"}
    )
    assert "needs ligands or " in told


@pytest.mark.parametrize(
    ("tool_key", "tool_version", "words"),
    [
        ("deeporigin.dokcing", "latest", "Did you mean deeporigin.docking"),
        ("docking", "latest", "deeporigin.docking"),
        ("deeporigin.docking", "99.0.0", "has no version '99.0.0'. Valid: latest, "),
        ("deeporigin.docking", "newest", "has no version 'newest'"),
        ("nothing-like-it-at-all", "latest", "find_platform_tools lists the tools"),
        ("../executions", "latest", "There is no tool"),
        ("deeporigin.bulk-docking", "latest", "is disabled on the platform"),
    ],
)
async def test_a_tool_or_version_that_does_not_exist_names_those_that_come_near(
    agent: Agent, bench: Bench, tool_key: str, tool_version: str, words: str
) -> None:
    told = await agent.refused("create_execution", tool_key=tool_key, tool_version=tool_version, inputs={})
    assert words in told
    assert not bench.sent("POST")


async def test_without_a_project_and_with_several_the_user_has_to_say(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        told = await agent.refused("create_execution", **docking())
        assert "09DEMAKNASE01 (Kinase pilot)" in told
        assert "Ask the user which project_id to use" in told
        created = await agent.read("create_execution", **docking(), project_id="09DEMASNDB0X3")
        assert created["project_id"] == "09DEMASNDB0X3"
        told = await agent.refused("create_execution", **docking(), project_id="09N0SUCHPR0J1")
        assert "projectId: unknown project" in told


async def test_the_only_project_is_taken_and_none_at_all_is_told() -> None:
    with running_bench() as bench:
        projects = bench.platform.organisations["deeporigin"].projects
        for name in [*projects][1:]:
            del projects[name]
        async with bench.agent(project_id="") as agent:
            assert (await agent.read("create_execution", **docking()))["project_id"] == next(iter(projects))
            projects.clear()
            assert "no project yet" in await agent.refused("create_execution", **docking())


async def test_another_project_than_the_servers_is_refused(agent: Agent, bench: Bench) -> None:
    told = await agent.refused("create_execution", **docking(), project_id="09DEMAGPCR002")
    assert "09DEMAKNASE01" in told
    assert not bench.platform.creates


@pytest.mark.parametrize("tool", ["get_execution", "get_execution_logs", "get_execution_results", "cancel_execution"])
async def test_an_empty_id_is_told_before_it_leads_anywhere(agent: Agent, bench: Bench, tool: str) -> None:
    assert "execution_id is empty" in await agent.refused(tool, execution_id="")
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("arguments", [{"tool_key": ""}, {"tool_key": "deeporigin.docking", "tool_version": ""}])
async def test_an_empty_key_or_version_is_told_too(agent: Agent, arguments: dict[str, Any]) -> None:
    assert "is empty" in await agent.refused("describe_platform_tool", **arguments)
    assert "is empty" in await agent.refused("create_execution", **arguments, inputs={})
