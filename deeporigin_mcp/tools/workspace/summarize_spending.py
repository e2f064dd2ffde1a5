"""What runs cost: sums by tool, project, person, tag, status or day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import anyio
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, PlatformError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records import money, status
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import moment, utc_stamp
from deeporigin_mcp.tools.approvals.ledger import was_started
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.times import checked_time
from deeporigin_mcp.tools.responses.views import Number, View
from deeporigin_mcp.tools.runtime.people import People
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

GroupBy = Literal["tool", "project", "person", "tag", "status", "day"]

MOST_ROWS = 20_000
"""Runs that are read for one summary, the newest: 20 requests."""
READ_SECONDS = 35.0
"""How long they are read; a call has to return before it times out."""
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
    the part of `charged` for failed and cancelled runs. `unpriced`: started runs without any price, in no sum. `usage`:
    what the billing service says of this billing tag, on whole days, in all projects.
    """

    group: str | None = None
    id: str | None = None
    count: int
    quoted: Number | None = None
    estimated: Number | None = None
    reserved: Number | None = None
    charged: Number | None = None
    refunded: Number | None = None
    without_result: Number | None = None
    unpriced: int | None = None
    usage: Number | None = None


class SpendingSummary(View):
    """The groups, the dearest first, days in their order, and the sums of all runs that were read."""

    group_by: GroupBy
    groups: list[SpendingSums]
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
    # The platform's filters leave out the instant itself, and know milliseconds only.
    since, until = (
        None if at is None else utc_stamp(at.timestamp() + around) for at, around in ((after, -1), (before, 1))
    )
    query = ListQuery(project_id=project_id, created_after=since, created_before=until, order="createdAt desc")
    read, is_all = await _newest(state, query)
    dated = [run for run in read if _is_between(run, after, before)]
    # The platform's project filter lets runs without a project through.
    found = [run for run in dated if project_id is None or run.project_id == project_id]
    people = await People.of(state) if group_by == "person" else None
    projects = await state.names.projects() if group_by == "project" else {}
    by_group: dict[str, list[Execution]] = defaultdict(list)
    for run in found:
        by_group[_key(run, group_by) if people is None else people.who(run)].append(run)
    rows_by_key = {key: _group(key, runs, group_by, projects) for key, runs in by_group.items()}
    dearest = sorted(rows_by_key, key=lambda key: (_weight(rows_by_key[key]), -rows_by_key[key].count, key))
    shown, rest = dearest, list[str]()
    if len(dearest) > MOST_GROUPS:
        shown, rest = dearest[: MOST_GROUPS - 1], dearest[MOST_GROUPS - 1 :]
    # The dearest days are shown, in the order of the calendar.
    groups = [rows_by_key[key] for key in (sorted(shown) if group_by == "day" else shown)]
    problems: list[str] = []
    usage_days = None
    if group_by == "tag" and project_id is None:
        billing_tags = {word(run.raw.get("billing")) for run in found}
        tagged = {key: rows_by_key[key] for key in shown if key in billing_tags and key}
        usage_days = await _add_usage(state, tagged, found, (after, before), problems)
    if rest:
        others = [run for key in rest for run in by_group[key]]
        groups.append(SpendingSums(group=f"{len(rest)} further", **_sums(others)))
    incomplete = next_step = None
    if is_all:
        next_step = None if found else await _why_nothing(state, project_id)
    else:
        first = one_line(min((run.created_at for run in read if run.created_at), default=""), 40)
        incomplete = f"Only the newest {len(read):,} runs were read, back to {first}: older ones are missing."
        chosen = {
            "created_after": created_after,
            "created_before": first,
            "group_by": group_by if group_by != "tool" else None,
            "project_id": project_id,
        }
        older = steps.call("summarize_spending", **{name: value for name, value in chosen.items() if value})
        next_step = f"{older} sums the older ones."
        if not found:
            next_step = "The platform lists no older ones: tell the user."
    return SpendingSummary(
        group_by=group_by,
        groups=groups,
        total=SpendingSums(**_sums(found)),
        incomplete=incomplete,
        usage_days=usage_days,
        problems=problems or None,
        next_step=next_step,
    )


async def _newest(state: ServerState, query: ListQuery) -> tuple[list[Execution], bool]:
    """Runs, and whether these are all that match.

    Raises:
        PlatformError: none could be read in time.
    """
    listing = state.client.listing
    try:
        rows, is_all = await listing.newest(query, MOST_ROWS, fields=FIELDS, seconds=READ_SECONDS)
    except InvalidRequestError:
        if query.created_before is None:
            raise
        # It is not known whether the platform has this filter (platform-facts 10.4).
        query = query._replace(created_before=None)
        rows, is_all = await listing.newest(query, MOST_ROWS, fields=FIELDS, seconds=READ_SECONDS)
    if not rows and not is_all:
        raise PlatformError(
            f"Timed out after {READ_SECONDS:g} s waiting for the platform's list of executions.",
            next_step="Sum a shorter time, or call again in a minute.",
        )
    return [Execution(row) for row in rows], is_all


async def _why_nothing(state: ServerState, project_id: str | None) -> str:
    unknown = await unknown_project(state.client, project_id) if project_id else None
    return unknown or "No run matches. Loosen the filters."


def _is_between(run: Execution, after: datetime | None, before: datetime | None) -> bool:
    at = moment(run.created_at)
    if at is None:
        return after is None and before is None
    return (after is None or at >= after) and (before is None or at < before)


def _key(run: Execution, group_by: GroupBy) -> str:
    """What a run is grouped by, people apart; empty if its record does not say."""
    match group_by:
        case "tool":
            return run.tool_key
        case "project":
            return run.project_id
        case "tag":
            return word(run.raw.get("billing")) or word(run.raw.get("tag"))
        case "status":
            return run.status
        case _:
            at = moment(run.created_at)
            return "" if at is None else at.astimezone(UTC).date().isoformat()


def _group(key: str, runs: Sequence[Execution], group_by: GroupBy, projects: Mapping[str, str]) -> SpendingSums:
    name = projects.get(key)
    shown = one_line(key, NAME_CHARACTERS)
    return SpendingSums(group=name or shown or f"no {group_by}", id=shown if name else None, **_sums(runs))


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


def _weight(group: SpendingSums) -> tuple[Decimal, Decimal]:
    """Money first, then quotes, so that free runs come last; negative, to sort by."""
    spent = [each for each in (group.charged, group.reserved, group.estimated) if each is not None]
    return -money.added(spent), -(group.quoted or money.ZERO)


async def _add_usage(
    state: ServerState,
    tagged: dict[str, SpendingSums],
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
    # By kind: each message names its tag.
    failures: dict[tuple[str, int | None], tuple[str, list[str]]] = {}

    async def read(tag: str) -> None:
        try:
            items = await state.client.billing.usage_by_tag(tag, first, last)
        except DeepOriginError as error:
            message = explained(error, 300, with_step=False)
            failures.setdefault((error.code, error.http_status), (message, []))[1].append(one_line(tag, 40))
        else:
            tagged[tag].usage = money.total(item.get("total_cost") for item in items) or money.ZERO

    async with anyio.create_task_group() as tasks:
        for tag in asked:
            tasks.start_soon(read, tag)
    problems += [f"usage of {', '.join(tags)}: {message}" for message, tags in failures.values()]
    if len(tagged) > MOST_TAGS:
        problems.append(f"usage was read for {MOST_TAGS} of {len(tagged)} billing tags")
    return f"{first} to {last}"
