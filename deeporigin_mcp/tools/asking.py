"""Asking a person whether a quote may be spent, in both eras of the protocol with one piece of code (design 4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import anyio
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field

from deeporigin_mcp.errors import DeepOriginError, NotFoundError, PlatformError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import rows_of, text
from deeporigin_mcp.tools import approval
from deeporigin_mcp.tools.consequences import of_confirmation
from deeporigin_mcp.tools.executions import existing
from deeporigin_mcp.tools.state import ToolContext, state_of

ASKS_BY_RESULT = "2026-07-28"
"""From this revision on, a question is a result that the client answers by calling again."""
MAX_ITEMS_SHOWN = 10
LOOK_SECONDS = 12.0
"""How long the looks before a confirmation may take; the rest of the call is for sending it."""


class Approval(BaseModel):
    """The form that a person fills in."""

    # Only a real `true` is a yes: not the word, nor the number one.
    approve: bool = Field(
        strict=True, title="Start it and spend this amount", description="Yes starts the run and cannot be undone."
    )


@dataclass
class Quote:
    """An execution as it was when the question was asked, and the seconds that looking took in this call."""

    execution: Execution
    used_seconds: float = 0.0

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """Look no longer than all looks before a confirmation may take together.

        Raises:
            PlatformError: it took longer.
        """
        began = anyio.current_time()
        with anyio.move_on_after(LOOK_SECONDS - self.used_seconds) as limit:
            yield
        self.used_seconds += anyio.current_time() - began
        if limit.cancelled_caught:
            raise too_slow()


def too_slow() -> PlatformError:
    return PlatformError(
        f"Nothing was started: the platform did not show the quote and the limits within {LOOK_SECONDS:g} s."
    )


async def current_quote(ctx: ToolContext, execution_id: str, expected_price: float | None) -> Quote:
    """The execution as it is when the question is asked; the answer counts for its price only."""
    began = anyio.current_time()
    with of_confirmation(one_line(execution_id, 60), expected_price).told(knows_better=(NotFoundError,)):
        with anyio.move_on_after(LOOK_SECONDS):
            execution = await existing(state_of(ctx).client, execution_id, action="confirm_execution")
            return Quote(execution, anyio.current_time() - began)
        raise too_slow()


async def ask_for_approval(
    ctx: ToolContext,
    expected_price: float | None,
    looked: Annotated[Quote, Resolve(current_quote)],
) -> Elicit[Approval] | str:
    """The rule that allows the quote without a person, or the question to one.

    Raises:
        DeepOriginError: it may not start whoever says yes, or there is nobody to ask.
    """
    state, quote = state_of(ctx), looked.execution
    with of_confirmation(quote.execution_id, expected_price).told():
        try:
            approval.require_quoted(quote)
            approval.require_expected(quote, expected_price)
            if approval.within_automatic_limit(quote, state.settings):
                return approval.AUTOMATIC
            with looked.bounded():
                await approval.require_within_limits(state, quote)
            if not can_ask(ctx):
                raise approval.nobody_to_ask(quote, state.settings)
            with looked.bounded():
                question = await _question(ctx, quote)
        except DeepOriginError as refusal:
            state.record(quote, "refused", str(refusal))
            raise
    return Elicit(question, Approval)


def can_ask(ctx: ToolContext) -> bool:
    """Whether the client declared that it can show a form, and can be reached with one."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    version = ctx.protocol_version
    modern = version is not None and is_version_at_least(version, ASKS_BY_RESULT)
    return modern or ctx.request_context.session.can_send_request


async def _question(ctx: ToolContext, quote: Execution) -> str:
    """What the person reads. The same quote gives the same words: an answer is bound to them."""
    items = [
        f"  {one_line(item.name or item.code, 80)}: {item.total} USD" for item in quote.line_items[:MAX_ITEMS_SHOWN]
    ]
    organisation = one_line(state_of(ctx).settings.org_key, 80)
    lines = [
        f"Start this Deep Origin run for {quote.quoted_price} USD?",
        f"Tool: {one_line(quote.tool_key, 80)} {one_line(quote.tool_version, 40)}",
        f"Name: {_quoted(quote.name)}" if quote.name else "",
        f"Project: {await _project(ctx, quote.project_id)}",
        *(["Price:", *items] if items else []),
        f"Yes starts execution {quote.execution_id} at once and charges the organisation {organisation}.",
        "It cannot be undone. No leaves it as a quote, which costs nothing.",
    ]
    return "\n".join(line for line in lines if line)


async def _project(ctx: ToolContext, project_id: str) -> str:
    """A project by id and name; the name is left out where it cannot be read."""
    if not project_id:
        return "none"
    try:
        rows = rows_of(await state_of(ctx).client.projects.get(project_id=project_id))
    except DeepOriginError:
        rows = []
    names = [one_line(text(row.get("name")), 80) for row in rows if row.get("id") == project_id]
    return f"{project_id} {_quoted(names[0])}" if names and names[0] else project_id


def _quoted(name: str) -> str:
    """A name of the platform's users: shown as a quotation, so that it cannot pass for a part of the question."""
    return '"' + one_line(name, 120).replace('"', "'") + '"'
