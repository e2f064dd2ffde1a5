"""MCP Apps (`io.modelcontextprotocol/ui`): what the SDK's `mcp.server.apps` leaves to the server.

A client that does not show apps gets lists without them: no tool that only a page may call, no `_meta` that names a
page, no page among the resources. So they cost its model nothing.
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import HandlerResult
from mcp.server.extension import Extension
from mcp.server.mcpserver import MCPServer
from mcp_types import ListResourcesResult, ListToolsResult, PaginatedRequestParams

from deeporigin_mcp.extensions.deferral import RequestContext
from deeporigin_mcp.extensions.registration import serve, served

MIME_TYPE = "text/html;profile=mcp-app"
SCHEME = "ui://"
OLD_KEY = "ui/resourceUri"
"""What older hosts read instead of `ui`."""


ONLY_FOR_PAGES: dict[str, Any] = {"ui": {"visibility": ["app"]}}
"""The `_meta` of a tool that only a page may call. It names no page, or hosts would show one for its results."""


class AppsExtension(Extension):
    """Advertises the extension."""

    identifier = "io.modelcontextprotocol/ui"


def shown_on(page: str) -> dict[str, Any]:
    """The `_meta` of a tool whose results a page shows."""
    return {"ui": {"resourceUri": page}, OLD_KEY: page}


def shows_apps(ctx: RequestContext) -> bool:
    """Whether the client of this request declared that it shows pages."""
    from mcp.server.apps import client_supports_apps

    return client_supports_apps(ctx)


def serve_apps(server: MCPServer[Any]) -> None:
    """Take out of the lists what only clients with apps can use, for all others."""
    tools, resources = served(server, "tools/list"), served(server, "resources/list")

    async def list_tools(ctx: RequestContext, params: PaginatedRequestParams) -> HandlerResult:
        result = await tools(ctx, params)
        if not isinstance(result, ListToolsResult) or shows_apps(ctx):
            return result
        kept = [
            tool.model_copy(update={"meta": _without_pages(tool.meta)})
            for tool in result.tools
            if "model" in (tool.meta or {}).get("ui", {}).get("visibility", ["model"])
        ]
        return result.model_copy(update={"tools": kept})

    async def list_resources(ctx: RequestContext, params: PaginatedRequestParams) -> HandlerResult:
        result = await resources(ctx, params)
        if not isinstance(result, ListResourcesResult) or shows_apps(ctx):
            return result
        kept = [resource for resource in result.resources if not resource.uri.startswith(SCHEME)]
        return result.model_copy(update={"resources": kept})

    serve(server, "tools/list", PaginatedRequestParams, list_tools)
    serve(server, "resources/list", PaginatedRequestParams, list_resources)


def _without_pages(meta: dict[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in (meta or {}).items() if key not in ("ui", OLD_KEY)} or None
