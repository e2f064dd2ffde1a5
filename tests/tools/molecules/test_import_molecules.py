"""Bringing molecules in: nothing is lost or done twice, nothing is spent or done without leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.bench import Agent, Bench
from tests.support.imports import NEW, TOOL, WORKFLOW, chain, rows

pytestmark = pytest.mark.anyio

TABLES = ("ligands", "proteins")
LOST = ("reset", "status=504 html")
LOST_AFTER_WORK = ("reset after=work", "status=504 html after=work", "half")


# Nothing lost, nothing twice


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "protein", "path": "model.pdb"},
        {"kind": "protein", "pdb_id": "1IEP"},
        {"kind": "ligands", "path": "hits.sdf"},
        {"kind": "ligands", "smiles": NEW},
        {"kind": "ligands", "smiles": chain(WORKFLOW)},
    ],
    ids=["structure", "entry", "sdf", "smiles", "workflow"],
)
@pytest.mark.parametrize("fault", [*LOST, *LOST_AFTER_WORK])
async def test_a_cut_connection_loses_nothing_and_repeats_nothing(
    agent: Agent, bench: Bench, few_served: None, arguments: dict[str, Any], fault: str
) -> None:
    bench.fault(f"POST */executions {fault} times=1")
    answer = await agent.call(TOOL, arguments)
    is_done = fault in LOST_AFTER_WORK
    if is_done:
        assert not answer.is_error, answer.text
    else:
        assert answer.error == ("outcome_unknown", "unknown"), answer.text
    found = await agent.read(TOOL, **arguments)
    if is_done:
        assert answer.content.get("as_input") == found.get("as_input")
        assert answer.content.get("ligands_file") == found.get("ligands_file")
    # However often it ran, each molecule and each structure has one row.
    known = [row.get("canonical_smiles") or row["file_path"] for table in TABLES for row in rows(bench, table).values()]
    assert len(set(known)) == len(known)
    assert len(bench.platform.creates) == (1 if is_done and "pdb_id" in arguments else 2 if is_done else 1)


async def test_poses_whose_import_is_uncertain_are_looked_for_and_not_imported_again(
    agent: Agent, bench: Bench
) -> None:
    protein = (await agent.read(TOOL, kind="protein", path="model.pdb"))["as_input"]["id"]
    bench.fault("POST */executions reset times=1")
    arguments = {"kind": "poses", "path": "hits.sdf", "protein_id": protein}
    answer = await agent.call(TOOL, arguments)
    assert answer.error == ("outcome_unknown", "unknown")
    assert f'find_molecules(kind="pose", protein_id="{protein}"' in answer.text
    assert TOOL not in answer.text


PLACES = {
    "file": "PUT */imports/*",
    "cluster": "GET */clusters*",
    "run": "POST */tools/*/executions",
    "poll": "GET */tools/executions/*",
    "ids": "POST */execution_subjects/search",
    "rows": "POST */ligands/search",
    "list": "PUT */ligand-lists/*",
}


@pytest.mark.parametrize("fault", ["reset", "status=500", "status=400", "status=403", "status=429 retry-after=1"])
@pytest.mark.parametrize("place", PLACES)
async def test_whatever_request_fails_no_answer_is_wrong_and_the_same_call_works_later(
    agent: Agent, bench: Bench, place: str, fault: str, few_served: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.imported.MAX_INLINE", WORKFLOW - 1)
    bench.fault(f"{PLACES[place]} {fault}")
    answer = await agent.call(TOOL, {"kind": "ligands", "smiles": chain(WORKFLOW)})
    is_created = bool(bench.platform.creates)
    if answer.error:
        assert is_created <= (answer.error.outcome == "unknown"), answer.text
    else:
        assert is_created
    bench.heal()
    found = await agent.read(TOOL, kind="ligands", smiles=chain(WORKFLOW))
    assert (found["imported"], found["ligands_count"]) == (WORKFLOW, WORKFLOW)


async def test_a_failed_import_says_the_platforms_reason(agent: Agent, bench: Bench, without_rdkit: None) -> None:
    answer = await agent.call(TOOL, {"kind": "ligands", "smiles": ["C11"]})
    assert answer.error == ("import_failed", None)
    assert "none of 1 records can be read" in answer.text


# Read later


async def test_a_long_import_says_how_its_rows_are_read_and_they_are(
    agent: Agent, bench: Bench, few_served: None, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=[*chain(WORKFLOW), "C1CC"])
    assert found["status"] in ("Created", "Queued", "Running")
    assert found["requested"] == WORKFLOW + 1
    assert "as_input" not in found
    monkeypatch.undo()
    wait, _, read = found["next_step"].partition("Then ")
    assert (await agent.follow_to_the_end(wait))["all_done"]
    done = await agent.follow(read)
    assert done["imported"] == WORKFLOW
    assert len(bench.platform.creates) == 1


async def test_rows_that_are_read_later_are_said_to_count_in_the_list_that_was_sent(
    agent: Agent, few_served: None, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=["C1CC", "CCO", *chain(WORKFLOW)])
    monkeypatch.undo()
    wait, _, read = found["next_step"].partition("Then ")
    await agent.follow_to_the_end(wait)
    *notes, counted = (await agent.follow(read))["notes"]
    # The second of the whole list.
    assert any("row 1," in note for note in notes)
    assert "without those that were refused" in counted


# Only checked


async def test_checking_only_changes_nothing(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=["CCO", "C1CC"], check_only=True)
    assert (found["requested"], found["imported"]) == (2, 0)
    assert [row["row"] for row in found["refused"]] == [2]
    assert "as_input" not in found
    assert "structure" in await agent.read(TOOL, kind="protein", path="model.pdb", check_only=True)
    ((method, path, _),) = bench.platform.requests
    assert (method, path.endswith("/ligands/search")) == ("POST", True)
    await agent.read(TOOL, kind="protein", pdb_id="1IEP", check_only=True)
    assert bench.platform.creates == []
    assert not [path for path, file in bench.platform.organisations["deeporigin"].files.items() if file]


async def test_checking_only_tells_which_molecules_are_there_in_one_request(agent: Agent, bench: Bench) -> None:
    known = {smiles: bench.platform.seed_entity("ligands", smiles=smiles, name=f"K{smiles}") for smiles in NEW[:2]}
    bench.platform.seed_entity("ligands", smiles=NEW[2], name="elsewhere", project_id="09DEMAGPCR002")
    for source in ({"smiles": NEW}, {"text": "\n".join(NEW), "format": "smi"}):
        bench.platform.requests.clear()
        found = await agent.read(TOOL, kind="ligands", **source, check_only=True)
        notes = " ".join(found["notes"])
        assert all(name in notes for name in known.values())
        assert "elsewhere" not in notes
        assert len(bench.platform.requests) == 1
    bench.fault("POST */ligands/search status=503 times=20")
    assert not bench.platform.creates
    found = await agent.read(TOOL, kind="ligands", smiles=NEW, check_only=True)
    assert not any(name in " ".join(found["notes"]) for name in known.values())


# Price and permission


async def test_an_import_with_a_price_is_quoted_confirmed_and_read(agent: Agent, bench: Bench, tmp_path: Path) -> None:
    bench.platform.import_price = 1.5
    async with bench.agent(files=(tmp_path,), auto_approve_up_to=2) as agent:
        for arguments in (
            {"kind": "ligands", "smiles": [{"smiles": NEW[0], "name": "amide"}]},
            {"kind": "ligands", "path": "hits.sdf"},
            {"kind": "protein", "path": "model.pdb"},
        ):
            found = await agent.read(TOOL, **arguments)
            assert found["status"] == "Quoted"
            assert "as_input" not in found
            confirm, _, read = found["next_step"].partition("Then ")
            confirmed = await agent.follow(confirm)
            assert confirmed["cost"] == 1.5
            done = await agent.follow(read)
            assert done["as_input"]
            assert "warning" not in done
    assert len(bench.platform.creates) == 3


async def test_a_charge_that_nobody_approved_is_said_and_on_record(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.platform.import_price = 1.5
    monkeypatch.setattr("deeporigin_mcp.simulator.state.lifecycle._starts_at_once", lambda *_: True)
    found = await agent.read(TOOL, kind="ligands", smiles=[NEW[0]])
    assert "1.50 USD" in found["warning"]
    assert found["as_input"]
    spending = (await agent.read("get_workspace"))["spending"]
    assert spending["spent"] == 1.5


async def test_no_import_runs_where_the_operator_allows_other_tools_only(bench: Bench, tmp_path: Path) -> None:
    async with bench.agent(files=(tmp_path,), allowed_tool_keys=("deeporigin.docking",)) as agent:
        for arguments in (
            {"kind": "ligands", "smiles": NEW},
            {"kind": "protein", "pdb_id": "1IEP"},
            {"kind": "ligands", "text": "CCO", "format": "smi"},
        ):
            assert (await agent.error(TOOL, **arguments)).code == "tool_not_allowed"
        assert await agent.read(TOOL, kind="ligands", smiles=NEW, check_only=True)
    assert not bench.platform.creates
    assert not bench.sent("PUT")
    assert not bench.sent("POST", "/files/")


async def test_a_server_that_only_reads_does_not_import(bench: Bench) -> None:
    async with bench.agent(read_only=True) as agent:
        assert TOOL not in agent.inputs
