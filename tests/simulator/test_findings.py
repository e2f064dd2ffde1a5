"""Results of completed runs: inline for served ones, in the explorer for all."""

from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import ADMET, DOCKING, MOLPROPS, POCKETS, PROTEIN, RBFE, Api, docking_inputs, finish
from tests.support.golden_bodies import GOLDEN

LIGANDS = [{"id": "08A", "smiles": "CCO"}, {"id": "08B", "smiles": "CCN"}]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(auto_advance=True)


def outputs(api: Api, key: str, inputs: dict[str, Any], **body: Any) -> Any:
    response = api.create(key, inputs=inputs, sync=True, approveAmount=100, **body)
    assert response.json()["status"] == "Completed", response.text
    return response.json()["jobOutputs"]


@pytest.mark.parametrize(
    ("key", "inputs", "names"),
    [
        (DOCKING, docking_inputs(sync=True), {"poses"}),
        (POCKETS, {"protein": PROTEIN}, {"pockets"}),
        (MOLPROPS, {"ligands": LIGANDS}, {"molprops"}),
        (ADMET, {"ligands": LIGANDS, "properties": ["herg"]}, {"admet_properties", "admet_failures"}),
        ("deeporigin.metabolism", {"ligands": LIGANDS}, {"molecules", "sites"}),
        ("deeporigin.system-prep", {"protein": PROTEIN, "pose1": {"file_path": "a.sdf"}}, {"system"}),
        ("deeporigin.protein-prep", {"action": "recommend", "protein": PROTEIN}, {"recommendation"}),
        (
            "deeporigin.enumerator",
            {"ligand": LIGANDS[0], "job_type": "AVAILABLE_REACTIONS"},
            {"available_reactions", "enumeration_results"},
        ),
        ("deeporigin.konnektor", {"ligands": LIGANDS}, {"ligand_network", "network_html"}),
        ("deeporigin.structure-report", {"pdb_id": "7ABC"}, {"structure_reports"}),
        ("deeporigin.uniprot-discovery", {"uniprot_accession": "Q9Y6K9"}, {"candidates"}),
        (
            "deeporigin.secondary-pharma",
            {"methods": ["docking", "ligand-ml"], "ligands": LIGANDS},
            {"ligand_ml_predictions", "panel_poses"},
        ),
        ("deeporigin.import-dataset", {"file_path": "a.csv", "process_csv": True}, {"ligands", "proteins", "poses"}),
    ],
)
def test_a_served_run_answers_with_its_tools_own_outputs(
    api: Api, key: str, inputs: dict[str, Any], names: set[str]
) -> None:
    found = outputs(api, key, inputs)
    assert found.keys() == names
    assert any(found.values())


def test_protonation_answers_with_a_list_of_one(api: Api) -> None:
    (state,) = outputs(api, "deeporigin.mol-props-protonation", {"ligand": LIGANDS[0]})
    assert sum(state["protonation_states"]["concentration_list"]) == pytest.approx(100)


def test_results_are_the_same_on_every_read(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("CCO", "CCN"))
    finish(clock, platform, execution)
    first = api.found("result-explorer", filter={})
    clock.advance(3600)
    assert api.found("result-explorer", filter={}) == first
    assert len({row["id"] for row in first}) == 6
    best = [row["data"] for row in first if row["data"]["best_pose"]]
    assert all(-12 < pose["binding_energy"] < -4 for pose in best)


def test_runs_over_a_file_of_ligands_have_results_up_to_a_limit(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    inputs = {**docking_inputs(), "ligands_file": "library.json", "ligands_count": 5000}
    del inputs["ligands"]
    execution = api.started(DOCKING, inputs=inputs, approveAmount=2000)
    finish(clock, platform, execution)
    answer = api.search("result-explorer", filter={"best_pose": {"eq": True}}, with_total_count=True, limit=1).json()
    assert answer["meta"]["total_count"] == 500


@pytest.mark.parametrize(
    ("inputs", "edges"),
    [
        ({"ligands": [{"id": name, "file_path": f"{name}.sdf"} for name in "abc"], "network_type": "star"}, 2),
        ({"ligands": [{"id": name, "file_path": f"{name}.sdf"} for name in "abc"], "network_type": "cyclic"}, 3),
        ({"prepared_systems": GOLDEN[14][3]["inputs"]["prepared_systems"]}, 1),
    ],
)
def test_a_network_has_a_row_per_edge(
    api: Api, clock: ManualClock, platform: Platform, inputs: dict[str, Any], edges: int
) -> None:
    execution = api.started(RBFE, inputs={"protein": PROTEIN, **inputs}, approveAmount=1000)
    finish(clock, platform, execution)
    rows = api.found("result-explorer", filter={"result_type": {"eq": "rbferesult"}})
    assert len(rows) == edges
    assert {row["data"]["ddG"]["unit"] for row in rows} == {"kcal/mol"}


@pytest.mark.parametrize("tool_key", ["deeporigin.rbfe", "deeporigin.admet-properties", "deeporigin.system-prep"])
def test_seeded_history_has_results_too(api: Api, platform: Platform, tool_key: str) -> None:
    completed, failed = platform.seed_executions(count=2, tool_key=tool_key, status=["Completed", "Failed"])
    assert api.found("result-explorer", filter={"compute_job_id": {"eq": completed}})
    assert api.found("result-explorer", filter={"compute_job_id": {"eq": failed}}) == []


def test_seeded_history_of_a_tool_without_sample_inputs_has_none(api: Api, platform: Platform) -> None:
    platform.seed_executions(tool_key="deeporigin.konnektor")
    platform.seed_executions(tool_key="acme.retired", tool_version="9.9.9")
    assert api.found("result-explorer", filter={}) == []
    assert {row["tool"]["key"] for row in api.listed()["data"]} == {"deeporigin.konnektor", "acme.retired"}
