"""describe_platform_tool, and the inputs that tools take."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
from typing import Any

import jsonschema
import pytest

from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.tools.catalogue import validators
from deeporigin_mcp.tools.catalogue.checking import checked, example_inputs
from deeporigin_mcp.tools.catalogue.shown_schemas import cleaned
from tests.support.bench import Agent, Bench
from tests.support.people import Person, agent_with

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

DEFINITIONS = {
    (row["key"], row["version"]): row
    for row in Platform().catalogue.rows()
    if row.get("enabled", True) and row.get("inputs")
}


async def test_a_tool_is_described_with_its_schema_and_other_versions(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
    assert found["tool_version"] == "4.2.0"
    assert "enabled" not in found
    schema = found["inputs_schema"]
    assert schema["required"] == ["protein", "pocket"]
    assert schema["oneOf"] == [{"required": ["ligands"]}, {"required": ["ligands_file", "ligands_count"]}]
    assert schema["properties"]["effort"] == {"type": "integer", "default": 1, "minimum": 1, "maximum": 5}
    assert schema["properties"]["protein"]["properties"]["file_path"] == {
        "description": "Structure file; platform file path",
        "type": "string",
    }
    assert "sync" not in schema["properties"]
    assert "x-" not in str(schema)
    assert found["other_versions"]
    old = await agent.read(
        "describe_platform_tool", tool_key="deeporigin.docking", tool_version=found["other_versions"][-1]
    )
    assert old["tool_version"] == found["other_versions"][-1]
    assert "4.2.0" in old["other_versions"]


async def test_what_the_shown_schemas_take_is_what_the_tools_take(agent: Agent) -> None:
    for (key, version), row in DEFINITIONS.items():
        found = await agent.read("describe_platform_tool", tool_key=key, tool_version=version)
        assert "cut" not in found
        jsonschema.Draft202012Validator.check_schema(found["inputs_schema"])
        named = {*row["inputs"]["properties"]} - {"sync"}
        assert {*found["inputs_schema"]["properties"]} == named


async def test_a_schema_that_does_not_fit_loses_its_deepest_levels_and_says_so(bench: Bench) -> None:
    many = {f"option_{number}": {"type": "number", "description": "x" * 150} for number in range(60)}
    wide = {f"stage_{letter}": {"type": "object", "properties": many} for letter in "abcd"}
    docks = bench.platform.catalogue.resolve("deeporigin.docking")
    assert docks is not None
    inputs = {"type": "object", "properties": wide}
    bench.platform.catalogue.definitions.append(dataclasses.replace(docks, key="deeporigin.wide", inputs=inputs))
    try:
        async with bench.agent() as agent:
            found = await agent.read("describe_platform_tool", tool_key="deeporigin.wide")
    finally:
        bench.platform.catalogue.definitions.pop()
    assert {*found["inputs_schema"]["properties"]} == {*wide}
    assert found["cut"] == ["inputs_schema: levels below 1, where … stands"]


@pytest.mark.parametrize(("key", "version"), DEFINITIONS)
async def test_the_example_of_every_tool_is_valid_and_accepted(bench: Bench, key: str, version: str) -> None:
    # Some are created only after a yes.
    async with agent_with(bench.server(), Person()) as agent:
        await example_is_valid_and_accepted(agent, bench, key, version)


async def example_is_valid_and_accepted(agent: Agent, bench: Bench, key: str, version: str) -> None:
    found = await agent.read("describe_platform_tool", tool_key=key, tool_version=version)
    required = found["inputs_schema"].get("required", [])
    assert {*required} <= found["example_inputs"].keys()
    created = await agent.read("create_execution", tool_key=key, tool_version=version, inputs=found["example_inputs"])
    assert created["status"] in ("Quoted", "FailedQuotation")
    assert bench.platform.creates[-1] == created["execution_id"]


async def test_a_schema_of_which_no_example_can_be_made_has_none(bench: Bench) -> None:
    docks = bench.platform.catalogue.resolve("deeporigin.docking")
    assert docks is not None
    inputs = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^q-[0-9]{9}$"}}}
    bench.platform.catalogue.definitions.append(dataclasses.replace(docks, key="deeporigin.odd", inputs=inputs))
    try:
        async with bench.agent() as agent:
            found = await agent.read("describe_platform_tool", tool_key="deeporigin.odd")
    finally:
        bench.platform.catalogue.definitions.pop()
    assert "example_inputs" not in found


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"properties": {"a": {"const": 3}}, "required": ["a"]}, {"a": 3}),
        ({"properties": {"a": {"examples": ["x"]}}, "required": ["a"]}, {"a": "x"}),
        ({"properties": {"a": {"type": ["null", "string"]}}, "required": ["a"]}, {"a": "text"}),
        ({"properties": {"a": {"$ref": "#/$defs/d"}}, "required": ["a"], "$defs": {"d": {"enum": ["p"]}}}, {"a": "p"}),
        ({"properties": {"a": {"oneOf": [{"type": "integer", "minimum": 4}]}}, "required": ["a"]}, {"a": 4}),
        ({"properties": {"a": {"type": "boolean"}}, "required": ["a"]}, {"a": False}),
        ({"properties": {"a": {"type": "array", "minItems": 2}}, "required": ["a"]}, {"a": ["text", "text"]}),
        ({"properties": {"a": {"type": "number", "exclusiveMinimum": 5}}, "required": ["a"]}, {"a": 6}),
        ({"properties": {"a": {"type": "number", "exclusiveMaximum": -5}}, "required": ["a"]}, {"a": -6}),
        ({"properties": {"a": {"type": "number", "minimum": 0.5, "maximum": 0.75}}, "required": ["a"]}, {"a": 0.5}),
        ({"properties": {"a": {"type": "string", "minLength": 6}}, "required": ["a"]}, {"a": "textxx"}),
        ({"properties": {"a": {"type": "string", "pattern": "^[A-Z0-9]{4}$"}}, "required": ["a"]}, {"a": "AAAA"}),
        ({"properties": {"smiles": {"type": "string"}}, "required": ["smiles"]}, {"smiles": "CCO"}),
        (
            {"properties": {"mode": {"type": "string"}, "x": {"type": "integer"}},
             "oneOf": [{"properties": {"mode": {"const": "by-x"}}, "required": ["mode", "x"]}]},
            {"mode": "by-x", "x": 1},
        ),
        (
            {"properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "not": {"required": ["x"]},
             "anyOf": [{"required": ["x"]}, {"required": ["y"]}]},
            {"y": 1},
        ),
        (
            {"allOf": [{"properties": {"x": {"type": "object", "required": ["p"]}}, "required": ["x"]},
                       {"properties": {"x": {"properties": {"p": {"enum": ["q"]}}}}}]},
            {"x": {"p": "q"}},
        ),
        ({"required": ["undescribed"], "properties": {"a": {}}}, {"undescribed": "text"}),
        (
            json.loads('{"required":["a"],"properties":{"a":' * 12 + '{"type":"boolean"}' + "}}" * 12),
            json.loads('{"a":' * 12 + "false" + "}" * 12),
        ),
    ],
)  # fmt: skip
def test_examples_follow_the_schema(schema: dict[str, Any], example: dict[str, Any]) -> None:
    assert example_inputs({"type": "object", **schema}) == example


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        ({"type": "string", "title": "A"}, {"type": "string"}),
        ({"type": "string", "title": "Which one"}, {"description": "Which one", "type": "string"}),
        ({"x-data-type": "Ligand.smiles"}, {"description": "SMILES"}),
        (
            {"enum": ["p", "q"], "x-enum-display-names": ["Properly", "Q"]},
            {"description": "p: Properly", "enum": ["p", "q"]},
        ),
        (
            {"type": "object", "properties": {"title": {"x-key": "k", "type": "string"}}, "x-indexable": True},
            {"properties": {"title": {"type": "string"}}},
        ),
        ({"type": "array", "items": {}, "minItems": 1}, {"items": {}, "minItems": 1}),
        ({"type": "array"}, {"type": "array"}),
        ({"type": "string", "enum": ["p"]}, {"enum": ["p"]}),
        ({"type": ["object", "null"], "properties": {"p": {}}}, {"type": ["object", "null"], "properties": {"p": {}}}),
    ],
)
def test_vendor_keys_become_descriptions_and_implied_types_are_dropped(
    node: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert cleaned({"properties": {"a": node}})["properties"]["a"] == shown


def test_a_schema_that_changes_is_checked_as_it_is_now() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"maximum": 5}}}
    assert checked({"a": 9}, schema).problems
    schema["properties"]["a"]["maximum"] = 10
    assert checked({"a": 9}, schema).problems == []


def test_checkers_are_kept_and_not_without_end() -> None:
    before = validators._cached_validator.cache_info()
    for number in range(3 * validators.CACHED_VALIDATORS):
        schema = {"properties": {"a": {"maximum": number}}}
        assert checked({"a": number + 1}, schema).problems
        assert not checked({"a": number}, schema).problems
    after = validators._cached_validator.cache_info()
    assert after.hits - before.hits >= 3 * validators.CACHED_VALIDATORS
    assert after.currsize == validators.CACHED_VALIDATORS
    big = {"properties": {"a": {"enum": ["x" * validators.MAX_CACHED_CHARACTERS]}}}
    assert checked({"a": "y"}, big).problems
    assert validators._cached_validator.cache_info().misses == after.misses


def test_a_schema_that_refers_to_an_address_sends_nobody_there() -> None:
    asked: list[str] = []

    class Recorder(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Recorder) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{elsewhere.server_port}/inside.json"
        for schema in ({"properties": {"a": {"$ref": address}}}, {"$id": address, "$ref": "other.json"}):
            assert checked({"a": 9}, schema).problems == []
        local = {"properties": {"a": {"$ref": "#/$defs/small"}}, "$defs": {"small": {"maximum": 5}}}
        assert checked({"a": 9}, local).problems == ["a: 9 is greater than the maximum of 5"]
        elsewhere.shutdown()
    assert asked == []


@pytest.mark.parametrize(
    ("tool", "is_quoted"),
    [("docking", True), ("metabolism", False), ("system-prep", False), ("bulk-docking", False)],
)
async def test_a_quote_is_promised_only_where_creating_a_run_starts_nothing(
    agent: Agent, tool: str, is_quoted: bool
) -> None:
    found = await agent.read("describe_platform_tool", tool_key=f"deeporigin.{tool}")
    assert ("quote" in found) is is_quoted
