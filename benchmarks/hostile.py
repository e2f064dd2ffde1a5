"""Callers that harm a server over HTTP if it lets them.

    python -m benchmarks.hostile http://127.0.0.1:8321 SECONDS

A process of its own, so that those who are measured do not wait for it. Prints what it did and was told, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from deeporigin_mcp.simulator import make_token

HOLD_SECONDS = 20.0
REVISION = "2026-07-28"
LARGE = 4 * 2**20
Asked = tuple[str, dict[str, Any]]
LIST: Asked = ("tools/list", {})
CALL: Asked = ("tools/call", {"name": "list_executions", "arguments": {}})
LISTEN: Asked = ("subscriptions/listen", {"notifications": {"toolsListChanged": True}})


@dataclass
class Hostile:
    """All of them on one server; `done` counts what each did, `statuses` what it was told."""

    base_url: str
    done: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    async def go_on(self, seconds: float) -> None:
        """Run all of them for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(self._repeat(kind, count, make) for kind, count, make in self._kinds()))

    def _kinds(self) -> list[tuple[str, int, Callable[[], bytes]]]:
        """A name, how many at a time, and what each sends."""
        eve = {"X-Do-Auth-Token": make_token(subject="eve"), "X-Do-Org-Key": "deeporigin"}
        post = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head = f"{post}Content-Length: {LARGE}\r\n\r\n"
        chunked = f"{post}Transfer-Encoding: chunked\r\n\r\n10\r\n"
        values, pipelined = self._request(*LIST, values=LARGE // 4), self._request(*LIST) * 20
        half = head.encode() + b"x" * (LARGE - 1)
        return [
            ("silent", 300, lambda: b""),
            ("half headers", 300, lambda: head[:-2].encode() + b"X-A: "),
            ("many headers", 20, lambda: head[:-2].encode() + b"a: b\r\n" * 9000 + b"\r\n"),
            ("half bodies", 60, lambda: half),
            ("chunks", 20, lambda: chunked.encode()),
            ("garbage", 5, lambda: random.randbytes(200) + b"\r\n\r\n"),
            ("does not read", 30, lambda: pipelined),
            ("values", 5, lambda: values),
            ("streams of nobody", 20, lambda: self._request(*LISTEN)),
            ("streams of one token", 30, lambda: self._request(*LISTEN, eve | self._project())),
            ("projects of one token", 20, lambda: self._request(*CALL, eve | self._project())),
            ("made-up tokens", 40, lambda: self._request(*CALL, self._made_up())),
        ]

    @staticmethod
    def _project() -> dict[str, str]:
        return {"X-Do-Project-Id": f"p{random.randrange(10**9)}"}

    @staticmethod
    def _made_up() -> dict[str, str]:
        """What looks like a token, and is refused by the platform."""
        name = str(random.randrange(10**9))
        return {"X-Do-Auth-Token": make_token(subject=name, orgs=["nowhere"]), "X-Do-Org-Key": "deeporigin"}

    @staticmethod
    def _request(method: str, params: dict[str, Any], headers: dict[str, str] | None = None, values: int = 0) -> bytes:
        meta = {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "values": [[]] * values,
        }
        body = json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}, separators=(",", ":")
        ).encode()
        lines = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": REVISION,
            "Mcp-Method": method,
            "Content-Length": str(len(body)),
            **({"Mcp-Name": params["name"]} if "name" in params else {}),
            **(headers or {}),
        }
        return b"POST /mcp HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode() + b"\r\n" + body

    async def _repeat(self, kind: str, count: int, make: Callable[[], bytes]) -> None:
        async def one() -> None:
            await asyncio.sleep(random.random() * HOLD_SECONDS)
            while True:
                await self._once(kind, make())

        await asyncio.gather(*(one() for _ in range(count)))

    async def _once(self, kind: str, content: bytes) -> None:
        address = urlsplit(self.base_url)
        self.done[kind] += 1
        writer = None
        try:
            async with asyncio.timeout(HOLD_SECONDS):
                reader, writer = await asyncio.open_connection(address.hostname, address.port)
                writer.write(content)
                await writer.drain()
                if kind == "does not read":
                    await asyncio.sleep(HOLD_SECONDS)
                status = (await reader.read(12)).decode("latin-1").removeprefix("HTTP/1.1 ") or "closed"
                self.statuses[f"{kind}: {status}"] += 1
                while await reader.read(2**16):
                    pass
        except (TimeoutError, OSError):
            await asyncio.sleep(0.1)
        finally:
            if writer is not None:
                writer.transport.abort()


def main() -> None:
    hostile = Hostile(sys.argv[1])
    asyncio.run(hostile.go_on(float(sys.argv[2])))
    print(json.dumps({"done": hostile.done, "statuses": hostile.statuses}))


if __name__ == "__main__":
    main()
