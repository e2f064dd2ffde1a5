"""What lists and searches share: the size of their rows, and why nothing was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deeporigin_mcp.tools.catalogue.definitions import unknown_tool
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS, RESULT_CHARACTERS, size
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.workspace.projects import unknown_project

ENVELOPE_CHARACTERS = 500
"""What a list takes beside its rows and the arguments that its next call repeats."""
MOST_REPEATED_BRIEFLY = 1_000
MAX_KEYS_EXPLAINED = 5

PAGE_SIZE = 20
MOST_ROWS = 200
"""Rows of a page at most: a response has room for id and status of so many."""


def room_for(is_concise: bool, repeated: dict[str, Any], summed: int = 0) -> tuple[int, int]:
    """Characters of a response, and of its rows: the next call repeats the arguments, however long they are.

    Args:
        summed: characters of the totals beside the rows.
    """
    asked = size(repeated)
    most = CONCISE_CHARACTERS if is_concise and asked <= MOST_REPEATED_BRIEFLY else RESULT_CHARACTERS
    most = min(most + summed, RESULT_CHARACTERS)
    return most, most - summed - ENVELOPE_CHARACTERS - min(asked, RESULT_CHARACTERS // 2)


def cut_to(shown: int, asked: int, rows: str = "rows") -> str:
    """What a next step says of a page that is shorter than was asked for."""
    return f"Of the {asked} {rows} asked for, a response has room for {shown}."


async def why_nothing(state: ServerState, tool_keys: Sequence[str], project_id: str | None) -> str | None:
    """Which filters of a list that found nothing name an unknown tool or project."""
    unknown = [await unknown_tool(state, key) for key in tool_keys[:MAX_KEYS_EXPLAINED]]
    if project_id:
        unknown.append(await unknown_project(state.client, project_id))
    return " ".join(filter(None, unknown)) or None
