"""What describe_platform_tool says of price and duration is what the organisation's runs show, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.catalogue.costs_seen import duration_in, price_in, size_of
from tests.support.bench import Agent, Bench
from tests.support.history import ASPIRIN, CAFFEINE, DOCKING, HOUR, IBUPROFEN, POCKET_FINDER, PROTEIN, docking

pytestmark = pytest.mark.anyio


def run(price: float | None, ligands: int = 0, *, billed: float | None = None, **dto: Any) -> Execution:
    quote = {"successfulQuotations": [{"priceTotal": price, "itemCode": "X"}]} if price is not None else None
    bill = {"status": "Approved", "totalCost": billed} if billed is not None else None
    inputs = {"ligands": [{"smiles": "C"}] * ligands} if ligands else {}
    usual = {"status": "Completed", "userInputs": inputs | dto.pop("inputs", {})}
    return Execution({**usual, "quotationResult": quote, "billingTransaction": bill, **dto})


def timed(seconds: int, ligands: int = 1) -> Execution:
    start, end = "2026-10-05T08:00:00.000Z", f"2026-10-05T08:{seconds // 60:02d}:{seconds % 60:02d}.000Z"
    return run(None, ligands, startedAt=start, completedAt=end)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], ""),
        ([run(None)], ""),
        ([run(0.2, 1), run(0.6, 3)], "0.2 USD per ligand in 2 recent runs"),
        ([run(10), run(10)], "10 USD per run in 2 recent runs"),
        ([run(10, 1), run(10, 2)], "10 USD per run in 2 recent runs"),
        ([run(0.6, 3)], "0.6 USD for 3 ligands in 1 recent run"),
        ([run(0), run(0)], "free in 2 recent runs"),
        ([run(90), run(151.2)], "90 to 151.2 USD per run in 2 recent runs"),
        (
            [run(0.2, 1, inputs={"effort": 1, "sync": True}), run(0.4, 2, inputs={"effort": 5, "sync": False})],
            "0.2 USD per ligand in 2 recent runs; effort changed nothing",
        ),
        ([run(90, inputs={"windows": 1}), run(91, inputs={"windows": 2})], "90 to 91 USD per run in 2 recent runs"),
    ],
)
def test_a_price_is_said_as_far_as_runs_show_it(runs: list[Execution], words: str) -> None:
    assert price_in(runs) == words


def test_whether_failures_are_billed_is_said_as_far_as_bills_show_it() -> None:
    runs = [run(1, billed=1), run(1, billed=0.5), run(1, status="Failed", billed=1), run(1, status="Failed")]
    assert price_in(runs).endswith("; 1 of 2 completed runs were billed as quoted; 1 of 2 failed runs were billed")


def test_a_duration_is_that_of_finished_runs_by_size() -> None:
    assert duration_in([]) == duration_in([run(1, status="Running")]) == ""
    assert duration_in([timed(40), timed(50), timed(48)]) == "48 s for 1 ligand in 3 recent runs"
    assert duration_in([timed(40), timed(600, 12)]) == "40 s for 1 ligand to 10 min for 12 ligands in 2 recent runs"


def test_a_list_in_a_file_has_its_size_too() -> None:
    assert size_of({"ligands_file": "x.json", "ligands_count": 500, "pocket_count": 9}) == (500, "ligand")
    assert size_of({"pocket_count": 2}) == (0, "")


async def test_recent_runs_are_read_once_in_minutes(agent: Agent, bench: Bench) -> None:
    for molecules in ((ASPIRIN,), (ASPIRIN, CAFFEINE, IBUPROFEN)):
        bench.platform.seed_run(DOCKING, docking(*molecules, effort=len(molecules)), ago_seconds=HOUR)
    bench.platform.seed_run(POCKET_FINDER, {"protein": PROTEIN}, ago_seconds=HOUR)
    found = await agent.read("describe_platform_tool", tool_key=DOCKING)
    assert found["price"].startswith("0.2 USD per ligand in 2 recent runs; effort changed nothing; ")
    assert found["duration"].endswith("for 3 ligands in 2 recent runs")
    await agent.read("describe_platform_tool", tool_key=DOCKING)
    assert len(bench.sent("GET", "/tools/executions")) == 1


async def test_without_runs_the_duration_is_not_known(agent: Agent) -> None:
    found = await agent.read("describe_platform_tool", tool_key=DOCKING)
    assert found["duration"] == "not known"


async def test_a_list_that_cannot_be_read_hides_nothing_else(agent: Agent, bench: Bench) -> None:
    bench.fault("GET */tools/executions status=503 times=50")
    found = await agent.read("describe_platform_tool", tool_key=DOCKING)
    assert (found["duration"], "inputs_schema" in found) == ("not known", True)
    bench.heal()
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=HOUR)
    assert (await agent.read("describe_platform_tool", tool_key=DOCKING))["duration"] != "not known"
