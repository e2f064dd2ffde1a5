"""A small HTTP server that records requests to the byte and answers, or misbehaves, as a test says.

It runs on the test's own event loop, over real sockets; a synchronous client talks to it from a thread.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy, Timing
from deeporigin_mcp.settings import Settings

Fault = Literal["reset", "close", "half", "drip", "hang", "garbage"]

ORG = "acme"
PROJECT = "proj_1"
SESSION = "0f0f0f0f-0000-4000-8000-000000000001"
DRIP_SECONDS = 0.005
_used_ports: set[int] = set()


@dataclass(frozen=True)
class Request:
    """One request as it was on the wire. `headers` are lower-cased; `path` and `query` are raw."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON of the body; None without one."""
        return json.loads(self.content) if self.content else None

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is sent as it is if it is bytes, else as JSON. A `fault` spoils it."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    stream: Callable[[], AsyncIterator[bytes]] | None = None
    """Pieces of a body without a stated length; the connection closes after the last one."""

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Handler = Callable[[Request], Reply | Awaitable[Reply]]


class Recorder:
    """The running server. Set `handler`, or queue `replies` of which the last one repeats."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.replies: list[Reply] = [Reply({})]
        self.handler: Handler = self._next_reply
        self.open_requests = 0
        self.most_open_requests = 0
        self.open_connections = 0

    def answer(self, *replies: Any) -> None:
        """Queue answers; anything that is not a `Reply` is the JSON of one."""
        self.replies = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.requests]

    def _next_reply(self, _: Request) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextlib.asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """Start a server on a free port of this machine."""
    connections: set[asyncio.Task[None]] = set()
    recorder = Recorder("")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        recorder.open_connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await _exchange(reader, writer, recorder):
                pass
        recorder.open_connections -= 1
        writer.close()

    server = await asyncio.start_server(connected, sock=_on_a_new_port(), limit=2**24)
    recorder.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield recorder
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address that refuses connections: a port that is kept, so that no other server of this machine gets it."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}"


def _on_a_new_port() -> socket.socket:
    """A socket on a port that no earlier server of this process had: the ledger of a test knows platforms by address.

    A free port may come twice, and a run that was started on the first platform would count on the second.
    """
    while True:
        found = socket.create_server(("127.0.0.1", 0))
        port = found.getsockname()[1]
        if port not in _used_ports:
            _used_ports.add(port)
            return found
        found.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recorder: Recorder) -> bool:
    """Serve one request; whether the connection stays open for another."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = target.partition("?")
    request = Request(method, path, query, headers, content)
    recorder.requests.append(request)
    recorder.open_requests += 1
    recorder.most_open_requests = max(recorder.most_open_requests, recorder.open_requests)
    try:
        answer = recorder.handler(request)
        reply = answer if isinstance(answer, Reply) else await answer
    finally:
        recorder.open_requests -= 1
    return await _send(reply, reader, writer)


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    if reply.stream is not None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        async for piece in reply.stream():
            writer.write(piece)
            await writer.drain()
        return False
    content = reply.content
    length = 100_000 if reply.fault == "drip" else len(content)
    fields = {"content-type": "application/json", "content-length": str(length), **reply.headers}
    head = f"HTTP/1.1 {reply.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    match reply.fault:
        case "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        case "close":
            pass
        case "garbage":
            writer.write(b"this is not HTTP at all\r\n\r\n")
            await writer.drain()
        case "hang":
            await reader.read()
        case "half":
            writer.write(head.encode("latin-1") + content[: len(content) // 2])
            await writer.drain()
        case "drip":
            writer.write(head.encode("latin-1"))
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
        case None:
            writer.write(head.encode("latin-1") + content)
            await writer.drain()
    return reply.fault is None


def token(**claims: Any) -> str:
    """An unsigned token that is valid in real time and in fake time, unless the claims say otherwise."""
    payload = {"iss": "https://login.deeporigin.io/realms/deeporigin", "exp": 4_000_000_000, "sub": "u-1", **claims}

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}.c2lnbmF0dXJl"


def settings_for(url: str, **values: Any) -> Settings:
    fields: dict[str, Any] = {
        "token": token(),
        "org_key": ORG,
        "project_id": PROJECT,
        "session": SESSION,
        "base_url": url,
    }
    fields |= {"approval": ("elicitation",), **values}
    return Settings.model_validate(fields)


def client_for(
    server: Recorder, timing: Timing | None = None, *, retry: RetryPolicy | None = None, **values: Any
) -> DeepOriginClient:
    """A client of the recording server; close it by `async with`."""
    return DeepOriginClient(settings_for(server.url, **values), timing=timing, retry=retry)


def with_code(code: str) -> Callable[[DeepOriginError], bool]:
    """For `pytest.raises(…, check=with_code("…"))`."""
    return lambda error: error.code == code


def execution(status: Any = "Running", execution_id: str = "e-1", **fields: Any) -> dict[str, Any]:
    """An execution as a platform of 2026 answers it."""
    return {
        "executionId": execution_id,
        "status": status,
        "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
        "createdAt": "2026-10-05T12:00:01.204Z",
        "startedAt": None,
        "completedAt": None,
        **fields,
    }


def capped_listing(rows: list[dict[str, Any]], cap: int = 100) -> Callable[[Request], Reply]:
    """A platform that serves these rows in pages of at most `cap`."""

    def answer(request: Request) -> Reply:
        page, size = int(request.params.get("page", 0)), min(int(request.params.get("pageSize", 100)), cap)
        return Reply({"data": rows[page * size : (page + 1) * size], "count": len(rows)})

    return answer
