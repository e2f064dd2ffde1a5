"""The only door to spending: who said yes to which price (design 4)."""

from __future__ import annotations

import contextlib

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    OutcomeUnknownError,
    RestrictionError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.money import amount, missing_amount, total
from deeporigin_mcp.platform.transport import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.consequences import of_confirmation
from deeporigin_mcp.tools.state import MAX_CALL_SECONDS, Outlasting, ServerState
from deeporigin_mcp.tools.views import NAME_CHARACTERS, WORD_CHARACTERS

AUTOMATIC = "the operator's automatic limit"

NEVER_STARTED = frozenset({"Quoted", "FailedQuotation", "InsufficientFunds"})
"""Statuses of executions that nobody has been charged for."""


def within_automatic_limit(execution: Execution, settings: Settings) -> bool:
    """Rule 1 of design 4: a complete price that is at most what the operator lets start without a person."""
    price = execution.quoted_price
    return price is not None and not execution.price_is_partial and price <= settings.auto_approve_up_to


async def approve_and_confirm(state: ServerState, quote: Execution, *, rule: str) -> Execution:
    """Confirm a quote that `rule` allows, unless a limit forbids it; the state it is in afterwards.

    Args:
        quote: the execution as it was when it was allowed. If it is not `Quoted` at that price any more, it is
            refused: nobody said yes to what it is now.

    Raises:
        SpendingLimitError: a limit of the operator forbids it.
        RestrictionError: the organisation's money or licence does.
        StateConflictError: somebody else confirmed or cancelled it meanwhile.
        OutcomeUnknownError: it was sent, and the execution is Quoted all the same.
    """
    with of_confirmation(quote.execution_id, quote.quoted_price).told():
        return await _approved_and_confirmed(state, quote, rule)


async def _approved_and_confirmed(state: ServerState, quote: Execution, rule: str) -> Execution:
    name = quote.execution_id
    async with state.confirming:
        try:
            now = Execution(await state.client.executions.get(name))
            require_quoted(now)
            require_expected(now, quote.quoted_price)
            if name in state.sending:
                raise StateConflictError(
                    f"Execution {name} is being confirmed by another call.",
                    next_step=steps.call("get_execution", execution_id=name) + " shows what became of it.",
                )
            await require_within_limits(state, now)
        except DeepOriginError as refusal:
            state.record(quote, "refused", str(refusal))
            raise
        # Written before it is sent: nothing that happens from here on may leave a start unrecorded.
        state.record(now, "approved", rule)
        state.in_flight[name] = now.quoted_price or 0.0
        state.sending.add(name)
    try:
        confirmed = await _confirmed(state, now)
    finally:
        # Whatever became of it: while it is still Quoted it may be confirmed again, and the platform starts it once.
        state.sending.discard(name)
    # From here on the platform's own record counts it.
    state.in_flight.pop(name, None)
    return confirmed


def require_allowed_tool(tool_key: str, settings: Settings) -> None:
    """Refuse a platform tool that is not on the operator's list."""
    if not settings.allows_tool(tool_key):
        raise SpendingLimitError(
            f"{one_line(tool_key, NAME_CHARACTERS)} is not among the tools that the operator of this MCP server allows "
            f"(DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS): {', '.join(settings.allowed_tool_keys)}."
        )


async def spent_by_session(client: DeepOriginClient) -> float:
    """USD that this session has started, by the platform's own record: the billed cost, or else the quoted price."""
    return total(_price(execution) for execution in await _started(client)) or 0.0


def left_of(budget: float | None, spent: float | None) -> float | None:
    """USD that the session may still start; None where there is no budget, or what is spent cannot be read."""
    if budget is None or spent is None:
        return None
    return max(0.0, total([budget, -spent]) or 0.0)


async def _started(client: DeepOriginClient) -> list[Execution]:
    answer = await client.listing.all(ListQuery(session=client.scope.session, order="createdAt desc"))
    return [execution for row in answer["data"] if _was_started(execution := Execution(row))]


def _price(execution: Execution) -> float | None:
    return execution.quoted_price if execution.cost is None else execution.cost


def _was_started(execution: Execution) -> bool:
    if execution.status == "Cancelled":
        # A quote can be cancelled as well; it has no start and no bill.
        return bool(execution.started_at) or execution.cost is not None
    return execution.status not in NEVER_STARTED


async def _confirmed(state: ServerState, execution: Execution) -> Execution:
    """Send the confirmation once. A run that answers only at its end goes on; its present state is returned."""
    name = execution.execution_id
    confirmation = Outlasting(lambda: _sent(state, execution))
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
        if now.status != "Quoted":
            return now
        unknown = OutcomeUnknownError(
            f"The confirmation of {name} was sent, but the execution is still Quoted. It may start yet."
        )
    _record_failure(state, execution, unknown, "unknown")
    raise unknown


async def _sent(state: ServerState, execution: Execution) -> None:
    """Send the confirmation, and record a failure: also when the call that began it is cancelled or has ended."""
    try:
        await state.client.executions.confirm(execution.execution_id, timeout=CREATE_TIMEOUT_SECONDS, retry=False)
    except DeepOriginError as failure:
        unknown = isinstance(failure, OutcomeUnknownError)
        if not unknown:
            state.in_flight.pop(execution.execution_id, None)
        _record_failure(state, execution, failure, "unknown" if unknown else "not started")
        raise


async def _with_what_is_missing(
    state: ServerState, execution: Execution, refusal: RestrictionError
) -> RestrictionError:
    """The platform's refusal to start it, with the sum that is missing and what has become of the quote."""
    dto = refusal.execution
    if dto is None:
        with contextlib.suppress(DeepOriginError):
            dto = await state.client.executions.get(execution.execution_id)
    missing = missing_amount(str(refusal), execution.quoted_price)
    told = [f"Nothing was started: {refusal}"]
    told += [f"{missing} USD are missing."] if missing is not None else []
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


def _record_failure(state: ServerState, execution: Execution, failure: DeepOriginError, decision: str) -> None:
    # It was sent: a file that cannot be written any more must not hide what became of it.
    with contextlib.suppress(SpendingLimitError):
        state.record(execution, decision, str(failure))


def require_quoted(execution: Execution) -> None:
    if execution.status != "Quoted":
        status = one_line(execution.status, WORD_CHARACTERS)
        raise StateConflictError(
            f"Execution {execution.execution_id} is {status}, not Quoted, so there is nothing to confirm.",
            next_step=steps.call("get_execution", execution_id=execution.execution_id) + " shows its state.",
        )


def require_expected(execution: Execution, expected_price: float | None) -> None:
    price = execution.quoted_price
    if price is None or execution.price_is_partial:
        raise SpendingLimitError(
            f"Execution {execution.execution_id} has no complete price, so nobody can agree to it. It was not started."
        )
    if expected_price is not None and amount(expected_price) != amount(price):
        raise ArgumentError(
            f"The price is now {price} USD, not {expected_price} USD. Nothing was started.",
            next_step="Tell the user the new price; if it is accepted, "
            + steps.call("confirm_execution", execution_id=execution.execution_id, expected_price=price)
            + ".",
        )


def nobody_to_ask(execution: Execution, settings: Settings) -> SpendingLimitError:
    tool_key = one_line(execution.tool_key, NAME_CHARACTERS)
    return SpendingLimitError(
        f"Not started: {tool_key} costs {execution.quoted_price} USD, and no more than "
        f"{settings.auto_approve_up_to} USD may start without a person, whom this client cannot ask. The quote "
        f"{execution.execution_id} stays as it is: the operator of this MCP server can raise "
        "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO and restart it, or a person can confirm it in the Deep Origin web app."
    )


async def require_within_limits(state: ServerState, execution: Execution) -> None:
    """Refuse what the operator allows nobody to start.

    Raises:
        SpendingLimitError: the tool is not on the operator's list, or the price is above a limit.
    """
    require_allowed_tool(execution.tool_key, state.settings)
    settings, price = state.settings, execution.quoted_price or 0.0
    if settings.max_price is not None and price > settings.max_price:
        raise SpendingLimitError(
            f"Not started: {price} USD is above the operator's limit for one run, {settings.max_price} USD "
            "(DEEPORIGIN_MCP_MAX_PRICE)."
        )
    if settings.budget is not None and price > 0:
        started = await _started(state.client)
        counted = {execution.execution_id, *(other.execution_id for other in started)}
        unrecorded = [usd for name, usd in state.in_flight.items() if name not in counted]
        spent = total([*(_price(execution) for execution in started), *unrecorded]) or 0.0
        if (total([spent, price]) or 0.0) > settings.budget:
            raise SpendingLimitError(
                f"Not started: this session has started runs for {spent} USD, and {price} USD more would exceed its "
                f"budget of {settings.budget} USD (DEEPORIGIN_MCP_BUDGET)."
            )
