"""Understanding one of the platform's tools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.definitions import definitions_of, find_definition
from deeporigin_mcp.tools.executions import Detail
from deeporigin_mcp.tools.inputs import example_inputs
from deeporigin_mcp.tools.parameters import Parameters
from deeporigin_mcp.tools.pricing import price_rule
from deeporigin_mcp.tools.shaping import CONCISE_CHARACTERS, RESULT_CHARACTERS, fitted, size
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import PlatformToolView

SCHEMA_CHARACTERS = 9_000
TABLE_CHARACTERS = 5_500
LEAST_TABLE_CHARACTERS = 1_500
EXAMPLE_CHARACTERS = 900
MAX_RULES = 8


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
    state = state_of(ctx)
    definition = await find_definition(state, tool_key, tool_version)
    others = sorted(
        (d for d in await definitions_of(state) if d.key == definition.key and d.version != definition.version),
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
        sync="not taken" if sync.place == "none" else f"beside inputs; default {str(sync.default).lower()}",
        price=price_rule(definition.key),
        parameters=rows,
        rules=rules or None,
        inputs_schema=schema,
        example_inputs=example,
        cut=cut or None,
        next_step=next_step,
    ).held_to(RESULT_CHARACTERS if is_detailed else CONCISE_CHARACTERS)
