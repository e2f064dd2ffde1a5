"""What the operator lets nobody spend, whoever says yes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from tests.support.bench import ERAS, FREE, SESSION, Agent, Bench, docking
from tests.support.people import Person, agent_with, quoted

pytestmark = pytest.mark.anyio

BUDGET = "DEEPORIGIN_MCP_BUDGET"


async def confirm_all(agent: Agent, names: list[str]) -> list[bool]:
    """Confirm them at the same time; which calls succeeded."""
    started: dict[str, bool] = {}

    async def confirm(name: str) -> None:
        started[name] = not (await agent.call("confirm_execution", {"execution_id": name})).is_error

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(confirm, name)
    return [started[name] for name in names]


async def test_the_maximum_price_is_inclusive_and_a_yes_does_not_lift_it(bench: Bench) -> None:
    at, above = quoted(bench, 0.1, 0.2), quoted(bench, 0.1, "0.2000001")
    person = Person()
    async with agent_with(bench.server(max_price=0.3), person) as agent:
        await agent.read("confirm_execution", execution_id=at)
        assert await agent.error("confirm_execution", execution_id=above) == ("above_max_price", "nothing_started")
    assert (len(person.questions), bench.platform.confirms) == (1, [at])


@pytest.mark.parametrize(("limit", "setting"), [("max_price", "DEEPORIGIN_MCP_MAX_PRICE"), ("budget", BUDGET)])
async def test_creating_with_start_keeps_the_limits_too(bench: Bench, limit: str, setting: str) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 25, limit: 0.1}
    async with bench.agent(**limits) as agent:
        found = await agent.read("create_execution", **docking("CCO"), start=True)
    assert found["status"] == "Quoted"
    assert setting in found["next_step"]
    assert not bench.sent("PATCH")


async def test_what_javascript_makes_of_three_times_20_cents_is_60_cents(bench: Bench) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": "0.60", "max_price": "0.60", "budget": "0.60"}
    async with bench.agent(**limits) as agent:
        found = await agent.read("create_execution", **docking("CCO", "CCN", "CCC"))
        stored = bench.platform.executions[found["execution_id"]].stored["quotationResult"]
        assert [row["priceTotal"] for row in stored["successfulQuotations"]] == [0.6000000000000001]
        assert found["quoted_price"] == 0.6
        started = await agent.follow(found["next_step"])
        assert (started["status"], started["cost"]) == ("Running", 0.6)
        name = found["execution_id"]
        for tool, more in (
            ("get_execution", {"detail": "detailed"}),
            ("get_execution_results", {"cursor": "billing:@0"}),
            ("get_execution_results", {"cursor": "prices:@0"}),
        ):
            answer = await agent.call(tool, {"execution_id": name, **more})
            assert "0.6" in answer.text
            assert "0.60000" not in answer.text
        assert (await agent.read("get_workspace"))["spending"]["left"] == 0
        (row,) = (await agent.read("list_executions", fetch_all_pages=True, session=SESSION))["totals"]
        assert row["cost"] == 0.6


@pytest.mark.parametrize("limits", [{}, {"budget": 2e-7, "auto_approve_up_to": 1e-6}, {"max_price": 2e-7}])
async def test_the_smallest_amounts_are_written_in_digits(bench: Bench, limits: dict[str, Any]) -> None:
    async with bench.agent(**limits) as agent:
        message = await agent.refused("confirm_execution", execution_id=quoted(bench, 1e-7, 2e-7))
    assert "0.0000003 USD" in message
    assert "E-7" not in message


async def test_a_free_run_starts_whatever_the_limits_are(bench: Bench) -> None:
    async with bench.agent(max_price=0, budget=0) as agent:
        started = await agent.read("create_execution", tool_key="acme.hello-test", inputs={"message": "hi"}, start=True)
    assert started["status"] == "Running"


async def test_a_negative_price_is_no_price(bench: Bench) -> None:
    person = Person()
    async with agent_with(bench.server(auto_approve_up_to=5), person) as agent:
        for prices in ((-5,), (3, -1), ("-0.01", 0)):
            assert await agent.error("confirm_execution", execution_id=quoted(bench, *prices)) == (
                "no_complete_price",
                "nothing_started",
            )
    assert not bench.sent("PATCH")
    assert not person.questions


@pytest.mark.parametrize("mode", ERAS)
async def test_the_budget_binds_a_person_too_and_outlives_the_server(bench: Bench, mode: str) -> None:
    limits: dict[str, Any] = {"auto_approve_up_to": 0.2, "budget": 1}
    person = Person()
    async with agent_with(bench.server(**limits), person, mode=mode) as agent:
        for price in (0.2, 0.7):
            await agent.read("confirm_execution", execution_id=quoted(bench, price, session=SESSION))
        quoted(bench, 90, session=SESSION)
    async with agent_with(bench.server(**limits), person, mode=mode) as agent:
        assert await agent.error("confirm_execution", execution_id=quoted(bench, 0.3, session=SESSION)) == (
            "over_budget",
            "nothing_started",
        )
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 0.9
        await agent.read("confirm_execution", execution_id=quoted(bench, 0.1, session=SESSION))
        assert await agent.error("confirm_execution", execution_id=quoted(bench, 0.01, session=SESSION)) == (
            "over_budget",
            "nothing_started",
        )
    assert len(person.questions) == 1
    async with agent_with(bench.server(**limits, session="another"), person, mode=mode) as agent:
        await agent.read("confirm_execution", execution_id=quoted(bench, 0.7, session="another"))
    assert len(bench.platform.confirms) == 4


@pytest.mark.parametrize("mode", ERAS)
async def test_five_yeses_at_once_cannot_overspend(bench: Bench, mode: str) -> None:
    names = [quoted(bench, 0.4, session=SESSION) for _ in range(5)]
    person = Person()
    async with agent_with(bench.server(budget=1), person, mode=mode) as agent:
        assert sorted(await confirm_all(agent, names)) == [False, False, False, True, True]
    assert len(bench.platform.confirms) == 2


async def test_what_is_being_sent_counts_before_the_platform_has_it(bench: Bench) -> None:
    slow, other = (quoted(bench, 0.6, session=SESSION) for _ in range(2))
    bench.fault("PATCH *:confirm delay=30 times=1")
    answers: list[dict[str, Any]] = []

    async with bench.agent(auto_approve_up_to=5, budget=1) as agent, anyio.create_task_group() as tasks:

        async def confirm() -> None:
            answers.append(await agent.read("confirm_execution", execution_id=slow))

        tasks.start_soon(confirm)
        for _ in range(200):
            if bench.platform.faults[0].fired:
                break
            await agent.read("get_execution", execution_id=slow)
        assert bench.platform.status(slow) == "Quoted"
        assert await agent.error("confirm_execution", execution_id=other) == ("over_budget", "nothing_started")
        assert await agent.error("confirm_execution", execution_id=slow) == ("being_confirmed", "nothing_started")
        bench.clock.advance(31)
    assert [found["status"] for found in answers] == ["Running"]
    assert bench.platform.confirms == [slow]


async def test_a_confirmation_of_unknown_outcome_counts_and_can_be_sent_again(bench: Bench) -> None:
    lost, other = (quoted(bench, 0.6, session=SESSION) for _ in range(2))
    bench.fault("PATCH *:confirm status=500 times=1")
    async with bench.agent(auto_approve_up_to=5, budget=1) as agent:
        assert await agent.error("confirm_execution", execution_id=lost) == ("outcome_unknown", "unknown")
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 0.6
        assert await agent.error("confirm_execution", execution_id=other) == ("over_budget", "nothing_started")
        assert (await agent.read("confirm_execution", execution_id=lost))["status"] == "Running"
        assert await agent.error("confirm_execution", execution_id=other) == ("over_budget", "nothing_started")
    assert bench.platform.confirms == [lost]


async def test_what_the_platform_refused_does_not_count(bench: Bench) -> None:
    refused, other = (quoted(bench, 0.6, session=SESSION) for _ in range(2))
    bench.platform.organisations["deeporigin"].balance = 0.5
    async with bench.agent(auto_approve_up_to=5, budget=1) as agent:
        assert await agent.error("confirm_execution", execution_id=refused) == ("restricted", "nothing_started")
        bench.platform.organisations["deeporigin"].balance = 50
        await agent.read("confirm_execution", execution_id=other)
    assert bench.platform.confirms == [other]


async def test_a_budget_that_cannot_be_checked_asks_nobody(bench: Bench) -> None:
    name = quoted(bench, 5)
    person = Person()
    async with agent_with(bench.server(budget=50), person) as agent:
        bench.fault("GET */executions status=503")
        assert await agent.error("confirm_execution", execution_id=name) == ("platform_failed", "nothing_started")
    assert not person.questions
    assert not bench.sent("PATCH")


async def test_a_tool_that_is_not_on_the_list_is_neither_created_nor_confirmed(bench: Bench) -> None:
    foreign = quoted(bench, 0)
    person = Person()
    async with agent_with(bench.server(allowed_tool_keys=("deeporigin.mol-props-*",)), person) as agent:
        assert await agent.error("create_execution", **docking("CCO")) == ("tool_not_allowed", "nothing_created")
        for price in (0, 5):
            name = quoted(bench, price)
            assert await agent.error("confirm_execution", execution_id=name) == ("tool_not_allowed", "nothing_started")
        assert await agent.error("confirm_execution", execution_id=foreign) == ("tool_not_allowed", "nothing_started")
        keys = {tool["tool_key"] for tool in (await agent.read("find_platform_tools", limit=50))["tools"]}
        assert keys
        assert all(key.startswith("deeporigin.mol-props-") for key in keys)
        assert (await agent.read("create_execution", **FREE))["status"] == "Quoted"
    assert not person.questions
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    "settings", [{"read_only": True}, {"toolsets": ("catalogue",)}, {"toolsets": ("catalogue", "workspace")}]
)
async def test_a_tool_that_is_not_offered_cannot_be_called(bench: Bench, mode: str, settings: dict[str, Any]) -> None:
    name = quoted(bench, 0)
    person = Person()
    async with agent_with(bench.server(**settings), person, mode=mode) as agent:
        assert not {"create_execution", "confirm_execution", "cancel_execution"} & set(agent.inputs)
        assert "find_platform_tools" in agent.inputs
        for tool, arguments in (
            ("confirm_execution", {"execution_id": name}),
            ("cancel_execution", {"execution_id": name}),
            ("create_execution", {**FREE, "start": True}),
        ):
            answer = await agent.call(tool, arguments)
            assert answer.is_error
            assert tool in answer.text
        await agent.read("find_platform_tools")
    assert not person.questions
    assert not bench.sent("PATCH")
    assert not bench.platform.creates


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """Settings out of these variables of the server, and a server built with them."""

    def loaded(**variables: str) -> Settings:
        found = Settings.load({f"DEEPORIGIN_MCP_{name}": value for name, value in variables.items()}, tmp_path)
        create_server(found)
        return found

    return loaded


@pytest.mark.parametrize("name", ["AUTO_APPROVE_UP_TO", "MAX_PRICE", "BUDGET"])
@pytest.mark.parametrize("value", ["-1", "-0.01", "nan", "inf", "1e400", "ten", "1,5", "$5", "0x10", "5 USD", "1;2"])
def test_a_limit_that_cannot_be_used_stops_the_start(load: Callable[..., Settings], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{name}"):
        load(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("READ_ONLY", "perhaps"),
        ("READ_ONLY", "2"),
        ("TOOLSETS", "executions,billing"),
        ("TOOLSETS", "Executions"),
        ("STATE_KEYS", "short"),
        ("STATE_KEYS", "k" * 32 + ",short"),
        ("LOG_LEVEL", "LOUD"),
        ("SESSION", "two\nlines"),
    ],
)
def test_any_other_value_that_cannot_be_used_stops_the_start_unshown_if_secret(
    load: Callable[..., Settings], name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=f"DEEPORIGIN_MCP_{name}") as stopped:
        load(**{name: value})
    assert name != "STATE_KEYS" or "short" not in str(stopped.value)


def test_limits_that_are_not_set_are_the_careful_ones(load: Callable[..., Settings]) -> None:
    found = load(AUTO_APPROVE_UP_TO=" ", MAX_PRICE="", BUDGET="", TOOLSETS=" ", ALLOWED_TOOL_KEYS="")
    assert (found.auto_approve_up_to, found.max_price, found.budget) == (Decimal(0), None, None)
    assert (found.toolsets, found.allowed_tool_keys, found.read_only) == ((), (), False)


@pytest.mark.parametrize("effect", ["status=403", "status=404", "reset"])
async def test_a_confirmation_whose_state_cannot_be_read_afterwards_counts_as_one_that_may_have_started(
    bench: Bench, effect: str, audited: list[dict[str, Any]]
) -> None:
    name, other = quoted(bench, 3), quoted(bench, 3)
    async with bench.agent(auto_approve_up_to=10, budget=5) as agent:
        bench.fault(f"GET */executions/{name} {effect} skip=1")
        assert await agent.error("confirm_execution", execution_id=name) == ("outcome_unknown", "unknown")
        assert [line["decision"] for line in audited] == ["approved", "unknown"]
        bench.heal()
        assert await agent.error("confirm_execution", execution_id=other) == ("over_budget", "nothing_started")
    assert bench.platform.confirms == [name]
