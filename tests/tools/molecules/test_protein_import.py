"""Structures become proteins, once."""

from __future__ import annotations

import pytest

from tests.support.bench import Agent, Bench
from tests.support.imports import PDB, TOOL, content, rows

pytestmark = pytest.mark.anyio


async def test_a_structure_of_the_users_disk_becomes_the_protein_of_a_run(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="protein", path="model.pdb")
    assert set(found) == {"structure", "as_input"}
    assert set(found["as_input"]) == {"id", "file_path"}
    assert "1 chain A, 60 residues, 1 ligand (STI), 5 waters" in found["structure"]
    assert content(bench, found["as_input"]["file_path"]) == PDB
    assert rows(bench, "proteins")[found["as_input"]["id"]]["protein_name"] == "model"
    quote = await agent.read(
        "create_execution", tool_key="deeporigin.pocket-finder", inputs={"protein": found["as_input"]}
    )
    assert quote["status"] == "Quoted"


async def test_what_an_import_has_just_made_is_not_looked_up_again_before_a_price(agent: Agent, bench: Bench) -> None:
    protein = await agent.read(TOOL, kind="protein", path="model.pdb")
    ligands = await agent.read(TOOL, kind="ligands", path="hits.sdf")
    looked_up = len(bench.sent("POST", "/search"))
    inputs = {"protein": protein["as_input"], "ligands": ligands["as_file_input"]}
    quote = await agent.read("create_execution", tool_key="deeporigin.rbfe", inputs=inputs)
    assert (quote["status"], quote.get("input_warnings")) == ("Quoted", None)
    # The first of the hits was in the project before.
    assert len(bench.sent("HEAD")) == 1
    assert len(bench.sent("POST", "/search")) == looked_up


async def test_an_entry_of_the_pdb_is_fetched_by_the_platform_and_kept_once(agent: Agent, bench: Bench) -> None:
    first = await agent.read(TOOL, kind="protein", pdb_id="1iep")
    assert rows(bench, "proteins")[first["as_input"]["id"]]["pdb_id"] == "1IEP"
    assert not bench.sent("PUT")
    again = await agent.read(TOOL, kind="protein", pdb_id="1IEP ")
    assert again["as_input"] == first["as_input"]
    assert len(bench.platform.creates) == 1
    named = await agent.read(TOOL, kind="protein", pdb_id="1IEP", name="mine")
    assert len(bench.platform.creates) == 2
    # The same bytes have one row.
    assert named["as_input"] == first["as_input"]
    assert named["notes"]


async def test_an_entry_without_a_pdb_file_comes_as_mmcif(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="protein", pdb_id="7K00")
    assert found["as_input"]["file_path"].endswith(".cif")
    assert "60 residues" in found["structure"]


async def test_an_entry_that_does_not_exist_is_said_and_nothing_is_created(agent: Agent, bench: Bench) -> None:
    assert await agent.error(TOOL, kind="protein", pdb_id="9ZZZ") == ("file_not_found", "nothing_changed")
    page = "https://files.rcsb.org/download/9zzy"
    bench.platform.web |= {f"{page}.pdb": b"<html>No such entry", f"{page}.cif": b"  <!DOCTYPE html>"}
    assert await agent.error(TOOL, kind="protein", pdb_id="9ZZY") == ("file_not_found", "nothing_changed")
    assert bench.platform.creates == []
    assert not [path for path, file in bench.platform.organisations["deeporigin"].files.items() if file]


async def test_a_file_without_atoms_is_refused_before_it_is_sent(agent: Agent, bench: Bench) -> None:
    assert (await agent.error(TOOL, kind="protein", text="HEADER\nEND\n", format="pdb"))[0] == "invalid_structure"
    assert not bench.sent("PUT")
