"""Following runs: what is running, waiting for several, waiting for long, and runs that lists do not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ABFE,
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    METAL_WORDS,
    MINUTE,
    MOLPROPS,
    NICOTINE,
    abfe,
    docking,
    library_docking,
    molprops,
)

TOLERANCE_POINTS = 15
"""Percent by which a progress may differ from the truth: runs go on while an answer is written."""


def _three_running(platform: Platform) -> Judge:
    running = [
        platform.seed_run(ABFE, abfe("lead7"), ago_seconds=2 * HOUR, name="BRD4 lead 7 ABFE"),
        platform.seed_run(ABFE, abfe("lead9"), ago_seconds=HOUR, name="BRD4 lead 9 ABFE"),
        platform.seed_run(DOCKING, library_docking(400), ago_seconds=10 * MINUTE, name="library plate 3"),
    ]
    platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, name="library plate 2")
    platform.seed_run(DOCKING, library_docking(90), ago_seconds=5 * MINUTE, name="library plate 4", started=False)
    platform.seed_executions(status="Queued", name="library plate 5")

    def judge(answer: Answer) -> Iterator[str]:
        told = {row.get("execution_id"): row for row in answer.entries("runs") if isinstance(row, dict)}
        if set(told) != set(running):
            yield f"running are {running}, told were {sorted(map(str, told))}"
        for execution_id in running:
            line = platform.executions[execution_id].timeline
            assert line is not None
            truth = 100 * line.share_at(platform.clock.now())
            percent = Answer(told.get(execution_id, {})).number("progress_percent")
            if percent is None or abs(percent - truth) > TOLERANCE_POINTS:
                yield f"{execution_id} is at {truth:g} %, told was {percent}"

    return judge


async def _list_the_running(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(status=["Running"])
    runs = []
    for row in rows:
        # Lists know no progress of free energies.
        known = (
            row if "progress_percent" in row else await solver.read("get_execution", execution_id=row["execution_id"])
        )
        runs.append({"execution_id": row["execution_id"], "progress_percent": known["progress_percent"]})
    return {"runs": runs}


async def _list_all_unfinished(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(status=["Running", "Queued", "Quoted"])
    return {
        "runs": [
            {"execution_id": row["execution_id"], "progress_percent": row.get("progress_percent", 0)} for row in rows
        ]
    }


async def _guess_the_progress(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(status=["Running"])
    return {"runs": [{"execution_id": row["execution_id"], "progress_percent": 99} for row in rows]}


RUNNING_NOW = Task(
    id="running-now",
    prompt="Which of our runs are running right now, and how far is each? Leave out what only waits or is only quoted.",
    answer_form='{"runs": [{"execution_id": "…", "progress_percent": 12.5}]}',
    arrange=_three_running,
    reference=_list_the_running,
    mistakes=(
        Mistake("counts queued and quoted runs as running", _list_all_unfinished),
        Mistake("makes the progress up", _guess_the_progress),
    ),
)


def _three_plates(platform: Platform) -> Judge:
    plates = {"plate A": (ASPIRIN, CAFFEINE), "plate B": (CISPLATIN,), "plate C": (IBUPROFEN, NICOTINE)}
    ids = {
        name: platform.seed_run(DOCKING, docking(*smiles), ago_seconds=8, name=name) for name, smiles in plates.items()
    }
    platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=3 * DAY, name="plate B, first try")

    def judge(answer: Answer) -> Iterator[str]:
        unfinished = [name for name, execution_id in ids.items() if not platform.executions[execution_id].is_terminal]
        if unfinished:
            yield f"{', '.join(unfinished)} had not ended when the answer was given"
        if answer.texts("failed") != [ids["plate B"]]:
            yield f"failed has {ids['plate B']}, told was {answer.texts('failed')}"
        if not answer.says("reason", *METAL_WORDS):
            yield "the reason is a ligand with platinum, for which there are no force-field parameters"

    return judge


async def _wait_for_the_plates(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(created_after=solver.ago(hours=1))
    wanted = [row["execution_id"] for row in rows if row["name"].startswith("plate")]
    found = await solver.read("wait_executions", execution_ids=wanted)
    seen = list(found["executions"])
    while not found["all_done"]:
        # The next wait is only for those that have not ended.
        found = await solver.follow(found["next_step"])
        seen += found["executions"]
    failed = [row for row in seen if row["status"] == "Failed"]
    return {
        "failed": [row["execution_id"] for row in failed],
        "reason": "; ".join(row["status_reason"] for row in failed),
    }


async def _answer_at_the_first_end(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(created_after=solver.ago(hours=1))
    wanted = [row["execution_id"] for row in rows]
    found = await solver.read("wait_executions", execution_ids=wanted, until="any")
    failed = [row for row in found["executions"] if row["status"] == "Failed"]
    return {"failed": [row["execution_id"] for row in failed], "reason": failed[0]["status_reason"]}


async def _read_the_old_try(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows(status=["Failed"])
    return {"failed": [row["execution_id"]], "reason": row["status_reason"]}


WAIT_FOR_SET = Task(
    id="wait-for-set",
    prompt="I started dockings for plates A, B and C just now. Wait until all three have ended. Did any fail, and why?",
    answer_form='{"failed": ["execution id"], "reason": "…"}',
    arrange=_three_plates,
    reference=_wait_for_the_plates,
    mistakes=(
        Mistake("does not wait for the slower ones", _answer_at_the_first_end),
        Mistake("takes an older failure for the one meant", _read_the_old_try),
    ),
)


def _long_run(platform: Platform) -> Judge:
    inputs = abfe("lead7", binding={"test_run": 1})
    run = platform.seed_run(ABFE, inputs, ago_seconds=8 * MINUTE, name="lead 7 ABFE, short test")
    platform.seed_run(ABFE, abfe("lead5", binding={"test_run": 1}), ago_seconds=DAY, name="lead 5 ABFE, short test")

    def judge(answer: Answer) -> Iterator[str]:
        found = dict(platform.executions[run].found())
        if not found:
            yield "it had not ended when the answer was given"
        elif (told := answer.number("dG")) is None or abs(told - found["abferesult"]["dG"]) > 0.005:
            yield f"dG is {found['abferesult']['dG']} kcal/mol, told was {answer.number('dG')}"

    return judge


async def _wait_through_deadlines(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", filters=[{"column": "name", "op": "icontains", "value": "lead 7"}])
    waited = await solver.read("wait_executions", execution_ids=[found["rows"][0]["execution_id"]])
    while not waited["all_done"]:
        waited = await solver.follow(waited["next_step"])
    read = await solver.follow(waited["next_step"])
    while not read["rows"]:
        # Results are stored a little after the end.
        await solver.pause(60)
        read = await solver.follow(read["next_step"])
    return {"dG": read["rows"][0]["dG"]}


async def _answer_with_the_other_lead(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Completed", tool_keys=[ABFE])
    read = await solver.read("get_execution_results", execution_id=found["rows"][0]["execution_id"])
    return {"dG": read["rows"][0]["dG"]}


async def _give_up_at_the_deadline(solver: Solver) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Running")
    await solver.read("wait_executions", execution_ids=[found["rows"][0]["execution_id"]])
    return {"dG": None}


LONG_WAIT = Task(
    id="long-wait",
    prompt="The short ABFE test of lead 7 should end in a few minutes. Wait for it and give me the dG it finds.",
    answer_form='{"dG": -7.5}',
    arrange=_long_run,
    reference=_wait_through_deadlines,
    mistakes=(
        Mistake("gives up at the first deadline", _give_up_at_the_deadline),
        Mistake("reads a run that is over already", _answer_with_the_other_lead),
    ),
)


def _hidden_run(platform: Platform) -> Judge:
    hidden = platform.seed_run(MOLPROPS, molprops(ASPIRIN), ago_seconds=3 * HOUR, name="scratch 7", visibility="hidden")
    platform.seed_run(MOLPROPS, molprops(CAFFEINE), ago_seconds=2 * HOUR, name="scratch 6")
    platform.seed_executions(count=40, name="nightly docking", spacing_seconds=20 * MINUTE)

    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("execution_id") != hidden:
            yield f"it is {hidden}, told was {answer.text('execution_id')}"
        if answer.text("status") != "Completed":
            yield f"it is Completed, told was {answer.text('status')}"

    return judge


async def _search_hidden(solver: Solver) -> dict[str, Any]:
    condition = {"column": "name", "op": "icontains", "value": "scratch 7"}
    found = await solver.read("search_executions", filters=[condition], include_hidden=True)
    (row,) = found["rows"]
    return {"execution_id": row["execution_id"], "status": row["status"]}


async def _take_a_similar_one(solver: Solver) -> dict[str, Any]:
    condition = {"column": "name", "op": "icontains", "value": "scratch"}
    (row,) = (await solver.read("search_executions", filters=[condition]))["rows"]
    return {"execution_id": row["execution_id"], "status": row["status"]}


HIDDEN_RUN = Task(
    id="hidden-run",
    prompt="A colleague made a hidden run called 'scratch 7' this morning. Find it: is it done?",
    answer_form='{"execution_id": "…", "status": "…"}',
    arrange=_hidden_run,
    reference=_search_hidden,
    mistakes=(Mistake("takes the visible one with a similar name", _take_a_similar_one),),
)

TASKS = (RUNNING_NOW, WAIT_FOR_SET, LONG_WAIT, HIDDEN_RUN)
