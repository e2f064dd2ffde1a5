"""A server that is killed in the middle of a creation, and asked again with the same key."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from deeporigin_mcp.simulator import Platform, make_token, running_simulator
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.faults.test_matrix import DOCKING_INPUTS, PROJECT

pytestmark = pytest.mark.anyio

REQUESTS_OF_A_CREATION = 4
"""The definition, the look for the key, the cluster, the creation."""


@pytest.fixture
def platform() -> Platform:
    return Platform()


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


async def create(proxy: FaultProxy, pid_file: str) -> str | None:
    """The id of the execution; None if the server died on the way."""
    answer = None
    try:
        async with Client(stdio_client(server(proxy, pid_file))) as client:
            answer = await client.call_tool(
                "create_execution",
                {"tool_key": "deeporigin.docking", "inputs": DOCKING_INPUTS, "idempotency_key": "the same"},
            )
    except* (MCPError, OSError):
        pass
    return None if answer is None or answer.is_error else str((answer.structured_content or {})["execution_id"])


@pytest.mark.parametrize("number", range(1, REQUESTS_OF_A_CREATION + 1))
@pytest.mark.parametrize("moment", ["before the platform worked", "after the platform worked"])
async def test_a_server_killed_during_a_creation_never_yields_two_executions(
    moment: str, number: int, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    pid_file = f"{tmp_path}/pid"

    def kill_at(this: int) -> None:
        if this == number:
            os.kill(int(Path(pid_file).read_text()), signal.SIGKILL)

    hook: Callable[[int], None] = kill_at
    if moment.startswith("before"):
        proxy.before = hook
    else:
        proxy.after = hook
    assert await create(proxy, pid_file) is None

    proxy.before = proxy.after = lambda _: None
    made = await create(proxy, pid_file)

    assert made is not None
    assert len(platform.creates) == 1
    assert platform.creates == [made]
