"""What a model reads of each answer, against what the platform sent for the same question in the same run.

    python -m benchmarks.bytes_read

A real MCP client asks the server, which asks a simulator over HTTP.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextContent

from benchmarks.figures import Table
from benchmarks.platforms import settings
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.simulator import ManualClock, Platform, running_simulator

STATUSES = ("Completed", "Running", "Quoted", "Failed", "Cancelled")
ROW_AIM_BYTES = 250
SHOWN_AIM_BYTES = 16_000
LISTED_AIM_BYTES = 36_000
RAW_AIM = 0.1
USUAL_LIGANDS = 100
SMILES = "CC(C)Cc1ccc(cc1)C(C)C(=O)O"


@dataclass(frozen=True)
class Reading:
    """Bytes that a model read and that the platform sent for the same (0: nothing of that kind), and the aim."""

    what: str
    read: float
    sent: float = 0
    aim_bytes: float = 0
    aim_ratio: float = 0


def wire_size(value: Any) -> int:
    """Bytes of a value as the compact JSON that platform and clients send."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


class Agent:
    """Counts what a model reads: the structure or the text, whichever is longer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, tool: str, **arguments: Any) -> tuple[dict[str, Any], int]:
        answer = await self._client.call_tool(tool, arguments)
        assert isinstance(answer, CallToolResult)
        assert not answer.is_error, answer.content
        content = answer.structured_content or {}
        text = "".join(block.text for block in answer.content if isinstance(block, TextContent))
        return content, max(wire_size(content), len(text.encode()))


async def of_answers(base_url: str, names: Sequence[str], kind: str, aim: float) -> list[Reading]:
    """Answers about executions that the platform has."""
    async with DeepOriginClient(settings(base_url)) as client, Client(create_server(settings(base_url))) as session:
        agent = Agent(session)
        raw = (await client.executions.list(page_size=50, order="createdAt desc"))["data"]
        listed, _ = await agent.read("list_executions")
        shown = len(listed["executions"])
        row_bytes, raw_row_bytes = (wire_size(rows[:shown]) / shown for rows in (listed["executions"], raw))
        readings = [
            Reading(f"one listed execution, {kind}", row_bytes, raw_row_bytes, aim_bytes=ROW_AIM_BYTES),
            Reading(f"a list of 50, {kind}", await _list_bytes(agent, 50), wire_size(raw), aim_ratio=aim),
        ]
        raw_one = await client.executions.get(names[0])
        for detail, aimed in (("concise", aim), ("detailed", 0)):
            _, size = await agent.read("get_execution", execution_id=names[0], detail=detail)
            readings.append(Reading(f"get, {detail}, {kind}", size, wire_size(raw_one), aim_ratio=aimed))
        waited = names[-20:]
        raw_each = [await client.executions.get(name) for name in waited]
        _, size = await agent.read("wait_executions", execution_ids=waited, timeout_seconds=0)
        readings.append(Reading(f"a wait for 20, {kind}", size, wire_size(raw_each), aim_ratio=aim))
    return readings


async def of_tools(base_url: str) -> list[Reading]:
    """What a model is told about the tools."""
    async with DeepOriginClient(settings(base_url)) as client, Client(create_server(settings(base_url))) as session:
        _, size = await Agent(session).read("describe_platform_tool", tool_key="deeporigin.docking")
        definition = await client.tools.get(tool_key="deeporigin.docking", tool_version="latest")
        tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in await _tools(session)]
        read = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]
        return [
            Reading("a platform tool's description", size, wire_size(definition)),
            Reading("names, descriptions, inputs of all tools", wire_size(read), aim_bytes=SHOWN_AIM_BYTES),
            Reading("the whole `tools/list`", wire_size(tools), aim_bytes=LISTED_AIM_BYTES),
        ]


async def _list_bytes(agent: Agent, count: int) -> int:
    """Bytes of as many pages as it takes to see so many rows."""
    total = seen = page = 0
    found, size = await agent.read("list_executions", page_size=count)
    width = len(found["executions"])
    while True:
        total, seen, page = total + size, seen + len(found["executions"]), page + 1
        if seen >= count:
            return total
        found, size = await agent.read("list_executions", page=page, page_size=width)


async def _tools(session: Client) -> list[Any]:
    return list((await session.list_tools()).tools)


def readings() -> list[Reading]:
    """The smallest runs that there are, then runs of a usual size, each on a platform that has no others."""
    found = []
    for ligands in (0, USUAL_LIGANDS):
        platform = Platform(clock=ManualClock())
        usual = {"userInputs": {"ligands": [{"id": f"08LIG{n:08}", "smiles": SMILES} for n in range(ligands)]}}
        names = platform.seed_executions(count=200, status=STATUSES, overrides=usual if ligands else {})
        kind = f"runs of {ligands} ligands" if ligands else "the smallest runs"
        with running_simulator(platform) as simulator:
            found += anyio.run(of_answers, simulator.base_url, names, kind, RAW_AIM if ligands else 0)
            if ligands:
                found += anyio.run(of_tools, simulator.base_url)
    return found


def main() -> int:
    table = Table("Bytes that a model reads")
    for reading in readings():
        measured = f"{reading.read:,.0f} bytes"
        if reading.sent:
            measured += f" of {reading.sent:,.0f}: {reading.read / reading.sent:.2f} times"
        if reading.aim_bytes:
            aim, met = f"≤ {reading.aim_bytes:,.0f} bytes", reading.read <= reading.aim_bytes
            table.add(reading.what, measured, aim, met)
        elif reading.aim_ratio:
            met = reading.read <= reading.aim_ratio * reading.sent
            table.add(reading.what, measured, f"≤ {reading.aim_ratio} times", met)
        else:
            table.add(reading.what, measured)
    table.note(
        "Beside what the platform sent for the same question. Of structure and text, the longer one is counted. The "
        f"aim of {RAW_AIM} is for runs of a usual size: of the smallest, ids and times alone are more."
    )
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
