"""Whom a server tells that a run is over: a webhook on this machine, and a command."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from deeporigin_mcp.settings import Notify
from tests.support.recording import Recorder, Reply, Request, recording

PATH = "/services/T0/B0/a-secret-of-the-webhook"


@dataclass
class Webhook:
    """Answers with `replies`, of which the last one repeats."""

    recorder: Recorder
    replies: list[Reply] = field(default_factory=lambda: [Reply({})])
    _posted: anyio.Event = field(default_factory=anyio.Event)

    @property
    def url(self) -> str:
        return f"{self.recorder.url}{PATH}"

    @property
    def notify(self) -> Notify:
        return Notify(url=self.url)

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.recorder.requests if request.path == PATH]

    @property
    def told(self) -> list[dict[str, Any]]:
        return [request.body for request in self.posts]

    async def until_told(self, times: int) -> list[dict[str, Any]]:
        while len(self.posts) < times:
            await self._posted.wait()
        return self.told

    def reply(self, _: Request) -> Reply:
        self._posted.set()
        self._posted = anyio.Event()
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextlib.asynccontextmanager
async def running_webhook(*replies: Reply) -> AsyncIterator[Webhook]:
    async with recording() as recorder:
        webhook = Webhook(recorder, [*replies] or [Reply({})])
        recorder.handler = webhook.reply
        yield webhook


@dataclass
class Script:
    """A command that appends a JSON line to a file for each call: what it read, and its environment.

    Args:
        codes: its exit codes, one a call; the last one repeats.
    """

    folder: Path
    codes: tuple[int, ...] = (0,)

    @property
    def words(self) -> tuple[str, ...]:
        source = (
            "import json, os, pathlib, sys; path = pathlib.Path(sys.argv[1]); codes = json.loads(sys.argv[2]);"
            "calls = path.read_text().splitlines() if path.exists() else [];"
            "line = json.dumps({'read': sys.stdin.read(), 'environment': dict(os.environ)});"
            "path.write_text('\\n'.join([*calls, line]));"
            "print('noise'); sys.exit(codes[min(len(calls), len(codes) - 1)])"
        )
        return (sys.executable, "-c", source, str(self.folder / "calls"), json.dumps(self.codes))

    @property
    def line(self) -> str:
        """As DEEPORIGIN_MCP_NOTIFY."""
        return shlex.join(self.words)

    @property
    def notify(self) -> Notify:
        return Notify(command=self.words)

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
