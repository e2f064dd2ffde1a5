"""A run's way through its states, as the clock moves."""

import asyncio

import httpx
import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, create_app, make_token
from tests.support.api import (
    ABFE,
    DOCKING,
    MOLPROPS,
    POCKETS,
    PROTEIN,
    Api,
    Background,
    abfe_inputs,
    docking_inputs,
    finish,
)


def test_a_run_goes_from_created_through_queued_and_running_to_completed(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    created = api.get(execution)
    assert (created["status"], created["startedAt"], created["completedAt"]) == ("Created", None, None)

    clock.advance(1)
    assert api.get(execution)["status"] == "Queued"

    clock.advance(4)
    running = api.get(execution)
    assert running["status"] == "Running"
    assert running["startedAt"].endswith(".000Z")
    assert running["metadata"]["method"] == "workflow"

    clock.advance(60)
    ended = api.get(execution)
    assert ended["status"] == "Completed"
    assert ended["completedAt"] == ended["updatedAt"] > ended["startedAt"]
    assert ended["jobOutputs"] is None, "results of workflow runs are in the result explorer only"


def test_a_synchronous_create_answers_only_when_the_run_has_ended(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    call = Background(lambda: api.create(DOCKING, inputs=docking_inputs(sync=True)))
    assert clock.wait_for_waiters(1)
    assert call.is_alive
    assert platform.status(platform.creates[0]) == "Created"
    for _ in range(60):
        clock.advance(1)
    dto = call.result().json()
    assert dto["status"] == "Completed"
    assert [pose["best_pose"] for pose in dto["jobOutputs"]["poses"]] == [True, False, False]
    assert dto["cluster"]["hostname"] == "gpu-west.deeporigin.invalid"


def test_cancelling_a_synchronous_run_answers_the_waiting_create(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    call = Background(lambda: api.create(DOCKING, inputs=docking_inputs(sync=True)))
    assert clock.wait_for_waiters(1)
    other = Api(str(api.http.base_url))
    with other.http:
        assert other.act(platform.creates[0], "cancel").status_code == 200
    assert call.result().json()["status"] == "Cancelled"


def test_docking_reads_sync_inside_inputs_and_drops_a_top_level_one(api: Api, clock: ManualClock) -> None:
    inputs = docking_inputs()
    del inputs["sync"]
    call = Background(lambda: api.create(DOCKING, inputs=inputs, sync=False))
    assert clock.wait_for_waiters(1), "the schema default of true applies"
    clock.advance(120)
    assert call.result().json()["userInputs"]["sync"] is True


def test_molprops_reads_sync_at_the_top_level(api: Api, clock: ManualClock) -> None:
    inputs = {"ligands": [{"smiles": "CCO"}], "molprops": ["logp"], "sync": True}
    assert api.create(MOLPROPS, inputs=inputs).json()["status"] == "Created"

    call = Background(lambda: api.create(MOLPROPS, inputs={"ligands": [{"smiles": "CCO"}]}, sync=True))
    assert clock.wait_for_waiters(1)
    clock.advance(10)
    assert set(call.result().json()["jobOutputs"]["molprops"][0]) >= {"logp", "tpsa", "pains"}


def test_a_quote_never_blocks_and_never_starts(api: Api, clock: ManualClock, platform: Platform) -> None:
    dto = api.create(DOCKING, inputs=docking_inputs(sync=True), approveAmount=-1).json()
    assert (dto["status"], dto["approveAmount"], dto["billingTransaction"]) == ("Quoted", -1, None)
    clock.advance(10_000)
    assert api.get(dto["executionId"])["status"] == "Quoted"
    assert platform.confirms == []


def test_confirm_dispatches_a_quoted_workflow_at_once(api: Api, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs(), approveAmount=-1)
    dto = api.act(execution, "confirm").json()
    assert dto["status"] == "Created"
    assert dto["billingTransaction"]["totalCost"] == 0.2
    assert platform.confirms == [execution]


def test_confirm_of_a_served_tool_blocks_until_it_has_ended(api: Api, clock: ManualClock) -> None:
    execution = api.started(MOLPROPS, inputs={"ligands": [{"smiles": "CCO"}]}, sync=False, approveAmount=-1)
    call = Background(lambda: api.act(execution, "confirm"))
    assert clock.wait_for_waiters(1)
    clock.advance(10)
    assert call.result().json()["status"] == "Completed"


@pytest.mark.parametrize("status", ["Created", "Queued", "Running", "Completed", "Failed", "Cancelled"])
def test_confirm_of_anything_but_a_quote_is_a_conflict(api: Api, platform: Platform, status: str) -> None:
    (execution,) = platform.seed_executions(status=status)
    response = api.act(execution, "confirm")
    assert response.status_code == 409
    assert response.json()["statusCode"] == 409
    assert status in response.json()["message"]
    assert platform.confirms == []


def test_the_second_of_two_confirms_is_a_conflict(api: Api, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs(), approveAmount=-1)
    assert [api.act(execution, "confirm").status_code for _ in range(2)] == [200, 409]
    assert platform.confirms == [execution]


@pytest.mark.parametrize("seconds", [0.0, 1.0, 10.0])
def test_a_live_run_can_be_cancelled_in_every_state(
    api: Api, clock: ManualClock, platform: Platform, seconds: float
) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    clock.advance(seconds)
    started = api.get(execution)["startedAt"]
    response = api.act(execution, "cancel")
    assert response.json()["status"] == "Cancelled"
    assert response.json()["cluster"]["name"] == "gpu-west"
    clock.advance(1000)
    dto = api.get(execution)
    assert (dto["status"], dto["completedAt"], dto["startedAt"]) == ("Cancelled", None, started)
    assert platform.cancels == [execution]


@pytest.mark.parametrize("status", ["Quoted", "Created", "Running", "Suspended"])
def test_a_seeded_run_that_has_not_ended_can_be_cancelled(api: Api, platform: Platform, status: str) -> None:
    (execution,) = platform.seed_executions(status=status)
    assert api.act(execution, "cancel").json()["status"] == "Cancelled"


@pytest.mark.parametrize(
    "status", ["Completed", "Succeeded", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation"]
)
def test_cancel_of_an_ended_run_is_a_conflict(api: Api, platform: Platform, status: str) -> None:
    (execution,) = platform.seed_executions(status=status)
    assert api.act(execution, "cancel").status_code == 409
    assert platform.cancels == []


def test_a_seeded_quote_comes_to_life_when_confirmed(api: Api, clock: ManualClock, platform: Platform) -> None:
    (execution,) = platform.seed_executions(status="Quoted")
    assert api.act(execution, "confirm").json()["status"] == "Created"
    finish(clock, platform, execution)
    assert api.get(execution)["status"] == "Completed"


def test_a_raw_quote_of_an_unknown_tool_can_be_confirmed_at_its_own_price(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    price = {"successfulQuotations": [{"itemCode": "X", "priceTotal": "12.50"}, {"priceTotal": None}]}
    tool = {"key": "acme.unknown", "version": "1.0.0"}
    execution = platform.add_execution(
        {"status": "Quoted", "resourceId": "r" * 21, "tool": tool, "quotationResult": price}
    )
    assert api.act(execution, "confirm").json()["billingTransaction"]["totalCost"] == 12.5
    finish(clock, platform, execution)
    assert api.get(execution)["status"] == "Completed"
    assert platform.organisations["deeporigin"].balance == 4987.5


def test_an_action_that_does_not_exist_is_not_found(api: Api, platform: Platform) -> None:
    (execution,) = platform.seed_executions()
    assert api.act(execution, "restart").status_code == 404
    assert api.http.patch(f"/tools/deeporigin/tools/executions/{execution}").status_code == 404


def test_long_runs_take_hours(api: Api, clock: ManualClock) -> None:
    execution = api.started(ABFE, inputs=abfe_inputs(), approveAmount=500)
    clock.advance(3600)
    assert api.get(execution)["status"] == "Running"
    clock.advance(5 * 3600)
    assert api.get(execution)["status"] == "Completed"


@pytest.mark.parametrize(
    ("key", "inputs", "seconds"),
    [
        (POCKETS, {"protein": PROTEIN, "sync": False}, 45),
        (ABFE, abfe_inputs(binding={"test_run": 1}), 600),
        (DOCKING, docking_inputs("C", "CC", effort=2), 64),
        ("acme.hello-test", {"message": "hi"}, 30),
    ],
)
def test_each_tool_takes_its_own_time(
    api: Api, platform: Platform, key: str, inputs: dict[str, object], seconds: float
) -> None:
    execution = api.started(key, inputs=inputs, approveAmount=1000)
    timeline = platform.executions[execution].timeline
    assert timeline is not None
    taken = (timeline.finished - timeline.started).total_seconds()
    assert taken == pytest.approx(seconds, rel=0.06, abs=1)


def test_versions_resolve_to_exact_ones(api: Api) -> None:
    def version(selector: str) -> str:
        return str(api.create(DOCKING, selector, inputs=docking_inputs()).json()["tool"]["version"])

    assert [version(selector) for selector in ("4.1.0", "4", "3", "latest")] == ["4.1.0", "4.2.0", "3.2.1", "4.2.0"]
    newest = api.http.post(
        "/tools/deeporigin/tools/deeporigin.docking/executions",
        json={"inputs": docking_inputs(), "clusterId": "1f6f2c58-31c1-4a55-9a51-000000000001"},
    )
    assert newest.json()["tool"]["version"] == "4.2.0"
    assert newest.json()["projectId"] is None


@pytest.mark.parametrize(("key", "version"), [(DOCKING, "9"), (DOCKING, "4.9.9"), (DOCKING, "next"), ("no.tool", "1")])
def test_unknown_tools_and_versions_are_not_found(api: Api, key: str, version: str) -> None:
    assert api.create(key, version, inputs={}).status_code == 404


def test_a_disabled_tool_is_refused(api: Api) -> None:
    response = api.create("deeporigin.bulk-docking", "0.4.2", inputs={"protein": {}, "smiles_list": ["C"]})
    assert response.status_code == 400
    assert "disabled" in response.json()["message"]


def test_the_same_seed_gives_the_same_ids_and_times() -> None:
    def ids(seed: int) -> list[str]:
        platform = Platform(clock=ManualClock(), seed=seed)
        return platform.seed_executions(count=3)

    assert ids(1) == ids(1) != ids(2)


def test_an_auto_advancing_clock_answers_blocking_calls_at_once() -> None:
    platform = Platform(clock=ManualClock(auto_advance=True))
    transport = httpx.ASGITransport(app=create_app(platform))

    async def call() -> httpx.Response:
        headers = {"Authorization": f"Bearer {make_token()}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://sim", headers=headers) as client:
            return await client.post(
                f"/tools/deeporigin/tools/{DOCKING}/4/executions",
                json={
                    "inputs": docking_inputs(sync=True),
                    "clusterId": "1f6f2c58-31c1-4a55-9a51-000000000001",
                },
            )

    assert asyncio.run(call()).json()["status"] == "Completed"
