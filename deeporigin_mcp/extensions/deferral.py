"""Tools whose result may come later as a task (SEP-2663).

A host provides one `DeferredTool` for each such tool. The tool itself stays as it is: clients that do not declare the
extension call it as before.
"""

from __future__ import annotations

import abc
import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from mcp.server.context import ServerRequestContext
from mcp_types import CallToolRequestParams, CallToolResult, ErrorData

RequestContext = ServerRequestContext[Any, Any]

POLL_INTERVAL_MS = 5000


class Task(NamedTuple):
    """A deferred call, read from its id: the same in every process and at every request."""

    id: str
    tool: str
    payload: dict[str, Any]
    """What `DeferredTool.prepare` returned."""
    created_at: datetime
    """UTC, whole milliseconds."""
    age_seconds: float
    """Since `created_at`; never negative."""


class Working(NamedTuple):
    """Still running."""

    message: str = ""
    """One line for a person or a model; empty for none."""
    poll_interval_ms: int = POLL_INTERVAL_MS


class InputRequired(NamedTuple):
    """Waiting for input of the client, which comes through `DeferredTool.update`."""

    requests: Mapping[str, Mapping[str, Any]]
    """Key → open request, such as `{"method": "elicitation/create", "params": {…}}`. Keys are unique per task."""
    message: str = ""
    poll_interval_ms: int = POLL_INTERVAL_MS


class Finished(NamedTuple):
    """Ended with the result of the plain call, which may have `is_error`."""

    result: CallToolResult
    message: str = ""


class Failed(NamedTuple):
    """Ended with a JSON-RPC error of the plain call; an error of the tool is `Finished`."""

    error: ErrorData


class Cancelled(NamedTuple):
    """Cancelled. Final: a tool that returns it must return it from then on."""

    message: str = ""


Outcome = Working | InputRequired | Finished | Failed | Cancelled


class DeferredTool(abc.ABC):
    """A tool that may return a task. Its methods must return within seconds, without waiting for the work.

    What they raise is an error of the current request, not of the task.
    """

    name: str
    """As in `tools/list`."""
    required: bool = False
    """Whether it can only be called as a task: clients that do not declare the extension get error -32021."""

    @abc.abstractmethod
    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        """The JSON that a task needs to know of a call; None to run the call without a task.

        Arguments are not validated yet. Return None for invalid ones: the plain call explains what is wrong.
        """

    def packed(self, payload: dict[str, Any]) -> bytes:
        """The payload as few bytes: clients and models read ids, which hold them."""
        return zlib.compress(json.dumps(payload, separators=(",", ":")).encode(), 9)

    def unpacked(self, packed: bytes) -> dict[str, Any]:
        """What `packed` was made of. Only called with bytes that it returned."""
        payload: dict[str, Any] = json.loads(zlib.decompress(packed))
        return payload

    @abc.abstractmethod
    async def poll(self, task: Task, ctx: RequestContext) -> Outcome:
        """The state of a task now. Also called before a task is returned; if it has ended, its result is returned."""

    async def update(self, task: Task, responses: Mapping[str, Any], ctx: RequestContext) -> None:  # noqa: B027
        """Receive responses to the requests of `InputRequired`, by key; unknown keys must be ignored (SEP-2663)."""

    async def cancel(self, task: Task, ctx: RequestContext) -> None:  # noqa: B027
        """The client no longer wants the result; a tool need not react (SEP-2663), and by default does not."""
