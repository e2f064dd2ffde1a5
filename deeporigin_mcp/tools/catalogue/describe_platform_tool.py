"""Understanding one of the platform's tools."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.catalogue.definitions import definitions_of, find_definition
from deeporigin_mcp.tools.executions import Detail
from deeporigin_mcp.tools.pricing import price_rule
from deeporigin_mcp.tools.shaping import CONCISE_CHARACTERS, RESULT_CHARACTERS, fitted, size
from deeporigin_mcp.tools.state import ToolContext, state_of
from deeporigin_mcp.tools.views import ParameterRow, PlatformToolView

SCHEMA_CHARACTERS = 9_000
TABLE_CHARACTERS = 5_500
LEAST_TABLE_CHARACTERS = 1_500
CUT_CHARACTERS = 400
"""For saying what was cut."""
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

    Call it before create_execution, whose inputs must fit. The example shows the form: every value in it is to be
    replaced. Free, reads only.
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
    # Here and not above: a server starts without what reads schemas.
    from deeporigin_mcp.tools.inputs import example_inputs
    from deeporigin_mcp.tools.parameters import Parameters

    example = example_inputs(definition)
    if example is not None and size(example) > EXAMPLE_CHARACTERS:
        example = None
        cut.append("example_inputs")
    rules = Parameters(definition.inputs_schema).rules()
    cut += ["rules"] if len(rules) > MAX_RULES else []
    schema, was_cut = fitted(definition.inputs_schema, SCHEMA_CHARACTERS) if is_detailed else (None, False)
    cut += ["inputs_schema"] if was_cut else []
    sync = definition.sync_rule
    view = PlatformToolView(
        tool_key=definition.key or tool_key,
        tool_version=definition.version or tool_version,
        name=one_line(definition.name, 80) or None,
        description=one_line(definition.description, 400) or None,
        enabled=definition.enabled,
        other_versions=[one_line(d.version, 30) for d in others[:8]],
        sync="not taken" if sync.place == "none" else f"beside inputs; default {str(sync.default).lower()}",
        price=price_rule(definition.key),
        parameters=[],
        rules=rules[:MAX_RULES] or None,
        inputs_schema=schema,
        example_inputs=example,
        next_step=_next_step(example is not None),
    )
    more = steps.call("describe_platform_tool", tool_key=tool_key, tool_version=tool_version, detail="detailed")
    more += " has what was cut. "
    if is_detailed:
        view.parameters, cut_rows = _table(definition.inputs_schema, TABLE_CHARACTERS, 0)
    else:
        room = CONCISE_CHARACTERS - size(view.model_dump(mode="json", exclude_none=True)) - len(more) * bool(cut)
        view.parameters, cut_rows = _table(definition.inputs_schema, room, len(more) + CUT_CHARACTERS)
    view.cut = [*cut, *cut_rows] or None
    if view.cut and not is_detailed:
        view.next_step = f"{more}{view.next_step}"
    return view.held_to(RESULT_CHARACTERS if is_detailed else CONCISE_CHARACTERS)


def _table(schema: dict[str, Any], room: int, more: int) -> tuple[list[ParameterRow], list[str]]:
    """As much of the table as the room takes, and what was cut, for whose telling so much more room is needed.

    The fields that a definition gives to several parameters are told once unless there is much room; the names that
    people have for the values of enumerations go before rows do.
    """
    forms = ((True, True), (False, True), (False, False))
    from deeporigin_mcp.tools.parameters import Parameters

    for repeating, with_names in forms if room >= TABLE_CHARACTERS else forms[1:]:
        # Where `sync` belongs is create_execution's business.
        table = Parameters(schema, left_out=("sync",), with_names=with_names, repeating=repeating)
        rows, cut = table.rows(room)
        if cut:
            rows, cut = table.rows(max(room - more, LEAST_TABLE_CHARACTERS))
        if len(rows) == table.count:
            break
    return rows, cut


def _next_step(has_example: bool) -> str:
    if not has_example:
        return "create_execution prices inputs of these forms; confirm_execution starts the run."
    return (
        "example_inputs shows the form: replace every value. create_execution prices, confirm_execution starts a run."
    )
