"""The tools service's list: pages, orders, filters."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import DOCKING, MOLPROPS, PROJECT, Api, docking_inputs

LIST = "/tools/deeporigin/tools/executions"


@pytest.fixture
def history(platform: Platform) -> list[str]:
    """Seven runs, oldest first."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    older = platform.seed_executions(count=4, status=["Completed", "Failed"], start=start, session="s-1")
    old_era = platform.seed_executions(count=1, era="2025", start=datetime(2026, 9, 2, tzinfo=UTC))
    newer = platform.seed_executions(
        count=2,
        status=["Cancelled", "Running"],
        tool_key=MOLPROPS,
        start=datetime(2026, 9, 3, tzinfo=UTC),
        session="s-2",
        project_id=None,
        overrides={"metadata": {"key": "k"}},
    )
    return [*older, *old_era, *newer]


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["executionId"] for row in answer["data"]]


def test_count_is_the_total_and_pages_start_at_zero(api: Api, history: list[str]) -> None:
    pages = [api.listed(page=page, pageSize=3, order="createdAt asc") for page in range(4)]
    assert [len(page["data"]) for page in pages] == [3, 3, 1, 0]
    assert {page["count"] for page in pages} == {7}
    assert [name for page in pages for name in ids(page)] == history


def test_a_negative_page_is_empty_with_the_true_count(api: Api, history: list[str]) -> None:
    assert api.listed(page=-1) == {"data": [], "count": 7}
    assert api.listed(pageSize=0)["data"] == []


def test_the_page_size_is_100_unless_asked_for_and_10000_at_most(api: Api, platform: Platform) -> None:
    platform.seed_executions(count=120)
    assert len(api.listed()["data"]) == 100
    assert len(api.listed(pageSize=10_000)["data"]) == 120
    assert api.http.get(LIST, params={"pageSize": 10_001}).status_code == 400
    assert api.http.get(LIST, params={"page": "two"}).status_code == 400


def test_an_empty_id_lists_as_well(api: Api, history: list[str]) -> None:
    assert api.http.get(f"{LIST}/").json()["count"] == 7


def test_rows_have_a_type_and_only_the_clusters_id(api: Api, history: list[str]) -> None:
    row = api.listed(order="createdAt desc")["data"][0]
    assert row["type"] == "ToolExecution"
    assert list(row["cluster"]) == ["id"]
    assert "type" not in api.get(row["executionId"])


def test_without_an_order_rows_come_in_a_stable_one_of_the_platforms_own(api: Api, history: list[str]) -> None:
    assert ids(api.listed()) == ids(api.listed())
    assert sorted(ids(api.listed())) == sorted(history)
    assert ids(api.listed()) != history


@pytest.mark.parametrize("field", ["createdAt", "createdAt?", "executionId", "status", "tool", "name", "updatedAt"])
def test_descending_is_the_reverse_of_ascending(api: Api, history: list[str], field: str) -> None:
    ascending, descending = (api.listed(order=f"{field} {way}")["data"] for way in ("asc", "desc"))

    def values(rows: list[dict[str, Any]]) -> list[Any]:
        return [row[field.rstrip("?")] for row in rows]

    assert values(descending) == values(ascending)[::-1]
    assert len(ascending) == 7


def test_nulls_come_first_when_descending(api: Api, history: list[str]) -> None:
    completed = [row["completedAt"] for row in api.listed(order="completedAt desc")["data"]]
    assert completed[:2] == [None, None]
    assert completed[2:] == sorted(completed[2:], reverse=True)


@pytest.mark.parametrize("order", ["colour asc", "createdAt sideways", ""])
def test_unknown_orders_are_refused(api: Api, order: str) -> None:
    assert api.http.get(LIST, params={"order": order}).status_code == 400


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"tool": {"toolManifest": {"key": MOLPROPS}}}, [5, 6]),
        ({"tool": {"key": MOLPROPS, "version": "2.0.3"}}, [5, 6]),
        ({"tool": {"toolManifest": {"key": {"$in": [DOCKING]}}}}, [0, 1, 2, 3, 4]),
        ({"projectId": PROJECT}, [0, 1, 2, 3]),
        ({"projectId": None}, [4, 5, 6]),
        # The platform also returns rows that have no session.
        ({"session": "s-2"}, [4, 5, 6]),
        ({"status": {"$in": ["Succeeded", "Running"]}}, [4, 6]),
        ({"status": {"$nin": ["Completed", "Failed"]}}, [4, 5, 6]),
        ({"status": "Failed"}, [1, 3]),
        ({"status": {"$eq": "Failed"}}, [1, 3]),
        ({"status": {"$ne": "Failed"}}, [0, 2, 4, 5, 6]),
        ({"metadata": {"$exists": True, "$ne": {}}}, [5, 6]),
        ({"tag": {"$exists": False}}, [0, 1, 2, 3, 4, 5, 6]),
        ({"createdAt": {"$gt": "2026-09-02T00:00:00.000Z"}}, [5, 6]),
        ({"createdAt": {"$gte": "2026-09-02"}}, [4, 5, 6]),
        ({"createdAt": {"$lt": "2026-09-02T02:00:00+02:00"}}, [0, 1, 2, 3]),
        ({"createdAt": {"$lte": "2026-09-02T00:00:00Z", "$gt": "2026-09-01T00:02:30Z"}}, [3, 4]),
        ({"name": {"$like": "%RUN 2%"}}, [1, 6]),
        ({"approveAmount": {"$gt": 0}}, []),
        ({"name": {"$gt": "Seeded run 3"}}, [3]),
        ({}, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_filters_select(api: Api, history: list[str], condition: dict[str, Any], expected: list[int]) -> None:
    answer = api.listed(filter=json.dumps(condition), order="createdAt asc")
    assert [history.index(name) for name in ids(answer)] == expected
    assert answer["count"] == len(expected)


def test_created_after_is_exclusive(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    created = api.get(execution)["createdAt"]
    assert api.listed(filter=json.dumps({"createdAt": {"$gt": created}}))["count"] == 0
    assert api.listed(filter=json.dumps({"createdAt": {"$gte": created}}))["count"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"colour": 1}',
        '{"status": {"$near": 1}}',
        '{"status": {"$in": "Failed"}}',
        '{"tool": 1}',
        '{"tool": {"toolManifest": {"colour": 1}}}',
        '{"$or": []}',
    ],
)
def test_malformed_filters_are_refused_with_the_field(api: Api, text: str) -> None:
    response = api.http.get(LIST, params={"filter": text})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"].startswith("filter")


def test_live_rows_are_filtered_by_their_state_now(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    running = json.dumps({"status": "Running"})
    assert ids(api.listed(filter=running)) == []
    clock.advance(10)
    assert ids(api.listed(filter=running)) == [execution]
    clock.advance(100)
    assert ids(api.listed(filter=running)) == []
    assert api.listed()["data"][0]["status"] == "Completed"


def test_rows_of_2025_look_their_age(api: Api, platform: Platform) -> None:
    (execution,) = platform.seed_executions(era="2025")
    dto = api.get(execution, era=2)
    assert dto["status"] == "Succeeded"
    assert dto["progressReport"].startswith("total_num_ligands = 2\nligand docked")
    assert dto["cluster"]["hostname"]
    assert dto["billingTransaction"] is None
    assert dto["createdBy"].startswith("google-apps|")
    assert not {"projectId", "session", "visibility"} & dto.keys()


def test_raw_rows_are_served_exactly_as_given(api: Api, platform: Platform) -> None:
    odd = {"executionId": "e-odd", "status": None, "tool": "broken", "progressReport": "{}", "createdAt": "soon"}
    platform.add_execution(odd)
    platform.add_execution({"executionId": "e-bare", "status": "Finishing"})
    assert api.get("e-odd") == odd
    assert "progressReport" not in api.get("e-bare")
    assert api.listed()["count"] == 2
    assert api.listed(order="createdAt desc")["count"] == 2
    assert len(api.found("executions", filter={"props": []})) == 2
