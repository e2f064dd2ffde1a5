"""No answer of a server names a tool that the server does not offer, whichever of them it leaves out."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent, TextResourceContents

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.responses.toolsets import NOT_OFFERED, READ_ONLY, TOOLSETS, WRITING
from tests.support.bench import PROJECT, Agent, Bench, agent_of, docking

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

ALL = tuple(offer.function.__name__ for offer in TOOLS)
SETS = tuple(TOOLSETS)
COMBINATIONS = [
    (chosen, read_only)
    for count in range(1, len(SETS) + 1)
    for chosen in itertools.combinations(SETS, count)
    for read_only in (False, True)
]
ALONE_OR_MISSING = [(chosen, read_only) for chosen, read_only in COMBINATIONS if len(chosen) != 2]
"""Without those that only stand between one set alone and one set missing."""
NOWHERE = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
STATUSES = ("Quoted", "Running", "Completed", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation")
STRAYS = (NOWHERE, NOWHERE[:-1], NOWHERE.upper(), PROJECT, "0AF3K9Q2W7T5M", "deeporigin.docking", "<id>", "a run", "")
FAULTS = ("status=500", "status=409", "status=400", "status=401", "status=403", "status=404", "status=429", "reset")


@pytest.fixture(scope="module")
def ids(module_bench: Bench) -> list[str]:
    bench = module_bench
    unpriced = bench.raw(status="Quoted", quotationResult=None)
    return [*(bench.seeded(status) for status in STATUSES), unpriced]


def _calls(ids: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls of every tool that succeed, find nothing, are refused here, and are refused by the platform."""
    for tool in ALL:
        yield tool, {"no_such_argument": 1}
        yield tool, {}
    for name in (*ids, *STRAYS):
        for tool in ("get_execution", "get_execution_logs", "get_execution_results", "download_files", "list_files"):
            yield tool, {"execution_id": name}
        yield "get_execution", {"execution_id": name, "detail": "detailed"}
        yield "get_execution", {"execution_id": name, "source": "data_platform"}
        yield "wait_executions", {"execution_ids": [name], "timeout_seconds": 0}
    for name in (ids[2], *STRAYS):
        yield "cancel_execution", {"execution_id": name}
        yield "confirm_execution", {"execution_id": name}
    yield "wait_executions", {"execution_ids": [*ids, *STRAYS[:-1]], "timeout_seconds": 0}
    yield "confirm_execution", {"execution_id": ids[0], "expected_price": 9_999}
    yield "confirm_execution", {"execution_id": ids[0], "expected_price": "much"}
    yield "get_execution_results", {"execution_id": ids[2], "result_type": "nothing-such"}
    yield "get_execution_results", {"execution_id": ids[2], "cursor": "nothing-such"}
    yield "get_execution_logs", {"execution_id": ids[2], "contains": "nothing-such"}
    yield "list_executions", {"page_size": 1}
    yield "list_executions", {"tool_key": "deeporigin.dokcing"}
    yield "list_executions", {"order": "created desc"}
    yield "list_executions", {"session": 5, "tool_key": 5, "order": 5}
    yield "list_executions", {"project_id": "Kinase", "fetch_all_pages": True}
    yield "search_executions", {"limit": 1}
    yield "search_executions", {"status": "done"}
    yield "search_executions", {"filters": [{"column": "created", "op": "eq", "value": 1}]}
    yield "create_execution", docking()
    yield "create_execution", {**docking(), "start": True}
    yield "create_execution", {**docking(), "cluster_id": "none-such"}
    yield "create_execution", {"tool_key": "deeporigin.docking", "inputs": {}}
    yield "create_execution", {"tool_key": 5, "inputs": 5}
    for key in ("deeporigin.docking", "deeporigin.dokcing", "deeporigin.docking@4.2.0", "deeporigin.bulk-docking", ""):
        yield "create_execution", {"tool_key": key, "inputs": {}}
        yield "describe_platform_tool", {"tool_key": key}
        yield "describe_platform_tool", {"tool_key": key, "tool_version": "9.9", "detail": "detailed"}
        yield "find_platform_tools", {"query": key, "limit": 1}
    yield "find_platform_tools", {"query": "zzzzzz"}


async def _told(agent: Agent, ids: list[str]) -> AsyncIterator[tuple[object, str]]:
    """Every text that an agent can read of the server, with what it was the answer to."""
    tools = (await agent.client.list_tools()).tools
    for tool in tools:
        yield tool.name, tool.model_dump_json()
    yield "instructions", agent.client.instructions or ""
    yield "templates", (await agent.client.list_resource_templates()).model_dump_json()
    yield "prompts", (await agent.client.list_prompts()).model_dump_json()
    for tool_name, arguments in _calls(ids):
        if tool_name in agent.inputs:
            answer = await agent.call(tool_name, arguments)
            yield (tool_name, arguments), f"{answer.text}\n{answer.content}"
    for name in (*ids, NOWHERE):
        for uri in (f"deeporigin://executions/{name}", f"deeporigin://executions/{name}/logs"):
            yield uri, await _resource(agent, uri)
    for key in ("deeporigin.docking", "deeporigin.dokcing", "x"):
        yield key, await _resource(agent, f"deeporigin://tools/{key}/latest")
    for prompt in (await agent.client.list_prompts()).prompts:
        given = {"tool_key": "deeporigin.docking", "run_on": "CCO"} if prompt.name == "price_and_run" else {}
        found = await agent.client.get_prompt(prompt.name, given)
        yield prompt.name, "".join(m.content.text for m in found.messages if isinstance(m.content, TextContent))


async def _resource(agent: Agent, uri: str) -> str:
    try:
        found = await agent.client.read_resource(uri)
    except MCPError as error:
        return error.error.message
    return "".join(content.text for content in found.contents if isinstance(content, TextResourceContents))


def _left_out(agent: Agent) -> re.Pattern[str]:
    missing = [name for name in ALL if name not in agent.inputs]
    return re.compile(rf"\b({'|'.join(missing)})\b") if missing else re.compile(r"(?!)")


@pytest.mark.parametrize(("toolsets", "read_only"), COMBINATIONS)
async def test_nothing_that_a_server_says_names_a_tool_that_it_does_not_offer(
    bench: Bench, ids: list[str], toolsets: tuple[str, ...], *, read_only: bool
) -> None:
    async with bench.agent(toolsets=toolsets, read_only=read_only) as agent:
        missing = _left_out(agent)
        seen = 0
        async for source, text in _told(agent, ids):
            seen += 1
            assert not missing.search(text), (source, text)
        assert seen > 20


@pytest.mark.parametrize(("toolsets", "read_only"), ALONE_OR_MISSING)
async def test_nor_does_it_when_the_platform_fails(
    bench: Bench, ids: list[str], toolsets: tuple[str, ...], *, read_only: bool
) -> None:
    usual: dict[str, dict[str, Any]] = {
        **{tool: {"execution_id": ids[1]} for tool in ALL if tool.endswith(("_execution", "_logs", "_results"))},
        "wait_executions": {"execution_ids": ids[:2], "timeout_seconds": 0},
        "create_execution": docking(),
        "describe_platform_tool": {"tool_key": "deeporigin.docking"},
    }
    async with bench.agent(toolsets=toolsets, read_only=read_only) as agent:
        missing = _left_out(agent)
        try:
            for fault, tool in itertools.product(FAULTS, agent.inputs):
                bench.heal()
                bench.fault(f"* * {fault}")
                answer = await agent.call(tool, usual.get(tool, {}))
                assert not missing.search(f"{answer.text}\n{answer.content}"), (tool, fault, answer.text)
        finally:
            bench.heal()


@pytest.mark.parametrize("toolsets", [("catalogue",), ("workspace",)])
async def test_nor_does_it_when_it_fails_itself(bench: Bench, toolsets: tuple[str, ...]) -> None:
    def connect(settings: Settings) -> DeepOriginClient:
        client = bench.connect(settings)
        vars(client)["tools"] = None
        del client.clusters
        return client

    async with agent_of(bench.server(connect, toolsets=toolsets)) as agent:
        for tool in agent.inputs:
            arguments = {"tool_key": "deeporigin.docking"} if tool == "describe_platform_tool" else {}
            message = (await agent.call(tool, arguments)).text
            assert not _left_out(agent).search(message), message


async def test_what_cannot_be_called_gives_way_to_what_a_person_can_do(bench: Bench) -> None:
    async with bench.agent(toolsets=("executions", "workspace")) as agent:
        for key in ("deeporigin.docking", "deeporigin.dokcing"):
            assert NOT_OFFERED in await agent.refused("create_execution", tool_key=key, inputs={})
    async with bench.agent(toolsets=("workspace",)) as agent:
        assert (await agent.read("get_workspace"))["next_step"] == NOT_OFFERED
    async with bench.agent(toolsets=("workspace", "executions")) as agent:
        assert (await agent.read("get_workspace"))["next_step"] == "list_executions shows runs."
    async with bench.agent(read_only=True) as agent:
        found = await agent.read("wait_executions", execution_ids=[bench.seeded("Quoted")])
        assert found["next_step"].endswith(READ_ONLY)


def test_each_tool_is_in_one_toolset_and_those_that_write_are_known() -> None:
    assert sorted(name for names in TOOLSETS.values() for name in names) == sorted(ALL)
    writing = {offer.function.__name__ for offer in TOOLS if not offer.hints.read_only}
    assert writing - WRITING == {"download_files"}
    assert WRITING - writing <= {"import_molecules"}
