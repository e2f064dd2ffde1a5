"""describe_platform_tool, and the inputs that tools take."""

from __future__ import annotations

import dataclasses
import http.server
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import jsonschema
import pytest

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.tools import inputs as inputs_module
from deeporigin_mcp.tools.inputs import example_inputs, input_problems
from deeporigin_mcp.tools.nearness import did_you_mean
from tests.money.people import Person, agent_with
from tests.tools.bench import Agent, Bench, compact_size, running_bench

pytestmark = pytest.mark.anyio

DEFINITIONS = {
    (row["key"], row["version"]): row
    for row in Platform().catalogue.rows()
    if row.get("enabled", True) and row.get("inputs")
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        yield found


@pytest.fixture(scope="module")
async def agent(bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    async with bench.agent() as found:
        yield found


async def test_a_tool_is_described_with_a_table_rules_price_and_other_versions(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
    assert (found["tool_version"], found["enabled"]) == ("4.2.0", True)
    assert found["sync"] == "beside inputs; default false"
    rows = {row["path"]: row for row in found["parameters"]}
    assert rows["protein.file_path"] == {
        "path": "protein.file_path",
        "form": "file path",
        "required": "yes",
        "about": "Structure file",
    }
    assert rows["ligands[].smiles"]["required"] == "if ligands"
    assert rows["ligands[].smiles"]["about"] == "SMILES (Ligand.smiles)"
    assert rows["ligands"] == {"path": "ligands", "form": "list of object, 1 to 100 entries", "about": "Ligands"}
    assert rows["effort"]["form"] == "integer, 1 to 5, default 1"
    assert "sync" not in rows
    assert found["rules"] == ["exactly one of: ligands; ligands_file and ligands_count"]
    assert found["price"] == "seen so far: 0.2 USD per ligand; only the quote counts"
    assert "inputs_schema" not in found
    assert found["other_versions"]
    old = await agent.read(
        "describe_platform_tool", tool_key="deeporigin.docking", tool_version=found["other_versions"][-1]
    )
    assert old["tool_version"] == found["other_versions"][-1]
    assert "4.2.0" in old["other_versions"]


async def test_the_schema_itself_is_shown_on_request(agent: Agent) -> None:
    for key, version in DEFINITIONS:
        found = await agent.read("describe_platform_tool", tool_key=key, tool_version=version, detail="detailed")
        assert found["inputs_schema"] == DEFINITIONS[key, version]["inputs"]


async def test_a_price_that_nobody_knows_is_not_made_up(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.secondary-pharma")
    assert found["price"].startswith("not known before the quote; the platform may start it")
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.metabolism")
    assert "without a quote; create_execution asks a person first" in found["price"]


async def test_every_table_has_its_columns_in_one_order(agent: Agent) -> None:
    for key, version in DEFINITIONS:
        told = await agent.call("describe_platform_tool", {"tool_key": key, "tool_version": version})
        head = next(line for line in told.text.splitlines() if line.startswith("parameters ("))
        columns = head.partition(": ")[2].split(" | ")
        assert columns == [name for name in ("path", "form", "required", "about") if name in columns]


async def test_the_values_of_an_enumeration_come_with_their_names(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.admet-properties")
    (form,) = (row["form"] for row in found["parameters"] if row["path"] == "properties")
    assert '"solubility" (Aqueous solubility)' in form
    assert '"half_life" / ' in form
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.mol-props-combined")
    (form,) = (row["form"] for row in found["parameters"] if row["path"] == "molprops")
    assert form.endswith("(Polar surface area)), not empty, default all")


@pytest.mark.parametrize("key", ["deeporigin.abfe-end-to-end", "deeporigin.rbfe"])
async def test_the_largest_tools_are_described_whole_with_what_is_repeated_told_once(agent: Agent, key: str) -> None:
    found = await agent.read("describe_platform_tool", tool_key=key)
    assert "cut" not in found
    rows = {row["path"]: row for row in found["parameters"]}
    assert rows["binding.emeq_md_options.cutoff"]["form"] == "number, 0.5 to 2, default 0.9"
    assert rows["binding.prod_md_options"]["form"] == "object, fields as in binding.emeq_md_options"
    assert rows["solvation"]["form"] == "object, fields as in binding"
    detailed = await agent.read("describe_platform_tool", tool_key=key, detail="detailed")
    assert "cut" not in detailed
    assert len(detailed["parameters"]) >= len(rows)


WIDE = {
    "type": "object",
    "properties": {
        "mode": {"enum": ["a", "b"], "x-enum-display-names": ["With one", "With two"]},
        "codes": {"type": "array", "items": {"enum": [f"code-{number}" for number in range(90)]}},
        **{
            f"stage_{letter}": {
                "type": "object",
                "properties": {f"option_{letter}{number}": {"type": "number"} for number in range(30)},
            }
            for letter in "abcd"
        },
    },
}


async def test_a_table_that_does_not_fit_loses_its_deepest_rows_and_says_which(bench: Bench) -> None:
    docks = bench.platform.catalogue.resolve("deeporigin.docking")
    assert docks is not None
    bench.platform.catalogue.definitions.append(dataclasses.replace(docks, key="deeporigin.wide", inputs=WIDE))
    try:
        async with bench.agent() as agent:
            found = await agent.read("describe_platform_tool", tool_key="deeporigin.wide")
            whole = await agent.follow(found["next_step"])
    finally:
        bench.platform.catalogue.definitions.pop()
    shown = {row["path"] for row in found["parameters"]}
    assert {"mode", "codes", "stage_a", "stage_b", "stage_c", "stage_d", "stage_a.option_a0"} <= shown
    below, forms = found["cut"]
    assert below == f"parameters below stage_c, stage_d ({len(shown)} of 126 shown)"
    assert forms == "form of codes"
    assert found["parameters"][0]["form"] == '"a" / "b"', "names of values go before rows do"
    assert compact_size(found) <= 5_000
    assert len(whole["parameters"]) > len(shown)
    assert whole["inputs_schema"] == WIDE


async def test_a_tool_that_takes_no_sync_says_so(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key="deeporigin.rbfe")
    assert found["sync"] == "not taken"


@pytest.mark.parametrize(("key", "version"), DEFINITIONS)
async def test_the_example_of_every_tool_is_valid_and_accepted(bench: Bench, key: str, version: str) -> None:
    # Some are created only after a yes.
    async with agent_with(bench.server(), Person()) as agent:
        await example_is_valid_and_accepted(agent, bench, key, version)


async def example_is_valid_and_accepted(agent: Agent, bench: Bench, key: str, version: str) -> None:
    found = await agent.read("describe_platform_tool", tool_key=key, tool_version=version)
    jsonschema.validate(found["example_inputs"], DEFINITIONS[key, version]["inputs"])
    required = {row["path"] for row in found["parameters"] if "required" in row and "." not in row["path"]}
    assert required == set(DEFINITIONS[key, version]["inputs"].get("required", []))
    assert required <= found["example_inputs"].keys()
    assert compact_size(found) <= 5_000
    created = await agent.read("create_execution", tool_key=key, tool_version=version, inputs=found["example_inputs"])
    assert created["status"] in ("Quoted", "FailedQuotation")
    assert bench.platform.creates[-1] == created["execution_id"]


def test_a_schema_without_an_example_has_none() -> None:
    impossible = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^[0-9]{9}$"}}}
    assert example_inputs(ToolDefinition({"key": "k", "version": "1", "inputs": impossible})) is None
    assert example_inputs(ToolDefinition({"key": "k", "version": "1", "inputs": {"type": "array"}})) is None


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"properties": {"a": {"const": 3}}, "required": ["a"]}, {"a": 3}),
        ({"properties": {"a": {"examples": ["x"]}}, "required": ["a"]}, {"a": "x"}),
        ({"properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}, {"a": "text"}),
        ({"properties": {"a": {"$ref": "#/$defs/d"}}, "required": ["a"], "$defs": {"d": {"enum": ["p"]}}}, {"a": "p"}),
        ({"properties": {"a": {"oneOf": [{"type": "integer", "minimum": 4}]}}, "required": ["a"]}, {"a": 4}),
        ({"properties": {"a": {"type": "boolean"}}, "required": ["a"]}, {"a": False}),
        ({"properties": {"a": {"type": "array", "minItems": 2}}, "required": ["a"]}, {"a": ["text", "text"]}),
        ({"properties": {"a": {"type": "number", "exclusiveMinimum": 5}}, "required": ["a"]}, {"a": 6}),
        ({"properties": {"a": {"type": "string", "minLength": 6}}, "required": ["a"]}, {"a": "textxx"}),
        ({"properties": {"a": {"type": "string", "maxLength": 2}}, "required": ["a"]}, {"a": "te"}),
        (
            {
                "type": "object",
                "properties": {"mode": {"type": "string"}, "x": {"type": "integer"}},
                "oneOf": [{"properties": {"mode": {"const": "by-x"}}, "required": ["mode", "x"]}],
            },
            {"mode": "by-x", "x": 1},
        ),
    ],
)  # fmt: skip
def test_examples_follow_the_schema(schema: dict[str, Any], example: dict[str, Any]) -> None:
    assert (
        example_inputs(ToolDefinition({"key": "k", "version": "1", "inputs": {"type": "object", **schema}})) == example
    )


def test_nulls_of_optional_inputs_are_taken_and_those_of_required_ones_are_not() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    assert input_problems({"a": "x", "b": None}, schema) == []
    assert input_problems({"a": None}, schema) == ["a: must be of type string; got null"]


def test_a_schema_that_changes_is_checked_as_it_is_now() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"maximum": 5}}}
    assert input_problems({"a": 9}, schema)
    schema["properties"]["a"]["maximum"] = 10
    assert input_problems({"a": 9}, schema) == []


def test_checkers_are_kept_and_not_without_end() -> None:
    before = inputs_module._kept_validator.cache_info()
    for number in range(3 * inputs_module.KEPT_VALIDATORS):
        schema = {"properties": {"a": {"maximum": number}}}
        assert input_problems({"a": number + 1}, schema)
        assert not input_problems({"a": number}, schema)
    after = inputs_module._kept_validator.cache_info()
    assert after.hits - before.hits >= 3 * inputs_module.KEPT_VALIDATORS
    assert after.currsize == inputs_module.KEPT_VALIDATORS
    big = {"properties": {"a": {"enum": ["x" * inputs_module.MAX_KEPT_CHARACTERS]}}}
    assert input_problems({"a": "y"}, big)
    assert inputs_module._kept_validator.cache_info().misses == after.misses


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
            assert input_problems({"a": 9}, schema) == []
        local = {"properties": {"a": {"$ref": "#/$defs/small"}}, "$defs": {"small": {"maximum": 5}}}
        assert input_problems({"a": 9}, local) == ["a: must be at most 5; got 9"]
        elsewhere.shutdown()
    assert asked == []


def test_no_more_problems_are_looked_for_than_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(given: object, known: Iterable[str]) -> str:
        nonlocal compared
        compared += 1
        return did_you_mean(given, known)

    monkeypatch.setattr(inputs_module, "did_you_mean", counted)
    schema = {"properties": {"rows": {"type": "array", "items": {"type": "object"}}}}
    many = 1_000
    assert len(input_problems({f"row_{number}": 1 for number in range(many)}, schema)) == inputs_module.MAX_PROBLEMS
    assert compared == inputs_module.MAX_PROBLEMS
    told = input_problems({"rows": [*range(many)]}, schema)
    assert told[0].startswith("rows.0: must be of type object; got 0")
    assert len(told) == inputs_module.MAX_PROBLEMS
