"""Completed runs that lack results: of which molecules, why, and at which step they were lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    METAL_WORDS,
    NICOTINE,
    OXALIPLATIN,
    PARACETAMOL,
    UNREADABLE,
    docking,
)


def _series(platform: Platform, *smiles: str, prefix: str) -> list[dict[str, str]]:
    """Ligands as inputs want them: those that the platform could read have an id, under which it knows the name."""
    ligands = []
    for number, text in enumerate(smiles, 1):
        known = {}
        if text != UNREADABLE:
            known["id"] = platform.seed_entity("ligands", name=f"{prefix}-{number:03}", smiles=text)
        ligands.append({**known, "smiles": text})
    return ligands


async def _run_of(solver: Solver, name: str) -> dict[str, Any]:
    (row,) = await solver.rows(name_contains=name)
    return await solver.read("get_execution", execution_id=row["execution_id"])


# Twelve went in


TWELVE = (
    *(ASPIRIN, CAFFEINE, "CCOc1ccccc1", IBUPROFEN, CISPLATIN, NICOTINE),
    *(PARACETAMOL, "OCCN", UNREADABLE, "CCCCN", OXALIPLATIN, "NCc1ccccc1"),
)


def _twelve(platform: Platform) -> Judge:
    run = {**docking(), "ligands": _series(platform, *TWELVE, prefix="KX")}
    platform.seed_run(DOCKING, run, ago_seconds=4 * HOUR, name="KX series, round 2")
    first = {**docking(), "ligands": _series(platform, *TWELVE[:4], OXALIPLATIN, prefix="KY")}
    platform.seed_run(DOCKING, first, ago_seconds=2 * DAY, name="KY series, round 1")
    truth = {"KX-005", "KX-011", UNREADABLE}

    def judge(answer: Answer) -> Iterator[str]:
        if set(answer.texts("missing")) != truth:
            yield f"missing are {sorted(truth)}, told was {answer.texts('missing')}"
        if not answer.says("reasons", *METAL_WORDS):
            yield "two of them hold a metal without force-field parameters"
        if not answer.says("reasons", "parenthes", "bracket", "SMILES"):
            yield "the SMILES of one of them cannot be read"

    return judge


async def _as_told(solver: Solver) -> dict[str, Any]:
    run = await _run_of(solver, "KX series")
    return {
        "missing": [row["name"] for row in run["missing"]],
        "reasons": "; ".join(row["reason"] for row in run["missing"]),
    }


async def _as_the_log_numbers_them(solver: Solver) -> dict[str, Any]:
    run = await _run_of(solver, "KX series")
    logs = await solver.read("get_execution_logs", execution_id=run["execution_id"], level="warning")
    lines = [row["message"] for row in logs["rows"]]
    return {"missing": [line.partition(":")[0] for line in lines], "reasons": "; ".join(lines)}


async def _of_the_other_series(solver: Solver) -> dict[str, Any]:
    run = await _run_of(solver, "KY series")
    return {
        "missing": [row["name"] for row in run["missing"]],
        "reasons": "; ".join(row["reason"] for row in run["missing"]),
    }


async def _nothing_is_missing(solver: Solver) -> dict[str, Any]:
    run = await _run_of(solver, "KX series")
    return {"missing": [], "reasons": f"none: it is {run['status']}"}


TWELVE_WENT_IN = Task(
    id="twelve-went-in",
    prompt=(
        "I docked twelve compounds in 'KX series, round 2'. Which of them have no result, by the names that I gave "
        "them (or the SMILES of one without a name), and why?"
    ),
    answer_form='{"missing": ["name or SMILES"], "reasons": "…"}',
    arrange=_twelve,
    reference=_as_told,
    mistakes=(
        Mistake("gives the numbers of the log for names", _as_the_log_numbers_them),
        Mistake("looks at another series", _of_the_other_series),
        Mistake("believes the status Completed", _nothing_is_missing),
    ),
)


# One batch failed


def _batches(platform: Platform) -> Judge:
    plate = (ASPIRIN, CAFFEINE, CISPLATIN, IBUPROFEN, NICOTINE, PARACETAMOL, OXALIPLATIN, CISPLATIN, "CCOc1ccccc1")
    run = {**docking(), "ligands": _series(platform, *plate, prefix="PL")}
    platform.seed_run(DOCKING, run, ago_seconds=6 * HOUR, name="plate 14", batchSize=2)
    whole = {**docking(), "ligands": _series(platform, *plate[:2], prefix="PM")}
    platform.seed_run(DOCKING, whole, ago_seconds=5 * HOUR, name="plate 15", batchSize=2)

    def judge(answer: Answer) -> Iterator[str]:
        if "dock-3" not in answer.text("step"):
            yield f"dock-3 failed, told was {answer.text('step')!r}"
        if set(answer.texts("without_result")) != {"PL-003", "PL-007", "PL-008"}:
            yield f"PL-003, PL-007 and PL-008 have no result, told was {answer.texts('without_result')}"

    return judge


async def _step_and_names(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(name_contains="plate 14")
    waited = await solver.read("wait_executions", execution_ids=[row["execution_id"]])
    (run,) = waited["executions"]
    return {"step": run["failed_parts"], "without_result": [one["name"] for one in run["missing"]]}


async def _only_the_batch(solver: Solver) -> dict[str, Any]:
    told = await _step_and_names(solver)
    return {**told, "without_result": told["without_result"][1:]}


async def _the_last_step(solver: Solver) -> dict[str, Any]:
    return {**await _step_and_names(solver), "step": "collect-poses"}


ONE_BATCH_FAILED = Task(
    id="one-batch-failed",
    prompt=(
        "'plate 14' was docked in batches. A step of it failed although the run is completed: which one? And which of "
        "my compounds have no result (their names)?"
    ),
    answer_form='{"step": "…", "without_result": ["name"]}',
    arrange=_batches,
    reference=_step_and_names,
    mistakes=(
        Mistake("takes the failed batch for all that is missing", _only_the_batch),
        Mistake("takes the last step for the failed one", _the_last_step),
    ),
)

TASKS = (TWELVE_WENT_IN, ONE_BATCH_FAILED)
