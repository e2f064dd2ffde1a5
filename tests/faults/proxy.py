"""A proxy in front of the simulator that answers chosen requests wrongly, byte for byte as a network would."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal, get_args
from urllib.parse import urlsplit

Answer = Callable[[socket.socket], None]
REQUEST_ID = "req-0a1b2c"
"""Every wrong answer that has headers names its request by this."""


TLS = b"\x16\x03"
"""How the first message of a connection with TLS begins."""


@dataclass(frozen=True)
class Place:
    """A request of a call: the `nth` one whose `METHOD path` contains `target`."""

    target: str
    nth: int = 1

    def is_last_of(self, requests: list[str]) -> bool:
        """Whether the call has come to it with the last of its requests."""
        return self.target in requests[-1] and sum(self.target in request for request in requests) == self.nth


Moment = Literal["before the platform worked", "after the platform worked"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)


@dataclass
class FaultProxy:
    """Forwards to the simulator; a request whose `METHOD path` contains `target` gets `answer` instead."""

    upstream: str
    base_url: str = ""
    target: str = ""
    answer: Answer | None = None
    seen: list[str] = field(default_factory=list)
    _cut: tuple[Place, Moment, Callable[[], object]] | None = None

    def break_with(self, target: str, answer: Answer) -> None:
        self.target, self.answer = target, answer
        self.seen.clear()

    def cut(self, place: Place, moment: Moment, act: Callable[[], object]) -> None:
        """Do something at a request from now on: before it is forwarded, or before its answer is passed on."""
        self._cut = (place, moment, act)
        self.seen.clear()

    def heal(self) -> None:
        self.answer = self._cut = None

    @property
    def hits(self) -> int:
        """How many requests the fault answered."""
        return sum(self.target in line for line in self.seen)

    def exchange(self, client: socket.socket) -> None:
        """One request on one connection."""
        with suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received and (chunk := client.recv(65536)):
                received += chunk
                if received.startswith(TLS):
                    # Else the client would wait for its timeout, and leave a connection half made.
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return
            head, _, body = received.partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            lengths = [int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")]
            while lengths and len(body) < lengths[0] and (chunk := client.recv(65536)):
                body += chunk
            request = lines[0].rsplit(b" ", 1)[0].decode()
            self.seen.append(request)
            cut = self._cut if self._cut is not None and self._cut[0].is_last_of(self.seen) else None
            if self.answer is not None and self.target in request:
                self.answer(client)
            elif request:
                if cut and cut[1] == MOMENTS[0]:
                    cut[2]()
                answer = self._forward(lines, body)
                if cut and cut[1] == MOMENTS[1]:
                    cut[2]()
                client.sendall(answer)

    def _forward(self, lines: list[bytes], body: bytes) -> bytes:
        address = urlsplit(self.upstream)
        kept = [line for line in lines if not line.lower().startswith(b"connection:")]
        with socket.create_connection((address.hostname or "", address.port or 80)) as upstream:
            upstream.sendall(b"\r\n".join([kept[0], b"Connection: close", *kept[1:], b"", b""]) + body)
            answer = b""
            while chunk := upstream.recv(65536):
                answer += chunk
            return answer


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy on a free port in threads of its own."""
    proxy = FaultProxy(upstream)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            proxy.exchange(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is part of what is tested."""

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.base_url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join(5)


def http(status: str, body: bytes = b"", *headers: str, kind: str = "application/json") -> Answer:
    """A whole answer."""
    named = f"X-Request-Id: {REQUEST_ID}"
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", named, *headers]
    answer = "\r\n".join([*head, "Connection: close", "", ""]).encode() + body
    return lambda client: client.sendall(answer)


def problem(status: str, *headers: str, **content: object) -> Answer:
    """A JSON error."""
    return http(status, json.dumps(content or {"message": f"made-up {status}"}).encode(), *headers)


def page(status: str) -> Answer:
    """What a proxy in front of the platform answers."""
    return http(status, f"<html><head><title>{status}</title></head></html>".encode(), kind="text/html")


def reset(client: socket.socket) -> None:
    """The connection breaks before an answer."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def silence(client: socket.socket) -> None:
    """No answer at all, until the client gives up."""
    client.recv(1)


LONG_ANSWER = (
    f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\nX-Request-Id: {REQUEST_ID}\r\n\r\n"
).encode()


def half_a_body(client: socket.socket) -> None:
    """The connection ends in the middle of the answer."""
    client.sendall(LONG_ANSWER + b'{"executionId": "3f0')


def slow_drip(client: socket.socket) -> None:
    """Each byte comes in time, the whole answer never."""
    client.sendall(LONG_ANSWER + b"{")
    client.settimeout(0.05)
    while True:
        # The pause between two bytes is a read that gets nothing; it ends when the client hangs up.
        with suppress(TimeoutError):
            if not client.recv(1):
                return
        client.sendall(b" ")


def retry_date(seconds: float, now: float) -> str:
    return f"Retry-After: {formatdate(now + seconds, usegmt=True)}"
