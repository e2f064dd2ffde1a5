"""Tools that the platform starts at their creation, whatever was asked: a person has to approve that before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.bench import ERAS, Agent, Answer
from tests.support.liars import Liar, lines_in, lying, named, record
from tests.support.people import CANCEL, DECLINE, NO, Person

pytestmark = pytest.mark.anyio

RUN: dict[str, Any] = {"tool_key": "deeporigin.metabolism", "inputs": {"ligands": ["CCO", "CCN"]}}


@pytest.fixture
async def liar(anyio_backend: str) -> AsyncIterator[Liar]:
    async with lying() as found:
        tool = {"key": "deeporigin.metabolism", "version": "1.0.0"}
        found.definition = {**tool, "inputs": {"type": "object"}}
        found.create = lambda body: record(
            named(99),
            "Completed",
            None,
            tool=tool,
            metadata=body["metadata"],
            billingTransaction={"totalCost": 3.5},
        )
        yield found


@pytest.mark.parametrize("limits", [{}, {"auto_approve_up_to": 1000}])
async def test_it_is_not_sent_where_nobody_can_be_asked(liar: Liar, tmp_path: Path, limits: dict[str, Any]) -> None:
    log = tmp_path / "audit.jsonl"
    async with liar.agent(audit_log=log, **limits) as agent:
        assert await agent.error("create_execution", **RUN) == ("nobody_to_ask", "nothing_created")
    assert liar.created == []
    assert [line["decision"] for line in lines_in(log)] == ["refused"]


@pytest.mark.parametrize("limit", ["max_price", "budget", "max_per_day"])
async def test_it_is_not_sent_where_a_limit_could_not_be_kept(liar: Liar, limit: str) -> None:
    person = Person()
    limits: dict[str, Any] = {limit: 1000}
    async with liar.agent(person=person, **limits) as agent:
        assert await agent.error("create_execution", **RUN) == ("no_complete_price", "nothing_created")
    assert (liar.created, person.questions) == ([], [])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_is_asked_first_and_a_yes_is_on_record_with_what_it_cost(
    liar: Liar, tmp_path: Path, mode: str
) -> None:
    log, person = tmp_path / "audit.jsonl", Person()
    async with liar.agent(person=person, mode=mode, audit_log=log) as agent:
        found = await agent.read("create_execution", **RUN)
        assert "warning" not in found
        assert (found["status"], found["cost"]) == ("Completed", 3.5)
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 3.5
    (asked,) = person.questions
    assert "a price that is not known" in asked
    assert "deeporigin.metabolism 1.0.0" in asked
    assert "No creates nothing" in asked
    assert "Inputs: " in asked
    assert len(liar.created) == 1
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", None), ("started", 3.5)]


async def test_what_it_cost_is_on_record_although_the_response_was_lost(liar: Liar, tmp_path: Path) -> None:
    log, created = tmp_path / "audit.jsonl", liar.create
    liar.create = lambda _: {}
    liar.rows = lambda _: [created(body) for body in liar.created]
    async with liar.agent(person=Person(), audit_log=log) as agent:
        found = await agent.read("create_execution", **RUN)
        assert (found["execution_id"], found["cost"]) == (named(99), 3.5)
        liar.rows = lambda _: []
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 3.5
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", None), ("started", 3.5)]


async def test_what_a_person_approved_is_not_called_unapproved_when_it_is_found_later(
    liar: Liar, tmp_path: Path
) -> None:
    log, created, person = tmp_path / "audit.jsonl", liar.create, Person()
    liar.create = lambda _: {}
    run = {**RUN, "idempotency_key": "k-1"}
    async with liar.agent(person=person, audit_log=log) as agent:
        assert (await agent.error("create_execution", **run))[1] == "unknown"
        liar.rows = lambda _: [created(body) for body in liar.created]
        found = await agent.read("create_execution", **run)
    assert "warning" not in found
    assert (len(liar.created), len(person.questions)) == (1, 1)
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", None), ("started", 3.5)]


@pytest.mark.parametrize("answer", [NO, DECLINE, CANCEL])
@pytest.mark.parametrize("mode", ERAS)
async def test_without_a_yes_nothing_is_sent(liar: Liar, mode: str, answer: Any) -> None:
    person = Person(answer)
    async with liar.agent(person=person, mode=mode) as agent:
        code, outcome = await agent.error("create_execution", **RUN)
    assert (code, outcome) == ("declined" if answer is NO else "not_approved", "nothing_created")
    assert len(person.questions) == 1
    assert liar.created == []


async def test_a_key_that_has_its_execution_asks_nobody_again(liar: Liar) -> None:
    person = Person()
    async with liar.agent(person=person) as agent:
        await agent.read("create_execution", **RUN, idempotency_key="k")
        (body,) = liar.created
        liar.rows = lambda _: [record(named(99), "Completed", None, metadata=body["metadata"])]
        again = await agent.read("create_execution", **RUN, idempotency_key="k")
        assert "existed already" in again["next_step"]
        assert "warning" not in again
    assert len(person.questions) == 1


async def test_of_two_calls_for_the_same_run_each_needs_a_yes_of_its_own(liar: Liar) -> None:
    person = Person(thinks=anyio.Event())
    answers: list[Answer] = []
    async with liar.agent(person=person, mode="legacy") as agent:

        async def create(key: str) -> None:
            answers.append(await agent.call("create_execution", {**RUN, "idempotency_key": key}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create, "one")
            tasks.start_soon(create, "two")
            await person.until_asked(1)
            await anyio.wait_all_tasks_blocked()
            assert person.thinks is not None
            person.thinks.set()
    # Whichever came too late to join the question asked one of its own.
    assert len(liar.created) == len(person.questions)
    for refused in answers:
        if refused.error:
            assert (refused.error.code, refused.error.outcome) == ("being_confirmed", "nothing_created")
            # It has no id yet.
            assert "get_execution" not in refused.text
    assert any(not answer.error for answer in answers)


async def described(agent: Agent, key: str) -> str:
    return str((await agent.read("describe_platform_tool", tool_key=key))["price"])


async def test_the_description_says_so_before_anything_is_sent(liar: Liar) -> None:
    async with liar.agent() as agent:
        told = await described(agent, "deeporigin.metabolism")
        assert "starts when it is created" in told
        assert "a person has approved it" in told
        liar.definition = {"key": "deeporigin.system-prep", "version": "1", "inputs": {}}
        assert "may start when it is created" in await described(agent, "deeporigin.system-prep")
        liar.definition = {"key": "deeporigin.docking", "version": "1", "inputs": {}}
        assert "created" not in await described(agent, "deeporigin.docking")
