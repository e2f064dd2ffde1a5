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


def timed(seconds: int, ligands: int = 1, **inputs: Any) -> Execution:
    start, end = "2026-10-05T08:00:00.000Z", f"2026-10-05T08:{seconds // 60:02d}:{seconds % 60:02d}.000Z"
    return run(None, ligands, startedAt=start, completedAt=end, inputs=inputs)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], ""),
        ([run(None)], ""),
        ([run(0.2, 1), run(0.6, 3)], "0.20 USD per ligand in 2 recent runs"),
        ([run(10), run(10)], "10.00 USD per run in 2 recent runs"),
        ([run(10, 1), run(10, 2)], "10.00 USD per run in 2 recent runs"),
        ([run(0.6, 3)], "0.60 USD for 3 ligands in 1 recent run"),
        ([run(0), run(0)], "free in 2 recent runs"),
        ([run(90), run(151.2)], "90.00 to 151.20 USD per run in 2 recent runs"),
        (
            [run(0.2, 1, inputs={"effort": 1, "sync": True}), run(0.4, 2, inputs={"effort": 5, "sync": False})],
            "0.20 USD per ligand in 2 recent runs; effort did not change it",
        ),
        (
            [run(90, inputs={"windows": 1}), run(91, inputs={"windows": 2})],
            "90.00 to 91.00 USD per run in 2 recent runs",
        ),
    ],
)
def test_a_price_is_said_as_far_as_runs_show_it(runs: list[Execution], words: str) -> None:
    assert price_in(runs) == words


def test_whether_failures_are_billed_is_said_as_far_as_bills_show_it() -> None:
    runs = [run(1, billed=1), run(1, billed=0.5), run(1, status="Failed", billed=1), run(1, status="Failed")]
    assert price_in(runs).endswith("; 1 of 2 completed runs were billed as quoted; 1 of 2 failed runs were billed")


def test_whether_ligands_that_fail_are_billed_is_said_where_a_run_shows_it() -> None:
    failed = {"progressReport": "total_num_ligands = 2\nligand docked 1\nligand failed 2"}
    words = price_in([run(0.2, 1, billed=0.2), run(0.4, 2, billed=0.4, **failed), run(0.4, 2, billed=0.2, **failed)])
    assert words.endswith("; 2 of 3 completed runs were billed as quoted, of those with failed ligands 1 of 2")


def test_a_duration_is_that_of_finished_runs_by_size() -> None:
    assert duration_in([]) == duration_in([run(1, status="Running")]) == ""
    same_size = [timed(40), timed(50), timed(48)]
    assert duration_in(same_size) == "1 ligand: 40 s to 50 s in 3 recent runs; for more than 1 ligand not known"
    assert duration_in([timed(40, 0), timed(50, 0)]) == "40 s to 50 s in 2 recent runs"


def test_the_time_of_one_more_is_said_where_runs_of_several_sizes_agree() -> None:
    two = [timed(40), timed(600, 12)]
    assert duration_in(two) == (
        "1 ligand: 40 s, 12 ligands: 10 min in 2 recent runs; 50.9 s per further ligand; "
        "for more than 12 ligands not known"
    )
    assert "per further" in duration_in([timed(40), timed(90, 3), timed(160, 5)])
    for no_rule in ([timed(40), timed(90, 3), timed(500, 5)], [timed(40), timed(39, 3)], [timed(590), *two]):
        assert "per further" not in duration_in(no_rule)


def test_of_many_sizes_a_few_are_named_and_what_else_varied_is_said() -> None:
    runs = [timed(10 * count, count, effort=count % 2) for count in range(1, 9)]
    words = duration_in(runs)
    assert words.startswith("1 ligand: 10 s, 2 ligands: 20 s, 3 ligands: 30 s, 8 ligands: 80 s in 8 recent runs; ")
    assert words.endswith("; effort varied; 10 s per further ligand; for more than 8 ligands not known")


def test_a_list_in_a_file_has_its_size_too() -> None:
    assert size_of({"ligands_file": "x.json", "ligands_count": 500, "pocket_count": 9}) == (500, "ligand")
    assert size_of({"pocket_count": 2}) == (0, "")


async def test_recent_runs_are_read_once_in_minutes(agent: Agent, bench: Bench) -> None:
    for molecules in ((ASPIRIN,), (ASPIRIN, CAFFEINE, IBUPROFEN)):
        bench.platform.seed_run(DOCKING, docking(*molecules, effort=len(molecules)), ago_seconds=HOUR)
    bench.platform.seed_run(POCKET_FINDER, {"protein": PROTEIN}, ago_seconds=HOUR)
    found = await agent.read("describe_platform_tool", tool_key=DOCKING)
    assert found["price"].startswith("0.20 USD per ligand in 2 recent runs; effort did not change it; ")
    assert found["duration"].endswith("; for more than 3 ligands not known")
    # Its values are in the schema; what it changes is nowhere.
    assert found["not_documented_by_the_tool"] == ["effort"]
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
