"""How long what was read of a resource stays true (SEP-2549).

The SDK fills in one hint for all resources of a server. Here the function that reads a resource says it for this
reading, since it alone knows what it has read.
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
    """Say of the resource that is being read how long a client may keep it."""
    _FRESHNESS.set(hint)


def serve_freshness(server: MCPServer[Any]) -> None:
    """Make a server's `resources/read` pass on what was said with `stays_fresh`."""
    read = served(server, "resources/read")

    async def read_resource(ctx: RequestContext, params: ReadResourceRequestParams) -> HandlerResult:
        _FRESHNESS.set(None)
        result = await read(ctx, params)
        hint = _FRESHNESS.get()
        return apply_cache_hint(result, hint) if hint and isinstance(result, ReadResourceResult) else result

    serve(server, "resources/read", ReadResourceRequestParams, read_resource)
