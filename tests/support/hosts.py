"""Clients that show apps."""

from __future__ import annotations

from typing import Any

from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_types import CallToolResult

from tests.support.bench import Bench


def shows_apps() -> Any:
    """What such a client says of itself."""
    return advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})


def host_of(bench: Bench, *, mode: str = "auto", **settings: Any) -> Client:
    """A client that shows apps."""
    return Client(bench.server(**settings), mode=mode, extensions=[shows_apps()])


async def asked(host: Client, tool: str, **arguments: Any) -> CallToolResult:
    """What a page receives for its call."""
    result = await host.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


async def read(host: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The data that a page receives."""
    result = await asked(host, tool, **arguments)
    assert not result.is_error, result.content
    return result.structured_content or {}
