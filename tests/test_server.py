"""create_server: inert until it runs, and clean when it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp import __version__
from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import ONLY_READS, RUN_ONE, SWITCHED_OFF, TOOLS, create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions import idempotency
from deeporigin_mcp.tools.responses.toolsets import TOOLSETS
from tests.support.bench import ERAS, Bench, agent_of, docking

pytestmark = pytest.mark.anyio


def test_building_a_server_opens_nothing(bench: Bench) -> None:
    bench.server()
    assert bench.clients == []
    assert bench.platform.requests == []


def test_importing_the_server_builds_none_and_starts_no_thread() -> None:
    code = (
        "import threading, gc, deeporigin_mcp.server as s, mcp.server.mcpserver as m;"
        "print(threading.active_count(), sum(isinstance(o, m.MCPServer) for o in gc.get_objects()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "0"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_gets_name_version_and_instructions(mode: str) -> None:
    async with agent_of(create_server(Settings()), mode=mode) as agent:
        info = agent.client.server_info
        assert info is not None
        assert (info.name, info.version, info.title) == ("deeporigin-mcp", __version__, "Deep Origin")
        assert agent.client.server_capabilities.tools is not None
        assert (agent.client.instructions or "").startswith("Deep Origin runs")


@pytest.mark.parametrize(
    ("values", "present", "absent"),
    [
        ({"read_only": True}, ONLY_READS, SWITCHED_OFF),
        ({"toolsets": ("executions",)}, SWITCHED_OFF, ONLY_READS),
        ({"toolsets": ("catalogue",)}, SWITCHED_OFF, RUN_ONE),
    ],
)
async def test_the_instructions_say_that_tools_are_disabled(values: dict[str, Any], present: str, absent: str) -> None:
    async with agent_of(create_server(Settings(**values))) as agent:
        instructions = agent.client.instructions or ""
    assert present in instructions
    assert absent not in instructions


@pytest.mark.parametrize("mode", ERAS)
async def test_a_session_opens_one_client_and_closes_it(bench: Bench, mode: str) -> None:
    async with bench.agent(mode=mode) as agent:
        await agent.read("list_executions")
        await agent.read("get_workspace")
    (client,) = bench.clients
    with pytest.raises(RuntimeError, match="closed"):
        await client.executions.list()


async def test_two_servers_do_not_share_anything(bench: Bench) -> None:
    async with bench.agent(session="one") as one, bench.agent(session="two") as two:
        await one.read("create_execution", **docking())
        found = await two.read("list_executions", session="two")
        assert (found["count"], found["executions"]) == (0, [])
        assert (await one.read("get_workspace"))["session"] == "one"


async def test_work_that_outlasts_its_call_ends_with_the_server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", 0.05)
    bench.fault("POST */executions delay=1000")
    before = set(threading.enumerate())
    with anyio.fail_after(60):
        async with bench.agent() as agent:
            await agent.refused("create_execution", **docking())
    assert [thread.name for thread in {*threading.enumerate()} - before if "AnyIO" not in thread.name] == []


@pytest.mark.parametrize(
    ("toolsets", "count"), [((), 18), (("executions",), 9), (("catalogue", "workspace"), 4), (("workspace",), 2)]
)
async def test_toolsets_are_filters_over_the_one_table(toolsets: tuple[str, ...], count: int) -> None:
    async with agent_of(create_server(Settings(toolsets=toolsets))) as agent:
        chosen = [name for toolset in toolsets for name in TOOLSETS[toolset]]
        names = [offer.function.__name__ for offer in TOOLS if not toolsets or offer.function.__name__ in chosen]
        assert [*agent.inputs] == names
        assert len(names) == count


async def test_a_read_only_toolset_can_be_empty_of_writing_tools() -> None:
    async with agent_of(create_server(Settings(toolsets=("executions",), read_only=True))) as agent:
        assert [*agent.inputs] == [
            "list_executions",
            "search_executions",
            "get_execution",
            "wait_executions",
            "get_execution_logs",
            "get_execution_results",
        ]


def test_an_unknown_toolset_is_refused() -> None:
    with pytest.raises(SettingsError):
        create_server(Settings(toolsets=("docking",)))


def test_an_audit_log_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        create_server(Settings(audit_log=tmp_path / "missing" / "audit.jsonl"))


async def test_a_tool_that_the_operator_does_not_allow_is_not_created(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.rbfe",)) as agent:
        assert await agent.error("create_execution", **docking()) == ("tool_not_allowed", "nothing_created")
    assert not bench.platform.creates


async def test_a_client_that_cannot_be_made_fails_the_start_and_not_the_process() -> None:
    def connect(settings: Settings) -> DeepOriginClient:
        raise SettingsError("no client today")

    with pytest.raises((SettingsError, ExceptionGroup)):
        async with agent_of(create_server(Settings(), connect=connect)):
            pass
