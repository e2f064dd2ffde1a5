"""The progress of executions whose row in a list does not have it."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution

MOST_REQUESTS = 10
LONGEST_SECONDS = 3.0
"""Progress is worth a moment, not a wait: later than this it stays unknown."""


async def with_progress(
    client: DeepOriginClient, executions: Sequence[Execution], *, within_seconds: float = LONGEST_SECONDS
) -> list[Execution]:
    """The same executions; the first few that run without a progress are read again for it.

    The platform gives the progress of a workflow with the execution itself, not with its row in a list.
    """
    found = [*executions]
    without = [
        number
        for number, execution in enumerate(found)
        if execution.status == "Running" and execution.progress_percent is None
    ]

    async def read(number: int) -> None:
        try:
            whole = await client.executions.get(found[number].execution_id)
        except DeepOriginError:
            return
        # Nothing but the progress: by now it may have ended, and the rest would not agree with the list.
        found[number] = Execution({**found[number].raw, "progressReport": whole.get("progressReport")})

    with anyio.move_on_after(within_seconds):
        async with anyio.create_task_group() as tasks:
            for number in without[:MOST_REQUESTS]:
                tasks.start_soon(read, number)
    return found
