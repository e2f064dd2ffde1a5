"""Doing a thing once: lost answers, broken sessions, and doing it again on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform, parse_fault
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.bench import calls_in_text
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    MOLPROPS,
    NICOTINE,
    PARACETAMOL,
    docking,
    molprops,
)


def _one_properties_run(platform: Platform, answer: Answer) -> Iterator[str]:
    if len(platform.creates) != 1:
        yield f"one execution was to be created, there are {len(platform.creates)}"
    elif answer.text("execution_id") != platform.creates[0]:
        yield f"it is {platform.creates[0]}, told was {answer.text('execution_id')}"


async def _properties(solver: Solver, **more: Any) -> dict[str, Any]:
    """Arguments of the run that these tasks ask for, as the answers teach them."""
    found = await solver.read("find_platform_tools", query="molecular properties")
    tool = await solver.follow(found["next_step"])
    inputs = {"ligands": [{"smiles": ASPIRIN}, {"smiles": CAFFEINE}], "molprops": ["logp", "tpsa"]}
    return {"tool_key": tool["tool_key"], "inputs": inputs, "start": True, **more}


def _an_answer_is_lost(platform: Platform) -> Judge:
    platform.faults.append(parse_fault("POST */executions status=504 html after=work times=1"))
    return lambda answer: _one_properties_run(platform, answer)


async def _create_once(solver: Solver) -> dict[str, Any]:
    made = await solver.read("create_execution", **await _properties(solver))
    return {"execution_id": made["execution_id"]}


async def _create_twice(solver: Solver) -> dict[str, Any]:
    await _create_once(solver)
    return await _create_once(solver)


PROPERTIES = f"Compute logP and TPSA of {ASPIRIN} and {CAFFEINE}, and start it."

LOST_ANSWER = Task(
    id="lost-answer",
    prompt=f"{PROPERTIES} The gateway has been flaky today, so make sure that it runs once only.",
    answer_form='{"execution_id": "…"}',
    arrange=_an_answer_is_lost,
    reference=_create_once,
    creates=1,
    starts=1,
    mistakes=(Mistake("creates another to be sure", _create_twice),),
)


def _answer_and_lists_are_lost(platform: Platform) -> Judge:
    platform.faults += [
        parse_fault("POST */executions status=504 html after=work times=1"),
        parse_fault("GET */tools/executions status=503 times=8"),
    ]
    return lambda answer: _one_properties_run(platform, answer)


async def _repeat_with_the_key(solver: Solver) -> dict[str, Any]:
    arguments = await _properties(solver)
    refusal = await solver.refused("create_execution", **arguments)
    arguments["idempotency_key"] = calls_in_text(refusal, "idempotency_key")
    await solver.pause(60)
    made = await solver.call("create_execution", arguments)
    while made.is_error:
        await solver.pause(60)
        made = await solver.call("create_execution", arguments)
    return {"execution_id": made.content["execution_id"]}


async def _repeat_without_the_key(solver: Solver) -> dict[str, Any]:
    arguments = await _properties(solver)
    await solver.refused("create_execution", **arguments)
    await solver.pause(60)
    made = await solver.read("create_execution", **arguments)
    return {"execution_id": made["execution_id"]}


OUTCOME_UNKNOWN = Task(
    id="outcome-unknown",
    prompt=f"{PROPERTIES} The whole platform has been flaky today, so make sure that it runs once only.",
    answer_form='{"execution_id": "…"}',
    arrange=_answer_and_lists_are_lost,
    reference=_repeat_with_the_key,
    creates=1,
    starts=1,
    mistakes=(Mistake("sends it again as if nothing had happened", _repeat_without_the_key),),
)


def _started_before_the_crash(platform: Platform) -> Judge:
    molecules = (ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE, PARACETAMOL)
    started = platform.seed_run(
        DOCKING, docking(*molecules, effort=5), ago_seconds=90, name="five painkillers", session="s-before"
    )
    platform.seed_run(DOCKING, docking(*molecules), ago_seconds=DAY, name="five painkillers", started=False)

    def judge(answer: Answer) -> Iterator[str]:
        if answer.truth("started") is not True:
            yield "it did start"
        if answer.text("execution_id") != started:
            yield f"it is {started}, told was {answer.text('execution_id')}"

    return judge


async def _look_first(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(created_after=solver.ago(hours=1))
    (row,) = [row for row in rows if row["name"] == "five painkillers"]
    return {"started": row["status"] != "Quoted", "execution_id": row["execution_id"]}


async def _start_the_old_quote(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(status=["Quoted"])
    started = await solver.read("confirm_execution", execution_id=row["execution_id"])
    return {"started": True, "execution_id": started["execution_id"]}


async def _submit_again(solver: Solver) -> dict[str, Any]:
    inputs = docking(ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE, PARACETAMOL, effort=5)
    made = await solver.read("create_execution", tool_key=DOCKING, inputs=inputs, start=True)
    return {"started": True, "execution_id": made["execution_id"]}


DID_IT_START = Task(
    id="did-it-start",
    prompt=(
        "A minute ago I asked another chat to dock 'five painkillers', then it crashed. Did the docking start? Start "
        "it only if it did not."
    ),
    answer_form='{"started": true, "execution_id": "…"}',
    arrange=_started_before_the_crash,
    reference=_look_first,
    environment={"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "100"},
    mistakes=(
        Mistake("starts an old quote of the same name", _start_the_old_quote),
        Mistake("submits it a second time", _submit_again),
    ),
)


def _to_be_repeated(platform: Platform) -> Judge:
    first = platform.seed_run(
        MOLPROPS,
        molprops(ASPIRIN, NICOTINE) | {"molprops": ["logp", "logs", "tpsa"]},
        ago_seconds=2 * HOUR,
        tool_version="1.9.0",
        name="benchmark set",
    )
    platform.seed_run(MOLPROPS, molprops(CAFFEINE), ago_seconds=HOUR, name="another set")

    def judge(answer: Answer) -> Iterator[str]:
        old = platform.executions[first]
        if len(platform.creates) != 1:
            yield f"one new execution was to be created, there are {len(platform.creates)}"
            return
        new = platform.executions[platform.creates[0]]
        if (new.inputs, new.tool) != (old.inputs, old.tool):
            yield f"the new one has {new.tool} and {new.inputs}, the old one {old.tool} and {old.inputs}"
        if new.status != "Completed":
            yield f"the new one is {new.status}, not Completed"
        if answer.text("execution_id") != new.id:
            yield f"the new one is {new.id}, told was {answer.text('execution_id')}"

    return judge


async def _repeat_exactly(solver: Solver) -> dict[str, Any]:
    return await _repeated(solver)


async def _repeated(solver: Solver, **more: Any) -> dict[str, Any]:
    condition = {"column": "name", "op": "icontains", "value": "benchmark set"}
    (row,) = (await solver.read("search_executions", filters=[condition]))["rows"]
    made = await solver.read(
        "create_execution", like=row["execution_id"], name="benchmark set, again", start=True, **more
    )
    return {"execution_id": made["execution_id"]}


async def _repeat_with_the_latest(solver: Solver) -> dict[str, Any]:
    return await _repeated(solver, tool_version="latest")


RUN_AGAIN = Task(
    id="run-again",
    prompt="Run 'benchmark set' again, exactly as it was, same version and all. It is free, so just start it.",
    answer_form='{"execution_id": "of the new run"}',
    arrange=_to_be_repeated,
    reference=_repeat_exactly,
    creates=1,
    starts=1,
    mistakes=(Mistake("takes the latest version", _repeat_with_the_latest),),
)

TASKS = (LOST_ANSWER, OUTCOME_UNKNOWN, DID_IT_START, RUN_AGAIN)
