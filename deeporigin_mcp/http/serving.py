"""Running the application with uvicorn: on one address, until a signal, and then until its calls have ended."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.http.app import PATH, create_app
from deeporigin_mcp.logs import leave_at_once
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.state import CALL_SECONDS

STOP_SECONDS = CALL_SECONDS + 5
"""How long calls that run may take to end once the server was told to stop."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies commonly keep idle connections, so that it is not this side that closes one just used."""
MAX_HEADER_BYTES = 64 * 1024


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    drain_seconds: float = 0.0,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, and until what then runs has ended; a second signal ends it at once.

    Args:
        settings: from `Settings.load_for_http`.
        port: 0 for any free one.
        drain_seconds: how long after the first signal new requests are still taken, while `/readyz` says no already.
        on_ready: called with the address of MCP once it answers.

    Raises:
        SettingsError: a setting cannot be used; or anyone on the network could call, and it is not said under which
            names.
        OSError: the address cannot be used.
    """
    if not _is_loopback(host) and not settings.allowed_hosts:
        raise SettingsError(
            f"Listening on {host} lets other machines call, so say under which names: --allowed-host mcp.example.org "
            "(or DEEPORIGIN_MCP_ALLOWED_HOSTS). Put TLS in front: every request carries a token."
        )
    app = create_app(settings)
    with _bound(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}{PATH}"
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(STOP_SECONDS),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        _Server(config, app, drain_seconds, lambda: on_ready(address)).run([listener])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """uvicorn, which says that it stops before it takes no more requests."""

    def __init__(
        self, config: uvicorn.Config, app: Starlette, drain_seconds: float, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.callers.end_streams()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the end and is not passed on, as stopping is no failure; the second is the end."""
        if self._app.state.is_stopping or self._loop is None:
            leave_at_once(sig, frame)
            return
        self._app.state.is_stopping = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
