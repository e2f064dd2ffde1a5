"""What listing and searching share: how much room their rows have, and why nothing was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deeporigin_mcp.tools.catalogue.definitions import unknown_tool
from deeporigin_mcp.tools.responses.size_limit import (
    CONCISE_CHARACTERS,
    RESULT_CHARACTERS,
    size,
)
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.workspace.projects import unknown_project

ENVELOPE_CHARACTERS = 500
"""What a list takes beside its rows and the arguments that its next call repeats."""
MOST_REPEATED_BRIEFLY = 1_000
MAX_KEYS_EXPLAINED = 5

PAGE_SIZE = 20
MOST_ROWS = 200
"""Rows of a page at most: of so many an answer has room for id and status at least."""


def room_for(is_concise: bool, repeated: dict[str, Any], summed: int = 0) -> tuple[int, int]:
    """Characters for an answer, and for its rows: the next call repeats what was asked, however long that is.

    Args:
        summed: what totals take, for which there is room beside the rows.
    """
    asked = size(repeated)
    most = CONCISE_CHARACTERS if is_concise and asked <= MOST_REPEATED_BRIEFLY else RESULT_CHARACTERS
    most = min(most + summed, RESULT_CHARACTERS)
    return most, most - summed - ENVELOPE_CHARACTERS - min(asked, RESULT_CHARACTERS // 2)


async def why_nothing(state: ServerState, tool_keys: Sequence[str], project_id: str | None) -> str | None:
    """Which of the filters of a list that found nothing name a tool or project that does not exist."""
    told = [await unknown_tool(state, key) for key in tool_keys[:MAX_KEYS_EXPLAINED]]
    if project_id:
        told.append(await unknown_project(state.client, project_id))
    return " ".join(filter(None, told)) or None
