"""What every tool returns: the shapes that an agent sees (design 3). Fields are absent when unknown.

Names are the platform's ideas in snake_case; money is USD; times are the platform's ISO texts in UTC.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line

NAME_CHARACTERS = 120
REASON_CHARACTERS = 1000
ROW_REASON_CHARACTERS = 160


class View(BaseModel):
    """The base of all answers: known fields only, unknown ones are a bug of ours."""

    model_config = ConfigDict(extra="forbid")


class LineItemView(View):
    code: str
    name: str | None = None
    quantity: float | None = None
    unit_price: float | None = None
    total: float | None = None


class ExecutionRow(View):
    """One execution among many: what is needed to pick one."""

    execution_id: str
    name: str | None = None
    tool_key: str | None = None
    tool_version: str | None = None
    status: str | None = None
    progress_percent: float | None = None
    quoted_price: float | None = None
    cost: float | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    runtime_seconds: float | None = None
    status_reason: str | None = None
    project_id: str | None = None
    error: str | None = None


class ExecutionView(ExecutionRow):
    """One execution by itself. From `price_items` on, only in detailed answers."""

    data_platform_id: str | None = None
    price_items: list[LineItemView] | None = None
    progress: list[str] | None = None
    inputs: dict[str, Any] | None = None
    outputs: Any = None
    results: list[dict[str, Any]] | None = None
    results_has_more: bool | None = None
    billing: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    session: str | None = None
    cut: list[str] | None = None
    next_step: str | None = None


class ExecutionListView(View):
    executions: list[ExecutionRow]
    count: int
    page: int
    page_size: int
    has_more: bool
    next_step: str | None = None


class SearchRow(BaseModel):
    """A data-platform row; with `select`, the columns that were asked for."""

    model_config = ConfigDict(extra="allow")

    execution_id: str | None = None
    data_platform_id: str | None = None
    name: str | None = None
    tool_key: str | None = None
    tool_version: str | None = None
    status: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    project_id: str | None = None


class SearchView(View):
    rows: list[SearchRow]
    limit: int
    offset: int
    total_count: int | None = None
    has_more: bool
    next_step: str | None = None


class WaitView(View):
    executions: list[ExecutionRow]
    all_done: bool
    pending: list[str]
    waited_seconds: float
    next_step: str | None = None


class PlatformToolRow(View):
    tool_key: str
    tool_version: str
    name: str | None = None
    description: str | None = None
    enabled: bool | None = None


class PlatformToolListView(View):
    tools: list[PlatformToolRow]
    count: int
    has_more: bool
    next_step: str | None = None


class PlatformToolView(View):
    tool_key: str
    tool_version: str
    name: str | None = None
    description: str | None = None
    enabled: bool
    other_versions: list[str]
    sync: str
    required_inputs: list[str]
    inputs_schema: dict[str, Any]
    example_inputs: dict[str, Any] | None = None
    cut: list[str] | None = None
    next_step: str | None = None


class ProjectRow(View):
    project_id: str
    name: str | None = None


class ClusterRow(View):
    cluster_id: str
    name: str | None = None
    status: str | None = None


class SpendingView(View):
    """The three limits in USD and what this session has started; an absent limit is not set."""

    auto_approve_up_to: float
    max_price: float | None = None
    budget: float | None = None
    spent: float | None = None


class WorkspaceView(View):
    organization: str
    user: str | None = None
    environment: str
    session: str
    project_id: str | None = None
    projects: list[ProjectRow]
    clusters: list[ClusterRow]
    spending: SpendingView
    token_expires_at: str | None = None
    read_only: bool
    services: dict[str, str]
    problems: list[str] | None = None
    next_step: str | None = None


ROW_FIELDS = (
    "name",
    "tool",
    "status",
    "progressReport",
    "quotationResult",
    "billingTransaction",
    "createdAt",
    "startedAt",
    "completedAt",
    "statusReason",
    "projectId",
)
"""What the platform's record needs to have for a row."""


def _facts(execution: Execution, reason_characters: int) -> dict[str, Any]:
    """The facts of one execution that both views share; unknown ones are None."""
    return {
        "execution_id": execution.execution_id,
        "name": one_line(execution.name, NAME_CHARACTERS) or None,
        "tool_key": execution.tool_key or None,
        "tool_version": execution.tool_version or None,
        "status": execution.status,
        "progress_percent": execution.progress_percent,
        "quoted_price": execution.quoted_price,
        "cost": execution.cost,
        "created_at": execution.created_at or None,
        "runtime_seconds": execution.runtime_seconds,
        "status_reason": one_line(execution.status_reason, reason_characters) or None,
    }


def execution_row(execution: Execution, *, detailed: bool = False) -> ExecutionRow:
    """A row of a list; a detailed one has all the scalar facts."""
    facts = _facts(execution, REASON_CHARACTERS if detailed else ROW_REASON_CHARACTERS)
    if detailed:
        return ExecutionRow(**facts, **_where_and_when(execution))
    if execution.is_settled:
        # The status says it already.
        facts["progress_percent"] = None
    if facts["cost"] is not None and facts["cost"] == facts["quoted_price"]:
        facts["quoted_price"] = None
    return ExecutionRow(**facts)


def execution_view(execution: Execution, *, next_step: str | None = None) -> ExecutionView:
    facts = _facts(execution, REASON_CHARACTERS)
    return ExecutionView(**facts, **_where_and_when(execution), next_step=next_step)


def _where_and_when(execution: Execution) -> dict[str, Any]:
    return {
        "started_at": execution.started_at or None,
        "completed_at": execution.completed_at or None,
        "project_id": execution.project_id or None,
    }
