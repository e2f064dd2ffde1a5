"""What a model reads of each answer, against what the platform sent for the same question in the same run.

    .venv/bin/python benchmarks/bytes_read.py

A real MCP client asks the server, which asks a simulator over HTTP. Prints bytes and ratios, and exits with 1 if an
aim is missed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextContent

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, running_simulator

PROJECT = "09DEMAKNASE01"
STATUSES = ("Completed", "Running", "Quoted", "Failed", "Cancelled")
ROW_AIM_BYTES = 250
SHOWN_AIM_BYTES = 12_000
LISTED_AIM_BYTES = 24_000


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


async def measured(base_url: str, platform: Platform) -> list[tuple[str, float, float, float]]:
    """(what, bytes read by the model, bytes sent by the platform, aim) for each question; 0 where there is none."""
    token = make_token(expires_in_seconds=3600)
    settings = Settings.model_validate(
        {"token": token, "org_key": "deeporigin", "project_id": PROJECT, "base_url": base_url}
    )
    names = platform.seed_executions(count=200, status=STATUSES)
    async with DeepOriginClient(settings) as client, Client(create_server(settings)) as session:
        agent = Agent(session)
        raw = (await client.executions.list(page_size=20, order="createdAt desc"))["data"]
        listed, _ = await agent.read("list_executions")
        shown = len(listed["executions"])
        rows: list[tuple[str, float, float, float]] = [
            (
                "one listed execution",
                wire_size(listed["executions"]) / shown,
                wire_size(raw[:shown]) / shown,
                ROW_AIM_BYTES,
            )
        ]
        raw = (await client.executions.list(page_size=50, order="createdAt desc"))["data"]
        rows.append(("a list of 50", await _list_bytes(agent, 50), wire_size(raw), 0))
        done = names[0]
        raw_one = await client.executions.get(done)
        for detail in ("concise", "detailed"):
            _, size = await agent.read("get_execution", execution_id=done, detail=detail)
            rows.append((f"get, {detail}", size, wire_size(raw_one), 0))
        waited = names[-20:]
        raw_each = [await client.executions.get(name) for name in waited]
        _, size = await agent.read("wait_executions", execution_ids=waited, timeout_seconds=0)
        rows.append(("a wait for 20", size, wire_size(raw_each), 0))
        _, size = await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
        definition = await client.tools.get(tool_key="deeporigin.docking", tool_version="latest")
        rows.append(("a tool's description", size, wire_size(definition), 0))
        tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in await _tools(session)]
        read = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]
        rows.append(("names, descriptions, inputs of all tools", wire_size(read), 0, SHOWN_AIM_BYTES))
        rows.append(("the whole tools/list", wire_size(tools), 0, LISTED_AIM_BYTES))
    return rows


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


def main() -> int:
    platform = Platform(clock=ManualClock())
    with running_simulator(platform) as simulator:
        rows = anyio.run(measured, simulator.base_url, platform)
    print("| what a model reads | bytes | the platform sent | ratio | aim |\n|---|---:|---:|---:|---|")
    all_met = True
    for what, size, sent, aim in rows:
        met = not aim or size <= aim
        all_met &= met
        ratio = f"{size / sent:.2f}" if sent else ""
        told = f"at most {aim:,.0f}: {'met' if met else 'MISSED'}" if aim else ""
        print(f"| {what} | {size:,.0f} | {f'{sent:,.0f}' if sent else ''} | {ratio} | {told} |")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
