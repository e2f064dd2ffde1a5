"""Starting a quoted execution, once its price is approved."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, NamedTuple

import anyio
from mcp_types import InputRequiredResult
from pydantic import Field

from deeporigin_mcp.errors import (
    DeepOriginError,
    OutcomeUnknownError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.executions.completeness import started_view
from deeporigin_mcp.tools.responses import errors, steps
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, ExecutionView, execution_view
from deeporigin_mcp.tools.runtime.executions import READ_SECONDS, ExecutionId, existing, reading_until
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending import approval, asking
from deeporigin_mcp.tools.spending.failures import failed_in_a_row

PERSON_SECONDS = 35.0
"""When a call stops waiting for a person, counted from its start; the rest is for the confirmation."""
CONFIRMED_BY_SECONDS = CALL_SECONDS - 2.0
"""When a call stops waiting for the confirmation, counted from its start: before the call itself times out."""


async def confirm_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    expected_price: Annotated[
        float | None,
        Field(description="The quoted_price that you told the user; another is refused.", ge=0),
    ] = None,
    wait_seconds: Annotated[float, Field(description="0 to 45, then for the run's end.", ge=0, le=45)] = 10,
) -> ExecutionView | InputRequiredResult:
    """Start a quoted execution. This spends the organisation's money and cannot be undone.

    Within the operator's automatic limit (default: only free runs) it starts at once; otherwise a person is asked,
    in the client, a browser or a terminal. approval "pending": tell the user where, then call again. After a refusal
    do not.
    """
    with errors.confirmation(one_line(execution_id, 60), expected_price).errors():
        return await _confirmed(ctx, execution_id, expected_price, wait_seconds)


async def _confirmed(
    ctx: ToolContext, execution_id: str, expected_price: float | None, wait_seconds: float
) -> ExecutionView | InputRequiredResult:
    state, began = state_of(ctx), anyio.current_time()
    with reading_until(began + READ_SECONDS):
        quote = await existing(state.client, execution_id, outcome="nothing_started")
    reply = None
    reason = await _reason_to_ask(state, quote, expected_price, read_until=began + READ_SECONDS)
    if reason is not None:
        reply = await asking.ask(ctx, quote, until=began + PERSON_SECONDS, failed=reason.failed, used=reason.used)
    if reply is not None and reply.answer is Answer.PENDING:
        return reply.request or _pending_view(quote, reply, expected_price)
    if reply is not None and reply.answer is not Answer.YES:
        refusal = _not_approved(quote, reply, state, reason.failed if reason else 0)
        if not reply.is_on_record:
            state.record(quote, "refused", str(refusal))
        raise refusal
    rule = approval.AUTOMATIC if reply is None else f"yes by {reply.detail}"
    with asking.outcome_told(reply) as became:
        with anyio.CancelScope(deadline=began + CONFIRMED_BY_SECONDS) as limit:
            if reply is not None and reply.start is not None:
                confirmed = await reply.start()
            else:
                # While this call waited for a person, the quote may have changed.
                is_after_yes = reply is None or reply.came_with_call
                confirmed = await approval.approve_and_confirm(
                    state, quote, rule=rule, read_at=began if is_after_yes else None
                )
        if limit.cancelled_caught:
            raise OutcomeUnknownError(
                f"Timed out after {CONFIRMED_BY_SECONDS:g} s waiting for the platform to confirm {quote.execution_id}."
            )
        became(confirmed)
    return await started_view(state, confirmed, quote.quoted_price, began=began, wait_seconds=wait_seconds)


class _Reason(NamedTuple):
    """Why a person has to approve a quote: how often its inputs have failed in a row, or 0 for its price.

    `used`: USD that this session has started, where there is a budget.
    """

    failed: int
    used: Decimal | None


async def _reason_to_ask(
    state: ServerState, quote: Execution, expected_price: float | None, *, read_until: float
) -> _Reason | None:
    """Why a person has to approve this quote; None if it may start automatically.

    Raises:
        DeepOriginError: it may not start, whoever approves it.
    """
    failed = 0
    try:
        approval.require_quoted(quote)
        approval.require_expected(quote, expected_price)
        if approval.within_automatic_limit(quote, state.settings):
            with reading_until(read_until):
                failed = await failed_in_a_row(state, quote)
            if not failed:
                return None
        with reading_until(read_until):
            used = await approval.require_within_limits(state, quote)
    except DeepOriginError as refusal:
        if isinstance(refusal, StateConflictError):
            state.questions.withdraw(quote.execution_id)
        state.record(quote, "refused", str(refusal))
        raise
    return _Reason(failed, used)


def _pending_view(quote: Execution, reply: Reply, expected_price: float | None) -> ExecutionView:
    """The quote as it is, with where the person can approve it, and the same call, which waits for that."""
    named = {} if expected_price is None else {"expected_price": expected_price}
    again = steps.call("confirm_execution", execution_id=quote.execution_id, **named)
    view = execution_view(quote, next_step=f"Nothing is started yet. {again} waits on for the user's answer.")
    view.approval, view.look_for = "pending", reply.detail
    return view.with_meta(reply.meta)


def _not_approved(quote: Execution, reply: Reply, state: ServerState, failed: int) -> SpendingLimitError:
    """Why it does not start, without the claim that a person declined where that is not known."""
    if reply.answer is Answer.NOBODY and failed:
        return approval.failed_too_often(quote, failed, reply.detail)
    if reply.answer is Answer.NOBODY and not reply.detail:
        return approval.nobody_to_ask(quote, state.settings)
    asked = f"{one_line(quote.tool_key, NAME_CHARACTERS)} for {usd(quote.quoted_price)} ({quote.execution_id})"
    if reply.answer is Answer.NO:
        refusal = SpendingLimitError(
            f"A person said no to {asked}. It stays quoted and costs nothing.",
            code="declined",
        )
    else:
        refusal = SpendingLimitError(
            f"Nobody is known to have approved {asked}: {reply.detail}. It stays quoted and costs nothing. Where the "
            "user saw no question, the operator of this MCP server can raise DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO and "
            "restart it, or a person can confirm it in the Deep Origin web app.",
            code="not_approved",
        )
    refusal.next_step = "Tell the user. A new call asks once more: make it only if the user wants that."
    return refusal
