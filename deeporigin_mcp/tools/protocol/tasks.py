"""`wait_executions` as a task (SEP-2663), for clients with the tasks extension: no call lasts as long as the wait.

Each poll of a task polls its executions once, by the engine behind every wait. At the end the task holds what
`wait_executions` would have returned, however long that took. Cancelling a task cancels no execution.
"""

from __future__ import annotations

import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mcp_types import CallToolRequestParams, TextContent
from pydantic import ValidationError

from deeporigin_mcp.errors import RateLimitError
from deeporigin_mcp.extensions import DeferredTool, Finished, Outcome, RequestContext, Task, TasksExtension, Working
from deeporigin_mcp.platform.waiting.engine import LONGEST_RATE_LIMIT_SECONDS, WaitState, watch
from deeporigin_mcp.tools.executions.completeness import looked_at
from deeporigin_mcp.tools.executions.wait_executions import (
    MAX_ID_CHARACTERS,
    ended_of,
    summary_of,
    wait_executions,
    wait_view,
)
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from deeporigin_mcp.tools.runtime import call_log
from deeporigin_mcp.tools.runtime.executions import is_execution_id
from deeporigin_mcp.tools.runtime.state import state_of_request

KEY_PURPOSE = b"deeporigin-mcp/tasks/2"
"""What a key is derived for: no other use of the same token yields the same key."""
REFUSED_SECONDS = 5.0
"""How long a refusal is retried before it ends a task."""
ANY, AS_TEXT = 1, 2
"""In the first byte of a packed wait: its `until`, and whether its ids follow as text."""
STOPS_NOTHING = "Cancelling this task stops no execution."


def task_extensions(tools: Iterable[PlatformTool], *, clock: Callable[[], float] = time.time) -> list[TasksExtension]:
    """The tasks extension for those of a server's tools that can be deferred; empty if there are none.

    Args:
        tools: all of the server.
        clock: Unix seconds.
    """
    deferred = [DeferredWait(tool) for tool in tools if tool.fn is wait_executions]
    return [TasksExtension(deferred, key=caller_key, clock=clock)] if deferred else []


def caller_key(ctx: RequestContext) -> bytes | None:
    """32 bytes derived from the caller's token and organisation; None without a token.

    A caller with a new token is another caller: it does not find the tasks of the old one, and waits again.
    """
    settings = state_of_request(ctx).client.settings
    if settings.token is None:
        return None
    secret = hmac.digest(settings.token.get_secret_value().encode(), KEY_PURPOSE, "sha256")
    return hmac.digest(secret, settings.org_key.encode(), "sha256")


class DeferredWait(DeferredTool):
    """`wait_executions` as a task. A wait of 0 s stays a plain call, as it returns at once anyway.

    Args:
        tool: the server's tool, which validates the arguments.
    """

    def __init__(self, tool: PlatformTool) -> None:
        self.name = tool.name
        self._tool = tool

    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:  # noqa: ARG002
        """What a poll needs of the arguments; None if they are invalid, or ask for a single poll."""
        arguments = params.arguments or {}
        if not arguments.keys() <= self._tool.parameters["properties"].keys():
            return None
        try:
            valid = self._tool.fn_metadata.validate_arguments(arguments)
        except ValidationError:
            return None
        if valid["timeout_seconds"] == 0 or any(len(name) > MAX_ID_CHARACTERS for name in valid["execution_ids"]):
            return None
        return {
            "ids": [name.strip() for name in valid["execution_ids"]],
            "until": valid["until"],
            "poll": valid["poll_interval_seconds"],
        }

    def packed(self, payload: dict[str, Any]) -> bytes:
        """18 bytes for one execution, 16 for each further one; more where an id is no UUID.

        A byte for `until` and how the ids follow, one for the interval in eighths of a second, then the ids.
        """
        ids: list[str] = payload["ids"]
        as_text = not all(map(is_execution_id, ids))
        head = bytes([ANY * (payload["until"] == "any") | AS_TEXT * as_text, round(8 * payload["poll"])])
        return head + (json.dumps(ids).encode() if as_text else b"".join(uuid.UUID(name).bytes for name in ids))

    def unpacked(self, packed: bytes) -> dict[str, Any]:
        """What `packed` was made of."""
        kind, eighths, rest = packed[0], packed[1], packed[2:]
        if kind & AS_TEXT:
            ids = json.loads(rest)
        else:
            ids = [str(uuid.UUID(bytes=rest[start : start + 16])) for start in range(0, len(rest), 16)]
        return {"ids": ids, "until": "any" if kind & ANY else "all", "poll": eighths / 8}

    async def poll(self, task: Task, ctx: RequestContext) -> Outcome:
        """Poll once those that may have changed.

        Lasts 10 s at most, as a first poll may; `REFUSED_SECONDS` more where refusals are retried, and `LOOK_SECONDS`
        more at the end, for what results lack.
        """
        with call_log.logged("task", self.name, ctx) as call:
            outcome = await self._poll(task, ctx)
            call.responded(_text_of(outcome))
            return outcome

    async def _poll(self, task: Task, ctx: RequestContext) -> Working | Finished:
        state = state_of_request(ctx)
        client = state.client
        wait = task.payload

        async def polled(ids: Sequence[str], timeout_seconds: float, known: Sequence[str] = ()) -> WaitState:
            return await watch(
                client.observer,
                ids,
                until=wait["until"],
                poll_interval_seconds=wait["poll"],
                timeout_seconds=timeout_seconds,
                timing=client.timing,
                known=known,
            )

        now = await polled(wait["ids"], 0)
        if task.age_seconds and now.given_up and now.is_done(wait["until"]):
            # They were readable when the task began: a single refusal, which may pass, must not end it.
            lost = [*now.given_up]
            now.renew(lost, await polled(lost, REFUSED_SECONDS, known=lost))
        if not now.is_done(wait["until"]):
            return Working(_message(now), round(1000 * max(wait["poll"], _backoff_seconds(now))))
        now.waited_seconds = task.age_seconds
        parts = await looked_at(state, ended_of(now))
        return Finished(self._tool.result_of(wait_view(now, client.settings, parts)))


def _text_of(outcome: Working | Finished) -> str:
    if isinstance(outcome, Working):
        return outcome.message
    return "".join(block.text for block in outcome.result.content if isinstance(block, TextContent))


def _message(now: WaitState) -> str:
    """Such as `1 of 3 over; BRD4 pilot: Running 40 %. Cancelling this task stops no execution.`"""
    return f"{summary_of(now, {})}. {STOPS_NOTHING}"


def _backoff_seconds(now: WaitState) -> float:
    """Seconds of backoff that the platform asked for, up to a minute."""
    asked = [error.retry_after_seconds or 0 for error in now.failed.values() if isinstance(error, RateLimitError)]
    return min(max(asked, default=0), LONGEST_RATE_LIMIT_SECONDS)
