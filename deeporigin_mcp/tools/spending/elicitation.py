"""The ways to a person who may approve a quote, and what that person reads (design 5).

A client of protocol 2025-11-25 gets an elicitation in the middle of the call. One of 2026-07-28 gets it as the call's
result and calls again with the answer and a sealed request state: execution, price, caller.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.elicitation import render_elicitation_schema
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult, ListRootsResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, Answer, Reply
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending.approval import subject_of

ASKS_BY_RESULT = "2026-07-28"
"""From this protocol revision on, an elicitation is a result, and the client calls again with the answer."""
KEY = "approval"
"""The name of the elicitation in such a result."""
PURPOSE = b"deeporigin-mcp/approval/1"
MAX_ITEMS_SHOWN = 10
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
"""What needs no quotation marks: keys, versions, ids."""
QUOTATION_MARKS = re.compile('["\u201c-\u201f\u00ab\u00bb\u2033\u301d-\u301f\uff02]')
PROJECT_NAME_SECONDS = 3.0
"""How long a project's name may take."""
CLOCKS_APART_SECONDS = 60.0
"""How far the clocks of two workers may differ."""


class Approval(BaseModel):
    """The schema of the elicitation."""

    # Only a real `true` is a yes: not the word, nor the number one.
    approve: bool = Field(
        strict=True, title="Start it and spend this amount", description="Yes starts the run and cannot be undone."
    )


Way = Callable[[ToolContext, Execution, float], Awaitable[Reply]]
"""A way to a person: asks whether this quote may start and waits until the given `anyio.current_time()`."""

YES = Reply(Answer.YES, "elicitation")
NO = Reply(Answer.NO, "elicitation")
# Clients decline and cancel by themselves, so neither is known to be a person's answer.
DECLINED = Reply(Answer.NOBODY, "the elicitation was declined, by a person or by the client itself")
CLOSED = Reply(Answer.NOBODY, "the elicitation was cancelled, by a person or by the client itself")
INVALID = Reply(Answer.NOBODY, "the client's response to the elicitation is invalid")


async def ask(ctx: ToolContext, quote: Execution, *, until: float) -> Reply:
    """Ask by one way after the other, until one reaches somebody.

    Args:
        quote: as it was read in this call, with a complete price; or a run that is to be created and that the
            platform starts without a quote.
        until: when to stop waiting for an answer, by `anyio.current_time()`.

    Returns:
        NOBODY, with the reasons, if no way reaches anybody.

    Raises:
        StateConflictError: another call has taken the yes.
    """
    closed = []
    for way in WAYS:
        reply = await way(ctx, quote, until)
        if reply.answer is not Answer.NOBODY:
            return reply
        closed += [reply.detail] if reply.detail else []
    return Reply(Answer.NOBODY, "; ".join(closed))


async def by_elicitation(ctx: ToolContext, quote: Execution, until: float) -> Reply:
    """Elicitation in form mode, if the client supports it."""
    if not can_ask(ctx):
        return Reply(Answer.NOBODY)
    if _asks_by_result(ctx):
        return await _by_result(ctx, quote)
    state = state_of(ctx)
    reply = await state.elicitations.reply(
        state.tasks, quote.execution_id, _about(quote), lambda: _elicited(ctx, quote), until=until
    )
    return _pending(ctx, quote) if reply is None else reply


WAYS: tuple[Way, ...] = (by_elicitation,)


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


def _about(quote: Execution) -> list[str]:
    """What a yes is bound to."""
    return [usd(quote.quoted_price), *subject_of(quote)]


def _pending(ctx: ToolContext, quote: Execution, request: InputRequiredResult | None = None) -> Reply:
    return Reply(Answer.PENDING, f"A form in this client: {_title(quote, state_of(ctx).settings)}", request)


# 2025-11-25: in the middle of a call, which may end before the answer comes


async def _elicited(ctx: ToolContext, quote: Execution) -> Reply:
    form = await _form(ctx, quote)
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


async def _by_result(ctx: ToolContext, quote: Execution) -> Reply:
    state = state_of(ctx)
    bound = {
        "execution": quote.execution_id,
        "about": _about(quote),
        "caller": _caller(state.settings),
    }
    answer = (ctx.input_responses or {}).get(KEY)
    if answer is not None and _is_valid(state, ctx.request_state, bound):
        return _reply(answer)
    asked = {
        "id": secrets.token_urlsafe(12),
        "process": state.elicitations.process,
        "since_boot": state.elicitations.since_boot(),
        "time": state.client.timing.wall(),
    }
    request = ElicitRequest(params=await _form(ctx, quote))
    result = InputRequiredResult(input_requests={KEY: request}, request_state=json.dumps(bound | asked))
    return _pending(ctx, quote, result)


def _are_roots(value: Any) -> bool:
    """Whether it is the response to the only other request that this server makes."""
    try:
        return bool(ListRootsResult.model_validate(value, by_name=False))
    except ValidationError:
        return False


def _is_valid(state: ServerState, sealed: str | None, bound: dict[str, Any]) -> bool:
    """Whether the sealed request state is of this elicitation, not too old, and not used before."""
    try:
        asked = json.loads(sealed or "")
    except ValueError:
        return False
    if not isinstance(asked, dict) or any(asked.get(name) != value for name, value in bound.items()):
        return False
    if asked["process"] == state.elicitations.process:
        age = state.elicitations.since_boot() - asked["since_boot"]
    else:
        # Another worker sent it, maybe on another machine, whose boot time is unknown.
        age = state.client.timing.wall() - asked["time"]
    return -CLOCKS_APART_SECONDS <= age <= KEPT_SECONDS and state.elicitations.use(asked["id"])


def _caller(settings: Settings) -> str:
    """A keyed hash of token and organisation, the same in every process."""
    token = settings.token.get_secret_value() if settings.token else ""
    return hmac.new(token.encode(), PURPOSE + settings.org_key.encode(), "sha256").hexdigest()


# What the person reads


async def _form(ctx: ToolContext, quote: Execution) -> ElicitRequestFormParams:
    """The elicitation. One client shows only three lines of its message, so these hold what has to be known.

    Names that users of the platform gave stand last, so that no long name pushes the rest out of sight.
    """
    items = quote.line_items
    lines = [
        _title(quote, state_of(ctx).settings),
        f"Tool: {_value(quote.tool_key, 80)} {_value(quote.tool_version, 40)}",
        f"Name: {_quoted(quote.name, 80) if quote.name else 'none'}; project: {await _project(ctx, quote.project_id)}",
        f"Yes starts it at once and cannot be undone. {_without_a_yes(quote)}",
        *([] if quote.quoted_price is None else [f"Execution: {_value(quote.execution_id, 60)}"]),
        *(["Price:"] if items else []),
        *(
            f"  {_value(item.name or item.code or 'unnamed', 80)}: {usd(item.total)}"
            for item in items[:MAX_ITEMS_SHOWN]
        ),
        *([f"  and {len(items) - MAX_ITEMS_SHOWN} more items"] if len(items) > MAX_ITEMS_SHOWN else []),
    ]
    return ElicitRequestFormParams(message="\n".join(lines), requested_schema=render_elicitation_schema(Approval))


def _title(quote: Execution, settings: Settings) -> str:
    organisation = _value(settings.org_key, 80)
    return f"Start this Deep Origin run for {usd(quote.quoted_price)}, charged to {organisation}?"


def _without_a_yes(quote: Execution) -> str:
    if quote.quoted_price is None:
        return "The platform names the price only afterwards. No creates nothing."
    return "No leaves it as a quote, which costs nothing."


async def _project(ctx: ToolContext, project_id: str) -> str:
    """A project's id, and its name if that can be read soon."""
    if not PLAIN.fullmatch(project_id):
        return _value(project_id, 40) if project_id else "none"
    rows: list[dict[str, Any]] = []
    with anyio.move_on_after(PROJECT_NAME_SECONDS):
        try:
            rows = rows_of(await state_of(ctx).client.projects.get(project_id=project_id))
        except DeepOriginError:
            rows = []
    names = [text(row.get("name")) for row in rows if row.get("id") == project_id]
    name = f" {_quoted(names[0], 60)}" if names and names[0] else ""
    return _value(project_id, 40) + name


def _value(raw: str, characters: int) -> str:
    """A value of the platform: as it is if it is one plain word, else in quotation marks."""
    return shown if PLAIN.fullmatch(shown := _shown(raw, characters)) else f'"{shown}"'


def _quoted(raw: str, characters: int) -> str:
    return f'"{_shown(raw, characters)}"'


def _shown(raw: str, characters: int) -> str:
    """One line of its visible characters, without one that would end a quotation."""
    # More than is shown, but not megabytes.
    visible = "".join(each if each.isprintable() else " " for each in raw[: 10 * characters])
    return QUOTATION_MARKS.sub("'", one_line(visible, characters))
