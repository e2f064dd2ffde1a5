"""Cancelling an execution or a quote."""

from __future__ import annotations

from deeporigin_mcp.errors import (
    DeepOriginError,
    InvalidRequestError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    StateConflictError,
)
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import ChangingCall
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS, ExecutionRow, Warned, detailed_facts
from deeporigin_mcp.tools.runtime.executions import ExecutionId, existing
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of


class CancelledView(ExecutionRow, Warned):
    """One execution, after it was to be cancelled."""

    next_step: str | None = None


async def cancel_execution(ctx: ToolContext, execution_id: ExecutionId) -> CancelledView:
    """Cancel an execution that waits or runs, or a quote. Cannot be undone; what has run so far may be charged.

    One that is over stays as it is.
    """
    state = state_of(ctx)
    read = steps.call("get_execution", execution_id=one_line(execution_id, 60))
    with ChangingCall("nothing_changed", find_out=f"{read} shows its state.").errors():
        before = await existing(state.client, execution_id, outcome="nothing_changed")
        if before.is_terminal:
            return _view(before, f"It was {before.status} already, so nothing was cancelled.")
        # What is to be withdrawn must not be started by an answer that comes meanwhile.
        state.questions.withdraw(before.execution_id)
        try:
            return await (_withdrawn if before.status == "Quoted" else _cancelled)(state, execution_id)
        except (NetworkError, PlatformError) as error:
            if not (isinstance(error, NetworkError) and error.nothing_sent):
                error.outcome = "unknown"
            raise


async def _state_after(state: ServerState, execution_id: str) -> Execution:
    """The state once the cancellation was sent.

    Raises:
        OutcomeUnknownError: it cannot be read.
    """
    try:
        return Execution(await state.client.executions.get(execution_id))
    except DeepOriginError as unread:
        raise OutcomeUnknownError(
            f"The cancellation of {execution_id} was sent, but its state cannot be read: {unread}",
            http_status=unread.http_status,
            request_id=unread.request_id,
        ) from None


async def _cancelled(state: ServerState, execution_id: str) -> CancelledView:
    await state.client.executions.cancel(execution_id)
    after = await _state_after(state, execution_id)
    next_step = steps.after(after, state.settings)
    if not after.is_terminal:
        status = one_line(after.status, WORD_CHARACTERS)
        next_step = f"The cancellation was sent, but it is still {status}. {next_step} shows its end."
    return _view(after, next_step)


async def _withdrawn(state: ServerState, execution_id: str) -> CancelledView:
    """Cancel a quote, which not every platform allows, and say what happened."""
    refusal = ""
    try:
        await state.client.executions.cancel(execution_id, even_quoted=True)
    except (StateConflictError, InvalidRequestError) as error:
        refusal = f"The platform does not cancel quotes (HTTP {error.http_status}). "
    after = await _state_after(state, execution_id)
    if after.status == "Quoted":
        next_step = f"{refusal}It stays Quoted: it does not run and costs nothing unless somebody confirms it."
    elif after.status == "Cancelled" and not after.started_at and after.cost is None:
        next_step = "The quote is withdrawn: it never ran, costs nothing and cannot be confirmed any more."
    else:
        next_step = f"It was started meanwhile and is {one_line(after.status, WORD_CHARACTERS)}."
        next_step = f"{next_step} {steps.after(after, state.settings) or ''}".strip()
    return _view(after, next_step)


def _view(execution: Execution, next_step: str | None) -> CancelledView:
    return CancelledView(**detailed_facts(execution), next_step=next_step).limited_to(CONCISE_CHARACTERS)
