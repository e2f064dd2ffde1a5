"""Reading a list with more filters than the platform has, and rows by which runs are told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from deeporigin_mcp.errors import InvalidRequestError
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.records import money
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, moment
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.executions.filters import Order
from deeporigin_mcp.tools.responses.failures import reason_of
from deeporigin_mcp.tools.responses.inputs_summary import inputs_hash, inputs_summary
from deeporigin_mcp.tools.responses.views import (
    WORD_CHARACTERS,
    ExecutionRow,
    Number,
    View,
    brief_facts,
    detailed_facts,
)
from deeporigin_mcp.tools.runtime.executions import Detail
from deeporigin_mcp.tools.runtime.people import People, created_by_one_of

SUMMARY_CHARACTERS = 80
ROW_FIELDS = (
    "name",
    "tool",
    "status",
    "progressReport",
    "quotationResult",
    "billingTransaction",
    "createdAt",
    "createdBy",
    "startedAt",
    "completedAt",
    "statusReason",
    "projectId",
    "visibility",
    "cluster",
)
"""Fields of the platform's record that a row is made of, beside `inputs_in_short`."""
SHARED = (
    "tool_key",
    "tool_version",
    "created_by",
    "project",
    "inputs_summary",
    "inputs_hash",
    "session",
    "cluster_id",
)
"""Fields that are shown once where all rows have them in common."""
_SHORT = "inputsInShort"
MAX_REPEATED, MAX_IDS = 5, 5


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


def inputs_in_short(row: Json) -> Json:
    """What rows show of a record's inputs, to be kept instead of them: a list of runs may have a million ligands.

    With the reason of its status, which may mean a ligand of the inputs.
    """
    execution = Execution(row)
    inputs = execution.inputs
    try:
        short = (inputs_summary(inputs, SUMMARY_CHARACTERS), inputs_hash(execution.tool_key, inputs))
    except RecursionError:
        short = ("", "")
    reason = reason_of(execution)
    named = {} if reason == execution.status_reason else {"statusReason": reason}
    return {_SHORT: short if inputs else ("", ""), "userInputs": {}, **named}


def hash_of(execution: Execution) -> str:
    """The hash of the inputs of a record that has them in short; empty if it has no inputs."""
    return str(execution.raw[_SHORT][1])


class Listed(NamedTuple):
    """What the platform gave: records with their inputs in short, and how many it says match in all."""

    executions: list[Execution]
    in_all: int
    is_whole: bool
    """Whether these are all that match, not only the page that was asked for."""


async def read_list(client: DeepOriginClient, query: ListQuery, page: int, page_size: int, *, is_whole: bool) -> Listed:
    """One page, or all of them where the platform's own pages or filters cannot be used."""
    try:
        found = await _read(client, query, page, page_size, is_whole=is_whole)
    except InvalidRequestError:
        if query.created_before is None:
            raise
        # It is not known whether the platform has this filter (platform-facts 10.4).
        return await _read(client, query._replace(created_before=None), page, page_size, is_whole=True)
    if not found.is_whole and len(kept(found.executions, query)) < len(found.executions):
        # Nor whether it says so if it has not.
        return await _read(client, query, page, page_size, is_whole=True)
    return found


async def _read(client: DeepOriginClient, query: ListQuery, page: int, page_size: int, *, is_whole: bool) -> Listed:
    if not is_whole:
        found = await client.listing.page(query, page, page_size)
        # A platform with smaller pages numbers them otherwise, too.
        is_whole = len(found["data"]) < min(page_size, found["count"] - page * page_size)
        rows = [{**row, **inputs_in_short(row)} for row in found["data"]]
        if not page and len(rows) == found["count"]:
            return Listed([Execution(row) for row in rows], len(rows), True)
    if is_whole:
        found = await client.listing.all(query, fields=ROW_FIELDS, also=inputs_in_short)
        rows = found["data"]
    return Listed([Execution(row) for row in rows], found["count"], is_whole)


def kept(
    executions: Sequence[Execution],
    query: ListQuery,
    people: Collection[str] | None = None,
    name_contains: str | None = None,
) -> list[Execution]:
    """Those that match what the platform may not have filtered by.

    Args:
        people: ids and addresses of those who may have created them; None for everybody.
    """
    before, words = query.created_before, (name_contains or "").casefold()
    return [
        execution
        for execution in executions
        if (people is None or created_by_one_of(execution, people))
        and (not words or words in execution.name.casefold())
        and (not isinstance(before, datetime) or (created := moment(execution.created_at)) is None or created < before)
    ]


def by_price(executions: Sequence[Execution], order: Order) -> list[Execution]:
    """Ordered by cost or quoted price; those without one are last in either direction."""

    def price(execution: Execution) -> Decimal | None:
        return execution.cost if order.field == "cost" else execution.quoted_price

    known = sorted(
        (execution for execution in executions if price(execution) is not None),
        key=lambda execution: price(execution) or 0,
        reverse=order.direction == "desc",
    )
    return [*known, *(execution for execution in executions if price(execution) is None)]


def listed_rows(
    executions: Iterable[Execution], detail: Detail, people: People, projects: Mapping[str, str]
) -> list[ListedExecution]:
    """Rows of records that have their inputs in short.

    Args:
        projects: names of the projects that are worth a word, by id.
    """
    rows = []
    for execution in executions:
        is_detailed = detail == "detailed"
        row = ListedExecution(
            **(detailed_facts if is_detailed else brief_facts)(execution),
            created_by=people.who(execution) or None,
            project=projects.get(execution.project_id),
            inputs_summary=execution.raw[_SHORT][0] or None,
            inputs_hash=hash_of(execution) or None,
            hidden=execution.is_hidden or None,
        )
        if is_detailed:
            row.session = one_line(execution.session, WORD_CHARACTERS) or None
            row.cluster_id = one_line(execution.cluster_id, WORD_CHARACTERS) or None
        rows.append(row)
    return rows


def shared_by(rows: Sequence[ListedExecution]) -> dict[str, Any] | None:
    """What all rows have in common is taken out of them; None if that is nothing, or if there is one row only."""
    if len(rows) < 2:
        return None
    common = {name: value for name, value in rows[0] if name in SHARED and value is not None}
    for row in rows[1:]:
        common = {name: value for name, value in common.items() if getattr(row, name) == value}
    for row in rows:
        for name in common:
            setattr(row, name, None)
    return common or None


def repeated_inputs(executions: Sequence[Execution], shown: Collection[str]) -> list[RepeatedInputs]:
    """Inputs that were run more than once, the dearest first; quotes do not count.

    Args:
        shown: ids whose rows are shown, and so need not be named.
    """
    runs: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        if hash_of(execution) and was_started(execution):
            runs[hash_of(execution)].append(execution)
    found = []
    for name, group in runs.items():
        if len(group) > 1:
            elsewhere = [run.execution_id for run in group if run.execution_id not in shown]
            found.append(
                RepeatedInputs(
                    inputs_hash=name,
                    count=len(group),
                    cost=money.total(run.cost for run in group),
                    execution_ids=elsewhere[:MAX_IDS] or None,
                )
            )
    return sorted(found, key=lambda one: (-(one.cost or 0), -one.count))[:MAX_REPEATED]
