"""Subscriptions over Streamable HTTP, with and without sessions: a client that leaves stops the asking."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import anyio
import pytest
import uvicorn
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceUpdatedNotification

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from tests.support.bench import Bench

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")]

HANGS_SECONDS = 60


@contextlib.contextmanager
def serving(settings: Settings, *, stateless: bool) -> Iterator[str]:
    """The server's URL."""
    started = threading.Event()

    class Told(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    app = create_server(settings).streamable_http_app(stateless_http=stateless)
    server = Told(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        assert started.wait(HANGS_SECONDS)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server.should_exit = True
        thread.join(HANGS_SECONDS)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another thread."""
    with anyio.fail_after(HANGS_SECONDS):
        while not condition():
            await anyio.to_thread.run_sync(lambda: None)


@pytest.mark.parametrize("stateless", [True, False])
async def test_a_stream_of_2026_is_followed_while_it_is_open(bench: Bench, stateless: bool) -> None:
    uri = f"deeporigin://executions/{bench.seeded('Running')}"
    with serving(bench.settings(), stateless=stateless) as url:
        async with Client(url) as client:
            async with client.listen(resource_subscriptions=[uri]):
                await until(lambda: any(bench.platform.open_streams.values()))
            await until(lambda: not any(bench.platform.open_streams.values()))


async def test_a_session_of_2025_is_pushed_to_until_it_ends(bench: Bench) -> None:
    name, updated = bench.seeded("Running"), list[str]()

    async def hear(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            updated.append(message.params.uri)

    uris = [f"deeporigin://executions/{one}" for one in (name, bench.seeded("Running"))]
    with serving(bench.settings(), stateless=False) as url:
        async with Client(url, mode="legacy", message_handler=hear) as client:
            for uri in uris:
                await client.subscribe_resource(uri)
            await until(lambda: any(bench.platform.open_streams.values()))
            await client.call_tool("cancel_execution", {"execution_id": name})
            await until(lambda: uris[0] in updated)
            assert any(bench.platform.open_streams.values())
        await until(lambda: not any(bench.platform.open_streams.values()))


async def test_without_sessions_2025_is_told_to_read_again(bench: Bench) -> None:
    with serving(bench.settings(), stateless=True) as url:
        async with Client(url, mode="legacy") as client:
            assert client.server_capabilities.resources is not None
            assert not client.server_capabilities.resources.subscribe
            with pytest.raises(MCPError, match="no session"):
                await client.subscribe_resource("deeporigin://executions/x")
    assert bench.platform.requests == []
