"""Runs that look alike: whose they are, what differs, which are the same again, which are dear."""

from __future__ import annotations

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
    MOLPROPS,
    NICOTINE,
    PARACETAMOL,
    docking,
    molprops,
    price_of,
)

COLLEAGUE = "6b06d8f8-1f55-472c-a86c-f19651ba4b20"
"""Whose name is Local User; the other user of the simulated organisation has the token."""


def _same_ids(answer: Answer, field: str, truth: list[str]) -> Iterator[str]:
    if set(answer.texts(field)) != set(truth):
        yield f"{field} is {truth}, told was {answer.texts(field)}"


# Who ran what


def _two_people(platform: Platform) -> Judge:
    names: dict[str, list[str]] = {"": [], COLLEAGUE: []}
    for number in range(12):
        person = COLLEAGUE if number % 3 == 0 else ""
        ligands = [ASPIRIN, CAFFEINE, IBUPROFEN][: number % 3 + 1]
        run = platform.seed_run(
            DOCKING, docking(*ligands), ago_seconds=DAY + number * HOUR, name="docking", created_by=person
        )
        names[person].append(run)

    def judge(answer: Answer) -> Iterator[str]:
        yield from _same_ids(answer, "execution_ids", names[COLLEAGUE])
        told = answer.number("usd")
        cost = sum(price_of(platform, run) for run in names[COLLEAGUE])
        if told is None or abs(told - cost) > 0.005:
            yield f"together they cost {cost:.2f} USD, told was {told}"

    return judge


def _told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"execution_ids": [row["execution_id"] for row in rows], "usd": round(sum(row["cost"] for row in rows), 2)}


async def _by_name(solver: Solver) -> dict[str, Any]:
    return _told(await solver.rows(created_by="Local User"))


async def _of_everybody(solver: Solver) -> dict[str, Any]:
    return _told(await solver.rows())


async def _of_myself(solver: Solver) -> dict[str, Any]:
    return _told(await solver.rows(created_by="me"))


A_COLLEAGUES_RUNS = Task(
    id="a-colleagues-runs",
    prompt="Which dockings did my colleague Local User run, and what did they cost together?",
    answer_form='{"execution_ids": ["…"], "usd": 0.0}',
    arrange=_two_people,
    reference=_by_name,
    mistakes=(Mistake("takes everybody's", _of_everybody), Mistake("takes my own", _of_myself)),
)


# Five runs of one name


def _five_of_one_name(platform: Platform) -> Judge:
    inputs = [
        docking(ASPIRIN, CAFFEINE),
        docking(ASPIRIN, CAFFEINE, effort=3),
        docking(ASPIRIN, CAFFEINE, IBUPROFEN),
        docking(ASPIRIN, CAFFEINE, IBUPROFEN, effort=3),
        docking(ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE),
    ]
    runs = [
        platform.seed_run(DOCKING, one, ago_seconds=DAY - number * HOUR, name="final docking")
        for number, one in enumerate(inputs)
    ]

    def judge(answer: Answer) -> Iterator[str]:
        if answer.text("execution_id") != runs[3]:
            yield f"it is {runs[3]}, told was {answer.text('execution_id')}"

    return judge


async def _by_its_inputs(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(name_contains="final docking")
    wanted = ("3 ligands", "effort 3")
    return {
        "execution_id": next(
            row["execution_id"] for row in rows if all(word in row["inputs_summary"] for word in wanted)
        )
    }


async def _the_newest(solver: Solver) -> dict[str, Any]:
    return {"execution_id": (await solver.rows(name_contains="final docking"))[0]["execution_id"]}


async def _the_first_with_three(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(name_contains="final docking", order="createdAt asc")
    return {"execution_id": next(row["execution_id"] for row in rows if "3 ligands" in row["inputs_summary"])}


ONE_OF_FIVE = Task(
    id="one-of-five",
    prompt="I called five runs 'final docking'. Which one was that with three ligands and effort 3?",
    answer_form='{"execution_id": "…"}',
    arrange=_five_of_one_name,
    reference=_by_its_inputs,
    mistakes=(
        Mistake("takes the newest", _the_newest),
        Mistake("looks at the ligands only", _the_first_with_three),
    ),
)


# Paid for twice


def _doubles(platform: Platform) -> Judge:
    series = [(ASPIRIN,), (CAFFEINE, NICOTINE), (IBUPROFEN, PARACETAMOL), (NICOTINE,)]
    runs: list[str] = []
    for number, ligands in enumerate([*series, series[1], series[1]]):
        runs.append(
            platform.seed_run(DOCKING, docking(*ligands), ago_seconds=DAY - number * HOUR, name=f"batch {number}")
        )
    # A quote costs nothing, and the same ligands with another effort are another run.
    platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=HOUR, name="batch 0", started=False)
    platform.seed_run(DOCKING, docking(ASPIRIN, effort=2), ago_seconds=HOUR, name="batch 0")

    def judge(answer: Answer) -> Iterator[str]:
        yield from _same_ids(answer, "execution_ids", [runs[1], runs[4], runs[5]])
        wasted, told = 2 * price_of(platform, runs[1]), answer.number("wasted_usd")
        if told is None or abs(told - wasted) > 0.005:
            yield f"{wasted:.2f} USD were for the repetitions, told was {told}"

    return judge


async def _by_hash(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", fetch_all_pages=True)
    (again,) = found["repeated"]
    ids = [row["execution_id"] for row in found["executions"] if row["inputs_hash"] == again["inputs_hash"]]
    wasted = again["cost"] * (again["count"] - 1) / again["count"]
    return {"execution_ids": [*ids, *again.get("execution_ids", [])], "wasted_usd": round(wasted, 2)}


async def _by_equal_names(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows()
    names = [row["name"] for row in rows]
    same = [row for row in rows if names.count(row["name"]) > 1]
    return {"execution_ids": [row["execution_id"] for row in same], "wasted_usd": 0.2}


PAID_TWICE = Task(
    id="paid-twice",
    prompt="Did we run the very same docking more than once? Which runs are those, and how much of the money was for "
    "the repetitions?",
    answer_form='{"execution_ids": ["…"], "wasted_usd": 0.0}',
    arrange=_doubles,
    reference=_by_hash,
    mistakes=(Mistake("goes by equal names", _by_equal_names),),
)


# The dearest


def _dear_and_free(platform: Platform) -> Judge:
    drugs = [ASPIRIN, CAFFEINE, IBUPROFEN, PARACETAMOL, NICOTINE]
    runs = [
        platform.seed_run(DOCKING, docking(*drugs[: number % 5 + 1]), ago_seconds=9 * DAY + number * HOUR)
        for number in (2, 4, 0, 3, 1)
    ]
    for number in range(60):
        platform.seed_run(MOLPROPS, molprops(ASPIRIN), ago_seconds=HOUR + 60 * number)

    def judge(answer: Answer) -> Iterator[str]:
        if answer.texts("execution_ids") != [runs[1], runs[3], runs[0]]:
            yield f"they are {[runs[1], runs[3], runs[0]]}, told were {answer.texts('execution_ids')}"

    return judge


async def _by_cost(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", order="cost desc", page_size=3)
    return {"execution_ids": [row["execution_id"] for row in found["executions"]]}


async def _of_the_newest(solver: Solver) -> dict[str, Any]:
    rows = (await solver.read("list_executions"))["executions"]
    dearest = sorted(rows, key=lambda row: -row.get("cost", 0))
    return {"execution_ids": [row["execution_id"] for row in dearest[:3]]}


THE_DEAREST = Task(
    id="the-dearest",
    prompt="Which three of all our runs cost most? The dearest first.",
    answer_form='{"execution_ids": ["…"]}',
    arrange=_dear_and_free,
    reference=_by_cost,
    mistakes=(Mistake("looks at the newest page only", _of_the_newest),),
)

TASKS = (A_COLLEAGUES_RUNS, ONE_OF_FIVE, PAID_TWICE, THE_DEAREST)
