"""What a platform sends without end stops nobody: a serving process answers others meanwhile, and ends in its grace."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.support.recording import Reply, Request, recording
from tests.support.site import ADA, request, routing
from tests.support.workers import worker

pytestmark = pytest.mark.anyio

MIB = 2**20
ANSWER_SECONDS = 20.0
CALL_SECONDS = 120.0
NAME = "00000001-6f0e-4f0b-9a55-0d3b6e1c7a11"


async def frames() -> AsyncIterator[bytes]:
    while True:
        yield b'data: {"type": "filters.dirty", "filters": ["execution"]}\n\n' * 1_000
        await anyio.lowlevel.checkpoint()


async def one_frame() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + b"x" * 64 * 1024


def running(asked: Request) -> Reply:
    """Executions that run, and none of anything else."""
    row = {"executionId": NAME, "status": "Running", "projectId": "proj_1", "tool": {"key": "a.b", "version": "1"}}
    return Reply(row if asked.path.endswith(NAME) else {"data": [], "count": 0})


def body(content: bytes, *encodings: str) -> Callable[[Request], Reply]:
    return lambda _: Reply(content, headers={"content-encoding": ", ".join(encodings)} if encodings else {})


def stream(pieces: Callable[[], AsyncIterator[bytes]]) -> Callable[[Request], Reply]:
    return lambda asked: Reply(stream=pieces) if asked.path.startswith("/sse/") else running(asked)


async def hanging(_: Request) -> Reply:
    return Reply(fault="hang")


BOMB = gzip.compress(bytes(80 * MIB), 6)
HOSTILE: dict[str, Any] = {
    "gzip": body(BOMB, "gzip"),
    "gzip in gzip": body(gzip.compress(BOMB), "gzip", "gzip"),
    "JSON of 64 MiB": body(b'{"data": [' + b'"x", ' * (12 * MIB) + b'""]}'),
    "JSON of many values": body(b"[" * (5 * MIB)),
    "one long text": body(b'{"data": [{"executionId": "' + b"x" * (60 * MIB) + b'"}]}'),
    "frames without end": stream(frames),
    "a frame without an end": stream(one_frame),
    "no response": hanging,
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_it_serves_others_and_stops_in_time_whatever_a_platform_sends(tmp_path: Path, kind: str) -> None:
    asked = anyio.Event()

    def handler(request: Request) -> Any:
        asked.set()
        return HOSTILE[kind](request)

    calls: dict[str, dict[str, Any]] = {
        "wait_executions": {"execution_ids": [NAME], "timeout_seconds": 5},
        "list_executions": {},
    }
    async with recording() as platform:
        platform.handler = handler
        with worker(tmp_path, platform.url) as found:
            async with httpx.AsyncClient(base_url=found.base_url, timeout=CALL_SECONDS, trust_env=False) as http:

                async def call(name: str) -> None:
                    body = request("tools/call", {"name": name, "arguments": calls[name]})
                    await http.post("/mcp", json=body, headers=routing("tools/call", name) | ADA)

                async with anyio.create_task_group() as tasks:
                    for name in calls:
                        tasks.start_soon(call, name)
                    await asked.wait()
                    for _ in range(20):
                        answer = await http.get("/healthz", timeout=ANSWER_SECONDS)
                        assert answer.text == "ok\n"
                    code, _ = await found.stop()
        assert code == 0
