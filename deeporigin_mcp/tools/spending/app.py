"""Asking a person by the approval card, a page that clients with MCP Apps show beside the result of the call.

The card's button calls `approve_execution` with a nonce that only the card receives: in `_meta` of the result, which no
model sees. The nonce is the question itself with a keyed hash, so that any worker can check it.
"""

from __future__ import annotations

import binascii
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import anyio

from deeporigin_mcp.apps.pages import is_built
from deeporigin_mcp.errors import ArgumentError, SpendingLimitError, StateConflictError
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, WITHDRAWN, Answer, Reply
from deeporigin_mcp.tools.approvals.question import Question
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending.elicitation import bound_to, caller_of, is_recent, stamp

WAY = "app"
META = "deeporigin/approval"
"""The key of the question in `_meta` of the result."""
PURPOSE = b"deeporigin-mcp/card/1"
NO = Reply(Answer.NO, WAY, is_on_record=True)
LOOK_SECONDS = 2.0
"""How often a call that waits looks whether another worker got the no."""
ASK_AGAIN = "Call confirm_execution again: it shows a new card."


async def by_app(ctx: ToolContext, question: Question, until: float) -> Reply:
    """The approval card, if the client shows it. The first call returns at once, as the card comes with its result."""
    from mcp.server.apps import client_supports_apps

    state = state_of(ctx)
    # A run that is created by the yes itself has no quote that the card could start.
    if "Execution" not in dict(question.facts) or not (is_built() and client_supports_apps(ctx)):
        return Reply(Answer.NOBODY)
    is_first = state.questions.open_way(question.execution_id, question.about) != WAY
    if is_first:
        until = anyio.current_time()
    if await _was_declined(state, question):
        state.questions.withdraw(question.execution_id)
        return NO
    elsewhere = anyio.CancelScope()
    state.tasks.start_soon(_look_elsewhere, state, question, elsewhere)
    try:
        reply = await state.questions.reply(
            state.tasks, question.execution_id, question.about, WAY, _answered, until=until
        )
    finally:
        elsewhere.cancel()
    if reply is not None and reply.answer is Answer.NO:
        # Told now, and not once more by another worker.
        await _was_declined(state, question)
    if reply is not None:
        return reply
    if not is_first and {"browser", "terminal"} & {*state.settings.ways}:
        # Some clients announce apps and show none.
        return Reply(Answer.NOBODY, "the card was not answered")
    card = {
        "nonce": nonce_of(state, question),
        "title": question.title,
        "price": question.price,
        "facts": [*map(list, question.facts)],
        "items": [*map(list, question.items)],
        "consequence": question.consequence,
    }
    return Reply(Answer.PENDING, f"A card in this client: {question.title}", meta={META: card})


async def _was_declined(state: ServerState, question: Question) -> bool:
    """Whether a person said no to this on a card, by whichever worker, and no call has been told yet."""
    if not state.settings.state_keys:
        return False
    declined, since = declined_as(bound_to(state, question)), state.client.now() - KEPT_SECONDS
    try:
        return await state.ledger.answers(state.scope).take_no(declined, since=since)
    except SpendingLimitError:
        return False


async def _look_elsewhere(state: ServerState, question: Question, scope: anyio.CancelScope) -> None:
    """While a call waits here, the card's no may reach another worker."""
    with scope:
        while state.settings.state_keys:
            # Another process answers, which lives in real time.
            await anyio.sleep(LOOK_SECONDS)
            if await _was_declined(state, question):
                state.questions.answer(question.execution_id, question.about, NO)
                return


def declined_as(asked: Mapping[str, Any]) -> str:
    """What a no on a card is about."""
    return json.dumps([asked[name] for name in ("execution", "about", "caller")])


async def _answered() -> Reply:
    """The answer comes by `approve_execution`."""
    await anyio.sleep_forever()
    return WITHDRAWN


def nonce_of(state: ServerState, question: Question) -> str:
    """What the card answers with: good for one answer to this question by this caller."""
    content = json.dumps(bound_to(state, question) | stamp(state), separators=(",", ":")).encode()
    return f"{_text(content)}.{_text(hmac.digest(_keys(state)[0], PURPOSE + content, 'sha256'))}"


def opened(state: ServerState, nonce: str) -> dict[str, Any]:
    """The question that a nonce answers: `execution`, `about`, `id`.

    Raises:
        ArgumentError: no card of this caller has it.
        StateConflictError: it is too old.
    """
    content, _, seal = nonce.partition(".")
    try:
        raw, given = urlsafe_b64decode(content), urlsafe_b64decode(seal)
    except (ValueError, binascii.Error):
        raw, given = b"", b""
    sealed = any(hmac.compare_digest(given, hmac.digest(key, PURPOSE + raw, "sha256")) for key in _keys(state))
    asked: dict[str, Any] = json.loads(raw) if sealed else {}
    if asked.get("caller") != caller_of(state.settings):
        raise wrong_nonce()
    if not is_recent(state, asked):
        raise StateConflictError("This approval card is too old.", code="late_nonce", next_step=ASK_AGAIN)
    return asked


def wrong_nonce() -> ArgumentError:
    """The refusal of an answer that does not come from the card of this execution."""
    return ArgumentError(
        "Only the approval card that a person sees can answer for this run, and this call does not come from it.",
        code="wrong_nonce",
        next_step="Tell the user.",
    )


def used_nonce() -> StateConflictError:
    """The refusal of a second answer by one card."""
    return StateConflictError("This approval card was answered before.", code="used_nonce", next_step=ASK_AGAIN)


def _keys(state: ServerState) -> list[bytes]:
    """The operator's, which all workers share, the first of which seals; or this process's own."""
    shared = [key.get_secret_value().encode() for key in state.settings.state_keys]
    return shared or [state.questions.secret]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()
