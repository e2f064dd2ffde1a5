"""Running the application with uvicorn: on one address, until a signal, and then until its calls have ended."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.http.app import PATH, create_app
from deeporigin_mcp.http.connections import Config, Limits, make_room
from deeporigin_mcp.logs import leave_at_once
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS

STOP_SECONDS = CALL_SECONDS + 5
"""How long running calls may take to end once the server is stopping."""
MALLOPT = {-3: 128 * 1024, -8: 1}
"""M_MMAP_THRESHOLD: as it is at the start of a process. M_ARENA_MAX: Python allocates under one lock anyway."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies commonly keep idle connections, so that this side does not close one that is about to be used."""
MAX_HEADER_BYTES = 32 * 1024
MAX_CONNECTIONS = 900
"""Fewer where a process may have few files open: half of them are left for connections to the platform."""
BACKLOG = 128
"""Connections that wait, and how many are accepted at once: each needs a descriptor before it is counted."""
GC_THRESHOLDS = (10_000, 20, 20)
"""Of the garbage collector: a call makes some thousand objects, nearly all of which go without it."""
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
WARNING_SECONDS = 60.0

logger = logging.getLogger("deeporigin_mcp")


def _give_back_freed_memory() -> None:
    """Keep glibc's allocator from holding freed request bodies, as it does when it has seen large ones.

    It raises the size from which it asks the system for a block of its own with each large block that is freed; bodies
    then come from its heap, which they fragment. A set size stays (mallopt(3)).
    """
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        # Another C library has another name, or no mallopt.
        libc = ctypes.CDLL("libc.so.6")
        for parameter, value in MALLOPT.items():
            libc.mallopt(parameter, value)


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    drain_seconds: float = 0.0,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, and until what then runs has ended; a second signal ends it at once.

    Args:
        settings: from `Settings.load_for_http`.
        port: 0 for any free one.
        drain_seconds: how long after the first signal new requests are still accepted, while `/readyz` gives 503.
        keep_alive_seconds: how long a connection is kept after a response.
        on_ready: called with the address of MCP once it is served.

    Raises:
        SettingsError: a setting is invalid; or other machines could call, and no host name is allowed.
        OSError: the address cannot be used.
    """
    _give_back_freed_memory()
    if not _is_loopback(host) and not settings.allowed_hosts:
        raise SettingsError(
            f"Listening on {host} lets other machines call, but no host name is allowed. Add --allowed-host "
            "mcp.example.org (or DEEPORIGIN_MCP_ALLOWED_HOSTS), and put TLS in front: every request carries a token."
        )
    app = create_app(settings)
    # What is loaded by now stays, so that no collection has to visit it again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    if settings.log_level != "DEBUG":
        # One line for each invalid request, with its sender's words, would fill the log.
        for library in ("uvicorn.error", "mcp"):
            logging.getLogger(library).setLevel(logging.ERROR)
    with _bound(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}{PATH}"
        config = Config(
            app,
            Limits(max_connections=_max_connections()),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nothing here depends on a client's address, and X-Forwarded-For could be forged.
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=keep_alive_seconds,
            timeout_graceful_shutdown=int(STOP_SECONDS),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        _Server(config, app, drain_seconds, lambda: on_ready(address)).run([listener])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only on sockets whose protocol is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _max_connections() -> int:
    """How many connections may be open, after raising the limit on open files as far as the process may."""
    try:
        import resource
    except ImportError:
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16 * MAX_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 16 * MAX_CONNECTIONS)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(8, min(MAX_CONNECTIONS, (files - 32) // 2))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """uvicorn that drains: `/readyz` gives 503 before new requests are refused."""

    def __init__(self, config: Config, app: Starlette, drain_seconds: float, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._max_connections = config.limits.max_connections
        self._app = app
        self._drain_seconds = drain_seconds
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_warning_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._handle_failure)
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.callers.end_streams()
        # Closing a server, asyncio loses connections that it has accepted but not handed on yet, without closing them.
        # So first it accepts no more and hands on what it has, which takes three turns of the loop.
        for listener in (each for server in self.servers for each in server.sockets):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        await super().shutdown(sockets)

    def _handle_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Without descriptors asyncio would log each connection that waits, many thousand times a second."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in OUT_OF_DESCRIPTORS:
            loop.default_exception_handler(context)
            return
        make_room(self.server_state.connections, self._max_connections)
        if loop.time() >= self._next_warning_at:
            self._next_warning_at = loop.time() + WARNING_SECONDS
            logger.warning(
                "Cannot accept connections: %s. Allow the process more open files (ulimit -n).",
                error.strerror,
            )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins to drain, and the exit code stays 0; the second ends the process at once."""
        if self._app.state.is_stopping or self._loop is None:
            leave_at_once(sig, frame)
            return
        self._app.state.is_stopping = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
