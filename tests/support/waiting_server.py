"""Servers that offer the tasks extension, in this process or as a program on stdio, and runs to wait for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol.tasks import task_extensions
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from deeporigin_mcp.tools.runtime.state import ServerState, open_state
from tests.support.bench import Bench, docking
from tests.support.task_client import TakesTasks


def waiting_server(
    settings: Settings,
    connect: Callable[[Settings], DeepOriginClient] = DeepOriginClient,
    clock: Callable[[], float] = time.time,
) -> MCPServer[ServerState]:
    """A server with all tools, and the extension on this clock."""

    @contextlib.asynccontextmanager
    async def lifespan(_: MCPServer[ServerState]) -> AsyncIterator[ServerState]:
        async with open_state(connect(settings)) as state:
            yield state

    tools = [PlatformTool.of(offer.function, title=offer.title, annotations=ToolAnnotations()) for offer in TOOLS]
    return MCPServer(name="waiting", tools=[*tools], extensions=task_extensions(tools, clock=clock), lifespan=lifespan)


async def started(bench: Bench, *smiles: str) -> str:
    """A docking run that goes on by itself: 40 s and 6 s for each molecule."""
    run = docking(*smiles, sync=False)
    async with bench.connect(bench.settings()) as client:
        quote = await client.executions.create(
            tool_key=run["tool_key"], tool_version="latest", data={"inputs": run["inputs"], "approveAmount": -1}
        )
        await client.executions.confirm(quote["executionId"])
    return str(quote["executionId"])


WAIT = "wait_executions"


class Waiter(TakesTasks):
    """Polls as long as it takes; each pause moves the platform's clock."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(self._let_pass)
        self._bench = bench
        self.paused_ms: list[int] = []

    async def _let_pass(self, milliseconds: int) -> None:
        self.paused_ms.append(milliseconds)
        self._bench.clock.advance(milliseconds / 1000)


if __name__ == "__main__":
    waiting_server(Settings.load()).run("stdio")
