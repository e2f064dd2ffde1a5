"""What the protocol extensions answer to requests that they refuse."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer

from deeporigin_mcp.extensions import RequestContext, Stop, Subscriptions, TasksExtension, served, subscriptions
from tests.messages.snapshot import assert_as_agreed
from tests.support.task_client import MODERN, TakesTasks, get_task

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed"),
]


class Still:
    """A feed of resources that never change."""

    def __init__(self) -> None:
        self.group: anyio.abc.TaskGroup | None = None

    def refusal(self, uri: str) -> str | None:
        return None

    def follow(self, ctx: RequestContext, uri: str, on_update: Callable[[], None]) -> Stop:
        return lambda: None

    def tasks(self, ctx: RequestContext) -> anyio.abc.TaskGroup:
        assert self.group
        return self.group


def server() -> MCPServer[Any]:
    feed = Still()

    @contextlib.asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        async with anyio.create_task_group() as feed.group:
            yield
            feed.group.cancel_scope.cancel()

    tasks = TasksExtension([], key=lambda _: b"k" * 32)
    made: MCPServer[Any] = MCPServer(name="still", lifespan=lifespan, extensions=[tasks])
    Subscriptions(feed).serve(made)
    return made


async def test_messages_of_the_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_RESOURCES", 1)
    monkeypatch.setattr(subscriptions, "MAX_STREAMS", 1)
    said = {}
    async with Client(server(), mode="legacy") as client:
        await client.subscribe_resource("place://a")
        with pytest.raises(MCPError) as refused:
            await client.subscribe_resource("place://b")
        said["too many resources"] = refused.value.error
    async with Client(server(), mode=MODERN, extensions=[TakesTasks()]) as client:
        async with client.listen(resource_subscriptions=["place://a"]):
            with pytest.raises(MCPError) as refused:
                async with client.listen(resource_subscriptions=["place://b"]):
                    pass
        said["too many streams"] = refused.value.error
        with pytest.raises(MCPError) as refused:
            await get_task(client.session, "unknown")
        said["unknown task"] = refused.value.error
    lines = {case: f"code: {error.code}\nmessage: {error.message}" for case, error in said.items()}
    lines["no session"] = await without_session()
    with pytest.raises(LookupError) as missing:
        served(server(), "weather/forecast")
    lines["no handler"] = str(missing.value)
    assert_as_agreed("extensions", lines)


async def without_session() -> str:
    stateless = server()
    app = stateless.streamable_http_app(stateless_http=True, json_response=True)
    body = {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": "place://a"}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    async with (
        stateless.session_manager.run(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as http,
    ):
        error = (await http.post("/mcp", json=body, headers=headers)).json()["error"]
    return f"code: {error['code']}\nmessage: {error['message']}"
