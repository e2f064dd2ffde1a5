"""A subscription as clients have it: the server in a process of its own, the platform over HTTP."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult, ResourceUpdatedNotification, TextResourceContents

from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator
from tests.support.bench import ERAS, PROJECT, bench_token, docking
from tests.support.processes import environment

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")]

HANGS_SECONDS = 60


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens in another thread or process."""
    with anyio.fail_after(HANGS_SECONDS):
        while not condition():
            await anyio.to_thread.run_sync(lambda: None)


class Inbox:
    """The updates that a client gets, as they come."""

    def __init__(self) -> None:
        self.updated: list[str] = []

    async def __call__(self, message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.updated.append(message.params.uri)


@contextlib.asynccontextmanager
async def following(client: Client, mode: str, uri: str, platform: Platform) -> AsyncIterator[None]:
    """Follow a resource; the block begins when the server hears the platform's events, and ends with unsubscribing."""
    async with contextlib.AsyncExitStack() as stack:
        if mode == "legacy":
            await client.subscribe_resource(uri)
        else:
            await stack.enter_async_context(client.listen(resource_subscriptions=[uri]))
        await until(lambda: any(platform.open_streams.values()))
        yield
        if mode == "legacy":
            await client.unsubscribe_resource(uri)


async def started(client: Client) -> str:
    """The URI of a run that begins when the platform's clock moves."""
    answer = await client.call_tool("create_execution", {**docking(*["CCO"] * 5), "start": True})
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error, answer.content
    return f"deeporigin://executions/{(answer.structured_content or {})['execution_id']}"


async def status_of(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return str(json.loads(content.text)["status"])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_process_sends_updates_while_it_is_listened_to_and_then_asks_no_more(mode: str, tmp_path: Path) -> None:
    clock, inbox = ManualClock(), Inbox()
    with running_simulator(Platform(clock=clock)) as simulator, (tmp_path / "errors").open("w") as errors:
        platform = simulator.platform
        variables = environment(
            tmp_path,
            DO_AUTH_TOKEN=bench_token(),
            DO_ORG_KEY="deeporigin",
            DO_PROJECT_ID=PROJECT,
            DO_BASE_URL=simulator.base_url,
            DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO="100",
        )
        process = StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)
        # Without a cache of the client's own: each reading is a request.
        async with Client(stdio_client(process, errlog=errors), mode=mode, message_handler=inbox, cache=None) as client:
            uri = await started(client)
            async with following(client, mode, uri, platform):
                clock.advance(20)
                await until(lambda: inbox.updated)
                assert await status_of(client, uri) == "Running"
                told = len(inbox.updated)
                clock.advance(600)
                await until(lambda: len(inbox.updated) > told)
                assert await status_of(client, uri) == "Completed"
                await until(lambda: not any(platform.open_streams.values()))

            uri = await started(client)
            async with following(client, mode, uri, platform):
                pass
            await until(lambda: not any(platform.open_streams.values()))
            inbox.updated.clear()
            assert await status_of(client, uri) == "Created"
            before = len(platform.requests)
            clock.advance(600)
            assert await status_of(client, uri) == "Completed"
            # The reading itself; what it lacks is another request.
            assert sum("/executions/" in path for _, path, _ in platform.requests[before:]) == 1
            assert inbox.updated == []
    assert "Traceback" not in (tmp_path / "errors").read_text()
