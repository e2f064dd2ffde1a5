"""Asking a person whether a quote may start: what they read, and one way after the other (design 5)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import anyio

from deeporigin_mcp.errors import DeepOriginError, OutcomeUnknownError, StateConflictError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import ZERO, added, usd
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.approvals.ledger import being_confirmed, was_started
from deeporigin_mcp.tools.approvals.pending import WITHDRAWN, Answer, Reply
from deeporigin_mcp.tools.approvals.question import Question
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.environment import may_be_simulated, where_charged
from deeporigin_mcp.tools.responses.inputs_summary import inputs_summary
from deeporigin_mcp.tools.responses.views import WORD_CHARACTERS
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of
from deeporigin_mcp.tools.spending import spent
from deeporigin_mcp.tools.spending.approval import subject_of
from deeporigin_mcp.tools.spending.elicitation import by_elicitation

MAX_ITEMS_SHOWN = 10
READ_SECONDS = 3.0
"""How long it may take to read what a person need not know to decide."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
"""What needs no quotation marks: keys, versions, ids."""
QUOTATION_MARKS = re.compile('["\u201c-\u201f\u00ab\u00bb\u2033\u301d-\u301f\uff02]')

Way = Callable[[ToolContext, Question, float], Awaitable[Reply]]
"""A way to a person: asks the question, and waits for the answer until the given `anyio.current_time()`."""


async def _by_browser(ctx: ToolContext, question: Question, until: float) -> Reply:
    from deeporigin_mcp.tools.spending.on_this_machine import by_browser

    return await by_browser(ctx, question, until)


async def _by_terminal(ctx: ToolContext, question: Question, until: float) -> Reply:
    from deeporigin_mcp.tools.spending.on_this_machine import by_terminal

    return await by_terminal(ctx, question, until)


async def _by_app(ctx: ToolContext, question: Question, until: float) -> Reply:
    from deeporigin_mcp.tools.spending.app import by_app

    return await by_app(ctx, question, until)


WAYS: Mapping[str, Way] = {
    "elicitation": by_elicitation,
    "app": _by_app,
    "browser": _by_browser,
    "terminal": _by_terminal,
}


async def ask(
    ctx: ToolContext, quote: Execution, *, until: float, failed: int = 0, used: Decimal | None = None
) -> Reply:
    """Ask by one way after the other, until one reaches somebody. A question that is open is joined.

    Args:
        quote: as it was read in this call, with a complete price; or a run that is to be created and that the
            platform starts without a quote.
        until: when to stop waiting for an answer, by `anyio.current_time()`.
        failed: how many runs with these inputs have failed in a row, if a person is asked for that reason.
        used: USD that this session has started, if there is a budget.

    Returns:
        NOBODY, with the reasons, if no way reaches anybody; PENDING also with why an earlier way did not.

    Raises:
        StateConflictError: another call has taken the yes, or withdrawn the question.
    """
    state = state_of(ctx)
    taken_before = state.questions.taken(quote.execution_id)
    question = await _question(state, quote, failed, used)
    if state.questions.taken(quote.execution_id) not in (None, taken_before):
        # Meanwhile the person was asked by another call, and has answered that.
        raise being_confirmed(quote.execution_id)
    ways = [name for name in state.settings.ways if name in WAYS]
    open_way = state.questions.open_way(question.execution_id, question.about)
    closed: list[str] = []
    for name in ways[ways.index(open_way) if open_way in ways else 0 :]:
        reply = await WAYS[name](ctx, question, until)
        if reply.answer is Answer.PENDING and closed:
            return replace(reply, detail=f"{reply.detail} Tried before: {'; '.join(closed)}.")
        if reply.answer is not Answer.NOBODY:
            return reply
        # Another call may have moved the question to another way.
        if reply is WITHDRAWN and state.questions.open_way(question.execution_id, question.about) is None:
            raise StateConflictError(
                f"The question about {quote.execution_id} was withdrawn, as the quote was cancelled or has changed.",
                code="question_withdrawn",
                next_step=steps.call("get_execution", execution_id=quote.execution_id) + " shows its state.",
            )
        closed += [reply.detail] if reply.detail else []
    return Reply(Answer.NOBODY, "; ".join(closed))


@contextlib.contextmanager
def outcome_told(reply: Reply | None) -> Iterator[Callable[[Execution], None]]:
    """Let the page on which a person said yes show whether the run has started: by an error, or what is given."""
    tell = reply.outcome.tell if reply is not None and reply.outcome is not None else lambda _: None

    def became(run: Execution) -> None:
        status = one_line(run.status, WORD_CHARACTERS)
        tell("Started. You can close this page." if was_started(run) else f"It was not started: it is {status}.")

    try:
        yield became
    except OutcomeUnknownError:
        tell("It was confirmed, and it is not known yet whether it has started. Your assistant can look.")
        raise
    except DeepOriginError as refusal:
        tell(f"It was not started: {refusal}")
        raise


async def _question(state: ServerState, quote: Execution, failed: int, used: Decimal | None) -> Question:
    """What a person reads about a quote, the price first."""
    items = quote.line_items
    price, charged = usd(quote.quoted_price), _value(state.settings.org_key, 80)
    shown_items = [
        (_value(item.name or item.code or "unnamed", 80), usd(item.total)) for item in items[:MAX_ITEMS_SHOWN]
    ]
    if len(items) > MAX_ITEMS_SHOWN:
        shown_items.append((f"and {len(items) - MAX_ITEMS_SHOWN} more items", ""))
    inputs = inputs_summary(quote.inputs)
    optional = {
        "Inputs": _quoted(inputs, 120) if inputs else "",
        "Earlier": f"the last {failed} runs with these inputs failed" if failed else "",
        "Limits": await _left(state, quote, used),
        "Execution": "" if quote.quoted_price is None else _value(quote.execution_id, 60),
    }
    return Question(
        execution_id=quote.execution_id,
        title=f"Start this Deep Origin run for {price}, charged to {charged}{await _where(state)}?",
        price=price,
        facts=(
            ("Tool", f"{_value(quote.tool_key, 80)} {_value(quote.tool_version, 40)}"),
            ("Name", _quoted(quote.name, 80) if quote.name else "none"),
            ("Project", await _project(state, quote.project_id)),
            *((label, value) for label, value in optional.items() if value),
        ),
        items=tuple(shown_items),
        consequence=f"Yes starts it at once and cannot be undone. {_without_a_yes(quote)}",
        about=about(quote),
    )


def about(quote: Execution) -> tuple[str, ...]:
    """What a yes is bound to: the price, the tool, its version, the project."""
    return usd(quote.quoted_price), *subject_of(quote)


def _without_a_yes(quote: Execution) -> str:
    if quote.quoted_price is None:
        return "The platform names the price only afterwards. No creates nothing."
    return "No leaves it as a quote, which costs nothing."


async def _where(state: ServerState) -> str:
    """Where it is charged, wherever that is not production."""
    is_simulated = False
    if may_be_simulated(state.settings):
        with anyio.move_on_after(READ_SECONDS):
            is_simulated = await state.names.is_simulated()
    return where_charged(state.settings, is_simulated=is_simulated)


async def _left(state: ServerState, quote: Execution, used: Decimal | None) -> str:
    """What the operator's limits leave after this run; empty without any, or if it cannot be read soon."""
    limits, price = spent.limits_of(state), quote.quoted_price
    found = []
    with anyio.move_on_after(READ_SECONDS), contextlib.suppress(DeepOriginError):
        if limits.budget is not None and price is not None and used is not None:
            found.append(_afterwards(limits.budget, used, price, "the budget"))
        if limits.per_day is not None and price is not None:
            found.append(_afterwards(limits.per_day, await spent.started_in_a_day(state), price, "24 hours"))
    return ", ".join(found)


def _afterwards(limit: Decimal, used: Decimal, price: Decimal, what: str) -> str:
    left = max(ZERO, added([limit, -used, -price]))
    return f"{usd(left)} of {usd(limit)} for {what} are left afterwards"


async def _project(state: ServerState, project_id: str) -> str:
    """A project's id, and its name if that can be read soon."""
    if not PLAIN.fullmatch(project_id):
        return _value(project_id, 40) if project_id else "none"
    name = ""
    with anyio.move_on_after(READ_SECONDS):
        name = (await state.names.projects()).get(project_id, "")
    return _value(project_id, 40) + (f" {_quoted(name, 60)}" if name else "")


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
