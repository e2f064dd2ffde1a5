"""Subscriptions by themselves: a server with one feed, over memory streams, HTTP with sessions and HTTP without."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
from anyio.lowlevel import checkpoint
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import (
    EmptyResult,
    JSONRPCResponse,
    ResourceUpdatedNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    jsonrpc_message_adapter,
)

from deeporigin_mcp.extensions import RequestContext, served, subscriptions
from deeporigin_mcp.extensions.subscriptions import Stop, Subscriptions

pytestmark = [
    pytest.mark.anyio,
    # The methods of 2025-11-25 are deprecated, and clients go on using them.
    pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed"),
]

BASE_URL = "http://127.0.0.1:8000"
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
LEGACY_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


class Weather:
    """A feed of places whose weather a test changes; `place://` only."""

    def __init__(self) -> None:
        self.followed: dict[str, list[Callable[[], None]]] = {}
        self.group: anyio.abc.TaskGroup | None = None

    def refusal(self, uri: str) -> str | None:
        return None if uri.startswith("place://") else f"{uri} has no weather."

    def follow(self, ctx: RequestContext, uri: str, on_update: Callable[[], None]) -> Stop:
        assert ctx.request_id is not None
        self.followed.setdefault(uri, []).append(on_update)

        def stop() -> None:
            self.followed[uri].remove(on_update)
            if not self.followed[uri]:
                del self.followed[uri]

        return stop

    def tasks(self, ctx: RequestContext) -> anyio.abc.TaskGroup:
        assert self.group is not None
        return self.group

    def change(self, uri: str) -> None:
        for on_update in self.followed.get(uri, []):
            on_update()


def server_of(weather: Weather) -> MCPServer[Any]:
    @contextlib.asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        async with anyio.create_task_group() as weather.group:
            yield
            weather.group.cancel_scope.cancel()

    server: MCPServer[Any] = MCPServer(name="weather", lifespan=lifespan)
    Subscriptions(weather).serve(server)
    return server


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something holds."""
    with anyio.fail_after(10):
        while not condition():
            await checkpoint()


async def others_run() -> None:
    for _ in range(200):
        await checkpoint()


class Inbox:
    """A client's handler of notifications."""

    def __init__(self) -> None:
        self.updated: list[str] = []

    async def __call__(self, message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.updated.append(message.params.uri)


@pytest.fixture
def weather() -> Weather:
    return Weather()


@contextlib.asynccontextmanager
async def legacy(weather: Weather) -> AsyncIterator[tuple[Client, Inbox]]:
    inbox = Inbox()
    async with Client(server_of(weather), mode="legacy", message_handler=inbox) as client:
        yield client, inbox


async def test_a_subscriber_of_2025_hears_of_its_resources_until_it_unsubscribes(weather: Weather) -> None:
    async with legacy(weather) as (client, inbox):
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe
        await client.subscribe_resource("place://a")
        await client.subscribe_resource("place://a")
        await client.subscribe_resource("place://b")
        assert {uri: len(each) for uri, each in weather.followed.items()} == {"place://a": 1, "place://b": 1}
        weather.change("place://a")
        await until(lambda: inbox.updated == ["place://a"])
        await client.unsubscribe_resource("place://a")
        await client.unsubscribe_resource("place://a")
        await client.unsubscribe_resource("place://never")
        assert [*weather.followed] == ["place://b"]
        weather.change("place://b")
        await until(lambda: inbox.updated == ["place://a", "place://b"])


async def test_an_update_that_was_not_sent_when_its_subscriber_left_is_not_sent(weather: Weather) -> None:
    async with legacy(weather) as (client, inbox):
        await client.subscribe_resource("place://a")
        (tell,) = weather.followed["place://a"]
        await client.unsubscribe_resource("place://a")
        tell()
        await others_run()
        assert inbox.updated == []


async def test_nothing_is_followed_for_a_client_that_has_left(weather: Weather) -> None:
    async with legacy(weather) as (client, _):
        await client.subscribe_resource("place://a")
        assert weather.followed
    assert not weather.followed


async def test_a_client_that_does_not_read_gets_few_updates_for_many_changes(weather: Weather) -> None:
    low_level = server_of(weather)._lowlevel_server
    async with (
        create_client_server_memory_streams() as ((read, write), server_streams),
        anyio.create_task_group() as tg,
    ):
        tg.start_soon(low_level.run, *server_streams, low_level.create_initialization_options())

        async def send(method: str, params: dict[str, Any], number: int | None = None) -> None:
            body = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
            await write.send(SessionMessage(jsonrpc_message_adapter.validate_python(body)))

        await send("initialize", HANDSHAKE, 1)
        await read.receive()
        await send("notifications/initialized", {})
        await send("resources/subscribe", {"uri": "place://a"}, 2)
        await read.receive()
        for _ in range(300):
            weather.change("place://a")
            await checkpoint()
        await send("ping", {}, 3)
        updates = 0
        while True:
            received = await read.receive()
            assert isinstance(received, SessionMessage)
            if isinstance(received.message, JSONRPCResponse):
                break
            updates += 1
        assert 1 <= updates < 5
        tg.cancel_scope.cancel()


async def test_what_cannot_be_followed_is_refused_with_the_reason(weather: Weather) -> None:
    async with legacy(weather) as (client, _):
        with pytest.raises(MCPError) as refusal:
            await client.subscribe_resource("rock://x")
    assert (refusal.value.error.code, refusal.value.error.data) == (-32602, {"uri": "rock://x"})
    assert refusal.value.error.message == weather.refusal("rock://x")


async def test_a_connection_follows_a_bounded_number(weather: Weather, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_RESOURCES", 2)
    async with legacy(weather) as (client, _):
        for name in ("a", "b", "a"):
            await client.subscribe_resource(f"place://{name}")
        with pytest.raises(MCPError) as refusal:
            await client.subscribe_resource("place://c")
        assert refusal.value.error.code == -32600
        await client.unsubscribe_resource("place://a")
        await client.subscribe_resource("place://c")


async def test_a_listener_of_2026_is_promised_only_what_can_be_followed(weather: Weather) -> None:
    async with Client(server_of(weather)) as client:
        asked = ["place://a", "rock://x", "place://b", "place://a"]
        async with client.listen(resource_subscriptions=asked, tools_list_changed=True) as stream:
            assert stream.honored.resource_subscriptions == ["place://a", "place://b"]
            assert stream.honored.tools_list_changed is True
            weather.change("place://b")
            assert (await anext(stream)).uri == "place://b"  # type: ignore[union-attr]
        await until(lambda: not weather.followed)


async def test_a_change_between_the_request_and_its_acknowledgement_is_not_lost(weather: Weather) -> None:
    follow = weather.follow

    def hasty(ctx: RequestContext, uri: str, on_update: Callable[[], None]) -> Stop:
        stop = follow(ctx, uri, on_update)
        on_update()
        return stop

    weather.follow = hasty  # type: ignore[method-assign]
    async with Client(server_of(weather)) as client, client.listen(resource_subscriptions=["place://a"]) as stream:
        with anyio.fail_after(10):
            assert (await anext(stream)).uri == "place://a"  # type: ignore[union-attr]


async def test_streams_hear_only_what_they_asked_for(weather: Weather) -> None:
    async with (
        Client(server_of(weather)) as client,
        client.listen(resource_subscriptions=["place://a"]) as one,
        client.listen(resource_subscriptions=["place://b"]) as two,
    ):
        weather.change("place://b")
        weather.change("place://a")
        with anyio.fail_after(10):
            assert (await anext(one)).uri == "place://a"  # type: ignore[union-attr]
            assert (await anext(two)).uri == "place://b"  # type: ignore[union-attr]


async def test_a_server_holds_a_bounded_number_of_streams(weather: Weather, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_STREAMS", 1)
    async with Client(server_of(weather)) as client:
        async with client.listen(resource_subscriptions=["place://a"]):
            with pytest.raises(MCPError) as refusal:
                async with client.listen(resource_subscriptions=["place://b"]):
                    pass
            assert refusal.value.error.code == -32603
        await until(lambda: not weather.followed)
        async with client.listen(resource_subscriptions=["place://b"]):
            assert [*weather.followed] == ["place://b"]


async def test_the_methods_of_the_other_era_are_not_there(weather: Weather) -> None:
    async with Client(server_of(weather)) as client:
        request = SubscribeRequest(params=SubscribeRequestParams(uri="place://a"))
        with pytest.raises(MCPError) as refusal:
            await client.session.send_request(request, EmptyResult)
        assert refusal.value.error.code == -32601


@contextlib.asynccontextmanager
async def over_http(weather: Weather, *, stateless: bool) -> AsyncIterator[httpx.AsyncClient]:
    server = server_of(weather)
    app = server.streamable_http_app(stateless_http=stateless, json_response=True)
    async with (
        server.session_manager.run(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE_URL, headers=LEGACY_HEADERS) as http,
    ):
        yield http


async def ask(http: httpx.AsyncClient, method: str, params: dict[str, Any]) -> httpx.Response:
    return await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def test_without_a_session_subscribing_is_neither_offered_nor_possible(weather: Weather) -> None:
    async with over_http(weather, stateless=True) as http:
        offered = (await ask(http, "initialize", HANDSHAKE)).json()["result"]
        assert offered["capabilities"]["resources"]["subscribe"] is False
        assert offered["capabilities"]["tools"] is not None
        error = (await ask(http, "resources/subscribe", {"uri": "place://a"})).json()["error"]
        assert error["code"] == -32600
        assert "subscriptions/listen" in error["message"]
        assert "result" in (await ask(http, "resources/unsubscribe", {"uri": "place://a"})).json()
    assert not weather.followed


async def test_with_a_session_subscribing_is_offered_and_ends_with_the_session(weather: Weather) -> None:
    async with over_http(weather, stateless=False) as http:
        opened = await ask(http, "initialize", HANDSHAKE)
        assert opened.json()["result"]["capabilities"]["resources"]["subscribe"] is True
        http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        await http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert "result" in (await ask(http, "resources/subscribe", {"uri": "place://a"})).json()
        assert [*weather.followed] == ["place://a"]
        assert (await http.delete("/mcp")).status_code == 200
        await until(lambda: not weather.followed)


def test_a_method_that_is_not_served_cannot_be_built_on(weather: Weather) -> None:
    with pytest.raises(LookupError, match="weather/forecast"):
        served(server_of(weather), "weather/forecast")
