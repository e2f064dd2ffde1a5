"""Molecules that nobody can mean do not reach a price; those given twice are told with it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.catalogue.checking import checked
from deeporigin_mcp.tools.molecules.smiles import name_problem, smiles_problem
from tests.support.bench import Agent, Bench, docking

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]


BAD = {
    "": "is empty",
    " \n": "is empty",
    "C/N=C\n1ccccc1": "has a line end at character 6. In JSON a backslash is written twice",
    "CCO\r\n": "has a line end at character 4",
    "CCO\tethanol": "has a tab at character 4",
    "C/C=C\x08C": "has an unprintable character (U+0008) at character 6. In JSON a backslash is written twice",
    "COc1ccc\u200b(cc1)O": "has ZERO WIDTH SPACE (U+200B) at character 8",
    "\ufeffCCO": "has ZERO WIDTH NO-BREAK SPACE (U+FEFF) at character 1",
    "CCO\u00a0": "has NO-BREAK SPACE (U+00A0) at character 4",
    "CC(=O)[O\u2212]": "has MINUS SIGN (U+2212) at character 9",
    "\u0421CO": "has CYRILLIC CAPITAL LETTER ES (U+0421) at character 1",
    "CCO\ud800": "has an unprintable character (U+D800) at character 4",
    "CCO ethanol": "has a blank at character 4",
    " CCO": "has a blank at character 1",
    "CCO;CCN": "has ';' at character 4",
    '"CCO"': "has '\"' at character 1",
    "aspirin": "has 'a' at character 1",
    "CC[C@H](O": "has 1 ( that no ) closes",
    "CC)O": "has a ) without its ( at character 3",
    "C[C@HC": "has a bracket [ without its other half at character 2",
    "C]C": "has a bracket ] without its other half at character 2",
    "C[]C": "has a bracket [ without its other half at character 2",
    "C[[NH4+]]": "has a bracket [ without its other half at character 2",
    "c1ccccc": "does not close ring 1",
    "C1CC2": "does not close ring 1, 2",
    "c1ccccc%10": "does not close ring 1, 10",
    "CCO\\": r"has '\\' at character 4, which leads to no atom",
    "C(=)C": "has '=' at character 3, which leads to no atom",
    "C==C": "has '=' at character 2, which leads to no atom",
    "=CC": "has '=' at character 1, which leads to no atom",
    "C..C": "has '.' at character 2, which leads to no atom",
    "[Na+].": "has '.' at character 6, which leads to no atom",
    "CC()C": "has '()' at character 3, which leads to no atom",
    "-": "has no atom",
}


@pytest.mark.parametrize(("smiles", "problem"), BAD.items(), ids=map(ascii, BAD))
async def test_a_smiles_that_cannot_be_meant_is_refused_before_a_price(
    agent: Agent, bench: Bench, smiles: str, problem: str
) -> None:
    assert (smiles_problem(smiles) or "").startswith(problem)
    if "\ud800" not in smiles:
        posts = len(bench.sent("POST"))
        message = await agent.refused("create_execution", **docking("CCO", smiles))
        shown = json.dumps(smiles)[:-1]
        assert f"ligands.1.smiles: {' '.join(shown.split())}" in message
        assert len(bench.sent("POST")) == posts


GOOD = (
    "C", "[2H]C([2H])([2H])O", "F/C=C\\F", "CCN.Cl", "*CCO", "N[C@@H](C)C(=O)O", "c1ccc2%10ccccc2c1.C%10",
    "[Na+].[Cl-]", "C$C", "[U]$[U]", "CCO>>CC=O", "CC(=O)O.OCC>[H+]>CC(=O)OCC", "C%(100)CCCCC%(100)", "C0CC0",
    "C1CC1C1CC1", "C12CC1CC2", "[*:1]CC[*:2]", "[13CH4]", "[C@SP1](F)(Cl)(Br)I", "[NH3]->[Pt](<-[NH3])(Cl)Cl",
    "b1ccccc1", "c1ccsc1", "[se]1cccc1", "[te]1cccc1", "C:C", "C~C", "BrCCl", "[Fe+++]", "[#6]", "C1CCCCC%01",
    "C(=O)([O-])[O-]", "[NH3+]CC(=O)[O-]", "C=1CCCCC=1", "C/1=C/CCCCCC1", "[Cu+2]<-[OH2]", "(CC)O", "CC>>",
    "OC(=O)" + "C" * 5_000, "C(" * 50 + "C" + ")" * 50,
)  # fmt: skip


@pytest.mark.parametrize("smiles", GOOD, ids=[text[:30] for text in GOOD])
def test_an_unusual_smiles_that_may_be_valid_passes(smiles: str) -> None:
    assert smiles_problem(smiles) is None


atoms = st.sampled_from(["C", "N", "O", "c", "n", "s", "Cl", "Br", "*", "[13C]", "[C@@H]", "[NH4+]", "[O-]", "[*:3]"])
bonds = st.sampled_from(["", "", "-", "=", "#", "$", ":", "/", "\\", "~"])
rings = st.sampled_from(["1", "2", "0", "%10", "%99", "%(123)"])
chains = st.recursive(
    st.tuples(bonds, atoms).map("".join),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map("".join)
        | inner.map(lambda text: f"C({text})")
        | st.tuples(inner, rings).map(lambda pair: f"C{pair[1]}{pair[0]}C{pair[1]}")
    ),
    max_leaves=12,
)
molecules = st.lists(chains.map(lambda text: "C" + text), min_size=1, max_size=3).map(".".join)


@given(molecules)
def test_whatever_the_grammar_makes_passes(smiles: str) -> None:
    assert smiles_problem(smiles) is None


@given(molecules, st.data(), st.characters(max_codepoint=0x3000).filter(lambda letter: not "!" <= letter <= "~"))
def test_one_character_that_cannot_be_seen_or_typed_is_found_wherever_it_is(
    smiles: str, data: Any, letter: str
) -> None:
    place = data.draw(st.integers(0, len(smiles)))
    assert f"at character {place + 1}" in (smiles_problem(smiles[:place] + letter + smiles[place:]) or "")


@given(molecules)
def test_half_of_a_pair_is_found(smiles: str) -> None:
    for broken in (smiles + "(", smiles + "[", smiles + "]", smiles + ")", smiles + "C3"):
        assert smiles_problem(broken)


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    smiles_problem(text)
    name_problem(text)


TEXT: dict[str, Any] = {"type": "string"}
MARKED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "by its data type": ({"x": {**TEXT, "x-data-type": "Ligand.smiles"}}, {"x": "C C"}, "x"),
    "by another's data type": ({"x": {**TEXT, "x-data-type": "Molecule.SMILES"}}, {"x": "C C"}, "x"),
    "by its format": ({"x": {**TEXT, "format": "smiles"}}, {"x": "C C"}, "x"),
    "by its key": ({"x": {**TEXT, "x-key": "ligand.smiles"}}, {"x": "C C"}, "x"),
    "behind a reference": (
        {"x": {"type": "array", "items": {"$ref": "#/properties/y"}}, "y": {**TEXT, "x-data-type": "Ligand.smiles"}},
        {"x": ["CC", "C C"]},
        "x.1",
    ),
    "in an alternative": (
        {"x": {"anyOf": [{"type": "null"}, {**TEXT, "x-data-type": "Ligand.smiles"}]}},
        {"x": "C C"},
        "x",
    ),
    "a marked list": ({"x": {"type": "array", "x-data-type": "Ligand.smiles"}}, {"x": ["C", "C C"]}, "x.1"),
    "by its name": ({"core_smiles": TEXT}, {"core_smiles": "C C"}, "core_smiles"),
    "by a name in another spelling": ({"ligandSmiles": TEXT}, {"ligandSmiles": "C C"}, "ligandSmiles"),
    "by a short name": ({"query_smi": TEXT}, {"query_smi": "C(C"}, "query_smi"),
    "by a name with a number": ({"smiles_2": TEXT}, {"smiles_2": ""}, "smiles_2"),
    "a list in another spelling": ({"smilesList": {"items": TEXT}}, {"smilesList": ["C", "C\r"]}, "smilesList.1"),
    "a name behind a ligand of a list": ({"ligands": {}}, {"ligands": ["CCN", "CCO ethanol"]}, "ligands.1"),
    "half a ligand of a list": ({"ligands": {}}, {"ligands": ["CCN", "CC(C"]}, "ligands.1"),
    "an id in a list": ({"ligand_ids": {}}, {"ligand_ids": ["08A", "08\u00adB"]}, "ligand_ids.1"),
    "a list by its name": ({"smiles_list": {"items": TEXT}}, {"smiles_list": ["C", ""]}, "smiles_list.1"),
    "in what the schema does not describe": ({"x": {}}, {"x": {"pairs": [{"smiles": "C\n"}]}}, "x.pairs.0.smiles"),
    "twelve levels deep": (
        {"a": {}},
        json.loads('{"a":' * 12 + '{"smiles":"C1C"}' + "}" * 12),
        "a." * 12 + "smiles",
    ),
    "a list of ligands as texts": ({"ligands": {"type": "array"}}, {"ligands": ["08A", "CC\u200bO"]}, "ligands.1"),
    "a text that is a ligand": ({"x": {**TEXT, "x-data-type": "Ligand"}}, {"x": "\t08A"}, "x"),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "inputs", "path"), MARKED.values(), ids=MARKED)
def test_every_field_that_holds_a_molecule_is_checked(properties: dict[str, Any], inputs: Any, path: str) -> None:
    (problem,) = checked(inputs, {"type": "object", "properties": properties}).problems
    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smarts", "[c;R1]!@c"),
        ("ligands", ["beta-estradiol 17", "\u03b2-estradiol", "08L1GAND00001"]),
        ("smiles_column", "canonical smiles"),
        ("molecules", ["1-(2-chloro-phenyl) urea", "C12", "aspirin 100 mg"]),
        ("smithy", "J C"),
        ("process_smiles", True),
        ("note", "two\nlines"),
    ],
)
def test_what_is_no_smiles_is_not_read_as_one(name: str, value: Any) -> None:
    assert checked({name: value}, {"properties": {name: {}}}).problems == []


async def test_repeated_molecules_are_warned_about_with_what_they_cost(agent: Agent) -> None:
    quote = await agent.read("create_execution", **docking("CCO", "CCN", "CCO", "CCO"))
    assert quote["quoted_price"] == 0.8
    (warning,) = quote["input_warnings"]
    assert warning.startswith("ligands: 4 entries, 2 of them duplicates (CCO 3 times); ")
    assert warning.endswith("0.40 of 0.80 USD.")
    assert "input_warnings" not in await agent.read("create_execution", **docking("CCO", "CCN"))


@pytest.mark.parametrize(
    ("price", "told"),
    [("0.005", "0.003333 of 0.005"), ("151.25", "100.80 of 151.25"), ("0.0000003", "0.0000002 of 0.0000003")],
)
def test_the_price_of_duplicates_is_the_price_that_is_quoted(price: str, told: str) -> None:
    (repeats,) = checked({"smiles_list": ["C"] * 3}, {}).repeats
    assert repeats.message(Decimal(price)).endswith(f" {told} USD.")


REPEATED: dict[str, tuple[dict[str, Any], list[tuple[str, int, int]]]] = {
    "under other ids": ({"ligands": [{"id": "1", "smiles": "C"}, {"id": "2", "smiles": "C"}]}, [("ligands", 2, 1)]),
    "by file": ({"ligands": [{"file_path": "a"}, {"file_path": "a"}, {"file_path": "b"}]}, [("ligands", 3, 2)]),
    "under other names": ({"ligands": [{"id": "1", "name": "a"}, {"name": "b", "id": "1"}]}, [("ligands", 2, 1)]),
    "as texts or ids": ({"ligands": ["C", "08A", "C", "08A"]}, [("ligands", 4, 2)]),
    "as text and object": ({"ligands": ["C", {"smiles": "C", "name": "methane"}]}, [("ligands", 2, 1)]),
    "ids": ({"ligand_ids": ["08A", "08B", "08A"]}, [("ligand_ids", 3, 2)]),
    "as texts": ({"smiles_list": ["C", "CC", "C"]}, [("smiles_list", 3, 2)]),
    "as names": ({"ligands": ["CCO", "CCO", "08L1GAND00001"]}, [("ligands", 3, 2)]),
    "two lists": ({"a": [{"x": 1}] * 2, "b": {"c": [{"y": 1}] * 3}}, [("a", 2, 1), ("b.c", 3, 1)]),
    "none": ({"ligands": [{"smiles": "C"}, {"smiles": "CC"}], "center": [1, 1, 1], "names": ["a", "a"]}, []),
}


@pytest.mark.parametrize(("inputs", "repeats"), REPEATED.values(), ids=REPEATED)
def test_equal_entries_are_counted_list_by_list(inputs: dict[str, Any], repeats: list[tuple[str, int, int]]) -> None:
    found = checked(inputs, {})
    assert found.problems == []
    assert [(one.path, one.count, one.distinct) for one in found.repeats] == repeats


async def test_a_list_file_is_said_to_be_unread(agent: Agent) -> None:
    inputs = {name: value for name, value in docking("C")["inputs"].items() if name != "ligands"}
    inputs |= {"ligands_file": "entities/ligands.csv", "ligands_count": 3}
    quote = await agent.read("create_execution", tool_key="deeporigin.docking", inputs=inputs)
    assert quote["input_warnings"] == ["ligands_file: the molecules in this file were not checked."]


async def test_a_list_given_where_its_file_belongs_is_refused(agent: Agent) -> None:
    inputs = {name: value for name, value in docking("C")["inputs"].items() if name != "ligands"}
    inputs |= {"ligands_file": "smiles,name\nCCO,ethanol\n", "ligands_count": 1}
    message = await agent.refused("create_execution", tool_key="deeporigin.docking", inputs=inputs)
    assert "ligands_file: " in message
    assert "is not a path" in message
