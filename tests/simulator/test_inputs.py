"""What create bodies are accepted, and how the others are refused."""

from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import DOCKING, MOLPROPS, POCKETS, PROTEIN, Api, docking_inputs, finish
from tests.support.golden_bodies import GOLDEN


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(auto_advance=True)


@pytest.mark.parametrize(("key", "version", "body"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN])
def test_every_golden_body_is_accepted_and_completes(
    api: Api, clock: ManualClock, platform: Platform, key: str, version: str, body: dict[str, Any]
) -> None:
    response = api.create(key, version, **body)
    assert response.status_code == 200, response.text
    execution = response.json()["executionId"]
    if response.json()["status"] == "Quoted":
        assert api.act(execution, "confirm").status_code == 200
    finish(clock, platform, execution)
    dto = api.get(execution)
    assert dto["status"] == "Completed", dto["statusReason"]
    if platform.executions[execution].served:
        assert dto["jobOutputs"] is not None
    explored = api.found("result-explorer", filter={"compute_job_id": {"eq": execution}})
    assert all(row["compute_job_id"] == execution for row in explored)


def problems(api: Api, key: str = DOCKING, **body: Any) -> dict[str, str]:
    response = api.create(key, **body)
    assert response.status_code == 400, response.text
    return {error["field"]: error["reason"] for error in response.json()["errors"]}


def test_all_problems_are_told_at_once(api: Api, platform: Platform) -> None:
    inputs = docking_inputs("C", effort=9, protein={"id": "x"})
    inputs["pocket"] = {**inputs["pocket"], "center": [1, 2], "box_size_x": -1}
    inputs["ligands"].append({"id": "no-smiles"})
    assert problems(api, inputs=inputs, clusterId="nope", name=7) == {
        "inputs.effort": "must be <= 5",
        "inputs.protein.file_path": "required",
        "inputs.pocket.center": "must NOT have fewer than 3 items",
        "inputs.pocket.box_size_x": "must be > 0",
        "inputs.ligands.1.smiles": "required",
        "clusterId": "unknown or disabled cluster",
        "name": "must be string",
    }
    assert platform.creates == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"inputs": "required"}),
        ({"inputs": []}, {"inputs": "must be object"}),
        ({"inputs": docking_inputs(), "clusterId": None}, {"clusterId": "required"}),
        ({"inputs": docking_inputs(), "projectId": "09ACMEPR0J001"}, {"projectId": "unknown project"}),
        ({"inputs": docking_inputs(), "approveAmount": "1"}, {"approveAmount": "must be number"}),
        ({"inputs": docking_inputs(), "approveAmount": True}, {"approveAmount": "must be number"}),
        (
            {"inputs": docking_inputs(), "visibility": None},
            {"visibility": "must be equal to one of the allowed values: visible, hidden"},
        ),
        ({"inputs": docking_inputs(), "batchSize": 1.5}, {"batchSize": "must be integer"}),
    ],
)
def test_the_body_around_the_inputs_is_checked(api: Api, body: dict[str, Any], expected: dict[str, str]) -> None:
    assert problems(api, **body) == expected


@pytest.mark.parametrize(
    ("key", "inputs", "field", "reason"),
    [
        (POCKETS, {"protein": PROTEIN, "mode": "guess"}, "inputs.mode", "must be equal to one of"),
        (POCKETS, {"protein": PROTEIN, "mode": "define-by-selection"}, "inputs.selections", "required"),
        (
            POCKETS,
            {"protein": PROTEIN, "mode": "from-crystal-ligand", "crystal_ligand": {}},
            "inputs.crystal_ligand",
            "must match exactly one schema in oneOf",
        ),
        (MOLPROPS, {"ligands": []}, "inputs.ligands", "must NOT have fewer than 1 items"),
        (MOLPROPS, {"ligands": None}, "inputs.ligands", "must be array"),
        (
            MOLPROPS,
            {"ligands": [{"smiles": "C"}], "molprops": ["logp", "logp"]},
            "inputs.molprops",
            "has non-unique elements",
        ),
        (
            "deeporigin.enumerator",
            {"ligand": {"smiles": "C"}, "job_type": "AVAILABLE_REACTIONS", "colour": "red"},
            "inputs.colour",
            "must NOT have additional properties",
        ),
        ("deeporigin.structure-report", {}, "inputs", "must match a schema in anyOf"),
        ("deeporigin.structure-report", {"pdb_id": "x"}, "inputs.pdb_id", "does not match"),
        ("deeporigin.uniprot-discovery", {"uniprot_accession": "P"}, "inputs.uniprot_accession", "fewer than 6"),
    ],
)
def test_a_bad_input_is_named_with_its_reason(
    api: Api, key: str, inputs: dict[str, Any], field: str, reason: str
) -> None:
    assert reason in problems(api, key, inputs=inputs)[field]


def test_docking_takes_ligands_or_a_file_but_not_both(api: Api) -> None:
    inputs = docking_inputs(ligands_file="a.json", ligands_count=3)
    assert problems(api, inputs=inputs)["inputs"] == "must match exactly one schema in oneOf"


def test_defaults_are_filled_in_and_unknown_inputs_are_dropped_in_silence(api: Api) -> None:
    inputs = {"protein": PROTEIN, "colour": "red", "pocket_radius": None}
    dto = api.create(POCKETS, inputs=inputs, approveAmount=-1).json()
    assert dto["userInputs"] == {
        "protein": PROTEIN,
        "mode": "auto-find",
        "pocket_count": 1,
        "pocket_min_size": 30,
        "sync": True,
    }


def test_nested_defaults_are_filled_in_through_references(api: Api) -> None:
    inputs = {"protein": PROTEIN, "pose1": {"file_path": "a.sdf"}, "binding": {"prod_md_options": {"T": 300}}}
    dto = api.create("deeporigin.abfe-end-to-end", inputs=inputs, approveAmount=-1).json()
    assert dto["userInputs"]["binding"]["prod_md_options"] == {"T": 300, "cutoff": 0.9, "dt": 0.004}


def test_the_generic_tools_explicit_nulls_are_tolerated(api: Api) -> None:
    dto = api.create("acme.hello-test", inputs={"message": None, "times": None, "opt": None}).json()
    assert dto["userInputs"] == {"times": 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_a_body_that_is_not_a_json_object_is_refused(api: Api, content: bytes) -> None:
    url = f"/tools/deeporigin/tools/{DOCKING}/4/executions"
    assert api.http.post(url, content=content).status_code == 400
