"""A chemist's session by the client of the Python SDK 1.x, in an environment of its own; one line of JSON on stdout.

Takes the same argument and tells the same facts as `session.mjs`.
"""

# mypy: ignore-errors
# It runs with another SDK than the one that is checked against.

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from pydantic import AnyUrl


async def main(asked: dict[str, Any]) -> None:
    questions: list[str] = []

    async def agree(_: Any, params: Any) -> types.ElicitResult:
        questions.append(params.message)
        return types.ElicitResult(action="accept", content={"approve": True})

    if "stdio" in asked:
        transport = stdio_client(StdioServerParameters(**asked["stdio"]))
    else:
        transport = streamablehttp_client(asked["http"]["url"], headers=asked["http"]["headers"])
    async with (
        transport as streams,
        ClientSession(streams[0], streams[1], elicitation_callback=agree) as session,
    ):
        await session.initialize()
        seen: dict[str, Any] = {"tools": [tool.name for tool in (await session.list_tools()).tools]}
        templates = await session.list_resource_templates()
        seen["templates"] = [template.uriTemplate for template in templates.resourceTemplates]
        seen["prompts"] = [prompt.name for prompt in (await session.list_prompts()).prompts]

        async def read(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await session.call_tool(tool, arguments)
            if answer.isError:
                raise RuntimeError(f"{tool}: {answer.content}")
            return answer.structuredContent or {}

        seen["found"] = (await read("find_platform_tools", query="dock ligands"))["tools"][0]["tool_key"]
        described = await read("describe_platform_tool", tool_key=seen["found"])
        quote = await read(
            "create_execution", tool_key=seen["found"], inputs=described["example_inputs"], name=asked["name"]
        )
        seen["quote"] = {"status": quote["status"], "price": quote["quoted_price"]}
        name = quote["execution_id"]

        confirmed = await session.call_tool(
            "confirm_execution", {"execution_id": name, "expected_price": quote["quoted_price"]}
        )
        seen["questions"] = len(questions)
        seen["refused"] = confirmed.content[0].text if confirmed.isError else None
        if not confirmed.isError:
            told: list[float] = []

            async def progress(done: float, _total: float | None, _message: str | None) -> None:
                told.append(done)

            waited = await session.call_tool(
                "wait_executions",
                {"execution_ids": [name], "poll_interval_seconds": 1},
                progress_callback=progress,
            )
            seen["all_done"] = waited.structuredContent["all_done"]
            seen["progress"] = bool(told) and told == sorted(set(told))
            resource = await session.read_resource(AnyUrl(f"deeporigin://executions/{name}"))
            seen["resource"] = json.loads(resource.contents[0].text)["status"]

        wrong = await session.call_tool("get_execution", {"execution_id": "nonsense"})
        seen["error"] = wrong.content[0].text if wrong.isError else None

        # A call that its client gives up must leave the server able to answer the next one.
        try:
            with anyio.fail_after(0.3):
                await session.call_tool("wait_executions", {"execution_ids": [asked["endless"]]})
        except TimeoutError:
            seen["aborted"] = "given up"
        else:
            seen["aborted"] = "answered"
        seen["after"] = (await read("get_execution", execution_id=name))["status"]
        sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    try:
        anyio.run(main, json.loads(sys.argv[1]))
    except* anyio.BrokenResourceError:
        # This SDK does not tell a server that it gave up a call, and trips over its last word while it closes.
        pass
