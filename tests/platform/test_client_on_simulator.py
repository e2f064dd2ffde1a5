"""The whole client against a simulated platform, over HTTP; simulated time passes where the client sleeps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from deeporigin_mcp.errors import (
    CredentialError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RestrictionError,
    StateConflictError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery, SearchQuery, Timing
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, parse_fault, running_simulator

pytestmark = pytest.mark.anyio

PROJECT = "09DEMAKNASE01"
DOCKING = "deeporigin.docking"
PROTEIN = {"id": "08TARGETPR001", "file_path": "entities/proteins/target.pdb"}
BOX = {"box_size_x": 18.0, "box_size_y": 19.0, "box_size_z": 17.5, "center": [4.0, -2.0, 11.0]}
INPUTS = {
    "effort": 1,
    "pocket": BOX,
    "protein": PROTEIN,
    "ligands": [{"id": "08MADEUP00000", "smiles": "CCO"}, {"id": "08MADEUP00001", "smiles": "CCN"}],
    "sync": False,
}
START = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def platform(clock: ManualClock) -> Platform:
    return Platform(clock=clock)


@pytest.fixture
def url(platform: Platform) -> Iterator[str]:
    with running_simulator(platform) as simulator:
        yield simulator.base_url


@pytest.fixture
def timing(clock: ManualClock) -> Timing:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds)
        await checkpoint()

    return Timing(
        wall=lambda: clock.now().timestamp(), monotonic=lambda: clock.now().timestamp(), sleep=sleep, chance=lambda: 0.5
    )


def client_of(url: str, timing: Timing, **values: Any) -> DeepOriginClient:
    fields = {"token": make_token(), "org_key": "deeporigin", "project_id": PROJECT, "base_url": url, "session": "s-me"}
    return DeepOriginClient(Settings.model_validate({**fields, **values}), timing=timing)


async def quoted(client: DeepOriginClient, **data: Any) -> Execution:
    body = {"inputs": INPUTS, "approveAmount": -1, **data}
    return Execution(await client.executions.create(tool_key=DOCKING, tool_version="latest", data=body))


async def test_a_run_is_quoted_confirmed_waited_for_and_read(
    url: str, timing: Timing, clock: ManualClock, platform: Platform
) -> None:
    async with client_of(url, timing) as client:
        execution = await quoted(client, name="pilot", metadata={"key": "k-1"})
        assert (execution.status, execution.quoted_price, execution.cost) == ("Quoted", Decimal("0.4"), None)
        assert (execution.session, execution.project_id, execution.metadata["key"]) == ("s-me", PROJECT, "k-1")
        confirmed = Execution(await client.executions.confirm(execution.execution_id))
        assert not confirmed.is_settled
        (dto,) = await client.executions.wait(execution.execution_id)
        ended = Execution(dto)
        assert (ended.status, ended.progress_percent, ended.cost) == ("Completed", 100.0, Decimal("0.4"))
        assert ended.runtime_seconds is not None
        assert ended.runtime_seconds > 0
        clock.advance(3600)
        rows = (await client.executions.search(compute_job_id=ended.execution_id))["data"]
        row = await client.executions.from_data_platform(rows[0]["id"])
        assert (row["status"], row["compute_job_id"]) == ("Completed", ended.execution_id)
        poses = (await client.results.page(compute_job_id=ended.execution_id, result_type="Pose"))["data"]
        assert {pose["data"]["smiles"] for pose in poses} == {"CCO", "CCN"}
        logs = (await client.user_logs.search(ended.execution_id))["data"]
        assert {line["execution_id"] for line in logs} == {ended.execution_id}
    assert platform.creates == platform.confirms == [ended.execution_id]


async def test_a_run_is_cancelled_once(url: str, timing: Timing, platform: Platform) -> None:
    async with client_of(url, timing) as client:
        execution = await quoted(client)
        await client.executions.confirm(execution.execution_id)
        await client.executions.cancel(execution.execution_id)
        await client.executions.cancel(execution.execution_id)
        assert (await client.executions.get(execution.execution_id))["status"] == "Cancelled"
        with pytest.raises(StateConflictError):
            await client.executions.confirm(execution.execution_id)
    assert platform.cancels == [execution.execution_id]


async def test_lists_are_filtered_ordered_and_paged(url: str, timing: Timing, platform: Platform) -> None:
    mine = platform.seed_executions(count=5, start=START, session="s-1")
    others = platform.seed_executions(
        count=2, tool_key="deeporigin.pocket-finder", start=START + timedelta(days=1), project_id="09DEMAGPCR002"
    )

    async with client_of(url, timing) as client:

        async def ids(**arguments: Any) -> list[str]:
            answer = await client.executions.list(order="createdAt asc", **arguments)
            return [Execution(row).execution_id for row in answer["data"]]

        assert await ids() == [*mine, *others]
        assert await ids(page=1, page_size=3) == [*mine, *others][3:6]
        assert await ids(tool_key="deeporigin.pocket-finder") == others
        assert await ids(session="s-1") == mine
        assert await ids(project_id=PROJECT) == mine
        assert await ids(created_after=START + timedelta(minutes=3)) == [mine[4], *others]
        assert await ids(fetch_all_pages=True, page_size=2) == [*mine, *others]
        assert (await client.executions.list(page_size=2))["count"] == 7


async def test_both_words_for_success_are_found_by_one(url: str, timing: Timing, platform: Platform) -> None:
    new = platform.seed_executions(status=["Completed", "Failed"], count=2)
    old = platform.seed_executions(era="2025")
    async with client_of(url, timing) as client:
        found = await client.listing.all(ListQuery(status=["Completed"]))
        assert {row["executionId"] for row in found["data"]} == {new[0], *old}
        assert {Execution(row).status for row in found["data"]} == {"Completed"}


async def test_the_data_platform_is_searched(url: str, timing: Timing, platform: Platform) -> None:
    platform.seed_executions(count=3, status=["Completed", "Failed", "Cancelled"])
    hidden = platform.seed_executions(visibility="hidden")
    async with client_of(url, timing) as client:
        page = await client.executions.search(limit=2, with_total_count=True, select=["id", "status"])
        assert (len(page["data"]), page["meta"]["total_count"]) == (2, 3)
        failed = await client.executions.search(status="Failed", project_id=PROJECT, tool_key=[DOCKING])
        assert [row["status"] for row in failed["data"]] == ["Failed"]
        everything = await client.listing.search(SearchQuery(include_hidden=True, limit=100))
        assert hidden[0] in {row["compute_job_id"] for row in everything["data"]}


async def test_many_runs_are_waited_for_together(url: str, timing: Timing, platform: Platform) -> None:
    async with client_of(url, timing) as client:
        runs = [(await quoted(client)).execution_id for _ in range(5)]
        for run in runs:
            await client.executions.confirm(run)
        found = await client.executions.wait([*reversed(runs), runs[0]], poll_interval=30.0)
    assert [dto["executionId"] for dto in found] == [*reversed(runs), runs[0]]
    assert {dto["status"] for dto in found} <= {"Completed", "Failed"}


async def test_a_wait_can_run_out_of_time(url: str, timing: Timing, platform: Platform) -> None:
    (running,) = platform.seed_executions(status="Running", project_id=None)
    async with client_of(url, timing) as client:
        with anyio.fail_after(20), pytest.raises(WaitTimeoutError):
            await client.executions.wait(running, timeout=30.0)


async def test_a_response_lost_after_the_work_is_unknown_and_the_run_exists(
    url: str, timing: Timing, platform: Platform
) -> None:
    platform.faults.append(parse_fault("POST */executions status=504 html after=work times=1"))
    async with client_of(url, timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await quoted(client, metadata={"key": "k-9"})
        found = await client.executions.list(session="s-me")
        assert [Execution(row).metadata.get("key") for row in found["data"]] == ["k-9"]


async def test_a_confirmation_whose_response_is_lost_took_effect_once(
    url: str, timing: Timing, platform: Platform
) -> None:
    async with client_of(url, timing) as client:
        execution = await quoted(client)
        platform.faults.append(parse_fault("PATCH *:confirm reset after=work times=1"))
        confirmed = Execution(await client.executions.confirm(execution.execution_id))
    assert not confirmed.is_settled
    assert platform.confirms == [execution.execution_id]


async def test_refusals_say_who_can_act(url: str, timing: Timing) -> None:
    async with client_of(url, timing) as client:
        with pytest.raises(NotFoundError):
            await client.executions.get("11111111-2222-4333-8444-555555555555")
        with pytest.raises(InvalidRequestError):
            await quoted(client, inputs={"effort": "much"})
        with pytest.raises(NotFoundError):
            await client.tools.get(tool_key="deeporigin.nothing", tool_version="1")
        assert not await client.tools.exists(tool_key=DOCKING, tool_version="99")
    async with client_of(url, timing, org_key="acme", project_id="09ACMEPR0J001") as client:
        pairs = [{"pose1": {"file_path": "a.sdf"}, "pose2": {"file_path": "b.sdf"}}]
        data = {"inputs": {"pairs": pairs}, "approveAmount": -1}
        with pytest.raises(RestrictionError):
            await client.executions.create(tool_key="deeporigin.rbfe", tool_version="2", data=data)
    async with client_of(url, timing, org_key="elsewhere") as client:
        with pytest.raises(CredentialError, check=lambda error: error.http_status == 403):
            await client.executions.list()


async def test_tools_are_found_and_described(url: str, timing: Timing, platform: Platform) -> None:
    async with client_of(url, timing) as client:
        versions = await client.tools.get_by_key(tool_key=DOCKING)
        assert {row["key"] for row in versions} == {DOCKING}
        latest = await client.tools.get(tool_key=DOCKING, tool_version="latest")
        assert latest["version"] in {row["version"] for row in versions}
        assert await client.tools.exists(tool_key=DOCKING, tool_version="4")
        known = {(definition.key, definition.version) for definition in await client.tools.catalogue()}
        assert (DOCKING, latest["version"]) in known
        assert len(known) <= len(await client.tools.list())
        before = len(platform.requests)
        await client.tools.catalogue()
        assert len(platform.requests) == before
        await timing.sleep(301)
        await client.tools.catalogue()
        assert len(platform.requests) == before + 1


async def test_the_workspace_is_read(url: str, timing: Timing, platform: Platform) -> None:
    async with client_of(url, timing) as client:
        assert "deeporigin" in {row["orgKey"] for row in await client.organizations.list()}
        assert await client.organizations.users()
        projects = (await client.projects.list())["data"]
        assert PROJECT in {row["id"] for row in projects}
        assert [row["id"] for row in (await client.projects.get(project_id=PROJECT))["data"]] == [PROJECT]
        assert (await client.projects.get(project_id="none"))["data"] == []
        clusters = await client.clusters.list()
        assert await client.clusters.default_id() == clusters["data"][0]["id"]
        assert set((await client.health()).values()) == {"ok"}
        platform.unhealthy.add("tools")
        health = await client.health()
        assert (health["tools"], health["billing"]) == ("HTTP 503", "ok")


async def test_a_platform_that_is_gone_is_unreachable(timing: Timing) -> None:
    async with client_of("http://127.0.0.1:1", timing) as client:
        assert set((await client.health()).values()) == {"unreachable"}
