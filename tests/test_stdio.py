"""The server as clients start it: a process that speaks MCP over its standard input and output."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult

from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import ManualClock, Platform, RunningSimulator, running_simulator
from tests.support.bench import PROJECT, bench_token
from tests.support.errors import error_of
from tests.support.processes import COMMAND, environment

pytestmark = pytest.mark.anyio

SLOW_START_SECONDS = 90
PROMPT_SECONDS = 40
"""How long the process may take to end; a call that it was to wait for would take longer."""
PATIENT = "from deeporigin_mcp import cli, stdio; stdio.LAST_SECONDS = stdio.CALLS_SECONDS = 60; cli.main(['serve'])"
"""The program, with time for what was begun: the usual second is too short for a slow machine to answer at all."""
ERAS = ("legacy", "auto")
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Process:
    """A running server and its three streams."""

    def __init__(self, home: Path, stderr: int, **variables: str) -> None:
        self.popen = subprocess.Popen(
            COMMAND,
            env=environment(home, **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
        )
        self.received = b""
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
            self.received += chunk
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
    with server_beside(home, subprocess.PIPE, **variables) as process:
        yield process


@contextlib.contextmanager
def server_beside(home: Path, stderr: int, **variables: str) -> Iterator[Process]:
    """A server whose stderr is this descriptor."""
    process = Process(home, stderr, **variables)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait()
        for stream in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
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
            assert len((await client.list_tools()).tools) == len(TOOLS)
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
        assert len(process.ask("tools/list", {}, number=2)["result"]["tools"]) == len(TOOLS)
        refused = process.ask("tools/call", {"name": "list_executions", "arguments": {}}, number=3)["result"]
        assert error_of(CallToolResult.model_validate(refused)).code == "not_signed_in"
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
        assert len(listed["tools"]) == len(TOOLS)
        assert listed["ttlMs"] > 0
        given = {"name": "get_workspace", "arguments": {}, "_meta": MODERN}
        assert process.ask("tools/call", given, number=3)["result"]["isError"] is True
        assert process.end() == 0


def test_invalid_lines_do_no_harm(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.handshake()
        for garbage in (b"", b"hello", b"{", b"[]", b"null", b'{"jsonrpc": "1.0"}', b"\xff\xfe\x00", b"{}" * 50_000):
            process.send(garbage)
        process.send({"jsonrpc": "2.0", "id": 7, "method": "no/such/method", "params": {}})
        assert len(process.ask("tools/list", {}, number=8)["result"]["tools"]) == len(TOOLS)
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
def test_with_an_invalid_setting_the_server_does_not_start_and_prints_one_line(
    tmp_path: Path, name: str, value: str
) -> None:
    with server(tmp_path, **{name: value}) as process:
        assert process.popen.wait(SLOW_START_SECONDS) == 2
        [line] = process.errors().splitlines()
        assert name in line


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
            started = await call(client, "confirm_execution", execution_id=theirs, wait_seconds=0)
            assert started["status"] == "Created"
            assert (await anyio.to_thread.run_sync(official.executions.get, theirs))["status"] == "Created"
    finally:
        official.close()


WIRE = "a\u2028b\u2029c\u0085d"
"""What some readers take for four lines."""


def test_a_byte_order_mark_before_the_first_message_does_no_harm(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.send(b"\xef\xbb\xbf" + json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode())
        assert process.next_message() == {"jsonrpc": "2.0", "id": 1, "result": {}}
        assert process.end() == 0


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping", "params": {"a": "\\ud83d"}}', 5, None),
        (b'{"jsonrpc": "2.0", "id": "a", "method": "ping", "params": {"\\udc00": 1}}', "a", None),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping", "params": {"a": "\xff\xed\xa0\x80"}}', 5, None),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping"}\r', 5, None),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping", "params": [1]}', 5, -32600),
        (b'{"jsonrpc": "1.0", "id": "a", "method": "ping"}', "a", -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "method": 7}', 5, -32600),
        (b'[{"jsonrpc": "2.0", "id": 5, "method": "ping"}]', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "ping"', None, -32700),
        (b"[" * 100_000, None, -32700),
        (b'\x00{"jsonrpc": "2.0", "id": 5, "method": "ping"}\x00', 5, None),
        (b'\xef\xbb\xbf\xef\xbb\xbf {"jsonrpc": "2.0", "id": 5, "method": "ping"}', 5, None),
        (b"{\x00}", None, -32700),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}', None, -32600),
    ],
    ids=[
        "value",
        "key",
        "no utf-8",
        "crlf",
        "params",
        "version",
        "method",
        "batch",
        "cut",
        "deep",
        "nul around",
        "marks",
        "nul",
        "fraction",
        "null",
        "true",
        "object",
    ],
)
def test_every_request_is_answered_by_its_id(
    tmp_path: Path, line: bytes, number: int | str | None, code: int | None
) -> None:
    with server(tmp_path) as process:
        process.send(line)
        answer = process.next_message()
        assert answer["id"] == number
        assert answer.get("error", {}).get("code") == code
        assert process.end() == 0
        assert "Traceback" not in process.errors()


def test_what_is_not_a_request_gets_no_response(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        for line in (
            b"",
            b"  ",
            b"\r",
            b'{"jsonrpc": "2.0"}',
            b'{"jsonrpc": "2.0", "method": 7}',
            b'{"id": 3, "result": 1}',
            b"\xef\xbb\xbf",
            b"\x00",
            b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "id"}}',
            b'{"jsonrpc": "2.0", "method": "notifications/roots", "params": {"id": 4}}',
        ):
            process.send(line)
        process.send({"jsonrpc": "2.0", "id": 9, "method": "ping"})
        assert process.next_message()["id"] == 9
        assert process.end() == 0
        assert len(process.errors().splitlines()) == 2


def test_a_message_that_the_end_of_input_cuts_off_is_not_taken(tmp_path: Path, simulator: RunningSimulator) -> None:
    (name,) = simulator.platform.seed_executions(status="Running", project_id=PROJECT)
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    params = {"name": "cancel_execution", "arguments": {"execution_id": name}, "_meta": MODERN}
    with server(tmp_path, **credentials(simulator)) as process:
        assert process.popen.stdin is not None
        process.popen.stdin.write(json.dumps({**call, "params": params}).encode())
        process.popen.stdin.close()
        # It has to begin, too.
        assert process.popen.wait(SLOW_START_SECONDS) == 0
        assert process.errors() == ""
    assert simulator.platform.status(name) == "Running"
    assert not [path for method, path, _ in simulator.platform.requests if method == "PATCH"]


def test_the_end_of_input_ends_a_process_whose_output_nobody_reads(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.handshake()
        for number in range(20):
            process.send({"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": {}})
        assert process.end() == 0


def test_a_process_ends_when_the_reader_of_its_output_has_gone(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        process.handshake()
        assert process.popen.stdout is not None
        process.popen.stdout.close()
        process.send({"jsonrpc": "2.0", "id": 2, "method": "ping"})
        assert process.popen.wait(PROMPT_SECONDS) == 0
        assert process.errors() == ""


def test_calls_go_on_and_the_end_comes_though_nobody_reads_stderr(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    with server_beside(tmp_path, write, DEEPORIGIN_MCP_LOG_LEVEL="DEBUG") as process:
        for number in range(50):
            answer = process.ask(
                "tools/call", {"name": "get_workspace", "arguments": {}, "_meta": MODERN}, number=number
            )
            assert answer["result"]["isError"] is True
        assert process.end() == 0
    os.close(read)
    os.close(write)


def test_a_process_without_standard_streams_ends(tmp_path: Path) -> None:
    ping = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n"
    for closed in ("<&-", ">&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"):
        command = f"exec {shlex.join((sys.executable, '-c', PATIENT))} {closed}"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment(tmp_path),
            input=ping,
            timeout=SLOW_START_SECONDS,
            check=False,
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b"\n") == (closed == "2>&-")


def test_what_was_asked_before_the_end_of_the_input_is_answered(tmp_path: Path, simulator: RunningSimulator) -> None:
    # Refused at once: what takes longer than a moment is ended with the input.
    call = {"name": "get_execution", "arguments": {"execution_id": ""}}
    listed = [{"jsonrpc": "2.0", "id": number, "method": "tools/list"} for number in range(2, 40)]
    called = {"jsonrpc": "2.0", "id": 40, "method": "tools/call", "params": call}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HANDSHAKE}
    done = subprocess.run(
        [sys.executable, "-c", PATIENT],
        env=environment(tmp_path, **credentials(simulator)),
        input="".join(json.dumps(line) + "\n" for line in (first, *listed, called)).encode(),
        timeout=SLOW_START_SECONDS,
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {answer["id"] for answer in answers if "result" in answer} == {*range(1, 41)}


def test_an_input_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = subprocess.Popen(COMMAND, env=environment(tmp_path), stdin=read, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for number in (1, 2):
        line = json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode()
        os.write(write, line[:9])
        os.write(write, line[9:] + b"\n")
        assert json.loads(process.stdout.readline())["id"] == number
    os.close(write)
    assert process.wait(PROMPT_SECONDS) == 0
    process.stdout.close()
    os.close(read)


def test_every_response_is_one_line_for_any_reader(tmp_path: Path, simulator: RunningSimulator) -> None:
    name = simulator.platform.add_execution(
        {
            "status": f"Run{WIRE}ning",
            "name": WIRE,
            "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
            "createdAt": "2026-10-05T08:00:00.000Z",
            "projectId": PROJECT,
            "userInputs": {WIRE: WIRE},
            "jobOutputs": {"text": [WIRE, "\ud800"]},
        }
    )
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_execution", {"execution_id": name, "detail": "detailed"}),
        ("get_execution_results", {"execution_id": name}),
        ("wait_executions", {"execution_ids": [name], "timeout_seconds": 0}),
        ("get_execution", {"execution_id": WIRE}),
        ("find_platform_tools", {"query": WIRE}),
    ]
    with server(tmp_path, **credentials(simulator)) as process:
        process.handshake()
        for number, (tool, arguments) in enumerate(calls, 1):
            params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
            process.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
            while "id" not in (message := process.next_message()):
                assert message["method"] == "notifications/progress"
            if tool == "get_execution_results":
                assert message["result"]["structuredContent"]["outputs"] == {"text": [WIRE, "\ufffd"]}
        uri = {"uri": f"deeporigin://executions/{name}"}
        assert "result" in process.ask("resources/read", uri, number=20)
        assert process.end() == 0
    for letter in (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85", b"\\ud800"):
        assert letter not in process.received


def test_a_token_that_the_platform_repeats_reaches_neither_client_nor_log(tmp_path: Path) -> None:
    with echoing() as base_url:
        variables = {"DO_AUTH_TOKEN": bench_token(), "DO_ORG_KEY": "deeporigin", "DO_BASE_URL": base_url}
        with server(tmp_path, **variables, DEEPORIGIN_MCP_LOG_LEVEL="DEBUG") as process:
            process.handshake()
            asked: list[tuple[str, dict[str, Any]]] = [
                ("tools/call", {"name": "get_execution", "arguments": {"execution_id": "e-1"}}),
                ("tools/call", {"name": "get_execution", "arguments": {"execution_id": "e-1", "detail": "detailed"}}),
                ("tools/call", {"name": "get_execution_results", "arguments": {"execution_id": "e-1"}}),
                ("tools/call", {"name": "list_executions", "arguments": {}}),
                ("resources/read", {"uri": "deeporigin://executions/e-1"}),
            ]
            for number, (method, params) in enumerate(asked, 1):
                answer = process.ask(method, params, number=number)
                assert "[secret]" in json.dumps(answer), answer
            assert process.end() == 0
            told = process.errors()
    assert "[secret]" in told
    for piece in (bench_token(), bench_token()[-43:], bench_token()[40:80]):
        assert piece not in process.received.decode()
        assert piece not in told


@contextlib.contextmanager
def echoing() -> Iterator[str]:
    """A platform that repeats the headers of a request in whatever it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            header = self.headers.get("Authorization", "")
            record: dict[str, Any] = {
                "executionId": "e-1",
                "status": "Completed",
                "name": header,
                "statusReason": header,
            }
            record |= {"userInputs": {header: 1}, "jobOutputs": {"debug": [header]}, "projectId": header}
            body = json.dumps(record if self.path.endswith("/e-1") else {"data": [record], "count": 1}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", header)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 (the base class's name)
            pass

    platform = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=platform.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{platform.server_port}"
    finally:
        platform.shutdown()
        platform.server_close()
        thread.join()


def test_descriptions_are_there_where_python_drops_docstrings(tmp_path: Path) -> None:
    shown = []
    for level in ("0", "2"):
        with server(tmp_path, PYTHONOPTIMIZE=level) as process:
            lists = ("tools/list", "resources/templates/list", "prompts/list")
            shown.append([process.ask(method, {"_meta": MODERN}, number=n)["result"] for n, method in enumerate(lists)])
            assert process.end() == 0
    assert shown[0] == shown[1]
    assert all(tool["description"] for tool in shown[1][0]["tools"])
