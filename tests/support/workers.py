"""Workers as processes of their own, and what stands in front of them: one address that takes them in turn."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tests.support.processes import COMMAND, TIMEOUT_SECONDS, environment
from tests.support.site import on_a_port

STATE_KEYS = "k" * 32
_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost|0\.0\.0\.0):\d+")
SERVE = (*COMMAND, "serve", "--http", "--port", "0")
FACTORY = (
    *(sys.executable, "-m", "uvicorn", "--factory", "deeporigin_mcp.http:create_app"),
    *("--port", "0", "--no-access-log", "--timeout-graceful-shutdown", "55"),
)


@dataclass
class Worker:
    """A serving process; `said` is what it printed until it was ready."""

    process: subprocess.Popen[str]
    base_url: str
    said: str

    async def ended(self) -> tuple[int, str]:
        """Wait for its end: the exit code, and what it printed since it was ready."""
        _, errors = await anyio.to_thread.run_sync(lambda: self.process.communicate(timeout=TIMEOUT_SECONDS))
        return self.process.returncode, errors

    async def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def until_it_takes_no_more(self) -> None:
        port = int(self.base_url.rpartition(":")[2])
        while True:
            try:
                await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            except OSError:
                return


@contextlib.contextmanager
def workers(
    count: int, home: Path, platform_url: str, *arguments: str, command: Sequence[str] = SERVE, **variables: str
) -> Iterator[list[Worker]]:
    """So many of one kind, started at once."""
    usual = {"DO_BASE_URL": platform_url, "DEEPORIGIN_MCP_STATE_KEYS": STATE_KEYS, "DEEPORIGIN_MCP_SESSION": "s-bench"}
    processes = [
        subprocess.Popen(
            [*command, *arguments],
            env=environment(home, **(usual | variables)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        yield [_ready(process) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.communicate(timeout=TIMEOUT_SECONDS)


def _ready(process: subprocess.Popen[str]) -> Worker:
    assert process.stderr is not None
    said = ""
    while not (found := _ADDRESS.search(said)):
        line = process.stderr.readline()
        assert line, f"it is not ready but said: {said}"
        said += line
    return Worker(process, found.group(), said)


@contextlib.contextmanager
def worker(home: Path, platform_url: str, *arguments: str, **more: Any) -> Iterator[Worker]:
    """One of them."""
    with workers(1, home, platform_url, *arguments, **more) as [found]:
        yield found


class Balancer:
    """Passes each request on to the next worker that answers, whatever connection it came by.

    Attributes:
        served: the number of the worker and the MCP method of each request, oldest first.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._workers = addresses
        self.http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self.base_url = ""
        self.served: list[tuple[int, str]] = []

    def workers_of(self, method: str) -> set[int]:
        return {number for number, served in self.served if served == method}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        first = self.served[-1][0] + 1 if self.served else 0
        for step in range(len(self._workers)):
            number = (first + step) % len(self._workers)
            address = f"{self._workers[number]}{request.url.path}"
            passed = self.http.build_request(request.method, address, headers=request.headers.raw, content=body)
            try:
                answer = await self.http.send(passed, stream=True)
            except httpx.ConnectError:
                continue
            except httpx.TransportError:
                break
            method = body.partition(b'"method":"')[2].partition(b'"')[0].decode()
            self.served.append((number, method))
            try:
                await StreamingResponse(answer.aiter_raw(), answer.status_code, answer.headers)(scope, receive, send)
            finally:
                await answer.aclose()
            return
        await Response("no worker answers", 502)(scope, receive, send)


@contextlib.asynccontextmanager
async def balancer(behind: Sequence[Worker]) -> AsyncIterator[Balancer]:
    app = Balancer([found.base_url for found in behind])
    async with app.http, on_a_port(app) as app.base_url:
        yield app
