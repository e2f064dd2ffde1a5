"""Starting a quoted execution, once somebody said yes to its price."""

from __future__ import annotations

from typing import Annotated

import anyio
from mcp.server.mcpserver.resolve import (
    AcceptedElicitation,
    CancelledElicitation,
    DeclinedElicitation,
    ElicitationResult,
    Resolve,
)
from pydantic import Field

from deeporigin_mcp.errors import OutcomeUnknownError, SpendingLimitError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools import approval, steps
from deeporigin_mcp.tools.asking import Approval, Quote, ask_for_approval, current_quote
from deeporigin_mcp.tools.consequences import of_confirmation
from deeporigin_mcp.tools.details import ended_view
from deeporigin_mcp.tools.executions import ExecutionId
from deeporigin_mcp.tools.state import CALL_SECONDS, ToolContext, state_of
from deeporigin_mcp.tools.views import NAME_CHARACTERS, ExecutionView

BY_A_PERSON = "a person said yes"


async def confirm_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,  # noqa: ARG001 (read by the resolvers)
    looked: Annotated[Quote, Resolve(current_quote)],
    answer: Annotated[ElicitationResult[Approval], Resolve(ask_for_approval)],
    expected_price: Annotated[  # noqa: ARG001 (read by the resolvers)
        float | None,
        Field(description="The quoted_price in USD that you told the user; another is refused.", ge=0),
    ] = None,
) -> ExecutionView:
    """Start a quoted execution. This spends the organisation's money and cannot be undone.

    Within the operator's automatic limit (default: only free runs) it starts at once; otherwise a person is asked
    through the client. Without a yes, or where nobody can be asked, nothing starts: pass the refusal on, calling
    again does not help. Give expected_price so that a changed quote is noticed.
    """
    state, quote = state_of(ctx), looked.execution
    rule = _rule(answer)
    if rule is None:
        refusal = _not_approved(answer, quote)
        state.record(quote, "refused", str(refusal))
        raise refusal
    with anyio.move_on_after(CALL_SECONDS - looked.used_seconds):
        confirmed = await approval.approve_and_confirm(state, quote, rule=rule)
        view = ended_view(confirmed, steps.after(confirmed, state.settings))
        view.warning = approval.dearer_than_approved(confirmed, quote.quoted_price)
        return view
    with of_confirmation(quote.execution_id, quote.quoted_price).told():
        raise OutcomeUnknownError(
            f"The confirmation of {quote.execution_id} was given up after {CALL_SECONDS:g} s. It may have started."
        )


def _rule(answer: ElicitationResult[Approval]) -> str | None:
    """By which rule it may start: the operator's, or a person's clear yes; None otherwise."""
    if not isinstance(answer, AcceptedElicitation):
        return None
    data: object = answer.data
    if isinstance(data, Approval):
        return BY_A_PERSON if data.approve is True else None
    # The resolver found that no question is needed.
    return approval.AUTOMATIC if data == approval.AUTOMATIC else None


def _not_approved(answer: ElicitationResult[Approval], quote: Execution) -> SpendingLimitError:
    asked = f"{one_line(quote.tool_key, NAME_CHARACTERS)} for {quote.quoted_price} USD ({quote.execution_id})"
    if isinstance(answer, CancelledElicitation):
        return SpendingLimitError(
            f"Not started: the question about {asked} was closed without an answer, by the person or by a client that "
            "runs without one. It stays quoted. Only the operator of this MCP server can let runs start without a "
            "person (DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO)."
        )
    said = "declined" if isinstance(answer, DeclinedElicitation) else "said no to"
    return SpendingLimitError(f"Not started: the person {said} {asked}. It stays quoted and costs nothing.")
