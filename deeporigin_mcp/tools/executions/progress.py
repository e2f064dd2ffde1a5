"""How far runs are whose row in a list does not say it."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution

MOST_ASKED_FOR = 10
LONGEST_SECONDS = 3.0
"""Progress is worth a moment, not a wait: what is not told by then stays unknown."""


async def with_progress(
    client: DeepOriginClient, executions: Sequence[Execution], *, within_seconds: float = LONGEST_SECONDS
) -> list[Execution]:
    """The same executions; of the first few that run, and say nothing of how far, the progress is asked for.

    The platform gives the progress of a workflow with the execution itself, not with its row in a list.
    """
    found = [*executions]
    silent = [
        number
        for number, execution in enumerate(found)
        if execution.status == "Running" and execution.progress_percent is None
    ]

    async def ask(number: int) -> None:
        try:
            whole = await client.executions.get(found[number].execution_id)
        except DeepOriginError:
            return
        # Nothing but the progress: by now it may have ended, and the rest of the answer would not agree.
        found[number] = Execution({**found[number].raw, "progressReport": whole.get("progressReport")})

    with anyio.move_on_after(within_seconds):
        async with anyio.create_task_group() as tasks:
            for number in silent[:MOST_ASKED_FOR]:
                tasks.start_soon(ask, number)
    return found
