"""create_execution: checked, quoted, never started by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bench import ABFE, ERAS, FREE, PROJECT, SESSION, Agent, Bench, docking
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio

MESSAGE = {"tool_key": "acme.hello-test", "inputs": {"message": "hi"}}


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("start", [False, True])
async def test_a_new_execution_is_a_quote_and_nothing_runs(bench: Bench, mode: str, start: bool) -> None:
    async with bench.agent(mode=mode) as agent:
        found = await agent.read("create_execution", **docking("CCO", "CCN"), start=start)
    assert (found["status"], found["quoted_price"], found["project_id"]) == ("Quoted", 0.4, PROJECT)
    name = found["execution_id"]
    call = ("confirm_execution", {"execution_id": name, "expected_price": 0.4})
    assert calls_in(found["next_step"], agent.inputs) == [call]
    assert "cost" not in found
    assert (bench.platform.creates, bench.platform.confirms) == ([name], [])
    assert bench.platform.executions[name].stored["approveAmount"] == -1


async def test_every_parameter_reaches_the_platform(agent: Agent, bench: Bench) -> None:
    given = docking("CCO", effort=2)
    found = await agent.read(
        "create_execution",
        **given,
        tool_version="4",
        name="Pilot",
        metadata={"why": "a test"},
        outputs={"folder": "x"},
        project_id=PROJECT,
        cluster_id="1f6f2c58-31c1-4a55-9a51-000000000002",
        sync=False,
        batch_size=8,
        tag="campaign-7",
        billing_tag="grant-3",
        visibility="hidden",
        idempotency_key="k-1",
        start=False,
    )
    stored = bench.platform.executions[found["execution_id"]].stored
    assert stored["userInputs"] | {"sync": False} == stored["userInputs"]
    assert stored["userInputs"]["effort"] == 2
    assert {key: stored[key] for key in ("name", "userOutputs", "tag", "billing", "visibility", "session", "app")} == {
        "name": "Pilot",
        "userOutputs": {"folder": "x"},
        "tag": "campaign-7",
        "billing": "grant-3",
        "visibility": "hidden",
        "session": SESSION,
        "app": "deeporigin-mcp",
    }
    assert stored["cluster"] == {"id": "1f6f2c58-31c1-4a55-9a51-000000000002"}
    assert stored["metadata"]["why"] == "a test"
    assert stored["metadata"]["idempotency_key"] == "k-1"
    assert bench.platform.executions[found["execution_id"]].batch_size == 8
    assert bench.sent("POST")[-1].endswith("/deeporigin.docking/4.2.0/executions")


async def test_the_defaults_of_parameters_are_the_safe_ones(agent: Agent, bench: Bench) -> None:
    found = await agent.read("create_execution", **docking())
    stored = bench.platform.executions[found["execution_id"]].stored
    assert stored["userInputs"]["sync"] is False, "no request stays open for a run of minutes"
    assert stored["visibility"] == "visible"
    assert stored["cluster"] == {"id": "1f6f2c58-31c1-4a55-9a51-000000000001"}
    assert (stored["name"], stored["tag"], stored["billing"]) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "sync", "inside", "beside"),
    [
        (docking(), None, False, None),
        (docking(), True, True, None),
        (docking(sync=True), None, True, None),
        (docking(sync=True), False, False, None),
        (FREE, None, None, False),
        (FREE, True, None, True),
        (ABFE, None, None, None),
    ],
)
async def test_sync_goes_where_the_tool_takes_it(
    agent: Agent, bench: Bench, given: dict[str, Any], sync: bool | None, inside: bool | None, beside: bool | None
) -> None:
    sent: list[dict[str, Any]] = []
    (client,) = bench.clients
    create = client.executions.create

    async def noted(**request: Any) -> dict[str, Any]:
        sent.append(request["data"])
        return await create(**request)

    client.executions.create = noted  # type: ignore[method-assign]
    await agent.read("create_execution", **given, **({} if sync is None else {"sync": sync}))
    assert (sent[0]["inputs"].get("sync"), sent[0].get("sync")) == (inside, beside)


async def test_a_free_run_starts_at_once_if_asked_to(agent: Agent, bench: Bench) -> None:
    quoted = await agent.read("create_execution", **MESSAGE)
    assert (quoted["status"], quoted["quoted_price"]) == ("Quoted", 0)
    started = await agent.read("create_execution", **MESSAGE, start=True)
    assert started["status"] == "Running"
    assert bench.platform.confirms == [started["execution_id"]]
    waited = await agent.follow(started["next_step"])
    assert waited["all_done"]
    assert (await agent.follow(waited["next_step"]))["status"] == "Completed"


@pytest.mark.parametrize(("limit", "runs"), [(0.19, False), (0.2, True), (25, True)])
async def test_start_obeys_the_automatic_limit(bench: Bench, limit: float, runs: bool) -> None:
    async with bench.agent(auto_approve_up_to=limit) as agent:
        found = await agent.read("create_execution", **docking("CCO"), start=True)
    assert (found["status"] != "Quoted") == runs == bool(bench.platform.confirms)


async def test_start_cannot_exceed_what_the_operator_allows(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=5, max_price=0.1) as agent:
        found = await agent.read("create_execution", **docking(), start=True)
    assert (found["execution_id"], found["status"]) == (bench.platform.creates[0], "Quoted")
    assert not bench.platform.confirms


async def test_a_started_run_that_the_balance_does_not_cover_is_returned(bench: Bench) -> None:
    bench.platform.organisations["deeporigin"].balance = 0.1
    async with bench.agent(auto_approve_up_to=5) as agent:
        found = await agent.read("create_execution", **docking(), start=True)
    assert (found["execution_id"], found["status"]) == (bench.platform.creates[0], "InsufficientFunds")


async def test_a_start_whose_response_is_lost_returns_what_exists(bench: Bench) -> None:
    bench.fault("PATCH *:confirm reset times=1")
    async with bench.agent(auto_approve_up_to=5) as agent:
        found = await agent.read("create_execution", **docking(), start=True)
    assert (found["execution_id"], found["status"]) == (bench.platform.creates[0], "Quoted")
    assert [tool for tool, _ in calls_in(found["next_step"], agent.inputs)] == ["get_execution", "confirm_execution"]


async def test_what_cannot_be_priced_says_so_and_never_runs(agent: Agent) -> None:
    huge = {"box_size_x": 200, "box_size_y": 20, "box_size_z": 20, "center": [0, 0, 0]}
    found = await agent.read("create_execution", **docking(pocket=huge), start=True)
    assert found["status"] == "FailedQuotation"
    assert "200 angstrom is above" in found["status_reason"]
    assert "quoted_price" not in found


async def test_a_tool_without_a_licence_is_refused_in_the_platforms_words(bench: Bench) -> None:
    poses = ({"id": f"0ALEAD{number}", "file_path": f"poses/lead{number}.sdf"} for number in (1, 2))
    pair = dict(zip(("pose1", "pose2"), poses, strict=True))
    async with bench.agent(org_key="acme", project_id="09ACMEPR0J001") as agent:
        refused = await agent.call("create_execution", {"tool_key": "deeporigin.rbfe", "inputs": {"pairs": [pair]}})
    assert refused.error == ("restricted", "nothing_created")
    assert "Ask the account owner to add the feature" in refused.text
    assert not bench.platform.creates


async def test_an_unknown_cluster_is_refused_by_the_platform(agent: Agent, bench: Bench) -> None:
    unknown = await agent.error("create_execution", **docking(), cluster_id="nowhere")
    assert unknown == ("invalid_request", "nothing_created")
    bench.platform.organisations["deeporigin"].clusters.clear()
    assert await agent.error("create_execution", **docking()) == ("no_cluster", "nothing_created")


@pytest.mark.parametrize(
    "schema", [{"type": "no such type"}, {"properties": {"message": {"pattern": "(?<bad"}}}, {"$ref": "#/nowhere"}, {}]
)
async def test_a_schema_that_only_the_platform_understands_leaves_the_checking_to_it(
    agent: Agent, bench: Bench, schema: dict[str, Any]
) -> None:
    (client,) = bench.clients
    read = client.tools.get

    async def with_that_schema(**asked: Any) -> dict[str, Any]:
        return {**await read(**asked), "inputs": schema}

    client.tools.get = with_that_schema  # type: ignore[method-assign]
    assert (await agent.read("create_execution", **MESSAGE))["status"] == "Quoted"
