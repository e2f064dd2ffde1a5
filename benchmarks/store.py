"""A files service and its file store that cost next to nothing: contents are made up, uploads are counted and dropped.

    python -m benchmarks.store [--latency-seconds S] [--bytes-per-second N]

Prints its address. The number in a path is the size of the file: `poses/20000/1.sdf` has 20,000 bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import json
import re
import time

BLOCK = bytes(range(256)) * 4096
"""One MiB, of which every content is made."""
_SIZE = re.compile(r"/(\d+)(?:[/.]|$)")


def size_of(path: str) -> int:
    found = _SIZE.search(path)
    return int(found[1]) if found else 0


@functools.cache
def etag(size: int) -> str:
    """The MD5 of a content, as a store has it for one PUT."""
    made = hashlib.md5(usedforsecurity=False)
    for start in range(0, size, len(BLOCK)):
        made.update(BLOCK[: size - start])
    return f'"{made.hexdigest()}"'


class Link:
    """What one body takes at a rate, however many pieces it comes in.

    Args:
        bytes_per_second: 0 for no limit.
    """

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._due = time.monotonic()

    async def passed(self, size: int) -> None:
        """Wait until so many more bytes have passed."""
        if self._rate:
            self._due += size / self._rate
            await asyncio.sleep(self._due - time.monotonic())


async def serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_seconds: float, bytes_per_second: float
) -> None:
    """One connection, request after request."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        method, target, _ = head.split(" ", 2)
        path = target.partition("?")[0]
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        left = int(headers.get("content-length", 0))
        link = Link(bytes_per_second)
        while left:
            piece = await reader.read(min(left, len(BLOCK)))
            await link.passed(len(piece))
            left -= len(piece)
        await asyncio.sleep(latency_seconds)
        if "/signedUrl/" in path:
            signed = f"http://{headers['host']}/bucket/{path.partition('/signedUrl/')[2]}?X-Amz-Signature=0"
            body = json.dumps({"url": signed}).encode()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            continue
        size = size_of(path)
        sent = 0 if method == "PUT" else size
        writer.write(f"HTTP/1.1 200 OK\r\nETag: {etag(size)}\r\nContent-Length: {sent}\r\n\r\n".encode())
        link = Link(bytes_per_second)
        for start in range(0, sent if method == "GET" else 0, len(BLOCK)):
            writer.write(BLOCK[: sent - start])
            await writer.drain()
            await link.passed(min(len(BLOCK), sent - start))


async def run(latency_seconds: float, bytes_per_second: float) -> None:
    answer = functools.partial(serve, latency_seconds=latency_seconds, bytes_per_second=bytes_per_second)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=4 * len(BLOCK))
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve files that are made up.")
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--bytes-per-second", type=float, default=0.0)
    options = parser.parse_args()
    asyncio.run(run(options.latency_seconds, options.bytes_per_second))


if __name__ == "__main__":
    main()
