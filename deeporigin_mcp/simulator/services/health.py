"""Health and version of each service, without a token (platform-facts 1.19)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deeporigin_mcp.simulator.services.requests import answer, platform_of

SERVICES = ("tools", "data-platform", "files", "billing", "entities", "data", "sse")
VERSION = "simulator-1"
SIMULATED_BY = "deeporigin-mcp"
"""How clients tell this from a real platform, which has no such field."""


def _routes(service: str) -> list[Route]:
    async def health(request: Request) -> Response:
        up = service not in platform_of(request).unhealthy
        details = {service: {"status": "up" if up else "down"}}
        body = {
            "status": "ok" if up else "error",
            "info": details if up else {},
            "error": {} if up else details,
            "details": details,
        }
        return answer(body, 200 if up else 503)

    async def version(request: Request) -> Response:  # noqa: ARG001
        return answer({"version": VERSION, "simulatedBy": SIMULATED_BY})

    return [
        Route(f"/{service}/health", health, methods=["GET"]),
        Route(f"/{service}/{{org}}/health", health, methods=["GET"]),
        Route(f"/{service}/version", version, methods=["GET"]),
    ]


async def root(request: Request) -> Response:  # noqa: ARG001
    """The mock's own health."""
    return answer({"status": "ok"})


ROUTES = [Route("/health", root, methods=["GET"]), *(route for name in SERVICES for route in _routes(name))]
