"""The worked example of a tool's inputs: valid, plausible, and said to be replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.tools.inputs import example_inputs
from tests.tools.bench import Agent, running_bench

pytestmark = pytest.mark.anyio

KEPT = {"protein": "entities/proteins/", "pose": "entities/poses/", "ligand": "entities/ligands/"}
"""Where the files of what holds a path are kept."""


@pytest.fixture(scope="module")
async def agent(anyio_backend: str) -> AsyncIterator[Agent]:
    with running_bench() as bench:
        async with bench.agent() as found:
            yield found


async def test_an_example_is_plausible_and_says_that_all_of_it_is_to_be_replaced(agent: Agent) -> None:
    files = boxes = 0
    for row in (await agent.read("find_platform_tools", limit=100))["tools"]:
        found = await agent.read("describe_platform_tool", tool_key=row["tool_key"])
        assert ("replace every value" in found["next_step"]) == ("example_inputs" in found)
        for path, value in leaves(found.get("example_inputs")):
            holder, _, name = path.rpartition(".")
            if name.startswith("box_size"):
                assert value == 20, path
                boxes += 1
            kind = holder.rpartition(".")[2].rstrip("s12")
            if name == "file_path" and kind in KEPT:
                assert value.startswith(KEPT[kind]), (row["tool_key"], path, value)
                assert value.endswith(".pdb" if kind == "protein" else ".sdf"), (row["tool_key"], path, value)
                files += 1
    assert (boxes, files > 10) == (6, True)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in it that holds nothing further, with its path."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from leaves(entry, f"{path}.{name}")
    elif isinstance(value, list):
        for entry in value:
            yield from leaves(entry, path)
    else:
        yield path, value


def made(name: str, node: dict[str, Any], **root: Any) -> Any:
    """The example's value of one required input."""
    schema = {"type": "object", "required": [name], "properties": {name: node}, **root}
    example = example_inputs(ToolDefinition({"key": "k", "version": "1", "inputs": schema}))
    return None if example is None else example[name]


NUMBER = {"type": "number"}
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("name", "node", "value"),
    [
        ("box_size_x", {**NUMBER, "description": "Length in angstrom"}, 20),
        ("box_size", NUMBER, 20),
        ("box_size", {**NUMBER, "maximum": 12}, 12),
        ("boxSize", {**NUMBER, "description": "Edge in nm"}, 8),
        ("box_count", NUMBER, 1),
        ("center", {"type": "array", "items": NUMBER, "minItems": 3}, [10, 15, 20]),
        ("size_around_the_center", {**NUMBER, "title": "Edge (angstrom)"}, 10),
        ("edge", {**NUMBER, "title": "Edge (angstrom)", "description": "Around the center"}, 20),
        ("radius", {**NUMBER, "title": "Radius (angstrom)"}, 5),
        ("T", {**NUMBER, "title": "Temperature (K)"}, 300),
        ("pH", NUMBER, 7.4),
        ("batch_size", {"type": "integer", "minimum": 50}, 50),
        ("count", {"type": "integer"}, 1),
        ("share", {**NUMBER, "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ("step", {**NUMBER, "exclusiveMinimum": 0, "maximum": 0.5}, 0.5),
        ("energy", {**NUMBER, "exclusiveMaximum": -5}, -6),
    ],
)
def test_numbers_are_of_the_size_that_the_words_suggest(name: str, node: dict[str, Any], value: Any) -> None:
    assert made(name, node) == value


@pytest.mark.parametrize(
    ("name", "node", "value"),
    [
        ("input_path", TEXT, "path/to/file"),
        ("system_xml_file", TEXT, "files/example.xml"),
        ("ligands_file", {**TEXT, "title": "Ligand list file"}, "entities/ligands/ligands.csv"),
        (
            "file",
            {**TEXT, "title": "Structure", "description": "Of the protein without its ligand"},
            "entities/proteins/protein.pdb",
        ),
        (
            "ligand_files",
            {"type": "array", "items": TEXT, "minItems": 2},
            ["entities/ligands/ligand.sdf", "entities/ligands/ligand-2.sdf"],
        ),
        ("smiles", {"type": "array", "items": TEXT, "minItems": 2, "uniqueItems": True}, ["CCO", "c1ccccc1O"]),
        ("kinds", {"type": "array", "items": {"enum": ["p", "q"]}, "minItems": 2}, ["p", "q"]),
        ("pdb_id", {**TEXT, "pattern": "^[A-Z0-9]{4}$"}, "1M17"),
        ("protein_id", TEXT, "08ABCDEFGHJKM"),
        ("note", TEXT, "text"),
    ],
)
def test_texts_are_what_the_words_around_them_ask_for(name: str, node: dict[str, Any], value: Any) -> None:
    assert made(name, node) == value


def test_what_holds_a_file_and_what_a_reference_leads_to_tell_what_it_is() -> None:
    kept = {"x-data-type": "Pose", "required": ["file"], "properties": {"file": TEXT}}
    for place in ("$defs", "definitions"):
        assert made("start", {"$ref": f"#/{place}/kept"}, **{place: {"kept": kept}}) == {
            "file": "entities/poses/pose.sdf"
        }
    listed = {"type": "array", "items": {"$ref": "#/$defs/kept"}}
    assert made("starts", listed, **{"$defs": {"kept": kept}}) == [{"file": "entities/poses/pose.sdf"}]


def test_of_a_molecule_that_requires_nothing_one_name_is_shown() -> None:
    molecule = {"type": "object", "properties": {"id": TEXT, "smiles": TEXT, "file_path": TEXT}}
    assert made("ligand", molecule) == {"smiles": "CCO"}
