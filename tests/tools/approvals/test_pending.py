"""A person who takes their time: no call outlasts 50 s, the question stays open, and its answer counts once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.server.mcpserver import MCPServer
from mcp_types import ElicitResult, ErrorData

from deeporigin_mcp.tools.approvals import pending
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, Answer, OpenQuestions, Reply
from deeporigin_mcp.tools.executions import confirm_execution as confirmation
from deeporigin_mcp.tools.runtime.executions import READ_SECONDS
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState
from tests.support.bench import Agent, Bench
from tests.support.facts import calls_in
from tests.support.people import DECLINE, NO, YES, Person, agent_with, quoted, reprice

pytestmark = pytest.mark.anyio

Patience = Callable[[float], None]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    """How many seconds a call waits for a person; none at first."""

    def wait(seconds: float) -> None:
        monkeypatch.setattr(confirmation, "PERSON_SECONDS", seconds)

    wait(0)
    return wait


@pytest.fixture
def person() -> Person:
    return Person(thinks=anyio.Event())


@pytest.fixture
async def agent(bench: Bench, person: Person, patience: Patience) -> AsyncIterator[Agent]:
    async with agent_with(bench.server(), person, mode="legacy") as agent:
        yield agent


def think_no_more(person: Person, answer: ElicitResult | ErrorData = YES) -> None:
    assert person.thinks is not None
    person.answer = answer
    person.thinks.set()


async def answer_between_calls(person: Person, answer: ElicitResult | ErrorData = YES) -> None:
    """The person answers while no call waits, and the answer reaches the server."""
    await person.until_asked(1)
    think_no_more(person, answer)
    await anyio.wait_all_tasks_blocked()


async def test_a_call_leaves_time_for_a_confirmation_and_ends_before_clients_give_up() -> None:
    assert READ_SECONDS < confirmation.PERSON_SECONDS < confirmation.CONFIRMED_BY_SECONDS < CALL_SECONDS <= 50


async def test_while_a_person_thinks_the_model_reads_what_is_pending_and_the_same_call(
    agent: Agent, bench: Bench, person: Person
) -> None:
    name = quoted(bench, 5)
    found = await agent.read("confirm_execution", execution_id=name, expected_price=5)
    assert (found["status"], found["approval"], found["quoted_price"]) == ("Quoted", "pending", 5)
    assert calls_in(found["next_step"], agent.inputs) == [
        ("confirm_execution", {"execution_id": name, "expected_price": 5})
    ]
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("in_time", [True, False])
async def test_the_next_call_joins_the_open_elicitation_and_the_yes_starts_it_once(
    agent: Agent, bench: Bench, person: Person, patience: Patience, in_time: bool
) -> None:
    name = quoted(bench, 5)
    found = await agent.read("confirm_execution", execution_id=name)
    await person.until_asked(1)
    patience(30)
    if in_time:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(agent.follow, found["next_step"])
            await anyio.wait_all_tasks_blocked()
            think_no_more(person)
    else:
        await answer_between_calls(person)
        assert not bench.sent("PATCH")
        assert (await agent.follow(found["next_step"]))["status"] == "Running"
    assert bench.platform.confirms == [name]
    assert len(person.questions) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [(NO, "declined"), (DECLINE, "not_approved"), (ErrorData(code=-32603, message="gone"), "not_approved")],
)
async def test_what_came_between_two_calls_is_said_once_and_then_asked_anew(
    agent: Agent,
    bench: Bench,
    person: Person,
    patience: Patience,
    audited: list[dict[str, Any]],
    answer: ElicitResult | ErrorData,
    code: str,
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    await answer_between_calls(person, answer)
    patience(30)
    assert await agent.error("confirm_execution", execution_id=name) == (code, "nothing_started")
    assert [line["decision"] for line in audited] == ["refused"]
    person.answer = YES
    assert (await agent.read("confirm_execution", execution_id=name))["status"] == "Running"
    assert len(person.questions) == 2


async def test_many_calls_share_one_elicitation_and_one_of_them_starts_it(
    agent: Agent, bench: Bench, person: Person, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(30)
    name = quoted(bench, 5)
    answers = []
    opened: list[pending._Question] = []

    class Question(pending._Question):
        async def send(self, ask: Callable[[], Awaitable[Reply]]) -> None:
            opened.append(self)
            await super().send(ask)

    monkeypatch.setattr(pending, "_Question", Question)

    async def confirm() -> None:
        answers.append(await agent.call("confirm_execution", {"execution_id": name}))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(confirm)
        await person.until_asked(1)
        # All of them, also one whose reads took longer.
        while opened[0].waiting < 3:
            await anyio.lowlevel.checkpoint()
        think_no_more(person)
    assert bench.platform.confirms == [name]
    assert len(person.questions) == 1
    assert sorted(answer.is_error for answer in answers) == [False, True, True]
    assert {answer.error.code for answer in answers if answer.error} == {"being_confirmed"}


async def test_a_yes_to_a_question_of_yesterday_starts_nothing(
    agent: Agent, bench: Bench, person: Person, patience: Patience
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    # The laptop was closed meanwhile, and the question is still on its screen.
    bench.time.slept_through_seconds = 10 * KEPT_SECONDS
    await answer_between_calls(person)
    assert person.thinks is not None
    person.thinks = anyio.Event()
    assert (await agent.read("confirm_execution", execution_id=name))["approval"] == "pending"
    await person.until_asked(2)
    assert not bench.platform.confirms


async def test_a_yes_after_a_night_starts_nothing_even_if_a_call_still_waits(
    agent: Agent, bench: Bench, person: Person, patience: Patience
) -> None:
    patience(30)
    name = quoted(bench, 5)

    def sleep() -> None:
        bench.time.slept_through_seconds = KEPT_SECONDS + 1
        think_no_more(person)

    person.meanwhile = sleep
    assert await agent.error("confirm_execution", execution_id=name) == ("not_approved", "nothing_started")
    assert not bench.platform.confirms


async def test_a_quote_that_is_withdrawn_takes_its_elicitation_with_it(
    agent: Agent, bench: Bench, person: Person
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    await person.until_asked(1)
    await agent.read("cancel_execution", execution_id=name)
    await person.dismissed.wait()


async def test_that_a_yes_was_taken_is_remembered_for_as_long_as_a_call_may_not_know_it(anyio_backend: str) -> None:
    now = [0.0]
    questions = OpenQuestions(lambda: now[0])

    async def yes() -> Reply:
        return Reply(Answer.YES)

    async with anyio.create_task_group() as tasks:
        for name in ("one", "two", "one"):
            before = questions.taken(name)
            await questions.reply(tasks, name, "5 USD", "way", yes, until=float("inf"))
            assert questions.taken(name) not in (None, before)
        now[0] = KEPT_SECONDS + 1
        await questions.reply(tasks, "three", "5 USD", "way", yes, until=float("inf"))
    assert questions.taken("three") is not None
    assert (questions.taken("one"), questions.taken("two")) == (None, None)


async def test_a_yes_is_used_up_even_if_the_platform_then_refuses(
    agent: Agent, bench: Bench, person: Person, patience: Patience
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    await answer_between_calls(person)
    patience(30)
    bench.fault("PATCH *:confirm status=503 times=1")
    await agent.refused("confirm_execution", execution_id=name)
    person.answer = NO
    assert await agent.error("confirm_execution", execution_id=name) == ("declined", "nothing_started")
    assert len(person.questions) == 2
    assert not bench.platform.confirms


async def test_a_yes_to_another_price_is_dropped_and_its_elicitation_withdrawn(
    agent: Agent, bench: Bench, person: Person, patience: Patience
) -> None:
    answered, open_still = quoted(bench, 5), quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=answered)
    await answer_between_calls(person)
    person.thinks = anyio.Event()
    await agent.read("confirm_execution", execution_id=open_still)
    await person.until_asked(2)
    for asked, name in enumerate((answered, open_still), 3):
        reprice(bench, name, 6)
        assert (await agent.read("confirm_execution", execution_id=name))["approval"] == "pending"
        await person.until_asked(asked)
    await person.dismissed.wait()
    assert ["for 6.00 USD" in question for question in person.questions] == [False, False, True, True]
    patience(30)
    think_no_more(person)
    assert (await agent.read("confirm_execution", execution_id=open_still))["status"] == "Running"
    assert bench.platform.confirms == [open_still]


async def test_an_elicitation_about_one_execution_does_not_approve_another(
    agent: Agent, bench: Bench, person: Person
) -> None:
    first, second = quoted(bench, 5), quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=first)
    await answer_between_calls(person)
    person.thinks = anyio.Event()
    assert (await agent.read("confirm_execution", execution_id=second))["approval"] == "pending"
    assert not bench.sent("PATCH")


async def pass_by_waiting(bench: Bench, seconds: float) -> None:
    await bench.time.timing.sleep(seconds)


async def pass_asleep(bench: Bench, seconds: float) -> None:
    bench.time.slept_through_seconds += seconds


@pytest.mark.parametrize("pass_time", [pass_by_waiting, pass_asleep])
@pytest.mark.parametrize("is_answered", [True, False])
async def test_after_ten_minutes_also_of_a_suspended_laptop_a_person_is_asked_anew(
    agent: Agent, bench: Bench, person: Person, patience: Patience, pass_time: Any, is_answered: bool
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    await person.until_asked(1)
    if is_answered:
        await answer_between_calls(person)
        person.thinks = anyio.Event()
    await pass_time(bench, KEPT_SECONDS + 1)
    assert (await agent.read("confirm_execution", execution_id=name))["approval"] == "pending"
    await person.until_asked(2)
    assert person.dismissed.is_set() is not is_answered
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("jump_seconds", [-30 * 24 * 3600, 30 * 24 * 3600])
async def test_a_jump_of_the_clock_neither_opens_nor_closes_an_elicitation(
    agent: Agent, bench: Bench, person: Person, patience: Patience, jump_seconds: float
) -> None:
    kept, late = quoted(bench, 5), quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=kept)
    await answer_between_calls(person)
    person.thinks = anyio.Event()
    await agent.read("confirm_execution", execution_id=late)
    await person.until_asked(2)
    bench.time.token_ages_seconds += jump_seconds
    patience(30)
    assert (await agent.read("confirm_execution", execution_id=kept))["status"] == "Running"
    think_no_more(person, NO)
    assert await agent.error("confirm_execution", execution_id=late) == ("declined", "nothing_started")
    assert bench.platform.confirms == [kept]


async def test_a_call_that_the_client_cancels_withdraws_its_elicitation(
    agent: Agent, bench: Bench, person: Person, patience: Patience
) -> None:
    patience(30)
    name = quoted(bench, 5)
    with anyio.CancelScope() as call:
        person.meanwhile = call.cancel
        await agent.call("confirm_execution", {"execution_id": name})
    await person.dismissed.wait()
    assert not bench.sent("PATCH")
    think_no_more(person)
    assert (await agent.read("confirm_execution", execution_id=name))["status"] == "Running"
    assert len(person.questions) == 2


async def test_an_elicitation_about_what_somebody_else_has_started_is_withdrawn(
    agent: Agent, bench: Bench, person: Person
) -> None:
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    await person.until_asked(1)
    bench.platform.executions[name].stored["status"] = "Running"
    assert await agent.error("confirm_execution", execution_id=name) == ("not_quoted", "nothing_started")
    await person.dismissed.wait()
    assert not bench.sent("PATCH")


async def test_the_outcome_of_a_confirmation_that_does_not_end_is_unknown_before_the_call_times_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "CONFIRMED_BY_SECONDS", 1.0)
    name = quoted(bench, 5)
    bench.fault("PATCH *:confirm delay=300")
    async with agent_with(bench.server(), Person(), mode="legacy") as agent:
        answer = await agent.call("confirm_execution", {"execution_id": name})
    assert answer.error == ("outcome_unknown", "unknown")
    assert f'get_execution(execution_id="{name}")' in answer.text


async def test_a_limit_that_has_been_reached_meanwhile_refuses_whoever_said_yes(
    bench: Bench, person: Person, patience: Patience
) -> None:
    server: MCPServer[ServerState] = bench.server(budget=6)
    async with agent_with(server, person, mode="legacy") as agent:
        first, second = quoted(bench, 5), quoted(bench, 5)
        for name in (first, second):
            assert (await agent.read("confirm_execution", execution_id=name))["approval"] == "pending"
        await person.until_asked(2)
        await answer_between_calls(person)
        patience(30)
        await agent.read("confirm_execution", execution_id=first)
        # The record of the session, where the platform keeps it.
        bench.platform.executions[first].stored["session"] = "s-bench"
        assert await agent.error("confirm_execution", execution_id=second) == ("over_budget", "nothing_started")
    assert bench.platform.confirms == [first]
