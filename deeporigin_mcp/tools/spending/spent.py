"""What a session has spent: counted from the ledger and from the platform's own record of the session (design 5)."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import anyio

from deeporigin_mcp.errors import DeepOriginError, SpendingLimitError
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records.money import ZERO, added, shown, usd
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.tools.approvals.audit_log import user_of
from deeporigin_mcp.tools.approvals.ledger import (
    Entry,
    Limits,
    OverBudgetError,
    Row,
    comparable,
    is_uncharged,
    reported_amount,
    spent,
    was_started,
)
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS
from deeporigin_mcp.tools.runtime.state import ServerState

T = TypeVar("T")

UNAPPROVED = "the platform started it at its creation, which asked for a quote only"
NO_LIMITS = Limits()
MOST_READ_AGAIN = 20
"""Runs whose present state is read before a budget refuses."""
DAY_SECONDS = 24 * 3600


async def spent_by_session(state: ServerState) -> Decimal:
    """USD that this session has started, by the ledger and by the platform's own record of it."""
    await read_back(state)
    record = await _record(state)
    return spent(await state.ledger.rows(state.scope), record)


def left_of(budget: Decimal | None, used: Decimal | None) -> Decimal | None:
    """USD that the session may still start; None without a budget, or if what is spent cannot be read."""
    if budget is None or used is None:
        return None
    return max(ZERO, added([budget, -used]))


async def require_within_budget(state: ServerState, execution: Execution) -> Decimal | None:
    """Refuse a run that would exceed the budget, or what may be started in a day.

    Returns:
        USD that this session has started, as `spent_by_session` has it; None where that was not looked at, as there is
        no budget, or the run is free.

    Raises:
        OverBudgetError: it would.
        DeepOriginError: what is spent cannot be read.
    """
    limits, price, name = limits_of(state), execution.quoted_price or ZERO, execution.execution_id
    if limits == NO_LIMITS or price <= 0:
        return None
    await read_back(state)
    record = await _record(state) if limits.budget is not None else []

    async def require() -> None:
        await state.ledger.require_within(state.scope, limits, price, name, record=record)

    await _before_refusing(state, require)
    return None if limits.budget is None else spent(await state.ledger.rows(state.scope), record)


async def started_in_a_day(state: ServerState) -> Decimal:
    """USD that was started here in the last 24 hours, in all sessions of the organisation."""
    return spent(await state.ledger.rows_since(state.scope, day_began(state)), ())


def limits_of(state: ServerState) -> Limits:
    if state.settings.max_per_day is None:
        return Limits(state.settings.budget)
    return Limits(state.settings.budget, state.settings.max_per_day, day_began(state))


def day_began(state: ServerState) -> float:
    """Unix seconds: 24 hours ago, by whichever clock is behind, this machine's or the platform's.

    With `latest` as the time of an approval, no clock that is set makes a run older than a day before it is.
    """
    return min(state.client.timing.wall(), state.client.now()) - DAY_SECONDS


def latest(state: ServerState) -> float:
    """Unix seconds, for the ledger: by whichever clock is ahead, this machine's or the platform's."""
    return max(state.client.timing.wall(), state.client.now())


async def claim(state: ServerState, execution: Execution, rule: str) -> bool:
    """Enter an approval in the ledger, unless the budget forbids it; see `Ledger.claim`."""
    price = execution.quoted_price or ZERO
    # A free run needs no budget.
    record = await _record(state) if state.settings.budget is not None and price > 0 else []
    entry = Entry(execution.execution_id, execution.tool_key, user_of(state.settings), rule, price)

    async def enter() -> bool:
        return await state.ledger.claim(state.scope, entry, now=latest(state), limits=limits_of(state), record=record)

    return await _before_refusing(state, enter)


async def _before_refusing(state: ServerState, attempt: Callable[[], Awaitable[T]]) -> T:
    """Read again what counts before the budget refuses: some runs may have ended without charge meanwhile."""
    try:
        return await attempt()
    except OverBudgetError:
        rows = {*await state.ledger.rows(state.scope)}
        if state.settings.max_per_day is not None:
            rows |= {*await state.ledger.rows_since(state.scope, day_began(state))}
        counting = sorted((row for row in rows if row.amount), key=lambda row: -row.at)
        if not await _read_again(state, counting):
            raise
        return await attempt()


async def read_back(state: ServerState) -> None:
    """Learn, once, what became of confirmations whose process ended before it knew."""
    if state.has_read_back:
        return
    state.has_read_back, is_complete = True, False
    try:
        now = latest(state)
        left = [row for row in await state.ledger.rows(state.scope) if row.is_left_behind(now)]
        found = await _read_again(state, left)
        is_complete = len(found) == len(left)
    finally:
        # What cannot be read now counts, and is read again by the next call.
        state.has_read_back = is_complete
    for execution in found:
        is_started = was_started(execution)
        if is_started or execution.status != "Quoted":
            decision = "started" if is_started else "not started"
            audit(state, execution, decision, "read back: its confirmation was sent, and its outcome was unknown")


async def observe(state: ServerState, executions: Sequence[Execution], *, from_list: bool = False) -> None:
    """Count what the platform says of runs that were approved here; audit those that cost more than approved."""
    rises = await state.ledger.observe(state.scope, executions, now=latest(state), from_list=from_list)
    for rise in rises:
        audit(state, rise.execution, "unapproved", "the platform reports more than was approved", price=rise.amount)


async def current(state: ServerState, execution_id: str) -> Execution:
    """A run as the platform shows it now; it is counted as that.

    Raises:
        DeepOriginError: it cannot be read.
    """
    execution = Execution(await state.client.executions.get(execution_id))
    with contextlib.suppress(SpendingLimitError):
        await observe(state, [execution])
    return execution


async def record_start(state: ServerState, execution: Execution, rule: str = UNAPPROVED) -> None:
    """Count and audit a run that the platform started at its creation.

    Args:
        rule: by which a person had approved that; `UNAPPROVED` if only a quote was asked for.
    """
    entry = Entry(execution.execution_id, execution.tool_key, user_of(state.settings), rule, None)
    with contextlib.suppress(SpendingLimitError):
        await state.ledger.record(state.scope, entry, execution, now=latest(state))
        state.tell_at_its_end(execution.execution_id)
    decision = "unapproved" if rule == UNAPPROVED else "started"
    audit(state, execution, decision, rule, price=reported_amount(execution))


def audit(
    state: ServerState, execution: Execution, decision: str, reason: str, *, price: Decimal | None = None
) -> None:
    """Put on record what has happened: an audit log that cannot be written must not hide it from the caller."""
    with contextlib.suppress(SpendingLimitError):
        state.record(execution, decision, reason, price=price)


# Warnings: what a response says first


def dearer_than_approved(execution: Execution, approved: Decimal | None) -> str | None:
    """The warning about a run that the platform started at more than was approved; None if it did not."""
    amount = reported_amount(execution)
    if amount is None or amount <= (approved or ZERO):
        return None
    return (
        f"The platform reports {shown(amount)} USD for this run, although {shown(approved or ZERO)} USD were approved. "
        f"{_tell_the_user(execution)}"
    )


async def unapproved_start(state: ServerState, execution: Execution, *, is_new: bool) -> str | None:
    """The warning about a run that was started although nobody approved it here; None if it was not.

    Args:
        is_new: it was just created, so that no approval of this very run can be on record.
    """
    if not was_started(execution):
        return None
    row = None
    with contextlib.suppress(SpendingLimitError):
        row = await state.ledger.find(state.scope, execution.execution_id)
    if row is None:
        if not is_new and execution.session != word(state.settings.session):
            return None
        # Its creation was sent by a call that never saw the response.
        await record_start(state, execution)
    elif row.rule != UNAPPROVED and not is_new:
        return None
    amount = reported_amount(execution)
    price = "at an unknown price" if amount is None else f"for {usd(amount)}"
    how = "was started at its creation" if is_new else "was started at its creation, or confirmed elsewhere"
    return (
        f"This {how} ({one_line(execution.status, WORD_CHARACTERS)}, {price}), although only a quote was requested: "
        f"nobody approved it here. {_tell_the_user(execution)}"
    )


def _tell_the_user(execution: Execution) -> str:
    if execution.is_terminal:
        return "Tell the user at once."
    cancel = steps.call("cancel_execution", execution_id=execution.execution_id)
    return f"Tell the user at once; {cancel} stops it."


# What the platform says


async def _record(state: ServerState) -> list[Execution]:
    """What the platform's own list shows of the session."""
    response = await state.client.listing.all(ListQuery(session=state.client.scope.session, order="createdAt desc"))
    found = [Execution(row) for row in response["data"]]
    await observe(state, found, from_list=True)
    # That a run is not charged any more is believed only where it is read by its id.
    over = {comparable(execution.execution_id) for execution in found if is_uncharged(execution)}
    rows = [row for row in await state.ledger.rows(state.scope) if row.amount and comparable(row.execution_id) in over]
    await _read_again(state, rows)
    return found


async def _read_again(state: ServerState, rows: Sequence[Row]) -> list[Execution]:
    """The present state of these runs, the newest `MOST_READ_AGAIN` of them, as far as it can be read."""
    found: list[Execution] = []

    async def read(row: Row) -> None:
        with contextlib.suppress(DeepOriginError):
            found.append(Execution(await state.client.executions.get(row.execution_id)))

    async with anyio.create_task_group() as tasks:
        for row in rows[:MOST_READ_AGAIN]:
            tasks.start_soon(read, row)
    await observe(state, found)
    return found
