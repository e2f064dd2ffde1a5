"""The tasks extension of MCP (SEP-2663): a tool call may return a task, which the client polls for the result.

The server stores nothing. A task's id is the call itself and a proof that this server made it for this caller, so a
restart or another worker loses nothing, and the id of another caller's task is as unknown as an invented one. The call
can be read from its id; nothing but the caller's own arguments is in it. What a tool must remember beyond these, it has
to store elsewhere.

Served: tasks as results of `tools/call`, `tasks/get`, `tasks/update`, `tasks/cancel`. Not served: notifications
(`notifications/tasks`, optional in SEP-2663).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolRequestParams, EmptyResult, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from deeporigin_mcp.extensions.deferral import (
    Cancelled,
    DeferredTool,
    Failed,
    Finished,
    InputRequired,
    Outcome,
    RequestContext,
    Task,
    Working,
)

FORMAT = b"task 2 "
"""Begins what an id proves; an id of another format is unknown."""
PROOF_BYTES = 12
"""96 bits: with a million guesses a second, one id in 10^15 years."""
TIME_BYTES = 6
CHANCE_BYTES = 3
"""Tells apart the tasks of equal calls in the same millisecond."""
MAX_ID_CHARACTERS = 4096
"""Over HTTP an id is sent in a header; servers and proxies commonly accept 8 KB of headers in all."""


class TaskParams(RequestParams):
    """Params of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateTaskParams(TaskParams):
    """Params of `tasks/update`."""

    input_responses: dict[str, Any]


class TasksExtension(Extension):
    """Returns tasks for some of the server's tools to clients that declare the extension on the request.

    Args:
        tools: those that may be deferred.
        key: the secret of a request's caller, at least 32 bytes: the same in every process, different for each
            caller. None for a caller who cannot own tasks.
        clock: Unix seconds.
    """

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(
        self,
        tools: Iterable[DeferredTool],
        *,
        key: Callable[[RequestContext], bytes | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._key = key
        self._clock = clock

    def methods(self) -> Sequence[MethodBinding]:
        """The three methods of the extension, for the revisions that have it."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", TaskParams, self._get, versions),
            MethodBinding("tasks/update", UpdateTaskParams, self._update, versions),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, versions),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Return a task if the tool may be deferred, the client declared the extension, and the work has not ended."""
        tool = self._tools.get(params.name)
        if tool is None:
            return await call_next(ctx)
        if not self._is_declared(ctx):
            if tool.required:
                require_client_extension(ctx, self.identifier)
            return await call_next(ctx)
        payload = await tool.prepare(params, ctx)
        task = None if payload is None else self._create(tool, payload, ctx)
        if task is None:
            return await call_next(ctx)
        outcome = await tool.poll(task, ctx)
        if isinstance(outcome, Finished):
            return outcome.result
        if isinstance(outcome, Failed):
            raise MCPError.from_error_data(outcome.error)
        # Requests for input belong on tasks/get only.
        return {"resultType": "task", **self._described(task, outcome)}

    # The three methods

    async def _get(self, ctx: RequestContext, params: TaskParams) -> HandlerResult:
        tool, task = self._found(ctx, params)
        outcome = await tool.poll(task, ctx)
        answer = {"resultType": "complete", **self._described(task, outcome)}
        if isinstance(outcome, InputRequired):
            answer["inputRequests"] = outcome.requests
        elif isinstance(outcome, Finished):
            answer["result"] = outcome.result.model_dump(by_alias=True, mode="json", exclude_none=True)
        elif isinstance(outcome, Failed):
            answer["error"] = outcome.error.model_dump(by_alias=True, mode="json", exclude_none=True)
        return answer

    async def _update(self, ctx: RequestContext, params: UpdateTaskParams) -> HandlerResult:
        tool, task = self._found(ctx, params)
        await tool.update(task, params.input_responses, ctx)
        return EmptyResult(result_type="complete")

    async def _cancel(self, ctx: RequestContext, params: TaskParams) -> HandlerResult:
        tool, task = self._found(ctx, params)
        await tool.cancel(task, ctx)
        return EmptyResult(result_type="complete")

    # Who may

    def _is_declared(self, ctx: RequestContext) -> bool:
        """Whether this request declared the extension; older protocol versions cannot."""
        capabilities = ctx.session.client_capabilities
        declared = (capabilities.extensions if capabilities else None) or {}
        return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and self.identifier in declared

    def _found(self, ctx: RequestContext, params: TaskParams) -> tuple[DeferredTool, Task]:
        """The caller's task of that id.

        Raises:
            MCPError: -32020 the routing header names another task, -32021 the request did not declare the
                extension, -32602 the caller has no such task.
        """
        _check_routing(ctx, params.task_id)
        require_client_extension(ctx, self.identifier)
        key = self._key(ctx)
        for tool in self._tools.values():
            content = None if key is None else _content(key, tool.name, params.task_id)
            if content is not None:
                created_ms = int.from_bytes(content[:TIME_BYTES])
                payload = tool.unpacked(content[TIME_BYTES + CHANCE_BYTES :])
                return tool, self._task(params.task_id, tool.name, payload, created_ms)
        raise MCPError(INVALID_PARAMS, "Task not found: this caller has no task with that id. Call the tool again.")

    # Tasks

    def _create(self, tool: DeferredTool, payload: dict[str, Any], ctx: RequestContext) -> Task | None:
        """A new task; None if this caller or these arguments cannot have one."""
        key = self._key(ctx)
        if key is None:
            return None
        created_ms = self._now_ms()
        content = created_ms.to_bytes(TIME_BYTES) + secrets.token_bytes(CHANCE_BYTES) + tool.packed(payload)
        task_id = _written(content + _proof(key, tool.name, content))
        if len(task_id) > MAX_ID_CHARACTERS:
            return None
        return self._task(task_id, tool.name, payload, created_ms)

    def _task(self, task_id: str, tool: str, payload: dict[str, Any], created_ms: int) -> Task:
        return Task(
            id=task_id,
            tool=tool,
            payload=payload,
            created_at=_instant(created_ms),
            age_seconds=max(self._now_ms() - created_ms, 0) / 1000,
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _described(self, task: Task, outcome: Outcome) -> dict[str, Any]:
        """The fields of every state.

        `lastUpdatedAt` is when the state was polled, as nobody stores when it changed. `ttlMs` is null, as an id does
        not expire.
        """
        described: dict[str, Any] = {
            "taskId": task.id,
            "status": _STATUS[type(outcome)],
            "createdAt": _stamp(task.created_at),
            "lastUpdatedAt": _stamp(max(task.created_at, _instant(self._now_ms()))),
            "ttlMs": None,
        }
        message = outcome.error.message if isinstance(outcome, Failed) else outcome.message
        if message:
            described["statusMessage"] = message
        if isinstance(outcome, Working | InputRequired):
            described["pollIntervalMs"] = outcome.poll_interval_ms
        return described


_STATUS: dict[type[Outcome], str] = {
    Working: "working",
    InputRequired: "input_required",
    Finished: "completed",
    Failed: "failed",
    Cancelled: "cancelled",
}


def _proof(key: bytes, tool: str, content: bytes) -> bytes:
    """What only the holder of this key can add to a content; bound to the tool."""
    return hmac.digest(key, FORMAT + tool.encode() + b"\0" + content, "sha256")[:PROOF_BYTES]


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _content(key: bytes, tool: str, task_id: str) -> bytes | None:
    """The content of an id; None if it was not made with this key for this tool, or was changed."""
    if len(task_id) > MAX_ID_CHARACTERS:
        return None
    try:
        sealed = base64.urlsafe_b64decode(task_id + "=" * (-len(task_id) % 4))
    except ValueError:
        return None
    # Base64 can write the same bytes in more than one way; an id is one of them.
    if _written(sealed) != task_id:
        return None
    content, proof = sealed[:-PROOF_BYTES], sealed[-PROOF_BYTES:]
    return content if hmac.compare_digest(proof, _proof(key, tool, content)) else None


def _check_routing(ctx: RequestContext, task_id: str) -> None:
    """Over HTTP `Mcp-Name` must repeat the task's id (SEP-2243, SEP-2663).

    The SDK checks this header for the methods of the core protocol only.
    """
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(HEADER_MISMATCH, f"{MCP_NAME_HEADER} header does not match the request body's 'taskId'")


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
