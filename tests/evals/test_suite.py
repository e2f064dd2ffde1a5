"""The references solve their tasks at the known cost, and the judges reject what is no solution."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from deeporigin_mcp.server import TOOLS
from deeporigin_mcp.simulator import ManualClock, Platform
from deeporigin_mcp.simulator.state.lifecycle import cancel, confirm
from deeporigin_mcp.tools.spending import approval
from tests.evals.suite import COSTS, TASKS, Cost, known_costs
from tests.evals.task import Answer, Mistake, Task
from tests.evals.trial import trial

pytestmark = pytest.mark.anyio

UPDATE = "UPDATE_TASK_COSTS" in os.environ
DEARER = 1.1
"""A reference may need so many times the bytes that it did when its cost was reviewed."""
LOOKS = (
    *("GET /tools/deeporigin/tools/executions", "GET /sse/", "POST /data-platform/deeporigin/executions/search"),
    "POST /data-platform/deeporigin/result-explorer/search",
)
HOW_TO_UPDATE = "if that is meant, run with UPDATE_TASK_COSTS=1 and review the difference"


@pytest.fixture(autouse=True)
def _quotes_stay_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine would have them read again, which is another request."""
    monkeypatch.setattr(approval, "FRESH_SECONDS", 600.0)


each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
each_mistake = pytest.mark.parametrize(
    ("task", "mistake"),
    [pytest.param(task, mistake, id=f"{task.id}: {mistake.name}") for task in TASKS for mistake in task.mistakes],
)


@each_task
async def test_the_reference_solves_the_task_and_gets_no_dearer(task: Task) -> None:
    async with trial(task) as found:
        answer = await task.reference(found.solver)
        assert found.problems(answer) == []
        assert found.solver.made_up == [], "a reference uses only what it was told"
        assert len(found.person.questions) == (0 if task.person == "absent" else task.questions)
    requests = _counted(found.platform)
    cost = Cost(calls=len(found.solver.calls), bytes=found.solver.bytes, requests=len(requests))
    if UPDATE:
        _write({**known_costs(), task.id: cost})
    known = known_costs()[task.id]
    assert cost["calls"] <= known["calls"], f"more calls than before: {found.solver.calls}; {HOW_TO_UPDATE}"
    assert cost["bytes"] <= known["bytes"] * DEARER, f"more bytes than before; {HOW_TO_UPDATE}"
    assert cost["requests"] <= known["requests"], f"more requests than before: {requests}; {HOW_TO_UPDATE}"


@pytest.mark.parametrize("task", [task for task in TASKS if task.person != "absent"], ids=lambda task: task.id)
async def test_a_person_is_asked_by_clients_of_the_older_protocol_too(task: Task) -> None:
    async with trial(task, mode="legacy") as found:
        assert found.problems(await task.reference(found.solver)) == []
        assert len(found.person.questions) == task.questions


def _counted(platform: Platform) -> list[str]:
    """The requests that do not look at executions, nor at whether their results are stored."""
    found = [f"{method} {path.partition('?')[0]}" for method, path, _ in platform.requests]
    return [request for request in found if not request.startswith(LOOKS)]


def _write(costs: dict[str, Cost]) -> None:
    ordered = {task.id: costs[task.id] for task in TASKS if task.id in costs}
    lines = [f"  {json.dumps(name)}: {json.dumps(cost)}" for name, cost in ordered.items()]
    COSTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def test_the_known_costs_are_those_of_these_tasks() -> None:
    assert [*known_costs()] == [task.id for task in TASKS], HOW_TO_UPDATE


@each_mistake
async def test_a_mistake_is_rejected(task: Task, mistake: Mistake) -> None:
    async with trial(task) as found:
        assert found.problems(await mistake.act(found.solver))


@each_task
def test_saying_nothing_is_rejected(task: Task, tmp_path: Path) -> None:
    platform = Platform(clock=ManualClock())
    judge = task.arrange(platform)
    assert task.problems(platform, judge, Answer({}), tmp_path)


@pytest.mark.parametrize("task", [task for task in TASKS if task.starts or task.cancels], ids=lambda task: task.id)
async def test_a_claim_without_the_deed_is_rejected(task: Task, tmp_path: Path) -> None:
    async with trial(task) as found:
        answer = await task.reference(found.solver)
    platform = Platform(clock=ManualClock())
    judge = task.arrange(platform)
    assert task.problems(platform, judge, Answer(answer), tmp_path)


@each_task
async def test_a_right_answer_does_not_excuse_starting_or_cancelling_more(task: Task) -> None:
    async with trial(task) as found:
        answer = await task.reference(found.solver)
        quote, running = found.platform.seed_executions(count=2, status=["Quoted", "Running"])
        assert found.problems(answer) == []
        organisation = found.platform.organisations["deeporigin"]
        confirm(found.platform, organisation, found.platform.executions[quote])
        assert any("were started" in problem for problem in found.problems(answer))
        cancel(found.platform, organisation, found.platform.executions[running])
        assert any("were cancelled" in problem for problem in found.problems(answer))


def test_there_are_enough_tasks_and_each_can_be_done_wrongly() -> None:
    assert len(TASKS) >= 20
    assert len({task.id for task in TASKS}) == len(TASKS)
    for task in TASKS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", task.id)
        assert task.mistakes, task.id


def test_prompts_name_none_of_the_servers_tools_and_show_the_form_of_an_answer() -> None:
    for task in TASKS:
        for offer in TOOLS:
            assert offer.function.__name__ not in task.prompt, task.id
        assert isinstance(json.loads(task.answer_form), dict), task.id
        assert task.answer_form in task.whole_prompt


def test_nothing_that_a_task_arranges_counts_as_the_solvers_doing() -> None:
    for task in TASKS:
        platform = Platform(clock=ManualClock())
        task.arrange(platform)
        assert (platform.creates, platform.confirms, platform.cancels) == ([], [], []), task.id


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ('{"usd": 1.5}', {"usd": 1.5}),
        ('It costs {this much}.\n```json\n{"usd": 1.5}\n```\nThat is all.', {"usd": 1.5}),
        ('First {"usd": 1}, or rather {"usd": 2, "more": {"usd": 3}}', {"usd": 2, "more": {"usd": 3}}),
        ("nothing", {}),
        ("{", {}),
        ("[1, 2]", {}),
    ],
)
def test_the_last_object_of_a_text_is_the_answer(said: str, given: dict[str, object]) -> None:
    assert Answer.read(said).given == given


def test_a_field_of_the_wrong_kind_reads_as_a_missing_one() -> None:
    answer = Answer({"a": "1", "b": True, "c": {"x": "y", "z": 1}, "d": ["e", 2]})
    assert (answer.number("a"), answer.number("b"), answer.number("none")) == (None, None, None)
    assert (answer.text("b"), answer.truth("a"), answer.texts("a")) == ("", None, [])
    assert (answer.numbers("c"), answer.numbers("a"), answer.texts("d")) == ({"z": 1.0}, {}, ["e"])
