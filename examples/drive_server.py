"""Drive the MCP server over stdio as an agent does: find, describe, price, confirm, wait, read.

    DO_ENV=local python examples/drive_server.py "molecular properties"

The tool's own worked example is run unless --inputs names a JSON file. The server gets the DO_* and DEEPORIGIN_MCP_*
variables of this process; --limit is what it may spend.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

MAX_LOOKS = 60
"""How often an execution that has ended is read, a second apart, until its results are there."""


class RefusedError(Exception):
    """The server answered a call with an error; its text says what to do."""


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its structured answer; progress is printed as it comes."""

    async def show(progress: float, total: float | None, message: str | None) -> None:
        print(f"  {progress:.0f} of at most {total or 0:.0f} s: {message}")

    answer = await client.call_tool(tool, arguments, progress_callback=show)
    if answer.is_error or answer.structured_content is None:
        raise RefusedError("\n".join(block.text for block in answer.content if isinstance(block, TextContent)))
    return dict(answer.structured_content)


async def run(client: Client, options: argparse.Namespace) -> dict[str, Any]:
    """From the words for a task to the final state of an execution."""
    found = await call(client, "find_platform_tools", query=options.task, limit=1)
    if not found["tools"]:
        raise RefusedError(found.get("next_step", "No tool was found."))
    tool = await call(client, "describe_platform_tool", tool_key=found["tools"][0]["tool_key"])
    print(f"Tool: {tool['tool_key']} {tool['tool_version']}")

    inputs = json.loads(options.inputs.read_text()) if options.inputs else tool.get("example_inputs", {})
    quote = await call(
        client,
        "create_execution",
        tool_key=tool["tool_key"],
        tool_version=tool["tool_version"],
        inputs=inputs,
        project_id=options.project or await default_project(client),
        name=options.task,
    )
    execution_id, price = quote["execution_id"], quote.get("quoted_price")
    print(f"Quote: {price} USD for {execution_id}")

    await call(client, "confirm_execution", execution_id=execution_id, expected_price=price)
    waited: dict[str, Any] = {"all_done": False}
    while not waited["all_done"]:
        waited = await call(client, "wait_executions", execution_ids=[execution_id])
        if error := waited["executions"][0].get("error"):
            print(f"Not known to be over: {error}")
            await anyio.sleep(10)
    return await outcome(client, execution_id)


async def outcome(client: Client, execution_id: str) -> dict[str, Any]:
    """The execution with what it found, which the platform stores a little after the end."""
    final = await call(client, "get_execution", execution_id=execution_id, detail="detailed")
    for _ in range(MAX_LOOKS if final["status"] == "Completed" else 0):
        found = await call(client, "get_execution_results", execution_id=execution_id)
        if found.get("rows") or found.get("outputs"):
            return {**final, "results": found.get("rows") or found["outputs"]}
        await anyio.sleep(1)
    return final


async def default_project(client: Client) -> str:
    """The server's project, or the organisation's first."""
    workspace = await call(client, "get_workspace")
    return str(workspace.get("project_id") or workspace["projects"][0]["project_id"])


def server(limit: str) -> StdioServerParameters:
    """The server as a client starts it. An MCP client passes on only the variables that it is told to."""
    variables = {name: value for name, value in os.environ.items() if name.startswith(("DO_", "DEEPORIGIN_MCP_"))}
    variables["DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO"] = limit
    # Nobody sits at this machine: what is dearer is refused at once.
    variables["DEEPORIGIN_MCP_APPROVAL"] = "elicitation"
    return StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)


async def main(options: argparse.Namespace) -> int:
    async with Client(server(options.limit)) as client:
        try:
            final = await run(client, options)
        except RefusedError as refusal:
            print(refusal, file=sys.stderr)
            return 1
    print(json.dumps(final, indent=2))
    return 0 if final["status"] == "Completed" else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run one execution through the MCP server.")
    parser.add_argument("task", help="what to do, in words, such as 'molecular properties'")
    parser.add_argument("--inputs", type=Path, help="a JSON file with the tool's inputs")
    parser.add_argument("--project", default="", help="the project's id")
    parser.add_argument("--limit", default="0", help="USD that may be spent (default: 0, free runs only)")
    sys.exit(anyio.run(main, parser.parse_args()))
