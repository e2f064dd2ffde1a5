"""Calls over Streamable HTTP at the least cost for whoever sends them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.processes import checked

PROTOCOL = "2026-07-28"
"""The revision in which one request is all of a call."""
META = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(address: str, tool: str, arguments: dict[str, Any], headers: dict[str, str]) -> bytes:
    """A call as bytes on the wire."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    sent = {
        "Host": urlsplit(address).netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": PROTOCOL,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


def calls_per_second(address: str, sent: bytes, *, calls: int, at_once: int) -> float:
    """How many calls a second are answered over so many connections, each with one call under way."""
    return asyncio.run(_calls_per_second(address, sent, calls, at_once))


async def _calls_per_second(address: str, sent: bytes, calls: int, at_once: int) -> float:
    place = urlsplit(address)
    turns = iter(range(calls))
    connections = [await asyncio.open_connection(place.hostname, place.port) for _ in range(at_once)]
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for reader, writer in connections:
            tasks.create_task(_keep_calling(reader, writer, sent, turns))
    seconds = time.perf_counter() - started
    for _, writer in connections:
        writer.close()
    return calls / seconds


async def _keep_calling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes, turns: Any) -> None:
    for _ in turns:
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        else:
            body = await reader.readuntil(b"\r\n0\r\n\r\n")
        if not head.startswith(b"http/1.1 200"):
            raise ValueError(f"a measured call failed: {head + body!r}")
        checked(json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["result"])
