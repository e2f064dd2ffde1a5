"""What the runs of a list come to, by tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.money import total
from deeporigin_mcp.tools.views import NAME_CHARACTERS, ToolTotal

MOST_TOOLS = 20


def totals_of(executions: Iterable[Execution]) -> list[ToolTotal]:
    """One row for each tool, those with most runs first; at most `MOST_TOOLS`, as more would leave no room for rows.

    `cost` is what was billed for, `quoted_price` what the others would cost; neither is there if no run has one.
    """
    by_tool: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        by_tool[execution.tool_key].append(execution)
    largest = sorted(by_tool.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        ToolTotal(
            tool_key=one_line(tool_key, NAME_CHARACTERS),
            count=len(runs),
            quoted_price=total(run.quoted_price for run in runs if run.cost is None),
            cost=total(run.cost for run in runs),
        )
        for tool_key, runs in largest[:MOST_TOOLS]
    ]
