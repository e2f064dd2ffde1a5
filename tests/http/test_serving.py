"""The command as its operators run it: what it says, what it refuses, and how it stops."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.http import serve
from deeporigin_mcp.http.serving import _bound
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import make_token
from tests.support.bench import ERAS, Bench
from tests.support.processes import run_program
from tests.support.site import ADA, request, routing
from tests.support.waiting_server import started
from tests.support.workers import FACTORY, SERVE, Worker, worker

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client_of(base_url: str, headers: dict[str, str] = ADA, mode: str = "auto") -> AsyncIterator[Client]:
    import httpx2

    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{base_url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def get(base_url: str, path: str) -> tuple[int, str]:
    answer = httpx.get(base_url + path, trust_env=False)
    return answer.status_code, answer.text


async def test_it_says_where_it_serves_and_whose_credentials_it_ignores(bench: Bench, tmp_path: Path) -> None:
    secret = make_token()
    variables = {"DO_AUTH_TOKEN": secret, "DO_ORG_KEY": "deeporigin", "DEEPORIGIN_MCP_STATE_KEYS": ""}
    with worker(tmp_path, bench.base_url, **variables, DEEPORIGIN_MCP_LOG_LEVEL="DEBUG") as found:
        assert "DO_AUTH_TOKEN, DO_ORG_KEY" in found.said
        assert "DEEPORIGIN_MCP_STATE_KEYS" in found.said
        assert found.said.splitlines()[-1].endswith(f"serves MCP on {found.base_url}/mcp for {bench.base_url}")
        async with client_of(found.base_url, {}) as nobody:
            assert (await nobody.call_tool("list_executions", {})).is_error
        async with client_of(found.base_url) as ada:
            assert not (await ada.call_tool("list_executions", {})).is_error
        code, errors = await found.stop()
    assert code == 0
    # At the finest level of logging, too, neither token is logged; nor is any request.
    for token in (secret, ADA["X-Do-Auth-Token"]):
        assert token not in found.said + errors
        assert token.split(".")[1] not in found.said + errors


async def test_it_says_nothing_that_need_not_be_said(bench: Bench, tmp_path: Path) -> None:
    with worker(tmp_path, bench.base_url) as found:
        assert found.said.count("\n") == 1
        async with client_of(found.base_url) as ada:
            await ada.call_tool("list_executions", {})
        assert await found.stop() == (0, "")


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (("--host", "0.0.0.0"), {}, "--allowed-host"),
        (("--host", "::"), {}, "--allowed-host"),
        (("--allowed-host", "https://no"), {}, "DEEPORIGIN_MCP_ALLOWED_HOSTS"),
        (("--allowed-origin", "no.example"), {}, "DEEPORIGIN_MCP_ALLOWED_ORIGINS"),
        ((), {"DO_ENV": "mars"}, "DO_ENV"),
        ((), {"DO_BASE_URL": "ftp://x"}, "DO_BASE_URL"),
        ((), {"DEEPORIGIN_MCP_BUDGET": "lots"}, "DEEPORIGIN_MCP_BUDGET"),
        (("--keep-alive-seconds", "x"), {}, "--keep-alive-seconds"),
        (("--drain-seconds", "-1"), {}, "--drain-seconds"),
    ],
)
def test_what_cannot_be_served_is_refused_at_the_start(
    arguments: tuple[str, ...], variables: dict[str, str], named: str, tmp_path: Path
) -> None:
    done = run_program("serve", "--http", "--port", "0", *arguments, home=tmp_path, variables=variables)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["10.0.0.7", "0.0.0.0", "mcp.example.org", "localhost.example.org"])
def test_nothing_listens_for_others_without_a_name(host: str) -> None:
    with pytest.raises(SettingsError):
        serve(Settings(), host=host, port=0, on_ready=lambda _: pytest.fail("it serves"))


def test_small_responses_are_sent_at_once() -> None:
    with _bound("127.0.0.1", 0) as listener:
        # By this asyncio knows that it can turn Nagle's delay off.
        assert listener.proto == socket.IPPROTO_TCP


async def test_this_machine_may_be_named_as_usual(bench: Bench, tmp_path: Path) -> None:
    with worker(tmp_path, bench.base_url, "--host", "localhost") as found:
        async with client_of(found.base_url.replace("127.0.0.1", "localhost"), {}) as nobody:
            await nobody.list_tools()


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_program("serve", "--http", "--port", port, home=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use." in done.stderr
    assert "Traceback" not in done.stderr


async def test_other_machines_may_call_under_the_names_that_are_given(bench: Bench, tmp_path: Path) -> None:
    arguments = ("--host", "0.0.0.0", "--allowed-host", "mcp.example.org", "--allowed-host", "127.0.0.1")
    with worker(tmp_path, bench.base_url, *arguments) as found:
        base_url = found.base_url.replace("0.0.0.0", "127.0.0.1")
        async with client_of(base_url) as ada:
            assert not (await ada.call_tool("list_executions", {})).is_error
        async with httpx.AsyncClient(base_url=base_url, headers=routing("tools/list"), trust_env=False) as http:
            for host, status in (("mcp.example.org", 200), ("mcp.example.org:443", 200), ("evil.example.org", 421)):
                answer = await http.post("/mcp", json=request("tools/list"), headers={"Host": host})
                assert answer.status_code == status
            # A probe calls by address.
            assert (await http.get("/readyz", headers={"Host": "10.0.0.7:8321"})).status_code == 200


LIMIT_FILES = (
    "import os, resource as r, sys as s; r.setrlimit(r.RLIMIT_NOFILE, (64, 64)); os.execv(s.argv[1], s.argv[1:])"
)
FEW_FILES = (sys.executable, "-c", LIMIT_FILES, *SERVE)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: "])
async def test_neither_silent_nor_half_sent_requests_end_the_service(bench: Bench, tmp_path: Path, sent: bytes) -> None:
    with worker(tmp_path, bench.base_url, command=FEW_FILES) as found, contextlib.ExitStack() as held:
        port = int(found.base_url.rpartition(":")[2])
        for _ in range(90):
            stranger = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            stranger.sendall(sent)
        assert get(found.base_url, "/healthz") == (200, "ok\n")
        async with client_of(found.base_url) as ada:
            assert not (await ada.call_tool("list_executions", {})).is_error
        code, told = await found.stop()
    assert code == 0
    # At most a line about it, for whoever can allow more.
    assert told.count("\n") <= 1


NOTICE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
WRONG = [
    b"\x16\x03\x01\x02\r\n\r\n",
    b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: evil\x1b[31m.example\r\nContent-Length: 0\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    % (len(NOTICE), NOTICE),
]


async def test_invalid_requests_are_not_logged(bench: Bench, tmp_path: Path) -> None:
    with worker(tmp_path, bench.base_url) as found:
        port = int(found.base_url.rpartition(":")[2])
        for sent in WRONG:
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(sent)
                stranger.settimeout(20)
                assert stranger.recv(12).startswith(b"HTTP/1.1 ")
        assert await found.stop() == (0, "")


async def test_the_operator_says_how_long_connections_are_kept(bench: Bench, tmp_path: Path) -> None:
    with worker(tmp_path, bench.base_url, "--keep-alive-seconds", "0.05") as found:
        port = int(found.base_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 20) as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said = b""
            while part := kept.recv(4096):
                said += part
        assert said.endswith(b"ok\n")


async def running_wait(found: Worker, name: str, mode: str, began: anyio.Event) -> CallToolResult:
    async def progress(progress: float, total: float | None, message: str | None) -> None:
        began.set()

    async with client_of(found.base_url, mode=mode) as client:
        # Asked for now, or the client would ask a server that takes no more.
        await client.list_tools()
        wait = {"execution_ids": [name], "timeout_seconds": 45}
        return await client.call_tool("wait_executions", wait, progress_callback=progress)


@pytest.mark.parametrize("command", [SERVE, FACTORY], ids=["serve", "uvicorn"])
@pytest.mark.parametrize("mode", ERAS)
async def test_a_wait_that_runs_when_the_server_stops_ends_as_usual(
    bench: Bench, tmp_path: Path, mode: str, command: tuple[str, ...]
) -> None:
    name, began = await started(bench), anyio.Event()
    answers: list[CallToolResult] = []

    with worker(tmp_path, bench.base_url, command=command) as found:

        async def wait() -> None:
            answers.append(await running_wait(found, name, mode, began))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await began.wait()
            found.process.send_signal(signal.SIGTERM)
            await found.until_it_takes_no_more()
            assert found.process.poll() is None
            bench.clock.advance(24 * 3600)
        code, _ = await found.ended()
    assert (answers[0].structured_content or {})["all_done"] is True
    assert code == (0 if command == SERVE else -signal.SIGTERM)


async def test_before_it_stops_it_says_that_it_is_not_ready_and_serves_on(bench: Bench, tmp_path: Path) -> None:
    with worker(tmp_path, bench.base_url, "--drain-seconds", "3000") as found:
        assert get(found.base_url, "/healthz") == (200, "ok\n")
        assert get(found.base_url, "/readyz") == (200, "ready\n")
        found.process.send_signal(signal.SIGTERM)
        while (answer := get(found.base_url, "/readyz")) == (200, "ready\n"):
            pass
        assert answer == (503, "stopping\n")
        assert get(found.base_url, "/healthz") == (200, "ok\n")
        async with client_of(found.base_url) as ada:
            assert not (await ada.call_tool("list_executions", {})).is_error
        # A second signal does not wait.
        code, _ = await found.stop()
        assert code == 128 + signal.SIGTERM


async def test_a_subscription_does_not_keep_it_from_stopping(bench: Bench, tmp_path: Path) -> None:
    listen = {"notifications": {"toolsListChanged": True}}
    with worker(tmp_path, bench.base_url) as found:
        async with (
            httpx.AsyncClient(
                base_url=found.base_url, headers=routing("subscriptions/listen") | ADA, timeout=60
            ) as http,
            http.stream("POST", "/mcp", json=request("subscriptions/listen", listen)) as answer,
        ):
            lines = answer.aiter_lines()
            assert "subscriptions" in [await anext(lines) for _ in range(2)][1]
            found.process.send_signal(signal.SIGTERM)
            rest = [line async for line in lines]
        assert '"resultType":"complete"' in "".join(rest)
        assert (await found.ended())[0] == 0
