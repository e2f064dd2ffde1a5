"""Serving a platform over real HTTP: in a background thread for tests, in the foreground for the command line."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deeporigin_mcp.simulator.services.app import create_app
from deeporigin_mcp.simulator.services.gate import TRANSPORT
from deeporigin_mcp.simulator.state.platform import Platform

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4931
"""Where the official client looks for a local platform (platform-facts 3.4)."""

STOP_SECONDS = 0.5
"""How long open requests may take to notice that the server stops."""

KEEP_ALIVE_SECONDS = 75
"""As long as the usual proxies: a client's pool must not find its idle connections closed under its hands."""


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that answers.

    Attributes:
        base_url: Such as `http://127.0.0.1:40123`, without a final slash.
        platform: Its state.
    """

    base_url: str
    platform: Platform


class _Connections(ServerState):
    """uvicorn's account of what is open; `closing` once no more may come."""

    closing = False


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the transport in the scope, so that faults can drop connections."""

    server_state: _Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.server_state.closing:
            # It was accepted at the last moment, and is not among those that are dropped.
            transport.abort()
            return
        inner = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class _Server:
    """One listening socket and its connections, on the event loop that calls it."""

    def __init__(self, platform: Platform, listener: socket.socket) -> None:
        self._platform = platform
        self._listener = listener
        self._state = _Connections()
        self._config = uvicorn.Config(
            create_app(platform),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # Responses are dated by the platform's own clock, which its records are of.
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )

    async def run(self, stop: asyncio.Event, started: Callable[[], object]) -> None:
        self._config.load()
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return _Protocol(config=self._config, server_state=self._state, app_state={}, _loop=loop)

        server = await loop.create_server(protocol, sock=self._listener, backlog=512)
        self._platform.closing = False
        started()
        try:
            await stop.wait()
        finally:
            # A connection that was accepted but has no transport yet would stay open for ever: asyncio gives none to
            # what belongs to a closed server. So nothing more is accepted, and what was gets its transport first.
            loop.remove_reader(self._listener)
            await asyncio.sleep(0)
            server.close()
            await self._drop_connections()

    async def _drop_connections(self) -> None:
        self._platform.closing = self._state.closing = True
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        self._platform.clock.wake()
        pending: set[asyncio.Task[None]] = set(self._state.tasks)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=STOP_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def bind(host: str, port: int) -> socket.socket:
    """A listening address.

    Raises:
        OSError: The port is taken or not allowed; the message names the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {reason}") from error
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def running_simulator(
    platform: Platform | None = None, *, host: str = DEFAULT_HOST, port: int = 0
) -> Iterator[RunningSimulator]:
    """Serve a platform in a background thread; on exit, thread and sockets are gone.

    Args:
        platform: Its state; a fresh one in real time when None.
        host: Address to listen on.
        port: 0 for any free one.

    Raises:
        OSError: The port is taken.
    """
    served = Platform() if platform is None else platform
    listener = bind(host, port)
    ready = threading.Event()
    control: dict[str, Any] = {}

    async def main() -> None:
        control["stop"], control["loop"] = asyncio.Event(), asyncio.get_running_loop()
        await _Server(served, listener).run(control["stop"], ready.set)

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            control["error"] = error
        finally:
            ready.set()

    base_url = _address(listener)
    thread = threading.Thread(target=work, name="simulator", daemon=True)
    thread.start()
    ready.wait()
    if "error" in control:
        thread.join()
        listener.close()
        raise control["error"]
    try:
        yield RunningSimulator(base_url, served)
    finally:
        with suppress(RuntimeError):  # the loop is closed when the server broke by itself
            control["loop"].call_soon_threadsafe(control["stop"].set)
        thread.join()
        listener.close()


def serve(
    platform: Platform,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a platform until SIGINT or SIGTERM, then return; from the main thread only.

    Args:
        platform: Its state.
        host: Address to listen on.
        port: 0 for any free one.
        on_ready: Called with the base URL once requests are answered.

    Raises:
        OSError: The port is taken.
    """
    with running_simulator(platform, host=host, port=port) as simulator:
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
        try:
            with suppress(KeyboardInterrupt):
                if on_ready is not None:
                    on_ready(simulator.base_url)
                while True:
                    # Windows looks for signals only between two waits.
                    threading.Event().wait(1)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
