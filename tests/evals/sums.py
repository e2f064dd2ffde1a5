"""What a project lead decides on: who and what the money was for, what is billed and what is only expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
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
    MOLPROPS,
    NICOTINE,
    abfe,
    docking,
    molprops,
    price_of,
)

COLLEAGUE = "6b06d8f8-1f55-472c-a86c-f19651ba4b20"
"""Whose name is Local User; the other user of the simulated organisation, Ada Simulated, has the token."""
PEOPLE = {"": "Ada Simulated", COLLEAGUE: "Local User"}
KINASE, GPCR = "09DEMAKNASE01", "09DEMAGPCR002"
PROJECTS = {KINASE: "Kinase pilot", GPCR: "GPCR selectivity"}
CENT = 0.005


def _differs(answer: Answer, field: str, truth: Mapping[str, float]) -> Iterator[str]:
    told = answer.numbers(field)
    for name in sorted(truth.keys() | told.keys()):
        if abs(told.get(name, 0.0) - truth.get(name, 0.0)) > CENT:
            yield f"{field} of {name} is {truth.get(name, 0.0):.2f} USD, told was {told.get(name)}"


def _is_not(answer: Answer, field: str, truth: float) -> Iterator[str]:
    told = answer.number(field)
    if told is None or abs(told - truth) > CENT:
        yield f"{field} is {truth:.2f} USD, told was {told}"


# By person and by project


def _a_month(platform: Platform) -> Judge:
    by_person: dict[str, float] = defaultdict(float)
    by_project: dict[str, float] = defaultdict(float)

    def run(tool: str, inputs: dict[str, Any], days: float, person: str, project: str, *, counts: bool = True) -> None:
        found = platform.seed_run(tool, inputs, ago_seconds=days * DAY, created_by=person, project_id=project)
        if counts:
            by_person[PEOPLE[person]] += price_of(platform, found)
            by_project[PROJECTS[project]] += price_of(platform, found)

    run(ABFE, abfe("lead5"), 40, COLLEAGUE, KINASE, counts=False)
    run(ABFE, abfe("lead7"), 20, COLLEAGUE, KINASE)
    for day in range(1, 15):
        run(DOCKING, docking(ASPIRIN, CAFFEINE, IBUPROFEN), day + 0.1, "", GPCR if day % 2 else KINASE)
        run(DOCKING, docking(NICOTINE), day + 0.2, COLLEAGUE, GPCR)
    run(DOCKING, docking(CISPLATIN), 5.5, "", KINASE)
    for number in range(90):
        platform.seed_run(MOLPROPS, molprops(ASPIRIN), ago_seconds=HOUR + 60 * number, project_id=GPCR)
    platform.seed_run(ABFE, abfe("lead9"), ago_seconds=DAY, project_id=GPCR, started=False)

    def judge(answer: Answer) -> Iterator[str]:
        yield from _differs(answer, "usd_by_person", by_person)
        yield from _differs(answer, "usd_by_project", by_project)

    return judge


async def _summed(solver: Solver, **filters: Any) -> dict[str, Any]:
    told = {}
    for group_by in ("person", "project"):
        found = await solver.read("summarize_spending", group_by=group_by, **filters)
        told[f"usd_by_{group_by}"] = {row["group"]: row["charged"] for row in found["groups"] if "charged" in row}
    return told


async def _of_thirty_days(solver: Solver) -> dict[str, Any]:
    return await _summed(solver, created_after=solver.ago(days=30))


async def _of_all_time(solver: Solver) -> dict[str, Any]:
    return await _summed(solver)


async def _from_one_page(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", created_after=solver.ago(days=30), page_size=50)
    sums: dict[str, float] = defaultdict(float)
    same = found.get("same_in_all", {})
    for row in found["executions"]:
        sums[row.get("created_by", same.get("created_by", ""))] += row.get("cost", 0.0)
    return {"usd_by_person": dict(sums), "usd_by_project": {}}


MONTH_BY_PERSON_AND_PROJECT = Task(
    id="month-by-person-and-project",
    prompt="What did our runs of the last 30 days cost: by person, and by project? Quotes do not count.",
    answer_form='{"usd_by_person": {"name": 0.0}, "usd_by_project": {"name": 0.0}}',
    arrange=_a_month,
    reference=_of_thirty_days,
    mistakes=(Mistake("sums all there ever was", _of_all_time), Mistake("sums one page of a list", _from_one_page)),
)


# Billed, reserved, estimated


def _partly_billed(platform: Platform) -> Judge:
    billed = [
        platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE, IBUPROFEN), ago_seconds=number * DAY, project_id=KINASE)
        for number in range(1, 6)
    ]
    lost = platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=3 * DAY, project_id=KINASE)
    running = platform.seed_run(ABFE, abfe("lead7"), ago_seconds=HOUR, project_id=KINASE)
    quoted = platform.seed_run(ABFE, abfe("lead8"), ago_seconds=DAY, project_id=KINASE, started=False)
    platform.seed_run(ABFE, abfe("lead9"), ago_seconds=2 * DAY, project_id=GPCR)
    # Records of an older platform have no bill.
    for number, price in enumerate((4.0, 7.5)):
        began = platform.clock.now() - timedelta(days=number + 6)
        platform.add_execution(
            {
                "status": "Completed",
                "tool": {"key": DOCKING, "version": "3.2.1"},
                "createdAt": f"{began:%Y-%m-%dT%H:%M:%S}.000Z",
                "startedAt": f"{began:%Y-%m-%dT%H:%M:%S}.000Z",
                "projectId": KINASE,
                "quotationResult": {"successfulQuotations": [{"itemCode": "DO_DOCK", "priceTotal": price}]},
                "billingTransaction": None,
            }
        )

    def judge(answer: Answer) -> Iterator[str]:
        yield from _is_not(answer, "billed_usd", sum(price_of(platform, run) for run in [*billed, lost]))
        yield from _is_not(answer, "of_that_without_result_usd", price_of(platform, lost))
        yield from _is_not(answer, "reserved_usd", price_of(platform, running))
        yield from _is_not(answer, "only_estimated_usd", 11.5)
        yield from _is_not(answer, "open_quotes_usd", price_of(platform, quoted))

    return judge


async def _told_apart(solver: Solver) -> dict[str, Any]:
    found = await solver.read("summarize_spending", group_by="project")
    row = next(row for row in found["groups"] if row["group"] == PROJECTS[KINASE])
    return {
        "billed_usd": row["charged"],
        "of_that_without_result_usd": row["without_result"],
        "reserved_usd": row["reserved"],
        "only_estimated_usd": row["estimated"],
        "open_quotes_usd": row["quoted"],
    }


async def _all_that_costs_is_billed(solver: Solver) -> dict[str, Any]:
    told = await _told_apart(solver)
    rows = await solver.rows(project_id=KINASE, page_size=50)
    return {**told, "billed_usd": round(sum(row.get("cost", 0.0) for row in rows), 2)}


async def _of_all_projects(solver: Solver) -> dict[str, Any]:
    total = (await solver.read("summarize_spending"))["total"]
    return {**(await _told_apart(solver)), "billed_usd": total["charged"]}


BILLED_OR_ESTIMATED = Task(
    id="billed-or-estimated",
    prompt="For the budget of our Kinase pilot project: what has been billed for runs that are over, and how much of "
    "that for runs without a result? What is reserved, what is only an estimate because there is no bill, and what "
    "could the open quotes still cost?",
    answer_form='{"billed_usd": 0.0, "of_that_without_result_usd": 0.0, "reserved_usd": 0.0, "only_estimated_usd": '
    '0.0, "open_quotes_usd": 0.0}',
    arrange=_partly_billed,
    reference=_told_apart,
    mistakes=(
        Mistake("takes every cost for billed", _all_that_costs_is_billed),
        Mistake("sums all projects", _of_all_projects),
    ),
)


# What the billing service says


def _two_kinds_of_tags(platform: Platform) -> Judge:
    granted = [
        platform.seed_run(DOCKING, docking(*smiles), ago_seconds=DAY * (number + 1), billing="grant-7")
        for number, smiles in enumerate(((ASPIRIN, CAFFEINE), (IBUPROFEN,), (NICOTINE, ASPIRIN, CAFFEINE)))
    ]
    platform.seed_run(DOCKING, docking(ASPIRIN, IBUPROFEN), ago_seconds=DAY, tag="grant-7")
    platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, billing="grant-8")
    platform.seed_run(ABFE, abfe("lead7"), ago_seconds=DAY, billing="grant-7", started=False)
    # Somebody in another project is billed to it too.
    granted.append(platform.seed_run(ABFE, abfe("lead8"), ago_seconds=2 * DAY, billing="grant-7", project_id=GPCR))

    def judge(answer: Answer) -> Iterator[str]:
        yield from _is_not(answer, "usd", sum(price_of(platform, run) for run in granted))

    return judge


async def _by_the_service(solver: Solver) -> dict[str, Any]:
    found = await solver.read("summarize_spending", group_by="tag")
    return {"usd": next(row["usage"] for row in found["groups"] if row["group"] == "grant-7")}


async def _by_the_runs(solver: Solver) -> dict[str, Any]:
    found = await solver.read("summarize_spending", group_by="tag")
    return {"usd": next(row["charged"] for row in found["groups"] if row["group"] == "grant-7")}


BILLED_TO_A_GRANT = Task(
    id="billed-to-a-grant",
    prompt="What does the billing service say was billed under our billing tag grant-7 in the last days?",
    answer_form='{"usd": 0.0}',
    arrange=_two_kinds_of_tags,
    reference=_by_the_service,
    mistakes=(Mistake("takes what has the word for a plain tag too", _by_the_runs),),
)

TASKS = (MONTH_BY_PERSON_AND_PROJECT, BILLED_OR_ESTIMATED, BILLED_TO_A_GRANT)
