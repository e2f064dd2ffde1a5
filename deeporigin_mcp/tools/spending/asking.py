"""Asking a person whether a run may start, by one way after the other (design 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.approvals.pending import Answer, Reply
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of
from deeporigin_mcp.tools.spending.app import by_app
from deeporigin_mcp.tools.spending.elicitation import by_elicitation
from deeporigin_mcp.tools.spending.question import Question, about, question_of

Way = Callable[[ToolContext, Question, float], Awaitable[Reply]]
"""A way to a person: asks and waits until the given `anyio.current_time()`."""
WAYS: Mapping[str, Way] = {"elicitation": by_elicitation, "app": by_app}
"""In the order in which they are tried."""


async def ask(ctx: ToolContext, quote: Execution, *, until: float) -> Reply:
    """Join the open question about this execution, or else ask by one way after the other until one reaches somebody.

    Args:
        quote: as it was read in this call, with a complete price; or a run that is to be created and that the
            platform starts without a quote.
        until: when to stop waiting for an answer, by `anyio.current_time()`.

    Returns:
        NOBODY, with the reasons, if no way reaches anybody.

    Raises:
        StateConflictError: another call has taken the yes.
    """
    open_questions = state_of(ctx).elicitations
    if open_questions.is_open(quote.execution_id, about(quote)):
        return await open_questions.reply(quote.execution_id, until=until)
    question = await question_of(ctx, quote)
    closed = []
    for way in WAYS.values():
        reply = await way(ctx, question, until)
        if reply.answer is not Answer.NOBODY:
            return reply
        closed += [reply.detail] if reply.detail else []
    return Reply(Answer.NOBODY, "; ".join(closed))
