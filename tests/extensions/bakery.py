"""A server with a tool that takes its time and has nothing to do with Deep Origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolRequestParams

from deeporigin_mcp.extensions import (
    DeferredTool,
    Outcome,
    RequestContext,
    Task,
    TasksExtension,
    Working,
)

START = 1_760_000_000.25


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


class Oven(DeferredTool):
    """A tool whose state the test sets."""

    name = "bake"

    def __init__(self) -> None:
        self.outcome: Outcome = Working("rising", 1500)
        self.asked: list[Task] = []
        self.answers: list[dict[str, Any]] = []
        self.cancelled: list[str] = []

    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        minutes = (params.arguments or {}).get("minutes")
        return {"minutes": minutes} if isinstance(minutes, int) else None

    async def poll(self, task: Task, ctx: RequestContext) -> Outcome:
        self.asked.append(task)
        return self.outcome

    async def update(self, task: Task, responses: Mapping[str, Any], ctx: RequestContext) -> None:
        self.answers.append(dict(responses))

    async def cancel(self, task: Task, ctx: RequestContext) -> None:
        self.cancelled.append(task.id)


def server(oven: DeferredTool, clock: Clock | None = None, key: bytes | None = b"k" * 32) -> MCPServer[Any]:
    extension = TasksExtension([oven], key=lambda _: key, clock=clock or Clock())
    made = MCPServer(name="bakery", extensions=[extension])

    @made.tool(structured_output=False)
    async def bake(minutes: int) -> str:
        return f"baked for {minutes} minutes"

    @made.tool()
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    return made
