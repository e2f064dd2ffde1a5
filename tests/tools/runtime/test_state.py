"""What outlives a call does not grow with the calls."""

from __future__ import annotations

import anyio
import pytest

from deeporigin_mcp.tools.runtime.state import MAX_ENDED_TRANSFERS, BackgroundWork, open_state
from tests.support.bench import Bench

pytestmark = pytest.mark.anyio


async def test_outcomes_that_nobody_asks_for_again_are_forgotten_the_oldest_first(bench: Bench) -> None:
    async with open_state(bench.connect(bench.settings())) as state:
        running = state.transfers["running"] = BackgroundWork(anyio.sleep_forever)
        await running.result(state, 0)
        for number in range(MAX_ENDED_TRANSFERS + 5):
            state.transfers[str(number)] = BackgroundWork(anyio.lowlevel.checkpoint)
            await state.transfers[str(number)].result(state, 5)
        state.forget_ended_transfers()
        assert [*state.transfers] == ["running", *map(str, range(5, MAX_ENDED_TRANSFERS + 5))]
