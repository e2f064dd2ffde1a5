"""The official client, unchanged, drives the simulator: its executions."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deeporigin.exceptions import DeepOriginException, PlatformRestrictionError
from deeporigin.platform import client as official_client
from deeporigin.platform.client import DeepOriginClient

from deeporigin_mcp.simulator import ManualClock, Platform, make_token, parse_fault
from tests.support.api import (
    ABFE,
    ACME_PROJECT,
    ADMET,
    DOCKING,
    MOLPROPS,
    POCKETS,
    PROJECT,
    PROTEIN,
    RBFE,
    abfe_inputs,
    docking_inputs,
    finish,
)


def create(client: DeepOriginClient, key: str, version: str, **data: Any) -> dict[str, Any]:
    return dict(client.executions.create(tool_key=key, tool_version=version, data=data))


def test_it_quotes_confirms_and_waits(official: DeepOriginClient, clock: ManualClock, platform: Platform) -> None:
    quoted = create(official, DOCKING, "4", inputs=docking_inputs("CCO", "CCN"), approveAmount=-1, name="judge")
    assert quoted["status"] == "Quoted"
    assert quoted["app"] == "python-client"
    execution = quoted["executionId"]
    assert official.executions.confirm(execution)["status"] == "Created"
    (ended,) = official.executions.wait(execution)
    assert ended["status"] == "Completed"
    assert ended["progressReport"]["displayName"].startswith("workflow-")
    assert platform.confirms == [execution]
    poses = official.results.get_poses(compute_job_id=execution, best_pose=True)["data"]
    assert poses == [], "not ingested yet"
    finish(clock, platform, execution)
    row = official.executions.wait_for_ingestion(execution)
    assert row["status"] == "Completed"
    poses = official.results.get_poses(compute_job_id=execution, best_pose=True)["data"]
    assert [pose["data"]["smiles"] for pose in poses] == ["CCO", "CCN"]


def test_it_waits_for_several(official: DeepOriginClient) -> None:
    inputs = {"protein": PROTEIN, "sync": False}
    first = create(official, POCKETS, "3", inputs=inputs)["executionId"]
    second = create(official, DOCKING, "4", inputs=docking_inputs("[Pt]"))["executionId"]
    ended = official.executions.wait([first, second, first], poll_interval=2.0)
    assert [dto["status"] for dto in ended] == ["Completed", "Failed", "Completed"]


def test_its_wait_gives_up_in_time(official: DeepOriginClient, platform: Platform) -> None:
    (execution,) = platform.seed_executions(status="Running")
    with pytest.raises(TimeoutError):
        official.executions.wait(execution, timeout=30.0)


def test_it_blocks_on_a_synchronous_create(official: DeepOriginClient, automatic: ManualClock) -> None:
    dto = create(official, MOLPROPS, "2", inputs={"ligands": [{"smiles": "CCO"}]}, sync=True)
    assert dto["status"] == "Completed"
    assert dto["jobOutputs"]["molprops"][0]["smiles"] == "CCO"


def test_it_lists_with_every_filter_order_and_page(official: DeepOriginClient, platform: Platform) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    ids = platform.seed_executions(count=5, start=start, session="s-1")
    others = platform.seed_executions(
        count=2, tool_key=MOLPROPS, start=start + timedelta(days=1), project_id="09DEMAGPCR002", session="s-2"
    )
    everything = [*ids, *others]

    def listed(**arguments: Any) -> list[str]:
        answer = official.executions.list(order="createdAt asc", **arguments)
        return [row["executionId"] for row in answer["data"]]

    assert listed() == everything
    assert listed(page=1, page_size=3) == everything[3:6]
    assert listed(tool_key=MOLPROPS) == others
    assert listed(session="s-1") == ids
    assert listed(project_id=PROJECT) == ids
    assert listed(created_after=start + timedelta(minutes=3)) == [ids[4], *others]
    assert listed(created_after="2026-09-01T12:00:00Z") == others
    assert listed(fetch_all_pages=True, page_size=2, page=9) == everything
    assert official.executions.list(page_size=2, fetch_all_pages=True)["count"] == 7
    assert official.executions.list(order="executionId? desc", page_size=10_000)["count"] == 7
    with pytest.raises(DeepOriginException) as refused:
        official.executions.list(page_size=10_001)
    assert refused.value.http_status == 400


def test_it_finds_the_keys_that_it_needs_on_each_row(official: DeepOriginClient, platform: Platform) -> None:
    platform.seed_executions()
    create(official, DOCKING, "4", inputs=docking_inputs())
    needed = {
        "executionId",
        "status",
        "tool",
        "createdAt",
        "completedAt",
        "startedAt",
        "resourceId",
        "billingTransaction",
        "quotationResult",
        "cluster",
    }
    for row in official.executions.list()["data"]:
        assert needed <= row.keys()


def test_it_gets_and_misses(official: DeepOriginClient, platform: Platform) -> None:
    (execution,) = platform.seed_executions()
    assert official.executions.get(execution)["executionId"] == execution
    with pytest.raises(DeepOriginException) as missing:
        official.executions.get("00000000-0000-4000-8000-000000000000")
    assert missing.value.http_status == 404
    assert missing.value.response_data["error"] == "Not Found"


def test_it_searches_the_data_platform(official: DeepOriginClient, platform: Platform) -> None:
    ids = platform.seed_executions(count=3, status=["Completed", "Failed"])
    hidden = platform.seed_executions(visibility="hidden")
    search = official.executions.search
    assert len(search(project_id=PROJECT)["data"]) == 3
    assert len(search(tool_key=[DOCKING, RBFE], include_hidden=True)["data"]) == 4
    assert search(tool_key=[])["data"] == []
    assert [row["compute_job_id"] for row in search(status="Failed")["data"]] == [ids[1]]
    assert search(compute_job_id=hidden[0])["data"] == []
    answer = search(
        extra_props=[{"column": "name", "op": "icontains", "value": "seeded"}],
        limit=1,
        offset=1,
        select=["id", "status"],
        with_total_count=True,
    )
    assert list(answer["data"][0]) == ["id", "status"]
    assert answer["meta"]["total_count"] == 3
    row = official.executions.from_data_platform(answer["data"][0]["id"])
    assert row["compute_job_id"] in ids
    assert official.progress_reports.get(ids[0])["data"][0]["compute_job_id"] == ids[0]
    with pytest.raises(DeepOriginException) as refused:
        search(limit=0)
    assert refused.value.http_status == 400
    with pytest.raises(DeepOriginException):
        official.executions.from_data_platform(ids[0])


def test_it_cancels_what_runs_and_leaves_the_rest_alone(official: DeepOriginClient, platform: Platform) -> None:
    running = create(official, DOCKING, "4", inputs=docking_inputs())["executionId"]
    done, quoted = platform.seed_executions(count=2, status=["Completed", "Quoted"])
    for execution in (running, done, quoted):
        official.executions.cancel(execution)
    assert platform.cancels == [running]
    assert official.executions.get(running)["status"] == "Cancelled"


def test_a_second_confirm_is_a_conflict(official: DeepOriginClient) -> None:
    execution = create(official, DOCKING, "4", inputs=docking_inputs(), approveAmount=-1)["executionId"]
    official.executions.confirm(execution)
    with pytest.raises(DeepOriginException) as refused:
        official.executions.confirm(execution, retry=False, timeout=5.0)
    assert refused.value.http_status == 409


def test_money_and_licences_reach_it_as_restrictions(acme_official: DeepOriginClient) -> None:
    poor = create(acme_official, ABFE, "2", inputs=abfe_inputs(), approveAmount=-1)["executionId"]
    with pytest.raises(PlatformRestrictionError, match="does not cover"):
        acme_official.executions.confirm(poor)
    with pytest.raises(PlatformRestrictionError):
        create(acme_official, ABFE, "2", inputs=abfe_inputs(), approveAmount=999)
    pair = {"pose1": {"file_path": "a.sdf"}, "pose2": {"file_path": "b.sdf"}}
    with pytest.raises(PlatformRestrictionError, match="not part of the licence"):
        create(acme_official, RBFE, "2", inputs={"pairs": [pair]}, approveAmount=-1)
    many = {"ligands": [{"smiles": "C"}] * 30, "properties": ["herg"]}
    tier = create(acme_official, ADMET, "2", inputs=many, approveAmount=-1)["executionId"]
    with pytest.raises(PlatformRestrictionError, match="allows 20 ligands"):
        acme_official.executions.confirm(tier)
    with pytest.raises(PlatformRestrictionError):
        acme_official.executions.wait(poor)
    assert acme_official.executions.wait([poor])[0]["status"] == "InsufficientFunds"


def test_a_failed_quotation_is_a_dto_and_not_an_error(official: DeepOriginClient) -> None:
    inputs = docking_inputs(protein={"file_path": "missing.pdb"})
    assert create(official, DOCKING, "4", inputs=inputs)["status"] == "FailedQuotation"


def test_bad_inputs_reach_it_with_their_fields(official: DeepOriginClient) -> None:
    with pytest.raises(DeepOriginException) as refused:
        create(official, DOCKING, "4", inputs={"effort": 9})
    assert refused.value.http_status == 400
    assert {"field": "inputs.effort", "reason": "must be <= 5"} in refused.value.response_data["errors"]


def test_it_retries_what_the_network_drops(official: DeepOriginClient, platform: Platform) -> None:
    (execution,) = platform.seed_executions()
    platform.faults += [parse_fault(f"GET * {effect} times=1") for effect in ("reset", "status=502 html", "status=429")]
    assert official.executions.get(execution)["status"] == "Completed"
    assert [status for _, _, status in platform.requests] == [0, 502, 429, 200]


def test_a_gateway_timeout_of_a_create_loses_only_the_answer(official: DeepOriginClient, platform: Platform) -> None:
    platform.faults.append(parse_fault("POST */executions status=504 html after=work"))
    with pytest.raises(DeepOriginException):
        create(official, DOCKING, "4", inputs=docking_inputs())
    assert len(platform.creates) == 1


def test_ingestion_is_told_by_the_event_stream(
    official: DeepOriginClient, clock: ManualClock, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = create(official, DOCKING, "4", inputs=docking_inputs())["executionId"]
    timeline = platform.executions[execution].timeline
    assert timeline is not None
    clock.advance_to(timeline.finished)
    remember = platform.remember
    reads: list[str] = []

    def end_ingestion_after_the_first_read(method: str, target: str, status: int) -> None:
        remember(method, target, status)
        if target.endswith("executions/search"):
            reads.append(platform.executions[execution].status)
            if len(reads) == 1:
                clock.advance_to(timeline.ingested)

    monkeypatch.setattr(platform, "remember", end_ingestion_after_the_first_read)
    assert official.executions.wait_for_ingestion(execution)["status"] == "Completed"
    assert len(reads) == 2
    assert any(target.startswith("/sse/deeporigin/stream/") for _, target, _ in platform.requests)


def test_hidden_runs_are_waited_for_too(official: DeepOriginClient, clock: ManualClock, platform: Platform) -> None:
    dto = official.executions.create(
        tool_key=MOLPROPS, tool_version="2", data={"inputs": {"ligands": [{"smiles": "C"}]}}, visibility="hidden"
    )
    finish(clock, platform, dto["executionId"])
    assert official.executions.wait_for_ingestion(dto["executionId"])["compute_job_id"] == dto["executionId"]


def test_it_reads_progress_of_both_eras(official: DeepOriginClient, platform: Platform) -> None:
    (old,) = platform.seed_executions(era="2025")
    assert official.executions.get(old)["status"] == "Succeeded"
    assert official.executions.wait(old)[0]["progressReport"].startswith("total_num_ligands")


@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_its_local_environment_works_with_its_dummy_token(
    base_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DO_ENV", "local")
    monkeypatch.setitem(official_client.API_ENDPOINT, "local", base_url)
    client = DeepOriginClient(project_id=PROJECT)
    assert client.org_key == "deeporigin"
    assert create(client, DOCKING, "4", inputs=docking_inputs())["status"] == "Created"
    assert json.loads((home / ".deeporigin" / "config.json").read_text())["env"] == "prod"


def test_its_environment_variables_lead_here(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_AUTH_TOKEN", make_token(orgs=["acme"]))
    monkeypatch.setenv("DO_ORG_KEY", "acme")
    monkeypatch.setenv("DO_BASE_URL", base_url)
    monkeypatch.setenv("DO_PROJECT_ID", ACME_PROJECT)
    client = DeepOriginClient()
    assert client.executions.list() == {"data": [], "count": 0}
    assert client.project_id == ACME_PROJECT
    client.org_key = "deeporigin"
    with pytest.raises(DeepOriginException) as refused:
        client.executions.list()
    assert refused.value.http_status == 403
