"""A server as a process that a test can kill, and calls that it may not survive."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from deeporigin_mcp.simulator import make_token
from tests.faults.calls import PROJECT
from tests.faults.proxy import FaultProxy


def process(proxy: FaultProxy, pid_file: Path, **variables: str) -> Any:
    """The transport to a server that notes its number."""
    note_pid = f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", f"{note_pid}; from deeporigin_mcp.cli import main; main(['serve'])"],
        env={
            "HOME": "/nonexistent",
            "DO_AUTH_TOKEN": make_token(),
            "DO_ORG_KEY": "deeporigin",
            "DO_PROJECT_ID": PROJECT,
            "DO_BASE_URL": proxy.base_url,
            **variables,
        },
    )
    return stdio_client(parameters)


def killer(pid_file: Path) -> Callable[[], None]:
    """Kills the server that has noted its number there."""
    return lambda: os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def called(server: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a call; None if it was refused, or the server died on the way."""
    answer = None
    try:
        async with Client(server) as client:
            answer = await client.call_tool(tool, arguments)
    except* (MCPError, OSError):
        pass
    return None if answer is None or answer.is_error else answer.structured_content
