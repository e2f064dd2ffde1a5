"""What a model reads of the platform's tools, and of inputs that do not fit them."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from typing import Any

import pytest

from deeporigin_mcp.tools.catalogue.checking import checked
from deeporigin_mcp.tools.catalogue.pricing import price_rule
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Agent, Bench, docking
from tests.support.schemas import DOUBTFUL, INVALID

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

DOCKING = "deeporigin.docking"
ODD = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^q-[0-9]{9}$"}}}


async def test_what_finding_and_describing_say(bench: Bench) -> None:
    async def step(tool: str, **arguments: Any) -> str:
        return str((await agent.read(tool, **arguments))["next_step"])

    messages: dict[str, str] = {}
    known = bench.platform.catalogue.definitions
    docks = bench.platform.catalogue.resolve(DOCKING)
    assert docks is not None
    known.append(dataclasses.replace(docks, key="deeporigin.odd", inputs=ODD))
    try:
        async with bench.agent() as agent:
            for query in ("docking", "antibody slvxtiqn"):
                messages[f"find {query}"] = await step("find_platform_tools", query=query)
            for key in (DOCKING, "deeporigin.odd", "deeporigin.metabolism", "deeporigin.bulk-docking"):
                messages[f"describe {key}"] = await step("describe_platform_tool", tool_key=key)
            messages |= await _errors(agent)
    finally:
        known.pop()
    async with bench.agent(allowed_tool_keys=("deeporigin.dockin",)) as agent:
        messages["an allowed key that matches nothing"] = await step("find_platform_tools", query="dock")
    for tool in ("docking", "mol-props-protonation", "secondary-pharma", "metabolism", "structure-report"):
        messages[f"price of {tool}"] = price_rule(f"deeporigin.{tool}")
    messages = {case: re.sub(r"simulated-\d+", "…", message) for case, message in messages.items()}
    assert_as_agreed("catalogue", messages)


async def _errors(agent: Agent) -> dict[str, str]:
    described = {
        "unknown tool": {"tool_key": "deeporigin.qwxz"},
        "misspelt tool": {"tool_key": "deeporigin.dokcing"},
        "unknown version": {"tool_key": DOCKING, "tool_version": "9.9.9"},
    }
    messages = {case: await agent.refused("describe_platform_tool", **given) for case, given in described.items()}
    inputs = docking("CCO")["inputs"]
    messages["disabled tool"] = await agent.refused("create_execution", tool_key="deeporigin.bulk-docking", inputs={})
    messages["invalid inputs"] = await agent.refused(
        "create_execution", tool_key=DOCKING, inputs={**inputs, "effort": 9, "efort": 1}
    )
    messages["no executions of an unknown tool"] = (await agent.read("list_executions", tool_key="acme.retired"))[
        "next_step"
    ]
    return messages


def test_what_is_said_of_inputs() -> None:
    messages = {case: "\n".join(checked(inputs, schema).problems[:2]) for case, (inputs, schema, _) in INVALID.items()}
    messages |= {case: "\n".join(checked(inputs, schema).warnings) for case, (inputs, schema) in DOUBTFUL.items()}
    messages["a file of ligands"] = "\n".join(checked({"ligands_file": "a.csv"}, {}).warnings)
    (repeats,) = checked({"smiles_list": ["CCO", "CCN", "CCO"]}, {}).repeats
    messages["duplicates"] = repeats.message(Decimal("0.6"))
    messages["duplicates of a run without a price"] = repeats.message(None)
    assert_as_agreed("catalogue_inputs", messages)
