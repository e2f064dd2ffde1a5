"""The ASGI application: routes of every service behind the gate that applies faults and keeps the record."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from deeporigin_mcp.simulator.services import accounts, data_platform, entities, events, files, health, tools_service
from deeporigin_mcp.simulator.services.gate import Gate
from deeporigin_mcp.simulator.services.requests import answer
from deeporigin_mcp.simulator.state.platform import Platform
from deeporigin_mcp.simulator.state.refusals import Refusal, refused


async def _refusal(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, Refusal)  # noqa: S101 - registered for this type only
    return answer(error.body, error.status)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    message = f"Cannot {request.method} {request.url.path}" if error.status_code == 404 else error.detail
    return answer(refused(error.status_code, message).body, error.status_code)


def create_app(platform: Platform) -> Starlette:
    """An ASGI application that serves one platform.

    Args:
        platform: Its state; the caller keeps it to inspect and to change it.
    """
    app = Starlette(
        routes=[
            *health.ROUTES,
            *tools_service.ROUTES,
            *accounts.ROUTES,
            *events.ROUTES,
            *data_platform.ROUTES,
            *entities.ROUTES,
            *files.ROUTES,
        ],
        middleware=[Middleware(Gate, platform=platform)],
        exception_handlers={Refusal: _refusal, HTTPException: _unrouted},
    )
    app.router.redirect_slashes = False
    app.state.platform = platform
    return app
