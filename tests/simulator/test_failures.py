"""Runs that fail for reasons in their inputs, and what the logs say."""

from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from deeporigin_mcp.simulator.model.failures import ligand_problem
from tests.support.api import ABFE, ADMET, DOCKING, Api, abfe_inputs, docking_inputs, finish


@pytest.mark.parametrize(
    "smiles",
    ["CCO", "c1ccccc1", "C[C@H](N)C(=O)O", "[Na+].[O-]C=O", "C1CC%10CC1CC%10", "BrCCCl", "[2H]C", "[nH]1cccc1"],
)
def test_ordinary_molecules_are_fine(smiles: str) -> None:
    assert ligand_problem(smiles) is None


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("", "empty"),
        (None, "empty"),
        ("C(C", "unbalanced parentheses"),
        ("C)C(", "unbalanced parentheses"),
        ("[CH3", "unbalanced brackets"),
        ("]C[", "unbalanced brackets"),
        ("c1ccccc", "ring 1 is not closed"),
        ("C!C", "unknown symbol"),
        ("hello world", "unknown symbol"),
        ("[Pt](N)(N)", "no force-field parameters for Pt"),
        ("C[Fe+2]C", "no force-field parameters for Fe"),
        ("[W]", "no force-field parameters for W"),
    ],
)
def test_impossible_molecules_are_explained(smiles: object, reason: str) -> None:
    problem = ligand_problem(smiles)
    assert problem is not None
    assert reason in problem


def run(api: Api, clock: ManualClock, platform: Platform, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    execution = api.started(key, inputs=inputs, approveAmount=1000)
    finish(clock, platform, execution)
    return api.get(execution)


def logs(api: Api, execution: str) -> list[tuple[str, str]]:
    props = [{"column": "execution_id", "op": "eq", "value": execution}]
    return [(row["log_level"], row["message"]) for row in api.found("user_logs", filter={"props": props})]


def test_docking_completes_while_one_ligand_works_and_names_the_others_in_its_logs(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    dto = run(api, clock, platform, DOCKING, docking_inputs("CCO", "C(C", "[Pt]"))
    assert dto["status"] == "Completed"
    warnings = [message for level, message in logs(api, dto["executionId"]) if level == "warning"]
    assert warnings == [
        "Ligand 2: cannot read SMILES 'C(C': unbalanced parentheses",
        "Ligand 3: no force-field parameters for Pt",
    ]
    assert "ligand failed 2" in dto["progressReport"]
    poses = api.found("result-explorer", filter={"result_type": {"eq": "pose"}})
    assert {row["data"]["smiles"] for row in poses} == {"CCO"}


def test_docking_fails_when_no_ligand_works(api: Api, clock: ManualClock, platform: Platform) -> None:
    dto = run(api, clock, platform, DOCKING, docking_inputs("[Pt]", "C1CC"))
    assert dto["status"] == "Failed"
    assert dto["startedAt"]
    assert dto["completedAt"]
    assert "no force-field parameters for Pt" in dto["statusReason"]["message"]
    assert logs(api, dto["executionId"])[-1][0] == "error"
    assert api.found("result-explorer", filter={}) == []


@pytest.mark.parametrize(
    ("key", "inputs", "reason"),
    [
        (ABFE, abfe_inputs(pose1={"file_path": "poses/failing.sdf"}), "poses/failing.sdf"),
        ("deeporigin.draco", {"input_file": {"$provider": "ufa", "key": "failing.pdf"}}, "failing.pdf"),
        ("deeporigin.mol-props-protonation", {"ligand": {"smiles": "[Au]"}}, "parameters for Au"),
        ("deeporigin.enumerator", {"ligand": {"smiles": "C("}, "job_type": "AVAILABLE_REACTIONS"}, "parentheses"),
    ],
)
def test_a_run_fails_for_its_only_ligand_or_for_a_file_that_is_named_so(
    api: Api, clock: ManualClock, platform: Platform, key: str, inputs: dict[str, Any], reason: str
) -> None:
    dto = run(api, clock, platform, key, inputs)
    assert dto["status"] == "Failed"
    assert reason in str(dto["statusReason"])
    assert dto["jobOutputs"] is None


def test_admet_reports_the_ligands_that_it_could_not_read(api: Api, clock: ManualClock, platform: Platform) -> None:
    inputs = {"ligands": [{"id": "ok", "smiles": "C"}, {"id": "bad", "smiles": "C("}], "properties": ["herg"]}
    run(api, clock, platform, ADMET, inputs)
    failures = api.found("result-explorer", filter={"result_type": {"eq": "admetfailure"}})
    assert [(row["data"]["ligand_id"], row["data"]["properties"]) for row in failures] == [("bad", ["herg"])]
    values = api.found("result-explorer", filter={"result_type": {"eq": "admetproperty"}})
    assert [sorted(row["data"]) for row in values] == [["herg_classification", "ligand_id", "method", "smiles"]]


def test_logs_appear_as_the_run_goes_on_and_can_be_filtered(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("CCO", "[Pt]"))
    assert logs(api, execution) == []
    clock.advance(10)
    assert [level for level, _ in logs(api, execution)] == ["info"]
    finish(clock, platform, execution)
    assert len(logs(api, execution)) == 4
    props = [
        {"column": "log_level", "op": "eq", "value": "warning"},
        {"column": "message", "op": "icontains", "value": "FORCE-field"},
    ]
    found = api.found("user_logs", filter={"props": props, "execution_id": execution}, limit=1, select=["message"])
    assert found == [{"message": "Ligand 2: no force-field parameters for Pt"}]


def test_a_cancelled_run_says_so_in_its_logs(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("CCO", "[Pt]"))
    clock.advance(10)
    api.act(execution, "cancel")
    clock.advance(60)
    assert logs(api, execution)[-1] == ("warning", "Stopped on request.")


def test_a_run_cancelled_in_the_queue_only_logs_that(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    api.act(execution, "cancel")
    clock.advance(60)
    assert logs(api, execution) == [("warning", "Stopped on request.")]


def test_seeded_runs_have_short_logs(api: Api, platform: Platform) -> None:
    done, quoted = platform.seed_executions(count=2, status=["Completed", "Quoted"])
    assert logs(api, done) == [("info", "Started."), ("info", "Ended as Completed.")]
    assert logs(api, quoted) == []
