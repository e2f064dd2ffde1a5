"""Deadlines of connections, and which are closed when there are too many."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import pytest
from starlette.datastructures import State
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import Server

from deeporigin_mcp.http.connections import Config, Connection, Limits
from deeporigin_mcp.http.guard import CONNECTION
from deeporigin_mcp.http.serving import _Server

pytestmark = pytest.mark.anyio

SHORT = 0.05
LONG = 600.0
PATIENT = Limits(max_connections=100, headers_seconds=LONG, body_seconds=LONG, write_seconds=LONG)
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """An application that responds by the path: at once, never, in part, without end; `/known` has a known caller."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"][1:]
        self.begun.append(path)
        if path.startswith("known"):
            scope[CONNECTION].is_known = lambda: True
        if path.endswith("slow"):
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.append(path)
        elif path == "reads":
            with contextlib.suppress(ClientDisconnect):
                await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)
        elif path in ("endless", "breaks"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while path == "endless" and not scope[CONNECTION].transport.is_closing():
                await send({"type": "http.response.body", "body": b"x" * 2**16, "more_body": True})
                await anyio.lowlevel.checkpoint()
            self.left.append(path)
            if path == "breaks":
                await send({"type": "http.response.body", "body": b"x" * 2**15, "more_body": True})
                raise RuntimeError
        else:
            await PlainTextResponse(path)(scope, receive, send)

    async def until(self, names: list[str], *, left: bool = False) -> None:
        with anyio.fail_after(20):
            while sorted(self.left if left else self.begun) != sorted(names):
                await anyio.lowlevel.checkpoint()


class Site:
    """A server with a port, and raw connections to it."""

    def __init__(self, app: App, server: Server, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.made: list[anyio.abc.SocketStream] = []

    async def connect(self, first: bytes = b"", source: str = "127.0.0.1") -> anyio.abc.SocketStream:
        stream = await anyio.connect_tcp("127.0.0.1", self.port, local_host=source)
        self.made.append(stream)
        if first:
            await stream.send(first)
        return stream

    async def accepted(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self.server.server_state.connections) != count:
                await anyio.lowlevel.checkpoint()

    async def serves(self, source: str = "127.0.0.1") -> bool:
        stream = await self.connect(GET % b"hello", source)
        return await says(stream, b"hello")


async def read(stream: anyio.abc.SocketStream) -> bytes:
    """What comes next; empty if the connection was closed."""
    with anyio.fail_after(20):
        try:
            return await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b""


async def says(stream: anyio.abc.SocketStream, word: bytes) -> bool:
    """Whether what comes next, in however many pieces, ends with this."""
    said = b""
    while not said.endswith(word) and (more := await read(stream)):
        said += more
    return said.endswith(word)


async def until_closed(*streams: anyio.abc.SocketStream) -> None:
    """Wait until they are closed; what was sent before is ignored."""
    for stream in streams:
        while await read(stream):
            pass


async def stays_open(*streams: anyio.abc.SocketStream) -> bool:
    """Whether none of them is closed soon; what was sent before is ignored."""
    for stream in streams:
        with anyio.move_on_after(0.2):
            await until_closed(stream)
            return False
    return True


@contextlib.asynccontextmanager
async def running(app: App | None = None, limits: Limits = PATIENT, **values: Any) -> AsyncIterator[Site]:
    app = app or App()
    usual = {"ws": "none", "lifespan": "off", "log_config": None, "access_log": False, "timeout_keep_alive": LONG}
    server = Server(Config(app, limits, **(usual | values)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await anyio.lowlevel.checkpoint()
        site = Site(app, server, listener.getsockname()[1])
        try:
            yield site
        finally:
            for stream in site.made:
                await stream.aclose()
            server.should_exit = True
            await task


POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
UNFINISHED = {
    "silent": (b"", Limits(100, SHORT, LONG, LONG)),
    "half headers": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", Limits(100, SHORT, LONG, LONG)),
    "second half headers": (GET % b"hello" + b"GET / HTTP/1.1\r\nX-A:", Limits(100, SHORT, LONG, LONG)),
    "half a body that is read": (POST % b"reads", Limits(100, LONG, SHORT, LONG)),
    "half a body that is not": (POST % b"hello", Limits(100, LONG, SHORT, LONG)),
    "half a body of a slow one": (POST % b"slow", Limits(100, LONG, SHORT, LONG)),
    "half a chunk": (
        b"POST /reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        Limits(100, LONG, SHORT, LONG),
    ),
}


@pytest.mark.parametrize(("sent", "limits"), UNFINISHED.values(), ids=UNFINISHED)
async def test_a_connection_whose_request_does_not_end_is_closed(sent: bytes, limits: Limits) -> None:
    async with running(limits=limits) as site:
        stream = await site.connect(sent)
        while await read(stream):
            pass
        await site.accepted(0)


@pytest.mark.parametrize(
    ("start", "drop", "limits"),
    [
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n", Limits(100, SHORT, LONG, LONG)),
        (b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"x", Limits(100, LONG, SHORT, LONG)),
        (b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"x", Limits(100, LONG, SHORT, LONG)),
    ],
)
async def test_drop_by_drop_is_no_faster(start: bytes, drop: bytes, limits: Limits) -> None:
    async with running(limits=limits) as site:
        stream = await site.connect(start)
        is_open = True
        with anyio.fail_after(20):
            while is_open:
                try:
                    await stream.send(drop)
                except anyio.BrokenResourceError:
                    is_open = False
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("path", ["endless", "breaks"])
async def test_a_client_that_does_not_read_is_disconnected(path: str) -> None:
    async with running(limits=Limits(100, LONG, LONG, SHORT)) as site:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.connect(("127.0.0.1", site.port))
            client.sendall(GET % path.encode())
            await site.app.until([path], left=True)
            await site.accepted(0)


async def test_who_reads_slowly_but_reads_is_served_to_the_end() -> None:
    class Large(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse(b"x" * 2**22)(scope, receive, send)

    async with running(Large(), Limits(100, LONG, LONG, 5)) as site:
        stream = await site.connect(GET % b"")
        size = 0
        while size < 2**22:
            size += len(await stream.receive(2**14))


async def test_neither_a_running_call_nor_a_kept_connection_is_late() -> None:
    # Long enough for the first two to send their headers, however busy the machine is.
    seconds = 10 * SHORT
    async with running(limits=Limits(100, seconds, seconds, seconds)) as site:
        slow, kept = await site.connect(GET % b"slow"), await site.connect(GET % b"hello")
        assert await says(kept, b"hello")
        # Two that come later are over: what takes that long is no fault of the first two.
        for _ in range(2):
            assert await read(await site.connect()) == b""
        assert await stays_open(slow)
        await kept.send(GET % b"again")
        assert await says(kept, b"again")


async def test_a_connection_is_kept_as_long_as_the_operator_says() -> None:
    async with running(timeout_keep_alive=SHORT) as site:
        kept = await site.connect(GET % b"hello")
        assert await says(kept, b"hello")
        assert await read(kept) == b""


async def test_nothing_is_kept_of_a_connection_that_is_over() -> None:
    seen = []

    class Seeing(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope[CONNECTION])
            await super().__call__(scope, receive, send)

    async with running(Seeing()) as site:
        for sent in (GET % b"hello", (GET % b"hello").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
            stream = await site.connect(sent)
            assert await says(stream, b"hello")
            await stream.aclose()
            await site.accepted(0)
        stream = await site.connect(GET % b"slow")
        await site.app.until(["hello", "hello", "slow"])
        await stream.aclose()
        await site.app.until(["slow"], left=True)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert [each._timer is None or each._timer.cancelled() for each in seen] == [True] * 3


async def test_too_many_headers_are_refused() -> None:
    lines = b"".join(b"a%d: b\r\n" % number for number in range(300))
    async with running() as site:
        stream = await site.connect(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" + lines + b"\r\n")
        assert (await read(stream)).startswith(b"HTTP/1.1 431")
        await site.accepted(0)
    assert site.app.begun == []


RUBBISH = b"POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\r\n\r\n", *[RUBBISH % path for path in (b"hello", b"reads", b"slow")]])
async def test_invalid_bytes_are_refused_and_not_logged(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
    async with running() as site:
        await until_closed(await site.connect(sent))
        assert await site.serves()
    assert caplog.records == []


# Room


FEW = Limits(4, LONG, LONG, LONG)
OTHER = pytest.param("127.0.0.2", marks=pytest.mark.skipif(sys.platform != "linux", reason="has one loopback address"))


@pytest.mark.parametrize("sent", [b"", b"GET / HT", POST % b"reads", GET % b"hello", GET % b"slow"])
async def test_whoever_comes_is_served_however_many_hold_a_connection(sent: bytes) -> None:
    async with running(limits=FEW) as site:
        held = [await site.connect(sent) for _ in range(12)]
        for _ in range(3):
            assert await site.serves()
        await site.accepted(4)
        await until_closed(held[0])


async def test_the_oldest_goes_first() -> None:
    async with running(limits=FEW) as site:
        held = []
        for number in range(5):
            held.append(await site.connect())
            await site.accepted(min(number + 1, 4))
        await until_closed(held[0])
        assert await stays_open(*held[1:])


async def test_what_is_worth_least_goes_first() -> None:
    kinds = {"known slow": b"knownslow", "unknown": b"slow", "kept": b"hello"}
    async with running(limits=FEW) as site:
        held = {}
        for kind, path in kinds.items():
            held[kind] = await site.connect(GET % path)
            with anyio.fail_after(20):
                while path.decode() not in site.app.begun:
                    await anyio.lowlevel.checkpoint()
        assert await says(held["kept"], b"hello")
        held["half"] = await site.connect(b"GET /")
        for gone in (["half"], ["half", "kept"], ["half", "kept", "unknown"]):
            newest = await site.connect(GET % b"knownslow")
            held[f"known {len(gone)}"] = newest
            await site.accepted(4)
            await until_closed(*(held[kind] for kind in gone))
            assert await stays_open(*(stream for kind, stream in held.items() if kind not in gone))
        # Now all serve callers that the platform knows, and the newest finds no room.
        await until_closed(await site.connect())
        assert await stays_open(held["known slow"])


@pytest.mark.parametrize("source", [OTHER])
async def test_the_address_with_most_connections_makes_room(source: str) -> None:
    async with running(limits=FEW) as site:
        first = await site.connect(b"GET /", source)
        await site.accepted(1)
        held = [await site.connect(b"GET /") for _ in range(9)]
        await site.accepted(4)
        assert await stays_open(first)
        await until_closed(held[0])
        await first.send(b"hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await says(first, b"hello")


async def test_a_caller_may_become_known_while_it_is_served() -> None:
    app = App()
    async with running(app, FEW) as site:
        held = [await site.connect(GET % b"slow") for _ in range(4)]
        await app.until(["slow"] * 4)
        for connection in site.server.server_state.connections:
            assert isinstance(connection, Connection)
            connection.is_known = lambda: True
        await until_closed(await site.connect(GET % b"hello"))
        assert await stays_open(*held)


@pytest.mark.parametrize("held", [b"", b"GET / HT", POST % b"hello", GET % b"hello", RUBBISH % b"slow"])
async def test_unfinished_requests_do_not_keep_the_server_from_stopping(held: bytes) -> None:
    async with running() as site:
        for _ in range(5):
            await site.connect(held)
        site.server.should_exit = True
        with anyio.fail_after(20):
            while site.server.server_state.connections:
                await anyio.lowlevel.checkpoint()


class Stopping(App):
    """With what `_Server` asks of an application."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State({"callers": self, "is_stopping": False})

    def end_streams(self) -> None:
        pass


@pytest.mark.parametrize("turns", range(5))
async def test_a_connection_that_is_taken_in_the_moment_of_stopping_is_not_forgotten(turns: int) -> None:
    app: Any = Stopping()
    config = Config(app, PATIENT, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=LONG)
    server = _Server(config, app, 0.0, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as late:
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await anyio.lowlevel.checkpoint()
        slow = await anyio.connect_tcp("127.0.0.1", port := listener.getsockname()[1])
        await slow.send(GET % b"slow")
        await app.until(["slow"])
        late.connect(("127.0.0.1", port))
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(server.shutdown([listener]))
        # A call that runs keeps the process alive, and whoever came too late hears at once that nobody serves it.
        late.settimeout(10)
        try:
            said = await anyio.to_thread.run_sync(late.recv, 1)
        except ConnectionResetError:
            said = b""
        assert said == b""
        assert not stopping.done()
        await slow.aclose()
        server.should_exit = server.force_exit = True
        await asyncio.gather(stopping, serving)
