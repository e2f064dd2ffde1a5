"""What the monitor page reads: the state of runs, and the steps of one of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult

from deeporigin_mcp.tools.executions.show_progress import MOST_CHARACTERS, MOST_STEPS
from tests.support.bench import Bench
from tests.support.errors import error_of
from tests.support.hosts import host_of, read
from tests.support.people import quotation, quoted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]

STARTED = "2026-10-05T08:00:00.000Z"
LEAF = {"displayName": "grid(0:index:3)", "status": "Running", "message": "x\ny", "toolProgress": {"complete": 12}}
TREE = {
    "displayName": "workflow-x",
    "status": "Running",
    "children": [{"displayName": "dock", "status": "Running", "children": [LEAF]}, {"displayName": "z", "status": 5}],
}


@pytest.fixture
async def host(bench: Bench) -> AsyncIterator[Client]:
    async with host_of(bench) as client:
        yield client


async def progress(host: Client, *names: str, **more: Any) -> dict[str, Any]:
    return await read(host, "show_progress", execution_ids=[*names], **more)


async def steps(host: Client, name: str) -> Any:
    (row,) = (await progress(host, name, steps_of=name))["executions"]
    return row.get("steps")


async def test_each_run_has_its_state_its_cost_and_how_long_it_has_gone_on(bench: Bench, host: Client) -> None:
    going = bench.raw(name="Screen", startedAt=STARTED, progressReport={"complete": 40}, quotationResult=quotation(5))
    failed = bench.raw(
        status="Failed", statusReason="No parameters.", startedAt=STARTED, completedAt="2026-10-05T08:01:30.000Z"
    )
    waiting, quote = bench.raw(status="Queued"), quoted(bench, 3)
    found = await progress(host, going, failed, waiting, quote)
    first, second, third, fourth = found["executions"]
    assert (first["status"], first["progress_percent"], first["quoted_price"]) == ("Running", 40, 5)
    assert first["elapsed_seconds"] > 0
    assert (second["status_reason"], second["elapsed_seconds"]) == ("No parameters.", 90)
    assert "elapsed_seconds" not in third
    assert "elapsed_seconds" not in fourth
    # A quote does not run.
    assert found["pending"] == [going, waiting]
    assert found["can_cancel"] is True


async def test_time_goes_on_by_the_platforms_clock(bench: Bench, host: Client) -> None:
    name = bench.raw(startedAt=STARTED)
    (before,) = (await progress(host, name))["executions"]
    bench.clock.advance(60)
    (after,) = (await progress(host, name))["executions"]
    assert after["elapsed_seconds"] - before["elapsed_seconds"] == pytest.approx(60, abs=1)


async def test_steps_are_those_below_the_run_in_order_with_their_depth(bench: Bench, host: Client) -> None:
    name = bench.raw(startedAt=STARTED, progressReport=TREE)
    assert await steps(host, name) == [
        {"depth": 0, "name": "dock", "status": "Running"},
        {"depth": 1, "name": "grid-0", "status": "Running", "percent": 12, "message": "x y"},
        {"depth": 0, "name": "z", "status": "5"},
    ]
    assert "steps" not in (await progress(host, name))["executions"][0]


async def test_a_report_without_steps_is_shown_as_its_lines(bench: Bench, host: Client) -> None:
    text = bench.raw(progressReport="total_num_ligands = 8\nligand docked 1")
    assert [row["name"] for row in await steps(host, text)] == ["total_num_ligands = 8", "ligand docked 1"]
    assert await steps(host, bench.raw(progressReport={"complete": 42})) is None
    assert await steps(host, bench.raw(progressReport=None)) is None
    alone = {"displayName": "workflow-x", "status": "Queued"}
    assert [row["name"] for row in await steps(host, bench.raw(progressReport=alone))] == ["workflow-x"]


async def test_a_tree_of_many_steps_is_cut_and_says_so(bench: Bench, host: Client) -> None:
    many = TREE | {"children": [{"displayName": f"s{n}", "status": "Queued"} for n in range(MOST_STEPS + 1)]}
    name = bench.raw(progressReport=many)
    (row,) = (await progress(host, name, steps_of=name))["executions"]
    assert (len(row["steps"]), row["more_steps"]) == (MOST_STEPS, True)


async def test_steps_are_found_for_a_run_that_was_read_from_a_list(bench: Bench, host: Client) -> None:
    names = [bench.raw(name=f"run {n}", progressReport=TREE, startedAt=STARTED) for n in range(5)]
    found = await progress(host, *names, steps_of=names[3])
    assert [bool(row.get("steps")) for row in found["executions"]] == [False, False, False, True, False]


async def test_a_run_that_cannot_be_read_hides_no_other_and_says_why(bench: Bench, host: Client) -> None:
    name = bench.raw(startedAt=STARTED)
    found = await progress(host, name, "no-such-run")
    assert [row.get("status") for row in found["executions"]] == ["Running", None]
    assert "no-such-run" in found["executions"][1]["error"]
    assert found["pending"] == [name]
    bench.fault("* * status=503")
    found = await progress(host, name)
    assert "status" not in found["executions"][0]
    # It may still run.
    assert found["pending"] == [name]


async def test_a_hundred_runs_keep_their_names(bench: Bench, host: Client) -> None:
    names = bench.platform.seed_executions(count=100, status="Running", name="n" * 200)
    found = await progress(host, *names)
    assert {len(row["name"]) for row in found["executions"]} == {120}
    assert len(json.dumps(found)) < MOST_CHARACTERS


async def test_where_nothing_can_be_cancelled_it_says_so(bench: Bench) -> None:
    async with host_of(bench, read_only=True) as host:
        assert (await progress(host, bench.raw()))["can_cancel"] is False


async def test_an_id_that_is_none_is_refused(host: Client) -> None:
    result = await host.call_tool("show_progress", {"execution_ids": ["x" * 500]})
    assert isinstance(result, CallToolResult)
    assert error_of(result).code == "invalid_argument"
