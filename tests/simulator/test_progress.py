"""Progress reports of both eras."""

import json
from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import ABFE, ADMET, DOCKING, MOLPROPS, PROTEIN, Api, abfe_inputs, docking_inputs


def halfway(clock: ManualClock, platform: Platform, execution: str, share: float = 0.5) -> None:
    timeline = platform.executions[execution].timeline
    assert timeline is not None
    clock.advance_to(timeline.started + (timeline.finished - timeline.started) * share)


def report(api: Api, execution: str, era: int) -> Any:
    return api.get(execution, era=era)["progressReport"]


def test_docking_tells_lines_of_text_and_a_tree(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, "4", inputs=docking_inputs("C", "C(", "CC", "CCC"), batchSize=2)
    assert report(api, execution, 1) is None
    assert report(api, execution, 2) is None
    halfway(clock, platform, execution)
    lines = report(api, execution, 1).splitlines()
    assert lines[0] == "total_num_ligands = 4"
    assert [line[:13] for line in lines[1:]] == ["ligand docked", "ligand failed"]
    tree = report(api, execution, 2)
    assert tree["displayName"] == f"workflow-{platform.executions[execution].stored['resourceId']}"
    assert [child["displayName"].partition("(")[0] for child in tree["children"]] == [
        "prepare-ligands",
        "dock",
        "dock",
        "collect-poses",
    ]
    assert tree["progress"] == "2/4"
    assert [child["status"] for child in tree["children"]] == ["Succeeded", "Succeeded", "Running", "Queued"]


def test_old_docking_only_ever_tells_text(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, "3", inputs=docking_inputs())
    halfway(clock, platform, execution, 1.0)
    assert report(api, execution, 2) == "total_num_ligands = 1\nligand docked 1"


def test_abfe_tells_json_text_and_ends_with_its_terms(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(ABFE, inputs=abfe_inputs(steps=["system-prep", "abfe"]), approveAmount=1000)
    halfway(clock, platform, execution)
    running = json.loads(report(api, execution, 1))
    assert running["status"] == "Running"
    assert running["time_remaining_curr_stage_s"] > 3600
    tree = report(api, execution, 2)
    done, working = tree["children"]
    assert (done["displayName"], done["status"], done["progress"]) == ("system-prep-task", "Succeeded", "1/1")
    assert not done["startedAt"].endswith("000Z")
    assert working["toolProgress"]["complete"] == 0
    assert working["finishedAt"] is None
    halfway(clock, platform, execution, 1.0)
    ended = json.loads(report(api, execution, 1))
    assert (ended["cmd"], ended["unit"]) == ("FEP Results", "kcal/mol")
    assert report(api, execution, 2)["status"] == "Succeeded"


def test_a_step_left_out_is_skipped(api: Api, clock: ManualClock, platform: Platform) -> None:
    prepared = {"binding_xml_file_path": "b", "solvation_xml_ligand_file_path": "s"}
    inputs = {"steps": ["abfe"], "prepared_system": prepared}
    execution = api.started(ABFE, inputs=inputs, approveAmount=1000)
    halfway(clock, platform, execution)
    first = report(api, execution, 2)["children"][0]
    assert (first["status"], first["message"]) == ("Skipped", "when 'false == true' evaluated false")


def test_a_failed_run_has_a_failed_leaf_at_a_hundred_percent(api: Api, clock: ManualClock, platform: Platform) -> None:
    inputs = abfe_inputs(pose1={"file_path": "failing.sdf"})
    execution = api.started(ABFE, inputs=inputs, approveAmount=1000)
    halfway(clock, platform, execution, 1.0)
    tree = report(api, execution, 2)
    failed, later = tree["children"]
    assert (tree["status"], failed["status"], later["status"]) == ("Failed", "Failed", "Omitted")
    assert failed["toolProgress"] == {"complete": 100}
    assert "failing" in tree["message"]
    assert json.loads(report(api, execution, 1))["status"] == "Failed"


def test_a_batch_of_which_no_ligand_works_is_a_failed_step_of_a_completed_run(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    execution = api.started(DOCKING, "4", inputs=docking_inputs("C", "CC", "N[Pt]", "C(", "CCC"), batchSize=2)
    halfway(clock, platform, execution, 1.0)
    tree = report(api, execution, 2)
    assert (api.get(execution)["status"], tree["status"], tree["progress"]) == ("Completed", "Succeeded", "4/5")
    (failed,) = [child for child in tree["children"] if child["status"] == "Failed"]
    assert failed["displayName"].startswith("dock(1:")
    assert "ligand 3: no force-field parameters for Pt" in failed["message"]


@pytest.mark.parametrize(
    ("key", "inputs", "expected"),
    [
        (ADMET, {"ligands": [{"smiles": "C"}], "properties": ["herg"]}, 50),
        ("deeporigin.pocket-finder", {"protein": PROTEIN, "sync": False}, 50),
        ("acme.hello-test", {}, 50),
        (
            "deeporigin.protein-prep",
            {
                "action": "prepare",
                "protein": PROTEIN,
                "selection": {"source_sha256": "c" * 64, "decisions": {}},
                "model_missing_loops": False,
            },
            50,
        ),
        ("deeporigin.draco", {"input_file": {"$provider": "ufa", "key": "a.pdf"}}, 50),
    ],
)
def test_the_other_workflows_tell_a_percentage(
    api: Api, clock: ManualClock, platform: Platform, key: str, inputs: dict[str, Any], expected: int
) -> None:
    execution = api.started(key, inputs=inputs, approveAmount=1000)
    halfway(clock, platform, execution)
    assert f"{expected}" in json.dumps(report(api, execution, 1))
    assert report(api, execution, 2)["children"]


def test_served_runs_tell_nothing(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(MOLPROPS, inputs={"ligands": [{"smiles": "C"}]})
    halfway(clock, platform, execution)
    assert report(api, execution, 1) is None
    assert report(api, execution, 2) is None


def test_progress_stands_still_after_a_cancel(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("C", "CC"))
    halfway(clock, platform, execution)
    api.act(execution, "cancel")
    before = report(api, execution, 2)
    clock.advance(1000)
    assert report(api, execution, 2) == before
    assert before["status"] == "Cancelled"
    assert [child["status"] for child in before["children"]] == ["Succeeded", "Cancelled", "Queued"]


def test_a_run_cancelled_in_the_queue_has_no_progress(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    api.act(execution, "cancel")
    clock.advance(100)
    assert report(api, execution, 1) is None
    assert report(api, execution, 2) is None
