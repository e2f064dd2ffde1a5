"""The server as clients start it: a process that speaks MCP over its standard input and output."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult

from deeporigin_mcp.simulator import ManualClock, Platform, RunningSimulator, running_simulator
from tests.processes import COMMAND, environment
from tests.tools.bench import PROJECT, bench_token

pytestmark = pytest.mark.anyio

SLOW_START_SECONDS = 30
PROMPT_SECONDS = 20
"""How long the process may take to end; a call that it was to wait for would take longer."""
ERAS = ("legacy", "auto")
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Process:
    """A running server and its three streams."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.popen = subprocess.Popen(
            COMMAND,
            env=environment(home, **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._buffer = b""

    def send(self, line: bytes | dict[str, Any]) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write((json.dumps(line).encode() if isinstance(line, dict) else line) + b"\n")

    def ask(self, method: str, params: dict[str, Any], *, number: int) -> dict[str, Any]:
        """The answer to one request; notifications before it are passed over."""
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            answer = self.next_message()
            if answer.get("id") == number:
                return answer

    def next_message(self) -> dict[str, Any]:
        """The next line of standard output, which is JSON-RPC or a failure of the test."""
        assert self.popen.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.popen.stdout], [], [], SLOW_START_SECONDS)
            assert ready, "no answer"
            chunk = os.read(self.popen.stdout.fileno(), 65536)
            assert chunk, f"the process ended: {self.errors()}"
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def handshake(self) -> None:
        self.ask("initialize", HANDSHAKE, number=0)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def errors(self) -> str:
        assert self.popen.stderr is not None
        return self.popen.stderr.read().decode()

    def end(self) -> int:
        """Close standard input; the exit code."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        return self.popen.wait(PROMPT_SECONDS)


@contextlib.contextmanager
def server(home: Path, **variables: str) -> Iterator[Process]:
    process = Process(home, **variables)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait()
        for stream in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(Platform(clock=ManualClock())) as found:
        yield found


def credentials(simulator: RunningSimulator) -> dict[str, str]:
    return {
        "DO_AUTH_TOKEN": bench_token(),
        "DO_ORG_KEY": "deeporigin",
        "DO_BASE_URL": simulator.base_url,
        "DO_PROJECT_ID": PROJECT,
    }


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_of_either_era_lists_tools_and_runs_a_job(
    mode: str, tmp_path: Path, simulator: RunningSimulator
) -> None:
    variables = environment(tmp_path, **credentials(simulator), DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO="1")
    process = StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)
    with (tmp_path / "errors").open("w") as errors:
        async with Client(stdio_client(process, errlog=errors), mode=mode) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
            assert len((await client.list_tools()).tools) == 12
            created = await call(client, "create_execution", tool_key="acme.hello-test", inputs={}, start=True)
            name = created["execution_id"]
            clock = simulator.platform.clock
            assert isinstance(clock, ManualClock)
            clock.advance(3600)
            waited = await call(client, "wait_executions", execution_ids=[name])
            assert (waited["all_done"], waited["executions"][0]["status"]) == (True, "Completed")
    told = (tmp_path / "errors").read_text()
    assert re.findall(r'"decision": "(\w+)"', told) == ["approved"]
    assert len(told.splitlines()) == 1
    assert bench_token() not in told


async def test_each_call_is_a_line_on_stderr_if_the_operator_wants_it_and_no_other_line_is(
    tmp_path: Path, simulator: RunningSimulator
) -> None:
    variables = environment(tmp_path, **credentials(simulator), DEEPORIGIN_MCP_LOG_LEVEL="INFO")
    process = StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)
    with (tmp_path / "errors").open("w") as errors:
        async with Client(stdio_client(process, errlog=errors)) as client:
            await call(client, "list_executions")
            await client.call_tool("get_execution", {"execution_id": "0ASECRET00001"})
    told = (tmp_path / "errors").read_text()
    calls = [line.partition(" INFO deeporigin_mcp.calls: ")[2] for line in told.splitlines()]
    assert [json.loads(line)["outcome"] for line in calls] == ["ok", "refused"]
    assert "SECRET" not in told
    assert simulator.base_url not in told


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error, answer.content
    return dict(answer.structured_content or {})


def test_raw_lines_of_2025_are_answered_and_nothing_else_is_printed(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        answer = process.ask("initialize", HANDSHAKE, number=1)
        assert answer["result"]["protocolVersion"] == "2025-11-25"
        assert answer["result"]["serverInfo"]["name"] == "deeporigin-mcp"
        process.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert len(process.ask("tools/list", {}, number=2)["result"]["tools"]) == 12
        refused = process.ask("tools/call", {"name": "list_executions", "arguments": {}}, number=3)["result"]
        assert refused["isError"] is True
        assert "Not signed in to Deep Origin" in refused["content"][0]["text"]
        assert process.ask("ping", {}, number=4)["result"] == {}
        assert process.end() == 0
        assert process.popen.stdout is not None
        assert process.popen.stdout.read() == b""
        assert process.errors() == ""


def test_raw_lines_of_2026_need_no_handshake(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        found = process.ask("server/discover", {"_meta": MODERN}, number=1)["result"]
        assert "2026-07-28" in found["supportedVersions"]
        listed = process.ask("tools/list", {"_meta": MODERN}, number=2)["result"]
        assert len(listed["tools"]) == 12
        assert listed["ttlMs"] > 0
        given = {"name": "get_workspace", "arguments": {}, "_meta": MODERN}
        assert process.ask("tools/call", given, number=3)["result"]["isError"] is True
        assert process.end() == 0


def test_lines_that_are_no_protocol_do_no_harm(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.handshake()
        for garbage in (b"", b"hello", b"{", b"[]", b"null", b'{"jsonrpc": "1.0"}', b"\xff\xfe\x00", b"{}" * 50_000):
            process.send(garbage)
        process.send({"jsonrpc": "2.0", "id": 7, "method": "no/such/method", "params": {}})
        assert len(process.ask("tools/list", {}, number=8)["result"]["tools"]) == 12
        assert process.end() == 0
        assert "Traceback" not in process.errors()


def begin_to_wait(process: Process, simulator: RunningSimulator) -> None:
    """Let the server wait for an execution that does not end."""
    (name,) = simulator.platform.seed_executions(status="Running", project_id=PROJECT)
    process.handshake()
    given = {"execution_ids": [name], "timeout_seconds": 50}
    params = {"name": "wait_executions", "arguments": given, "_meta": {"progressToken": "p"}}
    process.send({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params})
    while process.next_message().get("method") != "notifications/progress":
        pass


def test_closed_input_ends_the_process_even_while_it_waits(tmp_path: Path, simulator: RunningSimulator) -> None:
    with server(tmp_path, **credentials(simulator)) as process:
        begin_to_wait(process, simulator)
        assert process.end() == 0
        assert process.errors() == ""


def test_closed_input_ends_an_idle_process_that_was_never_asked(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        assert process.popen.stdin is not None
        process.popen.stdin.close()
        assert process.popen.wait(SLOW_START_SECONDS) == 0
        assert process.errors() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_at_once_and_without_a_stack(
    number: signal.Signals, tmp_path: Path, simulator: RunningSimulator
) -> None:
    with server(tmp_path, **credentials(simulator)) as process:
        begin_to_wait(process, simulator)
        process.popen.send_signal(number)
        assert process.popen.wait(PROMPT_SECONDS) == 128 + number
        assert process.errors() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEEPORIGIN_MCP_MAX_PRICE", "lots"),
        ("DEEPORIGIN_MCP_BUDGET", "-1"),
        ("DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO", "nan"),
        ("DEEPORIGIN_MCP_READ_ONLY", "perhaps"),
        ("DEEPORIGIN_MCP_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_the_start_with_one_line(tmp_path: Path, name: str, value: str) -> None:
    with server(tmp_path, **{name: value}) as process:
        assert process.popen.wait(SLOW_START_SECONDS) == 2
        told = process.errors()
        assert told.startswith(f"deeporigin-mcp: {name} is ")
        assert told.count("\n") == 1


async def test_the_official_client_and_this_server_see_the_same_executions(
    tmp_path: Path, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with DO_ENV=local, where both talk to one simulator."""
    from deeporigin import config
    from deeporigin.platform.client import DeepOriginClient as OfficialClient

    monkeypatch.setattr(config, "CONFIG_JSON_LOCATION", tmp_path / "config.json")
    official = OfficialClient(
        base_url=simulator.base_url, token=bench_token(), org_key="deeporigin", project_id=PROJECT
    )
    try:
        variables = environment(tmp_path, **credentials(simulator))
        process = StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)
        async with Client(stdio_client(process)) as client:
            ours = (await call(client, "create_execution", tool_key="acme.hello-test", inputs={}))["execution_id"]
            read = await anyio.to_thread.run_sync(official.executions.get, ours)
            assert (read["status"], read["app"]) == ("Quoted", "deeporigin-mcp")
            theirs = await anyio.to_thread.run_sync(
                lambda: official.executions.create(
                    tool_key="acme.hello-test", tool_version="latest", data={"inputs": {}, "approveAmount": -1}
                )["executionId"]
            )
            listed = await call(client, "list_executions")
            assert {row["execution_id"] for row in listed["executions"]} == {ours, theirs}
            official_rows = await anyio.to_thread.run_sync(lambda: official.executions.list()["data"])
            assert {row["executionId"] for row in official_rows} == {ours, theirs}
            started = await call(client, "confirm_execution", execution_id=theirs)
            assert started["status"] == "Created"
            assert (await anyio.to_thread.run_sync(official.executions.get, theirs))["status"] == "Created"
    finally:
        official.close()
