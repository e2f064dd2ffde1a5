"""What the protocol says of invalid arguments, prompts, resources and completions, and of calls that fail."""

from __future__ import annotations

from typing import Any, cast

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol import resources, tool
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Agent, Bench, agent_of

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")]

ID = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
RUN = {"tool_key": "deeporigin.docking", "run_on": "CCO"}
ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "missing": ("get_execution", {}),
    "type": ("list_executions", {"status": "failed"}),
    "range": ("list_executions", {"page_size": 0}),
    "word, near a valid one": ("list_executions", {"status": ["Runing"]}),
    "word": ("wait_executions", {"execution_ids": [ID], "until": "first"}),
    "field of an entry": ("search_executions", {"filters": [{"column": "a", "value": 1}]}),
    "no alternative": ("search_executions", {"filters": [{"column": "a", "op": "eq", "value": {"x": None}}]}),
    "unknown, near a known one": ("list_executions", {"pagesize": 5, "page": -1}),
    "unknown": ("get_workspace", {"x": 1}),
    "endless": ("search_executions", {"filters": [{}] * 1_001}),
}
PROMPTS: dict[str, tuple[str, dict[str, str]]] = {
    "prompt, unknown": ("dance", {}),
    "prompt, missing argument": ("price_and_run", {"tool_key": "deeporigin.docking"}),
    "prompt, unknown argument": ("price_and_run", {**RUN, "color": "red"}),
    "prompt, key": ("price_and_run", {**RUN, "tool_key": "x y"}),
    "prompt, long text": ("price_and_run", {**RUN, "run_on": "C" * 3_000}),
    "prompt, status": ("follow_executions", {"status": "Dancing"}),
    "prompt, many ids": ("follow_executions", {"execution_ids": f"{ID}," * 102}),
    "prompt, time": ("explain_failures", {"since": "last week"}),
}
URIS = {
    "resource, unknown execution": f"deeporigin://executions/{ID}",
    "resource, unknown tool": "deeporigin://tools/deeporigin.dokcing/latest",
    "resource, unknown version": "deeporigin://tools/deeporigin.docking/77",
    "resource, unknown": "https://example.com/",
}


class Broken:
    """A resource client with a bug."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError


async def refused(asked: Any) -> str:
    with pytest.raises(MCPError) as refusal:
        await asked
    return f"code: {refusal.value.error.code}\n{refusal.value.error.message}"


async def test_messages_of_the_protocol(agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    client = agent.client
    said = {case: await agent.refused(name, **arguments) for case, (name, arguments) in ARGUMENTS.items()}
    for case, (name, values) in PROMPTS.items():
        said[case] = await refused(client.get_prompt(name, values))
    for case, uri in URIS.items():
        said[case] = await refused(client.read_resource(uri))
    argument = {"name": "tool_key", "value": ""}
    said["completion, unknown template"] = await refused(
        client.complete(ResourceTemplateReference(uri="deeporigin://x"), argument)
    )
    said["completion, unknown prompt"] = await refused(client.complete(PromptReference(name="dance"), argument))
    async with bench.agent(mode="legacy") as old:
        said["subscription"] = await refused(old.client.subscribe_resource("deeporigin://tools/x/latest"))
    bench.fault("* */executions* delay=1000")
    for module in (tool, resources):
        monkeypatch.setattr(module, "CALL_SECONDS", 0.05)
    said["timed out"] = await agent.refused("list_executions")
    said["timed out, changing"] = await agent.refused("cancel_execution", execution_id=ID)
    said["timed out, resource"] = await refused(client.read_resource(f"deeporigin://executions/{ID}"))
    bench.heal()
    monkeypatch.undo()

    def connect(settings: Settings) -> DeepOriginClient:
        client = DeepOriginClient(settings, timing=bench.time.timing)
        client.listing = cast("Any", Broken())
        return client

    async with agent_of(bench.server(connect)) as broken:
        said["a bug"] = await broken.refused("list_executions")
    assert_as_agreed("protocol", {case: text.replace("simulated-", "") for case, text in said.items()})
