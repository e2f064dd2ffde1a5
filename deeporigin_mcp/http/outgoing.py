"""The last gate of every response over HTTP, as `stdio` has one: JSON that every reader can read, without secrets."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeporigin_mcp.platform.records.sanitizing import sendable_json


class Outgoing:
    """ASGI middleware that escapes what some readers take for the end of a line, and masks tokens.

    Each part of a body is one whole document or one whole event: the SDK writes them so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def send_sanitized(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and "content-length" in MutableHeaders(scope=message):
                # The length is known once the body is.
                start = message
                return
            if message["type"] == "http.response.body":
                body = bytes(message.get("body", b""))
                clean = sendable_json(body.decode("utf-8", "replace")).encode()
                message = {**message, "body": clean}
                if start is not None:
                    headers = MutableHeaders(scope=start)
                    headers["content-length"] = str(int(headers["content-length"]) + len(clean) - len(body))
                    await send(start)
                    start = None
            await send(message)

        await self._app(scope, receive, send_sanitized)
