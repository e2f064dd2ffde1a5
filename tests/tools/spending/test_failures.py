"""Guards that hold without a person: what failed several times in a row, and what was started in a day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.tools.executions import create_execution
from deeporigin_mcp.tools.spending.failures import NEWEST
from deeporigin_mcp.tools.spending.spent import DAY_SECONDS
from tests.support.bench import Bench, docking
from tests.support.people import NO, YES, Person, agent_with, quoted

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"tool_key": "acme.hello-test", "inputs": {"message": "hi"}}
"""A free run whose start returns at once."""
AUTOMATIC: dict[str, Any] = {"auto_approve_up_to": 10}


@pytest.fixture(autouse=True)
def _no_wait_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create_execution, "ENDED_SECONDS", 0)


def earlier(platform: Platform, *statuses: str, **changes: Any) -> None:
    """Earlier runs of the usual docking, the oldest first."""
    # As the platform stores them, with their defaults.
    inputs = docking("CCO", effort=1)["inputs"] | changes
    for number, status in enumerate(statuses):
        platform.add_execution(
            {
                "status": status,
                "tool": {"key": "deeporigin.docking", "version": f"4.{number}.0"},
                "userInputs": dict(reversed(inputs.items())),
                "createdAt": f"2026-10-0{number + 1}T00:00:00.000Z",
            }
        )


@pytest.mark.parametrize(
    ("statuses", "starts"),
    [
        (("Failed", "Failed"), True),
        (("Failed", "Failed", "Failed"), False),
        (("Failed", "Failed", "Completed", "Failed", "Failed"), True),
        (("Completed", "Failed", "Failed", "Cancelled", "Failed"), False),
        (("Completed", "Completed", "Completed"), True),
    ],
)
async def test_three_failures_in_a_row_of_the_same_inputs_stop_automatic_starts(
    bench: Bench, statuses: tuple[str, ...], starts: bool
) -> None:
    earlier(bench.platform, *statuses)
    async with bench.agent(**AUTOMATIC) as agent:
        made = await agent.read("create_execution", **docking("CCO"), start=True)
        assert (made["status"] != "Quoted") is starts
        if not starts:
            assert "DEEPORIGIN_MCP_MAX_FAILURES" in made["next_step"]
            refused = await agent.error("confirm_execution", execution_id=made["execution_id"])
            assert refused == ("failed_in_a_row", "nothing_started")
    assert bool(bench.platform.confirms) is starts


async def test_other_inputs_and_free_runs_are_not_stopped(bench: Bench) -> None:
    earlier(bench.platform, "Failed", "Failed", "Failed")
    async with bench.agent(**AUTOMATIC) as agent:
        for given in (docking("CCN"), HELLO):
            assert (await agent.read("create_execution", **given, start=True))["status"] != "Quoted"


async def test_quotes_in_between_do_not_hide_the_failures(bench: Bench) -> None:
    earlier(bench.platform, "Failed", "Failed", "Failed")
    bench.platform.seed_executions(count=NEWEST, status="Quoted", start=datetime(2026, 11, 1, tzinfo=UTC))
    async with bench.agent(**AUTOMATIC) as agent:
        made = await agent.read("create_execution", **docking("CCO"), start=True)
    assert made["status"] == "Quoted"


async def test_what_cannot_be_read_starts_nothing_and_does_not_hide_what_was_created(bench: Bench) -> None:
    async with bench.agent(**AUTOMATIC) as agent:
        bench.fault("GET */executions status=403")
        made = await agent.read("create_execution", **docking("CCO"), start=True)
    assert made["status"] == "Quoted"
    assert made["execution_id"] in bench.platform.executions
    assert not bench.platform.confirms


@pytest.mark.parametrize(("most", "starts"), [(0, True), (1, False), (4, True)])
async def test_the_operator_sets_how_many(bench: Bench, most: int, starts: bool) -> None:
    earlier(bench.platform, "Failed", "Failed", "Failed")
    async with bench.agent(**AUTOMATIC, max_failures=most) as agent:
        made = await agent.read("create_execution", **docking("CCO"), start=True)
    assert (made["status"] != "Quoted") is starts


@pytest.mark.parametrize("answer", [YES, NO])
async def test_a_person_lifts_the_stop_by_saying_yes(bench: Bench, answer: Any) -> None:
    earlier(bench.platform, "Failed", "Failed", "Failed")
    person = Person(answer)
    async with agent_with(bench.server(**AUTOMATIC), person, mode="legacy") as agent:
        made = await agent.read("create_execution", **docking("CCO"), start=True)
        found = await agent.call("confirm_execution", {"execution_id": made["execution_id"], "wait_seconds": 0})
    assert "the last 3 runs with these inputs failed" in person.questions[0]
    assert bool(bench.platform.confirms) is (answer is YES) is not found.is_error


async def test_what_was_started_in_24_hours_counts_over_sessions_and_leaves_less(bench: Bench) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 10, "max_per_day": 10}
    for session, usd, code in (("one", 6, ""), ("two", 5, "over_daily_limit"), ("two", 4, "")):
        async with bench.agent(session=session, **limits) as agent:
            name = quoted(bench, usd)
            if code:
                assert await agent.error("confirm_execution", execution_id=name) == (code, "nothing_started")
            else:
                await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    async with bench.agent(session="three", **limits) as agent:
        spending = (await agent.read("get_workspace"))["spending"]
        assert (spending["max_per_day"], spending["spent_in_24_hours"]) == (10, 10)


async def test_a_day_later_it_may_start_again(bench: Bench) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 10, "max_per_day": 10}
    async with bench.agent(**limits) as agent:
        await agent.read("confirm_execution", execution_id=quoted(bench, 10), wait_seconds=0)
        second = quoted(bench, 10)
        assert await agent.error("confirm_execution", execution_id=second) == ("over_daily_limit", "nothing_started")
        await bench.time.timing.sleep(DAY_SECONDS)
        await agent.read("confirm_execution", execution_id=second, wait_seconds=0)


@pytest.mark.parametrize("before_days", [-40, 0, 40])
@pytest.mark.parametrize("after_days", [-40, 0, 1, 40])
async def test_no_clock_that_is_set_ends_a_day_early(bench: Bench, before_days: int, after_days: int) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 10, "max_per_day": 10}
    bench.time.token_ages_seconds = before_days * DAY_SECONDS
    async with bench.agent(**limits) as agent:
        await agent.read("confirm_execution", execution_id=quoted(bench, 10), wait_seconds=0)
        bench.time.token_ages_seconds = after_days * DAY_SECONDS
        # Over midnight too, wherever that is.
        await bench.time.timing.sleep(DAY_SECONDS - 60)
        second = quoted(bench, 10)
        assert await agent.error("confirm_execution", execution_id=second) == ("over_daily_limit", "nothing_started")
    assert len(bench.platform.confirms) == 1


async def test_a_person_cannot_lift_the_limit_of_a_day(bench: Bench) -> None:
    person = Person(YES)
    async with agent_with(bench.server(max_per_day=4), person, mode="legacy") as agent:
        assert await agent.error("confirm_execution", execution_id=quoted(bench, 5)) == (
            "over_daily_limit",
            "nothing_started",
        )
    assert not person.questions
