"""The approval card's answer. No model calls this tool: it needs the nonce that only the card receives."""

from __future__ import annotations

from typing import Annotated

import anyio
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, OutcomeUnknownError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.executions.completeness import started_view
from deeporigin_mcp.tools.responses import errors
from deeporigin_mcp.tools.responses.views import ExecutionView, execution_view
from deeporigin_mcp.tools.runtime.executions import READ_SECONDS, ExecutionId, existing, reading_until
from deeporigin_mcp.tools.runtime.state import MAX_CALL_SECONDS, BackgroundWork, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending import app, approval
from deeporigin_mcp.tools.spending.asking import about
from deeporigin_mcp.tools.spending.elicitation import use

SHOWN_SECONDS = 3.0
"""How long the card waits for the end of a run that it started: most take longer."""


async def approve_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    nonce: Annotated[str, Field(description="What only the card receives.", max_length=4000)],
    approve: Annotated[bool, Field(description="True starts the run, false leaves it as a quote.", strict=True)],
) -> ExecutionView:
    """Answer the approval card of a quoted execution. Only the card can: call confirm_execution instead."""
    state, began = state_of(ctx), anyio.current_time()
    with errors.confirmation(one_line(execution_id, 60), None).errors():
        asked = app.opened(state, nonce)
        with reading_until(began + READ_SECONDS):
            quote = await existing(state.client, execution_id, outcome="nothing_started")
        await _require_asked(state, quote, asked, approve)
        if not approve:
            state.questions.answer(quote.execution_id, about(quote), app.NO)
            state.record(quote, "refused", "no by app")
            return execution_view(quote, next_step=None)
        start = _Start(state, quote, began)
        state.questions.answer(quote.execution_id, about(quote), Reply(Answer.YES, app.WAY, start=start))
        started = await start()
        return await started_view(state, started, quote.quoted_price, began=began, wait_seconds=SHOWN_SECONDS)


async def _require_asked(state: ServerState, quote: Execution, asked: dict[str, object], approve: bool) -> None:
    """Refuse an answer to another question than this one, and use up the one that it is.

    Raises:
        DeepOriginError: it is about another execution, not a quote any more, at another price, or answered before; or
            it cannot be kept from being answered again.
    """
    if asked["execution"] != quote.execution_id:
        raise app.wrong_nonce()
    approval.require_quoted(quote)
    if asked["about"] != [*about(quote)]:
        state.questions.withdraw(quote.execution_id)
        raise ArgumentError(
            f"The quote has changed since the card was shown; the price is now {usd(quote.quoted_price)}.",
            code="price_changed",
            next_step=app.ASK_AGAIN,
        )
    if not await use(state, asked, is_yes=approve, declined="" if approve else app.declined_as(asked)):
        raise app.used_nonce()


class _Start:
    """The start of the run, once, for the card and for a call of confirm_execution that waits for its answer."""

    def __init__(self, state: ServerState, quote: Execution, read_at: float) -> None:
        self._state = state
        self._quote = quote
        # The quote was read after the button was pressed.
        rule = f"yes by {app.WAY}"
        self._work = BackgroundWork(lambda: approval.approve_and_confirm(state, quote, rule=rule, read_at=read_at))

    async def __call__(self) -> Execution:
        _, started = await self._work.result(self._state, MAX_CALL_SECONDS)
        if started is None:
            raise OutcomeUnknownError(
                f"Timed out after {MAX_CALL_SECONDS:g} s waiting for the platform to confirm "
                f"{self._quote.execution_id}."
            )
        return started
