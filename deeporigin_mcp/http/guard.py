"""What a request must be before any of it is understood: to this server, a POST, in time, and not one too many."""

from __future__ import annotations

import re
from collections.abc import Callable

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeporigin_mcp.http.bodies import Bodies, Body, NoRoomError, TooLargeError
from deeporigin_mcp.http.names import Names
from deeporigin_mcp.http.wishes import OnlyJson, mended, readable

CONNECTION = "deeporigin_mcp.connection"
"""Where the scope of a request holds its connection, behind `deeporigin_mcp.http.serve`."""
BODY_SECONDS = 30.0
"""How long the body of a request may take to arrive."""
MAX_REQUESTS = 1000
"""Requests under way at a time, of all callers together."""

_ABSOLUTE = re.compile(r"\Ahttps?://[^/]*", re.IGNORECASE)

Caller = tuple[str, Callable[[], bool]]
"""A name for whoever's token it is, empty without one; and whether the platform has taken that token."""


def unknown(_: Headers) -> Caller:
    """Everybody is a stranger."""
    return "", lambda: False


class Guard:
    """ASGI middleware for one path; other paths, such as probes, pass.

    Args:
        path: where MCP is served, below the application's own root.
        names: under which names it is called, and from which pages.
        caller_of: whose request it is, by its headers.
        bodies: the account of all bodies; None for one of the usual size.
        body_seconds: how long a body may take.
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
        # Below another application, or with uvicorn's --root-path, the path begins with where that is.
        root = scope.get("root_path", "")
        # Some proxies send the whole address in the place of the path.
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
        if not self._names.takes_host(headers.get("host", "")):
            return _refused(421, "This server is not called by that Host. Its operator can allow it (--allowed-host).")
        origin = headers.get("origin")
        if origin and not self._names.takes_origin(origin):
            return _refused(403, "Pages of that Origin may not call. The operator can allow it (--allowed-origin).")
        if scope["method"] != "POST":
            # Nothing is kept between requests, so there is no stream to open and no session to end.
            return _refused(405, "Only POST is served here.", Allow="POST")
        if self._under_way >= self._max_requests:
            return _refused(503, "Too many requests at a time.", **{"Retry-After": "1"})
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, only_json = mended(scope)
        caller, is_known = self._caller_of(Headers(scope=scope))
        if connection := scope.get(CONNECTION):
            connection.is_known = is_known
        body = Body(caller, is_known)
        try:
            found = await self._arrived(Headers(scope=scope), receive, body)
            if isinstance(found, JSONResponse):
                await found(scope, receive, send)
            elif found is not None:
                await self._app(scope, _replayed(readable(found), receive), OnlyJson(send) if only_json else send)
        finally:
            self._bodies.release(body)

    async def _arrived(self, headers: Headers, receive: Receive, body: Body) -> bytes | JSONResponse | None:
        """The whole body, or why it is not taken; None if the client left."""
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
            return _refused(400, "The request's Content-Length is invalid.", Connection="close")
        try:
            if int(declared) > self._bodies.max_body_bytes:
                raise TooLargeError
            with anyio.move_on_after(self._body_seconds), body.given_up:
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    self._bodies.add(body, message.get("body", b""))
                    if not message.get("more_body", False):
                        return self._bodies.complete(body)
        except TooLargeError:
            return _refused(413, "The request is too large.", Connection="close")
        except NoRoomError:
            return _refused(503, "Too many large requests at a time.", **{"Retry-After": "1", "Connection": "close"})
        if body.given_up.cancelled_caught:
            return _refused(503, "Too many large requests at a time.", **{"Retry-After": "1", "Connection": "close"})
        return _refused(408, "The request did not arrive in time.", Connection="close")


def _replayed(content: bytes, receive: Receive) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay


def _refused(status: int, text: str, **headers: str) -> JSONResponse:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": text}}
    return JSONResponse(error, status, headers)
