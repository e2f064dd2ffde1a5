"""Following executions as resources, through the server and the wait engine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ReadResourceResult, ResourceUpdatedNotification, TextResourceContents

from tests.support.bench import ERAS, Bench, docking

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")]

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DOCKING = "deeporigin://tools/deeporigin.docking/latest"


def execution_uri(name: str) -> str:
    return f"deeporigin://executions/{name}"


async def others_run() -> None:
    """Let this loop's tasks and the simulator's thread run: no time passes, but whatever is due happens."""
    await anyio.to_thread.run_sync(lambda: None)


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await others_run()


async def nothing_more_comes(bench: Bench) -> None:
    """Until what was under way, such as an update that a client still reads after, has arrived."""
    quiet, requests = 0, -1
    while quiet < 50:
        quiet = quiet + 1 if len(bench.platform.requests) == requests else 0
        requests = len(bench.platform.requests)
        await others_run()


def status_in(read: ReadResourceResult) -> str:
    (content,) = read.contents
    assert isinstance(content, TextResourceContents)
    return str(json.loads(content.text)["status"])


class Subscriber:
    """A client of either era that notes each update, and what it reads then of an execution."""

    def __init__(self, bench: Bench, mode: str) -> None:
        self.updated: list[str] = []
        self.statuses: list[str] = []
        self._bench = bench
        self._mode = mode

    @contextlib.asynccontextmanager
    async def follow(self, *uris: str, **settings: Any) -> AsyncIterator[Client]:
        """Subscribe; leaving the block ends the subscriptions, and then the client."""
        updates, heard = anyio.create_memory_object_stream[str](1000)

        async def hear(message: object) -> None:
            if isinstance(message, ResourceUpdatedNotification):
                updates.send_nowait(message.params.uri)

        async def read(client: Client) -> None:
            async for uri in heard:
                self.updated.append(uri)
                if uri.count("/") == 3:
                    self.statuses.append(status_in(await client.read_resource(uri, cache_mode="bypass")))

        server = self._bench.server(**settings)
        async with (
            Client(server, mode=self._mode, message_handler=hear) as client,
            anyio.create_task_group() as tasks,
            contextlib.AsyncExitStack() as stack,
        ):
            tasks.start_soon(read, client)
            if self._mode == "legacy":
                for uri in uris:
                    await client.subscribe_resource(uri)
            else:
                await stack.enter_async_context(client.listen(resource_subscriptions=uris))
            yield client
            if self._mode == "legacy":
                for uri in uris:
                    await client.unsubscribe_resource(uri)
            await stack.aclose()
            tasks.cancel_scope.cancel()
        updates.close()
        heard.close()


async def started(bench: Bench, *smiles: str) -> str:
    async with bench.agent(auto_approve_up_to=100) as agent:
        found = await agent.read("create_execution", **docking(*smiles), start=True)
    return str(found["execution_id"])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_run_is_followed_to_its_end_and_then_nothing_is_asked(bench: Bench, mode: str) -> None:
    name = await started(bench, "CCO", "CCC")
    subscriber = Subscriber(bench, mode)
    async with subscriber.follow(execution_uri(name)) as client:
        await until(lambda: "Completed" in subscriber.statuses)
        await nothing_more_comes(bench)
        assert subscriber.statuses[0] == "Running"
        assert subscriber.updated.count(execution_uri(name)) >= 3, "its progress is news too"
        bench.platform.requests.clear()
        await bench.time.timing.sleep(1000)
        await client.list_tools()
        await nothing_more_comes(bench)
        assert bench.platform.requests == []


@pytest.mark.parametrize("mode", ERAS)
async def test_a_log_is_followed_with_its_execution(bench: Bench, mode: str) -> None:
    name = await started(bench, "CCO")
    uris = [execution_uri(name), f"{execution_uri(name)}/logs"]
    subscriber = Subscriber(bench, mode)
    async with subscriber.follow(*uris):
        await until(lambda: "Completed" in subscriber.statuses)
        await until(lambda: subscriber.updated.count(uris[0]) == subscriber.updated.count(uris[1]))


@pytest.mark.parametrize("mode", ERAS)
async def test_nobody_who_listens_means_nothing_is_asked(bench: Bench, mode: str) -> None:
    name = bench.seeded("Running")
    async with Subscriber(bench, mode).follow(execution_uri(name)):
        await until(lambda: len(bench.sent("GET", name)) > 3)
    async with bench.agent(mode=mode) as agent:
        async with Subscriber(bench, mode).follow(execution_uri(name)):
            await until(lambda: any(bench.platform.open_streams.values()))
        await until(lambda: not any(bench.platform.open_streams.values()))
        await nothing_more_comes(bench)
        bench.platform.requests.clear()
        await bench.time.timing.sleep(1000)
        await agent.read("get_execution", execution_id=name)
        assert len(bench.platform.requests) == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_twenty_runs_cost_one_watch(bench: Bench, mode: str) -> None:
    names = bench.platform.seed_executions(count=20, status="Running")
    async with Subscriber(bench, mode).follow(*map(execution_uri, names)):
        begun = bench.time.elapsed()
        await until(lambda: bench.time.elapsed() - begun > 120)
        lists = bench.sent("GET", "/executions?")
        looks = [path for name in names for path in bench.sent("GET", name) if "/sse/" not in path]
        assert len(bench.sent("GET", "/sse/")) == 1
    assert len(looks) <= 20
    assert len(lists) < 25, "about one list in eight seconds"


@pytest.mark.parametrize("mode", ERAS)
async def test_failures_that_pass_do_not_end_it(bench: Bench, mode: str) -> None:
    name = await started(bench, *["CCO"] * 8)
    bench.fault("GET */executions/* status=503 times=12")
    bench.fault("GET */sse/* status=503")
    subscriber = Subscriber(bench, mode)
    async with subscriber.follow(execution_uri(name)):
        await until(lambda: "Completed" in subscriber.statuses)


@pytest.mark.parametrize("mode", ERAS)
async def test_what_cannot_be_read_is_one_update(bench: Bench, mode: str) -> None:
    running, subscriber = bench.seeded("Running"), Subscriber(bench, mode)
    uri = f"{execution_uri(UNKNOWN)}/logs"
    async with subscriber.follow(uri, execution_uri(running)):
        await until(lambda: uri in subscriber.updated)
        await until(lambda: len(bench.sent("GET", running)) > 8)
    assert subscriber.updated == [uri]
    assert len(bench.sent("GET", UNKNOWN)) == 1


async def test_a_definition_does_not_change_so_nobody_can_subscribe_to_it(bench: Bench) -> None:
    async with Client(bench.server(), mode="legacy") as client:
        for uri in (DOCKING, "deeporigin://executions/", "https://example.com"):
            with pytest.raises(MCPError) as refusal:
                await client.subscribe_resource(uri)
            assert refusal.value.error.code == -32602
    async with Client(bench.server()) as client, client.listen(resource_subscriptions=[DOCKING]) as stream:
        assert not stream.honored.resource_subscriptions
    assert bench.platform.requests == []


async def test_without_executions_there_is_nothing_to_subscribe_to(bench: Bench) -> None:
    async with Client(bench.server(toolsets=("catalogue",)), mode="legacy") as client:
        assert client.server_capabilities.resources is not None
        assert not client.server_capabilities.resources.subscribe
        with pytest.raises(MCPError) as refusal:
            await client.subscribe_resource(DOCKING)
        assert refusal.value.error.code == -32601


@pytest.mark.parametrize("mode", ERAS)
async def test_without_credentials_a_follower_gets_an_update_and_reads_why(bench: Bench, mode: str) -> None:
    uri = f"{execution_uri(UNKNOWN)}/logs"
    subscriber = Subscriber(bench, mode)
    async with subscriber.follow(uri, token=None) as client:
        await until(lambda: subscriber.updated == [uri])
        with pytest.raises(MCPError, match="DO_AUTH_TOKEN"):
            await client.read_resource(uri)
    assert bench.platform.requests == []
