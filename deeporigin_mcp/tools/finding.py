"""Finding the platform's tool for a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.definitions import allowed_definitions, idle_rules
from deeporigin_mcp.tools.nearness import nearest
from deeporigin_mcp.tools.ranking import Match, lexicon_of, matches, ranked, words_of
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import PlatformToolListView, PlatformToolRow

MAX_WORDS_SUGGESTED = 5


async def find_platform_tools(
    ctx: ToolContext,
    query: Annotated[str, Field(description="Words for the task, e.g. dock ligands; empty lists all.")] = "",
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 10,
    include_disabled: Annotated[bool, Field(description="Also tools that cannot run now.")] = False,
) -> PlatformToolListView:
    """Find scientific tools that the platform can run (docking, free energies, ADMET, …), best match first.

    The first step of a new run: it gives the tool_key that describe_platform_tool and create_execution take.
    Shows each tool's latest version. Free, reads only; not for runs that exist: use list_executions for those.
    """
    newest: dict[str, ToolDefinition] = {}
    for definition in await allowed_definitions(state_of(ctx)):
        known = newest.get(definition.key)
        if (include_disabled or definition.enabled) and (
            known is None or definition.version_numbers > known.version_numbers
        ):
            newest[definition.key] = definition
    matching = matches(newest.values(), query)
    shown = matching[:limit]
    next_step = None
    if shown:
        next_step = steps.call("describe_platform_tool", tool_key=shown[0].tool.key) + " shows inputs and an example."
    elif newest:
        next_step = _nothing_found(query, list(newest.values()))
    else:
        next_step = await idle_rules(state_of(ctx))
    return PlatformToolListView(
        tools=[_row(found) for found in shown],
        count=len(matching),
        has_more=len(matching) > len(shown),
        next_step=next_step,
    )


def _nothing_found(query: str, definitions: Sequence[ToolDefinition]) -> str:
    lexicon = lexicon_of(definitions)
    near = [term for word in words_of(query)[:MAX_WORDS_SUGGESTED] for term in nearest(word, lexicon, cutoff=0.55)]
    # A word of the vocabulary need not lead to a tool of this catalogue.
    leading = [word for word in dict.fromkeys(near) if ranked(definitions, word)][:MAX_WORDS_SUGGESTED]
    told = f"Nothing matches {one_line(query, 60)!r}."
    if leading:
        told += f" Nearest words: {', '.join(leading)}; {steps.call('find_platform_tools', query=leading[0])}."
    return f"{told} {steps.call('find_platform_tools', query='')} lists all."


def _row(found: Match) -> PlatformToolRow:
    definition = found.tool
    return PlatformToolRow(
        tool_key=definition.key,
        tool_version=definition.version,
        name=one_line(definition.name, 80) or None,
        description=one_line(definition.description, 200) or None,
        enabled=None if definition.enabled else False,
        matched=one_line(found.value or "", 80) or None,
    )
