"""Searches of the data platform: late rows, hidden rows, paging, projects, entities."""

from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import DOCKING, MOLPROPS, POCKETS, PROJECT, PROTEIN, Api, docking_inputs, finish


def props(*conditions: tuple[str, str, Any]) -> dict[str, Any]:
    return {"props": [{"column": column, "op": op, "value": value} for column, op, value in conditions]}


def test_a_row_appears_late_and_is_ingesting_after_the_run(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    mine = {"filter": props(("compute_job_id", "eq", execution))}
    assert api.found("executions", **mine) == []
    clock.advance(platform.ingestion_lag_seconds)
    (row,) = api.found("executions", **mine)
    assert (row["status"], row["started_at"], row["tool_key"]) == ("Queued", None, DOCKING)
    assert row["tags"] == {"app": "test", "session": "s-test"}
    timeline = platform.executions[execution].timeline
    assert timeline is not None
    clock.advance_to(timeline.finished)
    (row,) = api.found("executions", **mine)
    assert (row["status"], row["completed_at"]) == ("DataIngesting", None)
    assert api.get(execution)["status"] == "Completed"
    assert api.found("result-explorer", filter={}) == []
    clock.advance(platform.ingestion_lag_seconds)
    (row,) = api.found("executions", **mine)
    assert row["status"] == "Completed"
    assert row["completed_at"]
    assert len(api.found("result-explorer", filter={})) == 3


def test_hidden_runs_are_left_out_unless_asked_for(api: Api, platform: Platform) -> None:
    platform.seed_executions(visibility="hidden")
    assert api.found("executions", filter={"props": []}) == []
    assert len(api.found("executions", filter={"props": []}, include_hidden=True)) == 1


def test_an_older_data_platform_does_not_know_include_hidden(api: Api, platform: Platform) -> None:
    platform.knows_include_hidden = False
    response = api.search("executions", filter={"props": []}, include_hidden=True)
    assert response.status_code == 400
    assert response.json() == {
        "message": "Unknown keys in payload",
        "errors": [{"field": "include_hidden", "reason": "unknown_field"}],
    }


@pytest.fixture
def mixed(platform: Platform) -> list[str]:
    """Completed, Failed, Completed dockings; one Running molprops without a project, newest."""
    docked = platform.seed_executions(count=3, status=["Completed", "Failed"], session="s-1")
    return docked + platform.seed_executions(status="Running", tool_key=MOLPROPS, project_id=None, name="Odd ONE")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
        (props(("tool_key", "in", [MOLPROPS])), [3]),
        (props(("tool_key", "in", [])), []),
        (props(("tool_key", "nin", [MOLPROPS])), [0, 1, 2]),
        (props(("status", "eq", "Failed")), [1]),
        (props(("status", "neq", "Failed")), [0, 2, 3]),
        (props(("name", "icontains", "odd one")), [3]),
        (props(("started_at", "gte", "2026-10-05T08:58:30Z"), ("started_at", "lt", "2026-10-05T08:59:30Z")), [2, 3]),
        (props(("version", "gt", 0), ("version", "lte", 1)), [0, 1, 2, 3]),
        (props(("name", "gt", 3)), []),
        ({"deleted": False, "status": "Failed"}, [1]),
        ({"status": {"eq": "Failed"}}, [1]),
        # Rows without a project turn up in every project.
        (props(("project_id", "eq", PROJECT)), [0, 1, 2, 3]),
        (props(("project_id", "eq", "09DEMAGPCR002")), [3]),
    ],
)
def test_filters_select_rows(api: Api, mixed: list[str], condition: Any, expected: list[int]) -> None:
    body = {} if condition is None else {"filter": condition}
    rows = api.found("executions", **body, sort={"created_at": "asc"})
    assert sorted(mixed.index(row["compute_job_id"]) for row in rows) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"limit": True}, "limit"),
        ({"offset": -1}, "offset"),
        ({"colour": 1}, "colour"),
        ({"select": ["id", "colour"]}, "colour"),
        ({"select": "id"}, "select"),
        ({"sort": {"colour": "asc"}}, "colour"),
        ({"sort": {"id": "up"}}, "sort.id"),
        ({"sort": ["id"]}, "sort"),
        ({"filter": []}, "filter"),
        ({"filter": {"props": {}}}, "filter.props"),
        ({"filter": {"props": [{"column": "id"}]}}, "filter.props.0"),
        ({"filter": {"colour": "red"}}, "colour"),
        ({"filter": {"id": {"near": 1}}}, "id"),
        ({"filter": {"id": {"in": "x"}}}, "id"),
        ({"cursor": "garbage"}, "cursor"),
    ],
)
def test_malformed_searches_are_refused_with_the_field(api: Api, body: dict[str, Any], field: str) -> None:
    response = api.search("executions", **body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


def test_pages_and_totals(api: Api, platform: Platform) -> None:
    platform.seed_executions(count=5)
    answer = api.search("executions", limit=2, offset=2, select=["id"], with_total_count=True).json()
    assert [list(row) for row in answer["data"]] == [["id"], ["id"]]
    meta = answer["meta"]
    assert (meta["count"], meta["limit"], meta["hasMore"], meta["total_count"]) == (2, 2, True, 5)
    assert isinstance(meta["executionTimeMs"], str)
    last = api.search("executions", limit=2, cursor=meta["nextCursor"]).json()
    assert (len(last["data"]), last["meta"]["hasMore"]) == (1, False)
    assert not {"nextCursor", "total_count"} & last["meta"].keys()


def test_a_row_is_got_by_its_own_id_only(api: Api, acme: Api, clock: ManualClock, platform: Platform) -> None:
    (seeded,) = platform.seed_executions()
    own = platform.executions[seeded].data_platform_id
    url = "/data-platform/deeporigin/executions/"
    assert api.http.get(url + own).json()["compute_job_id"] == seeded
    assert api.http.get(url + seeded).status_code == 400
    assert api.http.get(url + "0A" + "0" * 11).status_code == 404
    assert api.http.get(url + "0123456789abcdef").status_code == 404
    assert acme.http.get(f"/data-platform/acme/executions/{own}").status_code == 404
    assert api.http.get(f"/tools/deeporigin/tools/executions/{own}").status_code == 404
    live = platform.executions[api.started(DOCKING, inputs=docking_inputs())]
    assert api.http.get(url + live.data_platform_id).status_code == 404
    clock.advance(3)
    assert api.http.get(url + live.data_platform_id).status_code == 200


def test_results_are_filtered_by_columns_and_by_their_data(api: Api, clock: ManualClock, platform: Platform) -> None:
    docking = api.started(DOCKING, inputs=docking_inputs("CCO", "CCN"))
    pockets = api.started(POCKETS, inputs={"protein": PROTEIN, "pocket_count": 2, "sync": False})
    finish(clock, platform, docking)
    finish(clock, platform, pockets)

    def count(**conditions: Any) -> int:
        return len(api.found("result-explorer", filter=conditions))

    assert count() == 8
    assert count(result_type={"eq": "pocket"}) == 2
    assert count(result_type={"in": ["pose", "pocket"]}, project_id={"eq": PROJECT}) == 8
    assert count(best_pose={"eq": True}) == 2
    assert count(smiles={"eq": "CCN"}, effort={"lte": 1}) == 3
    assert count(compute_job_id={"eq": pockets}) == 2
    assert count(execution_id={"eq": platform.executions[pockets].data_platform_id}) == 2
    assert count(compute_job_id={"in": [docking]}) == 6
    assert count(colour={"eq": "red"}) == 0
    assert len(api.found("result-explorer", filter=props(("compute_job_id", "eq", docking)))) == 6


def test_results_sorted_inside_their_data_page_by_offset_only(api: Api, clock: ManualClock, platform: Platform) -> None:
    finish(clock, platform, api.started(DOCKING, inputs=docking_inputs("CCO", "CCN")))
    first = api.search("result-explorer", sort={"pose_score": "desc"}, limit=4).json()
    scores = [row["data"]["pose_score"] for row in first["data"]]
    assert scores == sorted(scores, reverse=True)
    assert first["meta"]["hasMore"] is True
    assert "nextCursor" not in first["meta"]
    again = api.search("result-explorer", sort={"tool_key": "asc"}, limit=4).json()
    refused = api.search("result-explorer", sort={"pose_score": "desc"}, cursor=again["meta"]["nextCursor"])
    assert refused.status_code == 400
    rest = api.search("result-explorer", sort={"pose_score": "desc"}, limit=4, offset=4).json()
    assert (len(rest["data"]), rest["meta"]["hasMore"]) == (2, False)


def test_sorting_puts_rows_without_the_value_last(api: Api, clock: ManualClock, platform: Platform) -> None:
    for key, inputs in ((DOCKING, docking_inputs()), (POCKETS, {"protein": PROTEIN, "sync": False})):
        finish(clock, platform, api.started(key, inputs=inputs))
    rows = api.found("result-explorer", sort={"smiles": "asc"})
    assert [row["data"].get("smiles") for row in rows] == ["CCO"] * 3 + [None]


def test_projects_live_through_create_update_and_delete(api: Api) -> None:
    url = "/data-platform/deeporigin/projects"
    made = api.http.post(url, json={"set": {"name": "New", "slug": "new-1", "description": "d", "colour": "red"}})
    assert made.status_code == 201
    assert made.json()["meta"] == {"inserted": 1}
    project = made.json()["data"]["id"]
    assert api.create(DOCKING, inputs=docking_inputs(), projectId=project).status_code == 200
    changed = api.http.patch(f"{url}/{project}", json={"set": {"notes": "n"}}).json()
    assert changed["meta"] == {"affected": 1}
    assert (changed["data"][0]["notes"], changed["data"][0]["version"]) == ("n", 2)
    assert api.http.delete(f"{url}/{project}").json() == {"deleted": 1}
    assert api.http.delete(f"{url}/{project}").status_code == 404
    assert api.found("projects", filter={"id": project, "deleted": False}) == []
    assert api.create(DOCKING, inputs=docking_inputs(), projectId=project).status_code == 400
    assert api.http.post(url, json={"set": {"name": "New"}}).json()["errors"] == [
        {"field": "set.slug", "reason": "required"}
    ]
    assert api.http.post(url, json={}).status_code == 400
    assert api.http.patch(f"{url}/{PROJECT}", json={"set": {"colour": 1}}).status_code == 400


def test_projects_are_searched_by_name(api: Api) -> None:
    found = api.found("projects", filter={"deleted": False, "name": {"icontains": "gpcr"}})
    assert [row["slug"] for row in found] == ["gpcr-selectivity"]


def test_ligands_and_proteins_can_be_searched_and_got(api: Api) -> None:
    (ligand,) = api.found("ligands", filter={"smiles": "CCO", "deleted": False})
    assert api.http.get(f"/data-platform/deeporigin/ligands/{ligand['id']}").json() == ligand
    assert api.http.get("/data-platform/deeporigin/ligands/none").status_code == 404
    (protein,) = api.found("proteins", filter={"state": "prepared", "protein_name": {"icontains": "KINASE"}})
    assert protein["origin_entity_id"] == "08DEPR0TE1N00"
    assert api.search("unicorns").status_code == 404
    assert {row["tableName"] for row in api.http.get("/data-platform/deeporigin/meta/models").json()["models"]} > {
        "ligands",
        "executions",
    }


def test_ligands_come_with_their_results(api: Api, clock: ManualClock, platform: Platform) -> None:
    ligand = api.found("ligands", limit=1)[0]
    inputs = docking_inputs()
    inputs["ligands"] = [{"id": ligand["id"], "smiles": ligand["smiles"]}]
    finish(clock, platform, api.started(DOCKING, inputs=inputs))
    rows = api.found("ligands_with_results", experiments=[{"toolId": DOCKING}], filter={"deleted": False})
    assert [len(row["results"]) for row in rows] == [3, 0, 0, 0]
    others = api.found("ligands_with_results", experiments=[{"toolId": MOLPROPS}])
    assert [row["results"] for row in others] == [[], [], [], []]
    assert len(api.found("ligands_with_results")[0]["results"]) == 3
