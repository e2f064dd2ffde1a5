"""The ways to a person on the machine where the server runs: a page in the browser, and a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from deeporigin_mcp.settings import shows_windows
from deeporigin_mcp.tools.approvals import page, waiting
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, UNANSWERED, Answer, Reply
from deeporigin_mcp.tools.approvals.question import Question
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

COMMAND = "`deeporigin-mcp approve` in a terminal"
ON_PAGE = f"A page that opened in the user's browser; where none is seen, {COMMAND} asks the same."
IN_TERMINAL = f"The user runs {COMMAND} on this machine and answers there."
FIRST_CALL_SECONDS = 1.0
"""How long a call waits for a terminal of which the user has not been told yet."""


async def by_browser(ctx: ToolContext, question: Question, until: float) -> Reply:
    """The approval page, where a browser can be opened. The same question can be answered in a terminal."""
    state = state_of(ctx)
    if not shows_windows():
        return Reply(Answer.NOBODY)
    return await _asked(state, question, page.WAY, lambda: _on_page(state, question), ON_PAGE, until)


async def by_terminal(ctx: ToolContext, question: Question, until: float) -> Reply:
    """`deeporigin-mcp approve`. The first call returns soon: the user has to be told of it."""
    state = state_of(ctx)
    if state.questions.open_way(question.execution_id, question.about) != waiting.WAY:
        until = min(until, anyio.current_time() + FIRST_CALL_SECONDS)
    return await _asked(state, question, waiting.WAY, lambda: _in_terminal(state, question), IN_TERMINAL, until)


async def _asked(
    state: ServerState,
    question: Question,
    way: str,
    ask: Callable[[], Awaitable[Reply]],
    look_for: str,
    until: float,
) -> Reply:
    async def for_a_while() -> Reply:
        with anyio.move_on_after(KEPT_SECONDS):
            return await ask()
        return UNANSWERED

    reply = await state.questions.reply(
        state.tasks, question.execution_id, question.about, way, for_a_while, until=until
    )
    return Reply(Answer.PENDING, look_for) if reply is None else reply


async def _on_page(state: ServerState, question: Question) -> Reply:
    async with page.served(question, state.tasks, lambda: _is_open(state, question)) as shown:
        if not await shown.open():
            return Reply(Answer.NOBODY, "no browser could be opened")
        return await _first(shown.reply, lambda: _in_terminal(state, question))


async def _in_terminal(state: ServerState, question: Question) -> Reply:
    # Another process answers, which lives in real time.
    return await waiting.answered(question, anyio.sleep, lambda: _is_open(state, question))


def _is_open(state: ServerState, question: Question) -> bool:
    return state.questions.open_way(question.execution_id, question.about) is not None


async def _first(*asks: Callable[[], Awaitable[Reply]]) -> Reply:
    """The reply of whichever is answered first, or else what the first says."""
    replies: list[Reply] = []

    async def take(ask: Callable[[], Awaitable[Reply]]) -> None:
        replies.append(await ask())
        if replies[-1].answer is not Answer.NOBODY:
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for ask in asks:
            tasks.start_soon(take, ask)
    return next((reply for reply in replies if reply.answer is not Answer.NOBODY), replies[0])
