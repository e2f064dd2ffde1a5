"""Counts what a piece of work does, where seconds would depend on the machine.

    python -m benchmarks.counting SUBJECT

prints the counts of one subject as JSON; each is a process of its own, so that imports are counted too.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

CALLS = 20
EXECUTION = {"execution_id": "00000000-0000-0000-0000-000000000001"}


class Calls:
    """Counts function calls of this thread, C functions included, while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _seen(self, _frame: object, event: str, _argument: object) -> None:
        self.count += event in ("call", "c_call")


def start(make: Callable[[], Any]) -> dict[str, float]:
    """Import, build a server and list its tools."""
    before = set(sys.modules)
    with Calls() as calls:
        asyncio.run(make().list_tools())
    return {"calls": calls.count, "modules": len(set(sys.modules) - before)}


def bare_server() -> Any:
    from benchmarks.bare import server

    return server


def our_server() -> Any:
    from deeporigin_mcp.server import create_server
    from deeporigin_mcp.settings import Settings

    return create_server(Settings())


async def call(make: Callable[[], Any], tool: str, arguments: dict[str, Any]) -> dict[str, float]:
    """One call of a tool by a client in this process, on average."""
    from mcp import Client

    async with Client(make()) as client:
        await client.call_tool(tool, arguments)
        with Calls() as calls:
            for _ in range(CALLS):
                answer = await client.call_tool(tool, arguments)
                assert not getattr(answer, "is_error", True), answer
    return {"calls": calls.count / CALLS}


def getting_server(base_url: str, *, is_bare: bool) -> Any:
    from benchmarks.bare import add_get, server
    from benchmarks.platforms import settings
    from deeporigin_mcp.server import create_server

    if not is_bare:
        return create_server(settings(base_url))
    add_get(base_url)
    return server


def main() -> None:
    match sys.argv[1:]:
        case ["start", "bare"]:
            found = start(bare_server)
        case ["start", "ours"]:
            found = start(our_server)
        case ["get", side, base_url]:
            made = functools.partial(getting_server, base_url, is_bare=side == "bare")
            found = asyncio.run(call(made, "get_execution", EXECUTION))
        case _:
            raise SystemExit(f"no such subject: {sys.argv[1:]}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
