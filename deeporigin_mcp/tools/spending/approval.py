"""The only door to spending: what may start at which price, and its confirmation (design 5)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
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
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import ZERO, amount, is_same, missing_amount, rounded, shown, usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.transport.requests import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.ledger import RunState, was_started
from deeporigin_mcp.tools.responses import errors, steps
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, WORD_CHARACTERS
from deeporigin_mcp.tools.runtime.state import LOOK_UP_SECONDS, MAX_CALL_SECONDS, BackgroundWork, ServerState
from deeporigin_mcp.tools.spending.spent import audit, claim, current, latest, observe, read_back, require_within_budget

AUTOMATIC = "the operator's automatic limit"
FRESH_SECONDS = 2.0
"""How long a reading counts as the one immediately before the confirmation, if nobody was waited for since."""


# What may start


def within_automatic_limit(execution: Execution, settings: Settings) -> bool:
    """Whether it has a complete price that is at most what the operator lets start without a person."""
    price = execution.quoted_price
    return price is not None and not execution.price_is_partial and price <= rounded(settings.auto_approve_up_to)


def require_quoted(execution: Execution) -> None:
    """Refuse an execution that is not a quote."""
    if execution.status != "Quoted":
        status = one_line(execution.status, WORD_CHARACTERS)
        raise StateConflictError(
            f"Execution {execution.execution_id} is {status}, not Quoted, so there is nothing to confirm.",
            code="not_quoted",
            next_step=steps.call("get_execution", execution_id=execution.execution_id) + " shows its state.",
        )


def require_expected(execution: Execution, expected_price: float | Decimal | None) -> None:
    """Refuse a quote without a complete price, or at another price than the expected one."""
    price = execution.quoted_price
    if price is None or execution.price_is_partial:
        raise SpendingLimitError(
            f"Execution {execution.execution_id} has no complete price, so nobody can approve it.",
            code="no_complete_price",
        )
    if expected_price is not None and not is_same(expected := amount(expected_price), price):
        raise ArgumentError(
            f"The price is now {usd(price)}, not {expected_price if expected is None else shown(expected)} USD.",
            code="price_changed",
            next_step="Tell the user the new price; if the user accepts it, "
            + steps.call("confirm_execution", execution_id=execution.execution_id, expected_price=price)
            + ".",
        )


def require_allowed_tool(tool_key: str, settings: Settings) -> None:
    """Refuse a platform tool that is not on the operator's list."""
    if not settings.allows_tool(tool_key):
        raise SpendingLimitError(
            f"{one_line(tool_key, NAME_CHARACTERS)} is not among the tools that the operator of this MCP server allows "
            f"(DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS): {', '.join(settings.allowed_tool_keys)}.",
            code="tool_not_allowed",
        )


async def require_within_limits(state: ServerState, execution: Execution) -> Decimal | None:
    """Refuse what the operator lets nobody start.

    Returns:
        USD that this session has started, where a budget made that be looked at.

    Raises:
        SpendingLimitError: the tool is not on the operator's list, or the price is above a limit.
    """
    _require_allowed(execution, state.settings)
    return await require_within_budget(state, execution)


def _require_allowed(execution: Execution, settings: Settings) -> None:
    require_allowed_tool(execution.tool_key, settings)
    if refused := steps.above_limits(execution.quoted_price or ZERO, settings).get(steps.MAX_PRICE):
        raise SpendingLimitError(refused, code="above_max_price")


def nobody_to_ask(execution: Execution, settings: Settings) -> SpendingLimitError:
    """The refusal of a quote that a person has to approve, where the client cannot ask one."""
    tool_key = one_line(execution.tool_key, NAME_CHARACTERS)
    # Over HTTP the server runs elsewhere than the person.
    by_hand = " let a browser page or a terminal ask (DEEPORIGIN_MCP_APPROVAL), or" if settings.is_local else ""
    return SpendingLimitError(
        f"{tool_key} costs {usd(execution.quoted_price)}, above the {usd(settings.auto_approve_up_to)} that may start "
        f"without a person, whom this client cannot ask. {execution.execution_id} stays Quoted: the operator of this "
        f"MCP server can{by_hand} raise DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO and restart it, or a person can confirm it "
        "in the Deep Origin web app.",
        code="nobody_to_ask",
    )


def failed_too_often(execution: Execution, failed: int, nobody: str = "") -> SpendingLimitError:
    """The refusal of an automatic start whose inputs have failed so often in a row.

    Args:
        nobody: why no person could be asked instead.
    """
    asked = f" Nobody is known to have approved it: {nobody}." if nobody else ""
    refusal = SpendingLimitError(
        f"The last {failed} runs of {one_line(execution.tool_key, NAME_CHARACTERS)} with these inputs failed, so a "
        f"person has to approve the next one (DEEPORIGIN_MCP_MAX_FAILURES).{asked} {execution.execution_id} stays "
        "Quoted and costs nothing.",
        code="failed_in_a_row",
    )
    shown = steps.call("list_executions", tool_key=execution.tool_key, status=["Failed"])
    confirm = steps.call("confirm_execution", execution_id=execution.execution_id)
    refusal.next_step = f"{shown} shows them. Tell the user; {confirm} asks for approval."
    return refusal


# The confirmation


async def approve_and_confirm(
    state: ServerState,
    quote: Execution,
    *,
    rule: str,
    noted: Mapping[str, Any] | None = None,
    read_at: float | None = None,
) -> Execution:
    """Confirm a quote that `rule` allows, unless a limit forbids it; the state it is in afterwards.

    Args:
        quote: the execution as it was when it was approved. If it is not `Quoted` at that price any more, it is
            refused: nobody has approved what it is now.
        noted: metadata by which the execution is known to be the one that was created.
        read_at: when the request was sent by which it was read, by `anyio.current_time()`, if that was after the
            approval. None, or `FRESH_SECONDS` ago: it is read again.

    Raises:
        SpendingLimitError: a limit of the operator forbids it.
        RestrictionError: the organisation's money or licence does.
        StateConflictError: somebody else confirmed or cancelled it meanwhile.
        OutcomeUnknownError: it was sent, and it is unknown whether it has started.
    """
    with errors.confirmation(quote.execution_id, quote.quoted_price).errors():
        try:
            await read_back(state)
            is_fresh = read_at is not None and anyio.current_time() - read_at < FRESH_SECONDS
            now = quote if is_fresh else Execution(await state.client.executions.get(quote.execution_id))
            _require_same(now, quote, noted or {})
            require_quoted(now)
            require_expected(now, quote.quoted_price)
            _require_allowed(now, state.settings)
            sent_before = await claim(state, now, rule)
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


def _require_same(now: Execution, quote: Execution, noted: Mapping[str, Any]) -> None:
    """Refuse a record of another run than the approved one, whatever its id."""
    # A missing field contradicts nothing.
    pairs = zip(subject_of(now), subject_of(quote), strict=True)
    is_other = any(one and other and one != other for one, other in pairs)
    if is_other or any(now.metadata.get(name) != value for name, value in noted.items()):
        raise StateConflictError(
            f"The platform shows another run as {quote.execution_id} now than before.",
            code="another_run",
            next_step=steps.call("get_execution", execution_id=quote.execution_id) + " shows it.",
        )


async def _confirmed(state: ServerState, execution: Execution, sent_before: bool) -> Execution:
    """Send the confirmation once. A run whose response comes at its end goes on; its present state is returned."""
    confirmation = BackgroundWork(lambda: _send(state, execution, sent_before))
    try:
        await confirmation.result(state, MAX_CALL_SECONDS)
    except RestrictionError as refusal:
        raise await _with_what_is_missing(state, execution, refusal) from None
    # What counts is the state that can be read now, not what a response promised.
    try:
        now = await current(state, execution.execution_id)
    except DeepOriginError as unread:
        unknown = _unknown(execution, f"was sent, but its state cannot be read: {unread}", unread)
    else:
        if now.status != "Quoted":
            return now
        unknown = _unknown(execution, "was sent, but the execution is still Quoted. It may start yet.")
    # While it is Quoted it may be confirmed again: the platform starts it once.
    await _settle(state, execution, "unknown")
    audit(state, execution, "unknown", str(unknown))
    raise unknown


async def _send(state: ServerState, execution: Execution, sent_before: bool) -> None:
    """Send the confirmation and settle its entry: also when the call that began it is cancelled or has ended."""
    try:
        response = await state.client.executions.confirm(
            execution.execution_id, timeout=CREATE_TIMEOUT_SECONDS, retry=False
        )
    except DeepOriginError as failure:
        unknown = (
            failure if isinstance(failure, OutcomeUnknownError) else await _unknown_after(state, execution, failure)
        )
        await _settle(state, execution, "unknown" if unknown or sent_before else "not started")
        audit(state, execution, "unknown" if unknown else "not started", str(unknown or failure))
        raise unknown or failure from None
    except BaseException:
        await _settle(state, execution, "unknown")
        raise
    with contextlib.suppress(SpendingLimitError):
        await observe(state, [Execution(response)])
    # A response that shows it as Quoted proves nothing.
    await _settle(state, execution, "unknown")


async def _unknown_after(
    state: ServerState, execution: Execution, refusal: DeepOriginError
) -> OutcomeUnknownError | None:
    """Why it is unknown whether a run whose confirmation was refused has started; None if it has not.

    A refusal may be a proxy's, or that of a request which was repeated on its way.
    """
    if refusal.http_status is None and not isinstance(refusal, RestrictionError):
        return None  # It was not sent.
    found = f"its state was not read within {LOOK_UP_SECONDS:g} s."
    with anyio.move_on_after(LOOK_UP_SECONDS):
        try:
            now = await current(state, execution.execution_id)
        except DeepOriginError as unread:
            found = f"its state cannot be read: {unread}"
        else:
            if not was_started(now):
                return None
            found = f"it is {one_line(now.status, WORD_CHARACTERS)}."
    return _unknown(execution, f"was refused, but {found} The refusal: {refusal}", refusal)


def _unknown(execution: Execution, what: str, cause: DeepOriginError | None = None) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"The confirmation of {execution.execution_id} {what}",
        http_status=cause.http_status if cause else None,
        request_id=cause.request_id if cause else None,
    )


async def _settle(state: ServerState, execution: Execution, outcome: RunState) -> None:
    # It was sent: a ledger that cannot be written any more must not hide what became of it.
    with anyio.CancelScope(shield=True), contextlib.suppress(SpendingLimitError):
        await state.ledger.settle(state.scope, execution.execution_id, outcome, now=latest(state))
    if outcome != "not started":
        state.tell_at_its_end(execution.execution_id)


async def _with_what_is_missing(
    state: ServerState, execution: Execution, refusal: RestrictionError
) -> RestrictionError:
    """The platform's refusal to start it, with the sum that is missing and what has become of the quote."""
    dto = refusal.execution
    if dto is None:
        with contextlib.suppress(DeepOriginError):
            dto = await state.client.executions.get(execution.execution_id)
    sentences = [str(refusal)]
    missing = missing_amount(str(refusal), execution.quoted_price)
    sentences += [f"{usd(missing)} are missing."] if missing is not None else []
    status = Execution(dto).status if dto is not None else ""
    if status == "Quoted":
        sentences.append("It stays Quoted.")
    elif status:
        sentences.append(
            f"The quote is closed ({one_line(status, WORD_CHARACTERS)}): once this is settled, create it anew, with "
            "another idempotency_key."
        )
    refusal.message = " ".join(sentences)
    return refusal
