"""What lists of executions share: the size of rows, the progress that rows lack, and filters by something unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.tools.catalogue.definitions import unknown_tool
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS, RESULT_CHARACTERS, size
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ServerState

ENVELOPE_CHARACTERS = 500
"""What a list takes beside its rows and the arguments that its next call repeats."""
CONCISE_ARGUMENT_CHARACTERS = 1_000
"""With longer arguments, which the next call repeats, a response may be longer than the concise size."""
MAX_KEYS_EXPLAINED = 5

PAGE_SIZE = 20
MOST_ROWS = 200
"""Rows of a page at most: a response has room for id and status of so many."""
MAX_PROGRESS_REQUESTS = 10
MAX_CONCURRENT_PROGRESS = 3
"""Each more would open one more connection, which costs more than the request."""
PROGRESS_SECONDS = 3.0
"""Progress is worth a moment, not a wait: later than this it stays unknown."""


def room_for(is_concise: bool, repeated: dict[str, Any], totals_characters: int = 0) -> tuple[int, int]:
    """Characters of a response, and of its rows: the next call repeats the arguments, however long they are.

    Args:
        totals_characters: characters of the totals beside the rows.
    """
    asked = size(repeated)
    most = CONCISE_CHARACTERS if is_concise and asked <= CONCISE_ARGUMENT_CHARACTERS else RESULT_CHARACTERS
    most = min(most + totals_characters, RESULT_CHARACTERS)
    return most, most - totals_characters - ENVELOPE_CHARACTERS - min(asked, RESULT_CHARACTERS // 2)


def cut_to(shown: int, asked: int, rows: str = "rows") -> str:
    """What a next step says of a page that is shorter than was asked for."""
    return f"Of the {asked} {rows} asked for, a response has room for {shown}."


async def unknown_filters(state: ServerState, tool_keys: Sequence[str], project_id: str | None) -> str | None:
    """Which filters of a list that found nothing name an unknown tool or project."""
    unknown = [await unknown_tool(state, key) for key in tool_keys[:MAX_KEYS_EXPLAINED]]
    if project_id:
        unknown.append(await unknown_project(state.client, project_id))
    return " ".join(filter(None, unknown)) or None


async def with_progress(
    client: DeepOriginClient, executions: Sequence[Execution], *, within_seconds: float = PROGRESS_SECONDS
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

    limiter = anyio.CapacityLimiter(MAX_CONCURRENT_PROGRESS)

    async def read(number: int) -> None:
        try:
            async with limiter:
                whole = await client.executions.get(found[number].execution_id)
        except DeepOriginError:
            return
        # Nothing but the progress: by now it may have ended, and the rest would not agree with the list.
        found[number] = Execution({**found[number].raw, "progressReport": whole.get("progressReport")})

    with anyio.move_on_after(within_seconds):
        async with anyio.create_task_group() as tasks:
            for number in without[:MAX_PROGRESS_REQUESTS]:
                tasks.start_soon(read, number)
    return found
