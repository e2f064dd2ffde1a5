"""What get_execution_results returns."""

from __future__ import annotations

from typing import Any, Self

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS, Completeness, View


class ResultColumn(View):
    """A numeric column of results. `better`: which values are, lower or higher."""

    column: str
    unit: str | None = None
    better: str | None = None
    range: str | None = None
    meaning: str | None = None


class ResultsRead(View):
    """What is read of a run itself: what a cursor reads of a field comes under the field's own name; of a row, under
    `row`.
    """

    execution_id: str
    status: str
    status_reason: str | None = None
    failed_parts: str | None = None
    outputs: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    billing: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    prices: dict[str, Any] | None = None
    row: dict[str, Any] | None = None


class ExecutionResultsView(Completeness, ResultsRead):
    """Results of a run: `outputs` are in its record, or files that it was to write; `rows` are in the result store.

    It says what is missing only of a run that gave fewer than it was given. `next_cursor` reads on. With best_per:
    `best_by` what, of how many `groups`, out of `rows_read`.
    """

    best_by: str | None = None
    groups: int | None = None
    rows_read: int | None = None
    columns: list[ResultColumn] | None = None
    not_documented_by_the_tool: list[str] | None = None
    rows: list[dict[str, Any]] | None = None
    note: str | None = None
    result_types: list[str] | None = None
    has_more: bool
    next_cursor: str | None = None
    next_step: str | None = None

    @classmethod
    def of(cls, execution: Execution) -> Self:
        """A view of an execution, still without results."""
        return cls(
            execution_id=execution.execution_id, status=one_line(execution.status, WORD_CHARACTERS), has_more=False
        )
