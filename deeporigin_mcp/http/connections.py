"""Limits on connections that uvicorn lacks, so that those of unknown callers never keep a known one out.

uvicorn sets no deadline for the first request of a connection, for the rest of a request's headers, and for a client to
read its response; and it accepts connections until no descriptor is left. An ASGI application comes too late for all
that, so it is done here, in a subclass of uvicorn's own protocol.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from deeporigin_mcp.http.guard import CONNECTION


@dataclass(frozen=True)
class Limits:
    """Deadlines of a connection, and how many there may be at a time.

    Attributes:
        headers_seconds: from the connection, or from the first byte of a later request, to the end of its headers.
        body_seconds: from there to the end of the body, whether or not anything reads it. The application's own
            deadline is shorter, and its response says so.
        write_seconds: how long a client may leave its response unread.
        max_headers: header lines of one request, each of which takes much more memory than its text.
    """

    max_connections: int
    headers_seconds: float = 15.0
    body_seconds: float = 35.0
    write_seconds: float = 30.0
    max_headers: int = 200


class Config(uvicorn.Config):
    """uvicorn's configuration with these limits."""

    def __init__(self, app: ASGIApp, limits: Limits, **values: Any) -> None:
        super().__init__(app, http=Connection, **values)
        self.limits = limits


class Phase(enum.Enum):
    """What a connection waits for."""

    HEADERS = enum.auto()
    BODY = enum.auto()
    RESPONSE = enum.auto()
    READER = enum.auto()
    NEXT = enum.auto()
    END = enum.auto()


class Rank(enum.IntEnum):
    """Which connections are closed to make room, first to last."""

    UNFINISHED = enum.auto()
    IDLE = enum.auto()
    UNKNOWN = enum.auto()
    KNOWN = enum.auto()


class Connection(H11Protocol):
    """One connection.

    Attributes:
        is_known: whether the platform has served the caller of the request under way; set by `Guard`.
    """

    is_known: Callable[[], bool]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._inner = config.loaded_app
        self.app = self._serve
        self.is_known = _nobody
        self.address = ""
        self.since = self.loop.time()
        self._phase: Phase | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION] = self
        self.is_known = _nobody
        try:
            if len(scope["headers"]) > self._limits.max_headers:
                text = f"Too many headers. Valid: up to {self._limits.max_headers}."
                await Response(text, 431, {"Connection": "close"})(scope, receive, send)
            else:
                await self._inner(scope, receive, send)
        finally:
            # uvicorn may close the connection now, with a part of the response still unread.
            self.loop.call_soon(self._watch)

    # uvicorn's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if len(self.connections) > self._limits.max_connections:
            make_room(self.connections, self._limits.max_connections, newest=self)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        if self._is_serving:
            # The rest of the body is invalid, so the response that the application is about to make is not wanted.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.abort()
        self._watch()

    # Deadlines and rank

    @property
    def phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.END
        if self.flow.write_paused:
            return Phase.READER
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        if self._is_serving:
            return Phase.RESPONSE
        # What came behind the last request may be the beginning of another.
        has_begun = self.timeout_keep_alive_task is None or bool(self.conn.trailing_data[0])
        return Phase.HEADERS if has_begun else Phase.NEXT

    @property
    def _is_serving(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _watch(self) -> None:
        """Set the deadline of a new phase; more bytes of the same phase do not extend it."""
        phase = self.phase
        # A closed connection has no deadline, and a timer would keep it in memory.
        if phase is self._phase or self not in self.connections:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
        seconds = {
            Phase.HEADERS: self._limits.headers_seconds,
            Phase.BODY: self._limits.body_seconds,
            Phase.READER: self._limits.write_seconds,
            Phase.END: self._limits.write_seconds,
        }.get(phase)
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    @property
    def rank(self) -> Rank:
        if not self._is_serving:
            return Rank.UNFINISHED if self.phase in (Phase.HEADERS, Phase.BODY) else Rank.IDLE
        if self.is_known():
            return Rank.KNOWN
        return Rank.UNFINISHED if self.conn.their_state is h11.SEND_BODY else Rank.UNKNOWN


def make_room(connections: Iterable[Any], most: int, newest: Connection | None = None) -> None:
    """Close the connections of the lowest rank, some at a time, so that the newest is served.

    Within a rank the address with most connections comes first, and of these its oldest. If all others serve known
    callers, the newest is closed.
    """
    open_now = [other for other in connections if not other.transport.is_closing()]
    if newest is not None and len(open_now) <= most:
        return
    of_address = Counter(other.address for other in open_now)
    others = [(other.rank, -of_address[other.address], other.since, other) for other in open_now if other is not newest]
    worst = sorted((item for item in others if item[0] < Rank.KNOWN), key=lambda item: item[:3])
    for *_, other in worst[: max(1, most // 16)]:
        other.transport.abort()
    if not worst and newest is not None:
        newest.transport.abort()


def _nobody() -> bool:
    return False
