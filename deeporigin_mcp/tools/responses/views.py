"""What every tool returns, as an agent sees it (design 4). Fields are absent when unknown.

Names are the platform's in snake_case. Money is in USD. Times are the platform's, ISO 8601 in UTC.
"""

# Without `from __future__ import annotations`: pydantic would have to compile each annotation at a server's start.
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, PrivateAttr, WithJsonSchema

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS, RESULT_CHARACTERS

NAME_CHARACTERS = 120
WORD_CHARACTERS = 60
"""For what is one word on a healthy platform: a status, a version, a time, an id."""
REASON_CHARACTERS = 1000
ROW_REASON_CHARACTERS = 160

Number = Annotated[Decimal, PlainSerializer(float, return_type=float), WithJsonSchema({"type": "number"})]
"""A decimal here and a number in JSON: a float keeps 15 digits of a price."""


class View(BaseModel):
    """The base of all results. An unknown field is a bug of ours."""

    # Built by the first result: a server that starts needs the fields only.
    model_config = ConfigDict(extra="forbid", defer_build=True)

    _at_most: int = PrivateAttr(RESULT_CHARACTERS)
    _meta: dict[str, Any] | None = PrivateAttr(None)

    @property
    def at_most(self) -> int:
        """Characters that the response may take, as JSON and as text."""
        return self._at_most

    def limited_to(self, characters: int) -> Self:
        """The view, with another limit."""
        self._at_most = characters
        return self

    @property
    def meta(self) -> dict[str, Any] | None:
        """What no model sees: the result's `_meta`, for the page that a client shows beside it."""
        return self._meta

    def with_meta(self, meta: dict[str, Any] | None) -> Self:
        """The view, with that."""
        self._meta = meta
        return self


class LineItemView(View):
    code: str
    name: str | None = None
    quantity: Number | None = None
    unit_price: Number | None = None
    total: Number | None = None


class ExecutionFacts(View):
    """What every view of an execution has: times as ISO 8601, money in USD, `progress_percent` from 0 to 100."""

    execution_id: str
    name: str | None = None
    tool_key: str | None = None
    tool_version: str | None = None
    status: str | None = None
    progress_percent: float | None = None
    quoted_price: Number | None = None
    cost: Number | None = None
    cost_state: str | None = None
    created_at: str | None = None
    runtime_seconds: float | None = None
    status_reason: str | None = None


class WaitRow(ExecutionFacts):
    """An execution after a wait. Where `error` says why it could not be read, its state is that of `last_seen_at`."""

    last_seen_at: str | None = None
    error: str | None = None


class ExecutionRow(ExecutionFacts):
    """One execution of a list; `started_at`, `completed_at` and `project_id` are in detailed rows only."""

    started_at: str | None = None
    completed_at: str | None = None
    project_id: str | None = None


class Warned(View):
    """A view whose text begins with a warning: money was spent that nobody approved."""

    warning: str | None = None


class ExecutionView(ExecutionRow, Warned):
    """One execution. `outputs`: of a run that ended within the call, if they are small. `changes`: from `like`.

    `input_warnings`: doubtful or repeated inputs, after its creation. `look_for`: while `approval` is pending, where
    the person finds the question.
    """

    outputs: dict[str, Any] | None = None
    input_warnings: list[str] | None = None
    changes: list[str] | None = None
    approval: Literal["pending"] | None = None
    look_for: str | None = None
    next_step: str | None = None


class ExecutionDetailView(ExecutionRow, Warned):
    """One execution with all that is known of it; `cut` names fields that are not shown whole."""

    data_platform_id: str | None = None
    created_by: str | None = None
    hidden: bool | None = None
    cluster_id: str | None = None
    inputs_hash: str | None = None
    price_items: list[LineItemView] | None = None
    progress: list[str] | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    billing: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    session: str | None = None
    record: dict[str, Any] | None = None
    cut: list[str] | None = None
    next_step: str | None = None

    @classmethod
    def of(cls, short: ExecutionView) -> Self:
        """A detailed view with the fields of a short one."""
        return cls(**{name: value for name, value in short if name in cls.model_fields})


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


class ListedExecution(ExecutionRow):
    """One execution of a list. Equal inputs of a tool have an equal `inputs_hash`, whatever its version."""

    created_by: str | None = None
    project: str | None = None
    inputs_summary: str | None = None
    inputs_hash: str | None = None
    hidden: bool | None = None
    session: str | None = None
    cluster_id: str | None = None


class RepeatedInputs(View):
    """Inputs that were started more than once; `execution_ids`: some of those runs that have no row here."""

    inputs_hash: str
    count: int
    cost: Number | None = None
    execution_ids: list[str] | None = None


class ExecutionListView(View):
    """A page of a list. `cut` names columns that were dropped so that all rows of the page fit.

    `same_in_all` holds what all rows have in common. `filtered_from`: how many runs this server read to apply filters
    that the platform lacks. `hidden_left_out`: how many of those were hidden, else of this page; while only this page
    was read, `count` has hidden ones too.
    """

    same_in_all: dict[str, Any] | None = None
    executions: list[ListedExecution]
    repeated: list[RepeatedInputs] | None = None
    totals: list[ToolTotal] | None = None
    total: GrandTotal | None = None
    count: int
    page: int
    page_size: int
    has_more: bool
    filtered_from: int | None = None
    hidden_left_out: int | None = None
    cut: list[str] | None = None
    next_step: str | None = None


class SearchRow(BaseModel):
    """A row of the data platform; with `select`, its columns."""

    model_config = ConfigDict(extra="allow", defer_build=True)

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
    """Rows of a search. `next_offset`: the offset of the next page."""

    rows: list[SearchRow]
    limit: int
    offset: int
    total_count: int | None = None
    has_more: bool
    next_offset: int | None = None
    cut: list[str] | None = None
    next_step: str | None = None


class LogRow(View):
    time: str | None = None
    level: str | None = None
    message: str


class ExecutionLogsView(View):
    """Lines of a log, newest first. `next_offset`: the offset of the next page."""

    execution_id: str
    rows: list[LogRow]
    offset: int
    has_more: bool
    next_offset: int | None = None
    note: str | None = None
    next_step: str | None = None


class MissingRow(View):
    """What is not there, by the user's own name."""

    name: str
    reason: str


class ExecutionResultsView(View):
    """Results of a run: `outputs` are in its record, or files that it was to write; `rows` are in the result store.

    `requested`, `returned`: ligands of a run that gave fewer than it was given; `missing`: the others. `next_cursor`
    reads on. What a cursor reads of another field comes under that field's own name; of a row, under
    `row`.
    """

    execution_id: str
    status: str
    outputs: dict[str, Any] | None = None
    inputs: dict[str, Any] | None = None
    billing: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    prices: dict[str, Any] | None = None
    row: dict[str, Any] | None = None
    requested: int | None = None
    returned: int | None = None
    missing: list[MissingRow] | None = None
    missing_count: int | None = None
    rows: list[dict[str, Any]] | None = None
    result_types: list[str] | None = None
    has_more: bool
    next_cursor: str | None = None
    next_step: str | None = None


class WaitView(View):
    """The end of a wait. `all_done`: every id was read and is over. `pending`: ids not known to be over."""

    executions: list[WaitRow]
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
    featured: bool | None = None
    matched: str | None = None


class PlatformToolListView(View):
    """`matched` names values of a tool's inputs by which it was found; `others` are keys of other tools."""

    tools: list[PlatformToolRow]
    others: list[str] | None = None
    count: int
    has_more: bool
    next_step: str | None = None


class PlatformToolView(View):
    """One version of a tool. `enabled` is there only where it is false: such a version cannot run."""

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
    """The limits, and what has been spent and is left, all in USD. An absent limit is not set.

    `counted` says over what period and for whom `spent` and `left` count; `asked_by`: the ways to a person.
    """

    auto_approve_up_to: Number
    max_price: Number | None = None
    budget: Number | None = None
    spent: Number | None = None
    left: Number | None = None
    counted: str | None = None
    max_per_day: Number | None = None
    spent_in_24_hours: Number | None = None
    asked_by: list[str] | None = None


class WorkspaceView(View):
    organization: str
    user: str | None = None
    environment: str
    session: str
    project_id: str | None = None
    projects: list[ProjectRow]
    files: list[str] | None = None
    clusters: list[ClusterRow]
    spending: SpendingView
    time: str
    token_expires_at: str | None = None
    read_only: bool
    services: dict[str, str]
    problems: list[str] | None = None
    next_step: str | None = None


def _facts(execution: Execution, reason_characters: int) -> dict[str, Any]:
    """The fields of `ExecutionFacts`; unknown ones are None."""
    return {
        "execution_id": execution.execution_id,
        "name": one_line(execution.name, NAME_CHARACTERS) or None,
        "tool_key": one_line(execution.tool_key, NAME_CHARACTERS) or None,
        "tool_version": one_line(execution.tool_version, WORD_CHARACTERS) or None,
        "status": one_line(execution.status, WORD_CHARACTERS),
        "progress_percent": execution.progress_percent,
        # A partial price would look like the whole one.
        "quoted_price": None if execution.price_is_partial else execution.quoted_price,
        "cost": execution.cost,
        "cost_state": execution.cost_state or None,
        "created_at": one_line(execution.created_at, WORD_CHARACTERS) or None,
        "runtime_seconds": execution.runtime_seconds,
        "status_reason": one_line(execution.status_reason, reason_characters) or None,
    }


def execution_row(execution: Execution, *, detailed: bool = False) -> ExecutionRow:
    """A row of a list; a detailed one has every field."""
    if detailed:
        return ExecutionRow(**_facts(execution, REASON_CHARACTERS), **_where_and_when(execution))
    return ExecutionRow(**_brief(execution))


def wait_row(execution: Execution) -> WaitRow:
    return WaitRow(**_brief(execution))


def execution_view(execution: Execution, *, next_step: str | None = None) -> ExecutionView:
    view = ExecutionView(**_facts(execution, REASON_CHARACTERS), **_where_and_when(execution), next_step=next_step)
    return view.limited_to(CONCISE_CHARACTERS)


def _brief(execution: Execution) -> dict[str, Any]:
    """The facts of a short row, without those that others imply."""
    facts = _facts(execution, ROW_REASON_CHARACTERS)
    if execution.is_settled:
        # The status implies it.
        facts["progress_percent"] = None
    if facts["cost"] is not None and facts["cost"] == facts["quoted_price"]:
        facts["quoted_price"] = None
    return facts


def _where_and_when(execution: Execution) -> dict[str, Any]:
    return {
        "started_at": one_line(execution.started_at, WORD_CHARACTERS) or None,
        "completed_at": one_line(execution.completed_at, WORD_CHARACTERS) or None,
        "project_id": one_line(execution.project_id, WORD_CHARACTERS) or None,
    }
