"""get_execution and cancel_execution."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.bench import ERAS, PROJECT, Agent, Bench, docking
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
async def test_a_completed_run_is_shown_with_its_facts_and_where_its_results_are(bench: Bench, mode: str) -> None:
    name = bench.seeded("Completed", name="Pilot")
    async with bench.agent(mode=mode) as agent:
        found = await agent.read("get_execution", execution_id=name)
        assert found == {
            "execution_id": name,
            "name": "Pilot",
            "tool_key": "deeporigin.docking",
            "tool_version": found["tool_version"],
            "status": "Completed",
            "progress_percent": 100,
            "quoted_price": 0.4,
            "cost": 0.4,
            "created_at": "2026-10-05T08:59:00.000Z",
            "started_at": "2026-10-05T08:59:04.000Z",
            "completed_at": "2026-10-05T08:59:50.000Z",
            "runtime_seconds": 46,
            "project_id": PROJECT,
            "requested": 2,
            "returned": 2,
            "next_step": found["next_step"],
        }
        assert calls_in(found["next_step"], agent.inputs) == [("get_execution_results", {"execution_id": name})]
        detailed = await agent.read("get_execution", execution_id=name, detail="detailed")
        assert detailed["inputs"]["ligands"]


async def test_detailed_adds_price_items_inputs_progress_and_billing(agent: Agent, bench: Bench) -> None:
    created = await agent.read("create_execution", **docking("CCO", "CCN"), metadata={"why": "a test"})
    name = created["execution_id"]
    bench.platform.organisations["deeporigin"].balance = 100
    async with bench.agent(auto_approve_up_to=1) as rich:
        await rich.read("confirm_execution", execution_id=name)
        await rich.read("wait_executions", execution_ids=[name], timeout_seconds=50)
        bench.clock.advance(600)
        found = await rich.read("get_execution", execution_id=name, detail="detailed")
    assert found["price_items"] == [
        {"code": "DO_DOCK", "name": "Docking", "quantity": 2, "unit_price": 0.2, "total": 0.4}
    ]
    assert found["inputs"]["ligands"] == [{"smiles": "CCO"}, {"smiles": "CCN"}]
    assert found["billing"]["totalCost"] == 0.4
    assert found["metadata"]["why"] == "a test"
    assert found["session"] == bench.settings().session
    assert any("dock" in line for line in found["progress"])
    assert calls_in(found["next_step"], agent.inputs) == [("get_execution_results", {"execution_id": name})]


async def test_outputs_in_the_response_are_shown_as_they_are(agent: Agent, bench: Bench) -> None:
    name = bench.raw(status="Succeeded", jobOutputs=[{"pockets": 3}], userInputs={"effort": 1})
    found = await agent.read("get_execution", execution_id=name, detail="detailed")
    assert (found["status"], found["outputs"]) == ("Completed", {"pockets": 3})


async def test_big_fields_are_cut_to_their_share_and_named(agent: Agent, bench: Bench) -> None:
    big = {"ligands": [{"smiles": "C" * 300} for _ in range(500)]}
    name = bench.raw(
        status="Completed",
        userInputs=big,
        jobOutputs={"poses": [{"score": index, "note": "x" * 90} for index in range(5000)]},
        metadata={f"key{index}": "v" * 300 for index in range(50)},
        billingTransaction={"totalCost": 1, "items": [{"itemCode": "A" * 500}] * 40},
        progressReport="\n".join(f"line {index} " + "p" * 400 for index in range(500)),
        statusReason="r" * 5000,
        name="n" * 5000,
    )
    found = await agent.read("get_execution", execution_id=name, detail="detailed")
    assert sorted(found["cut"]) == ["billing", "inputs", "metadata", "outputs", "progress"]
    assert 1 < len(found["outputs"]["poses"]) < 5000
    assert "more entries; cursor=" in found["outputs"]["poses"][-1]
    assert len(found["name"]) == 120
    assert found["progress"][-1].startswith("line 499")


@pytest.mark.parametrize("status", ["Created", "Queued", "Running", "Suspended", "Finishing", "Accepted", "Brooding"])
async def test_what_goes_on_names_the_wait_as_the_next_step(agent: Agent, bench: Bench, status: str) -> None:
    found = await agent.read("get_execution", execution_id=(name := bench.raw(status=status)))
    assert found["status"] == status
    assert calls_in(found["next_step"], agent.inputs) == [("wait_executions", {"execution_ids": [name]})]


async def test_a_status_of_null_is_unknown_and_not_over(agent: Agent, bench: Bench) -> None:
    found = await agent.read("get_execution", execution_id=bench.raw(status=None))
    assert (found["status"], "wait_executions" in found["next_step"]) == ("Unknown", True)


@pytest.mark.parametrize(
    ("status", "tools"),
    [("Failed", ["get_execution_logs"]), ("InsufficientFunds", []), ("FailedQuotation", []), ("Cancelled", None)],
)
async def test_each_final_state_says_what_is_left_to_do(
    agent: Agent, bench: Bench, status: str, tools: list[str] | None
) -> None:
    found = await agent.read("get_execution", execution_id=bench.raw(status=status))
    assert ("next_step" in found) == (tools is not None)
    assert [tool for tool, _ in calls_in(found.get("next_step", ""), agent.inputs)] == (tools or [])


async def test_a_quote_without_a_price_cannot_be_confirmed_and_says_so(agent: Agent, bench: Bench) -> None:
    found = await agent.read("get_execution", execution_id=(name := bench.raw(status="Quoted", quotationResult={})))
    assert "quoted_price" not in found
    assert calls_in(found["next_step"], agent.inputs) == [("cancel_execution", {"execution_id": name})]
    assert await agent.error("confirm_execution", execution_id=name) == ("no_complete_price", "nothing_started")


async def test_a_failure_carries_the_platforms_reason(agent: Agent, bench: Bench) -> None:
    reason = {"code": "X", "message": "No pose found\nin\x1b[2J the pocket"}
    found = await agent.read("get_execution", execution_id=bench.raw(status="Failed", statusReason=reason))
    assert found["status_reason"] == "No pose found in [2J the pocket."


async def test_the_data_platforms_id_is_read_there(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed", name="Pilot")
    other = bench.platform.executions[name].data_platform_id
    found = await agent.read("get_execution", execution_id=other, source="data_platform")
    assert (found["execution_id"], found["data_platform_id"], found["name"]) == (name, other, "Pilot")
    assert (await agent.follow(found["next_step"]))["execution_id"] == name


async def test_an_id_of_the_other_kind_names_the_call_that_reads_it(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed")
    other = bench.platform.executions[name].data_platform_id
    message = await agent.refused("get_execution", execution_id=other)
    assert (await agent.follow(message))["execution_id"] == name


@pytest.mark.parametrize("source", ["tools_service", "data_platform"])
async def test_an_unknown_id_is_not_found(agent: Agent, source: str) -> None:
    assert (await agent.error("get_execution", execution_id="nope", source=source)).code == "not_found"


async def test_another_organisations_execution_is_as_unknown_as_a_wrong_id(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed", org="acme")
    assert (await agent.error("get_execution", execution_id=name)).code == "not_found"


STRAY_IDS = ("../clusters", "a/b", "..", ".", "x?y=1", "x#y", "a\nb", "x%2fy", "é", "a;b")


@pytest.mark.parametrize("tool", ["get_execution", "confirm_execution", "cancel_execution"])
async def test_an_id_cannot_lead_a_request_to_another_place(agent: Agent, bench: Bench, tool: str) -> None:
    for stray in STRAY_IDS:
        await agent.refused(tool, execution_id=stray)
    await agent.read("wait_executions", execution_ids=STRAY_IDS, timeout_seconds=0)
    reads = [(path, status) for _, path, status in bench.platform.requests if "filter" not in path]
    assert all(status == 404 for _, status in reads), reads
    assert not bench.sent("PATCH")


async def test_a_running_execution_is_cancelled(agent: Agent, bench: Bench) -> None:
    found = await agent.read("cancel_execution", execution_id=(name := bench.seeded("Running")))
    assert found["status"] == "Cancelled"
    assert bench.platform.cancels == [name]
    assert found["cost"] == found["quoted_price"]
    assert found["cost_state"] == "reserved"


@pytest.mark.parametrize(
    ("bill", "state"),
    [
        ({"status": "Approved", "totalCost": 2.5}, "reserved"),
        ({"status": "Charged", "totalCost": 2.5}, "charged"),
        ({"status": "refunded", "totalCost": 2.5}, "refunded"),
        ({"status": "UnderReview", "totalCost": 2.5}, "not known yet"),
        ({"totalCost": 2.5}, "not known yet"),
        (None, "not known yet"),
    ],
)
async def test_the_cost_of_a_cancelled_run_is_called_what_it_is(
    agent: Agent, bench: Bench, bill: dict[str, Any] | None, state: str
) -> None:
    name = bench.raw(status="Cancelled", startedAt="2026-10-05T08:01:00.000Z", billingTransaction=bill)
    bench.raw(status="Failed", startedAt="2026-10-05T08:01:00.000Z", billingTransaction=bill)
    read = await agent.read("get_execution", execution_id=name)
    listed = await agent.read("list_executions", status=["Cancelled"])
    waited = await agent.read("wait_executions", execution_ids=[name])
    for row in (read, *listed["executions"], *waited["executions"]):
        assert (row.get("cost"), row["cost_state"]) == (bill and 2.5, state)
    assert "cost_state" not in (await agent.read("list_executions", status=["Failed"]))["executions"][0]


async def test_of_a_cancelled_run_without_a_bill_nothing_is_said(agent: Agent, bench: Bench) -> None:
    assert "next_step" not in await agent.read("get_execution", execution_id=bench.raw(status="Cancelled"))


@pytest.mark.parametrize(
    "status", ["Completed", "Succeeded", "Failed", "Cancelled", "InsufficientFunds", "FailedQuotation"]
)
async def test_cancelling_what_is_over_sends_nothing(agent: Agent, bench: Bench, status: str) -> None:
    found = await agent.read("cancel_execution", execution_id=bench.raw(status=status))
    assert found["next_step"]
    assert not bench.sent("PATCH")


async def test_a_quote_is_withdrawn_where_the_platform_allows_it(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Quoted")
    found = await agent.read("cancel_execution", execution_id=name)
    assert (found["status"], bench.platform.cancels) == ("Cancelled", [name])
    assert not {"cost", "cost_state"} & found.keys()
    assert calls_in(found["next_step"], agent.inputs) == []
    assert (await agent.call("confirm_execution", {"execution_id": name})).is_error


@pytest.mark.parametrize("status", [409, 400, 422])
async def test_a_quote_that_the_platform_does_not_cancel_stays_and_is_said_to(
    agent: Agent, bench: Bench, status: int
) -> None:
    name = bench.seeded("Quoted")
    bench.fault(f"PATCH */executions/{name}:cancel status={status}")
    found = await agent.read("cancel_execution", execution_id=name)
    assert (found["status"], f"HTTP {status}" in found["next_step"]) == ("Quoted", True)
    assert len(bench.sent("PATCH")) == 1


async def test_a_quote_without_a_price_says_so_and_what_can_be_done(agent: Agent, bench: Bench) -> None:
    tool = {"key": "deeporigin.structure-report", "version": "1.0.0"}
    name = bench.raw(status="Quoted", tool=tool, quotationResult=None)
    for found in (
        await agent.read("get_execution", execution_id=name),
        await agent.read("wait_executions", execution_ids=[name]),
    ):
        assert (await agent.follow(found["next_step"]))["execution_id"] == name


async def test_cancelling_twice_is_harmless(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    first: dict[str, Any] = await agent.read("cancel_execution", execution_id=name)
    second = await agent.read("cancel_execution", execution_id=name)
    assert (first["status"], second["status"], len(bench.platform.cancels)) == ("Cancelled", "Cancelled", 1)


async def test_a_record_has_what_cites_and_repeats_a_run(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed", name="Pilot")
    dto = bench.platform.executions[name].stored
    found = await agent.read("get_execution", execution_id=name, detail="record")
    record = found["record"]
    assert 'what="record"' in found["next_step"]
    assert record["inputs"] == dto["userInputs"]
    assert (record["created_by"], record["created_by_id"]) == ("Ada Simulated", dto["createdBy"])
    assert (record["project"], record["cluster_id"]) == ("Kinase pilot", dto["cluster"]["id"])
    assert (record["platform"], record["simulated"]) == ("local", True)
    assert record["billing_id"] == dto["billingTransaction"]["transactionId"]
    assert (record["cost"], record["quoted_price"], record["price_items"][0]["total"]) == ("0.4", "0.4", "0.4")
    assert {"tool_version", "created_at", "started_at", "completed_at", "inputs_hash", "project_id"} <= {*record}


async def test_big_inputs_of_a_record_are_read_on_by_their_cursor(agent: Agent, bench: Bench) -> None:
    ligands = [{"smiles": "C" * (number + 1)} for number in range(300)]
    name = bench.raw(status="Completed", userInputs={"ligands": ligands})
    found = await agent.read("get_execution", execution_id=name, detail="record")
    assert found["cut"] == ["inputs"]
    assert (await agent.follow(found["next_step"]))["inputs"]
