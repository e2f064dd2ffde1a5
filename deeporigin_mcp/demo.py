"""`deeporigin-mcp demo`: an MCP client drives the real server through two jobs on a simulated platform.

Everything printed comes from real results: the server is a subprocess on stdio, the platform is the simulator behind
real HTTP. One job succeeds after a person approved its price, the other is cheap enough to start without approval and
fails for a chemical reason; a third is only quoted, because the person declines.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from typing import Any, TextIO, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from deeporigin_mcp.logs import say
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator

ORGANISATION = "deeporigin"
AUTOMATIC_LIMIT_USD = "0.25"
EXPENSIVE_TOOL = "deeporigin.pocket-finder"
"""The demo's person declines to pay for this tool."""
MAX_WAITS = 20
SHOWN_CHARACTERS = 240

PROPERTIES_TOOL = "deeporigin.mol-props-combined"
PROTEIN = {"id": "08DEPR0TE1N00", "file_path": "entities/proteins/toy.pdb"}
"""The one that the simulated organisation has."""
POCKET = {"center": [12.1, 4.6, -7.3], "box_size_x": 20.0, "box_size_y": 20.0, "box_size_z": 20.0}
GOOD_LIGANDS = ("CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O")
METAL_COMPLEX = ("N[Pt](N)(Cl)Cl",)
"""Cisplatin: the platform has no parameters for its metal. Docking it would be refused before a price."""


class StepFailedError(Exception):
    """A step of the demo had an unexpected outcome."""


class Agent:
    """Acts in the place of a model: calls tools, reads results, and counts calls and bytes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls = 0
        self.bytes_read = 0

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; its structured content."""
        result = await self._shown(tool, arguments)
        if result.is_error or result.structured_content is None:
            raise StepFailedError(f"{tool} returned an error")
        return dict(result.structured_content)

    async def refused(self, tool: str, **arguments: Any) -> None:
        """Call a tool that must return an error."""
        if not (await self._shown(tool, arguments)).is_error:
            raise StepFailedError(f"{tool} should have returned an error")

    async def _shown(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool; print the call and the first lines of its result."""
        say(f"\n→ {tool}({', '.join(f'{name}={_short(value)}' for name, value in arguments.items())})")
        live = LiveLine()
        result = await self._client.call_tool(tool, arguments, progress_callback=live.show)
        live.end()
        if not isinstance(result, CallToolResult):
            raise StepFailedError(f"{tool} asked for input")
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        self.calls += 1
        self.bytes_read += len(text.encode())
        for line in text.splitlines()[:8]:
            say(f"  {_short_line(line)}")
        return result


class Person:
    """The user of the client, who answers elicitations."""

    def __init__(self) -> None:
        self.asked = 0

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG002
        """Print the elicitation and approve it, unless it is about the expensive tool."""
        self.asked += 1
        approve = EXPENSIVE_TOOL not in params.message
        say("  ┌ the person is asked")
        for line in params.message.splitlines():
            say(f"  │ {line}")
        say(f"  └ the person says {'yes' if approve else 'no'}")
        return ElicitResult(action="accept", content={"approve": approve})


class LiveLine:
    """Progress of a call: one line rewritten in place on a terminal, a line for each report elsewhere."""

    def __init__(self) -> None:
        self._in_place = sys.stdout.isatty()
        self._shown = False

    async def show(self, progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG002
        line = f"  … {progress:4.1f} s  {message or ''}"
        self._shown = True
        say(line, end="") if self._in_place else say(line)
        if self._in_place:
            say("\x1b[K\r", end="")

    def end(self) -> None:
        if self._shown and self._in_place:
            say("\x1b[K", end="")


def run_demo(*, speed: float) -> bool:
    """Run the demo at `speed` simulated seconds per second; whether every step had the expected outcome."""
    platform = Platform(clock=ScaledClock(speed), seed=int(time.time()))
    failures: list[str] = []
    with running_simulator(platform) as simulator, tempfile.TemporaryFile("w+") as server_log:
        say(f"Simulated Deep Origin platform on {simulator.base_url}, {speed:g} times as fast as real time.")
        try:
            anyio.run(_drive, simulator.base_url, platform, cast("TextIO", server_log))
        except* StepFailedError as group:
            failures += _messages(group)
        if failures:
            server_log.seek(0)
            say(
                "\n".join(["", *(f"FAILED: {failure}" for failure in failures), "The server's log:", server_log.read()])
            )
    return not failures


def _messages(group: BaseExceptionGroup[StepFailedError]) -> list[str]:
    """The messages of a group of errors, which nests as task groups do."""
    nested = [_messages(e) if isinstance(e, BaseExceptionGroup) else [str(e)] for e in group.exceptions]
    return [message for messages in nested for message in messages]


async def _drive(base_url: str, platform: Platform, server_log: TextIO) -> None:
    started = time.monotonic()
    person = Person()
    transport = stdio_client(_server(base_url), errlog=server_log)
    async with Client(transport, elicitation_callback=person.answer) as client:
        tools = (await client.list_tools()).tools
        say(f"MCP server started over stdio ({client.protocol_version}): {', '.join(tool.name for tool in tools)}")
        agent = Agent(client)
        outcomes = await _run_two_jobs(agent)
    say("\nMeasured in this run:")
    say(f"  executions      {', '.join(f'{name} {status}' for name, status in outcomes.items())}")
    say(f"  tool calls      {agent.calls}")
    say(f"  questions       {person.asked}")
    say(f"  HTTP requests   {len(platform.requests)}")
    say(f"  wall time       {time.monotonic() - started:.1f} s")
    say(f"  bytes to model  {agent.bytes_read}")
    if sorted(outcomes.values()) != ["Completed", "Failed"]:
        raise StepFailedError("expected one Completed and one Failed execution")
    _expect(person.asked == 2, "expected two questions to the person")
    _expect(len(platform.confirms) == 2, "expected two confirmed executions")


async def _run_two_jobs(agent: Agent) -> dict[str, str]:
    workspace = await agent.call("get_workspace")
    found = await agent.call("find_platform_tools", query="dock ligands into a protein", limit=3)
    tool_key = found["tools"][0]["tool_key"]
    await agent.call("describe_platform_tool", tool_key=tool_key)

    project = workspace["projects"][0]["project_id"]
    quotes = {}
    dock = {"protein": PROTEIN, "pocket": POCKET, "ligands": _ligands(GOOD_LIGANDS), "effort": 1}
    for name, key, inputs in (
        ("approved drugs", tool_key, dock),
        ("metal complex", PROPERTIES_TOOL, {"ligands": _ligands(METAL_COMPLEX)}),
    ):
        quote = await agent.call("create_execution", tool_key=key, name=name, project_id=project, inputs=inputs)
        _expect(quote["status"] == "Quoted", f"{name} is {quote['status']}, not Quoted")
        say(f"  ⇒ {name}: {quote['quoted_price']} USD")
        quotes[name] = quote
    expensive = await agent.call(
        "create_execution", tool_key=EXPENSIVE_TOOL, name="pockets", project_id=project, inputs={"protein": PROTEIN}
    )
    await agent.refused(
        "confirm_execution", execution_id=expensive["execution_id"], expected_price=expensive["quoted_price"]
    )
    for quote in quotes.values():
        await agent.call("confirm_execution", execution_id=quote["execution_id"], expected_price=quote["quoted_price"])

    ids = [quote["execution_id"] for quote in quotes.values()]
    for _ in range(MAX_WAITS):
        waited = await agent.call("wait_executions", execution_ids=ids, poll_interval_seconds=1)
        if waited["all_done"]:
            break
    outcomes = {}
    for name, quote in quotes.items():
        final = await agent.call("get_execution", execution_id=quote["execution_id"])
        outcomes[name] = final["status"]
        if final["status"] == "Completed":
            for pose in _best_poses(await _results(agent, quote["execution_id"])):
                say(f"  ⇒ {name}: {pose['smiles']} binds with {pose['binding_energy']} kcal/mol")
        else:
            _expect("status_reason" in final, f"{name} is {final['status']} without a reason")
            say(f"  ⇒ {name}: {final['status_reason']}")
            logs = await agent.call("get_execution_logs", execution_id=quote["execution_id"], limit=1)
            _expect(bool(logs["rows"]), f"{name} is {final['status']} without a log")
    return outcomes


async def _results(agent: Agent, execution_id: str) -> list[dict[str, Any]]:
    """The rows of a completed run, which the platform stores a little after it completes."""
    for _ in range(MAX_WAITS):
        found = await agent.call("get_execution_results", execution_id=execution_id)
        if found["rows"]:
            break
        await anyio.sleep(1)
    _expect(bool(found["rows"]), f"{execution_id} is Completed without results")
    return [*found["rows"]]


def _best_poses(poses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pose with the lowest binding energy of each ligand."""
    ranked = sorted(poses, key=lambda pose: pose["binding_energy"], reverse=True)
    return list({pose["smiles"]: pose for pose in ranked}.values())[::-1]


def _ligands(molecules: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"smiles": smiles} for smiles in molecules]


def _server(base_url: str) -> StdioServerParameters:
    """The real server as a client would start it, with the simulator's address in the official variables."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "deeporigin_mcp"],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ},
            "DO_AUTH_TOKEN": make_token(orgs=[ORGANISATION], expires_in_seconds=3600),
            "DO_ORG_KEY": ORGANISATION,
            "DO_BASE_URL": base_url,
            "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": AUTOMATIC_LIMIT_USD,
        },
    )


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise StepFailedError(otherwise)


def _short(value: Any) -> str:
    return _short_line(re.sub(r"\s+", " ", repr(value)))


def _short_line(line: str) -> str:
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"
