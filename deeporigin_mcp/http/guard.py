"""Checks of a request before it is parsed: host, origin, method, size, deadline, and the number of requests."""

from __future__ import annotations

import re
from collections.abc import Callable

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeporigin_mcp.http.bodies import Bodies, Body, NoRoomError, TooLargeError
from deeporigin_mcp.http.compatibility import OnlyJson, normalized, readable
from deeporigin_mcp.http.names import Names

CONNECTION = "deeporigin_mcp.connection"
"""The key of a request's connection in its scope, where `deeporigin_mcp.http.serve` runs the application."""
BODY_SECONDS = 30.0
"""Deadline for the body of a request."""
MAX_REQUESTS = 1000
"""Requests under way at a time, of all callers together."""

_ABSOLUTE = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)

Caller = tuple[str, Callable[[], bool]]
"""A name for the owner of the token, empty without one; and whether the platform has served that caller."""


def unknown(_: Headers) -> Caller:
    """Every caller is unknown."""
    return "", lambda: False


class Guard:
    """ASGI middleware for one path; requests to other paths, such as probes, are not checked.

    Args:
        path: where MCP is served, below the application's own root.
        names: the hosts and origins that are allowed.
        caller_of: the caller of a request with these headers.
        bodies: the limits on bodies; None for the usual ones.
        body_seconds: deadline for a body.
        max_requests: requests under way at a time.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        names: Names,
        *,
        caller_of: Callable[[Headers], Caller] = unknown,
        bodies: Bodies | None = None,
        body_seconds: float = BODY_SECONDS,
        max_requests: int = MAX_REQUESTS,
    ) -> None:
        self._app = app
        self._path = path
        self._names = names
        self._caller_of = caller_of
        self._bodies = bodies or Bodies()
        self._body_seconds = body_seconds
        self._max_requests = max_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Below another application, or with uvicorn's --root-path, the path begins with that root.
        root = scope.get("root_path", "")
        # Some proxies send the whole URL instead of the path.
        path = _ABSOLUTE.sub("", scope["path"].removeprefix(root)) if scope["type"] == "http" else ""
        if path not in (self._path, f"{self._path}/"):
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await refusal(scope, receive, send)
        else:
            if scope["path"] != root + self._path:
                scope = {**scope, "path": root + self._path, "raw_path": self._path.encode()}
            self._under_way += 1
            try:
                await self._pass(scope, receive, send)
            finally:
                self._under_way -= 1

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._names.allows_host(headers.get("host", "")):
            return _refused(421, "Unknown Host header. The operator can allow it with --allowed-host.")
        origin = headers.get("origin")
        if origin and not self._names.allows_origin(origin):
            return _refused(403, "Unknown Origin header. The operator can allow it with --allowed-origin.")
        if scope["method"] != "POST":
            # Nothing is kept between requests, so there is no stream to open and no session to end.
            return _refused(405, "Invalid method. Valid: POST.", Allow="POST")
        if self._under_way >= self._max_requests:
            return _busy()
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, only_json = normalized(scope)
        caller, is_known = self._caller_of(Headers(scope=scope))
        if connection := scope.get(CONNECTION):
            connection.is_known = is_known
        body = Body(caller, is_known)
        try:
            found = await self._read(Headers(scope=scope), receive, body)
            if isinstance(found, JSONResponse):
                await found(scope, receive, send)
            elif found is not None:
                await self._app(scope, _replayed(readable(found), receive), OnlyJson(send) if only_json else send)
        finally:
            self._bodies.release(body)

    async def _read(self, headers: Headers, receive: Receive, body: Body) -> bytes | JSONResponse | None:
        """The whole body, or a response that refuses it; None if the client disconnected."""
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
            return _refused(400, "Invalid Content-Length header.", Connection="close")
        try:
            if int(declared) > self._bodies.max_body_bytes:
                raise TooLargeError
            with anyio.move_on_after(self._body_seconds), body.dropped:
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    self._bodies.add(body, message.get("body", b""))
                    if not message.get("more_body", False):
                        return self._bodies.complete(body)
        except TooLargeError:
            most = self._bodies.max_body_bytes // 2**20
            return _refused(413, f"The request is too large. Valid: up to {most} MiB.", Connection="close")
        except NoRoomError:
            return _busy(Connection="close")
        if body.dropped.cancel_called:
            return _busy(Connection="close")
        text = f"Timed out after {self._body_seconds:g} s waiting for the body of the request."
        return _refused(408, text, Connection="close")


def _replayed(content: bytes, receive: Receive) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay


def _busy(**headers: str) -> JSONResponse:
    return _refused(
        503, "This MCP server is busy. Send the request again in a second.", **{"Retry-After": "1"}, **headers
    )


def _refused(status: int, text: str, **headers: str) -> JSONResponse:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": text}}
    return JSONResponse(error, status, headers)
