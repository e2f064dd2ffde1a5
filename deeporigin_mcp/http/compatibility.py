"""Requests of clients and proxies that differ from the protocol in a harmless way, made what they mean."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import Message, Scope, Send

from deeporigin_mcp.platform.records.sanitizing import whole_characters
from deeporigin_mcp.settings.places import ORG_HEADER, PROJECT_HEADER, TOKEN_HEADER

JSON, EVENTS = "application/json", "text/event-stream"
LISTEN = "subscriptions/listen"

_SINGLE = frozenset(
    name.lower().encode()
    for name in (
        *("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Content-Type"),
        *(TOKEN_HEADER, ORG_HEADER, PROJECT_HEADER),
    )
)
"""Headers of one value. Some clients send them twice, in two lines or joined by a comma."""
_END_OF_EVENT = re.compile(rb"\r?\n\r?\n")


def normalized(scope: Scope) -> tuple[Scope, bool]:
    """The request with headers as the SDK expects them, and whether its client reads only JSON.

    A header of one value that repeats it has that value; two different values stay, and are refused where the header is
    read. Without `Accept` everything is accepted (RFC 9110 12.5.1); a client may accept one kind of response only.
    """
    headers: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name in _SINGLE:
            parts = {part.strip() for part in value.split(b",")}
            meant = (name, parts.pop() if len(parts) == 1 else value)
            if name == b"content-type":
                meant = (name, meant[1].lower())
            if meant in headers:
                continue
            headers.append(meant)
        else:
            headers.append((name, value))
    accept = ",".join(value.decode("latin-1").lower() for name, value in headers if name == b"accept")
    kinds = {part.partition(";")[0].strip() for part in accept.split(",")} - {""}
    takes_json, takes_events = kinds & {JSON, "application/*", "*/*"}, kinds & {EVENTS, "text/*", "*/*"}
    # A subscription has no end, so it cannot be one JSON response: the SDK refuses it.
    only_json = bool(takes_json) and not takes_events and (b"mcp-method", LISTEN.encode()) not in headers
    if not kinds or only_json or takes_events:
        headers = [(name, value) for name, value in headers if name != b"accept"]
        headers.append((b"accept", f"{JSON}, {EVENTS}".encode()))
    return {**scope, "headers": headers}, only_json


def readable(content: bytes) -> bytes:
    """A body that the SDK can read: without a byte order mark, and without lone surrogates."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    return whole_characters(text).encode()


class OnlyJson:
    """Sends only the response, as JSON, instead of a stream of events that ends with it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._events = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith(EVENTS):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._events += message.get("body", b"")
            if message.get("more_body"):
                return
            content = self._last()
            headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(content)).encode())]
            await self._send({**self._start, "status": self._start["status"] if content else 500, "headers": headers})
            message = {"type": "http.response.body", "body": content}
        await self._send(message)

    def _last(self) -> bytes:
        """The data of the last event that has any."""
        for event in reversed(_END_OF_EVENT.split(bytes(self._events))):
            lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
            if any(lines):
                return b"\n".join(lines)
        return b""
