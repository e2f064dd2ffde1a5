"""What a server says about a tool whose answer may come later (SEP-2663).

A host plugs in one `DeferredTool` for each such tool. The tool itself stays as it is: clients that did not declare
the extension go on calling it as before.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import CallToolRequestParams, CallToolResult, ErrorData

RequestContext = ServerRequestContext[Any, Any]

POLL_INTERVAL_MS = 5000


@dataclass(frozen=True)
class Task:
    """A deferred call, as its id tells it: the same in every process and at every request."""

    id: str
    tool: str
    payload: dict[str, Any]
    """What `DeferredTool.prepare` made of the arguments."""
    created_at: datetime
    """UTC, whole milliseconds."""
    age_seconds: float
    """Since `created_at`; never negative."""


@dataclass(frozen=True)
class Working:
    """Not over yet."""

    message: str = ""
    """One line for a person or a model; empty for none."""
    poll_interval_ms: int = POLL_INTERVAL_MS


@dataclass(frozen=True)
class InputRequired:
    """Waiting for answers of the client, which come through `DeferredTool.update`."""

    requests: Mapping[str, Mapping[str, Any]]
    """Outstanding requests, such as `{"method": "elicitation/create", "params": {…}}`, by keys of the tool's own
    that no other request of the same task may ever have."""
    message: str = ""
    poll_interval_ms: int = POLL_INTERVAL_MS


@dataclass(frozen=True)
class Finished:
    """Over: exactly the result that the plain call would have had, with `is_error` too."""

    result: CallToolResult
    message: str = ""


@dataclass(frozen=True)
class Failed:
    """Over with what would have been a JSON-RPC error of the plain call; an error of the tool is `Finished`."""

    error: ErrorData


@dataclass(frozen=True)
class Cancelled:
    """Over because it was cancelled. Final: a tool that says it must say it from then on."""

    message: str = ""


Outcome = Working | InputRequired | Finished | Failed | Cancelled


class DeferredTool(abc.ABC):
    """One tool that may answer with a task. Its methods must return within seconds and must not wait for the work.

    What they raise is an error of the request at hand, not of the task.
    """

    name: str
    """As in `tools/list`."""
    required: bool = False
    """Without a task it cannot be called at all: clients that did not declare the extension get -32021."""

    @abc.abstractmethod
    async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
        """What a task has to remember of a call, as JSON; None to run the call as if there were no tasks.

        Arguments are not validated yet. For those that are not valid return None: the plain call explains them.
        """

    @abc.abstractmethod
    async def look(self, task: Task, ctx: RequestContext) -> Outcome:
        """The state of a task now. Called once before a task is handed out: if it is over, none is."""

    async def update(self, task: Task, responses: Mapping[str, Any], ctx: RequestContext) -> None:  # noqa: B027
        """Take answers to the requests of `InputRequired`, by key; unknown keys are to be ignored (SEP-2663)."""

    async def cancel(self, task: Task, ctx: RequestContext) -> None:  # noqa: B027
        """Take note that the client no longer wants the result; nothing has to follow from it (SEP-2663).

        By default nothing does: `look` goes on to tell the truth, to whoever still asks.
        """
