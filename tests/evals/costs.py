"""What was spent, what something would cost, and which of many variants is the cheapest: without starting anything."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver, required_inputs
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ABFE,
    ADMET,
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    NICOTINE,
    PARACETAMOL,
    POCKET,
    POCKET_FINDER,
    PROTEIN,
    abfe,
    admet,
    docking,
    library_docking,
    price_of,
)

CENT = 0.005


def _a_week_of_runs(platform: Platform) -> Judge:
    spent: dict[str, float] = defaultdict(float)

    def run(tool_key: str, inputs: dict[str, Any], days_ago: float, name: str, *, counts: bool = True) -> None:
        found = platform.seed_run(tool_key, inputs, ago_seconds=days_ago * DAY, name=name)
        if counts:
            spent[tool_key] += price_of(platform, found)

    for day in range(1, 7):
        run(DOCKING, docking(ASPIRIN, CAFFEINE, IBUPROFEN), day + 0.2, f"daily docking {day}")
        run(ADMET, admet(ASPIRIN, CAFFEINE), day + 0.3, f"daily ADMET {day}")
    run(DOCKING, docking(CISPLATIN), 2.5, "a docking that failed")
    run(ABFE, abfe("lead7"), 3.1, "lead 7 ABFE")
    run(POCKET_FINDER, {"protein": PROTEIN, "sync": False}, 4.4, "pockets of BRD4")
    run(DOCKING, library_docking(80), 8.5, "library of the week before", counts=False)
    run(ABFE, abfe("lead5"), 9.1, "lead 5 ABFE", counts=False)
    platform.seed_run(ABFE, abfe("lead9"), ago_seconds=DAY, name="lead 9 ABFE", started=False)

    def judge(answer: Answer) -> Iterator[str]:
        told = answer.numbers("usd_by_tool")
        for tool_key in sorted(spent.keys() | told.keys()):
            if abs(told.get(tool_key, 0.0) - spent.get(tool_key, 0.0)) > CENT:
                yield f"{tool_key} cost {spent.get(tool_key, 0.0):.2f} USD, told was {told.get(tool_key)}"

    return judge


async def _sum_the_costs(solver: Solver) -> dict[str, Any]:
    found = await solver.read("summarize_spending", created_after=solver.ago(days=7))
    return {"usd_by_tool": {row["group"]: row["charged"] for row in found["groups"] if "charged" in row}}


async def _summed(solver: Solver, *fields: str, **filters: Any) -> dict[str, Any]:
    sums: dict[str, float] = defaultdict(float)
    for row in await solver.rows(page_size=50, **filters):
        sums[row["tool_key"]] += next((row[field] for field in fields if field in row), 0.0)
    return {"usd_by_tool": {tool_key: round(usd, 2) for tool_key, usd in sums.items()}}


async def _count_quotes_too(solver: Solver) -> dict[str, Any]:
    return await _summed(solver, "cost", "quoted_price", created_after=solver.ago(days=7))


async def _forget_the_failed(solver: Solver) -> dict[str, Any]:
    return await _summed(solver, "cost", created_after=solver.ago(days=7), status=["Completed"])


async def _read_the_first_page(solver: Solver) -> dict[str, Any]:
    found = await solver.read("list_executions", created_after=solver.ago(days=7), page_size=10)
    sums: dict[str, float] = defaultdict(float)
    for row in found["executions"]:
        sums[row["tool_key"]] += row.get("cost", 0.0)
    return {"usd_by_tool": dict(sums)}


SPENT_BY_TOOL = Task(
    id="spent-by-tool",
    prompt="What did we spend in the last seven days, by tool? Failed runs that were charged count, quotes do not.",
    answer_form='{"usd_by_tool": {"deeporigin.docking": 1.5}}',
    arrange=_a_week_of_runs,
    reference=_sum_the_costs,
    mistakes=(
        Mistake("counts a quote that never ran", _count_quotes_too),
        Mistake("forgets failed runs that were charged", _forget_the_failed),
        Mistake("stops after the first page", _read_the_first_page),
    ),
)

MOLECULES = (ASPIRIN, CAFFEINE, IBUPROFEN, PARACETAMOL, NICOTINE)


def _nothing_yet(platform: Platform) -> Judge:
    platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY, name="two of them, yesterday")

    def judge(answer: Answer) -> Iterator[str]:
        told = answer.number("usd")
        if told is None or abs(told - 1.0) > CENT:
            yield f"five ligands cost 1.00 USD, told was {told}"

    return judge


async def _quote_five(solver: Solver) -> dict[str, Any]:
    quote = await _quoted_docking(solver)
    return {"usd": quote["quoted_price"]}


async def _quoted_docking(solver: Solver) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="docking")
    tool = await solver.follow(found["next_step"])
    inputs = {"protein": PROTEIN, "pocket": POCKET, "ligands": [{"smiles": smiles} for smiles in MOLECULES]}
    assert set(required_inputs(tool)) <= set(inputs)
    return await solver.read("create_execution", tool_key=tool["tool_key"], inputs=inputs)


async def _quote_and_start(solver: Solver) -> dict[str, Any]:
    quote = await _quoted_docking(solver)
    await solver.follow(quote["next_step"])
    return {"usd": quote["quoted_price"]}


async def _tell_the_old_price(solver: Solver) -> dict[str, Any]:
    (row,) = await solver.rows()
    return {"usd": row["cost"]}


PRICE_OF_DOCKING = Task(
    id="price-of-docking",
    prompt=(
        f"What would it cost to dock these five molecules into BRD4: {', '.join(MOLECULES)}? The structure is "
        f"{PROTEIN['file_path']} (protein {PROTEIN['id']}), the box has its centre at 12.1, 4.6, -7.3 and is 20 Å "
        "long on each side. Just the price, do not run it."
    ),
    answer_form='{"usd": 0.0}',
    arrange=_nothing_yet,
    reference=_quote_five,
    environment={"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "5"},
    creates=2,
    mistakes=(
        Mistake("starts it", _quote_and_start),
        Mistake("takes the price of another run", _tell_the_old_price),
    ),
)

VARIANTS = tuple((binding, repeats) for binding in (24, 32, 40, 48, 64) for repeats in (1, 2))
"""Windows of the bound leg, and repeats of both legs."""


def _ten_variants(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        prices = {}
        for execution_id in platform.creates:
            execution = platform.executions[execution_id]
            leg = execution.inputs.get("binding", {})
            prices[leg.get("n_windows"), leg.get("repeats")] = price_of(platform, execution_id)
        if missing := set(VARIANTS) - set(prices):
            yield f"these variants were not priced: {sorted(missing)}"
            return
        cheapest = min(VARIANTS, key=lambda variant: prices[variant])
        if (answer.number("windows"), answer.number("repeats")) != cheapest:
            yield f"the cheapest has {cheapest} windows and repeats, told was {dict(answer.given)}"
        told = answer.number("highest_usd")
        if told is None or abs(told - max(prices[variant] for variant in VARIANTS)) > CENT:
            yield f"the dearest costs {max(prices.values())} USD, told was {told}"

    return judge


async def _price_all(solver: Solver) -> dict[str, Any]:
    return await _priced(solver, VARIANTS)


async def _priced(solver: Solver, variants: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    found = await solver.read("find_platform_tools", query="absolute binding free energy")
    tool = await solver.follow(found["next_step"])
    prices = {}
    for windows, repeats in variants:
        inputs = abfe(
            "lead7",
            binding={"n_windows": windows, "repeats": repeats},
            solvation={"n_windows": 32, "repeats": repeats},
        )
        quote = await solver.read(
            "create_execution",
            tool_key=tool["tool_key"],
            inputs=inputs,
            name=f"lead 7, {windows} windows, {repeats} repeats",
        )
        prices[windows, repeats] = quote["quoted_price"]
    windows, repeats = min(prices, key=lambda variant: prices[variant])
    return {"windows": windows, "repeats": repeats, "highest_usd": max(prices.values())}


async def _price_a_few(solver: Solver) -> dict[str, Any]:
    return await _priced(solver, VARIANTS[:3])


async def _start_the_cheapest(solver: Solver) -> dict[str, Any]:
    told = await _priced(solver, VARIANTS)
    quotes = await solver.rows(status=["Quoted"])
    cheapest = min(quotes, key=lambda row: row["quoted_price"])
    await solver.read("confirm_execution", execution_id=cheapest["execution_id"])
    return told


BULK_PRICING = Task(
    id="bulk-pricing",
    prompt=(
        "Price an ABFE of the pose poses/lead7.sdf (pose 0ALEAD7) in BRD4 (entities/proteins/brd4.pdb, protein "
        f"{PROTEIN['id']}) ten ways: 24, 32, 40, 48 and 64 windows in the bound leg, each with 1 and with 2 repeats of "
        "both legs, and 32 windows in the solvated leg. Start none. Which is the cheapest, and what does the dearest "
        "cost?"
    ),
    answer_form='{"windows": 0, "repeats": 0, "highest_usd": 0.0}',
    arrange=_ten_variants,
    reference=_price_all,
    environment={"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "500"},
    creates=12,
    mistakes=(
        Mistake("prices three and extrapolates", _price_a_few),
        Mistake("starts the cheapest", _start_the_cheapest),
    ),
)


def _poor_organisation(platform: Platform) -> Judge:
    quote = platform.seed_run(ABFE, abfe("lead7"), ago_seconds=HOUR, org="acme", name="lead 7 ABFE", started=False)
    balance = platform.organisations["acme"].balance

    def judge(answer: Answer) -> Iterator[str]:
        if platform.status(quote) != "InsufficientFunds":
            yield f"nobody tried: it is {platform.status(quote)}"
        if answer.truth("started") is not False:
            yield "it did not start"
        if not answer.says("reason", "balance", "credit", "fund"):
            yield "the reason is the organisation's balance"
        told = answer.number("missing_usd")
        missing = price_of(platform, quote) - balance
        if told is None or abs(told - missing) > CENT:
            yield f"{missing:.2f} USD are missing, told was {told}"

    return judge


async def _explain_the_balance(solver: Solver) -> dict[str, Any]:
    (quote,) = await solver.rows(status=["Quoted"])
    refusal = await solver.refused(
        "confirm_execution", execution_id=quote["execution_id"], expected_price=quote["quoted_price"]
    )
    (missing,) = re.findall(r"(\d+\.\d+) USD are missing", refusal)
    return {"started": False, "reason": refusal, "missing_usd": float(missing)}


async def _say_that_it_runs(solver: Solver) -> dict[str, Any]:
    (quote,) = await solver.rows(status=["Quoted"])
    await solver.refused("confirm_execution", execution_id=quote["execution_id"])
    return {"started": True, "reason": "the balance covers it", "missing_usd": 0}


INSUFFICIENT_FUNDS = Task(
    id="insufficient-funds",
    prompt="Start the lead 7 ABFE that is waiting as a quote. If it will not start: why, and how much is missing?",
    answer_form='{"started": true, "reason": "…", "missing_usd": 0.0}',
    arrange=_poor_organisation,
    reference=_explain_the_balance,
    environment={
        "DO_ORG_KEY": "acme",
        "DO_PROJECT_ID": "09ACMEPR0J001",
        "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "500",
    },
    mistakes=(Mistake("says that it started", _say_that_it_runs),),
)

TASKS = (SPENT_BY_TOOL, PRICE_OF_DOCKING, BULK_PRICING, INSUFFICIENT_FUNDS)
