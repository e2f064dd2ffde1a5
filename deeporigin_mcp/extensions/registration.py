"""What the SDK's server has no public way for: handlers of our own for its methods, and templates as they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp.server.context import HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import ResourceTemplate
from pydantic import BaseModel

from deeporigin_mcp.extensions.deferral import RequestContext

Params = TypeVar("Params", bound=BaseModel)
Handler = Callable[[RequestContext, Any], Awaitable[HandlerResult]]


def serve(
    server: MCPServer[Any],
    method: str,
    params_type: type[Params],
    handler: Callable[[RequestContext, Params], Awaitable[HandlerResult]],
) -> None:
    """Register a handler; it replaces the server's own.

    `MCPServer` has no public way to do this for methods of the core protocol (SDK 2.3.0).
    """
    server._lowlevel_server.add_request_handler(method, params_type, handler)  # noqa: SLF001


def served(server: MCPServer[Any], method: str) -> Handler:
    """The server's handler of a method, to wrap it.

    Raises:
        LookupError: there is none.
    """
    entry = server._lowlevel_server.get_request_handler(method)  # noqa: SLF001
    if entry is None:
        raise LookupError(f"The server has no handler for {method}.")
    return entry.handler


def add_template(server: MCPServer[Any], template: ResourceTemplate) -> None:
    """Add a resource template as it is.

    `MCPServer` makes templates only from functions (SDK 2.3.0), and builds models to read their annotations.
    """
    server._resource_manager._templates[template.uri_template] = template  # noqa: SLF001
