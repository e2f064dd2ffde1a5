"""What runs cost: sums by tool, project, person, tag, status or day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import anyio
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records import money, status
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import moment, utc_stamp
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.times import checked_time
from deeporigin_mcp.tools.responses.views import Number, View
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

GroupBy = Literal["tool", "project", "person", "tag", "status", "day"]

MOST_ROWS = 20_000
"""Runs that are read for one summary, the newest: 20 requests."""
MOST_GROUPS = 30
MOST_TAGS = 10
"""Billing tags whose usage is requested."""
FIELDS = (
    "tool",
    "status",
    "quotationResult",
    "billingTransaction",
    "createdAt",
    "startedAt",
    "projectId",
    "createdBy",
    "tag",
    "billing",
)
NAME_CHARACTERS = 80


class SpendingSums(View):
    """Counts and sums in USD; a sum that no run has is absent.

    `quoted`: quotes that can still start. `estimated`: quotes of started runs without a bill. `reserved`: bills of runs
    that go on, and of cancelled ones not known to be charged. `charged`: bills of runs that ended. `without_result`:
    the part of `charged` for failed and cancelled runs. `unpriced`: started runs without any price, in no sum.
    """

    count: int
    quoted: Number | None = None
    estimated: Number | None = None
    reserved: Number | None = None
    charged: Number | None = None
    refunded: Number | None = None
    without_result: Number | None = None
    unpriced: int | None = None


class SpendingGroup(SpendingSums):
    """One group. `usage`: what the billing service says of this billing tag, on whole days, in all projects."""

    group: str
    id: str | None = None
    usage: Number | None = None


class SpendingSummary(View):
    """The groups, the dearest first, and the sums of all runs that were read."""

    group_by: GroupBy
    groups: list[SpendingGroup]
    total: SpendingSums
    incomplete: str | None = None
    usage_days: str | None = None
    problems: list[str] | None = None
    next_step: str | None = None


async def summarize_spending(
    ctx: ToolContext,
    created_after: Annotated[str | None, Field(description="UTC date or time.")] = None,
    created_before: Annotated[str | None, Field(description="Not included.")] = None,
    group_by: Annotated[GroupBy, Field(description="One sum for each.")] = "tool",
    project_id: Annotated[str | None, Field(description="Only this project.")] = None,
) -> SpendingSummary:
    """Sum what runs cost, also without result. Reads only."""
    state = state_of(ctx)
    month = steps.call("summarize_spending", created_after=f"{utc_stamp(state.client.now())[:7]}-01")
    after, before = (
        checked_time(name, given, f"This month: {month}.", after_year=1970)
        for name, given in (("created_after", created_after), ("created_before", created_before))
    )
    if after and before and after >= before:
        raise ArgumentError(
            f"Invalid created_before {one_line(created_before or '', 60)!r}: not later than created_after.",
            next_step="Valid: a later date or time; the sums end just before it.",
        )
    # The platform's filter leaves out the instant itself, and knows milliseconds only.
    since = None if after is None else utc_stamp(after.timestamp() - 1)
    query = ListQuery(project_id=project_id, created_after=since, order="createdAt desc")
    rows, is_all = await state.client.listing.newest(query, MOST_ROWS, fields=FIELDS)
    read = [Execution(row) for row in rows]
    dated = [run for run in read if _is_between(run, after, before)]
    # The platform's project filter lets runs without a project through.
    found = [run for run in dated if project_id is None or run.project_id == project_id]
    by_group: dict[str, list[Execution]] = defaultdict(list)
    for run in found:
        by_group[_key(run, group_by)].append(run)
    names = await _names(state, group_by)
    rows_by_key = {key: _group(key, runs, group_by, names) for key, runs in by_group.items()}
    dearest = sorted(rows_by_key, key=lambda key: (_weight(rows_by_key[key]), -rows_by_key[key].count, key))
    shown, rest = dearest, list[str]()
    if len(dearest) > MOST_GROUPS:
        shown, rest = dearest[: MOST_GROUPS - 1], dearest[MOST_GROUPS - 1 :]
    groups = [rows_by_key[key] for key in shown]
    problems: list[str] = []
    usage_days = None
    if group_by == "tag" and project_id is None:
        billing_tags = {word(run.raw.get("billing")) for run in found}
        tagged = {key: rows_by_key[key] for key in shown if key in billing_tags and key}
        usage_days = await _add_usage(state, tagged, found, (after, before), problems)
    if rest:
        others = [run for key in rest for run in by_group[key]]
        groups.append(SpendingGroup(group=f"{len(rest)} further", **_sums(others)))
    incomplete = None
    if not is_all:
        first = min((run.created_at for run in read if run.created_at), default="")
        incomplete = (
            f"Only the newest {len(read)} runs were read, back to {one_line(first, 40)}: older ones are missing."
        )
    return SpendingSummary(
        group_by=group_by,
        groups=groups,
        total=SpendingSums(**_sums(found)),
        incomplete=incomplete,
        usage_days=usage_days,
        problems=problems or None,
        next_step=await _next_step(state, found, project_id, is_all=is_all),
    )


async def _next_step(
    state: ServerState, found: Sequence[Execution], project_id: str | None, *, is_all: bool
) -> str | None:
    if not is_all:
        return "Sum a shorter time: give created_after and created_before."
    if found:
        return None
    unknown = await unknown_project(state.client, project_id) if project_id else None
    return unknown or "No run matches. Loosen the filters."


def _is_between(run: Execution, after: datetime | None, before: datetime | None) -> bool:
    at = moment(run.created_at)
    if at is None:
        return after is None and before is None
    return (after is None or at >= after) and (before is None or at < before)


def _key(run: Execution, group_by: GroupBy) -> str:
    """What a run is grouped by; empty if its record does not say."""
    match group_by:
        case "tool":
            return run.tool_key
        case "project":
            return run.project_id
        case "person":
            return word(run.raw.get("createdBy"))
        case "tag":
            return word(run.raw.get("billing")) or word(run.raw.get("tag"))
        case "status":
            return run.status
        case "day":
            at = moment(run.created_at)
            return "" if at is None else at.astimezone(UTC).date().isoformat()


async def _names(state: ServerState, group_by: GroupBy) -> dict[str, str]:
    if group_by == "project":
        return await state.names.projects()
    return await state.names.people() if group_by == "person" else {}


def _group(key: str, runs: Sequence[Execution], group_by: GroupBy, names: dict[str, str]) -> SpendingGroup:
    # Where the organisation's users do not tell a name, an identity provider's id may hold the address.
    plain = key.rpartition("|")[2] if group_by == "person" else key
    name = names.get(key) or one_line(plain, NAME_CHARACTERS) or f"no {group_by}"
    return SpendingGroup(group=name, id=one_line(key, NAME_CHARACTERS) if names.get(key) else None, **_sums(runs))


def _sums(runs: Iterable[Execution]) -> dict[str, Any]:
    parts: dict[str, list[Decimal]] = defaultdict(list)
    count = unpriced = 0
    for run in runs:
        count += 1
        part, price = _part(run)
        if part and price is None:
            unpriced += part != "quoted"
        elif part and price is not None:
            parts[part].append(price)
            if part == "charged" and run.status != status.SUCCEEDED:
                parts["without_result"].append(price)
    return {"count": count, "unpriced": unpriced or None, **{part: money.added(each) for part, each in parts.items()}}


def _part(run: Execution) -> tuple[str, Decimal | None]:
    """The sum that a run's price belongs to, and the price; no sum for what cannot cost anything any more."""
    if run.billed is not None:
        if run.bill_state == "refunded":
            return "refunded", run.billed
        is_open = not run.is_terminal or (run.status == "Cancelled" and run.cost_state != "charged")
        return ("reserved" if is_open else "charged"), run.billed
    price = None if run.price_is_partial else run.quoted_price
    if was_started(run):
        # The platform bills a run at its start: one that ended otherwise without a bill cost nothing.
        return ("", None) if run.is_terminal and run.status != status.SUCCEEDED else ("estimated", price)
    return ("", None) if run.is_terminal else ("quoted", price)


def _weight(group: SpendingGroup) -> tuple[Decimal, Decimal]:
    """Money first, then quotes, so that free runs come last; negative, to sort by."""
    spent = [each for each in (group.charged, group.reserved, group.estimated) if each is not None]
    return -money.added(spent), -(group.quoted or money.ZERO)


async def _add_usage(
    state: ServerState,
    tagged: dict[str, SpendingGroup],
    found: Sequence[Execution],
    period: tuple[datetime | None, datetime | None],
    problems: list[str],
) -> str | None:
    """Ask the billing service about these tags; the days it was asked about, None if about none."""
    if not tagged:
        return None
    after, before = period
    oldest = min((at for run in found if (at := moment(run.created_at))), default=None)
    first = (after or oldest or datetime.fromtimestamp(state.client.now(), UTC)).astimezone(UTC).date().isoformat()
    # A period that ends at midnight does not hold the day that begins then.
    until = before.timestamp() - 0.001 if before else state.client.now()
    last = utc_stamp(until)[:10]
    asked = list(tagged)[:MOST_TAGS]
    failures: dict[str, list[str]] = defaultdict(list)

    async def read(tag: str) -> None:
        try:
            items = await state.client.billing.usage_by_tag(tag, first, last)
        except DeepOriginError as error:
            failures[explained(error, 300, with_step=False)].append(one_line(tag, 40))
        else:
            tagged[tag].usage = money.total(item.get("total_cost") for item in items) or money.ZERO

    async with anyio.create_task_group() as tasks:
        for tag in asked:
            tasks.start_soon(read, tag)
    problems += [f"usage of {', '.join(tags)}: {message}" for message, tags in failures.items()]
    if len(tagged) > MOST_TAGS:
        problems.append(f"usage was read for {MOST_TAGS} of {len(tagged)} billing tags")
    return f"{first} to {last}"
