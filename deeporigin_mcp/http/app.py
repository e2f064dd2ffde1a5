"""The ASGI application: MCP at `/mcp`, and two probes, `/healthz` and `/readyz`."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mcp.server.transport_security import TransportSecuritySettings
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deeporigin_mcp.http.bodies import MAX_BODY_BYTES
from deeporigin_mcp.http.callers import CallerPool
from deeporigin_mcp.http.guard import Guard
from deeporigin_mcp.http.names import Cors, Names
from deeporigin_mcp.http.outgoing import Outgoing
from deeporigin_mcp.logs import configure_logging
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import IGNORED, Settings

logger = logging.getLogger("deeporigin_mcp")

PATH = "/mcp"


def create_app(
    settings: Settings | None = None,
    *,
    connect: Callable[[Settings], DeepOriginClient] = DeepOriginClient,
    pool: CallerPool | None = None,
) -> Starlette:
    """Build the application. Its processes share no state: any of them can handle any request.

    Args:
        settings: from `Settings.load_for_http`; None reads the operator's variables and sets up logging, so that
            an ASGI server needs only its name: `uvicorn --factory deeporigin_mcp.http:create_app`.
        connect: makes a caller's platform client; tests pass one with another clock.
        pool: the callers' states; None for one of the usual size.

    Raises:
        SettingsError: a setting is invalid.
    """
    if settings is None:
        settings = Settings.load_for_http()
        configure_logging(settings.log_level)
    _warn(settings)
    callers = CallerPool(settings, connect=connect) if pool is None else pool
    server = create_server(settings, connect=connect, callers=callers)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        # `Guard` does this, before it reads a body.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    # By default event streams end as soon as uvicorn begins to stop, and the calls with them.
    AppStatus.enable_automatic_graceful_drain = False
    app.state.callers, app.state.is_stopping = callers, False
    app.router.routes += [Route("/healthz", _healthy), Route("/readyz", _ready)]
    # A redirect would name the host that the request claims.
    app.router.redirect_slashes = False
    app.add_middleware(Outgoing)
    names = Names(settings.allowed_hosts, settings.allowed_origins)
    app.add_middleware(Guard, path=PATH, names=names, caller_of=callers.caller_of)
    app.add_middleware(Cors, names=names)
    return app


def _warn(settings: Settings) -> None:
    if ignored := [name for name, source in settings.sources.items() if source == IGNORED]:
        logger.warning("Ignored: %s. Over HTTP every request carries its own credentials.", ", ".join(ignored))
    if not settings.state_keys:
        logger.warning(
            "DEEPORIGIN_MCP_STATE_KEYS is not set, so only the process that asked a person can read the answer. Set it "
            "for more than one worker, and for restarts."
        )
    if settings.budget is not None and "session" not in settings.sources:
        logger.warning(
            "DEEPORIGIN_MCP_BUDGET is set without DEEPORIGIN_MCP_SESSION, so every process counts only what it started "
            "itself. Set the same session for all workers."
        )


async def _healthy(_: Request) -> Response:
    """The process is alive."""
    return PlainTextResponse("ok\n")


async def _ready(request: Request) -> Response:
    """It takes new calls. The platform is not asked: every worker can report that it is unreachable."""
    if request.app.state.is_stopping:
        return PlainTextResponse("stopping\n", status_code=503)
    return PlainTextResponse("ready\n")
