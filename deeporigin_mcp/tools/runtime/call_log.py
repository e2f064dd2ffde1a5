"""One line on stderr for each call: what was called, how it ended, how long it took and what it cost the platform.

The line is JSON after the usual prefix, as in the audit log. It holds no arguments, no ids but those of requests, and
no text of users or the platform. Work that outlasts its call gets a line of its own when it ends, marked
`"after_call": true`, with the figures of both.

| outcome | level | meaning |
|---|---|---|
| `ok` | INFO | a result; WARNING if the platform failed each request |
| `asked` | INFO | the result is an elicitation |
| `refused` | INFO | arguments, state, rights, money or a limit forbid it |
| `cancelled` | INFO | the client, or the end of the server, cancelled it |
| `failed` | WARNING | the platform or the network failed, or the outcome is unknown |
| `gave_up` | WARNING | it took longer than a call may |
| `crashed` | ERROR | a bug of this server; `place` is where |
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Literal

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from opentelemetry import trace

from deeporigin_mcp.errors import (
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.transport.tracing import RequestCounts, count_requests

logger = logging.getLogger("deeporigin_mcp.calls")

Kind = Literal["tool", "task", "resource"]
Outcome = Literal["ok", "asked", "refused", "cancelled", "failed", "gave_up", "crashed"]

FAILURES = (PlatformError, NetworkError, RateLimitError, OutcomeUnknownError)
REFUSALS = (DeepOriginError, MCPError)
MAX_CLIENT_CHARACTERS = 80


class Call:
    """A call in progress."""

    def __init__(
        self,
        kind: Kind,
        name: str,
        context: ServerRequestContext[Any, Any],
        traffic: RequestCounts,
        clock: Callable[[], float],
    ) -> None:
        self.outcome: Outcome = "ok"
        self.error: BaseException | None = None
        """Why it failed, if not for the exception that leaves it."""
        self.answer_bytes: int | None = None
        self.has_ended = False
        self._kind = kind
        self._name = name
        self._traffic = traffic
        self._clock = clock
        self._started = clock()
        self._caller = _caller(context)

    def responded(self, text: str) -> None:
        """The text that the model gets, of a result or of an error."""
        self.answer_bytes = len(text.encode("utf-8", "replace"))

    def failed(self, error: BaseException) -> None:
        self.error = self.error or error
        if self.outcome == "ok":
            self.outcome = _outcome_of(self.error)

    def log(self, **more: bool) -> None:
        error, traffic, level = self.error, self._traffic, self._level()
        if not logger.isEnabledFor(level):
            return
        line: dict[str, Any] = {self._kind: self._name, "outcome": self.outcome, **more}
        if isinstance(error, DeepOriginError):
            line |= {"error": type(error).__name__, "http_status": error.http_status}
        elif error is not None and self.outcome in ("crashed", "refused"):
            line |= {"error": type(error).__name__, "place": _place(error) if self.outcome == "crashed" else None}
        line |= {
            "duration_ms": round((self._clock() - self._started) * 1000),
            "platform_requests": traffic.sent,
            "failed_requests": traffic.failed or None,
            "answer_bytes": self.answer_bytes,
            "request_ids": _request_ids(traffic, error) or None,
            **self._caller,
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
        logger.log(level, "%s", json.dumps({key: value for key, value in line.items() if value is not None}))

    def _level(self) -> int:
        if self.outcome == "crashed":
            return logging.ERROR
        is_failure = self.outcome in ("failed", "gave_up")
        is_unserved = self.outcome == "ok" and 0 < self._traffic.sent == self._traffic.broken
        return logging.WARNING if is_failure or is_unserved else logging.INFO


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@contextlib.contextmanager
def logged(
    kind: Kind, name: str, context: ServerRequestContext[Any, Any], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Call]:
    """Log what happens inside as one call; exceptions pass through and say how it ended.

    Args:
        name: of the tool; of a resource its template, never a URI with ids.
        clock: seconds, for the duration.
    """
    with count_requests() as traffic:
        call = Call(kind, name, context, traffic, clock)
        reset = _call.set(call)
        try:
            yield call
        except BaseException as error:
            call.failed(error)
            raise
        finally:
            _call.reset(reset)
            call.has_ended = True
            call.log()


@contextlib.contextmanager
def background_work() -> Iterator[None]:
    """Around work that may outlast the call that began it; it is logged on its own then."""
    begun_by = _call.get()
    if begun_by is None:
        yield
        return
    ended: BaseException | None = None
    try:
        yield
    except BaseException as error:
        ended = error
        raise
    finally:
        if begun_by.has_ended:
            begun_by.outcome, begun_by.error, begun_by.answer_bytes = "ok", None, None
            if ended is not None:
                begun_by.failed(ended)
            begun_by.log(after_call=True)


def _outcome_of(error: BaseException) -> Outcome:
    if isinstance(error, FAILURES):
        return "failed"
    if isinstance(error, REFUSALS):
        return "refused"
    return "crashed" if isinstance(error, Exception) else "cancelled"


def _request_ids(traffic: RequestCounts, error: BaseException | None) -> list[str]:
    """Ids of requests that failed, each once, the last one last."""
    own = error.request_id if isinstance(error, DeepOriginError) else None
    return [*dict.fromkeys([*traffic.failed_ids, *([own] if own else [])])]


def _caller(context: ServerRequestContext[Any, Any]) -> dict[str, str]:
    """The client's name and version, and its protocol revision."""
    params = context.session.client_params
    caller = {"protocol": context.protocol_version}
    if params is not None:
        name = f"{params.client_info.name} {params.client_info.version}"
        caller = {"client": one_line(name, MAX_CLIENT_CHARACTERS), **caller}
    return caller


def _place(error: BaseException) -> str | None:
    """Where in this package it was raised. Not its stack: frames and their values may hold secrets and paths."""
    trace_back = error.__traceback__
    place = None
    while trace_back is not None:
        module = str(trace_back.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("deeporigin_mcp"):
            place = f"{module}, line {trace_back.tb_lineno}"
        trace_back = trace_back.tb_next
    return place
