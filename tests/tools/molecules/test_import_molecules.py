"""Bringing molecules in: what is sent, what comes back, what is refused, and that nothing is lost or done twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.simulator.model.archive import fetched
from deeporigin_mcp.simulator.model.molecules import written_sdf
from deeporigin_mcp.tools.molecules import chemistry
from deeporigin_mcp.tools.molecules.import_molecules import _checked
from deeporigin_mcp.tools.molecules.imported import Molecule
from tests.support.bench import Agent, Bench, running_bench

pytestmark = pytest.mark.anyio

TOOL = "import_molecules"
PDB = fetched("https://files.rcsb.org/download/1iep.pdb") or b""
HITS = (("CCO", "hit-1"), ("CCNC(C)=O", "hit-2"), ("CC(C)CCF", "hit-3"))
NEW = ["CCNC(C)=O", "CC(C)CCF", "FCCCl"]
"""SMILES that the simulated organisation does not have, as RDKit writes them."""
WORKFLOW = 8
"""More than one request takes, by the fixture `few_served`."""
TABLES = ("ligands", "proteins")
LOST = ("reset", "status=504 html")
LOST_AFTER_WORK = ("reset after=work", "status=504 html after=work", "half")


def sdf(*molecules: tuple[str, str]) -> bytes:
    return "".join(written_sdf(smiles, name, (0, 0, 0), {}) for smiles, name in molecules).encode()


def chain(count: int) -> list[str]:
    """Different molecules, as RDKit writes them."""
    return [f"{'C' * (number // 5 + 1)}{'FNOSI'[number % 5]}" for number in range(count)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with running_bench(auto_advance=True) as found:
        yield found


@pytest.fixture
async def agent(bench: Bench, tmp_path: Path) -> AsyncIterator[Agent]:
    (tmp_path / "model.pdb").write_bytes(PDB)
    (tmp_path / "hits.sdf").write_bytes(sdf(*HITS))
    async with bench.agent(files=(tmp_path,)) as found:
        yield found


@pytest.fixture
def without_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemistry, "_rdkit", lambda: None)


@pytest.fixture
def few_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a few SMILES take a workflow."""
    monkeypatch.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", WORKFLOW - 1)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a call is up as soon as its run is created."""
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.import_molecules.CALL_SECONDS", 60.0)
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.import_molecules.RESPONSE_SECONDS", 60.0)


def ids(found: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in found["as_input"]]


def rows(bench: Bench, table: str = "ligands") -> dict[str, dict[str, Any]]:
    return bench.platform.organisations["deeporigin"].entities[table]


def content(bench: Bench, path: str) -> bytes:
    return bytes(bench.platform.organisations["deeporigin"].files[path].content)


# Proteins


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


async def test_a_public_address_is_fetched_by_the_platform(agent: Agent, bench: Bench) -> None:
    bench.platform.web = {
        "https://data.example.org/models/a%20b.pdb?v=2": PDB,
        "https://data.example.org/hits.csv": b"smiles,name\nCCNC(C)=O,amide\n",
    }
    found = await agent.read(TOOL, kind="protein", url="https://data.example.org/models/a%20b.pdb?v=2")
    assert rows(bench, "proteins")[found["as_input"]["id"]]["protein_name"] == "a b"
    found = await agent.read(TOOL, kind="ligands", url="https://data.example.org/hits.csv")
    assert rows(bench)[ids(found)[0]]["name"] == "amide"


async def test_a_file_that_was_uploaded_before_is_imported_by_its_path(agent: Agent, bench: Bench) -> None:
    bench.platform.add_file("uploads/hits.sdf", sdf(*HITS))
    found = await agent.read(TOOL, kind="ligands", url="uploads/hits.sdf")
    assert found["imported"] == 3
    assert content(bench, "uploads/hits.sdf") == sdf(*HITS)
    again = await agent.read(TOOL, kind="ligands", url="/uploads/hits.sdf")
    assert again["as_input"] == found["as_input"]
    assert (await agent.error(TOOL, kind="ligands", url="uploads/none.sdf"))[0] == "file_not_found"


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example.org/a.pdb",
        "https://localhost/a.pdb",
        "https://127.4.5.6/a.pdb",
        "https://[::1]/a.pdb",
        "https://2130706433/a.pdb",
        "https://0x7f000001/a.pdb",
        "https://0x7f.1/a.pdb",
        "https://127.1/a.pdb",
        "https://10.0.0.7/a.pdb",
        "https://169.254.169.254/latest/a.pdb",
        "https://metadata.google.internal/a.pdb",
        "https://intranet/a.pdb",
        "https://localhost./a.pdb",
        "https://user@data.example.org/a.pdb",
        "https://data.example.org:8443/a.pdb",
        "https://data.example.org:x/a.pdb",
        "file:///etc/passwd.pdb",
        "data://example.org/a.pdb",
    ],
)
async def test_what_is_not_a_public_https_address_never_reaches_the_platform(
    agent: Agent, bench: Bench, url: str
) -> None:
    assert await agent.error(TOOL, kind="protein", url=url) == ("invalid_url", "nothing_changed")
    assert not bench.sent("POST")


async def test_a_file_without_atoms_is_refused_before_it_is_sent(agent: Agent, bench: Bench) -> None:
    assert (await agent.error(TOOL, kind="protein", text="HEADER\nEND\n", format="pdb"))[0] == "invalid_structure"
    assert not bench.sent("PUT")


# Ligands


async def test_smiles_become_the_ligands_of_a_run_in_their_order(agent: Agent, bench: Bench) -> None:
    given = [NEW[0], {"smiles": NEW[1], "name": "second"}, {"SMILES": NEW[2], "Name": "third"}]
    found = await agent.read(TOOL, kind="ligands", smiles=given)
    assert (found["requested"], found["imported"]) == (3, 3)
    assert [entry["smiles"] for entry in found["as_input"]] == NEW
    assert [rows(bench)[name]["name"] for name in ids(found)][1:] == ["second", "third"]
    assert set(found) == {"requested", "imported", "as_input"}
    quote = await agent.read(
        "create_execution",
        tool_key="deeporigin.mol-props-combined",
        inputs={"ligands": found["as_input"]},
    )
    assert quote["execution_id"]


async def test_what_was_changed_and_refused_is_said_row_by_row(agent: Agent) -> None:
    found = await agent.read(
        TOOL,
        kind="ligands",
        smiles=[
            {"smiles": "CC(=O)[O-].[Na+]", "name": "salt"},
            {"smiles": "[Pt]", "name": "metal"},
            "FCCCl",
            "C1CC",
            {"smiles": "ClCCF", "name": "again"},
        ],
    )
    assert (found["requested"], found["imported"]) == (5, 3)
    assert [(row["row"], row.get("name")) for row in found["refused"]] == [(2, "metal"), (4, None)]
    assert [entry["smiles"] for entry in found["as_input"]] == ["CC(=O)[O-]", "FCCCl"]
    notes = "\n".join(found["notes"])
    assert "row 1 (salt)" in notes
    assert "[Na+]" in notes
    assert "row 5 (again)" in notes
    assert "row 3" in notes


async def test_ligands_that_the_project_has_are_used_and_named(agent: Agent) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=[{"smiles": "OCC", "name": "mine"}, NEW[0]])
    assert "row 1 (mine) as ligand 1" in found["notes"][0]
    assert "row 2" not in found["notes"][0]


async def test_nothing_is_sent_where_no_row_can_be_used(agent: Agent, bench: Bench) -> None:
    assert await agent.error(TOOL, kind="ligands", smiles=["[Pt]", "C1CC"]) == ("invalid_molecules", "nothing_changed")
    assert not bench.sent("PUT")


async def test_an_sdf_gives_ligands_with_files(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="ligands", path="hits.sdf")
    assert found["imported"] == 3
    assert [entry["id"] for entry in found["as_file_input"]] == ids(found)
    assert content(bench, found["as_file_input"][1]["file_path"]) == sdf(HITS[1])
    assert [rows(bench)[name]["name"] for name in ids(found)][1:] == ["hit-2", "hit-3"]


async def test_refused_records_of_an_sdf_are_not_sent_and_the_others_go_unchanged(
    agent: Agent, bench: Bench, tmp_path: Path
) -> None:
    bad = b"broken\n\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0\nM  END\n$$$$\n"
    (tmp_path / "mixed.sdf").write_bytes(sdf(HITS[1]) + bad + sdf(HITS[2]))
    found = await agent.read(TOOL, kind="ligands", path="mixed.sdf")
    assert [(row["row"], row["name"]) for row in found["refused"]] == [(2, "broken")]
    assert (found["requested"], found["imported"]) == (3, 2)
    (staged,) = [path for path in bench.platform.organisations["deeporigin"].files if path.startswith("imports/")]
    assert content(bench, staged) == sdf(HITS[1], HITS[2])


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", "Name,SMILES\nfirst,CCNC(C)=O\nsecond,CC(C)CCF\n"),
        (".CSV", "\ufeffcanonical_smiles;ID\r\nCCNC(C)=O;first\r\n\r\nCC(C)CCF;second\r\n"),
        (".tsv", 'name\tsmiles\n"first"\tCCNC(C)=O\nsecond\tCC(C)CCF'),
        (".smi", "# a comment\nCCNC(C)=O first\n\nCC(C)CCF\tsecond\n"),
        (".txt", "SMILES name\nCCNC(C)=O first\nCC(C)CCF second"),
    ],
)
async def test_lists_are_read_as_people_have_them(
    agent: Agent, bench: Bench, tmp_path: Path, suffix: str, text: str
) -> None:
    (tmp_path / f"list{suffix}").write_bytes(text.encode())
    found = await agent.read(TOOL, kind="ligands", path=f"list{suffix}")
    assert [entry["smiles"] for entry in found["as_input"]] == NEW[:2]
    assert [rows(bench)[name]["name"] for name in ids(found)] == ["first", "second"]


async def test_more_ligands_than_fit_into_a_run_become_a_list_file(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=[*chain(150), *chain(2)])
    assert "as_input" not in found
    assert found["ligands_count"] == 150
    listed = json.loads(content(bench, found["ligands_file"]))
    assert [entry["smiles"] for entry in listed] == chain(150)
    assert all(entry["id"] in rows(bench) for entry in listed)
    assert {"ligands_file", "ligands_count"} < set(found)
    again = await agent.read(TOOL, kind="ligands", smiles=chain(150))
    assert again["ligands_file"] == found["ligands_file"]


async def test_more_than_one_request_takes_are_imported_by_a_workflow(
    agent: Agent, bench: Bench, few_served: None
) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=chain(WORKFLOW))
    assert [entry["smiles"] for entry in found["as_input"]] == chain(WORKFLOW)
    assert "csv_path" in bench.platform.executions[bench.platform.creates[0]].inputs


async def test_without_rdkit_the_text_is_checked_and_that_is_said(
    agent: Agent, bench: Bench, without_rdkit: None
) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=["FCCCl", "C1CC", "ClCCF"])
    assert (found["imported"], [row["row"] for row in found["refused"]]) == (2, [2])
    assert len(found["as_input"]) == 1
    assert any("not checked" in note for note in found["notes"])
    assert (await agent.read(TOOL, kind="ligands", path="hits.sdf"))["imported"] == 3


async def test_a_row_that_the_platform_makes_nothing_of_is_named_with_where_the_reason_is(
    agent: Agent, bench: Bench, without_rdkit: None
) -> None:
    found = await agent.read(
        TOOL, kind="ligands", smiles=[{"smiles": "FCCCl", "name": "good"}, {"smiles": "C11", "name": "odd"}]
    )
    assert found["imported"] == 1
    assert [(row["row"], row["name"]) for row in found["refused"]] == [(2, "odd")]
    logs = await agent.follow(found["next_step"])
    assert any("record 2" in row["message"] or "2" in row["message"] for row in logs["rows"])


async def test_a_molecule_that_was_deleted_before_is_said(agent: Agent, bench: Bench) -> None:
    (name,) = ids(await agent.read(TOOL, kind="ligands", smiles=[NEW[0]]))
    rows(bench)[name]["deleted"] = True
    found = await agent.read(TOOL, kind="ligands", smiles=[NEW[0]])
    assert name in found["notes"][0]
    assert "deleted" in found["notes"][0]


# Poses


async def test_poses_belong_to_a_protein_and_have_ids(agent: Agent, bench: Bench) -> None:
    protein = (await agent.read(TOOL, kind="protein", path="model.pdb"))["as_input"]
    found = await agent.read(TOOL, kind="poses", path="hits.sdf", protein_id=protein["id"])
    assert found["imported"] == 3
    assert [entry["file_path"].rpartition("#")[2] for entry in found["as_input"]] == [
        "record-0",
        "record-1",
        "record-2",
    ]
    assert len(set(ids(found))) == 3


async def test_poses_without_a_known_protein_are_refused(agent: Agent, bench: Bench) -> None:
    assert (await agent.error(TOOL, kind="poses", path="hits.sdf"))[1] == "nothing_changed"
    assert (await agent.error(TOOL, kind="poses", path="hits.sdf", protein_id="08N0WHERE0000"))[0] == "not_found"
    assert bench.platform.creates == []


# Which source


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "protein"},
        {"kind": "protein", "pdb_id": "1IEP", "path": "model.pdb"},
        {"kind": "protein", "smiles": ["CCO"]},
        {"kind": "ligands", "pdb_id": "1IEP"},
        {"kind": "ligands", "path": "model.pdb"},
        {"kind": "poses", "smiles": ["CCO"]},
        {"kind": "poses", "text": "CCO", "format": "smi", "protein_id": "08T"},
        {"kind": "ligands", "text": "CCO"},
        {"kind": "ligands", "smiles": [{"name": "no SMILES"}]},
        {"kind": "ligands", "smiles": []},
        {"kind": "ligands", "text": "name\na\n", "format": "csv"},
        {"kind": "ligands", "text": "", "format": "smi"},
        {"kind": "protein", "text": "x" * 70_000, "format": "pdb"},
        {"kind": "protein", "pdb_id": "../x"},
        {"kind": "protein", "path": "../model.pdb"},
        {"kind": "protein", "execution_id": "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"},
    ],
)
async def test_a_source_that_does_not_fit_is_refused_and_nothing_is_sent(
    agent: Agent, bench: Bench, arguments: dict[str, Any]
) -> None:
    assert (await agent.error(TOOL, **arguments))[1] == "nothing_changed"
    assert not bench.sent("PUT")
    assert bench.platform.creates == []


async def test_checking_only_sends_nothing(agent: Agent, bench: Bench) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=["CCO", "C1CC"], check_only=True)
    assert (found["requested"], found["imported"]) == (2, 0)
    assert [row["row"] for row in found["refused"]] == [2]
    assert "as_input" not in found
    assert "structure" in await agent.read(TOOL, kind="protein", path="model.pdb", check_only=True)
    assert not bench.platform.requests
    await agent.read(TOOL, kind="protein", pdb_id="1IEP", check_only=True)
    assert bench.platform.creates == []
    assert not [path for path, file in bench.platform.organisations["deeporigin"].files.items() if file]


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
    assert "1.5 USD" in found["warning"]
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


async def test_a_file_that_was_fetched_and_is_not_imported_is_not_left_behind(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        url = "https://files.rcsb.org/download/1iep.pdb"
        assert (await agent.error(TOOL, kind="protein", url=url)).code == "no_project"
    assert bench.sent("POST", "/files/")
    assert len(bench.sent("DELETE", "/imports/staging/")) == 1


async def test_rows_that_are_read_later_are_said_to_count_in_the_list_that_was_sent(
    agent: Agent, few_served: None, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await agent.read(TOOL, kind="ligands", smiles=["C1CC", "CCO", *chain(WORKFLOW)])
    monkeypatch.undo()
    wait, _, read = found["next_step"].partition("Then ")
    await agent.follow_to_the_end(wait)
    *notes, counted = (await agent.follow(read))["notes"]
    # The tenth of the whole list.
    assert any("row 9 " in note for note in notes)
    assert "without those that were refused" in counted


async def test_the_rows_of_a_file_that_is_too_large_to_be_read_back_are_there(
    agent: Agent, bench: Bench, no_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await agent.read(TOOL, kind="ligands", path="hits.sdf")
    monkeypatch.setattr("deeporigin_mcp.tools.molecules.sources.MAX_FETCHED_BYTES", 10)
    (run,) = (one for one in bench.platform.executions.values() if one.inputs.get("process_sdf"))
    found = await agent.read(TOOL, kind="ligands", execution_id=run.id)
    assert (found["imported"], ids(found)) == (3, ids(done))


async def test_the_id_of_another_run_is_no_import(agent: Agent, bench: Bench) -> None:
    refused = await agent.refused(TOOL, kind="ligands", execution_id=bench.seeded("Completed"))
    assert "get_execution_results" in refused


async def test_a_failed_import_says_the_platforms_reason(agent: Agent, bench: Bench, without_rdkit: None) -> None:
    answer = await agent.call(TOOL, {"kind": "ligands", "smiles": ["C11"]})
    assert answer.error == ("import_failed", None)
    assert "none of 1 records can be read" in answer.text


async def test_a_server_that_only_reads_does_not_import(bench: Bench) -> None:
    async with bench.agent(read_only=True) as agent:
        assert TOOL not in agent.inputs


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["CCO", "CCN", "FCCCl", "C1CC", "[Pt]", "", "CC O", "CC(=O)[O-].[Na+]"]),
            st.text("ab,;\"'\n|#é", max_size=6),
        ),
        max_size=12,
    )
)
async def test_each_row_is_imported_or_refused_once_and_in_order(pairs: list[tuple[str, str]]) -> None:
    molecules = [
        Molecule(number, name, one.smiles, one.problem, one.notes)
        for number, (smiles, name) in enumerate(pairs, 1)
        for one in [chemistry.check_smiles(smiles)]
    ]
    usable = [one.number for one in molecules if one.problem is None]
    if not usable:
        with pytest.raises(ValueError, match="no molecule"):
            await _checked(molecules)
        return
    view, accepted = await _checked(molecules)
    assert [one.number for one in accepted] == usable
    refused = [row.row for row in view.refused or ()]
    assert sorted([*usable, *refused]) == [*range(1, len(pairs) + 1)]
    assert refused == sorted(refused)
