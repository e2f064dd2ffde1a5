"""The application in the test's own process, in front of a simulated platform, and the clients of several people."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.types import ASGIApp

from deeporigin_mcp.http.app import create_app
from deeporigin_mcp.http.callers import CallerLimits, CallerPool
from deeporigin_mcp.platform import DeepOriginClient, Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.simulator import make_token
from tests.support.bench import ACME_PROJECT, PROJECT, SESSION, Agent, Bench
from tests.support.people import Person
from tests.support.task_client import MODERN

BASE_URL = "http://127.0.0.1:8321"
YEARS = 20 * 365 * 24 * 3600


@functools.cache
def token(org: str, who: str = "ada") -> str:
    """A token of one person, for one organisation only."""
    return make_token(orgs=[org], subject=f"{who}-{org}", email=f"{who}@{org}.invalid", expires_in_seconds=YEARS)


def credentials(org: str = "deeporigin", who: str = "ada", project: str = "") -> dict[str, str]:
    """The headers of one caller."""
    headers = {"X-Do-Auth-Token": token(org, who), "X-Do-Org-Key": org}
    return headers | ({"X-Do-Project-Id": project} if project else {})


ADA = credentials(project=PROJECT)
EVE = credentials("acme", "eve", ACME_PROJECT)


@dataclass
class Site:
    """A running application."""

    app: Starlette
    pool: CallerPool

    def http(self, headers: Mapping[str, str] = ADA, base_url: str = BASE_URL) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=base_url, headers=headers)

    @contextlib.asynccontextmanager
    async def client(
        self,
        headers: Mapping[str, str] = ADA,
        *,
        mode: str = "auto",
        person: Person | None = None,
        extensions: list[Any] | None = None,
    ) -> AsyncIterator[Client]:
        """An MCP client that sends these headers."""
        reply = person.reply if person is not None else None
        async with (
            self.http(headers) as http,
            Client(
                streamable_http_client(f"{BASE_URL}/mcp", http_client=http),
                mode=mode,
                elicitation_callback=reply,
                extensions=extensions,
            ) as client,
        ):
            yield client

    @contextlib.asynccontextmanager
    async def agent(self, headers: Mapping[str, str] = ADA, **values: Any) -> AsyncIterator[Agent]:
        """A client that checks every answer it gets."""
        async with self.client(headers, **values) as client:
            yield await Agent.connected(client)


def operator(bench: Bench, **values: Any) -> Settings:
    """What the operator of a server in front of the bench's platform has set."""
    usual = {"base_url": bench.base_url, "session": SESSION, "places": IN_HEADERS}
    return Settings.model_validate(usual | values)


@contextlib.asynccontextmanager
async def running_site(
    bench: Bench,
    *,
    connect: Callable[[Settings], DeepOriginClient] | None = None,
    limits: CallerLimits | None = None,
    **values: Any,
) -> AsyncIterator[Site]:
    settings, connect = operator(bench, **values), connect or bench.connect
    callers = CallerPool(settings, connect=connect, timing=Timing(wall=bench.time.timing.wall), limits=limits)
    app = create_app(settings, connect=connect, pool=callers)
    async with app.router.lifespan_context(app):
        yield Site(app, callers)


@contextlib.asynccontextmanager
async def on_a_port(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application over a real connection, whose answers come piece by piece; its address."""
    started = anyio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = Server(config)

    async def serve() -> None:
        # Not cancelled when the block fails, but told to stop: a loop that still watches the number of a closed
        # socket never hears of the next socket with that number, and the test after this one hangs.
        with anyio.CancelScope(shield=True):
            await server.serve([listener])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            await started.wait()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


def request(method: str, params: Mapping[str, Any] | None = None, **capabilities: Any) -> dict[str, Any]:
    """The body of a 2026-07-28 request."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": meta}}


def routing(method: str, name: str = "") -> dict[str, str]:
    """The headers that must repeat what the body says."""
    named = {"Mcp-Name": name} if name else {}
    return {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **named,
    }
