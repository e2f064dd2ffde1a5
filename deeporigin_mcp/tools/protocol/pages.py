"""Pages that clients with MCP Apps show beside results, the tools that these belong to, and those that they call.

Without built pages none of them is offered.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, NamedTuple

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resources import FunctionResource

from deeporigin_mcp.apps.pages import html_of, is_built
from deeporigin_mcp.extensions.apps import MIME_TYPE, ONLY_FOR_PAGES, serve_apps, shown_on
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from deeporigin_mcp.tools.runtime.state import ServerState


class Page(NamedTuple):
    """One row of the table: its name, its folder in `apps/`, the tool whose results it shows, those only it calls."""

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
    Page(
        "results",
        "results",
        "Results of a run",
        "Shows structures, scores, poses in their pocket and charts.",
        "get_execution_results",
        ("read_results_page", "read_results_files"),
    ),
    Page(
        "monitor",
        "monitor",
        "Monitor of executions",
        "Shows how far runs are and what came of them, and stops one if the user wants that.",
        "wait_executions",
        ("show_progress",),
    ),
)


def served_pages(tools: Collection[str]) -> list[Page]:
    """The pages that a server with these tools offers."""
    return [page for page in PAGES if page.tool in tools] if is_built() else []


def with_page(tool: PlatformTool, pages: Collection[Page]) -> PlatformTool:
    """The tool, with the one of these pages that shows its results or calls it, if there is one."""
    for page in pages:
        if tool.name == page.tool:
            return tool.model_copy(update={"meta": shown_on(page.uri)})
        if tool.name in page.called:
            return tool.model_copy(update={"meta": ONLY_FOR_PAGES})
    return tool


def serve_pages(server: MCPServer[ServerState], pages: Collection[Page]) -> None:
    """Add these pages, and take them out of what clients without apps see."""
    for page in pages:
        server.add_resource(_resource(page))
    if pages:
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
        fn=functools.partial(html_of, page.file),
    )
