"""A platform that answers with what the simulator answered before, at next to no cost of its own.

    python -m benchmarks.replay [--rows N] [--latency-seconds S]

Prints its address. `GET …/executions?page=&pageSize=` pages through N rows of every era; `GET …/executions/ID` is one
running execution whatever the id. Where a figure is about the client or the server, this keeps the platform out of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator

KINDS = 40
"""How many different rows are recorded; they are repeated under ids of their own."""
STATUSES = ("Completed", "Running", "Failed", "Quoted", "Cancelled", "Queued")
TOOLS = ("deeporigin.docking", "deeporigin.abfe-end-to-end", "deeporigin.mol-props-combined")


def recorded_rows(statuses: Sequence[str] = STATUSES) -> list[dict[str, Any]]:
    """Rows of the simulator's list, both eras and these statuses in turn."""
    platform = Platform(clock=ScaledClock(1.0))
    for era in ("2025", "2026"):
        for status in statuses:
            for tool in TOOLS:
                platform.seed_executions(count=2, era=era, status=status, tool_key=tool)
    with running_simulator(platform) as simulator:
        answer = httpx.get(
            f"{simulator.base_url}/tools/deeporigin/tools/executions",
            params={"pageSize": KINDS, "order": "name asc"},
            headers={"Authorization": f"Bearer {make_token()}"},
        )
    rows: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return rows


def row_id(number: int) -> str:
    return str(uuid.UUID(int=number + 1))


class Recording:
    """The recorded rows, cut where their ids go in."""

    def __init__(self, count: int, statuses: Sequence[str] = STATUSES) -> None:
        self.count = count
        mark, rows = "\0id\0", recorded_rows(statuses)
        self._parts = [
            json.dumps({**row, "executionId": mark}, separators=(",", ":")).split(json.dumps(mark), 1) for row in rows
        ]
        # Of a run that is over, results would be requested too.
        self._running = next(number for number, row in enumerate(rows) if row["status"] == "Running")

    def row(self, number: int, name: str = "") -> str:
        before, after = self._parts[number % len(self._parts)]
        return f'{before}"{name or row_id(number)}"{after}'

    def answer(self, target: str) -> str:
        """The body for a path with its query."""
        address = urlsplit(target)
        if not address.path.endswith("/executions"):
            return self.row(self._running, address.path.rsplit("/", 1)[1])
        query = parse_qs(address.query)
        page, size = (int(query.get(name, [default])[0]) for name, default in (("page", "0"), ("pageSize", "10")))
        numbers = range(page * size, min(self.count, (page + 1) * size))
        return f'{{"data":[{",".join(map(self.row, numbers))}],"count":{self.count}}}'


class Connection(asyncio.Protocol):
    """HTTP/1.1 without bodies in requests: as much of it as both clients speak."""

    def __init__(self, recording: Recording, latency_seconds: float) -> None:
        self._recording = recording
        self._latency_seconds = latency_seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            target = request.split(b" ", 2)[1].decode()
            asyncio.get_running_loop().call_later(self._latency_seconds, self._answer, target)

    def _answer(self, target: str) -> None:
        body = self._recording.answer(target).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(recording: Recording, latency_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(recording, latency_seconds), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve recorded answers of the simulator.")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    options = parser.parse_args()
    asyncio.run(serve(Recording(options.rows), options.latency_seconds))


if __name__ == "__main__":
    main()
