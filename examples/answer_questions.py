"""Be the person: an MCP client that shows the server's question about money at the terminal and sends back the answer.

    DO_ENV=local python examples/answer_questions.py "dock ligands into a protein"

The tool's own worked example is quoted; nothing starts without a yes. The server gets the DO_* and DEEPORIGIN_MCP_*
variables of this process.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.context import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, TextContent


class RefusedError(Exception):
    """The server answered a call with an error; its text says what to do."""


async def ask_at_the_terminal(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
    """Show a question and read y or n; the end of the input closes the question without an answer."""
    if not isinstance(params, ElicitRequestFormParams) or set(params.requested_schema["properties"]) != {"approve"}:
        return ElicitResult(action="cancel")
    print(f"\n{params.message}", flush=True)
    while True:
        try:
            said = await anyio.to_thread.run_sync(input, "y/n: ", abandon_on_cancel=True)
        except EOFError:
            return ElicitResult(action="cancel")
        if said.strip().lower() in ("y", "n"):
            return ElicitResult(action="accept", content={"approve": said.strip().lower() == "y"})


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its structured answer."""
    answer = await client.call_tool(tool, arguments)
    if answer.is_error or answer.structured_content is None:
        raise RefusedError("\n".join(block.text for block in answer.content if isinstance(block, TextContent)))
    return dict(answer.structured_content)


async def run(client: Client, task: str) -> dict[str, Any]:
    """Quote the tool that fits the task, and have it confirmed."""
    found = await call(client, "find_platform_tools", query=task, limit=1)
    if not found["tools"]:
        raise RefusedError(found.get("next_step", "No tool was found."))
    tool = await call(client, "describe_platform_tool", tool_key=found["tools"][0]["tool_key"])
    workspace = await call(client, "get_workspace")
    quote = await call(
        client,
        "create_execution",
        tool_key=tool["tool_key"],
        inputs=tool.get("example_inputs", {}),
        project_id=workspace.get("project_id") or workspace["projects"][0]["project_id"],
        name=task,
    )
    execution_id, price = quote["execution_id"], quote.get("quoted_price")
    print(f"Quote: {price} USD for {execution_id}")
    return await call(client, "confirm_execution", execution_id=execution_id, expected_price=price)


async def main(task: str) -> int:
    variables = {name: value for name, value in os.environ.items() if name.startswith(("DO_", "DEEPORIGIN_MCP_"))}
    # A question that is dismissed here is not asked again in a browser.
    variables["DEEPORIGIN_MCP_APPROVAL"] = "elicitation"
    server = StdioServerParameters(command=sys.executable, args=["-m", "deeporigin_mcp"], env=variables)
    async with Client(server, elicitation_callback=ask_at_the_terminal) as client:
        try:
            started = await run(client, task)
        except RefusedError as refusal:
            print(refusal, file=sys.stderr)
            return 1
    print("\n" + json.dumps(started, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, " ".join(sys.argv[1:]) or "dock ligands into a protein"))
