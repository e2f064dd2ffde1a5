"""Pages that clients with MCP Apps show beside results, the tools that these belong to, and those that they call."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, NamedTuple

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource

from deeporigin_mcp import apps
from deeporigin_mcp.extensions.apps import MIME_TYPE, called_by, serve_apps, shown_on
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from deeporigin_mcp.tools.runtime.state import ServerState


class Page(NamedTuple):
    """One row of the table: its name, its file in `apps/`, the tool whose results it shows, those only it calls."""

    name: str
    file: str
    title: str
    description: str
    tool: str
    called: tuple[str, ...]

    @property
    def uri(self) -> str:
        return f"ui://deeporigin/{self.name}"


PAGES = (
    Page(
        "approval",
        "card",
        "Approval card",
        "Shows the price of a run and asks whether to start it.",
        "confirm_execution",
        ("approve_execution",),
    ),
)


def with_page(tool: PlatformTool) -> PlatformTool:
    """The tool, with the page that shows its results or calls it, if there is one."""
    for page in PAGES:
        if tool.name == page.tool:
            return tool.model_copy(update={"meta": shown_on(page.uri)})
        if tool.name in page.called:
            return tool.model_copy(update={"meta": called_by(page.uri)})
    return tool


def serve_pages(server: MCPServer[ServerState], tools: Collection[str]) -> None:
    """Add the pages whose tools the server has."""
    for page in PAGES:
        if page.tool in tools:
            server.add_resource(_resource(page))
    serve_apps(server)


@functools.cache
def _resource(page: Page) -> FunctionResource:
    border: dict[str, Any] = {"ui": {"prefersBorder": True}}
    return FunctionResource.model_construct(
        uri=page.uri,
        name=f"{page.name}_page",
        title=page.title,
        description=page.description,
        mime_type=MIME_TYPE,
        meta=border,
        fn=functools.partial(apps.page, page.file),
    )
