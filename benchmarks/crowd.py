"""A platform on which everything runs and nothing ends, and the proxy in front of the workers that ask it.

    python -m benchmarks.crowd platform
    python -m benchmarks.crowd proxy ADDRESS ADDRESS

Each prints its address. Both cost so little that a thousand callers wait for the workers and not for them. Every
organisation of the platform has five running executions, which it lists and reads; it keeps event streams open, and
`GET /counts` tells how many requests came for each organisation.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from benchmarks.replay import Recording

HEARTBEAT_SECONDS = 25.0
RUNS = 5


def runs_of(organisation: str) -> range:
    """The numbers of the executions of an organisation whose key ends with a number (`replay.row_id`)."""
    first = RUNS * int(organisation.rpartition("-")[2])
    return range(first, first + RUNS)


class Platform:
    """HTTP/1.1 without bodies in requests."""

    def __init__(self) -> None:
        self._recording = Recording(0, statuses=("Running",))
        self.requests: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until its other end closes it."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ", 2)[1]
                path = urlsplit(target).path
                if path == "/counts":
                    self._answer(writer, json.dumps(self.requests))
                    continue
                _, service, organisation, *rest = path.split("/")
                self.requests[organisation] += 1
                if service == "sse":
                    await self._stream(reader, writer)
                    break
                if rest[:2] != ["tools", "executions"]:
                    self._answer(writer, "{}", status="404 Not Found")
                elif len(rest) > 2:
                    self._answer(writer, self._recording.answer(target))
                else:
                    rows = [self._recording.row(number) for number in runs_of(organisation)]
                    self._answer(writer, f'{{"data":[{",".join(rows)}],"count":{len(rows)}}}')
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, text: str, status: str = "200 OK") -> None:
        body = text.encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: open\n\n")
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    if not await reader.read(4096):
                        break
            except TimeoutError:
                writer.write(b": still here\n\n")


class Proxy:
    """Gives each new connection to the next worker."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._next = itertools.cycle([urlsplit(address) for address in addresses])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        worker = next(self._next)
        try:
            there_reader, there_writer = await asyncio.open_connection(worker.hostname, worker.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _run(what: str, *addresses: str) -> None:
    handler = Platform().serve if what == "platform" else Proxy(addresses).serve
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
