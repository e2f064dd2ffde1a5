"""A creation happens once, whatever becomes of its answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from deeporigin_mcp import server
from deeporigin_mcp.tools.executions import create_execution as creation
from deeporigin_mcp.tools.executions import idempotency
from deeporigin_mcp.tools.runtime import state
from tests.support.bench import FREE, PROJECT, Agent, Answer, Bench, calls_in_text, docking

pytestmark = pytest.mark.anyio

LOST_ANSWERS = ("reset", "status=504 html", "status=502", "status=503", "status=500", "half")


async def until_it_waits(bench: Bench, requests: int = 1) -> None:
    """Until the platform has requests that a fault delays: time that passes before that does not end the delay."""
    assert await anyio.to_thread.run_sync(bench.clock.wait_for_waiters, requests)


async def at_once(agent: Agent, *calls: dict[str, Any]) -> list[Answer]:
    answers: list[Answer] = []

    async def create(arguments: dict[str, Any]) -> None:
        answers.append(await agent.call("create_execution", arguments))

    async with anyio.create_task_group() as tasks:
        for arguments in calls:
            tasks.start_soon(create, arguments)
    return answers


async def test_the_same_key_gives_the_same_execution(agent: Agent, bench: Bench) -> None:
    first = await agent.read("create_execution", **docking(), idempotency_key="k")
    again = await agent.read("create_execution", **docking(), idempotency_key="k", name="another name is no other run")
    assert again["execution_id"] == first["execution_id"]
    assert again["next_step"] != first["next_step"], "that it is no new one"
    assert len(bench.platform.creates) == 1


async def test_the_same_key_still_finds_its_execution_when_it_is_over(bench: Bench) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        first = await agent.read("create_execution", **docking(), idempotency_key="k", start=True)
        await agent.follow_to_the_end(first["next_step"])
        again = await agent.read("create_execution", **docking(), idempotency_key="k", start=True)
    assert (again["execution_id"], again["status"]) == (first["execution_id"], "Completed")
    assert len(bench.platform.confirms) == 1


async def test_another_server_finds_the_execution_of_a_key_too(bench: Bench) -> None:
    async with bench.agent() as agent:
        first = await agent.read("create_execution", **docking(), idempotency_key="k")
    async with bench.agent(session="restarted") as agent:
        again = await agent.read("create_execution", **docking(), idempotency_key="k")
    assert again["execution_id"] == first["execution_id"]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers as they are over HTTP, where a caller's next call may reach another process."""
    monkeypatch.setattr(server, "open_state", functools.partial(state.open_state, has_peers=True))


async def test_over_stdio_nobody_else_has_the_key_so_one_search_is_enough(agent: Agent, bench: Bench) -> None:
    await agent.read("create_execution", **docking(), idempotency_key="k")
    assert len(bench.sent("GET", "/tools/executions?")) == 1


@pytest.mark.usefixtures("peers")
@pytest.mark.parametrize("hurried", [True, False])
async def test_two_servers_asked_with_one_key_at_once_start_one_execution(bench: Bench, hurried: bool) -> None:
    bench.fault("POST */executions delay=30 times=1")
    bench.fault("POST */executions delay=90 times=1")
    answers: list[dict[str, Any]] = []

    async def create(agent: Agent) -> None:
        answers.append(await agent.read("create_execution", **docking(), idempotency_key="k", start=True))

    async def until(condition: Callable[[], bool]) -> None:
        with anyio.fail_after(60):
            while not condition():
                await anyio.to_thread.run_sync(lambda: None)

    async with (
        bench.agent(auto_approve_up_to=1) as one,
        bench.agent(auto_approve_up_to=1, session="another worker") as other,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(create, one)
        await until(lambda: bench.platform.faults[0].fired == 1)
        tasks.start_soon(create, other)
        await until_it_waits(bench, 2)
        bench.clock.advance(30)
        await until(lambda: len(bench.platform.creates) == 1)
        if not hurried:
            await until(lambda: len(answers) == 1)
        bench.clock.advance(60)
    first, second = bench.platform.creates
    assert [answer["execution_id"] for answer in answers] == [first, first]
    assert bench.platform.confirms == [first]
    assert any(second in answer["next_step"] for answer in answers)


@pytest.mark.usefixtures("peers")
async def test_a_failed_search_for_others_hides_no_execution(agent: Agent, bench: Bench) -> None:
    bench.fault("GET */executions status=503 skip=1")
    found = await agent.read("create_execution", **docking(), idempotency_key="k")
    assert bench.platform.creates == [found["execution_id"]]


@pytest.mark.parametrize("changed", [{"inputs": docking("CCN")["inputs"]}, {"tool_version": "4"}, {"sync": True}])
async def test_the_same_key_for_another_run_is_refused(agent: Agent, bench: Bench, changed: dict[str, Any]) -> None:
    first = await agent.read("create_execution", **docking(), idempotency_key="k")
    answer = await agent.call("create_execution", {**docking(), **changed, "idempotency_key": "k"})
    assert answer.error == ("key_in_use", "nothing_created")
    assert first["execution_id"] in answer.text
    assert len(bench.platform.creates) == 1


async def test_the_same_key_for_another_tool_is_refused(agent: Agent, bench: Bench) -> None:
    first = await agent.read("create_execution", **docking(), idempotency_key="k")
    answer = await agent.call("create_execution", {**FREE, "idempotency_key": "k"})
    assert answer.error == ("key_in_use", "nothing_created")
    assert first["execution_id"] in answer.text
    assert len(bench.platform.creates) == 1


async def test_the_same_key_for_another_project_is_refused(bench: Bench) -> None:
    async with bench.agent(project_id="") as agent:
        await agent.read("create_execution", **docking(), idempotency_key="k", project_id=PROJECT)
        other = docking() | {"idempotency_key": "k", "project_id": "09DEMAGPCR002"}
        assert await agent.error("create_execution", **other) == ("key_in_use", "nothing_created")
    assert len(bench.platform.creates) == 1


async def test_without_a_key_each_call_is_a_new_execution(agent: Agent, bench: Bench) -> None:
    names = {(await agent.read("create_execution", **docking()))["execution_id"] for _ in range(3)}
    assert len(names) == len(bench.platform.creates) == 3


async def test_concurrent_calls_with_one_key_create_once(agent: Agent, bench: Bench) -> None:
    answers = await at_once(agent, *[{**docking(), "idempotency_key": "k"}] * 5)
    assert {answer.content["execution_id"] for answer in answers} == set(bench.platform.creates)
    assert len(bench.platform.creates) == 1


async def test_concurrent_calls_with_different_keys_do_not_wait_for_each_other(agent: Agent, bench: Bench) -> None:
    answers = await at_once(agent, *[{**docking(), "idempotency_key": f"k{number}"} for number in range(4)])
    assert len({answer.content["execution_id"] for answer in answers}) == len(bench.platform.creates) == 4


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}])
@pytest.mark.parametrize("effect", LOST_ANSWERS)
async def test_an_execution_whose_response_was_lost_is_found(
    agent: Agent, bench: Bench, effect: str, key: dict[str, str]
) -> None:
    bench.fault(f"POST */executions {effect} after=work times=1")
    found = await agent.read("create_execution", **docking(), **key)
    assert bench.platform.creates == [found["execution_id"]]
    assert found["status"] == "Quoted"


@pytest.mark.parametrize("effect", LOST_ANSWERS[:-1])
async def test_a_request_that_was_lost_is_reported_as_unknown_and_the_next_call_creates_one(
    agent: Agent, bench: Bench, effect: str
) -> None:
    bench.fault(f"POST */executions {effect} times=1")
    answer = await agent.call("create_execution", docking())
    assert answer.error == ("outcome_unknown", "unknown")
    assert not bench.platform.creates
    key = calls_in_text(answer.text, "idempotency_key")
    first = await agent.read("create_execution", **docking(), idempotency_key=key)
    again = await agent.read("create_execution", **docking(), idempotency_key=key)
    assert bench.platform.creates == [first["execution_id"]] == [again["execution_id"]]


async def test_an_execution_that_shows_up_late_is_found_by_the_next_call(agent: Agent, bench: Bench) -> None:
    bench.fault("POST */executions reset after=work times=1")
    bench.fault("GET */executions status=503 times=4")
    message = await agent.refused("create_execution", **docking())
    assert len(bench.platform.creates) == 1
    found = await agent.read("create_execution", **docking(), idempotency_key=calls_in_text(message, "idempotency_key"))
    assert bench.platform.creates == [found["execution_id"]]


async def test_a_key_that_cannot_be_looked_up_creates_nothing(agent: Agent, bench: Bench) -> None:
    bench.fault("GET */executions status=503")
    answer = await agent.call("create_execution", {**docking(), "idempotency_key": "k"})
    assert answer.error == ("platform_failed", "nothing_created")
    assert calls_in_text(answer.text, "idempotency_key") == "k"
    assert not bench.sent("POST", "/executions")


async def test_a_request_that_never_left_is_no_mystery(agent: Agent, bench: Bench) -> None:
    bench.fault("POST */executions status=400 times=1")
    assert await agent.error("create_execution", **docking()) == ("invalid_request", "nothing_created")
    assert (await agent.read("create_execution", **docking()))["status"] == "Quoted"


async def test_a_creation_that_outlasts_its_call_is_found_by_the_next(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", 0.05)
    bench.fault("POST */executions delay=300 times=1")
    answer = await agent.call("create_execution", docking())
    assert answer.error == ("outcome_unknown", "unknown")
    await until_it_waits(bench)
    bench.clock.advance(301)
    monkeypatch.undo()
    key = calls_in_text(answer.text, "idempotency_key")
    while not bench.platform.creates:
        await anyio.lowlevel.checkpoint()
    found = await agent.read("create_execution", **docking(), idempotency_key=key)
    assert bench.platform.creates == [found["execution_id"]]


async def test_an_old_key_is_free_again_after_a_week(agent: Agent, bench: Bench) -> None:
    first = await agent.read("create_execution", **docking(), idempotency_key="k")
    bench.clock.advance(8 * 24 * 3600)
    second = await agent.read("create_execution", **docking(), idempotency_key="k")
    assert bench.platform.creates == [first["execution_id"], second["execution_id"]]


async def test_a_creation_that_still_goes_on_is_joined_by_the_next_call_and_not_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", 0.05)
    bench.fault("POST */executions delay=30 times=1")
    async with bench.agent() as agent:
        for _ in range(2):
            found = await agent.error("create_execution", **docking(), idempotency_key="k")
            assert found == ("outcome_unknown", "unknown")
        other = await agent.error("create_execution", **docking("CCC", "CCCC"), idempotency_key="k")
        assert other == ("key_in_use", "nothing_created")
        await until_it_waits(bench)
        bench.clock.advance(60)
        monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", 60)
        joined = await agent.read("create_execution", **docking(), idempotency_key="k")
    assert bench.platform.creates == [joined["execution_id"]]


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole call of creating may last so long."""
    monkeypatch.setattr(creation, "CALL_SECONDS", creation.RESPONSE_SECONDS / 2 + 0.5)


@pytest.mark.usefixtures("half_a_second")
@pytest.mark.parametrize("path", ["*/definitions", "*/executions"])
async def test_a_platform_too_slow_for_the_checks_is_a_timeout_and_nothing_was_created(
    agent: Agent, bench: Bench, path: str
) -> None:
    bench.fault(f"GET {path} delay=300")
    answer = await agent.call("create_execution", {**docking(), "idempotency_key": "k"})
    assert answer.error == ("platform_failed", "nothing_created")
    assert calls_in_text(answer.text, "idempotency_key") == "k"
    assert not bench.sent("POST", "/executions")


async def test_a_call_to_be_corrected_keeps_its_key(agent: Agent) -> None:
    wrong = docking() | {"tool_key": "deeporigin.dockin", "idempotency_key": "k"}
    answer = await agent.call("create_execution", wrong)
    assert answer.error == ("not_found", "nothing_created")
    assert calls_in_text(answer.text, "idempotency_key") == "k"


async def test_the_fresh_key_is_named_wherever_the_call_runs_out_of_time(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "CALL_SECONDS", 25.0)
    bench.fault("POST */executions delay=300 times=1")
    async with bench.time_up(26):
        answer = await agent.call("create_execution", docking())
    assert answer.error == ("outcome_unknown", "unknown")
    message = answer.text
    bench.clock.advance(301)
    while not bench.platform.creates:
        await anyio.lowlevel.checkpoint()
    found = await agent.read("create_execution", **docking(), idempotency_key=calls_in_text(message, "idempotency_key"))
    assert bench.platform.creates == [found["execution_id"]]
