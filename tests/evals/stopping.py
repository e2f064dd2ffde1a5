"""Cancelling exactly what was meant, and saying so where it cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import ABFE, ASPIRIN, DAY, DOCKING, HOUR, abfe, docking, library_docking

CANNOT_WORDS = (
    *("read-only", "read only", "only read", "no tool", "no cancel", "not offer", "not available", "permission"),
    *("cannot cancel", "can't cancel", "unable to cancel", "not able to cancel"),
)
"""What an explanation may say of a server that only reads."""


def _named(words: str) -> dict[str, Any]:
    return {"column": "name", "op": "icontains", "value": words}


def _many_pilots(platform: Platform) -> Judge:
    for hours, ligand, name in (
        (5, "lead1", "BRD4 pilot 1"),
        (3, "lead2", "BRD4 pilot 12"),
        (2.5, "lead3", "BRD4 pilot 2 (control)"),
        (2, "lead4", "BRD3 pilot 2"),
    ):
        platform.seed_run(ABFE, abfe(ligand), ago_seconds=hours * HOUR, name=name)
    platform.seed_run(ABFE, abfe("lead2"), ago_seconds=2 * DAY, name="BRD4 pilot 2")
    platform.seed_run(ABFE, abfe("lead2"), ago_seconds=0.5 * HOUR, name="BRD4 pilot 2", started=False)
    meant = platform.seed_run(ABFE, abfe("lead2"), ago_seconds=HOUR, name="BRD4 pilot 2")

    def judge(answer: Answer) -> Iterator[str]:
        if platform.cancels != [meant]:
            yield f"{meant} was to be cancelled and nothing else, cancelled were {platform.cancels}"
        if answer.text("cancelled") != meant:
            yield f"cancelled should name {meant}, told was {answer.text('cancelled')}"

    return judge


async def _cancel_the_running_one(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Running", filters=[_named("BRD4 pilot 2")])
    (row,) = [row for row in found["rows"] if row["name"] == "BRD4 pilot 2"]
    done = await solver.read("cancel_execution", execution_id=row["execution_id"])
    assert done["status"] == "Cancelled"
    return {"cancelled": done["execution_id"]}


async def _cancel_the_first_found(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Running", filters=[_named("pilot 2")])
    others = [row for row in found["rows"] if row["name"] != "BRD4 pilot 2"]
    await solver.read("cancel_execution", execution_id=others[0]["execution_id"])
    return {"cancelled": others[0]["execution_id"]}


async def _cancel_all_alike(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Running", filters=[_named("pilot 2")])
    for row in found["rows"]:
        await solver.read("cancel_execution", execution_id=row["execution_id"])
    return {"cancelled": next(row["execution_id"] for row in found["rows"] if row["name"] == "BRD4 pilot 2")}


CANCEL_ONE_OF_MANY = Task(
    id="cancel-one-of-many",
    prompt="Please stop the ABFE called 'BRD4 pilot 2' that is running, and nothing else.",
    answer_form='{"cancelled": "execution id"}',
    arrange=_many_pilots,
    reference=_cancel_the_running_one,
    cancels=1,
    mistakes=(
        Mistake("cancels one with a similar name", _cancel_the_first_found),
        Mistake("cancels all with a similar name", _cancel_all_alike),
    ),
)


def _one_running_elsewhere(platform: Platform) -> Judge:
    run = platform.seed_run(DOCKING, library_docking(900), ago_seconds=600, name="library plate 9")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.truth("cancelled") is not False:
            yield "nothing was cancelled, and the answer has to say so"
        if not answer.says("reason", *CANNOT_WORDS):
            yield "the reason is that this server only reads"
        if answer.text("execution_id") != run:
            yield f"the run is {run}, told was {answer.text('execution_id')}"

    return judge


async def _say_that_it_only_reads(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(status=["Running"])
    assert "cancel_execution" not in solver.inputs
    workspace = await solver.read("get_workspace")
    assert workspace["read_only"] is True
    return {"cancelled": False, "reason": "this server is read-only", "execution_id": row["execution_id"]}


async def _claim_it(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(status=["Running"])
    return {"cancelled": True, "reason": "", "execution_id": row["execution_id"]}


READ_ONLY = Task(
    id="read-only",
    prompt="Cancel 'library plate 9', it uses the wrong structure.",
    answer_form='{"cancelled": true, "reason": "if not", "execution_id": "…"}',
    arrange=_one_running_elsewhere,
    reference=_say_that_it_only_reads,
    environment={"DEEPORIGIN_MCP_READ_ONLY": "true"},
    mistakes=(Mistake("claims to have done it", _claim_it),),
)


def _one_that_is_over(platform: Platform) -> Judge:
    over = platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=HOUR, name="aspirin check")
    platform.seed_run(DOCKING, library_docking(900), ago_seconds=600, name="aspirin analogues")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("status") != "Completed":
            yield f"{over} is Completed, told was {answer.text('status')}"
        if answer.truth("cancelled") is not False:
            yield "it was over already, so nothing was cancelled"

    return judge


async def _find_it_over(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", filters=[_named("aspirin check")])
    (row,) = found["rows"]
    done = await solver.read("cancel_execution", execution_id=row["execution_id"])
    return {"cancelled": done["status"] == "Cancelled", "status": done["status"]}


async def _cancel_what_runs(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(status=["Running"])
    done = await solver.read("cancel_execution", execution_id=row["execution_id"])
    return {"cancelled": True, "status": done["status"]}


TOO_LATE = Task(
    id="too-late",
    prompt="Stop my docking 'aspirin check' before it costs more.",
    answer_form='{"cancelled": true, "status": "its status now"}',
    arrange=_one_that_is_over,
    reference=_find_it_over,
    mistakes=(Mistake("cancels another run instead", _cancel_what_runs),),
)

TASKS = (CANCEL_ONE_OF_MANY, READ_ONLY, TOO_LATE)
