"""The pages inside the Inspector, which is not ours, and whose policy is the strictest known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.inspector import inspected
from tests.browser.results import colours, drawn
from tests.support.bench import Bench
from tests.support.brd4 import run_of_brd4
from tests.support.people import quoted
from tests.support.run_files import FilesOfRuns

pytestmark = pytest.mark.anyio


async def test_the_monitor_reads_the_run_again_until_it_is_over(bench: Bench, chromium: Any, tmp_path: Path) -> None:
    name = bench.raw(name="Screen", startedAt="2026-10-05T08:02:00.000Z", progressReport={"complete": 40})
    arguments = {"execution_ids": [name], "timeout_seconds": 0}
    async with inspected(chromium, bench.server(), tmp_path, "wait_executions", arguments) as frame:
        await frame.locator("#read", has_text="Live").wait_for()
        assert "40 %" in await frame.inner_text("td.state")
        bench.platform.executions[name].stored |= {"status": "Completed", "completedAt": "2026-10-05T09:02:00.000Z"}
        await frame.locator("#summary", has_text="Over: Completed.").wait_for()


async def test_the_card_starts_the_run(bench: Bench, chromium: Any, tmp_path: Path) -> None:
    name = quoted(bench, 5, name="Kinase screen")
    server = bench.server(approval=("app",))
    arguments = {"execution_id": name, "wait_seconds": 0}
    async with inspected(chromium, server, tmp_path, "confirm_execution", arguments) as frame:
        assert not bench.platform.confirms
        # By key: rows and buttons may move under a pointer while the Inspector makes room.
        await frame.press("#start:enabled", "Enter")
        await frame.locator("#outcome", has_text="Started: ").wait_for()
        assert bench.platform.confirms == [name]


async def test_a_pose_is_fetched_and_drawn(bench: Bench, chromium: Any, tmp_path: Path) -> None:
    arguments = {"execution_id": run_of_brd4(FilesOfRuns(bench))}
    async with inspected(chromium, bench.server(), tmp_path, "get_execution_results", arguments) as frame:
        await frame.locator("tbody", has_text="crotyl").wait_for()
        await frame.press("tbody tr:has-text('allyl') button", "Enter")
        await frame.locator("#pose-text", has_text="ASN 140").wait_for()
        await drawn(frame, lambda picture: colours(picture) > 300)
