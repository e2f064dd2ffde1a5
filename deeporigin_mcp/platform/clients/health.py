"""Whether the platform's services respond (platform-facts 1.19)."""

from __future__ import annotations

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.transport.requests import Transport

SERVICES = ("billing", "data-platform", "entities", "files", "tools")
SIMULATOR = "deeporigin-mcp"
"""What `simulatedBy` holds in the version of a simulated service; a real platform has no such field."""


async def reach(transport: Transport) -> None:
    """Request the health of one service, without a token; return if there is any HTTP response.

    Raises:
        DeepOriginError: there is none; it says why.
    """
    try:
        await transport.send("GET", f"/{SERVICES[-1]}/health", what="health", attempts=1, public=True)
    except DeepOriginError as error:
        if error.http_status is None:
            raise


async def is_simulated(transport: Transport) -> bool:
    """Whether the platform names the simulator of this package as what it is; no if that cannot be read."""
    try:
        response = await transport.send("GET", "/tools/version", what="version", attempts=1, public=True)
    except DeepOriginError:
        return False
    return isinstance(response, dict) and response.get("simulatedBy") == SIMULATOR


async def services_health(transport: Transport) -> dict[str, str]:
    """Service → `ok`, the service's own word, `HTTP <status>` or `unreachable`; never raises."""
    found: dict[str, str] = {}

    async def read(service: str) -> None:
        try:
            response = await transport.send(
                "GET", f"/{service}/health", what=f"health of {service}", attempts=1, public=True
            )
        except DeepOriginError as error:
            found[service] = "unreachable" if error.http_status is None else f"HTTP {error.http_status}"
        else:
            found[service] = (word(response.get("status")) if isinstance(response, dict) else "") or "ok"

    async with anyio.create_task_group() as tasks:
        for service in SERVICES:
            tasks.start_soon(read, service)
    return {service: found[service] for service in SERVICES}
