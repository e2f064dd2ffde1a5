"""Understanding one of the platform's tools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.definitions import definitions_of, find_definition
from deeporigin_mcp.tools.inputs import example_inputs
from deeporigin_mcp.tools.shaping import fitted
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import PlatformToolView

SCHEMA_CHARACTERS = 14_000


async def describe_platform_tool(
    ctx: ToolContext,
    tool_key: Annotated[str, Field(description="Tool key, e.g. deeporigin.docking.", min_length=1)],
    tool_version: Annotated[
        str, Field(description="Exact version, a major such as 4, or latest.", coerce_numbers_to_str=True, min_length=1)
    ] = "latest",
) -> PlatformToolView:
    """Describe one platform tool: the JSON Schema of its inputs, which are required, and a worked example.

    Call it before create_execution, whose inputs must fit this schema. The example shows the form: replace its
    molecules and files by the user's. Free, reads only.
    """
    state = state_of(ctx)
    definition = await find_definition(state, tool_key, tool_version)
    others = sorted(
        (d for d in await definitions_of(state) if d.key == definition.key and d.version != definition.version),
        key=lambda d: d.version_numbers,
        reverse=True,
    )
    schema, was_cut = fitted(definition.inputs_schema, SCHEMA_CHARACTERS)
    example = example_inputs(definition)
    sync = definition.sync_rule
    required = definition.inputs_schema.get("required")
    return PlatformToolView(
        tool_key=definition.key or tool_key,
        tool_version=definition.version or tool_version,
        name=one_line(definition.name, 120) or None,
        description=one_line(definition.description, 1000) or None,
        enabled=definition.enabled,
        other_versions=[d.version for d in others[:20]],
        sync="not taken" if sync.place == "none" else f"create_execution's sync; default {str(sync.default).lower()}",
        required_inputs=[str(name) for name in required] if isinstance(required, list) else [],
        inputs_schema=schema,
        example_inputs=example,
        cut=["inputs_schema"] if was_cut else None,
        next_step="create_execution with these inputs gives a price; nothing runs before confirm_execution.",
    )
