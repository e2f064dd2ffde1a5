"""Once more, but different; and what something would cost, before anything is created."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    NICOTINE,
    PARACETAMOL,
    docking,
    price_of,
)

LOST = (CAFFEINE, NICOTINE)
"""Ligands of which a run kept no result, though nothing is wrong with them."""


async def _run_named(solver: Solver, name: str) -> str:
    rows = await solver.rows(tool_key=DOCKING)
    return next(str(row["execution_id"]) for row in rows if row["name"] == name)


# One ligand less


def _one_less(platform: Platform) -> Judge:
    molecules = (ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE, PARACETAMOL)
    first = platform.seed_run(
        DOCKING,
        docking(*molecules, effort=3),
        ago_seconds=DAY,
        tool_version="4.1.0",
        name="round two",
    )
    platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=HOUR, name="round three")

    def judge(answer: Answer) -> Iterator[str]:
        if len(platform.creates) != 1:
            yield f"one quote was wanted, there are {len(platform.creates)}"
            return
        old, new = platform.executions[first], platform.executions[platform.creates[0]]
        wanted = {**old.inputs, "ligands": [one for one in old.inputs["ligands"] if one["smiles"] != NICOTINE]}
        if (new.inputs, new.tool) != (wanted, old.tool):
            yield f"the same without nicotine was wanted, quoted were {new.tool} and {new.inputs}"
        if answer.number("usd") != price_of(platform, new.id):
            yield f"it costs {price_of(platform, new.id)} USD, told was {answer.number('usd')}"

    return judge


async def _without_nicotine(solver: Solver) -> dict[str, Any]:
    return await _again(solver)


async def _again(solver: Solver, **more: Any) -> dict[str, Any]:
    first = await _run_named(solver, "round two")
    quote = await solver.read("create_execution", like=first, inputs={"ligands": {NICOTINE: None}}, **more)
    return {"usd": quote["quoted_price"]}


async def _with_the_latest(solver: Solver) -> dict[str, Any]:
    return await _again(solver, tool_version="latest")


ONE_LIGAND_LESS = Task(
    id="one-ligand-less",
    prompt=f"What would my docking 'round two' cost again, exactly as it was, but without {NICOTINE}? Do not start it.",
    answer_form='{"usd": 0.0}',
    arrange=_one_less,
    reference=_without_nicotine,
    creates=1,
    mistakes=(Mistake("takes the latest version", _with_the_latest),),
)


# What failed


def _part_was_lost(platform: Platform) -> Judge:
    molecules = (ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE, PARACETAMOL)
    first = platform.seed_run(DOCKING, docking(*molecules, effort=2), ago_seconds=DAY, name="night run")
    run = platform.executions[first]
    run.imported = [(kind, data) for kind, data in run.found() if data.get("smiles") not in LOST]

    def judge(answer: Answer) -> Iterator[str]:
        if len(platform.creates) != 1:
            yield f"one run was wanted, there are {len(platform.creates)}"
            return
        new = platform.executions[platform.creates[0]]
        if new.inputs != {**run.inputs, "ligands": [{"smiles": smiles} for smiles in LOST]}:
            yield f"only {LOST} were to run again, these did: {new.inputs['ligands']}"
        if platform.confirms != [new.id]:
            yield "it was to be started"
        if answer.text("execution_id") != new.id:
            yield f"it is {new.id}, told was {answer.text('execution_id')}"

    return judge


async def _what_failed(solver: Solver) -> dict[str, Any]:
    first = await _run_named(solver, "night run")
    made = await solver.read("create_execution", like=first, inputs={"ligands": "missing"}, start=True)
    return {"execution_id": made["execution_id"]}


async def _everything(solver: Solver) -> dict[str, Any]:
    first = await _run_named(solver, "night run")
    made = await solver.read("create_execution", like=first, start=True)
    return {"execution_id": made["execution_id"]}


RERUN_WHAT_FAILED = Task(
    id="rerun-what-failed",
    prompt="Some ligands of my docking 'night run' got no poses. Run only those again, and start it: it may cost "
    "1 USD.",
    answer_form='{"execution_id": "of the new run"}',
    arrange=_part_was_lost,
    reference=_what_failed,
    environment={"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "1"},
    creates=1,
    starts=1,
    mistakes=(Mistake("runs everything again", _everything),),
)


# A price without a quote


def _docked_lately(platform: Platform) -> Judge:
    for count, molecules in enumerate(((ASPIRIN, CAFFEINE), (IBUPROFEN, NICOTINE, PARACETAMOL)), 1):
        platform.seed_run(DOCKING, docking(*molecules, effort=2 * count), ago_seconds=count * DAY, name=f"set {count}")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.number("usd") != 100:
            yield f"500 ligands cost 100 USD, told was {answer.number('usd')}"
        if answer.truth("effort_matters") is not False:
            yield "the effort has changed nothing"

    return judge


async def _from_runs(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="docking")
    price = (await solver.follow(found["next_step"]))["price"]
    (each,) = re.findall(r"^([\d.]+) USD per ligand", price)
    return {"usd": round(500 * float(each), 2), "effort_matters": "effort did not change it" not in price}


async def _by_a_quote(solver: Solver) -> dict[str, Any]:
    told = await _from_runs(solver)
    run = await _run_named(solver, "set 1")
    await solver.read("create_execution", like=run)
    return told


PRICE_WITHOUT_A_QUOTE = Task(
    id="price-without-a-quote",
    prompt="Roughly what would docking 500 ligands cost us, by what it cost us lately, and does the effort change "
    "that? Leave no quote behind.",
    answer_form='{"usd": 0.0, "effort_matters": true}',
    arrange=_docked_lately,
    reference=_from_runs,
    mistakes=(Mistake("leaves a quote behind", _by_a_quote),),
)

TASKS = (ONE_LIGAND_LESS, RERUN_WHAT_FAILED, PRICE_WITHOUT_A_QUOTE)
