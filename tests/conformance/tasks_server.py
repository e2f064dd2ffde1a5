"""A server with the tools that the conformance suite's `tasks-*` scenarios call; run it with a port number.

It mounts the extension as it is. What its tools remember beyond the call (answers, cancellations) they keep
themselves, in this one process, as the extension keeps nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import INTERNAL_ERROR, CallToolRequestParams, CallToolResult, ErrorData, TextContent
from pydantic import BaseModel

from deeporigin_mcp.extensions import (
    Cancelled,
    DeferredTool,
    Failed,
    Finished,
    InputRequired,
    Outcome,
    RequestContext,
    Task,
    TasksExtension,
    Working,
)

POLL_INTERVAL_MS = 200


def said(text: str, *, is_error: bool = False) -> Finished:
    return Finished(CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error))


class Timed(DeferredTool):
    """Over some seconds after the call, or as soon as it is cancelled."""

    def __init__(self, name: str, end: Callable[[dict[str, Any]], Outcome], *, required: bool = False) -> None:
        self.name = name
        self.required = required
        self._end = end
        self._cancelled: set[str] = set()

    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        return {"seconds": 1, **(params.arguments or {})}

    async def poll(self, task: Task, ctx: RequestContext) -> Outcome:
        if task.id in self._cancelled:
            return Cancelled("Cancelled by the client.")
        if task.age_seconds >= task.payload["seconds"]:
            return self._end(task.payload)
        return Working(f"{task.age_seconds:.1f} of {task.payload['seconds']} s", POLL_INTERVAL_MS)

    async def cancel(self, task: Task, ctx: RequestContext) -> None:
        # A task that is over stays as it is.
        if isinstance(await self.poll(task, ctx), Working):
            self._cancelled.add(task.id)


class Named(Timed):
    """Asks for a name before it becomes a task: the first round is the plain tool's own."""

    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        for response in (params.input_responses or {}).values():
            content = getattr(response, "content", None)
            if isinstance(content, Mapping) and "name" in content:
                return {"seconds": 1, "name": content["name"]}
        return None


class Asking(DeferredTool):
    """Asks some questions while it works, and is over when all are answered."""

    def __init__(self, name: str, *questions: str) -> None:
        self.name = name
        self._questions = {f"question-{number}": question for number, question in enumerate(questions)}
        self._answered: dict[str, set[str]] = {}
        self._cancelled: set[str] = set()

    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        return dict(params.arguments or {})

    async def poll(self, task: Task, ctx: RequestContext) -> Outcome:
        if task.id in self._cancelled:
            return Cancelled("Cancelled by the client.")
        answered = self._answered.get(task.id, set())
        open_questions = {key: text for key, text in self._questions.items() if key not in answered}
        if not open_questions:
            return said(f"{self.name} is done.")
        requests = {key: _question(text) for key, text in open_questions.items()}
        return InputRequired(requests, f"{len(requests)} to answer", POLL_INTERVAL_MS)

    async def update(self, task: Task, responses: Mapping[str, Any], ctx: RequestContext) -> None:
        self._answered.setdefault(task.id, set()).update(responses)

    async def cancel(self, task: Task, ctx: RequestContext) -> None:
        self._cancelled.add(task.id)


def _question(text: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": text, "requestedSchema": schema},
    }


class UserName(BaseModel):
    name: str


async def ask_for_name() -> Elicit[UserName]:
    return Elicit("What is your name?", UserName)


def fixture_server() -> MCPServer[Any]:
    """A server with these tools and the extension."""
    failure = ErrorData(code=INTERNAL_ERROR, message="the job broke")
    deferred: list[DeferredTool] = [
        Timed("slow_compute", lambda call: said(f"{call.get('label')} took {call['seconds']} s")),
        Timed("failing_job", lambda _: said("the job failed", is_error=True), required=True),
        Timed("protocol_error_job", lambda _: Failed(failure)),
        Named("test_tool_with_task", lambda call: said(f"Hello, {call['name']}!"), required=True),
        Asking("confirm_delete", "Delete it?"),
        Asking("multi_input", "The first?", "The second?"),
    ]
    server = MCPServer(
        name="tasks-fixture",
        extensions=[TasksExtension(deferred, key=lambda _: b"one caller, one key: 32 bytes...")],
        log_level="WARNING",
    )

    @server.tool(structured_output=False)
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    @server.tool(structured_output=False)
    async def slow_compute(seconds: float, label: str = "") -> str:
        await anyio.sleep(seconds)
        return f"{label} took {seconds} s"

    @server.tool(structured_output=False)
    async def test_tool_with_task(user: Annotated[UserName, Resolve(ask_for_name)]) -> str:
        return f"Hello, {user.name}!"

    for tool in deferred:
        if tool.name not in ("slow_compute", "test_tool_with_task"):
            server.add_tool(_without_tasks(tool.name), name=tool.name, structured_output=False)
    return server


def _without_tasks(name: str) -> Callable[[], Any]:
    async def answer() -> str:
        return f"{name} did nothing."

    return answer


if __name__ == "__main__":
    fixture_server().run("streamable-http", port=int(sys.argv[1]), stateless_http=True)
