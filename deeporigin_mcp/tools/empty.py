"""Why a list or a search found nothing: a filter that can match nothing is named, with what it was meant for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.catalogue.definitions import unknown_tool
from deeporigin_mcp.tools.projects import unknown_project
from deeporigin_mcp.tools.state import ServerState

MAX_KEYS_EXPLAINED = 5
LONGEST_CALL = 1_500
"""Characters of a call that is repeated with the right value."""


async def why_nothing(
    state: ServerState,
    tool: str,
    given: Mapping[str, Any],
    *,
    tool_keys: Sequence[str] = (),
    project_id: str | None = None,
) -> str | None:
    """What is wrong with the filters of a call that found nothing, and the call that is right; None if nothing is.

    Args:
        tool: the tool that was called.
        given: its arguments, to repeat them with the right value.
    """
    told: list[str] = []
    right = {name: value for name, value in given.items() if value}
    for key in tool_keys[:MAX_KEYS_EXPLAINED]:
        if unknown := await unknown_tool(state, key):
            told.append(unknown.told)
            if unknown.meant:
                _replace(right, key, unknown.meant)
            else:
                told.append(f"{steps.call('find_platform_tools', query=one_line(key, 80))} finds tools.")
    if project_id and (project := await unknown_project(state.client, project_id)):
        told.append(project.told)
        if project.meant:
            _replace(right, project_id, project.meant)
    if not told:
        return None
    again = steps.call(tool, **right)
    if right != {name: value for name, value in given.items() if value} and len(again) <= LONGEST_CALL:
        told.append(f"{again} looks there.")
    return " ".join(told)


def _replace(arguments: dict[str, Any], wrong: str, right: str) -> None:
    for name in ("tool_key", "project_id"):
        if arguments.get(name) == wrong:
            arguments[name] = right
    if keys := arguments.get("tool_keys"):
        arguments["tool_keys"] = [right if key == wrong else key for key in keys]
