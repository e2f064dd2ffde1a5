"""The only door to spending: who said yes to which price (design 4)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    OutcomeUnknownError,
    RestrictionError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import Execution, ListQuery
from deeporigin_mcp.platform.records.money import ZERO, added, amount, is_same, missing_amount, rounded, shown, usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.audit_log import user_of
from deeporigin_mcp.tools.approvals.ledger import (
    Entry,
    OverBudgetError,
    Row,
    is_uncharged,
    plain,
    reported_amount,
    spent,
    was_started,
)
from deeporigin_mcp.tools.approvals.ledger import State as Outcome
from deeporigin_mcp.tools.responses import errors, steps
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, WORD_CHARACTERS
from deeporigin_mcp.tools.runtime.state import LOOK_UP_SECONDS, MAX_CALL_SECONDS, Outlasting, ServerState

AUTOMATIC = "the operator's automatic limit"
UNASKED = "the platform started it at its creation, which asked for a quote only"
MOST_READ_AGAIN = 20
"""Runs whose present state is asked for before a budget refuses."""


def within_automatic_limit(execution: Execution, settings: Settings) -> bool:
    """Rule 1 of design 4: a complete price that is at most what the operator lets start without a person."""
    price = execution.quoted_price
    return price is not None and not execution.price_is_partial and price <= rounded(settings.auto_approve_up_to)


async def approve_and_confirm(
    state: ServerState, quote: Execution, *, rule: str, noted: Mapping[str, Any] | None = None
) -> Execution:
    """Confirm a quote that `rule` allows, unless a limit forbids it; the state it is in afterwards.

    Args:
        quote: the execution as it was when it was allowed. If it is not `Quoted` at that price any more, it is
            refused: nobody said yes to what it is now.
        noted: metadata by which the execution is known to be the one that was created.

    Raises:
        SpendingLimitError: a limit of the operator forbids it.
        RestrictionError: the organisation's money or licence does.
        StateConflictError: somebody else confirmed or cancelled it meanwhile.
        OutcomeUnknownError: it was sent, and the execution is Quoted all the same.
    """
    with errors.confirmation(quote.execution_id, quote.quoted_price).errors():
        return await _approved_and_confirmed(state, quote, rule, noted or {})


async def _approved_and_confirmed(
    state: ServerState, quote: Execution, rule: str, noted: Mapping[str, Any]
) -> Execution:
    try:
        await read_back(state)
        now = Execution(await state.client.executions.get(quote.execution_id))
        _require_the_same(now, quote, noted)
        require_quoted(now)
        require_expected(now, quote.quoted_price)
        _require_allowed(now, state.settings)
        sent_before = await _claim(state, now, rule)
    except DeepOriginError as refusal:
        state.record(quote, "refused", str(refusal))
        raise
    try:
        # Written before it is sent: nothing that happens from here on may leave a start unrecorded.
        state.record(now, "approved", rule)
    except SpendingLimitError:
        await _settle(state, now, "unknown" if sent_before else "not started")
        raise
    return await _confirmed(state, now, sent_before)


def subject_of(quote: Execution) -> tuple[str, ...]:
    """What is allowed to start, beside the price. Names may change meanwhile."""
    return quote.tool_key, quote.tool_version, quote.project_id


def _require_the_same(now: Execution, quote: Execution, noted: Mapping[str, Any]) -> None:
    """Refuse a record that is about another run than was allowed to start, whatever its id.

    Raises:
        StateConflictError: it is.
    """
    # What a record leaves out contradicts nothing.
    pairs = zip(subject_of(now), subject_of(quote), strict=True)
    is_other = any(one and other and one != other for one, other in pairs)
    if is_other or any(now.metadata.get(name) != value for name, value in noted.items()):
        raise StateConflictError(
            f"The platform shows another run as {quote.execution_id} now than before.",
            code="another_run",
            next_step=steps.call("get_execution", execution_id=quote.execution_id) + " shows it.",
        )


async def _claim(state: ServerState, execution: Execution, rule: str) -> bool:
    """Enter the approval in the ledger; whether an earlier confirmation of it has an unknown outcome."""
    record = await _record(state) if _is_limited(state, execution) else []
    entry = Entry(
        execution.execution_id, execution.tool_key, user_of(state.settings), rule, execution.quoted_price or ZERO
    )

    async def claim() -> bool:
        return await state.ledger.claim(
            state.scope, entry, now=state.client.timing.wall(), budget=state.settings.budget, record=record
        )

    try:
        return await claim()
    except OverBudgetError:
        # Some of what counts may have ended without charge meanwhile.
        if not await _read_again(state, [row for row in await state.ledger.rows(state.scope) if row.amount]):
            raise
        return await claim()


async def read_back(state: ServerState) -> None:
    """Learn, once, what became of confirmations whose process ended before it knew."""
    if state.has_read_back:
        return
    state.has_read_back, is_complete = True, False
    try:
        now = state.client.timing.wall()
        left = [row for row in await state.ledger.rows(state.scope) if row.is_left_behind(now)]
        found = await _read_again(state, left)
        is_complete = len(found) == len(left)
    finally:
        # What could not be read now counts, and is asked for again.
        state.has_read_back = is_complete
    for execution in found:
        if execution.status != "Quoted":
            decision = "started" if was_started(execution) else "not started"
            _audit(state, execution, decision, "read back: its confirmation was sent, and its outcome was not known")


async def observe(state: ServerState, executions: Sequence[Execution], *, from_list: bool = False) -> None:
    """Count what the platform says of runs that were approved here, and put on record what costs more than approved."""
    rises = await state.ledger.observe(state.scope, executions, now=state.client.timing.wall(), from_list=from_list)
    for rise in rises:
        reason = "the platform reports more than was approved"
        _audit(state, rise.execution, "unapproved", reason, price=rise.amount)


async def record_start(state: ServerState, execution: Execution, rule: str = UNASKED) -> None:
    """Count and put on record a run that the platform started at its creation, which had asked for a quote only.

    Args:
        rule: by which a person had allowed that; without one nobody had.
    """
    entry = Entry(execution.execution_id, execution.tool_key, user_of(state.settings), rule, None)
    with contextlib.suppress(SpendingLimitError):
        await state.ledger.record(state.scope, entry, execution, now=state.client.timing.wall())
    decision = "unapproved" if rule == UNASKED else "started"
    _audit(state, execution, decision, rule, price=reported_amount(execution))


def dearer_than_approved(execution: Execution, approved: Decimal | None) -> str | None:
    """What has to be said first of a run that the platform started at more than was approved; None if it did not."""
    amount = reported_amount(execution)
    if amount is None or amount <= (approved or ZERO):
        return None
    return (
        f"The platform reports {shown(amount)} USD for this run, although {shown(approved or ZERO)} USD were approved. "
        f"{_tell(execution)}"
    )


async def unasked_start(state: ServerState, execution: Execution, *, is_new: bool) -> str | None:
    """What has to be said first of a creation that runs or ran although nobody approved it here; None if it does not.

    Args:
        is_new: it was just created, so that no approval of this very run can be on record.
    """
    if not was_started(execution):
        return None
    row = None
    with contextlib.suppress(SpendingLimitError):
        row = await state.ledger.find(state.scope, execution.execution_id)
    if row is None:
        if not is_new and execution.session != state.settings.session:
            return None
        # Its creation was sent by a call that never saw the answer.
        await record_start(state, execution)
    elif row.rule != UNASKED and not is_new:
        return None
    amount = reported_amount(execution)
    price = "at a price that is not known" if amount is None else f"for {usd(amount)}"
    status = one_line(execution.status, WORD_CHARACTERS)
    how = "was started at its creation" if is_new else "was started at its creation, or confirmed elsewhere"
    return (
        f"This {how} ({status}, {price}), although only a quote was asked for: nobody approved it here. "
        f"{_tell(execution)}"
    )


def _tell(execution: Execution) -> str:
    if execution.is_terminal:
        return "Tell the user at once."
    cancel = steps.call("cancel_execution", execution_id=execution.execution_id)
    return f"Tell the user at once; {cancel} stops it."


def require_allowed_tool(tool_key: str, settings: Settings) -> None:
    """Refuse a platform tool that is not on the operator's list."""
    if not settings.allows_tool(tool_key):
        raise SpendingLimitError(
            f"{one_line(tool_key, NAME_CHARACTERS)} is not among the tools that the operator of this MCP server allows "
            f"(DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS): {', '.join(settings.allowed_tool_keys)}.",
            code="tool_not_allowed",
        )


async def spent_by_session(state: ServerState) -> Decimal:
    """USD that this session has started, by the ledger and by the platform's own record of it."""
    await read_back(state)
    record = await _record(state)
    return spent(await state.ledger.rows(state.scope), record)


def left_of(budget: Decimal | None, used: Decimal | None) -> Decimal | None:
    """USD that the session may still start; None where there is no budget, or what is spent cannot be read."""
    if budget is None or used is None:
        return None
    return max(ZERO, added([budget, -used]))


async def _record(state: ServerState) -> list[Execution]:
    """What the platform's own list shows of the session."""
    answer = await state.client.listing.all(ListQuery(session=state.client.scope.session, order="createdAt desc"))
    found = [Execution(row) for row in answer["data"]]
    await observe(state, found, from_list=True)
    # That a run costs nothing any more is believed where it is asked for by its id.
    over = {plain(execution.execution_id) for execution in found if is_uncharged(execution)}
    rows = [row for row in await state.ledger.rows(state.scope) if row.amount and plain(row.execution_id) in over]
    await _read_again(state, rows)
    return found


def _is_limited(state: ServerState, execution: Execution) -> bool:
    """Whether the budget has to be looked at: a free run needs none."""
    return state.settings.budget is not None and (execution.quoted_price or ZERO) > 0


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


async def _confirmed(state: ServerState, execution: Execution, sent_before: bool) -> Execution:
    """Send the confirmation once. A run that answers only at its end goes on; its present state is returned."""
    name = execution.execution_id
    confirmation = Outlasting(lambda: _sent(state, execution, sent_before))
    try:
        await confirmation.result(state, MAX_CALL_SECONDS)
    except RestrictionError as refusal:
        raise await _with_what_is_missing(state, execution, refusal) from None
    # What counts is the state that can be read now, not what an answer promised.
    try:
        now = Execution(await state.client.executions.get(name))
    except DeepOriginError as unread:
        unknown = OutcomeUnknownError(
            f"The confirmation of {name} was sent, but its state cannot be read: {unread}",
            http_status=unread.http_status,
            request_id=unread.request_id,
        )
    else:
        with contextlib.suppress(SpendingLimitError):
            await observe(state, [now])
        if now.status != "Quoted":
            return now
        unknown = OutcomeUnknownError(
            f"The confirmation of {name} was sent, but the execution is still Quoted. It may start yet."
        )
    # Whatever becomes of it: while it is Quoted it may be confirmed again, and the platform starts it once.
    await _settle(state, execution, "unknown")
    _audit(state, execution, "unknown", str(unknown))
    raise unknown


async def _sent(state: ServerState, execution: Execution, sent_before: bool) -> None:
    """Send the confirmation and settle its entry: also when the call that began it is cancelled or has ended."""
    try:
        answer = await state.client.executions.confirm(
            execution.execution_id, timeout=CREATE_TIMEOUT_SECONDS, retry=False
        )
    except DeepOriginError as failure:
        unknown = failure if isinstance(failure, OutcomeUnknownError) else await _doubt(state, execution, failure)
        await _settle(state, execution, "unknown" if unknown or sent_before else "not started")
        _audit(state, execution, "unknown" if unknown else "not started", str(unknown or failure))
        raise unknown or failure from None
    except BaseException:
        await _settle(state, execution, "unknown")
        raise
    with contextlib.suppress(SpendingLimitError):
        await observe(state, [Execution(answer)])
    # An answer that shows it as quoted says nothing.
    await _settle(state, execution, "unknown")


async def _doubt(state: ServerState, execution: Execution, refusal: DeepOriginError) -> OutcomeUnknownError | None:
    """Why it is unknown whether a run whose confirmation was refused has started; None if it has not.

    A refusal may be a proxy's, or that of a request which was repeated on its way.
    """
    if refusal.http_status is None and not isinstance(refusal, RestrictionError):
        return None  # It was not sent.
    state_now = f"its state was not read within {LOOK_UP_SECONDS:g} s."
    with anyio.move_on_after(LOOK_UP_SECONDS):
        try:
            now = Execution(await state.client.executions.get(execution.execution_id))
            with contextlib.suppress(SpendingLimitError):
                await observe(state, [now])
        except DeepOriginError as unread:
            state_now = f"its state cannot be read: {unread}"
        else:
            if not was_started(now):
                return None
            state_now = f"it is {one_line(now.status, WORD_CHARACTERS)}."
    return OutcomeUnknownError(
        f"The confirmation of {execution.execution_id} was refused, but {state_now} The refusal: {refusal}",
        http_status=refusal.http_status,
        request_id=refusal.request_id,
    )


async def _settle(state: ServerState, execution: Execution, outcome: Outcome) -> None:
    # It was sent: a ledger that cannot be written any more must not hide what became of it.
    with anyio.CancelScope(shield=True), contextlib.suppress(SpendingLimitError):
        await state.ledger.settle(state.scope, execution.execution_id, outcome, now=state.client.timing.wall())


async def _with_what_is_missing(
    state: ServerState, execution: Execution, refusal: RestrictionError
) -> RestrictionError:
    """The platform's refusal to start it, with the sum that is missing and what has become of the quote."""
    dto = refusal.execution
    if dto is None:
        with contextlib.suppress(DeepOriginError):
            dto = await state.client.executions.get(execution.execution_id)
    missing = missing_amount(str(refusal), execution.quoted_price)
    told = [str(refusal)]
    told += [f"{usd(missing)} are missing."] if missing is not None else []
    status = Execution(dto).status if dto is not None else ""
    if status == "Quoted":
        told.append("The quote stays as it is.")
    elif status:
        told.append(
            f"The quote is closed ({one_line(status, WORD_CHARACTERS)}): once this is settled, create it anew, with "
            "another idempotency_key."
        )
    refusal.message = " ".join(told)
    return refusal


def _audit(
    state: ServerState, execution: Execution, decision: str, reason: str, *, price: Decimal | None = None
) -> None:
    # It was sent: a file that cannot be written any more must not hide what became of it.
    with contextlib.suppress(SpendingLimitError):
        state.record(execution, decision, reason, price=price)


def require_quoted(execution: Execution) -> None:
    if execution.status != "Quoted":
        status = one_line(execution.status, WORD_CHARACTERS)
        raise StateConflictError(
            f"Execution {execution.execution_id} is {status}, not Quoted, so there is nothing to confirm.",
            code="not_quoted",
            next_step=steps.call("get_execution", execution_id=execution.execution_id) + " shows its state.",
        )


def require_expected(execution: Execution, expected_price: float | Decimal | None) -> None:
    price = execution.quoted_price
    if price is None or execution.price_is_partial:
        raise SpendingLimitError(
            f"Execution {execution.execution_id} has no complete price, so nobody can agree to it.",
            code="no_complete_price",
        )
    if expected_price is not None and not is_same(amount(expected_price), price):
        raise ArgumentError(
            f"The price is now {usd(price)}, not {_as_given(expected_price)} USD.",
            code="price_changed",
            next_step="Tell the user the new price; if it is accepted, "
            + steps.call("confirm_execution", execution_id=execution.execution_id, expected_price=price)
            + ".",
        )


def _as_given(price: float | Decimal) -> str:
    number = amount(price)
    return str(price) if number is None else shown(number)


def nobody_to_ask(execution: Execution, settings: Settings) -> SpendingLimitError:
    tool_key = one_line(execution.tool_key, NAME_CHARACTERS)
    return SpendingLimitError(
        f"{tool_key} costs {usd(execution.quoted_price)}, and no more than {usd(settings.auto_approve_up_to)} may "
        f"start without a person, whom this client cannot ask. The quote {execution.execution_id} stays as it is: the "
        "operator of this MCP server can raise DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO and restart it, or a person can "
        "confirm it in the Deep Origin web app.",
        code="nobody_to_ask",
    )


async def require_within_limits(state: ServerState, execution: Execution) -> None:
    """Refuse what the operator allows nobody to start.

    Raises:
        SpendingLimitError: the tool is not on the operator's list, or the price is above a limit.
    """
    _require_allowed(execution, state.settings)
    budget, price = state.settings.budget, execution.quoted_price or ZERO
    if budget is None or not _is_limited(state, execution):
        return
    record = await _record(state)

    async def already() -> Decimal:
        return spent(await state.ledger.rows(state.scope), record, beside=execution.execution_id)

    if added([await already(), price]) > rounded(budget):
        await _read_again(state, [row for row in await state.ledger.rows(state.scope) if row.amount])
        if added([counted := await already(), price]) > rounded(budget):
            raise OverBudgetError(counted, price, budget)


def _require_allowed(execution: Execution, settings: Settings) -> None:
    require_allowed_tool(execution.tool_key, settings)
    price = execution.quoted_price or ZERO
    if settings.max_price is not None and price > rounded(settings.max_price):
        raise SpendingLimitError(
            f"{usd(price)} is above the operator's limit for one run, {usd(settings.max_price)} "
            "(DEEPORIGIN_MCP_MAX_PRICE).",
            code="above_max_price",
        )
