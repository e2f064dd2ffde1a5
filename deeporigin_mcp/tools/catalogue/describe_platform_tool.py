"""Understanding one of the platform's tools."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.catalogue.costs_seen import costs_seen
from deeporigin_mcp.tools.catalogue.definitions import definitions_of, find_definition, versions_of
from deeporigin_mcp.tools.catalogue.pricing import MAY_START, QUOTE, UNQUOTED, price_rule
from deeporigin_mcp.tools.responses.size_limit import Summary, size
from deeporigin_mcp.tools.responses.toolsets import is_offered, step
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop

SCHEMA_CHARACTERS = 12_000
EXAMPLE_CHARACTERS = 3_000
DEPTHS = (32, 12, 8, 6, 5, 4, 3, 2, 1)
"""Levels of a schema that are tried, until one fits."""
MAX_VERSIONS = 8
MAX_UNDOCUMENTED = 20


class PlatformToolView(View):
    """One version of a tool. `enabled` is there only where it is false: such a version cannot run.

    `not_documented_by_the_tool`: inputs of which it names only the values.
    """

    tool_key: str
    tool_version: str
    name: str | None = None
    description: str | None = None
    enabled: bool | None = None
    featured: bool | None = None
    other_versions: list[str]
    sync: str
    price: str
    duration: str
    quote: str | None = None
    inputs_schema: dict[str, Any]
    not_documented_by_the_tool: list[str] | None = None
    example_inputs: dict[str, Any] | None = None
    cut: list[str] | None = None
    next_step: str | None = None


async def describe_platform_tool(
    ctx: ToolContext,
    tool_key: Annotated[str, Field(description="Tool key, e.g. deeporigin.docking.")],
    tool_version: Annotated[
        str, Field(description="Exact version, a major such as 4, or latest.", coerce_numbers_to_str=True)
    ] = "latest",
) -> PlatformToolView:
    """Describe one platform tool: the JSON Schema of its inputs, an example, and price and duration in recent runs.

    Reads only.
    """
    state = state_of(ctx)
    definition = await find_definition(state, tool_key, tool_version)
    versions = [found.version for found in versions_of(await definitions_of(state), definition.key)]
    others = [version for version in versions if version != definition.version]
    schema, unknown, example, cut = await off_loop(_read, definition)
    if len(others) > MAX_VERSIONS:
        cut.append(f"other_versions: {len(others) - MAX_VERSIONS} more")
    sync = definition.sync_rule
    seen = await costs_seen(state, definition.key)
    return PlatformToolView(
        tool_key=definition.key or tool_key,
        tool_version=definition.version or tool_version,
        name=one_line(definition.name, 80) or None,
        description=one_line(definition.description, 400) or None,
        enabled=None if definition.enabled else False,
        featured=definition.is_featured or None,
        other_versions=[one_line(version, 30) for version in others[:MAX_VERSIONS]],
        sync="not accepted" if sync.place == "none" else f"default {str(sync.default).lower()}",
        price=price_rule(definition.key, seen.price if seen else None),
        duration=(seen.duration if seen else "") or "not known",
        quote=QUOTE if _is_only_quoted(definition) and is_offered("cancel_execution", state.settings) else None,
        inputs_schema=schema,
        not_documented_by_the_tool=unknown or None,
        example_inputs=example,
        cut=cut or None,
        next_step=_next_step(definition, example, state.settings),
    )


def _read(definition: ToolDefinition) -> tuple[dict[str, Any], list[str], dict[str, Any] | None, list[str]]:
    """The cleaned schema, the inputs that it does not explain, an example, and what was cut. All may take a while."""
    # Imported here: a server starts without the schema library.
    from deeporigin_mcp.tools.catalogue.checking import example_inputs
    from deeporigin_mcp.tools.catalogue.shown_schemas import cleaned, undocumented

    cut: list[str] = []
    schema = definition.inputs_schema
    shown: dict[str, Any] = {}
    for depth in DEPTHS:
        shown = cleaned(schema, depth)
        if size(shown) <= SCHEMA_CHARACTERS:
            if depth < DEPTHS[0]:
                cut.append(f"inputs_schema: levels below {depth}, where … stands")
            break
    else:
        shown = Summary(None).of(shown, SCHEMA_CHARACTERS)
        cut.append("inputs_schema: inputs at its end")
    example = example_inputs(schema)
    if example is not None and size(example) > EXAMPLE_CHARACTERS:
        example = None
        cut.append("example_inputs")
    return shown, undocumented(shown)[:MAX_UNDOCUMENTED], example, cut


def _is_only_quoted(definition: ToolDefinition) -> bool:
    """Whether creating a run starts nothing, as far as that is known."""
    return definition.enabled and definition.key not in UNQUOTED | MAY_START


def _next_step(definition: ToolDefinition, example: dict[str, Any] | None, settings: Settings) -> str:
    if not definition.enabled:
        return "It is disabled: no run of it can be created. find_platform_tools lists tools that can run."
    then = "call create_execution for a price."
    if definition.key in UNQUOTED:
        then = "call create_execution, which asks a person and then starts it."
    if example is None:
        return step(
            settings, f"No example could be made. Write inputs that fit inputs_schema, then {then}", "create_execution"
        )
    return step(settings, f"Replace every value of example_inputs, then {then}", "create_execution")
