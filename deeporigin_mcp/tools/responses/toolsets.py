"""Which tools a server offers, and the next step where it would be a tool that is not offered."""

from __future__ import annotations

from collections.abc import Mapping

from deeporigin_mcp.settings import Settings

TOOLSETS: Mapping[str, tuple[str, ...]] = {
    "executions": (
        "list_executions",
        "search_executions",
        "get_execution",
        "create_execution",
        "confirm_execution",
        "cancel_execution",
        "wait_executions",
        "get_execution_logs",
        "get_execution_results",
    ),
    "catalogue": ("find_platform_tools", "describe_platform_tool"),
    "molecules": ("find_molecules", "import_molecules"),
    "files": ("list_files", "upload_file", "download_files"),
    "workspace": ("summarize_spending", "get_workspace"),
}
"""The groups that `DEEPORIGIN_MCP_TOOLSETS` chooses from, and their tools."""
WRITING = frozenset({"create_execution", "confirm_execution", "cancel_execution", "upload_file", "import_molecules"})
"""Tools that read-only mode does not offer. Those for executions and all that read these are in one group.

`download_files` writes too, but to the user's own disk: it is offered, because it changes nothing on the platform.
"""
LOCAL_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "import_molecules": ("path",),
    "upload_file": ("path",),
    "download_files": ("folder", "combine"),
}
"""Parameters that name a path of the user's machine; they do not exist where the server runs on another one."""

READ_ONLY = "This server is read-only: a person can start and change runs in the Deep Origin web app."
NOT_OFFERED = (
    "This server does not offer the tool for the next step (DEEPORIGIN_MCP_TOOLSETS): a person can do it in the Deep "
    "Origin web app."
)


def is_offered(tool: str, settings: Settings) -> bool:
    """Whether a server with these settings offers this tool."""
    if settings.read_only and tool in WRITING:
        return False
    return any(tool in TOOLSETS.get(name, ()) for name in settings.toolsets or TOOLSETS)


def step(settings: Settings, text: str, *tools: str) -> str:
    """A next step that names these tools, or what a person can do instead where one of them is not offered."""
    missing = [tool for tool in tools if not is_offered(tool, settings)]
    if not missing:
        return text
    return READ_ONLY if settings.read_only and WRITING.issuperset(missing) else NOT_OFFERED
