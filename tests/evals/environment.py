"""Where an agent works, and whether the money is real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import ASPIRIN, CAFFEINE, DAY, DOCKING, docking, price_of


def _a_docking(platform: Platform) -> Judge:
    run = platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY, name="for the grant report")

    def judge(answer: Answer) -> Iterator[str]:
        if answer.truth("real") is not False:
            yield "the platform is simulated, and nothing was charged"
        shown, told = price_of(platform, run), answer.number("usd_shown")
        if told is None or abs(told - shown) > 0.005:
            yield f"the platform shows {shown:.2f} USD, told was {told}"

    return judge


async def _look_where(solver: Solver) -> dict[str, Any]:
    [run] = await solver.rows(name_contains="grant report")
    environment = (await solver.read("get_workspace"))["environment"]
    return {"usd_shown": run["cost"], "real": "simulated" not in environment}


async def _take_the_cost_for_money(solver: Solver) -> dict[str, Any]:
    [run] = await solver.rows(name_contains="grant report")
    return {"usd_shown": run["cost"], "real": True}


async def _say_that_it_was_free(solver: Solver) -> dict[str, Any]:
    await solver.read("get_workspace")
    return {"usd_shown": 0, "real": False}


IS_IT_REAL = Task(
    id="is-it-real",
    prompt="I have to report what our group has paid. What does Deep Origin show as the cost of the run 'for the grant "
    "report', and is that money that somebody really pays?",
    answer_form='{"usd_shown": 0.0, "real": true}',
    arrange=_a_docking,
    reference=_look_where,
    mistakes=(
        Mistake("takes the cost for money", _take_the_cost_for_money),
        Mistake("says that it was free", _say_that_it_was_free),
    ),
)

TASKS = (IS_IT_REAL,)
