"""The official client, unchanged, drives the simulator: everything beside executions."""

from typing import Any

import pytest
from deeporigin.exceptions import DeepOriginException
from deeporigin.platform.client import DeepOriginClient
from deeporigin.platform.constants import TOOL_KEYS_AND_VERSIONS

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import ABFE, CLUSTER, DOCKING, POCKETS, PROJECT, PROTEIN, abfe_inputs, docking_inputs, finish


def run(client: DeepOriginClient, clock: ManualClock, platform: Platform, key: str, inputs: dict[str, Any]) -> str:
    data = {"inputs": inputs, "approveAmount": 500}
    execution = str(client.executions.create(tool_key=key, tool_version="latest", data=data)["executionId"])
    finish(clock, platform, execution)
    return execution


def test_every_tool_that_it_pins_exists(official: DeepOriginClient) -> None:
    for pin in TOOL_KEYS_AND_VERSIONS.values():
        assert official.tools.exists(**pin), pin
    assert not official.tools.exists(tool_key=DOCKING, tool_version="9")
    assert not official.tools.exists(tool_key="deeporigin.bulk-docking", tool_version="0.4.2")


def test_it_reads_definitions(official: DeepOriginClient) -> None:
    rows = official.tools.list()
    assert len(rows) > 20
    assert official.tools.get(tool_key=DOCKING, tool_version="4")["version"] == "4.2.0"
    assert len(official.tools.get_by_key(tool_key=DOCKING)["data"]) == 3


def test_it_takes_the_first_cluster(official: DeepOriginClient) -> None:
    assert official.clusters.get_default_cluster_id() == CLUSTER
    assert official.clusters.list(page=0, page_size=1, order="name? asc", filter="{}")["pagination"] == {"count": 3}


def test_it_reads_organisations_and_users(official: DeepOriginClient) -> None:
    assert [row["orgKey"] for row in official.organizations.list()] == ["deeporigin", "acme"]
    assert official.organizations.users()[0]["email"].endswith(".invalid")


def test_it_manages_projects(official: DeepOriginClient) -> None:
    made = official.projects.create(name="Judge's own", description="d")["data"]
    assert made["tags"]["app"] == "python-client"
    assert official.projects.get(project_id=made["id"])["data"]["name"] == "Judge's own"
    official.projects.update(made["id"], notes="n")
    found = official.projects.search(name="judge", sort={"name": "asc"}, select=["id", "notes"], limit=5, offset=0)
    assert found["data"] == [{"id": made["id"], "notes": "n"}]
    official.projects.delete(made["id"])
    with pytest.raises(DeepOriginException):
        official.projects.get(project_id=made["id"])
    assert len(official.projects.list()["data"]) == 3


def test_it_reads_logs(official: DeepOriginClient, clock: ManualClock, platform: Platform) -> None:
    execution = run(official, clock, platform, DOCKING, docking_inputs("CCO", "[Pt]"))
    answer = official.user_logs.search(execution, limit=2, offset=1, select=["message"], with_total_count=True)
    assert answer["meta"]["total_count"] == 4
    assert answer["data"][0] == {"message": "Ligand 2: no force-field parameters for Pt"}
    assert len(official.user_logs.search()["data"]) == 4


def test_it_pages_results_by_cursor_and_by_offset(
    official: DeepOriginClient, clock: ManualClock, platform: Platform
) -> None:
    execution = run(official, clock, platform, DOCKING, docking_inputs("C", "CC", "CCC"))
    by_cursor = official.results.get(compute_job_id=execution, result_type="Pose", limit=None, page_size=2)["data"]
    by_offset = official.results.get(sort={"pose_score": "desc"}, limit=7, page_size=3)["data"]
    assert (len(by_cursor), len(by_offset)) == (9, 7)
    scores = [row["data"]["pose_score"] for row in by_offset]
    assert scores == sorted(scores, reverse=True)
    assert len({row["id"] for row in by_cursor}) == 9
    assert len(official.results.get(sort={"measured_at": "asc"}, page_size=4)["data"]) == 9


def test_it_finds_each_kind_of_result(official: DeepOriginClient, clock: ManualClock, platform: Platform) -> None:
    run(official, clock, platform, DOCKING, docking_inputs("C", "CC"))
    pockets = run(official, clock, platform, POCKETS, {"protein": PROTEIN, "pocket_count": 3, "sync": False})
    run(official, clock, platform, ABFE, abfe_inputs())
    run(official, clock, platform, "deeporigin.system-prep", abfe_inputs(padding=2))
    results = official.results
    poses = results.get_poses(protein_id=PROTEIN["id"], ligand_id=["08MADEUP00000"], effort=1, best_pose=True)["data"]
    assert len(poses) == 1
    assert len(results.get_poses(tool_version="4.2.0")["data"]) == 6
    found = results.get_pockets(pocket_count=3, pocket_min_size=30)["data"]
    assert [row["compute_job_id"] for row in found] == [pockets] * 3
    assert len(results.get_pockets(id=found[0]["id"])["data"]) == 1
    assert results.get_abfe_results(protein_id=PROTEIN["id"])["data"][0]["data"]["unit"] == "kcal/mol"
    assert len(results.get_prepared_systems(padding=2, protonate_protein=True)["data"]) == 1
    ligands = results.with_ligands(experiments=[{"toolId": DOCKING}], limit=10)["data"]
    assert len(ligands) == 4


def test_results_keep_to_its_project(official: DeepOriginClient, clock: ManualClock, platform: Platform) -> None:
    run(official, clock, platform, DOCKING, docking_inputs())
    official.project_id = "09DEMAGPCR002"
    assert official.results.get()["data"] == []
    official.project_id = PROJECT
    assert len(official.results.get()["data"]) == 3


def test_it_reads_entities(official: DeepOriginClient) -> None:
    assert {"tableName": "ligands", "visibility": "public"} in official.entities.list_models()["models"]
    (ligand,) = official.entities.search("ligands", filter_dict={"smiles": "CCO"}, limit=2)["data"]
    assert official.entities.get(entity="ligands", entity_id=ligand["id"])["smiles"] == "CCO"


def test_it_reads_usage_by_tag(official: DeepOriginClient) -> None:
    official.billing_tag = "grant-9"
    data = {"inputs": {"protein": PROTEIN, "sync": False}}
    official.executions.create(tool_key=POCKETS, tool_version="3", data=data)
    usage = official.billing.get_usage_by_tag(tag="grant-9", end_date="2026-12-31")
    assert [item["item_code"] for item in usage["items"]] == ["DO_POCKET_FINDER"]


def test_it_sees_the_health_of_each_service(official: DeepOriginClient, platform: Platform) -> None:
    assert official.health()["status"] == "ok"
    platform.unhealthy.add("billing")
    health = official.health()
    assert (health["status"], health["tools"]["status"], health["billing"]["status"]) == ("error", "ok", "error")
