"""A server in front of a simulated platform, and an agent that checks every answer it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

from deeporigin_mcp.platform import DeepOriginClient, Timing
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, parse_fault, running_simulator
from deeporigin_mcp.tools.responses.errors import META
from deeporigin_mcp.tools.runtime.state import ServerState
from tests.support.errors import ErrorFacts, error_of
from tests.support.facts import assert_harmless, assert_same_facts, calls_in

PROJECT = "09DEMAKNASE01"
ACME_PROJECT = "09ACMEPR0J001"
SESSION = "s-bench"
ERAS = ("legacy", "auto")
"""2025-11-25 with its handshake, and 2026-07-28."""

MOST_CHARACTERS = 20_000
LONGEST_REFUSAL = 4_000
UNFINISHED = frozenset({"Quoted", "Created", "Accepted", "Queued", "Running", "Suspended", "Finishing", "Unknown"})


class SimulatedTime:
    """The client's time: a sleep moves it and the platform's clock at once, and lets heartbeats happen on the way."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._elapsed = 0.0
        self._heartbeats: list[tuple[float, anyio.Event]] = []
        self.token_ages_seconds = 0.0
        self.slept_through_seconds = 0.0
        """How long the machine was suspended."""
        self.slept: list[float] = []

    @property
    def timing(self) -> Timing:
        return Timing(
            wall=self._wall,
            monotonic=self.elapsed,
            since_boot=lambda: self._elapsed + self.slept_through_seconds,
            sleep=self._sleep,
            background_sleep=self._sleep_beside,
            chance=lambda: 0.5,
        )

    def elapsed(self) -> float:
        return self._elapsed

    def _wall(self) -> float:
        return self._clock.now().timestamp() + self.token_ages_seconds

    async def _sleep_beside(self, seconds: float) -> None:
        beat = anyio.Event()
        self._heartbeats.append((self._elapsed + seconds, beat))
        await beat.wait()

    async def _sleep(self, seconds: float) -> None:
        # Far into the future a short sleep would otherwise not move it at all, and whoever polls would never end.
        until = max(self._elapsed + seconds, math.nextafter(self._elapsed, math.inf))
        self.slept.append(seconds)
        await checkpoint()
        while self._elapsed < until:
            self._move_to(min([until, *(when for when, _ in self._heartbeats if when > self._elapsed)]))
            for _ in range(5):
                await checkpoint()

    def _move_to(self, instant: float) -> None:
        self._clock.advance(instant - self._elapsed)
        self._elapsed = instant
        for when, beat in self._heartbeats:
            if when <= instant:
                beat.set()
        self._heartbeats = [pair for pair in self._heartbeats if not pair[1].is_set()]


@dataclass(frozen=True)
class Answer:
    """All that a model may read of a call."""

    is_error: bool
    text: str
    content: dict[str, Any]
    error: ErrorFacts | None
    """What programs may read beside it."""


@dataclass
class Agent:
    """An MCP client. `read` expects a result, `refused` an error; both check what holds for all of them."""

    client: Client
    inputs: dict[str, Draft202012Validator]
    outputs: dict[str, Draft202012Validator]

    @classmethod
    async def connected(cls, client: Client) -> Agent:
        """The agent of a connected client."""
        # The SDK's cache would copy all schemas, for a list that is seldom read again.
        tools = (await client.list_tools(cache_mode="bypass")).tools
        return cls(
            client,
            {tool.name: Draft202012Validator(tool.input_schema) for tool in tools},
            {tool.name: Draft202012Validator(tool.output_schema or False) for tool in tools},
        )

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """The call as the protocol answers it."""
        answer = await self.client.call_tool(tool, arguments)
        assert isinstance(answer, CallToolResult)
        text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
        assert len(answer.content) == 1
        # The SDK says nothing beside its own refusal of an unknown tool.
        error = error_of(answer) if META in (answer.meta or {}) else None
        return Answer(bool(answer.is_error), text, answer.structured_content or {}, error)

    async def read(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a success."""
        return (await self.success(tool, **arguments)).content

    async def success(self, tool: str, **arguments: Any) -> Answer:
        """A success, whole."""
        answer = await self.call(tool, arguments)
        assert not answer.is_error, answer.text
        self.outputs[tool].validate(answer.content)
        assert_same_facts(answer.content, answer.text)
        assert_harmless(answer.text)
        assert max(len(answer.text), compact_size(answer.content)) <= MOST_CHARACTERS
        self._assert_says_how_to_go_on(answer.content)
        return answer

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The text of a refusal."""
        return (await self._refused(tool, arguments)).text

    async def error(self, tool: str, **arguments: Any) -> ErrorFacts:
        """The code and the outcome of a refusal."""
        found = (await self._refused(tool, arguments)).error
        assert found is not None
        return found

    async def _refused(self, tool: str, arguments: dict[str, Any]) -> Answer:
        answer = await self.call(tool, arguments)
        assert answer.is_error, answer.content
        assert not answer.content
        assert_harmless(answer.text)
        assert 20 < len(answer.text) <= LONGEST_REFUSAL
        self._assert_calls_work(answer.text)
        return answer

    async def follow(self, step: str) -> dict[str, Any]:
        """Make the first call that a `next_step` names."""
        tool, arguments = calls_in(step, self.inputs)[0]
        return await self.read(tool, **arguments)

    async def follow_to_the_end(self, step: str) -> dict[str, Any]:
        """Wait as often as the answers say; the last one."""
        found = await self.follow(step)
        for _ in range(50):
            if found["all_done"]:
                return found
            found = await self.follow(found["next_step"])
        raise AssertionError(found)

    def _assert_says_how_to_go_on(self, content: dict[str, Any]) -> None:
        if content.get("status") in UNFINISHED or content.get("has_more") or content.get("all_done") is False:
            assert content["next_step"]
        self._assert_calls_work(content.get("next_step", ""))

    def _assert_calls_work(self, step: str) -> None:
        for tool, arguments in calls_in(step, self.inputs):
            self.inputs[tool].validate(arguments)


@cache
def bench_token() -> str:
    return make_token(expires_in_seconds=20 * 365 * 24 * 3600)


@dataclass
class Bench:
    """A platform over HTTP, its clock, and servers that use it."""

    platform: Platform
    clock: ManualClock
    base_url: str
    time: SimulatedTime
    clients: list[DeepOriginClient] = field(default_factory=list)

    def settings(self, **values: Any) -> Settings:
        usual = {
            "token": bench_token(),
            "org_key": "deeporigin",
            "project_id": PROJECT,
            "base_url": self.base_url,
            "session": SESSION,
        }
        # A test that wants a page or a terminal says so: both wait for a person on this machine.
        return Settings.model_validate(usual | {"approval": ("elicitation",)} | values)

    def connect(self, settings: Settings) -> DeepOriginClient:
        client = DeepOriginClient(settings, timing=self.time.timing)
        self.clients.append(client)
        return client

    def server(
        self, connect: Callable[[Settings], DeepOriginClient] | None = None, **values: Any
    ) -> MCPServer[ServerState]:
        return create_server(self.settings(**values), connect=connect or self.connect)

    @contextlib.asynccontextmanager
    async def agent(self, *, mode: str = "auto", **values: Any) -> AsyncIterator[Agent]:
        """An agent of a server with these settings."""
        async with agent_of(self.server(**values), mode=mode) as agent:
            yield agent

    def fault(self, rule: str) -> None:
        """Make the platform misbehave (`simulator/state/faults.py` has the grammar)."""
        self.platform.faults.append(parse_fault(rule))

    def heal(self) -> None:
        self.platform.faults.clear()

    def seeded(self, status: str = "Running", **values: Any) -> str:
        return self.platform.seed_executions(status=status, **values)[0]

    def raw(self, **dto: Any) -> str:
        """A record served exactly as given, apart from what every record has."""
        usual = {
            "status": "Running",
            "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
            "createdAt": "2026-10-05T08:00:00.000Z",
            "projectId": PROJECT,
        }
        return self.platform.add_execution(usual | dto)

    @contextlib.asynccontextmanager
    async def stored_meanwhile(self, seconds: float) -> AsyncIterator[None]:
        """The platform stores results for so many seconds, which pass while it is asked whether it still does."""
        self.fault("POST */data-platform/*/executions/search delay=1 times=1")

        async def store() -> None:
            await self._delayed()
            self.clock.advance(seconds)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store)
            yield

    @contextlib.asynccontextmanager
    async def time_up(self, seconds: float) -> AsyncIterator[None]:
        """Real seconds pass on this event loop at once, when a fault delays a request: then and not before.

        A limit that is short enough to be waited for is too short for a slow machine to get to that request.
        """

        async def pass_by() -> None:
            await self._delayed()
            # It never goes back: whatever else runs on this loop has deadlines by it.
            loop = asyncio.get_running_loop()
            usual = loop.time
            loop.time = lambda: usual() + seconds  # type: ignore[method-assign]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pass_by)
            yield
            tasks.cancel_scope.cancel()

    async def _delayed(self) -> None:
        """Wait until a fault delays a request."""
        while not any(rule.fired for rule in self.platform.faults if rule.delay_seconds):
            await anyio.to_thread.run_sync(lambda: None)

    def sent(self, method: str, part: str = "") -> list[str]:
        """The paths of the requests that the platform received, oldest first."""
        return [path for seen, path, _ in self.platform.requests if seen == method and part in path]


@contextlib.asynccontextmanager
async def agent_of(server: MCPServer[ServerState], *, mode: str = "auto") -> AsyncIterator[Agent]:
    async with Client(server, mode=mode) as client:
        yield await Agent.connected(client)


@contextlib.contextmanager
def running_bench(*, auto_advance: bool = False, **values: Any) -> Iterator[Bench]:
    """A bench on a free port.

    Args:
        auto_advance: time passes by itself while a request waits for it, as one does that runs a tool.
    """
    clock = ManualClock(auto_advance=auto_advance)
    platform = Platform(clock=clock, **values)
    with running_simulator(platform) as simulator:
        yield Bench(platform, clock, simulator.base_url, SimulatedTime(clock))


PROTEIN = {"id": "08DEPR0TE1N00", "file_path": "entities/proteins/toy.pdb"}
"""The one that the simulated organisation has."""
BOX = {"box_size_x": 18, "box_size_y": 19, "box_size_z": 17.5, "center": [4, -2, 11]}


def docking(*smiles: str, **inputs: Any) -> dict[str, Any]:
    """Arguments of a docking run over these molecules; 0.20 USD each."""
    ligands = [{"smiles": text} for text in smiles or ("CCO",)]
    return {
        "tool_key": "deeporigin.docking",
        "inputs": {"protein": PROTEIN, "pocket": BOX, "ligands": ligands, **inputs},
    }


FREE = {"tool_key": "deeporigin.mol-props-combined", "inputs": {"ligands": [{"smiles": "CCO"}]}}
"""Arguments of a run that costs nothing."""
ABFE = {
    "tool_key": "deeporigin.abfe-end-to-end",
    "inputs": {"protein": PROTEIN, "pose1": {"id": "0APLACED00001", "file_path": "poses/placed.sdf"}},
}
"""Arguments of a run that costs more than 100 USD."""


def calls_in_text(text: str, argument: str) -> str:
    """The value of an argument that a refusal tells to give next time."""
    found = re.search(rf'{argument}="([^"]+)"', text)
    assert found, text
    return found[1]


def compact_size(content: Any) -> int:
    """Characters of the JSON that clients hand to their models."""
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def lines_of(text: str) -> list[str]:
    """The problems of a refusal, one each."""
    return re.findall(r"^- (.*)$", text, re.MULTILINE)
