"""Totals of the executions of a list, by tool and of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records import money
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, Number, View

MOST_TOOLS = 20
"""More rows would leave no room for the runs themselves."""


class ToolTotal(View):
    """Count and sums in USD of one tool's executions; `unpriced`: how many have neither a price nor a cost."""

    tool_key: str
    count: int
    quoted_price: Number | None = None
    cost: Number | None = None
    unpriced: int | None = None


class GrandTotal(View):
    """Count and sums in USD of all executions of a list."""

    tools: int
    count: int
    quoted_price: Number | None = None
    cost: Number | None = None
    unpriced: int | None = None


def totals_by_tool(executions: Iterable[Execution]) -> tuple[list[ToolTotal], GrandTotal]:
    """One row for each tool, the dearest first, and the total of all.

    Where there are more than `MOST_TOOLS`, the last row is the total of the further ones, so that the rows add up.
    `cost` is the sum of what was billed, `quoted_price` that of the others; null if no run has one. A quote that
    cannot run any more costs nothing; `unpriced` counts the runs that are in neither sum.
    """
    by_tool: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        by_tool[execution.tool_key].append(execution)
    rows = {key: _total(one_line(key, NAME_CHARACTERS), runs) for key, runs in by_tool.items()}
    dearest = sorted(
        rows, key=lambda key: (-(rows[key].cost or 0), -(rows[key].quoted_price or 0), -rows[key].count, key)
    )
    shown = [rows[key] for key in dearest]
    if len(shown) > MOST_TOOLS:
        rest = dearest[MOST_TOOLS - 1 :]
        runs = [run for key in rest for run in by_tool[key]]
        shown = [*shown[: MOST_TOOLS - 1], _total(f"{len(rest)} further tools", runs)]
    everything = _total("", [run for runs in by_tool.values() for run in runs])
    return shown, GrandTotal(tools=len(rows), **everything.model_dump(exclude={"tool_key"}))


def _total(tool_key: str, runs: Sequence[Execution]) -> ToolTotal:
    unbilled = [run for run in runs if run.cost is None and (was_started(run) or not run.is_terminal)]
    priced = [run for run in unbilled if run.quoted_price is not None and not run.price_is_partial]
    return ToolTotal(
        tool_key=tool_key,
        count=len(runs),
        quoted_price=money.total(run.quoted_price for run in priced),
        cost=money.total(run.cost for run in runs),
        unpriced=len(unbilled) - len(priced) or None,
    )
