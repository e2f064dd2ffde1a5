"""A server that is killed in the middle of a download, and asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.simulator import Platform, running_simulator
from deeporigin_mcp.simulator.state.files import put_file
from tests.faults.proxy import FaultProxy, Place, fault_proxy
from tests.faults.servers import called, killer, process

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


async def download(proxy: FaultProxy, folder: Path) -> dict[str, Any] | None:
    """What the tool says; None if the server died on the way."""
    server = process(proxy, folder / "pid", DEEPORIGIN_MCP_FILES=str(folder / "mine"))
    return await called(server, "download_files", {"paths": PATHS})


def visible(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.glob("mine/files/*") if not path.name.startswith(".")]
    return {f"a/{path.name}": path.read_bytes() for path in found}


@pytest.mark.parametrize("nth", [1, 25, 40])
async def test_a_killed_download_leaves_whole_files_only_and_is_continued(
    nth: int, platform: Platform, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.cut(Place("GET /store/", nth), "after the platform worked", killer(tmp_path / "pid"))
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
