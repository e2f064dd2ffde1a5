"""Starting a quoted execution, once its price is approved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import anyio
from mcp_types import InputRequiredResult
from pydantic import Field

from deeporigin_mcp.errors import (
    DeepOriginError,
    OutcomeUnknownError,
    PlatformError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.waiting.engine import LAST_POLL_SECONDS
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.executions.details import ended_view
from deeporigin_mcp.tools.responses import errors, steps
from deeporigin_mcp.tools.responses.views import NAME_CHARACTERS, ExecutionView, execution_view
from deeporigin_mcp.tools.runtime.executions import ExecutionId, at_its_end, existing
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending import approval, asking, spent
from deeporigin_mcp.tools.spending.failures import failed_in_a_row

READ_SECONDS = 12.0
"""How long the requests before a confirmation may take together."""
PERSON_SECONDS = 35.0
"""When a call stops waiting for a person, counted from its start; the rest is for the confirmation."""
CONFIRMED_BY_SECONDS = CALL_SECONDS - 2.0
"""When a call stops waiting for the confirmation, counted from its start: before the call itself times out."""
ENDED_BY_SECONDS = CALL_SECONDS - LAST_POLL_SECONDS - 1
"""When a call stops waiting for the end of the run, counted from its start."""


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
    with _reading_until(began + READ_SECONDS):
        quote = await existing(state.client, execution_id, outcome="nothing_started")
    reply = None
    failed = await _reason_to_ask(state, quote, expected_price, read_until=began + READ_SECONDS)
    if failed is not None:
        reply = await asking.ask(ctx, quote, until=began + PERSON_SECONDS, failed=failed)
    if reply is not None and reply.answer is Answer.PENDING:
        return reply.request or _pending_view(quote, reply, expected_price)
    if reply is not None and reply.answer is not Answer.YES:
        refusal = _not_approved(quote, reply, state, failed or 0)
        state.record(quote, "refused", str(refusal))
        raise refusal
    rule = approval.AUTOMATIC if reply is None else f"yes by {reply.detail}"
    with asking.outcome_told(reply):
        with anyio.CancelScope(deadline=began + CONFIRMED_BY_SECONDS) as limit:
            if reply is not None and reply.start is not None:
                confirmed = await reply.start()
            else:
                confirmed = await approval.approve_and_confirm(state, quote, rule=rule)
        if limit.cancelled_caught:
            raise OutcomeUnknownError(
                f"Timed out after {CONFIRMED_BY_SECONDS:g} s waiting for the platform to confirm {quote.execution_id}."
            )
    seconds_left = began + ENDED_BY_SECONDS - anyio.current_time()
    confirmed = await at_its_end(state.client, confirmed, min(wait_seconds, seconds_left))
    view = ended_view(confirmed, steps.after(confirmed, state.settings))
    view.warning = spent.dearer_than_approved(confirmed, quote.quoted_price)
    return view


async def _reason_to_ask(
    state: ServerState, quote: Execution, expected_price: float | None, *, read_until: float
) -> int | None:
    """Why a person has to approve this quote: how often its inputs have failed in a row, or 0 for its price.

    Returns:
        None if it may start automatically.

    Raises:
        DeepOriginError: it may not start, whoever approves it.
    """
    failed = 0
    try:
        approval.require_quoted(quote)
        approval.require_expected(quote, expected_price)
        if approval.within_automatic_limit(quote, state.settings):
            with _reading_until(read_until):
                failed = await failed_in_a_row(state, quote)
            if not failed:
                return None
        with _reading_until(read_until):
            await approval.require_within_limits(state, quote)
    except DeepOriginError as refusal:
        if isinstance(refusal, StateConflictError):
            state.questions.withdraw(quote.execution_id)
        state.record(quote, "refused", str(refusal))
        raise
    return failed


@contextlib.contextmanager
def _reading_until(deadline: float) -> Iterator[None]:
    """Read no longer than that, by `anyio.current_time()`.

    Raises:
        PlatformError: it took longer.
    """
    with anyio.CancelScope(deadline=deadline) as limit:
        yield
    if limit.cancelled_caught:
        raise PlatformError(f"The platform did not show the quote and the limits within {READ_SECONDS:g} s.")


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
