"""Finding and understanding the platform's tools."""

from __future__ import annotations

import difflib
import re
from typing import Annotated

from pydantic import Field

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.creation import find_definition
from deeporigin_mcp.tools.executions import Detail
from deeporigin_mcp.tools.inputs import example_inputs
from deeporigin_mcp.tools.parameters import Parameters
from deeporigin_mcp.tools.pricing import price_rule
from deeporigin_mcp.tools.shaping import CONCISE_CHARACTERS, RESULT_CHARACTERS, fitted, size
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import PlatformToolListView, PlatformToolRow, PlatformToolView

SCHEMA_CHARACTERS = 9_000
TABLE_CHARACTERS = 5_500
LEAST_TABLE_CHARACTERS = 1_500
EXAMPLE_CHARACTERS = 900
MAX_RULES = 8
_WORDS = re.compile(r"[a-z0-9]+")
_NOISE = frozenset({"a", "an", "and", "for", "in", "of", "on", "the", "to", "tool", "with"})


async def find_platform_tools(
    ctx: ToolContext,
    query: Annotated[str, Field(description="Words for the task, e.g. dock ligands; empty lists all.")] = "",
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 10,
    include_disabled: Annotated[bool, Field(description="Also tools that cannot run now.")] = False,
) -> PlatformToolListView:
    """Find scientific tools that the platform can run (docking, free energies, ADMET, …), best match first.

    The first step of a new run: it gives the tool_key that describe_platform_tool and create_execution take. It
    shows the latest version of each. Free, reads only; not for runs that exist: use list_executions for those.
    """
    newest: dict[str, ToolDefinition] = {}
    client = state_of(ctx).client
    for definition in await client.tools.catalogue():
        if not client.settings.allows_tool(definition.key):
            continue
        known = newest.get(definition.key)
        if (include_disabled or definition.enabled) and (
            known is None or definition.version_numbers > known.version_numbers
        ):
            newest[definition.key] = definition
    ranked = sorted(((_score(d, query), d) for d in newest.values()), key=lambda pair: (-pair[0], pair[1].key))
    matching = [definition for score, definition in ranked if score > 0]
    shown = matching[:limit]
    next_step = None
    if shown:
        next_step = steps.call("describe_platform_tool", tool_key=shown[0].key) + " shows inputs and an example."
    elif newest:
        next_step = f"Nothing matches {one_line(query, 60)!r}; {steps.call('find_platform_tools', query='')} lists all."
    return PlatformToolListView(
        tools=[_row(definition) for definition in shown],
        count=len(matching),
        has_more=len(matching) > len(shown),
        next_step=next_step,
    )


async def describe_platform_tool(
    ctx: ToolContext,
    tool_key: Annotated[str, Field(description="Tool key, e.g. deeporigin.docking.")],
    tool_version: Annotated[
        str, Field(description="Exact version, a major such as 4, or latest.", coerce_numbers_to_str=True)
    ] = "latest",
    detail: Annotated[Detail, Field(description="detailed adds the JSON Schema.")] = "concise",
) -> PlatformToolView:
    """Describe one platform tool: a table of its inputs, the rules among them, its price if known, and an example.

    Call it before create_execution, whose inputs must fit. The example is valid: replace its molecules and files by
    the user's. Free, reads only.
    """
    client = state_of(ctx).client
    definition = await find_definition(client, tool_key, tool_version)
    others = sorted(
        (d for d in await client.tools.catalogue() if d.key == definition.key and d.version != definition.version),
        key=lambda d: d.version_numbers,
        reverse=True,
    )
    is_detailed = detail == "detailed"
    cut: list[str] = []
    example = example_inputs(definition)
    if example is not None and size(example) > EXAMPLE_CHARACTERS:
        example = None
        cut.append("example_inputs")
    # Where `sync` belongs is create_execution's business.
    table = Parameters(definition.inputs_schema, left_out=("sync",))
    rules = table.rules()[:MAX_RULES]
    cut += ["rules"] if len(rules) < len(table.rules()) else []
    room = TABLE_CHARACTERS if is_detailed else CONCISE_CHARACTERS - 1_700 - size(example) - size(rules)
    rows, was_cut = table.rows(max(room, LEAST_TABLE_CHARACTERS))
    cut += ["parameters"] if was_cut else []
    schema, was_cut = fitted(definition.inputs_schema, SCHEMA_CHARACTERS) if is_detailed else (None, False)
    cut += ["inputs_schema"] if was_cut else []
    sync = definition.sync_rule
    next_step = "create_execution with these inputs gives a price; nothing runs before confirm_execution."
    if cut and not is_detailed:
        call = steps.call("describe_platform_tool", tool_key=tool_key, tool_version=tool_version, detail="detailed")
        next_step = f"{call} has what was cut. {next_step}"
    return PlatformToolView(
        tool_key=definition.key or tool_key,
        tool_version=definition.version or tool_version,
        name=one_line(definition.name, 80) or None,
        description=one_line(definition.description, 400) or None,
        enabled=definition.enabled,
        other_versions=[one_line(d.version, 30) for d in others[:8]],
        sync="not taken" if sync.place == "none" else f"create_execution's sync; default {str(sync.default).lower()}",
        price=price_rule(definition.key),
        parameters=rows,
        rules=rules or None,
        inputs_schema=schema,
        example_inputs=example,
        cut=cut or None,
        next_step=next_step,
    ).held_to(RESULT_CHARACTERS if is_detailed else CONCISE_CHARACTERS)


def _row(definition: ToolDefinition) -> PlatformToolRow:
    return PlatformToolRow(
        tool_key=definition.key,
        tool_version=definition.version,
        name=one_line(definition.name, 80) or None,
        description=one_line(definition.description, 200) or None,
        enabled=None if definition.enabled else False,
    )


def _score(definition: ToolDefinition, query: str) -> float:
    """How well a tool fits the words: key over name over description, whole words over typing errors."""
    words = [word for word in _WORDS.findall(query.lower()) if word not in _NOISE]
    if not words:
        return 1.0
    places = ((definition.key, 3.0), (definition.name, 2.0), (definition.description, 1.0))
    vocabularies = [(set(_WORDS.findall(text.lower())), weight) for text, weight in places]
    score = sum(max(_match(word, known) * weight for known, weight in vocabularies) for word in words)
    # Of tools that fit alike, the one whose key says nothing else is meant.
    key_words = vocabularies[0][0]
    told = sum(any(_match(word, {known}) for word in words) for known in key_words)
    return score + 0.5 * told / max(1, len(key_words)) if score else 0.0


def _match(word: str, known: set[str]) -> float:
    if word in known:
        return 1.0
    if len(word) >= 3 and any(term.startswith(word) or (len(term) >= 4 and word.startswith(term)) for term in known):
        return 0.8
    return 0.5 if len(word) >= 4 and difflib.get_close_matches(word, known, n=1, cutoff=0.8) else 0.0
