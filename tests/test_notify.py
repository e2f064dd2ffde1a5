"""DEEPORIGIN_MCP_NOTIFY with real servers: one that is killed, one that is started anew, two that share a port."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.support.bench import PROJECT, Bench, bench_token, docking, running_bench
from tests.support.processes import COMMAND, environment, run_program
from tests.support.site import ADA
from tests.support.told import Webhook, running_webhook
from tests.support.workers import balancer, workers

pytestmark = pytest.mark.anyio

AUTOMATIC = {"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "1"}
HOUR = 3600.0


@pytest.fixture
async def webhook(anyio_backend: str) -> AsyncIterator[Webhook]:
    async with running_webhook() as found:
        yield found


@pytest.fixture
async def real_time_bench(anyio_backend: str) -> AsyncIterator[Bench]:
    with running_bench() as bench:
        # The servers live in real time.
        bench.clock.advance_to(datetime.now(UTC))
        yield bench


def server(bench: Bench, home: Path, notify: str, pid_file: Path | None = None) -> Client:
    """A server as a process, each with a session of its own."""
    command, *arguments = COMMAND
    if pid_file is not None:
        note = f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
        arguments = ["-c", f"{note}; from deeporigin_mcp.cli import main; main(['serve'])"]
    variables = environment(
        home,
        DO_AUTH_TOKEN=bench_token(),
        DO_ORG_KEY="deeporigin",
        DO_PROJECT_ID=PROJECT,
        DO_BASE_URL=bench.base_url,
        DEEPORIGIN_MCP_NOTIFY=notify,
        **AUTOMATIC,
    )
    return Client(stdio_client(StdioServerParameters(command=command, args=arguments, env=variables)))


async def read(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    found = await client.call_tool(tool, arguments)
    assert isinstance(found, CallToolResult)
    assert not found.is_error, found.content
    return dict(found.structured_content or {})


async def started(client: Client) -> str:
    """A run that goes on until the clock is moved; its id."""
    arguments = docking()
    arguments["inputs"] = {**arguments["inputs"], "sync": False}
    name = (await read(client, "create_execution", **arguments))["execution_id"]
    await read(client, "confirm_execution", execution_id=name, wait_seconds=0)
    return str(name)


async def left_by_a_killed_server(bench: Bench, home: Path, notify: str) -> str:
    """A run that ended after the server that had started it was killed; its id."""
    pid_file = home / "pid"
    async with server(bench, home, notify, pid_file) as client:
        name = await started(client)
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    bench.clock.advance(HOUR)
    return name


async def test_what_a_killed_server_has_left_is_told_once_by_the_next_ones(
    real_time_bench: Bench, webhook: Webhook, tmp_path: Path
) -> None:
    bench = real_time_bench
    name = await left_by_a_killed_server(bench, tmp_path, webhook.url)
    async with server(bench, tmp_path, webhook.url) as client:
        await webhook.until_told(1)
        # It goes on, and so does a third.
        async with server(bench, tmp_path, webhook.url) as third:
            other = await started(third)
            bench.clock.advance(HOUR)
            await webhook.until_told(2)
            await read(client, "list_executions")
    assert [told["execution_id"] for told in webhook.told] == [name, other]
    assert {told["status"] for told in webhook.told} == {"Completed"}


async def test_a_server_that_tells_somebody_else_takes_nothing_up(
    real_time_bench: Bench, webhook: Webhook, tmp_path: Path
) -> None:
    bench = real_time_bench
    left = await left_by_a_killed_server(bench, tmp_path, webhook.url)
    async with running_webhook() as other, server(bench, tmp_path, other.url) as client:
        own = await started(client)
        bench.clock.advance(HOUR)
        await other.until_told(1)
        assert [told["execution_id"] for told in other.told] == [own]
    assert left not in [told["execution_id"] for told in webhook.told]


async def test_two_workers_tell_of_each_run_once(real_time_bench: Bench, webhook: Webhook, tmp_path: Path) -> None:
    bench = real_time_bench
    with workers(2, tmp_path, bench.base_url, DEEPORIGIN_MCP_NOTIFY=webhook.url, **AUTOMATIC) as found:
        async with (
            balancer(found) as front,
            httpx2.AsyncClient(headers=ADA, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(f"{front.base_url}/mcp", http_client=http)) as client,
        ):
            runs = [await started(client) for _ in range(4)]
            bench.clock.advance(HOUR)
            await webhook.until_told(4)
            for _ in range(4):
                await read(client, "list_executions")
            assert front.workers_of("tools/call") == {0, 1}
        for worker in found:
            code, log = await worker.stop()
            assert (code, "Traceback" in log, "a-secret-of" in log) == (0, False, False)
    assert sorted(told["execution_id"] for told in webhook.told) == sorted(runs)


async def test_a_command_of_the_users_is_called_by_a_real_server(real_time_bench: Bench, tmp_path: Path) -> None:
    bench, fifo = real_time_bench, tmp_path / "fifo"
    os.mkfifo(fifo)
    async with server(bench, tmp_path, f"dd of={fifo}") as client:
        name = await started(client)
        bench.clock.advance(HOUR)
        told = await anyio.to_thread.run_sync(fifo.read_text)
    assert name in told


@pytest.mark.parametrize(
    "value",
    [
        "http://hooks.example.org/x",
        "https://user:hunter2@hooks.example.org/x",
        "ftp://hooks.example.org/hunter2",
        "https://",
        "https://hooks.example.org/a b",
        "no-such-program-anywhere hunter2",
        "notify 'hunter2",
    ],
)
def test_a_receiver_that_cannot_be_used_stops_the_server_and_is_not_repeated(value: str, tmp_path: Path) -> None:
    done = run_program(home=tmp_path, variables={"DEEPORIGIN_MCP_NOTIFY": value})
    assert (done.returncode, done.stdout) == (2, "")
    assert "DEEPORIGIN_MCP_NOTIFY" in done.stderr
    assert "hunter2" not in done.stderr
