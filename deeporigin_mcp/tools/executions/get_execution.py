"""Reading and cancelling one execution."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deeporigin_mcp.errors import (
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    Outcome,
    PlatformError,
    StateConflictError,
)
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.executions.details import detailed_view
from deeporigin_mcp.tools.executions.identifiers import explained_miss, is_execution_id, not_found, not_on_data_platform
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.errors import Attempt
from deeporigin_mcp.tools.responses.size_limit import CONCISE_CHARACTERS
from deeporigin_mcp.tools.responses.views import (
    WORD_CHARACTERS,
    ExecutionDetailView,
    ExecutionView,
    execution_view,
)
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

Detail = Literal["concise", "detailed"]
ExecutionId = Annotated[str, Field(description="Execution id (UUID) of an earlier answer.")]


async def get_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    source: Annotated[
        Literal["tools_service", "data_platform"],
        Field(description="data_platform takes search_executions' 13-character id."),
    ] = "tools_service",
    detail: Annotated[
        Detail, Field(description="detailed adds price items, progress, inputs, outputs, billing.")
    ] = "concise",
) -> ExecutionDetailView:
    """Read one execution: status, progress, price, cost, reason of a failure; with detail, its inputs and outputs.

    To wait for an end use wait_executions instead; what a run found is in get_execution_results. Free, reads only.
    """
    state = state_of(ctx)
    if source == "data_platform":
        return await _from_data_platform(state.client, execution_id)
    execution = await existing(state.client, execution_id)
    view = execution_view(execution, next_step=steps.after(execution, state.settings))
    if detail == "detailed":
        return detailed_view(view, execution)
    return ExecutionDetailView.of(view).held_to(CONCISE_CHARACTERS)


async def cancel_execution(ctx: ToolContext, execution_id: ExecutionId) -> ExecutionView:
    """Cancel an execution that waits or runs, or a quote. Cannot be undone; what has run so far may be charged.

    One that is already over is left as it is, and its state is returned.
    """
    state = state_of(ctx)
    with Attempt("nothing_changed").errors():
        before = await existing(state.client, execution_id, outcome="nothing_changed")
        if before.is_terminal:
            return execution_view(before, next_step=f"It was {before.status} already, so nothing was cancelled.")
        try:
            return await (_withdrawn if before.status == "Quoted" else _cancelled)(state, execution_id)
        except (NetworkError, PlatformError) as error:
            if not (isinstance(error, NetworkError) and error.nothing_sent):
                error.outcome = "unknown"
            raise


async def _cancelled(state: ServerState, execution_id: str) -> ExecutionView:
    await state.client.executions.cancel(execution_id)
    after = Execution(await state.client.executions.get(execution_id))
    next_step = steps.after(after, state.settings)
    if not after.is_terminal:
        status = one_line(after.status, WORD_CHARACTERS)
        next_step = f"The cancellation was sent, but it is still {status}: look again by {next_step}"
    return execution_view(after, next_step=next_step)


async def _withdrawn(state: ServerState, execution_id: str) -> ExecutionView:
    """Cancel a quote, which not every platform allows, and say what became of it."""
    refusal = ""
    try:
        await state.client.executions.cancel(execution_id, even_quoted=True)
    except (StateConflictError, InvalidRequestError) as error:
        refusal = f"The platform does not cancel quotes (HTTP {error.http_status}). "
    after = Execution(await state.client.executions.get(execution_id))
    if after.status == "Quoted":
        told = f"{refusal}It stays Quoted: it does not run and costs nothing unless somebody confirms it."
    elif after.status == "Cancelled" and not after.started_at and after.cost is None:
        told = "The quote is withdrawn: it never ran, costs nothing and cannot be confirmed any more."
    else:
        told = f"It was started meanwhile and is {one_line(after.status, WORD_CHARACTERS)}."
        told = f"{told} {steps.after(after, state.settings) or ''}".strip()
    return execution_view(after, next_step=told)


async def existing(client: DeepOriginClient, execution_id: str, *, outcome: Outcome | None = None) -> Execution:
    """An execution by its tools-service id.

    Args:
        outcome: for a call that is to change it, what that has done if there is none; then no other id is suggested,
            as what is paid or cancelled must not be guessed.

    Raises:
        NotFoundError: there is none; says what to call.
    """
    try:
        return Execution(await client.executions.get(execution_id))
    except (NotFoundError, InvalidRequestError) as error:
        if isinstance(error, InvalidRequestError) and is_execution_id(execution_id):
            raise
        if outcome is not None:
            missing = not_found(execution_id, error)
            missing.outcome = outcome
            raise missing from None
        raise await explained_miss(client, execution_id, error) from None


async def _from_data_platform(client: DeepOriginClient, data_platform_id: str) -> ExecutionDetailView:
    try:
        row = await client.executions.from_data_platform(data_platform_id)
    except (NotFoundError, InvalidRequestError) as error:
        raise not_on_data_platform(data_platform_id, error) from None
    if len(found := rows_of(row)) == 1:
        row = found[0]
    execution = Execution(
        {
            "executionId": row.get("compute_job_id"),
            "status": row.get("status"),
            "name": row.get("name"),
            "tool": {"key": row.get("tool_key"), "version": row.get("tool_version")},
            "startedAt": row.get("started_at"),
            "completedAt": row.get("completed_at"),
            "projectId": row.get("project_id"),
        }
    )
    view = ExecutionDetailView.of(execution_view(execution))
    view.data_platform_id = word(row.get("id")) or data_platform_id
    view.next_step = steps.call("get_execution", execution_id=execution.execution_id) + " has price and progress."
    return view
