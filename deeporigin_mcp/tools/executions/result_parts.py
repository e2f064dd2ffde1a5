"""Big fields of an execution or of one result row, and the cursors that read what of them was cut."""

from __future__ import annotations

import re
from typing import Any

from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.details import big_fields
from deeporigin_mcp.tools.executions.result_columns import facts_of
from deeporigin_mcp.tools.executions.result_pages import invalid_cursor
from deeporigin_mcp.tools.executions.results_view import ExecutionResultsView
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, Summary, part_at

ROOM = RESULT_CHARACTERS - 3_000
"""Leaves room for the next call, whose cursor may be long, and for the escapes of other JSON encoders."""
_PART = re.compile(r"(?:(outputs|inputs|billing|metadata|progress|prices)|row:([^:@]+)):([\d.]*)@(\d+)")


def part_in(cursor: str | None) -> re.Match[str] | None:
    """The part that a cursor reads; None for a page of rows."""
    return _PART.fullmatch(cursor) if cursor else None


async def part_view(client: DeepOriginClient, execution: Execution, match: re.Match[str]) -> ExecutionResultsView:
    """A big field of the execution or of one row, or the rest of it."""
    field, row_id, start = match[1], match[2], int(match[4][:12])
    place = tuple(int(step[:9]) for step in match[3].split(".") if step)
    whole: Any
    if field:
        whole, summary = big_fields(execution)[field], Summary(f"{field}:", place)
    else:
        page = await client.results.page(
            compute_job_id=execution.execution_id, project_id=execution.project_id or None, row_id=row_id, limit=1
        )
        row = next((row for row in rows_of(page) if row.get("id") == row_id), None)
        if row is None:
            raise invalid_cursor(match[0])
        whole = facts_of(row)
        summary = Summary(f"row:{row_id}:", place)
    value = part_at(whole, place)
    if value is None or start > len(value):
        raise invalid_cursor(match[0])
    shown, following = summary.slice(value, start, ROOM)
    has_more = following < len(value)
    view = ExecutionResultsView.of(execution)
    view.has_more = has_more or summary.is_cut
    setattr(view, field or "row", shown)
    if has_more:
        view.next_cursor = summary.cursor(place, following)
        view.next_step = reads_on(execution, cursor=view.next_cursor)
    elif summary.is_cut:
        view.next_cursor = summary.first_cursor(shown)
        view.next_step = reads_cut(execution, view.next_cursor)
    return view


def reads_on(execution: Execution, **arguments: Any) -> str:
    chosen = {key: value for key, value in arguments.items() if value}
    return f"{steps.call('get_execution_results', execution_id=execution.execution_id, **chosen)} reads on."


def reads_cut(execution: Execution, cursor: str) -> str:
    call = steps.call("get_execution_results", execution_id=execution.execution_id, cursor=cursor)
    return f"{call} reads what was cut there; each cursor above reads its own part."
