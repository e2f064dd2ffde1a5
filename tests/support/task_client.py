"""A client that takes tasks, as the wire has them: it waits only where the test says how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp_types import CallToolResult, EmptyResult, Request, RequestParams, Result
from pydantic import ConfigDict

MODERN = "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
MAX_POLLS = 500


class Handle(Result):
    """The answer to `tools/call` that is a task; every field that came is kept."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]
    task_id: str
    status: str
    status_message: str = ""
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class TaskState(Result):
    """The answer to `tasks/get`; every field that came is kept."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["complete"]
    task_id: str
    status: str
    status_message: str = ""
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input_requests: dict[str, Any] | None = None


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


async def get_task(session: ClientSession, task_id: str) -> TaskState:
    return await session.send_request(GetTask(params=TaskParams(task_id=task_id)), TaskState)


async def cancel_task(session: ClientSession, task_id: str) -> EmptyResult:
    return await session.send_request(CancelTask(params=TaskParams(task_id=task_id)), EmptyResult)


async def update_task(session: ClientSession, task_id: str, responses: dict[str, Any]) -> EmptyResult:
    params = UpdateParams(task_id=task_id, input_responses=responses)
    return await session.send_request(UpdateTask(params=params), EmptyResult)


class TakesTasks(ClientExtension):
    """Declares the extension, and polls a task to its end.

    Args:
        pause: called with `pollIntervalMs` between two polls.
    """

    identifier = TASKS

    def __init__(self, pause: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._pause = pause
        self.states: list[TaskState] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=self._resolve)]

    async def _resolve(self, handle: Handle, ctx: ClaimContext) -> CallToolResult:
        assert self._pause is not None, "this client was not meant to poll"
        interval = handle.poll_interval_ms
        for _ in range(MAX_POLLS):
            await self._pause(interval)
            state = await get_task(ctx.session, handle.task_id)
            self.states.append(state)
            interval = state.poll_interval_ms or interval
            if state.status != "working":
                return CallToolResult.model_validate(state.result)
        raise AssertionError(f"not over after {MAX_POLLS} polls")


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> Handle | CallToolResult:
    """The first answer to a call, without polling."""
    answer = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(answer, Handle | CallToolResult)
    return answer


async def handle_of(client: Client, tool: str, arguments: dict[str, Any]) -> Handle:
    answer = await call(client, tool, arguments)
    assert isinstance(answer, Handle), answer
    return answer
