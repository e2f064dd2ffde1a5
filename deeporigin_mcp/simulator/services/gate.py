"""The outermost layer: counts and numbers requests, applies the first fault that fires, and drops connections."""

import asyncio
import itertools
import socket
import struct
from datetime import timedelta
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeporigin_mcp.simulator.state.faults import FaultRule
from deeporigin_mcp.simulator.state.platform import Platform

TRANSPORT = "simulator.transport"
"""Extension of the ASGI scope under which the server passes its socket's transport."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Gate:
    """ASGI middleware; see the module docstring."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        query = scope["query_string"].decode()
        target = f"{path}?{query}" if query else path

        async def recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._platform.remember(method, target, message["status"])
                named = (b"x-request-id", f"simulated-{next(self._numbers):06d}".encode())
                dated = (b"date", format_datetime(self._platform.clock.now(), usegmt=True).encode())
                message = {**message, "headers": [*message.get("headers", ()), named, dated]}
            await send(message)

        with self._platform.lock:
            rule = next((rule for rule in self._platform.faults if rule.fires(method, path)), None)
        if rule is None:
            await self._app(scope, receive, recorded)
        else:
            await self._apply(rule, scope, receive, recorded, target)

    async def _apply(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send, target: str) -> None:
        own_answer = not rule.replaces_answer and not rule.reset
        start: Message = {}
        body = b""
        if rule.after_work or (own_answer and rule.half):
            start, body = await _captured(self._app, scope, receive)
        elif not own_answer:
            # A peer that is still sending would see its write fail, now and then, and not its read.
            await _drained(receive)
        if rule.delay_seconds:
            await self._pause(rule.delay_seconds)
        if rule.reset:
            self._platform.remember(scope["method"], target, 0)
            await _dropped(scope, receive, reset=True)
            return
        if own_answer and not start:
            await self._app(scope, receive, send)
            return
        if rule.replaces_answer:
            start, body = self._replacement(rule)
        await send(start)
        if rule.half:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await _dropped(scope, receive, reset=False)
        else:
            await send({"type": "http.response.body", "body": body})

    async def _pause(self, seconds: float) -> None:
        clock = self._platform.clock
        until = clock.now() + timedelta(seconds=seconds)
        with clock.listen() as listener:
            # A stopping server wakes everyone: a long delay must not outlive it.
            while clock.now() < until and not self._platform.closing:
                await listener.wait(until)

    def _replacement(self, rule: FaultRule) -> tuple[Message, bytes]:
        body, media_type = rule.body()
        headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
        retry_after = rule.retry_after_header(self._platform.clock.wall_now())
        if retry_after is not None:
            headers.append((b"retry-after", retry_after.encode()))
        return {"type": "http.response.start", "status": rule.status, "headers": headers}, body


async def _captured(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Let the application do its work and keep the answer here."""
    start: Message = {}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    return start, b"".join(parts)


async def _drained(receive: Receive) -> None:
    """Take in the rest of the request."""
    while (await receive()).get("more_body"):
        pass


async def _dropped(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection: with a reset, or after what is buffered, in the middle of the body."""
    transport: asyncio.Transport | None = (scope.get("extensions") or {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("the simulator drops this connection")
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
    # The server complains about an application that returns without an answer while the peer is there.
    while (await receive())["type"] != "http.disconnect":
        pass
