"""confirm_execution: the only door to spending."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from deeporigin_mcp.tools.executions import confirm_execution as confirmation
from deeporigin_mcp.tools.responses.errors import OUTCOMES
from deeporigin_mcp.tools.spending import approval
from tests.support.bench import ABFE, ERAS, PROJECT, SESSION, Agent, Bench, bench_token, docking
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rich(bench: Bench) -> AsyncIterator[Agent]:
    """An agent that may start runs of up to 25 USD by itself."""
    async with bench.agent(auto_approve_up_to=25) as found:
        yield found


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, Any]]]:
    """The audit log as it grows."""
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(record.getMessage()))

    caplog.set_level(logging.INFO, "deeporigin_mcp.audit")
    logging.getLogger("deeporigin_mcp.audit").addHandler(handler := Keep())
    yield lines
    logging.getLogger("deeporigin_mcp.audit").removeHandler(handler)


async def quote(agent: Agent, *smiles: str) -> str:
    return str((await agent.read("create_execution", **docking(*smiles)))["execution_id"])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_run_within_the_automatic_limit_starts(bench: Bench, mode: str) -> None:
    async with bench.agent(mode=mode, auto_approve_up_to=0.4) as agent:
        name = await quote(agent, "CCO", "CCN")
        found = await agent.read("confirm_execution", execution_id=name, expected_price=0.4)
        assert (found["status"], found["cost"]) == ("Running", 0.4)
        (row,) = (await agent.follow_to_the_end(found["next_step"]))["executions"]
        assert row["status"] == "Completed"
    assert bench.platform.confirms == [name]


async def test_a_dearer_run_is_refused_where_nobody_can_be_asked(agent: Agent, bench: Bench) -> None:
    name = await quote(agent)
    found = await agent.error("confirm_execution", execution_id=name, expected_price=0.2)
    assert found == ("nobody_to_ask", "nothing_started")
    assert not bench.platform.confirms
    assert not bench.sent("PATCH")


async def test_another_price_than_expected_is_refused_with_the_call_that_accepts_it(rich: Agent, bench: Bench) -> None:
    name = await quote(rich)
    answer = await rich.call("confirm_execution", {"execution_id": name, "expected_price": 0.1})
    assert answer.error == ("price_changed", "nothing_started")
    assert not bench.platform.confirms
    assert (await rich.follow(answer.text))["status"] == "Running"


@pytest.mark.parametrize("expected", [0.2, "0.20"])
async def test_the_same_price_in_another_spelling_is_the_same(rich: Agent, expected: float | str) -> None:
    name = await quote(rich)
    assert (await rich.read("confirm_execution", execution_id=name, expected_price=expected))["status"] == "Running"


async def test_prices_are_added_exactly(bench: Bench) -> None:
    rows = [{"itemCode": "A", "priceTotal": 0.1}, {"itemCode": "B", "priceTotal": "0.2"}]
    name = bench.raw(status="Quoted", quotationResult={"successfulQuotations": rows})
    async with bench.agent(auto_approve_up_to=0.3) as agent:
        assert (await agent.read("get_execution", execution_id=name))["quoted_price"] == 0.3
        await agent.read("confirm_execution", execution_id=name, expected_price=0.3)
    assert bench.platform.confirms == [name]


@pytest.mark.parametrize(
    "quotation",
    [
        {"anyFailed": True, "successfulQuotations": [{"itemCode": "A", "priceTotal": 1}]},
        {"failedQuotations": [{"itemCode": "B"}], "successfulQuotations": [{"itemCode": "A", "priceTotal": 1}]},
        {"successfulQuotations": [{"itemCode": "A", "priceTotal": 1}, {"itemCode": "B", "priceTotal": None}]},
        {"successfulQuotations": []},
        None,
    ],
)
async def test_nobody_can_agree_to_an_incomplete_price(rich: Agent, bench: Bench, quotation: Any) -> None:
    name = bench.raw(status="Quoted", quotationResult=quotation)
    found = await rich.read("get_execution", execution_id=name)
    assert "cannot be confirmed" in found["next_step"]
    assert await rich.error("confirm_execution", execution_id=name, expected_price=1) == (
        "no_complete_price",
        "nothing_started",
    )
    assert not bench.sent("PATCH")


async def test_nothing_above_the_operators_limit_for_one_run_starts(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=25, max_price=0.3) as agent:
        cheap, dear = await quote(agent), await quote(agent, "CCO", "CCN")
        assert await agent.error("confirm_execution", execution_id=dear) == ("above_max_price", "nothing_started")
        # The quote itself does not send anybody there.
        next_step = (await agent.read("get_execution", execution_id=dear))["next_step"]
        assert [name for name, _ in calls_in(next_step, agent.inputs)] == ["cancel_execution"]
        await agent.read("confirm_execution", execution_id=cheap)
    assert bench.platform.confirms == [cheap]


async def test_the_budget_of_a_session_is_kept_over_restarts(bench: Bench) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 25, "budget": 0.5}
    async with bench.agent(**limits) as agent:
        await agent.read("confirm_execution", execution_id=await quote(agent, "CCO", "CCN"))
        left_as_quote = await quote(agent, "CCO", "CCN", "CCC")
        assert left_as_quote
    async with bench.agent(**limits) as agent:
        assert await agent.error("confirm_execution", execution_id=await quote(agent)) == (
            "over_budget",
            "nothing_started",
        )
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 0.4
    async with bench.agent(**limits, session="another") as agent:
        await agent.read("confirm_execution", execution_id=await quote(agent))
    assert len(bench.platform.confirms) == 2


async def test_the_budget_counts_exactly_and_cancelled_runs_too(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=25, budget=0.6) as agent:
        names = [await quote(agent) for _ in range(4)]
        for name in names[:3]:
            await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
        bench.clock.advance(20)
        assert (await agent.read("cancel_execution", execution_id=names[0]))["status"] == "Cancelled"
        assert await agent.error("confirm_execution", execution_id=names[3]) == ("over_budget", "nothing_started")
    assert bench.platform.confirms == names[:3]


async def test_a_free_run_needs_no_budget(bench: Bench) -> None:
    async with bench.agent(budget=0) as agent:
        found = await agent.read("create_execution", tool_key="acme.hello-test", inputs={"message": "hi"}, start=True)
    assert found["status"] == "Running"


async def test_a_budget_that_cannot_be_checked_starts_nothing(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=25, budget=5) as agent:
        name = await quote(agent)
        bench.fault("GET */executions status=503")
        assert await agent.error("confirm_execution", execution_id=name) == ("platform_failed", "nothing_started")
    assert not bench.sent("PATCH")


async def test_concurrent_confirmations_cannot_overspend(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=25, budget=0.5) as agent:
        names = [await quote(agent) for _ in range(5)]
        answers = []

        async def confirm(name: str) -> None:
            answers.append(await agent.call("confirm_execution", {"execution_id": name}))

        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(confirm, name)
    assert len(bench.platform.confirms) == 2
    assert sorted(answer.is_error for answer in answers) == [False, False, True, True, True]


async def test_two_confirmations_at_once_confirm_once(rich: Agent, bench: Bench) -> None:
    name = await quote(rich)
    answers = []

    async def confirm() -> None:
        answers.append(await rich.call("confirm_execution", {"execution_id": name}))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(confirm)
    assert bench.platform.confirms == [name]
    assert sum(not answer.is_error for answer in answers) == 1
    assert {answer.error.code for answer in answers if answer.error} <= {
        "not_quoted",
        "being_confirmed",
        "already_started",
    }


@pytest.mark.parametrize("status", ["Created", "Running", "Succeeded", "Failed", "Cancelled", "InsufficientFunds", "X"])
async def test_only_a_quote_can_be_confirmed(rich: Agent, bench: Bench, status: str) -> None:
    name = bench.raw(status=status)
    answer = await rich.call("confirm_execution", {"execution_id": name})
    assert answer.error == ("not_quoted", "nothing_started")
    assert (await rich.follow(answer.text))["execution_id"] == name
    assert not bench.sent("PATCH")


async def test_confirming_twice_starts_once_and_says_what_runs(rich: Agent, bench: Bench) -> None:
    name = await quote(rich)
    await rich.read("confirm_execution", execution_id=name)
    assert await rich.error("confirm_execution", execution_id=name) == ("not_quoted", "nothing_started")
    assert bench.platform.confirms == [name]


async def test_an_empty_account_closes_the_quote_in_the_platforms_words(rich: Agent, bench: Bench) -> None:
    bench.platform.organisations["deeporigin"].balance = 0.1
    name = await quote(rich)
    answer = await rich.call("confirm_execution", {"execution_id": name})
    assert answer.error == ("restricted", "nothing_started")
    # The platform's.
    assert "The balance of 0.10 USD does not cover 0.20 USD" in answer.text
    assert (await rich.read("get_execution", execution_id=name))["status"] == "InsufficientFunds"


async def test_a_plans_limit_leaves_the_quote_in_the_platforms_words(bench: Bench) -> None:
    molecules = [{"smiles": "C" * length} for length in range(1, 23)]
    inputs = {"ligands": molecules, "properties": ["herg"]}
    async with bench.agent(org_key="acme", project_id="09ACMEPR0J001", auto_approve_up_to=25) as agent:
        created = await agent.read("create_execution", tool_key="deeporigin.admet-properties", inputs=inputs)
        answer = await agent.call("confirm_execution", {"execution_id": created["execution_id"]})
    assert answer.error == ("restricted", "nothing_started")
    # The platform's.
    assert "allows 20 ligands per ADMET run, 22 were asked for" in answer.text
    assert bench.platform.status(created["execution_id"]) == "Quoted"


async def test_a_run_dearer_than_the_balance_never_starts(bench: Bench) -> None:
    async with bench.agent(org_key="acme", project_id="09ACMEPR0J001", auto_approve_up_to=500) as agent:
        created = await agent.read("create_execution", **ABFE, start=True)
    assert created["status"] == "InsufficientFunds"
    assert OUTCOMES["nothing_started"] in created["next_step"]


async def test_after_a_confirmation_whose_response_was_lost_the_execution_is_read(rich: Agent, bench: Bench) -> None:
    name = await quote(rich)
    bench.fault("PATCH *:confirm reset after=work times=1")
    found = await rich.read("confirm_execution", execution_id=name)
    assert found["status"] == "Running"
    assert len(bench.sent("PATCH")) == 1


@pytest.mark.parametrize("effect", ["reset", "status=504 html", "half", "status=500"])
async def test_a_confirmation_that_did_nothing_is_sent_once_and_reported_as_unknown(
    rich: Agent, bench: Bench, effect: str, audited: list[dict[str, Any]]
) -> None:
    name = await quote(rich)
    bench.fault(f"PATCH *:confirm {effect} times=1")
    answer = await rich.call("confirm_execution", {"execution_id": name})
    assert len(bench.sent("PATCH")) == 1
    if effect != "half":  # half of an answer comes after the work
        assert answer.error == ("outcome_unknown", "unknown")
        assert (await rich.follow(answer.text))["status"] == "Quoted"
        assert [line["decision"] for line in audited] == ["approved", "unknown"]
    assert (len(bench.platform.confirms) == 1) is (effect == "half") is not answer.is_error


async def test_a_confirmation_that_was_lost_can_be_given_again(rich: Agent, bench: Bench) -> None:
    name = await quote(rich)
    bench.fault("PATCH *:confirm reset times=1")
    await rich.refused("confirm_execution", execution_id=name)
    assert (await rich.read("confirm_execution", execution_id=name))["status"] == "Running"
    assert bench.platform.confirms == [name]


async def test_a_confirmation_whose_response_comes_at_the_end_of_the_run_goes_on_after_the_call(
    rich: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "MAX_CALL_SECONDS", 0.05)
    created = await rich.read("create_execution", **docking(), sync=True)
    found = await rich.read("confirm_execution", execution_id=created["execution_id"])
    assert found["status"] in ("Created", "Queued", "Running")
    waited = await rich.follow_to_the_end(found["next_step"])
    assert (await rich.follow(waited["next_step"]))["outputs"]


async def test_each_decision_is_one_line_without_secrets_and_inputs(
    bench: Bench, audited: list[dict[str, Any]]
) -> None:
    async with bench.agent(auto_approve_up_to=0.3, max_price=0.2) as agent:
        started = await quote(agent)
        await agent.read("confirm_execution", execution_id=started)
        async with bench.agent(auto_approve_up_to=1, max_price=0.2) as other:
            dear = await quote(other, "CCO", "CCN")
            await other.refused("confirm_execution", execution_id=dear)
    assert audited[0] == {
        "at": "2026-10-05T09:00:00Z",
        "decision": "approved",
        "execution_id": started,
        "tool": "deeporigin.docking@4.2.0",
        "price_usd": 0.2,
        "project_id": PROJECT,
        "organization": "deeporigin",
        "user": "ada@deeporigin.invalid",
        "session": SESSION,
        "reason": "the operator's automatic limit",
    }
    assert len(audited) == 2
    assert (audited[1]["decision"], audited[1]["execution_id"]) == ("refused", dear)
    assert bench_token() not in json.dumps(audited)
    assert "CCO" not in json.dumps(audited)


@pytest.mark.parametrize("path", ["*/executions/*", "*/tools/executions"])
async def test_reads_that_take_too_long_end_before_anything_is_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(confirmation, "READ_SECONDS", 0.3)
    async with bench.agent(budget=1) as agent:
        created = await agent.read("create_execution", **docking())
        bench.fault(f"GET {path} delay=300")
        found = await agent.error("confirm_execution", execution_id=created["execution_id"])
    assert found == ("platform_failed", "nothing_started")
    assert not bench.sent("PATCH")


async def test_a_server_that_only_reads_names_no_call_that_it_does_not_have(bench: Bench) -> None:
    name = bench.seeded("Quoted")
    async with bench.agent(read_only=True) as agent:
        for found in (
            await agent.read("get_execution", execution_id=name),
            await agent.read("get_execution", execution_id=name, detail="detailed"),
            await agent.read("get_execution_results", execution_id=name),
            await agent.read("get_execution_logs", execution_id=name),
            await agent.read("wait_executions", execution_ids=[name], timeout_seconds=0),
            await agent.read("describe_platform_tool", tool_key="deeporigin.docking"),
        ):
            assert "read-only" in found["next_step"]
            assert "confirm_execution" not in found["next_step"]
            assert "create_execution" not in found["next_step"]
