"""SMILES and SDF records become ligands or poses; each is imported or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.molecules import chemistry
from deeporigin_mcp.tools.molecules.imported import Molecule
from deeporigin_mcp.tools.molecules.ligand_import import checked_molecules
from tests.support.bench import Agent, Bench
from tests.support.imports import HITS, NEW, TOOL, WORKFLOW, chain, content, ids, rows, sdf

pytestmark = pytest.mark.anyio


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
    assert "row 1 (mine), in results 'ligand 1'" in found["notes"][0]
    assert "row 2" not in found["notes"][0]


async def test_of_rows_that_are_one_molecule_the_first_is_named(agent: Agent) -> None:
    rows = [
        {"smiles": smiles, "name": name} for smiles, name in (("OCC", "mine"), ("CCO", "again"), ("C(O)C", "third"))
    ]
    *_, there, counted = (await agent.read(TOOL, kind="ligands", smiles=rows))["notes"]
    assert "row 1 (mine), in results 'ligand 1'" in there
    assert "row 2" not in there
    assert "row 3" not in there
    assert counted == "These 3 rows are 1 molecule."


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
            await checked_molecules(molecules)
        return
    view, accepted = await checked_molecules(molecules)
    assert [one.number for one in accepted] == usable
    refused = [row.row for row in view.refused or ()]
    assert sorted([*usable, *refused]) == [*range(1, len(pairs) + 1)]
    assert refused == sorted(refused)


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
