"""What a request must be before any of it is understood: a POST, in time, and not one too many."""

from __future__ import annotations

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 30.0
"""How long the body of a request may take to arrive."""
MAX_REQUESTS = 1000
"""Requests under way at a time, of all callers together."""


class _TooSlowError(Exception):
    pass


class Guard:
    """ASGI middleware for one path; other paths, such as probes, pass.

    Args:
        path: where MCP is served, below the application's own root.
        body_seconds: how long a body may take.
        max_requests: requests under way at a time.
    """

    def __init__(
        self, app: ASGIApp, path: str, *, body_seconds: float = BODY_SECONDS, max_requests: int = MAX_REQUESTS
    ) -> None:
        self._app = app
        self._path = path
        self._body_seconds = body_seconds
        self._max_requests = max_requests
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Below another application, or with uvicorn's --root-path, the path begins with where that is.
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) != self._path:
            await self._app(scope, receive, send)
        elif scope["method"] != "POST":
            # Nothing is kept between requests, so there is no stream to open and no session to end.
            await _refusal(405, "Only POST is served here.", {"Allow": "POST"})(scope, receive, send)
        elif self._under_way >= self._max_requests:
            await _refusal(503, "Too many requests at a time.", {"Retry-After": "1"})(scope, receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        until = anyio.current_time() + self._body_seconds
        is_complete = False

        async def receive_in_time() -> Message:
            nonlocal is_complete
            if is_complete:
                return await receive()
            with anyio.move_on_at(until):
                message = await receive()
                is_complete = not message.get("more_body", False)
                return message
            raise _TooSlowError

        self._under_way += 1
        try:
            await self._app(scope, receive_in_time, send)
        except _TooSlowError:
            await _refusal(408, "The request did not arrive in time.", {"Connection": "close"})(scope, receive, send)
        finally:
            self._under_way -= 1


def _refusal(status: int, text: str, headers: dict[str, str]) -> JSONResponse:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": text}}
    return JSONResponse(error, status, headers)
