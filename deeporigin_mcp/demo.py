"""`deeporigin-mcp demo`: an MCP client drives the real server from a structure and SMILES to pose files on disk.

Everything printed comes from real results: the server is a subprocess on stdio, the platform is the simulator behind
real HTTP, and the files at the end are read from the disk. A molecule that no tool supports is refused before it costs
anything; a person approves two prices and declines the third.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from deeporigin_mcp.logs import say
from deeporigin_mcp.platform.records.money import amount, usd
from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from deeporigin_mcp.simulator.model.molecules import helix_pdb
from deeporigin_mcp.tools.responses.environment import SIMULATED

ORGANISATION = "deeporigin"
SESSION = "demo"
EXPENSIVE_TOOL = "deeporigin.abfe-end-to-end"
"""The demo's person declines to pay for this tool."""
MAX_WAITS = 20
SHOWN_CHARACTERS = 240

STRUCTURE = "model.pdb"
MOLECULES = (
    {"name": "aspirin", "smiles": "CC(=O)Oc1ccccc1C(=O)O"},
    {"name": "caffeine", "smiles": "Cn1cnc2c1c(=O)n(C)c(=O)n2C"},
    {"name": "ibuprofen", "smiles": "CC(C)Cc1ccc(cc1)C(C)C(=O)O"},
    {"name": "cisplatin", "smiles": "N[Pt](N)(Cl)Cl"},
)
"""Docking has no parameters for the last one's metal."""


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


def run_demo(*, speed: float, folder: Path | None = None) -> bool:
    """Run the demo at `speed` simulated seconds per second; whether every step had the expected outcome.

    Args:
        folder: where the files go; None: a new one for temporary files, which is kept.
    """
    platform = Platform(clock=ScaledClock(speed), seed=int(time.time()))
    files = folder or Path(tempfile.mkdtemp(prefix="deeporigin-demo-"))
    (files / STRUCTURE).write_text(helix_pdb(), encoding="utf-8")
    failures: list[str] = []
    with running_simulator(platform) as simulator, tempfile.TemporaryFile("w+") as server_log:
        say(f"Simulated Deep Origin platform on {simulator.base_url}, {speed:g} times as fast as real time.")
        say(f"{SIMULATED[0].upper()}{SIMULATED[1:]}.")
        try:
            anyio.run(_drive, simulator.base_url, platform, files, cast("TextIO", server_log))
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


async def _drive(base_url: str, platform: Platform, files: Path, server_log: TextIO) -> None:
    started = time.monotonic()
    person = Person()
    transport = stdio_client(_server(base_url, files), errlog=server_log)
    async with Client(transport, elicitation_callback=person.answer) as client:
        tools = (await client.list_tools()).tools
        say(f"MCP server started over stdio ({client.protocol_version}): {', '.join(tool.name for tool in tools)}")
        agent = Agent(client)
        outcomes = await _run_journey(agent)
    written = _written(files)
    say("\nMeasured in this run:")
    say(f"  executions      {', '.join(f'{name} {status}' for name, status in outcomes.items())}")
    say(f"  files           {len(written)}")
    say(f"  tool calls      {agent.calls}")
    say(f"  questions       {person.asked}")
    say(f"  HTTP requests   {len(platform.requests)}")
    say(f"  wall time       {time.monotonic() - started:.1f} s")
    say(f"  bytes to model  {agent.bytes_read}")
    _expect(sorted(outcomes.values()) == ["Completed", "Completed", "Quoted"], "expected two completed runs, one quote")
    _expect(person.asked == 3, "expected three questions to the person")
    _expect(len(platform.confirms) == 2, "expected two confirmed executions")
    _expect(sum(path.suffix == ".sdf" for path in written) >= 3, "expected an SDF of each ligand")


def _written(folder: Path) -> list[Path]:
    """The files below a folder, which are shown with their sizes."""
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    say(f"\nOn disk, in {folder}:")
    for path in written:
        say(f"  {path.stat().st_size:>8,} bytes  {path.relative_to(folder)}")
    return written


async def _run_journey(agent: Agent) -> dict[str, str]:
    """From a structure and SMILES to pose files; what became of each run."""
    project = (await agent.call("get_workspace"))["projects"][0]["project_id"]
    protein = await agent.call("import_molecules", kind="protein", path=STRUCTURE, project_id=project)
    ligands = await agent.call("import_molecules", kind="ligands", smiles=[*MOLECULES], project_id=project)
    for row in ligands["refused"]:
        say(f"  ⇒ {row['name']} {row['reason']}")

    pockets = await _started(agent, project, "pockets", "deeporigin.pocket-finder", {"protein": protein["as_input"]})
    pocket = (await _molecules(agent, "pocket", pockets))[0]
    found = await agent.call("find_platform_tools", query="dock ligands into a protein", limit=3)
    tool_key = found["tools"][0]["tool_key"]
    await agent.call("describe_platform_tool", tool_key=tool_key)
    inputs = {
        "protein": protein["as_input"],
        "pocket": pocket["as_input"],
        "ligands": ligands["as_input"],
        "effort": 1,
    }
    docking = await _started(agent, project, "approved drugs", tool_key, inputs)
    poses = await _molecules(agent, "pose", docking)
    for pose in poses:
        if pose.get("best"):
            say(f"  ⇒ {pose['name']} binds with {pose['binding_energy']} kcal/mol")
    await agent.call("download_files", execution_id=docking, what="best_poses", combine=True)

    dear = {"protein": protein["as_input"], "pose1": poses[0]["as_input"]}
    quote = await _quoted(agent, project, "free energy", EXPENSIVE_TOOL, dear)
    await agent.refused("confirm_execution", execution_id=quote["execution_id"], expected_price=quote["quoted_price"])
    listed = await agent.call("list_executions", session=SESSION)
    return {run["name"]: run["status"] for run in listed["executions"] if run.get("name")}


async def _quoted(agent: Agent, project: str, name: str, tool_key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    quote = await agent.call("create_execution", tool_key=tool_key, name=name, project_id=project, inputs=inputs)
    _expect(quote["status"] == "Quoted", f"{name} is {quote['status']}, not Quoted")
    say(f"  ⇒ {name}: {usd(amount(quote['quoted_price']))}")
    return quote


async def _started(agent: Agent, project: str, name: str, tool_key: str, inputs: dict[str, Any]) -> str:
    """Price a run, start it when the person agrees, and wait for its end; its id."""
    quote = await _quoted(agent, project, name, tool_key, inputs)
    execution_id = str(quote["execution_id"])
    price = quote["quoted_price"]
    state = await agent.call("confirm_execution", execution_id=execution_id, expected_price=price, wait_seconds=0)
    if "wait_executions" in state.get("next_step", ""):
        for _ in range(MAX_WAITS):
            waited = await agent.call("wait_executions", execution_ids=[execution_id], poll_interval_seconds=1)
            if waited["all_done"]:
                break
    return execution_id


async def _molecules(agent: Agent, kind: str, execution_id: str) -> list[dict[str, Any]]:
    """Pockets or poses of a completed run."""
    found = await agent.call("find_molecules", kind=kind, execution_id=execution_id)
    _expect(found["molecules"] != [], f"{execution_id} is Completed without {kind}s")
    return [*found["molecules"]]


def _server(base_url: str, files: Path) -> StdioServerParameters:
    """The real server as a client would start it, with the simulator's address in the official variables."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "deeporigin_mcp"],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ},
            "DO_AUTH_TOKEN": make_token(orgs=[ORGANISATION], expires_in_seconds=3600),
            "DO_ORG_KEY": ORGANISATION,
            "DO_BASE_URL": base_url,
            "DEEPORIGIN_MCP_SESSION": SESSION,
            "DEEPORIGIN_MCP_FILES": str(files),
        },
    )


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise StepFailedError(otherwise)


def _short(value: Any) -> str:
    return _short_line(re.sub(r"\s+", " ", repr(value)))


def _short_line(line: str) -> str:
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"
