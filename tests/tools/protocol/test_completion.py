"""completion/complete: what a person is offered while typing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import Completion, PromptReference, ResourceTemplateReference

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol import completion
from deeporigin_mcp.tools.protocol.resources import EXECUTION, EXECUTION_LOGS, PLATFORM_TOOL
from deeporigin_mcp.tools.runtime.state import RECENT_SECONDS
from tests.support.bench import ERAS, PROJECT, Bench

pytestmark = pytest.mark.anyio


async def offered(client: Client, ref: str, argument: str, typed: str = "", **others: str) -> Completion:
    """The completion for an argument of a template, or of a prompt where `ref` is no URI."""
    reference: Any = ResourceTemplateReference(uri=ref) if "://" in ref else PromptReference(name=ref)
    answer = await client.complete(reference, {"name": argument, "value": typed}, others or None)
    assert len(answer.completion.values) <= 100
    return answer.completion


@pytest.mark.parametrize("mode", ERAS)
async def test_an_execution_is_found_by_its_id_or_its_name(bench: Bench, mode: str) -> None:
    pilot, screen = bench.seeded(name="BRD4 pilot"), bench.seeded(name="Kinase screen")
    async with bench.agent(mode=mode) as agent:
        assert agent.client.server_capabilities.completions is not None
        for template in (EXECUTION, EXECUTION_LOGS):
            assert {*(await offered(agent.client, template, "execution_id")).values} == {pilot, screen}
            assert (await offered(agent.client, template, "execution_id", pilot[:8].upper())).values == [pilot]
            assert (await offered(agent.client, template, "execution_id", "SCREEN")).values == [screen]
            assert (await offered(agent.client, template, "execution_id", "zzz")).values == []


async def test_of_several_ids_the_last_one_is_completed(bench: Bench) -> None:
    pilot, screen = bench.seeded(name="BRD4 pilot"), bench.seeded(name="Kinase screen")
    async with bench.agent() as agent:
        found = await offered(agent.client, "follow_executions", "execution_ids", f"{pilot}, kin")
    assert found.values == [f"{pilot},{screen}"]


async def test_keys_and_versions_come_from_the_catalogue(bench: Bench) -> None:
    async with bench.agent() as agent:
        keys = (await offered(agent.client, PLATFORM_TOOL, "tool_key", "deeporigin.do")).values
        assert keys[0] == "deeporigin.docking"
        assert (
            "deeporigin.constrained-docking"
            in (await offered(agent.client, "price_and_run", "tool_key", "dock")).values
        )
        chosen = {"tool_key": "deeporigin.docking"}
        versions = await offered(agent.client, PLATFORM_TOOL, "tool_version", **chosen)
        assert versions.values == ["latest", "4.2.0", "4.1.0", "3.2.1"]
        assert (versions.total, versions.has_more) == (4, False)
        assert (await offered(agent.client, PLATFORM_TOOL, "tool_version", "4", **chosen)).values == ["4.2.0", "4.1.0"]
        for others in ({}, {"tool_key": "no.such-tool"}):
            assert (await offered(agent.client, PLATFORM_TOOL, "tool_version", **others)).values == []


async def test_only_tools_that_the_operator_allows_are_offered(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.rbfe",)) as agent:
        assert (await offered(agent.client, PLATFORM_TOOL, "tool_key")).values == ["deeporigin.rbfe"]
        found = await offered(agent.client, PLATFORM_TOOL, "tool_version", tool_key="deeporigin.docking")
        assert found.values == []


async def test_statuses_and_projects_are_completed(bench: Bench) -> None:
    async with bench.agent() as agent:
        assert (await offered(agent.client, "follow_executions", "status", "fa")).values == [
            "Failed",
            "FailedQuotation",
        ]
        assert PROJECT in (await offered(agent.client, "explain_failures", "project_id", PROJECT[:4])).values


async def test_more_than_a_hundred_are_cut_and_counted(bench: Bench) -> None:
    bench.platform.seed_executions(count=130, status="Completed", name="many")
    async with bench.agent() as agent:
        found = await offered(agent.client, EXECUTION, "execution_id")
        assert (len(found.values), found.total, found.has_more) == (100, 130, True)
        found = await offered(agent.client, EXECUTION, "execution_id", "nowhere")
        assert (found.values, found.total, found.has_more) == ([], None, True), "older ones were not looked at"


async def test_typing_costs_one_request(bench: Bench) -> None:
    name = bench.seeded(name="BRD4 pilot")
    async with bench.agent() as agent:
        async with anyio.create_task_group() as tasks:
            for length in range(10):
                tasks.start_soon(offered, agent.client, EXECUTION, "execution_id", name[:length])
        assert len(bench.platform.requests) == 1
        await bench.time.timing.sleep(RECENT_SECONDS)
        later = bench.seeded(name="later")
        assert later in (await offered(agent.client, EXECUTION, "execution_id")).values
        assert len(bench.platform.requests) == 2


ARGUMENTS = [
    (EXECUTION, "execution_id", {}),
    (PLATFORM_TOOL, "tool_key", {}),
    (PLATFORM_TOOL, "tool_version", {"tool_key": "deeporigin.docking"}),
    ("explain_failures", "project_id", {}),
]


@pytest.mark.parametrize(("ref", "argument", "others"), ARGUMENTS)
async def test_a_platform_that_fails_or_hangs_leaves_nothing_to_offer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ref: str, argument: str, others: dict[str, str]
) -> None:
    monkeypatch.setattr(completion, "DEADLINE_SECONDS", 0.05)
    async with bench.agent() as agent:
        for fault in ("* * status=500", "* * status=403", "* * delay=1000"):
            bench.heal()
            bench.fault(fault)
            found = await offered(agent.client, ref, argument, **others)
            assert (found.values, found.total, found.has_more) == ([], 0, False)


@pytest.mark.parametrize(("ref", "argument", "others"), ARGUMENTS)
async def test_without_credentials_there_is_nothing_to_offer(ref: str, argument: str, others: dict[str, str]) -> None:
    async with Client(create_server(Settings.load({}))) as client:
        assert (await offered(client, ref, argument, **others)).values == []
        assert (await offered(client, "follow_executions", "status", "Run")).values == ["Running"]


async def test_what_is_not_offered_is_not_completed(bench: Bench) -> None:
    async with bench.agent(toolsets=("executions",)) as agent:
        for ref in (PLATFORM_TOOL, "price_and_run", "deeporigin://executions/x"):
            with pytest.raises(MCPError) as refusal:
                await offered(agent.client, ref, "tool_key")
            assert refusal.value.error.code == -32602
        assert (await offered(agent.client, EXECUTION, "tool_key", "d")).values == []
        assert (await offered(agent.client, "follow_executions", "tool_key", "d")).values == []
    assert bench.platform.requests == []
