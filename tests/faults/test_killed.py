"""A server that is killed in the middle of a creation or an import, and asked again in the same words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from tests.faults.calls import CREATION, IMPORT, OF_A_CREATION, OF_AN_IMPORT, PROJECT
from tests.faults.proxy import MOMENTS, FaultProxy, Moment, fault_proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def platform() -> Platform:
    return Platform(clock=ScaledClock(50))


@pytest.fixture
def proxy(platform: Platform) -> Iterator[FaultProxy]:
    with running_simulator(platform) as simulator, fault_proxy(simulator.base_url) as made:
        yield made


def server(proxy: FaultProxy, pid_file: str) -> StdioServerParameters:
    note_pid = f"import os, pathlib; pathlib.Path({pid_file!r}).write_text(str(os.getpid()))"
    return StdioServerParameters(
        command=sys.executable,
        args=["-c", f"{note_pid}; from deeporigin_mcp.cli import main; main(['serve'])"],
        env={
            "HOME": "/nonexistent",
            "DO_AUTH_TOKEN": make_token(),
            "DO_ORG_KEY": "deeporigin",
            "DO_PROJECT_ID": PROJECT,
            "DO_BASE_URL": proxy.base_url,
        },
    )


async def called(proxy: FaultProxy, pid_file: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a call; None if the server died on the way."""
    answer = None
    try:
        async with Client(stdio_client(server(proxy, pid_file))) as client:
            answer = await client.call_tool(tool, arguments)
    except* (MCPError, OSError):
        pass
    return None if answer is None or answer.is_error else answer.structured_content


async def create(proxy: FaultProxy, pid_file: str) -> str | None:
    """The id of the execution; None if the server died on the way."""
    found = await called(proxy, pid_file, "create_execution", CREATION)
    return str(found["execution_id"]) if found else None


@pytest.mark.parametrize("place", OF_A_CREATION)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_server_killed_during_a_creation_never_yields_two_executions(
    moment: Moment, place: str, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    pid_file = f"{tmp_path}/pid"

    def kill() -> None:
        os.kill(int(Path(pid_file).read_text()), signal.SIGKILL)

    proxy.cut(OF_A_CREATION[place], moment, kill)
    assert await create(proxy, pid_file) is None

    proxy.heal()
    made = await create(proxy, pid_file)

    assert made is not None
    assert len(platform.creates) == 1
    assert platform.creates == [made]


@pytest.mark.parametrize("place", OF_AN_IMPORT)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_server_killed_during_an_import_loses_no_row_and_makes_none_twice(
    moment: Moment, place: str, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    pid_file = f"{tmp_path}/pid"

    def kill() -> None:
        os.kill(int(Path(pid_file).read_text()), signal.SIGKILL)

    proxy.cut(OF_AN_IMPORT[place], moment, kill)
    assert await called(proxy, pid_file, "import_molecules", IMPORT) is None

    proxy.heal()
    found = await called(proxy, pid_file, "import_molecules", IMPORT)

    assert found is not None
    assert [entry["smiles"] for entry in found["as_input"]] == IMPORT["smiles"]
    rows = platform.organisations["deeporigin"].entities["ligands"].values()
    assert [row["smiles"] for row in rows if row["smiles"] in IMPORT["smiles"]] == IMPORT["smiles"]
