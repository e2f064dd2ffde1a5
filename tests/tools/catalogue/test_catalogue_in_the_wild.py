"""Definitions, versions and inputs as the real platform has them (platform-facts 1.11, 7) are taken and shown."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.simulator.model.catalogue import Definition
from deeporigin_mcp.tools.catalogue.checking import UNREAD, checked, example_inputs
from deeporigin_mcp.tools.catalogue.shown_schemas import cleaned
from tests.support.bench import Agent, Bench, docking
from tests.support.schemas import doubling

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

REFERENCE = {"$provider": "ufa", "key": "patent/a.pdf"}


def tool(inputs: dict[str, Any], **fields: Any) -> Definition:
    return Definition(
        **{"key": "acme.tool", "version": "1.0.0", "name": "T", "description": "T", **fields}, inputs=inputs
    )


@asynccontextmanager
async def serving(bench: Bench, *definitions: Definition) -> AsyncIterator[Agent]:
    """An agent of a platform that has these tools too."""
    known = bench.platform.catalogue.definitions
    known += definitions
    try:
        async with bench.agent() as agent:
            yield agent
    finally:
        del known[-len(definitions) :]


FILE = {"type": "string", "format": "file"}
TAKES_A_FILE: dict[str, dict[str, Any]] = {
    "a text that is mounted": {**FILE, "x-deeporigin-path": "/inputs/a.pdf"},
    "with a pattern of its name": {**FILE, "pattern": r".*\.pdf$", "x-deeporigin-path": "/inputs/a.pdf"},
    "with a pattern without a folder": {**FILE, "pattern": r"^[^/]+\.(pdf|PDF)$", "x-deeporigin-path": "/in"},
    "with the least length": {**FILE, "minLength": 3},
    "without a type": {"format": "file", "x-deeporigin-path": "/inputs/a.pdf"},
    "without a format": {"type": "string", "x-deeporigin-path": "/inputs/a.pdf"},
    "as an object": {
        "type": "object",
        "properties": {"$provider": {"enum": ["ufa", "s3"]}, "key": FILE},
        "required": ["$provider", "key"],
    },
    "a directory": {"type": "string", "format": "directory", "x-deeporigin-path": "/storage/data"},
    "by its data type": {"type": "string", "x-data-type": "Protein.file_path"},
    "or null": {"type": ["string", "null"], "format": "file"},
    "one of both": {"oneOf": [FILE, {"type": "object", "properties": {"$provider": {}, "key": {"type": "string"}}}]},
    "by reference": {"$ref": "#/$defs/file"},
    "in an alternative of an alternative": {"anyOf": [{"allOf": [{"oneOf": [FILE, {"type": "integer"}]}]}]},
}


@pytest.mark.parametrize("node", TAKES_A_FILE.values(), ids=TAKES_A_FILE)
def test_a_file_is_taken_in_both_forms_wherever_a_schema_asks_for_one(node: dict[str, Any]) -> None:
    for schema, wrap in (
        ({"properties": {"f": node}, "required": ["f"]}, lambda value: {"f": value}),
        ({"properties": {"l": {"type": "array", "items": node}}}, lambda value: {"l": [value]}),
        ({"properties": {"o": {"type": "object", "properties": {"f": node}}}}, lambda value: {"o": {"f": value}}),
    ):
        whole = {"type": "object", "$defs": {"file": FILE}, **schema}
        for value in (REFERENCE, "patent/a.pdf", {**REFERENCE, "$provider": "s3"}):
            assert checked(wrap(value), whole).problems == []
        wrong: list[Any] = [{"$provider": "ufa"}, 5, ["a.pdf"], {}, "", {**REFERENCE, "key": " "}, "%PDF-1.4\nabc"]
        # What another alternative takes is right.
        for value in wrong if not {"oneOf", "anyOf"} & node.keys() else ():
            assert checked(wrap(value), whole).problems, value


@pytest.mark.parametrize("node", TAKES_A_FILE.values(), ids=TAKES_A_FILE)
def test_how_a_file_is_given_is_shown_and_the_example_is_taken(node: dict[str, Any]) -> None:
    schema = {"type": "object", "required": ["f"], "properties": {"f": node}, "$defs": {"file": FILE}}
    example = example_inputs(schema)
    assert example is not None
    path = example["f"]["key"] if isinstance(example["f"], dict) else example["f"]
    assert path.startswith(("path/to/f", "file"))
    assert ("$provider" if isinstance(example["f"], dict) else "path") in str(cleaned(schema))
    if "x-deeporigin-path" in node:
        assert example["f"] == {"$provider": "ufa", "key": path}
    if node.get("format") == "directory":
        assert path == "path/to/folder"


def test_a_path_of_2026_is_shown_as_a_path() -> None:
    schema = {"type": "object", "required": ["file_path"], "properties": {"file_path": FILE}}
    assert cleaned(schema)["properties"]["file_path"] == {"description": "platform file path", "type": "string"}
    assert example_inputs(schema) == {"file_path": "path/to/file"}


async def test_a_file_is_sent_as_it_was_given(bench: Bench) -> None:
    async with bench.agent() as agent:
        for value in (REFERENCE, "patent/a.pdf"):
            quote = await agent.read("create_execution", tool_key="deeporigin.draco", inputs={"input_file": value})
            assert bench.platform.executions[quote["execution_id"]].inputs["input_file"] == value
            assert "input_warnings" not in quote
        described = await agent.read("describe_platform_tool", tool_key="deeporigin.draco")
        assert described["example_inputs"] == {"input_file": {"$provider": "ufa", "key": "path/to/file.pdf"}}


async def test_a_file_of_another_name_than_the_pattern_is_a_warning_and_left_to_the_platform(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"f": {**FILE, "pattern": r"^in\.pdf$"}}}
    bench.platform.add_file("a.txt")
    async with serving(bench, tool(schema)) as agent:
        quote = await agent.read(
            "create_execution", tool_key="acme.tool", inputs={"f": {"$provider": "ufa", "key": "a.txt"}}
        )
        assert "input_warnings" not in quote
    found = checked({"f": "patent/in.pdf"}, schema)
    assert found.problems == []
    assert [warning.partition(":")[0] for warning in found.warnings] == ["f"]


async def test_a_tool_that_requires_what_it_does_not_describe_can_be_priced(bench: Bench) -> None:
    odd = tool({"type": "object", "required": ["a", "hidden"], "properties": {"a": {"type": "integer"}}})
    async with serving(bench, odd) as agent:
        described = await agent.read("describe_platform_tool", tool_key="acme.tool")
        assert described["example_inputs"] == {"a": 1, "hidden": "text"}
        error = await agent.error("create_execution", tool_key="acme.tool", inputs={"b": 1})
        assert error.code == "invalid_inputs"


BUILDS = ("1.1.17475131249002", "1.1.1758069102440", "1.1.1758069102439", "1.0.9")


async def test_versions_are_compared_by_all_their_digits(bench: Bench) -> None:
    shuffled = [tool({}, version=version) for version in (BUILDS[2], BUILDS[0], BUILDS[3], BUILDS[1])]
    async with serving(bench, *shuffled) as agent:
        found = await agent.read("find_platform_tools", query="acme.tool")
        assert found["tools"][0]["tool_version"] == BUILDS[0]
        described = await agent.read("describe_platform_tool", tool_key="acme.tool", tool_version="1.0.9")
        assert described["other_versions"] == [*BUILDS[:3]]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.3", "1.10.0"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.0.0-rc.2", "1.0.0-rc.10"),
        ("1.0.0-1758069102439", "1.0.0-17580691024390"),
        ("1.1.9999999999999", "1.1.10000000000000"),
        ("junk", "0.0.1"),
        ("1." + "9" * 50, "1.1" + "0" * 50),
    ],
)
def test_the_newer_of_two_versions(older: str, newer: str) -> None:
    assert ToolDefinition({"version": older}).version_order < ToolDefinition({"version": newer}).version_order


async def test_of_hundreds_of_versions_some_are_named_and_the_rest_counted(bench: Bench) -> None:
    async with serving(bench, *(tool({}, version=f"1.0.{number}") for number in range(287))) as agent:
        described = await agent.read("describe_platform_tool", tool_key="acme.tool", tool_version="1.0.0")
        assert described["other_versions"] == [f"1.0.{number}" for number in range(286, 278, -1)]
        assert described["cut"] == ["other_versions: 278 more"]
        error = await agent.error("describe_platform_tool", tool_key="acme.tool", tool_version="9.9.9")
        assert error.code == "not_found"


async def test_a_tool_that_is_gone_but_has_runs_is_only_said_to_be_gone(bench: Bench) -> None:
    name = bench.raw(tool={"key": "acme.retired", "version": "1.0.0"})
    async with bench.agent() as agent:
        found = await agent.read("list_executions", tool_key="acme.retired")
        assert [row["execution_id"] for row in found["executions"]] == [name]
        found = await agent.read("list_executions", tool_key="acme.retired", status=["Failed"])
        assert "acme.retired" in found["next_step"]


async def test_what_the_platform_features_is_marked_and_listed_first(bench: Bench) -> None:
    plain = tool({}, key="acme.assay", name="Assay of ligands", description="Docks, too.")
    featured = dataclasses.replace(plain, key="zzz.assay", featured=True)
    async with serving(bench, plain, featured) as agent:
        for query in ("", "assay"):
            found = await agent.read("find_platform_tools", query=query)
            assert (found["tools"][0]["tool_key"], found["tools"][0]["featured"]) == ("zzz.assay", True)
            assert not any("featured" in row for row in found["tools"][1:])
        assert (await agent.read("describe_platform_tool", tool_key="zzz.assay"))["featured"] is True


FILES = {"data_file": {"$provider": "ufa", "key": "tool-runs/x/data.csv"}, "results_sdf": {"key": "tool-runs/x/r.sdf"}}


async def test_the_files_that_a_run_wrote_are_shown(bench: Bench) -> None:
    name = bench.raw(status="Completed", userOutputs=FILES, jobOutputs=None)
    async with bench.agent() as agent:
        assert (await agent.read("get_execution_results", execution_id=name))["outputs"] == FILES
        assert (await agent.read("get_execution", execution_id=name, detail="detailed"))["outputs"] == FILES
        served = bench.raw(status="Completed", userOutputs=FILES, jobOutputs={"a": 1})
        assert (await agent.read("get_execution_results", execution_id=served))["outputs"] == {"a": 1}
        odd: list[Any] = [{}, None, [], "x"]
        for nothing in odd:
            empty = bench.raw(status="Completed", userOutputs=nothing, jobOutputs=None)
            assert "outputs" not in await agent.read("get_execution_results", execution_id=empty)


async def test_files_do_not_hide_the_rows_of_a_run(bench: Bench) -> None:
    async with bench.agent() as agent:
        inputs = docking("CCO", "CCN", sync=False)["inputs"]
        done = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=86_400, outputs=FILES)
        found = await agent.read("get_execution_results", execution_id=done)
        assert found["rows"]
        assert found["outputs"] == FILES


@pytest.mark.parametrize("of", ["allOf", "required", "not"])
async def test_a_small_schema_without_end_delays_nobody_and_is_left_to_the_platform(bench: Bench, of: str) -> None:
    async with serving(bench, tool(doubling(26, of=of))) as agent:
        described = await agent.read("describe_platform_tool", tool_key="acme.tool")
        assert described["inputs_schema"]["required"] == ["x"]
        error = await agent.error("create_execution", tool_key="acme.tool", inputs={"x": "a", "zzz": 1})
        assert error.code == "invalid_inputs"


def test_a_schema_without_end_is_warned_of() -> None:
    assert checked({"x": "a"}, doubling(26, of="allOf")).warnings == [UNREAD]
