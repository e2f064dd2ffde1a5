"""Cache hints for single resources (SEP-2549).

The SDK has one hint for all resources of a server. Here the function that reads a resource sets the hint, as only it
knows how long the content stays true.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from mcp.server.caching import CacheHint, apply_cache_hint
from mcp.server.context import HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp_types import ReadResourceRequestParams, ReadResourceResult

from deeporigin_mcp.extensions.deferral import RequestContext
from deeporigin_mcp.extensions.registration import serve, served

_FRESHNESS: ContextVar[CacheHint | None] = ContextVar("freshness", default=None)


def stays_fresh(hint: CacheHint) -> None:
    """Set the cache hint of the resource that is being read."""
    _FRESHNESS.set(hint)


def serve_freshness(server: MCPServer[Any]) -> None:
    """Make a server's `resources/read` return the hints set with `stays_fresh`."""
    read = served(server, "resources/read")

    async def read_resource(ctx: RequestContext, params: ReadResourceRequestParams) -> HandlerResult:
        _FRESHNESS.set(None)
        result = await read(ctx, params)
        hint = _FRESHNESS.get()
        return apply_cache_hint(result, hint) if hint and isinstance(result, ReadResourceResult) else result

    serve(server, "resources/read", ReadResourceRequestParams, read_resource)
