"""Requests to the platform: counted per call, traced by OpenTelemetry, and their request ids.

One span for each time a request is sent, by OpenTelemetry's conventions for HTTP clients. It holds no token, no
query and no ids: paths become templates. The trace is not passed on to the platform, because the
official client sends no `traceparent` and our requests equal its own; an instrumentation of httpx that an operator
adds may do it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry import trace

from deeporigin_mcp.errors import DeepOriginError, NetworkError
from deeporigin_mcp.platform.records.sanitizing import one_line

if TYPE_CHECKING:
    import httpx

REQUEST_ID_HEADERS = (
    "x-request-id",
    "x-correlation-id",
    "request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "traceresponse",
    "traceparent",
    "cf-ray",
)
"""Headers in which a platform or a proxy names a request, the most specific first."""
MAX_REQUEST_ID_CHARACTERS = 100
MAX_FAILED_IDS = 10
"""Per call; the latest ones are kept."""

_WORDS = frozenset(
    (
        "billing",
        "clusters",
        "data-platform",
        "definitions",
        "directory",
        "entities",
        "executions",
        "files",
        "health",
        "ligands",
        "organizations",
        "projects",
        "protected",
        "proteins",
        "result-explorer",
        "search",
        "signed-link",
        "signedUrl",
        "sse",
        "stream",
        "tools",
        "user_logs",
        "users",
    )
)
"""Fixed segments of paths; every other segment is an id."""
_ACTIONS = (":cancel", ":confirm")


@dataclass
class RequestCounts:
    """Requests of one call, with retries, event streams and the tasks that it started."""

    sent: int = 0
    failed: int = 0
    """Without a readable 2xx response."""
    broken: int = 0
    """Those of `failed` that are not the caller's fault: no response, 429, 5xx, or an unreadable response."""
    failed_ids: list[str] = field(default_factory=list)

    def fail(self, request_id: str | None, *, is_broken: bool) -> None:
        self.failed += 1
        self.broken += is_broken
        if request_id is not None:
            self.failed_ids = [*self.failed_ids, request_id][-MAX_FAILED_IDS:]


_tracer = trace.get_tracer("deeporigin_mcp")
_traffic: ContextVar[RequestCounts | None] = ContextVar("traffic", default=None)
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@contextlib.contextmanager
def count_requests() -> Iterator[RequestCounts]:
    """Count the requests of the block, and of the tasks started in it."""
    traffic = RequestCounts()
    reset = _traffic.set(traffic)
    try:
        yield traffic
    finally:
        _traffic.reset(reset)


def request_id() -> str | None:
    """The request id of the last response in this task."""
    return _request_id.get()


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """The id by which the platform's support can find a request, on one line; None if the response has none."""
    ids = (one_line(headers.get(name, ""), MAX_REQUEST_ID_CHARACTERS) for name in REQUEST_ID_HEADERS)
    return next((found for found in ids if found), None)


def count_unreadable() -> str | None:
    """Count the last response in this task as failed, because it cannot be used; return its request id."""
    if (traffic := _traffic.get()) is not None:
        traffic.fail(request_id(), is_broken=True)
    return request_id()


class Attempt:
    """One time that a request is sent."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._is_failed = False

    def responded(self, status: int, headers: Mapping[str, str]) -> None:
        """The headers of the response have arrived."""
        _request_id.set(request_id_in(headers))
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            self._mark(str(status))
        if status >= 300:
            self._fail(is_broken=status == 429 or status >= 500)

    def failed(self, error: BaseException) -> None:
        """No response, or not all of it."""
        # The type of httpx, which is finer than ours.
        cause = error.__context__ if isinstance(error, NetworkError) else None
        self._mark(type(cause or error).__name__)
        if isinstance(error, DeepOriginError):
            error.request_id = error.request_id or request_id()
        if isinstance(error, Exception):
            self._fail(is_broken=True)

    def _mark(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(trace.StatusCode.ERROR)

    def _fail(self, *, is_broken: bool) -> None:
        traffic = _traffic.get()
        if traffic is not None and not self._is_failed:
            traffic.fail(request_id(), is_broken=is_broken)
        self._is_failed = True


@contextlib.contextmanager
def attempt(request: httpx.Request, path: str, number: int) -> Iterator[Attempt]:
    """Trace and count one sending of a request.

    Args:
        path: below the base URL, without a query.
        number: 1 for the first time.
    """
    template = template_of(path)
    attributes: dict[str, str | int] = {
        "http.request.method": request.method,
        "url.template": template,
        "server.address": request.url.host,
        "server.port": request.url.port or {"http": 80}.get(request.url.scheme, 443),
    }
    if number > 1:
        attributes["http.request.resend_count"] = number - 1
    _request_id.set(None)
    if (traffic := _traffic.get()) is not None:
        traffic.sent += 1
    with _tracer.start_as_current_span(
        f"{request.method} {template}",
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        # The texts of errors name ids.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        this = Attempt(span)
        try:
            yield this
        except BaseException as error:
            this.failed(error)
            raise


def template_of(path: str) -> str:
    """A path with `{id}` for every segment that is not in `_WORDS`."""
    parts = []
    for part in path.strip("/").split("/"):
        action = next((action for action in _ACTIONS if part.endswith(action)), "")
        parts.append(part if part in _WORDS else "{id}" + action)
    return "/" + "/".join(parts)
