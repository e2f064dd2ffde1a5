"""Everything a model reads before its first call: reviewed as files, and held to what clients bear.

The files in `tests/surface/` are what the server offers, word for word, so that a change of wording is a reviewed
diff. After a change that is meant:

    UPDATE_SURFACE=1 .venv/bin/python -m pytest tests/test_surface.py
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.shared.exceptions import MCPError

from deeporigin_mcp.server import INSTRUCTIONS, ONLY_READS, RUN_ONE, SWITCHED_OFF, create_server
from deeporigin_mcp.settings import Settings

pytestmark = pytest.mark.anyio

UPDATE = bool(os.environ.get("UPDATE_SURFACE"))
SURFACE = Path(__file__).parent / "surface"

READS = (True, False, True, True)
STARTS = (False, True, True, True)
SAVES = (False, False, True, True)
HINTS = {
    "list_executions": READS,
    "search_executions": READS,
    "get_execution": READS,
    "create_execution": (False, False, False, True),
    "confirm_execution": STARTS,
    "cancel_execution": STARTS,
    "wait_executions": READS,
    "find_platform_tools": READS,
    "describe_platform_tool": READS,
    "get_execution_logs": READS,
    "get_execution_results": READS,
    "find_molecules": READS,
    "import_molecules": SAVES,
    "list_files": READS,
    "upload_file": SAVES,
    "download_files": SAVES,
    "summarize_spending": READS,
    "get_workspace": READS,
}
"""Every tool in its order: read-only, destructive, idempotent, open world (design 3)."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "list_executions": {
        "include_hidden": False,
        "order": "createdAt desc",
        "page": 0,
        "page_size": 20,
        "fetch_all_pages": False,
        "detail": "concise",
    },
    "search_executions": {"limit": 20, "offset": 0, "with_total_count": False, "include_hidden": False},
    "get_execution": {"source": "tools_service", "detail": "concise"},
    "create_execution": {"start": False},
    "confirm_execution": {"wait_seconds": 10},
    "cancel_execution": {},
    "wait_executions": {"timeout_seconds": 45, "poll_interval_seconds": 5, "until": "all"},
    "find_platform_tools": {"query": "", "limit": 30, "include_disabled": False},
    "describe_platform_tool": {"tool_version": "latest"},
    "get_execution_logs": {"limit": 50, "offset": 0},
    "get_execution_results": {"limit": 20},
    "find_molecules": {"limit": 20},
    "import_molecules": {"check_only": False},
    "list_files": {"path": "", "limit": 50},
    "upload_file": {},
    "download_files": {"what": "all", "combine": False},
    "summarize_spending": {"group_by": "tool"},
    "get_workspace": {},
}
PARAMETERS = {
    "list_executions": "tool_key project_id session created_by name_contains created_after created_before "
    "include_hidden order page page_size fetch_all_pages status detail",
    "search_executions": "project_id tool_keys status compute_job_id filters select limit offset with_total_count "
    "include_hidden",
    "get_execution": "execution_id source detail",
    "create_execution": "tool_key tool_version inputs like name metadata outputs project_id cluster_id sync batch_size "
    "tag billing_tag visibility idempotency_key start",
    "confirm_execution": "execution_id expected_price wait_seconds",
    "cancel_execution": "execution_id",
    "wait_executions": "execution_ids timeout_seconds poll_interval_seconds until",
    "find_platform_tools": "query limit include_disabled",
    "describe_platform_tool": "tool_key tool_version",
    "get_execution_logs": "execution_id limit offset level contains",
    "get_execution_results": "execution_id result_type columns order best_per limit cursor",
    "find_molecules": "kind query smiles pdb_id protein_id ligand_id execution_id project_id order limit cursor",
    "import_molecules": "kind path pdb_id url smiles text format execution_id name protein_id project_id tags "
    "check_only",
    "list_files": "path execution_id limit cursor",
    "upload_file": "path text destination",
    "download_files": "paths execution_id what folder combine",
    "summarize_spending": "created_after created_before group_by project_id",
    "get_workspace": "",
}
FIRST_FACT = {
    "list_executions": "List executions",
    "search_executions": "Search the data platform's records of executions",
    "get_execution": "Read one execution",
    "create_execution": "as a quote",
    "confirm_execution": "Start a quoted execution",
    "cancel_execution": "Cancel an execution",
    "wait_executions": "Wait until executions are over",
    "find_platform_tools": "Find scientific tools",
    "describe_platform_tool": "the JSON Schema of its inputs",
    "get_execution_logs": "newest line first",
    "get_execution_results": "Read what a run found",
    "find_molecules": "Find proteins, ligands, pockets and poses that exist",
    "import_molecules": "Bring a protein, ligands, or poses",
    "list_files": "List files of the platform",
    "upload_file": "Upload one file",
    "download_files": "Get files of a run",
    "summarize_spending": "Sum what runs cost",
    "get_workspace": "Show who is signed in",
}
"""What the first sentence of each description has to say."""


async def offered(*, mode: str = "auto", **settings: Any) -> list[dict[str, Any]]:
    """The tools as they are on the wire."""
    async with Client(create_server(Settings.model_validate(settings)), mode=mode) as client:
        listed = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]


@pytest.fixture
async def tools(anyio_backend: str) -> list[dict[str, Any]]:
    return await offered()


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a schema, with its path; properties' names are no keywords."""
    if isinstance(schema, list):
        for number, entry in enumerate(schema):
            yield from nodes(entry, f"{path}.{number}")
    elif isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            if key == "properties":
                for name, entry in value.items():
                    yield from nodes(entry, f"{path}.{name}")
            elif key in ("items", "anyOf", "oneOf", "allOf", "additionalProperties"):
                yield from nodes(value, f"{path}.{key}")


async def test_the_surface_is_what_was_reviewed(tools: list[dict[str, Any]]) -> None:
    now = {f"{tool['name']}.json": json.dumps(tool, indent=2, ensure_ascii=False) + "\n" for tool in tools}
    now["instructions.md"] = INSTRUCTIONS
    if UPDATE:
        SURFACE.mkdir(exist_ok=True)
        for file in SURFACE.iterdir():
            file.unlink()
        for name, content in now.items():
            (SURFACE / name).write_text(content, encoding="utf-8")
    reviewed = {file.name: file.read_text(encoding="utf-8") for file in SURFACE.iterdir()}
    for name in sorted(now.keys() | reviewed.keys()):
        assert now.get(name) == reviewed.get(name), f"{name} changed; if that is meant, run with UPDATE_SURFACE=1"


async def test_the_tools_are_these_in_this_order(tools: list[dict[str, Any]]) -> None:
    assert [tool["name"] for tool in tools] == [*HINTS]


async def test_both_eras_see_the_same_tools_and_instructions() -> None:
    assert await offered(mode="legacy") == await offered(mode="auto")
    for mode in ("legacy", "auto"):
        async with Client(create_server(Settings()), mode=mode) as client:
            assert client.instructions == INSTRUCTIONS


async def test_names_are_short_snake_case_and_titles_are_everywhere(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", tool["name"])
        assert len(tool["name"]) <= 40
        assert tool["title"] == tool["annotations"]["title"]


async def test_all_four_hints_are_explicit(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        hints = tool["annotations"]
        names = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
        assert tuple(hints[name] for name in names) == HINTS[tool["name"]], tool["name"]


async def test_descriptions_start_with_the_deciding_fact_and_are_not_cut_by_clients(
    tools: list[dict[str, Any]],
) -> None:
    for tool in tools:
        description = tool["description"]
        assert len(description) <= 1000, tool["name"]
        assert FIRST_FACT[tool["name"]] in description.split(". ")[0], tool["name"]
        assert not re.search(r"^ |\t", description, re.MULTILINE), "indentation of a docstring"
        reads = tool["annotations"]["readOnlyHint"]
        assert ("reads only" in description.lower()) == reads, "cost and effects are said"


async def test_parameters_and_defaults_are_the_designs(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        schema = tool["inputSchema"]
        name = tool["name"]
        assert set(schema["properties"]) == set(PARAMETERS[name].split()), name
        defaults = {key: value["default"] for key, value in schema["properties"].items() if "default" in value}
        assert defaults == DEFAULTS[name], name
        assert not set(schema.get("required", [])) & defaults.keys()


async def test_every_parameter_is_described_and_its_bounds_are_said_in_words(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        for name, parameter in tool["inputSchema"]["properties"].items():
            assert parameter.get("description") or "enum" in parameter, (tool["name"], name)
            for bound in ("maximum", "maxItems"):
                if bound in parameter:
                    told = parameter["description"].replace(",", "")
                    assert str(int(parameter[bound])) in told, (tool["name"], name, bound)


@pytest.mark.parametrize("kind", ["inputSchema", "outputSchema"])
async def test_schemas_are_of_the_kind_that_every_client_can_read(tools: list[dict[str, Any]], kind: str) -> None:
    for tool in tools:
        schema = tool[kind]
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf", "not"} & schema.keys()
        for path, node in nodes(schema):
            place = f"{tool['name']} {kind}{path}"
            assert not {"$ref", "$defs", "definitions", "title"} & node.keys(), place
            assert not isinstance(node.get("type"), list), place
            assert node.get("type") != "null", place
            assert None not in node.get("enum", []), place
            assert node.get("default", 0) is not None, place
            assert node.get("type") != "array" or "items" in node, place
            assert node.get("type") != "object" or "properties" in node, place
            assert {"type", "enum", "anyOf"} & node.keys(), f"{place} accepts anything"


async def test_the_input_schema_takes_nothing_that_it_does_not_name(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert tool["inputSchema"]["additionalProperties"] is False


async def test_the_surface_is_affordable(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        assert len(compact(tool["inputSchema"])) <= 4_500, tool["name"]
    read = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]
    assert len(compact(read)) <= 16_000
    assert len(compact(tools)) <= 36_000
    assert len(INSTRUCTIONS) < 1_500


async def test_instructions_and_descriptions_name_only_tools_that_exist(tools: list[dict[str, Any]]) -> None:
    texts = [INSTRUCTIONS, *(tool["description"] for tool in tools)]
    texts += [str(entry.get("description")) for tool in tools for _, entry in nodes(tool["inputSchema"])]
    named = {word for text in texts for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)}
    parameters = {name for names in PARAMETERS.values() for name in names.split()}
    fields = {name for tool in tools for _, node in nodes(tool["outputSchema"]) for name in node.get("properties", {})}
    assert named <= HINTS.keys() | parameters | fields | {"tools_service", "data_platform", "pose_score", "best_poses"}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_read_only_mode_takes_away_exactly_the_writing_tools(mode: str) -> None:
    left = [tool["name"] for tool in await offered(mode=mode, read_only=True)]
    # Downloading changes nothing on the platform.
    assert left == [name for name, hints in HINTS.items() if hints[0] or name == "download_files"]
    async with Client(create_server(Settings(read_only=True)), mode=mode) as client:
        for tool, arguments in (
            ("create_execution", {"tool_key": "t", "inputs": {}}),
            ("confirm_execution", {"execution_id": "x"}),
            ("cancel_execution", {"execution_id": "x"}),
        ):
            try:
                answer = await client.call_tool(tool, arguments)
            except MCPError as error:
                assert "nknown tool" in str(error)  # noqa: PT017
            else:
                assert answer.is_error
                assert "nknown tool" in str(answer.content)


TOOL_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


@pytest.mark.parametrize(
    "values",
    [
        {"read_only": True},
        {"toolsets": ("executions",)},
        {"toolsets": ("catalogue",)},
        {"toolsets": ("workspace",)},
        {"toolsets": ("files",)},
        {"toolsets": ("catalogue", "workspace"), "read_only": True},
    ],
    ids=str,
)
async def test_instructions_name_only_tools_that_are_offered(values: dict[str, Any]) -> None:
    async with Client(create_server(Settings(**values))) as client:
        left = {tool.name for tool in (await client.list_tools()).tools}
        told = client.instructions or ""
    assert {*TOOL_NAME.findall(told)} & HINTS.keys() <= left
    steps = re.findall(r"^(\d)\. ", told, re.MULTILINE)
    assert steps == [str(number + 1) for number in range(len(steps))]
    assert (RUN_ONE in told) is ("create_execution" in left)
    assert (ONLY_READS in told) is ("create_execution" not in left)
    others_are_missing = any(hints[0] and name not in left for name, hints in HINTS.items())
    assert (SWITCHED_OFF in told) is others_are_missing
