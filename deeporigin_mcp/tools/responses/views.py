"""What every tool returns, as an agent sees it (design 4). Fields are absent when unknown.

Names are the platform's in snake_case. Money is in USD. Times are the platform's, ISO 8601 in UTC.
"""

# Without `from __future__ import annotations`: pydantic would have to compile each annotation at a server's start.
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, PrivateAttr, WithJsonSchema

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses import failures
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS, RESULT_CHARACTERS, rows_that_fit

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


class PageView(View):
    """What only a page reads, as structured content; the text beside it is one line, and the tool bounds the size."""


class ExecutionFacts(View):
    """What every view of an execution has: times as ISO 8601, money in USD, `progress_percent` from 0 to 100.

    `failed_parts`: steps or ligands that failed, also of a run that goes on or completed.
    """

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
    failed_parts: str | None = None


class MissingRow(View):
    """What is not there, by the user's own name."""

    name: str
    reason: str


class Completeness(View):
    """How many ligands a run that ended was given, and of how many it has a result; absent where that is not known.

    `missing`: the others; `missing_count`: how many, where not all are named.
    """

    requested: int | None = None
    returned: int | None = None
    missing: list[MissingRow] | None = None
    missing_count: int | None = None

    def take(self, found: "Completeness", characters: int) -> None:
        """Take over what was found, with as many of the missing as fit into so many characters."""
        self.requested, self.returned = found.requested, found.returned
        named = found.missing or []
        self.missing = named[: rows_that_fit(named, characters)] or None
        count = found.missing_count or len(named)
        self.missing_count = count if self.missing and count > len(self.missing) else None


class WaitRow(Completeness, ExecutionFacts):
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


class ExecutionView(Completeness, ExecutionRow, Warned):
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


class WaitView(View):
    """The end of a wait. `all_done`: every id was read and has ended, which a quote has not.

    `pending`: ids not known to be over. `quoted`: how many have not been started and wait for a person's yes.
    """

    executions: list[WaitRow]
    all_done: bool
    pending: list[str]
    quoted: int | None = None
    waited_seconds: float
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
        "status_reason": one_line(failures.reason_of(execution), reason_characters) or None,
        "failed_parts": failures.failed_parts(execution),
    }


def detailed_facts(execution: Execution) -> dict[str, Any]:
    """The fields of `ExecutionRow`, with a long reason; unknown ones are None."""
    return {
        **_facts(execution, REASON_CHARACTERS),
        "started_at": one_line(execution.started_at, WORD_CHARACTERS) or None,
        "completed_at": one_line(execution.completed_at, WORD_CHARACTERS) or None,
        "project_id": one_line(execution.project_id, WORD_CHARACTERS) or None,
    }


def brief_facts(execution: Execution) -> dict[str, Any]:
    """The fields of a short row, without those that others imply."""
    facts = _facts(execution, ROW_REASON_CHARACTERS)
    if execution.is_settled:
        # The status implies it.
        facts["progress_percent"] = None
    if facts["cost"] is not None and facts["cost"] == facts["quoted_price"]:
        facts["quoted_price"] = None
    return facts


def wait_row(execution: Execution) -> WaitRow:
    return WaitRow(**brief_facts(execution))


def execution_view(execution: Execution, *, next_step: str | None = None) -> ExecutionView:
    return ExecutionView(**detailed_facts(execution), next_step=next_step).limited_to(CONCISE_CHARACTERS)
