"""The Inspector's web host, whose policy for pages is the strictest known, in front of a server of the test.

It is a Node program that connects to the server over HTTP and shows the page beside the result of a call.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import anyio.abc
import uvicorn
from mcp.server.mcpserver import MCPServer

from deeporigin_mcp.tools.runtime.state import ServerState
from tests.browser.chromium import PATIENCE_MS
from tests.support.node import node, npm_package

INSPECTOR = ("@modelcontextprotocol/inspector", "2.12.0")


def install_inspector() -> None:
    """Fetch it, so that no test has to.

    Raises:
        CannotRunError: npm could not install it.
    """
    npm_package(*INSPECTOR)


@contextlib.asynccontextmanager
async def inspected(
    chromium: Any, server: MCPServer[ServerState], home: Path, tool: str, arguments: dict[str, Any]
) -> AsyncIterator[Any]:
    """Call the tool there; Playwright's frame that holds the page. What its policy forbids is an error there.

    Args:
        home: an empty folder, where it may keep what it likes.
    """
    token = secrets.token_hex()
    async with _served(server) as url, _running(home, token) as address:
        link = {
            "MCP_INSPECTOR_API_TOKEN": token,
            "serverUrl": url,
            "transport": "http",
            "autoConnect": token,
            "openApp": tool,
            "appArgs": urlsafe_b64encode(json.dumps(arguments).encode()).decode().rstrip("="),
            "autoOpen": token,
        }
        context = await chromium.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        refused = list[str]()
        page.on("console", lambda said: refused.append(said.text) if "violates" in said.text else None)
        await page.goto(f"{address}/?{urlencode(link)}")
        await page.wait_for_selector('[data-testid="connection-status"][data-status="connected"]', state="attached")
        await page.wait_for_selector('[data-app-status="ready"]', state="attached")
        (frame,) = [each for each in page.frames if each.parent_frame and not each.child_frames]
        yield frame
        assert not refused, refused
        await context.close()


@contextlib.asynccontextmanager
async def _served(server: MCPServer[ServerState]) -> AsyncIterator[str]:
    """The server over HTTP on a free port; its settings hold the only caller's credentials."""
    config = uvicorn.Config(
        server.streamable_http_app(), host="127.0.0.1", log_level="error", timeout_graceful_shutdown=2
    )
    serving = uvicorn.Server(config)
    place = socket.create_server(("127.0.0.1", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serving.serve(sockets=[place]))
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}/mcp"
        finally:
            serving.should_exit = True


@contextlib.asynccontextmanager
async def _running(home: Path, token: str) -> AsyncIterator[str]:
    """The Inspector, until the block is left."""
    launcher = npm_package(*INSPECTOR) / "clients/launcher/build/index.js"
    port, sandbox, app = _free_ports(3)
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "HOST": "127.0.0.1",
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(sandbox),
        "MCP_APP_ORIGIN_PORT": str(app),
        "MCP_AUTO_OPEN_ENABLED": "false",
        "MCP_INSPECTOR_API_TOKEN": token,
        "MCP_STORAGE_DIR": str(home / "storage"),
    }
    async with await anyio.open_process([node(), str(launcher), "--web"], env=environment, cwd=home) as process:
        assert process.stdout is not None
        said = b""
        async for part in process.stdout:
            said += part
            if str(port).encode() in said:
                break
        else:
            raise AssertionError(said.decode(errors="replace")[-2000:])
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago; it takes none that the system chooses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
