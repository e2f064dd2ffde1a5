"""A server that is killed in the middle of a creation or an import, and asked again in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from deeporigin_mcp.tools.runtime.state import ServerState
from tests.faults.calls import CREATION, IMPORT, OF_A_CREATION, OF_AN_IMPORT, PROJECT
from tests.faults.proxy import MOMENTS, FaultProxy, Moment, fault_proxy
from tests.faults.servers import called, killer, process

pytestmark = pytest.mark.anyio


@pytest.fixture
def platform() -> Platform:
    return Platform(clock=ScaledClock(50))


@pytest.fixture
def proxy(platform: Platform) -> Iterator[FaultProxy]:
    with running_simulator(platform) as simulator, fault_proxy(simulator.base_url) as made:
        yield made


def next_server(proxy: FaultProxy) -> MCPServer[ServerState]:
    """The server that is asked again; it knows nothing of the first one, so it need not be a process."""
    fields = {"token": make_token(), "org_key": "deeporigin", "project_id": PROJECT, "base_url": proxy.base_url}
    return create_server(Settings.model_validate(fields))


async def create(server: Any) -> str | None:
    """The id of the execution; None if the server died on the way."""
    found = await called(server, "create_execution", CREATION)
    return str(found["execution_id"]) if found else None


@pytest.mark.parametrize("place", OF_A_CREATION)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_server_killed_during_a_creation_never_yields_two_executions(
    moment: Moment, place: str, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    proxy.cut(OF_A_CREATION[place], moment, killer(pid_file))
    assert await create(process(proxy, pid_file)) is None

    proxy.heal()
    made = await create(next_server(proxy))

    assert made is not None
    assert len(platform.creates) == 1
    assert platform.creates == [made]


@pytest.mark.parametrize("place", OF_AN_IMPORT)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_server_killed_during_an_import_loses_no_row_and_makes_none_twice(
    moment: Moment, place: str, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    proxy.cut(OF_AN_IMPORT[place], moment, killer(pid_file))
    assert await called(process(proxy, pid_file), "import_molecules", IMPORT) is None

    proxy.heal()
    found = await called(next_server(proxy), "import_molecules", IMPORT)

    assert found is not None
    assert [entry["smiles"] for entry in found["as_input"]] == IMPORT["smiles"]
    rows = platform.organisations["deeporigin"].entities["ligands"].values()
    assert [row["smiles"] for row in rows if row["smiles"] in IMPORT["smiles"]] == IMPORT["smiles"]
