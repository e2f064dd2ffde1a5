"""What is said to pages that clients show, and to a model that calls their tools."""

from __future__ import annotations

import re

import pytest
from mcp_types import TextContent

from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Bench
from tests.support.hosts import asked, host_of
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]


async def test_messages_about_the_results_page(bench: Bench) -> None:
    platform = FilesOfRuns(bench)
    platform.put(**{"r/all.sdf": sdf("", 1) + sdf("", 2)})
    run = platform.run(pose("L1", 0.9, "r/all.sdf"), pose("L2", 0.8, "r/gone.sdf"), userInputs={})
    async with host_of(bench) as host:
        data = await asked(host, "read_results_page", execution_id=run)
        foreign = await asked(host, "read_results_files", execution_id=run, files=["r/all.sdf"])
        files = [shape["file"] for shape in (data.structured_content or {})["shapes"]]
        problems = (await asked(host, "read_results_files", execution_id=run, files=files)).structured_content or {}
    texts = [block.text for result in (data, foreign) for block in result.content if isinstance(block, TextContent)]
    cases = ("data", "a file of another run", "a pose that cannot be told", "a file that is gone")
    said = [*texts, *(each["problem"] for each in problems["files"])]
    shown = [re.sub(r"simulated-\d+", "ID", text) for text in said]
    assert_as_agreed("pages", dict(zip(cases, shown, strict=True)))
