"""A server that is killed in the middle of a download, and asked again."""

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

from deeporigin_mcp.simulator import Platform, make_token, running_simulator
from deeporigin_mcp.simulator.state.files import put_file
from tests.faults.calls import PROJECT
from tests.faults.proxy import FaultProxy, Place, fault_proxy

pytestmark = pytest.mark.anyio

PATHS = [f"a/{number}.bin" for number in range(40)]
CONTENT = {path: bytes([number]) * 200_000 for number, path in enumerate(PATHS)}


@pytest.fixture
def platform() -> Platform:
    found = Platform()
    for path, content in CONTENT.items():
        put_file(found, found.organisations["deeporigin"], path, content)
    return found


@pytest.fixture
def proxy(platform: Platform) -> Iterator[FaultProxy]:
    with running_simulator(platform) as simulator, fault_proxy(simulator.base_url) as made:
        yield made


def server(proxy: FaultProxy, folder: Path) -> StdioServerParameters:
    note_pid = f"import os, pathlib; pathlib.Path({str(folder / 'pid')!r}).write_text(str(os.getpid()))"
    return StdioServerParameters(
        command=sys.executable,
        args=["-c", f"{note_pid}; from deeporigin_mcp.cli import main; main(['serve'])"],
        env={
            "HOME": "/nonexistent",
            "DO_AUTH_TOKEN": make_token(),
            "DO_ORG_KEY": "deeporigin",
            "DO_PROJECT_ID": PROJECT,
            "DO_BASE_URL": proxy.base_url,
            "DEEPORIGIN_MCP_FILES": str(folder / "mine"),
        },
    )


async def download(proxy: FaultProxy, folder: Path) -> dict[str, Any] | None:
    """What the tool says; None if the server died on the way."""
    answer = None
    try:
        async with Client(stdio_client(server(proxy, folder))) as client:
            answer = await client.call_tool("download_files", {"paths": PATHS})
    except* (MCPError, OSError):
        pass
    return None if answer is None else answer.structured_content


def visible(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.glob("mine/files/*") if not path.name.startswith(".")]
    return {f"a/{path.name}": path.read_bytes() for path in found}


@pytest.mark.parametrize("nth", [1, 25, 40])
async def test_a_killed_download_leaves_whole_files_only_and_is_continued(
    nth: int, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    def kill() -> None:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    proxy.cut(Place("GET /store/", nth), "after the platform worked", kill)
    assert await download(proxy, tmp_path) is None
    there = visible(tmp_path)
    assert there.items() <= CONTENT.items()
    assert len(there) < len(PATHS)

    proxy.heal()
    proxy.seen.clear()
    found = await download(proxy, tmp_path)

    assert found is not None
    assert (found["count"], found.get("already_there", 0)) == (len(PATHS), len(there))
    assert visible(tmp_path) == CONTENT
    # What the killed server had asked for may reach the proxy late; none of that was whole.
    fetched = {path for path in PATHS for request in proxy.seen if "GET /store/" in request and path in request}
    assert fetched == {*PATHS} - there.keys()
