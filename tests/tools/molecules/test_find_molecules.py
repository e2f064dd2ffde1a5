"""Proteins, ligands, pockets and poses that are already there, found on the simulated platform."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator.model.molecules import pocket_pdb
from deeporigin_mcp.tools.molecules import chemistry
from tests.support.bench import PROJECT, Agent, Bench, agent_of, bench_token, compact_size
from tests.support.history import HOUR
from tests.support.recording import ORG, recording

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

GPCR = "09DEMAGPCR002"
KINASE = "08DEPR0TE1N00"
PREPARED = "08DEPR0TE1N01"
OTHER = "08DEPR0TE1N02"
DELETED = "08DEPR0TE1N03"
BRD4 = "08BRD4PR0TE1N"
LIGANDS = [{"id": "08DEL1GAND001", "smiles": "Oc1ccccc1"}, {"id": "08DEL1GAND002", "smiles": "CC(=O)Nc1ccc(O)cc1"}]
PROTEIN = {"id": PREPARED, "file_path": "entities/proteins/prepared/toy.pdb"}
BOX = {"box_size_x": 20, "box_size_y": 20, "box_size_z": 20}


@pytest.fixture(scope="module")
def runs(module_bench: Bench) -> dict[str, str]:
    """The past runs of the organisation, by name."""
    ids = module_bench.platform.seed_past_runs()
    return {str(module_bench.platform.executions[one].stored["name"]): one for one in ids}


@pytest.fixture(scope="module")
def docked(runs: dict[str, str]) -> str:
    return runs["first hits into toy kinase"]


def ids_of(found: dict[str, Any]) -> list[str]:
    return [row.get("id") or row["as_input"]["id"] for row in found["molecules"]]


# Proteins


async def test_proteins_of_one_name_are_told_apart(agent: Agent) -> None:
    found = await agent.read("find_molecules", kind="protein", query="TOY kin")
    rows = {row["as_input"]["id"]: row for row in found["molecules"]}
    assert list(rows) == [OTHER, PREPARED, KINASE]
    assert rows[PREPARED]["prepared"] is True
    assert rows[PREPARED]["prepared_from"] == KINASE
    assert "prepared" not in rows[KINASE]
    assert {name: row["project"] for name, row in rows.items()} == {
        OTHER: "GPCR selectivity",
        PREPARED: "Kinase pilot",
        KINASE: "Kinase pilot",
    }
    assert rows[KINASE]["by"] == "Ada Simulated"
    assert rows[OTHER]["created"] == "2026-01-20"
    assert rows[OTHER]["as_input"] == {"id": OTHER, "file_path": "entities/proteins/toy-gpcr.pdb"}
    assert not found["has_more"]


@pytest.mark.parametrize("asked", [{"query": "3mxf"}, {"pdb_id": "3mxf"}, {"pdb_id": "3MXF"}, {"query": "3MXF"}])
async def test_a_pdb_id_is_found_in_any_case(agent: Agent, asked: dict[str, str]) -> None:
    assert ids_of(await agent.read("find_molecules", kind="protein", **asked)) == [BRD4]


async def test_a_query_finds_the_pdb_id_first_and_then_names_each_once(agent: Agent, bench: Bench) -> None:
    both = bench.platform.seed_entity("proteins", protein_name="copy of 9xyz", pdb_id="9XYZ", file_path="a.pdb")
    named = bench.platform.seed_entity("proteins", protein_name="9xyz, loop remodelled", file_path="b.pdb")
    assert ids_of(await agent.read("find_molecules", kind="protein", query="9xyz")) == [both, named]
    first = await agent.read("find_molecules", kind="protein", query="9xyz", limit=1)
    assert ids_of(first) == [both]
    assert ids_of(await agent.follow(first["next_step"])) == [named]


@pytest.mark.parametrize("asked", [{"query": BRD4}, {"protein_id": BRD4}])
async def test_an_id_finds_its_protein(agent: Agent, asked: dict[str, str]) -> None:
    assert ids_of(await agent.read("find_molecules", kind="protein", **asked)) == [BRD4]


async def test_deleted_proteins_are_never_found(agent: Agent) -> None:
    for asked in ({"query": "toy"}, {"protein_id": DELETED}, {"query": DELETED}, {}):
        assert DELETED not in ids_of(await agent.read("find_molecules", kind="protein", **asked))


async def test_a_project_narrows_and_needs_no_column(agent: Agent) -> None:
    found = await agent.read("find_molecules", kind="protein", query="toy", project_id=GPCR)
    assert ids_of(found) == [OTHER]
    assert "project" not in found["molecules"][0]


async def test_proteins_come_by_name_if_asked_for(agent: Agent) -> None:
    found = await agent.read("find_molecules", kind="protein", order="name")
    names = [row["name"] for row in found["molecules"]]
    assert names == sorted(names)


async def test_a_protein_without_a_structure_has_its_id_and_is_no_input(agent: Agent, bench: Bench) -> None:
    bare = bench.platform.seed_entity("proteins", protein_name="sequence only")
    (row,) = (await agent.read("find_molecules", kind="protein", query="sequence only"))["molecules"]
    assert row["id"] == bare
    assert "as_input" not in row


async def test_twenty_proteins_are_short_and_hundreds_are_paged(agent: Agent, bench: Bench) -> None:
    made = [
        bench.platform.seed_entity("proteins", protein_name=f"hit {n}", file_path=f"entities/proteins/hit{n}.pdb")
        for n in range(45)
    ]
    answer = await agent.call("find_molecules", {"kind": "protein", "query": "hit"})
    assert len(answer.content["molecules"]) == 20
    assert len(answer.text.encode()) <= 2_500
    assert answer.text.count("entities/proteins/hit1.pdb") <= 1
    seen, page = ids_of(answer.content), answer.content
    while page["has_more"]:
        page = await agent.follow(page["next_step"])
        seen += ids_of(page)
    assert sorted(seen) == sorted(made)


async def test_rows_that_do_not_fit_come_with_the_next_page(agent: Agent, bench: Bench) -> None:
    made = [bench.platform.seed_entity("ligands", name=f"giant {n}", smiles="C" * 3_000) for n in range(12)]
    page = await agent.read("find_molecules", kind="ligand", query="giant", limit=12)
    seen = ids_of(page)
    assert len(seen) < 12
    while page["has_more"]:
        page = await agent.follow(page["next_step"])
        seen += ids_of(page)
    assert sorted(seen) == sorted(made)


# Ligands


@pytest.mark.parametrize("smiles", ["Oc1ccccc1", "c1ccccc1O"])
async def test_a_ligand_is_found_by_the_smiles_it_was_given_and_the_platforms(agent: Agent, smiles: str) -> None:
    found = await agent.read("find_molecules", kind="ligand", smiles=smiles)
    assert found["molecules"][0]["as_input"] == {"id": "08DEL1GAND001", "smiles": "Oc1ccccc1"}
    assert len(found["molecules"]) == 1


async def test_a_ligand_is_found_in_another_spelling(agent: Agent) -> None:
    found = await agent.read("find_molecules", kind="ligand", smiles="C1=CC=CC=C1O")
    assert ids_of(found) == ["08DEL1GAND001"]
    assert "note" not in found


async def test_without_rdkit_the_text_is_compared_and_that_is_said(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chemistry, "_rdkit", lambda: None)
    for smiles, count in (("c1ccccc1O", 1), ("Oc1ccccc1", 1), ("C1=CC=CC=C1O", 0)):
        found = await agent.read("find_molecules", kind="ligand", smiles=smiles)
        assert len(found["molecules"]) == count
        assert "RDKit" in found["note"]


async def test_a_metal_complex_is_looked_up_though_no_tool_takes_it(agent: Agent, bench: Bench) -> None:
    made = bench.platform.seed_entity("ligands", name="cisplatin", smiles="N[Pt](N)(Cl)Cl")
    assert ids_of(await agent.read("find_molecules", kind="ligand", smiles="Cl[Pt](Cl)(N)N")) == [made]


async def test_a_ligand_is_found_by_a_part_of_its_name(agent: Agent) -> None:
    assert ids_of(await agent.read("find_molecules", kind="ligand", query="LIGAND 3")) == ["08DEL1GAND002"]


async def test_a_ligand_with_coordinates_tells_its_file(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_entity("ligands", name="with file", smiles="CCCl", mol_file="entities/ligands/a.sdf")
    (row,) = (await agent.read("find_molecules", kind="ligand", query="with file"))["molecules"]
    assert row["file_path"] == "entities/ligands/a.sdf"


# Pockets and poses


async def test_a_pocket_goes_into_docking_unchanged(agent: Agent, runs: dict[str, str]) -> None:
    found = await agent.read("find_molecules", kind="pocket", protein_id=PREPARED)
    best, other = found["molecules"]
    assert best["druggability"] >= other["druggability"]
    assert best["execution_id"] == runs["pockets of toy kinase"]
    assert "Kinase pilot" in found["project"]
    inputs = {"protein": PROTEIN, "pocket": best["as_input"], "ligands": LIGANDS}
    quote = await agent.read("create_execution", tool_key="deeporigin.docking", inputs=inputs)
    assert quote["status"] == "Quoted"


async def test_pockets_are_ordered_by_the_name_of_their_column(agent: Agent, runs: dict[str, str]) -> None:
    of = {"kind": "pocket", "execution_id": runs["pockets of toy kinase"]}
    by_column = (await agent.read("find_molecules", **of, order="volume_cubic_angstrom asc"))["molecules"]
    volumes = [row["volume_cubic_angstrom"] for row in by_column]
    assert (volumes, len(volumes)) == (sorted(volumes), 2)
    assert by_column == (await agent.read("find_molecules", **of, order="volume asc"))["molecules"]


async def test_a_pocket_without_a_centre_gets_the_middle_of_its_atoms(agent: Agent, bench: Bench) -> None:
    run = bench.platform.seed_run("deeporigin.pocket-finder", {"protein": PROTEIN}, ago_seconds=HOUR)
    paths = "tool-runs/own/pocket.pdb", "tool-runs/own/missing.pdb"
    bench.platform.add_file(paths[0], pocket_pdb((4.0, -2.0, 11.0), 300.0).encode())
    bench.platform.executions[run].own_results = [
        {
            "id": f"0AP0CKET0000{number}",
            "tool_key": "deeporigin.pocket-finder",
            "compute_job_id": run,
            "project_id": PROJECT,
            "result_type": "pocket",
            "created_at": "2026-02-01T00:00:00.000Z",
            "data": {"protein_id": "08N0CENTRE000", "file_path": path, "volume": 300.0},
        }
        for number, path in enumerate(paths)
    ]
    rows = {
        row["file_path"]: row
        for row in (await agent.read("find_molecules", kind="pocket", execution_id=run))["molecules"]
    }
    usable = rows[paths[0]]["as_input"]
    assert usable["center"] == pytest.approx([4.0, -2.0, 11.0], abs=0.2)
    assert usable["box_size_x"] == pytest.approx(2 * 300 ** (1 / 3))
    assert rows[paths[1]]["id"] == "0AP0CKET00001"
    assert "as_input" not in rows[paths[1]]


async def test_poses_come_best_first_with_names_and_both_scores(agent: Agent, docked: str) -> None:
    found = await agent.read("find_molecules", kind="pose", execution_id=docked)
    rows = found["molecules"]
    scores = [row["pose_score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len(rows) == 6
    assert {row["name"] for row in rows} == {"ligand 2", "ligand 3"}
    assert all(row["binding_energy"] < 0 for row in rows)
    assert "execution_id" not in rows[0]
    by_energy = await agent.read("find_molecules", kind="pose", execution_id=docked, order="binding_energy")
    energies = [row["binding_energy"] for row in by_energy["molecules"]]
    assert energies == sorted(energies)


async def test_a_pose_goes_into_a_free_energy_run_unchanged(agent: Agent, docked: str) -> None:
    rows = (await agent.read("find_molecules", kind="pose", protein_id=PREPARED, limit=1))["molecules"]
    inputs = {"protein": PROTEIN, "pose1": rows[0]["as_input"]}
    quote = await agent.read("create_execution", tool_key="deeporigin.abfe-end-to-end", inputs=inputs)
    assert quote["status"] == "Quoted"


async def test_pages_of_poses_repeat_and_lose_none(agent: Agent, docked: str) -> None:
    page = await agent.read("find_molecules", kind="pose", execution_id=docked, limit=4)
    seen = ids_of(page)
    while page["has_more"]:
        page = await agent.follow(page["next_step"])
        seen += ids_of(page)
    assert len(seen) == len({*seen}) == 6


async def test_a_run_of_another_project_is_searched_in_its_own(agent: Agent, runs: dict[str, str]) -> None:
    there = runs["first hits into the other toy kinase"]
    found = await agent.read("find_molecules", kind="pose", execution_id=there)
    assert len(found["molecules"]) == 3
    assert found["project"] == f"{GPCR} (GPCR selectivity)"


async def test_a_protein_of_another_project_names_the_call_that_searches_there(
    agent: Agent, runs: dict[str, str]
) -> None:
    found = await agent.read("find_molecules", kind="pose", protein_id=OTHER)
    assert found["molecules"] == []
    assert len((await agent.follow(found["next_step"]))["molecules"]) == 3


async def test_references_do_not_hide_scored_poses(agent: Agent, bench: Bench) -> None:
    run = bench.platform.seed_run(
        "deeporigin.docking",
        {"protein": PROTEIN, "pocket": {**BOX, "center": [0, 0, 0]}, "ligands": LIGANDS},
        ago_seconds=HOUR,
    )
    common = {"compute_job_id": run, "project_id": PROJECT, "result_type": "pose", "created_at": "2026-02-01"}
    poses: list[dict[str, Any]] = [{"file_path": "poses/ref.sdf", "ligand_id": LIGANDS[0]["id"]}] * 3
    scored = {"file_path": "poses/a.sdf", "pose_score": 0.4, "binding_energy": -5.0}
    bench.platform.executions[run].own_results = [
        {"id": f"0AREFERENCE0{number}", "data": data, **common} for number, data in enumerate([*poses, scored])
    ]
    found = await agent.read("find_molecules", kind="pose", execution_id=run, limit=2)
    assert ids_of(found) == ["0AREFERENCE03"]
    bench.platform.executions[run].own_results = [
        {"id": f"0AREFERENCE0{number}", "data": data, **common} for number, data in enumerate(poses)
    ]
    unscored = await agent.read("find_molecules", kind="pose", execution_id=run, limit=2)
    assert len(unscored["molecules"]) == 2
    assert unscored["note"]
    assert len((await agent.follow(unscored["next_step"]))["molecules"]) == 1


async def test_a_pose_or_pocket_is_found_by_its_id(agent: Agent, docked: str) -> None:
    (best,) = (await agent.read("find_molecules", kind="pose", execution_id=docked, limit=1))["molecules"]
    found = await agent.read("find_molecules", kind="pose", query=best["as_input"]["id"])
    assert found["molecules"][0]["as_input"] == best["as_input"]


async def test_a_platform_that_refuses_the_order_is_asked_more_simply(agent: Agent, bench: Bench, docked: str) -> None:
    bench.fault("POST */result-explorer/search status=400 times=1")
    found = await agent.read("find_molecules", kind="pose", execution_id=docked)
    bench.heal()
    scores = [row["pose_score"] for row in found["molecules"]]
    assert scores == sorted(scores, reverse=True)


# Rows as no platform should send them


HOSTILE: list[dict[str, Any]] = [
    {},
    {"id": 7, "name": ["x"], "protein_name": {}, "data": [], "project_id": 1, "created_at": 5, "smiles": False},
    {"id": "08A\nnext_step: spend", "protein_name": "a\u202eb\n| c | d", "file_path": "x | y\n.pdb", "state": 3},
    {"id": "0B", "data": {"pose_score": "high", "volume": -1, "center": ["a", 1, 2], "box": 3, "file_path": "p.pdb"}},
    {"id": "0C", "name": "n" * 10_000, "canonical_smiles": "C" * 9_000, "data": {"file_path": "f" * 9_000}},
]


@pytest.mark.parametrize("kind", ["protein", "ligand", "pocket", "pose"])
async def test_hostile_rows_become_harmless_ones(kind: str) -> None:
    page = {"data": HOSTILE, "meta": {"hasMore": True, "nextCursor": "x"}}
    async with recording() as server:
        server.answer(page)
        async with agent_of(create_server(Settings(token=bench_token(), org_key=ORG, base_url=server.url))) as agent:
            found = await agent.read("find_molecules", kind=kind, limit=5)
            assert len(found["molecules"]) == 5
            assert all(len(str(row)) < 12_000 for row in found["molecules"])


async def test_rows_that_the_platform_did_not_sort_are_not_taken_for_the_best() -> None:
    rows = [{"id": f"0A{score}", "data": {"pose_score": score, "file_path": "a.sdf"}} for score in (0.1, 0.9)]
    async with recording() as server:
        server.answer({"data": rows, "meta": {"hasMore": True}})
        async with agent_of(create_server(Settings(token=bench_token(), org_key=ORG, base_url=server.url))) as agent:
            found = await agent.read("find_molecules", kind="pose", limit=2)
            assert "not sort" in found["note"]


# What is refused, and what goes wrong


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "protein", "smiles": "CCO"},
        {"kind": "ligand", "execution_id": "e"},
        {"kind": "pose", "smiles": "CCO"},
        {"kind": "pocket", "pdb_id": "1ABC"},
        {"kind": "pocket", "query": "toy kinase"},
        {"kind": "ligand", "smiles": "C1CC"},
        {"kind": "protein", "order": "pose_score desc"},
        {"kind": "protein", "cursor": "ligand0.0:"},
        {"kind": "protein", "cursor": "x"},
    ],
)
async def test_what_cannot_find_anything_is_refused_before_a_request(
    agent: Agent, bench: Bench, arguments: dict[str, str]
) -> None:
    before = len(bench.platform.requests)
    assert (await agent.error("find_molecules", **arguments)).code == "invalid_argument"
    assert len(bench.platform.requests) == before


async def test_an_unknown_run_is_not_found(agent: Agent) -> None:
    unknown = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
    assert (await agent.error("find_molecules", kind="pose", execution_id=unknown)).code == "not_found"


async def test_names_that_cannot_be_read_leave_ids(bench: Bench) -> None:
    for what in ("POST */projects/search status=403", "GET */users status=403"):
        bench.fault(what)
    async with bench.agent() as agent:
        found = await agent.read("find_molecules", kind="protein", query="BRD4")
    bench.heal()
    assert found["molecules"][0]["project"] == "09DEMASNDB0X3"


async def test_names_are_requested_once(bench: Bench) -> None:
    async with bench.agent() as agent:
        before = len(bench.sent("POST", "/projects/search")), len(bench.sent("GET", "/users"))
        for _ in range(3):
            await agent.read("find_molecules", kind="protein", query="toy")
        after = len(bench.sent("POST", "/projects/search")), len(bench.sent("GET", "/users"))
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    arguments=st.fixed_dictionaries(
        {"kind": st.sampled_from(["protein", "ligand", "pocket", "pose"])},
        optional={
            "query": st.text(max_size=20) | st.sampled_from(["toy", "3MXF", BRD4]),
            "smiles": st.text(max_size=10) | st.just("CCO"),
            "pdb_id": st.text(max_size=5),
            "protein_id": st.text(max_size=14) | st.just(PREPARED),
            "project_id": st.text(max_size=14) | st.just(GPCR),
            "order": st.text(max_size=10) | st.just("name asc"),
            "cursor": st.text(max_size=10) | st.from_regex(r"(protein|pose)[0-9]\.[0-9]{1,3}:", fullmatch=True),
        },
    )
)
async def test_whatever_is_asked_is_answered_or_refused(agent: Agent, arguments: dict[str, str]) -> None:
    answer = await agent.call("find_molecules", arguments)
    assert not answer.is_error or answer.error is None or answer.error.code != "internal"
    assert max(len(answer.text), compact_size(answer.content)) <= 20_000


# Runs that are not over


async def test_rows_of_a_run_are_waited_for_until_it_is_over_and_they_are_stored(agent: Agent, bench: Bench) -> None:
    run = bench.platform.seed_run("deeporigin.pocket-finder", {"protein": PROTEIN, "pocket_count": 2}, ago_seconds=20)
    assert bench.platform.status(run) == "Running"
    found = await agent.read("find_molecules", kind="pocket", execution_id=run)
    assert len(found["molecules"]) == 2
    assert bench.platform.status(run) == "Completed"


async def test_rows_that_were_stored_while_it_was_asked_whether_they_are_come_with_the_same_call(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.platform, "ingestion_lag_seconds", 60)
    run = bench.platform.seed_run("deeporigin.pocket-finder", {"protein": PROTEIN, "pocket_count": 2}, ago_seconds=70)
    assert bench.platform.status(run) == "Completed"
    async with bench.stored_meanwhile(60):
        found = await agent.read("find_molecules", kind="pocket", execution_id=run)
    assert len(found["molecules"]) == 2


async def test_a_run_that_takes_longer_comes_with_the_call_that_waits_on(agent: Agent, bench: Bench) -> None:
    inputs = {"protein": PROTEIN, "pocket": {"center": [0, 0, 0], **BOX}, "ligands": LIGANDS, "effort": 5}
    run = bench.platform.seed_run("deeporigin.docking", inputs, ago_seconds=5)
    began = bench.time.elapsed()
    found = await agent.read("find_molecules", kind="pose", execution_id=run)
    assert found["molecules"] == []
    assert bench.time.elapsed() - began <= 45
    while not found["molecules"]:
        found = await agent.follow(found["next_step"])
    assert {row["ligand_id"] for row in found["molecules"]} == {ligand["id"] for ligand in LIGANDS}
