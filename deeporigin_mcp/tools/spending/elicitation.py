"""The way to a person through the client: form elicitation (design 5).

A client of protocol 2025-11-25 gets an elicitation in the middle of the call. One of 2026-07-28 gets it as the call's
result and calls again with the answer and a sealed request state: execution, price, caller.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.elicitation import render_elicitation_schema
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult, ListRootsResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError

from deeporigin_mcp.errors import SpendingLimitError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, Answer, Reply
from deeporigin_mcp.tools.approvals.question import Question
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

ASKS_BY_RESULT = "2026-07-28"
"""From this protocol revision on, an elicitation is a result, and the client calls again with the answer."""
WAY = "elicitation"
KEY = "approval"
"""The name of the elicitation in such a result."""
PURPOSE = b"deeporigin-mcp/approval/1"
CLOCKS_APART_SECONDS = 60.0
"""How far the clocks of two workers may differ."""


class Approval(BaseModel):
    """The schema of the elicitation."""

    # Only a real `true` is a yes: not the word, nor the number one.
    approve: bool = Field(
        strict=True, title="Start it and spend this amount", description="Yes starts the run and cannot be undone."
    )


YES = Reply(Answer.YES, WAY)
NO = Reply(Answer.NO, WAY)
# Clients decline and cancel by themselves, so neither is known to be a person's answer.
DECLINED = Reply(Answer.NOBODY, "the elicitation was declined, by a person or by the client itself")
CLOSED = Reply(Answer.NOBODY, "the elicitation was cancelled, by a person or by the client itself")
INVALID = Reply(Answer.NOBODY, "the client's response to the elicitation is invalid")


async def by_elicitation(ctx: ToolContext, question: Question, until: float) -> Reply:
    """Elicitation in form mode, if the client supports it."""
    if not can_ask(ctx):
        return Reply(Answer.NOBODY)
    if _asks_by_result(ctx):
        return await _by_result(ctx, question)
    state = state_of(ctx)
    reply = await state.questions.reply(
        state.tasks, question.execution_id, question.about, WAY, lambda: _elicited(ctx, question), until=until
    )
    return _pending(question) if reply is None else reply


def can_ask(ctx: ToolContext) -> bool:
    """Whether the client declared form elicitation, and can be sent one."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return _asks_by_result(ctx) or ctx.request_context.session.can_send_request


def _asks_by_result(ctx: ToolContext) -> bool:
    version = ctx.protocol_version
    return version is not None and is_version_at_least(version, ASKS_BY_RESULT)


def _pending(question: Question, request: InputRequiredResult | None = None) -> Reply:
    return Reply(Answer.PENDING, f"A form in this client: {question.title}", request)


# 2025-11-25: in the middle of a call, which may end before the answer comes


async def _elicited(ctx: ToolContext, question: Question) -> Reply:
    form = _form(question)
    try:
        # Not related to the call, which may have ended by then.
        result = await ctx.session.elicit_form(form.message, form.requested_schema)
    except MCPError as error:
        said = f'{error.error.code} "{one_line(error.error.message, 120)}"'
        return Reply(Answer.NOBODY, f"the client responded to the elicitation with error {said}")
    except ValidationError:
        return INVALID
    return _reply(result)


def _reply(result: object) -> Reply:
    """The reply in a client's response. Only a real `true` is a yes."""
    if not isinstance(result, ElicitResult):
        return INVALID
    if result.action != "accept":
        return DECLINED if result.action == "decline" else CLOSED
    try:
        return YES if Approval.model_validate(result.content).approve else NO
    except ValidationError:
        return INVALID


# 2026-07-28: by the result of one call and the arguments of the next


async def valid_input_responses(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Take an invalid response to an elicitation for an empty one, so that the tool can say so.

    The SDK would refuse the whole call by a protocol error, which no model reads.
    """
    responses = (ctx.params or {}).get("inputResponses")
    if ctx.method != "tools/call" or responses is None:
        return await call_next(ctx)
    others = responses.items() if isinstance(responses, Mapping) else ()
    read = {name: value for name, value in others if name != KEY and _are_roots(value)}
    if not isinstance(responses, Mapping) or KEY in responses:
        try:
            read[KEY] = ElicitResult.model_validate(responses[KEY], by_name=False).model_dump(exclude_none=True)
        except (TypeError, ValidationError):
            read[KEY] = {"action": "accept"}
    return await call_next(replace(ctx, params={**(ctx.params or {}), "inputResponses": read}))


async def _by_result(ctx: ToolContext, question: Question) -> Reply:
    state = state_of(ctx)
    bound = bound_to(state, question)
    answer = (ctx.input_responses or {}).get(KEY)
    if answer is not None:
        reply = replace(_reply(answer), came_with_call=True)
        if await _is_valid(state, ctx.request_state, bound, is_yes=reply.answer is Answer.YES):
            return reply
    asked = stamp(state)
    request = ElicitRequest(params=_form(question))
    result = InputRequiredResult(input_requests={KEY: request}, request_state=json.dumps(bound | asked))
    return _pending(question, result)


def _are_roots(value: Any) -> bool:
    """Whether it is the response to the only other request that this server makes."""
    try:
        return bool(ListRootsResult.model_validate(value, by_name=False))
    except ValidationError:
        return False


async def _is_valid(state: ServerState, sealed: str | None, bound: dict[str, Any], *, is_yes: bool) -> bool:
    """Whether the sealed request state is of this elicitation, not too old, and not used before."""
    try:
        asked = json.loads(sealed or "")
    except ValueError:
        return False
    if not isinstance(asked, dict) or any(asked.get(name) != value for name, value in bound.items()):
        return False
    return is_recent(state, asked) and await use(state, asked, is_yes=is_yes)


# A question that the client keeps; `tools/spending/app.py` has another kind


def bound_to(state: ServerState, question: Question) -> dict[str, Any]:
    """What an answer to a question counts for."""
    return {
        "execution": question.execution_id,
        "about": [*question.about],
        "caller": caller_of(state.settings),
    }


async def use(state: ServerState, asked: Mapping[str, Any], *, is_yes: bool, declined: str = "") -> bool:
    """Use up the answer to a question with a stamp; False if that was done before.

    Args:
        declined: see `Answers.use`.

    Raises:
        SpendingLimitError: a yes cannot be kept from being used again by another worker.
    """
    if not state.questions.use(str(asked["id"])):
        return False
    # Without these keys no other process can open it.
    if not state.settings.state_keys:
        return True
    try:
        return await state.ledger.answers(state.scope).use(str(asked["id"]), declined=declined, now=state.client.now())
    except SpendingLimitError:
        # A no that cannot be put on record is a no all the same.
        if is_yes:
            raise
        return True


def stamp(state: ServerState) -> dict[str, Any]:
    """What a question carries that the client keeps: a name of its own, and when it was asked."""
    return {
        "id": secrets.token_urlsafe(12),
        "process": state.questions.process,
        "since_boot": state.questions.since_boot(),
        "time": state.client.now(),
    }


def is_recent(state: ServerState, asked: Mapping[str, Any]) -> bool:
    """Whether a question with this stamp may still be answered."""
    if asked["process"] == state.questions.process:
        age = state.questions.since_boot() - asked["since_boot"]
    else:
        # Another worker sent it, maybe on another machine: the platform's clock is the one that both see.
        age = state.client.now() - asked["time"]
    return bool(-CLOCKS_APART_SECONDS <= age <= KEPT_SECONDS)


def caller_of(settings: Settings) -> str:
    """A keyed hash of token, platform and organisation, the same in every process."""
    token = settings.token.get_secret_value() if settings.token else ""
    where = f"{settings.base_url}\n{settings.org_key}".encode()
    return hmac.new(token.encode(), PURPOSE + where, "sha256").hexdigest()


def _form(question: Question) -> ElicitRequestFormParams:
    """The elicitation. One client shows only three lines of its message, so these hold what has to be known.

    Names that users of the platform gave stand last, so that no long name pushes the rest out of sight.
    """
    tool, name, project, *others = [f"{label}: {value}" for label, value in question.facts]
    lines = [question.title, tool, f"{name}; {project}", question.consequence, *others]
    lines += ["Price:"] if question.items else []
    lines += [f"  {item}: {price}" if price else f"  {item}" for item, price in question.items]
    return ElicitRequestFormParams(message="\n".join(lines), requested_schema=render_elicitation_schema(Approval))
