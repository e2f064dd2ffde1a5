"""Counting over thousands of runs in a few calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import ABFE, ADMET, DOCKING, MOLPROPS, POCKET_FINDER

RUNS_BY_TOOL = {DOCKING: 1100, ADMET: 420, MOLPROPS: 300, POCKET_FINDER: 120, ABFE: 60}
CYCLE = ("Completed",) * 9 + ("Failed",) + ("Completed",) * 5
SINCE = timedelta(days=30)


def _two_thousand_runs(platform: Platform) -> Judge:
    now = platform.clock.now()
    failed: Counter[str] = Counter()
    for tool_key, count in RUNS_BY_TOOL.items():
        spacing = timedelta(days=40) / count
        ids = platform.seed_executions(
            count=count,
            status=CYCLE,
            tool_key=tool_key,
            start=now - timedelta(days=40, minutes=7),
            spacing_seconds=spacing.total_seconds(),
            name="campaign run",
        )
        for execution_id in ids:
            execution = platform.executions[execution_id]
            created = execution.created_at
            assert created is not None
            failed[tool_key] += execution.status == "Failed" and created > now - SINCE
    assert sum(RUNS_BY_TOOL.values()) == 2000

    def judge(answer: Answer) -> Iterator[str]:
        told = answer.numbers("failed_by_tool")
        for tool_key in sorted(failed.keys() | told.keys()):
            # One may cross the border while an answer is written.
            if abs(told.get(tool_key, 0) - failed[tool_key]) > 1:
                yield f"{failed[tool_key]} of {tool_key} failed, told was {told.get(tool_key)}"

    return judge


async def _count_by_column(solver: Solver) -> dict[str, Any]:
    since = {"column": "started_at", "op": "gte", "value": solver.ago(days=30)}
    return await _counted(solver, filters=[since])


async def _counted(solver: Solver, **conditions: Any) -> dict[str, Any]:
    found = await solver.read("search_executions", status="Failed", select=["tool_key"], limit=1000, **conditions)
    rows = list(found["rows"])
    while found["has_more"]:
        found = await solver.follow(found["next_step"])
        rows += found["rows"]
    return {"failed_by_tool": dict(Counter(row["tool_key"] for row in rows))}


async def _count_without_a_time(solver: Solver) -> dict[str, Any]:
    return await _counted(solver)


async def _count_one_page(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", status=["Failed"], created_after=solver.ago(days=30), page_size=50)
    return {"failed_by_tool": dict(Counter(row["tool_key"] for row in found["executions"]))}


FAILED_THIS_MONTH = Task(
    id="failed-this-month",
    prompt="How many of our runs of the last 30 days failed, by tool? There are about two thousand runs in all.",
    answer_form='{"failed_by_tool": {"deeporigin.docking": 0}}',
    arrange=_two_thousand_runs,
    reference=_count_by_column,
    mistakes=(
        Mistake("forgets the time", _count_without_a_time),
        Mistake("counts what fits into one page", _count_one_page),
    ),
)


def _ages_of_waiting(platform: Platform) -> Judge:
    now = platform.clock.now()
    platform.seed_executions(count=600, tool_key=DOCKING, name="campaign run", spacing_seconds=600)
    quotes = platform.seed_executions(
        count=3, status="Quoted", tool_key=ABFE, name="forgotten", start=now - timedelta(days=3), spacing_seconds=3600
    )
    platform.seed_executions(count=2, status="Quoted", tool_key=ABFE, name="fresh", spacing_seconds=60)

    def judge(answer: Answer) -> Iterator[str]:
        if set(answer.texts("execution_ids")) != set(quotes):
            yield f"older than a day are {quotes}, told was {answer.texts('execution_ids')}"
        price = 3 * sum(item.total for item in platform.executions[quotes[0]].items)
        told = answer.number("usd")
        if told is None or abs(told - price) > 0.005:
            yield f"together they would cost {price:.2f} USD, told was {told}"

    return judge


async def _list_old_quotes(solver: Solver) -> dict[str, Any]:
    rows = await solver.rows(status=["Quoted"], order="createdAt asc")
    old = [row for row in rows if row["created_at"] < solver.ago(days=1)]
    return _as_told(old)


def _as_told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "execution_ids": [row["execution_id"] for row in rows],
        "usd": round(sum(row["quoted_price"] for row in rows), 2),
    }


async def _list_all_quotes(solver: Solver) -> dict[str, Any]:
    return _as_told(await solver.rows(status=["Quoted"]))


FORGOTTEN_QUOTES = Task(
    id="forgotten-quotes",
    prompt="Which quotes have been waiting for more than a day, and what would they cost together?",
    answer_form='{"execution_ids": ["…"], "usd": 0.0}',
    arrange=_ages_of_waiting,
    reference=_list_old_quotes,
    mistakes=(Mistake("counts fresh quotes too", _list_all_quotes),),
)

TASKS = (FAILED_THIS_MONTH, FORGOTTEN_QUOTES)
