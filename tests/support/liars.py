"""A platform that lies: it answers what a test says, keeps what it was asked, and starts what is confirmed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.tools.runtime.state import ServerState
from tests.support.bench import Agent
from tests.support.fake_time import FakeTime
from tests.support.people import Person, agent_with
from tests.support.recording import Reply, Request, recording, settings_for

Json = dict[str, Any]
SESSION = "s-lies"
DOCKING = {"key": "deeporigin.docking", "version": "4.2.0"}
ANY_INPUTS = {"key": "deeporigin.docking", "version": "4.2.0", "enabled": True, "inputs": {}}


def named(number: int) -> str:
    """An execution's id."""
    return f"{number:08d}-6f0e-4f0b-9a55-0d3b6e1c7a11"


def record(name: str, status: str = "Quoted", price: Any = 5, **fields: Any) -> Json:
    """The platform's record of an execution."""
    quotation = {"successfulQuotations": [{"priceTotal": price}]}
    return {
        "executionId": name,
        "status": status,
        "tool": DOCKING,
        "projectId": "proj_1",
        "session": SESSION,
        "quotationResult": quotation,
        **fields,
    }


@dataclass
class Liar:
    """What it says of each execution by its id, in its lists, and of a creation.

    Attributes:
        get: the record of an execution that was asked for by its id; whether it was confirmed is told.
        rows: the rows of a list, of those that were confirmed.
        create: what a creation is answered with.
        confirmed: what was confirmed, oldest first.
    """

    get: Callable[[str, bool], Any] = lambda name, started: record(name, "Running" if started else "Quoted")
    rows: Callable[[list[str]], Any] = lambda names: [record(name, "Running") for name in names]
    create: Callable[[Json], Any] = lambda body: record(named(99), metadata=body["metadata"])
    patch: Callable[[str], Any] = lambda name: record(name, "Running")
    definition: Json = field(default_factory=lambda: ANY_INPUTS)
    confirmed: list[str] = field(default_factory=list)
    created: list[Json] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Request) -> Reply:
        """The handler of the recording server."""
        path = request.path
        name = path.rsplit("/", 1)[-1].removesuffix(":confirm").removesuffix(":cancel")
        if request.method == "PATCH":
            if path.endswith(":confirm"):
                self.confirmed.append(name)
            return _reply(self.patch(name))
        if path.endswith("/definitions"):
            is_one = path.count("/") == 6
            return Reply(self.definition if is_one else [self.definition])
        if request.method == "POST" and path.endswith("/executions"):
            self.created.append(request.body)
            return _reply(self.create(request.body))
        if path.endswith("/tools/executions"):
            rows = self.rows([*dict.fromkeys(self.confirmed)])
            return _reply({"data": rows, "count": len(rows)} if isinstance(rows, list) else rows)
        if "/tools/executions/" in path:
            return _reply(self.get(name, name in self.confirmed))
        if "clusters" in path:
            return Reply({"data": [{"id": "c", "status": "healthy"}]})
        return Reply({"data": [], "count": 0})

    @contextlib.asynccontextmanager
    async def agent(self, *, person: Person | None = None, mode: str = "auto", **limits: Any) -> AsyncIterator[Agent]:
        """An agent of a new server in front of it."""
        async with agent_with(self.server(FakeTime(), **limits), person or Person(None), mode=mode) as agent:
            yield agent

    def server(self, time: FakeTime, **limits: Any) -> MCPServer[ServerState]:
        """A new server in front of it, whose sleeps take no time: a confirmation waits a little for the run's end."""
        settings = settings_for(self.url, **{"session": SESSION} | limits)
        return create_server(settings, connect=lambda each: DeepOriginClient(each, timing=time.timing))


def _reply(answer: Any) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(answer)


@contextlib.asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    """A platform that is honest until a test says otherwise."""
    liar = Liar()
    async with recording() as server:
        server.handler = liar.answer
        liar.url = server.url
        yield liar


def lines_in(log: Path) -> list[Json]:
    """The lines of an audit log's file."""
    return [json.loads(line) for line in log.read_bytes().splitlines()]
