"""The only door to spending: who said yes to which price (design 4)."""

from __future__ import annotations

import json
import logging
from typing import Annotated

from pydantic import Field

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    OutcomeUnknownError,
    RestrictionError,
    SpendingLimitError,
    StateConflictError,
)
from deeporigin_mcp.platform import DeepOriginClient, Execution, ListQuery
from deeporigin_mcp.platform.money import amount, total
from deeporigin_mcp.platform.transport import CREATE_TIMEOUT_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.executions import ExecutionId
from deeporigin_mcp.tools.state import MAX_CALL_SECONDS, Outlasting, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.views import ExecutionView, execution_view

audit = logging.getLogger("deeporigin_mcp.audit")

NEVER_STARTED = frozenset({"Quoted", "FailedQuotation", "InsufficientFunds"})
"""Statuses of executions that nobody has been charged for."""


async def confirm_execution(
    ctx: ToolContext,
    execution_id: ExecutionId,
    expected_price: Annotated[
        float | None,
        Field(description="The quoted_price in USD that you told the user; another current price is refused.", ge=0),
    ] = None,
) -> ExecutionView:
    """Start a quoted execution. This spends the organisation's money and cannot be undone.

    Works while it is Quoted. Runs within the operator's automatic limit (default: only free ones) start at once;
    anything dearer is refused with the price and the limits, to be passed on to the user: calling again does not
    help. Give expected_price so that a changed quote is noticed.
    """
    state = state_of(ctx)
    execution = Execution(await state.client.executions.get(execution_id))
    _require_quoted(execution)
    _require_expected(execution, expected_price)
    if not within_automatic_limit(execution, state.settings):
        raise _needs_a_person(execution, state.settings)
    confirmed = await approve_and_confirm(state, execution, rule="automatic limit")
    return execution_view(confirmed, next_step=steps.after(confirmed, state.settings))


def within_automatic_limit(execution: Execution, settings: Settings) -> bool:
    """Rule 1 of design 4: a complete price that is at most what the operator lets start without a person."""
    price = execution.quoted_price
    return price is not None and not execution.price_is_partial and price <= settings.auto_approve_up_to


async def approve_and_confirm(state: ServerState, execution: Execution, *, rule: str) -> Execution:
    """Confirm an execution that `rule` allows, unless a limit forbids it; the state it is in afterwards.

    Raises:
        SpendingLimitError: a limit of the operator forbids it.
        RestrictionError: the organisation's money or licence does.
        OutcomeUnknownError: it was sent, and the execution is Quoted all the same.
    """
    async with state.confirming:
        try:
            await _require_within_limits(state, execution)
        except DeepOriginError as refusal:
            _record(state, execution, "refused", str(refusal))
            raise
        # Written before it is sent: nothing that happens from here on may leave a start unrecorded.
        _record(state, execution, "approved", rule)
        try:
            return await _confirmed(state, execution)
        except DeepOriginError as failure:
            _record(state, execution, "unknown" if _may_have_started(failure) else "not started", str(failure))
            raise


def _may_have_started(failure: DeepOriginError) -> bool:
    return not isinstance(failure, ArgumentError | CredentialError | RestrictionError)


async def spent_by_session(client: DeepOriginClient) -> float:
    """USD that this session has started, by the platform's own record: the billed cost, or else the quoted price."""
    answer = await client.listing.all(ListQuery(session=client.scope.session, order="createdAt desc"))
    started = [execution for row in answer["data"] if _was_started(execution := Execution(row))]
    return total(e.quoted_price if e.cost is None else e.cost for e in started) or 0.0


def _was_started(execution: Execution) -> bool:
    if execution.status == "Cancelled":
        # A quote can be cancelled as well; it has no start and no bill.
        return bool(execution.started_at) or execution.cost is not None
    return execution.status not in NEVER_STARTED


async def _confirmed(state: ServerState, execution: Execution) -> Execution:
    """Send the confirmation once. A run that answers only at its end goes on; its present state is returned."""
    name = execution.execution_id
    confirmation = Outlasting(
        lambda: state.client.executions.confirm(name, timeout=CREATE_TIMEOUT_SECONDS, retry=False)
    )
    look = (
        f"{steps.call('get_execution', execution_id=name)} shows its state. Confirm again only if it is still Quoted "
        "after a minute."
    )
    try:
        await confirmation.result(state, MAX_CALL_SECONDS)
    except OutcomeUnknownError as lost:
        raise OutcomeUnknownError(
            str(lost), next_step=look, http_status=lost.http_status, request_id=lost.request_id
        ) from None
    # What counts is the state that can be read now, not what an answer promised.
    now = Execution(await state.client.executions.get(name))
    if now.status == "Quoted":
        raise OutcomeUnknownError(
            f"The confirmation of {name} was sent, but the execution is still Quoted. It may start yet.",
            next_step=look,
        )
    return now


def _require_quoted(execution: Execution) -> None:
    if execution.status != "Quoted":
        raise StateConflictError(
            f"Execution {execution.execution_id} is {execution.status}, not Quoted, so there is nothing to confirm.",
            next_step=steps.call("get_execution", execution_id=execution.execution_id) + " shows its state.",
        )


def _require_expected(execution: Execution, expected_price: float | None) -> None:
    price = execution.quoted_price
    if price is None or execution.price_is_partial:
        raise SpendingLimitError(
            f"Execution {execution.execution_id} has no complete price, so nobody can agree to it. It was not started."
        )
    if expected_price is not None and amount(expected_price) != amount(price):
        raise ArgumentError(
            f"The price is now {price} USD, not {expected_price} USD. Nothing was started.",
            next_step="Tell the user the new price; if it is accepted, "
            + steps.call("confirm_execution", execution_id=execution.execution_id, expected_price=price)
            + ".",
        )


def _needs_a_person(execution: Execution, settings: Settings) -> SpendingLimitError:
    return SpendingLimitError(
        f"Not started: {execution.tool_key} costs {execution.quoted_price} USD, and no more than "
        f"{settings.auto_approve_up_to} USD may start without a person. The quote {execution.execution_id} stays as it "
        "is: the operator of this MCP server can raise DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO and restart it, or a person "
        "can confirm the quote in the Deep Origin web app."
    )


async def _require_within_limits(state: ServerState, execution: Execution) -> None:
    settings, price = state.settings, execution.quoted_price or 0.0
    if settings.max_price is not None and price > settings.max_price:
        raise SpendingLimitError(
            f"Not started: {price} USD is above the operator's limit for one run, {settings.max_price} USD "
            "(DEEPORIGIN_MCP_MAX_PRICE)."
        )
    if settings.budget is not None and price > 0:
        spent = await spent_by_session(state.client)
        if (total([spent, price]) or 0.0) > settings.budget:
            raise SpendingLimitError(
                f"Not started: this session has started runs for {spent} USD, and {price} USD more would exceed its "
                f"budget of {settings.budget} USD (DEEPORIGIN_MCP_BUDGET)."
            )


def _record(state: ServerState, execution: Execution, decision: str, reason: str) -> None:
    """One line of the audit log on stderr: what, how much, which rule; no inputs and no secrets."""
    line = {
        "decision": decision,
        "execution_id": execution.execution_id,
        "tool": f"{execution.tool_key}@{execution.tool_version}",
        "price_usd": execution.quoted_price,
        "organization": state.settings.org_key,
        "session": state.settings.session,
        "reason": reason,
    }
    audit.info("%s", json.dumps(line, ensure_ascii=False))
