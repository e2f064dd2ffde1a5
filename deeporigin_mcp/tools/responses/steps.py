"""The exact next call for each state of an execution."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from deeporigin_mcp.errors import CredentialError, DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import ZERO, rounded, usd
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.responses import toolsets
from deeporigin_mcp.tools.responses.failures import reason_of

MAX_IDS_NAMED = 100
MAX_PRICE = "DEEPORIGIN_MCP_MAX_PRICE"
POCKET_FINDER = "deeporigin.pocket-finder"


IN_A_SHELL = "Or, in a background shell: `deeporigin-mcp wait ID…`."
WITHOUT_A_PRICE = (
    "The platform gave no complete price for {}, so it cannot be confirmed here. Tell the user: a person can start it "
    "in the Deep Origin web app; {} withdraws it."
)
AFTER_CANCELLING = {
    "reserved": "cost was reserved at its start; how much of it is charged is not known yet.",
    "not known yet": "Its cost is not known yet.",
}


def call(tool: str, **arguments: object) -> str:
    """A call in a form that a model can copy: `tool(name=value, …)`, values as JSON."""
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False, default=float)}" for name, value in arguments.items())
    return f"{tool}({', '.join(pairs)})"


def after(execution: Execution, settings: Settings) -> str | None:
    """The next step for an execution in its present state; None if there is none."""
    name = execution.execution_id
    match execution.status:
        case "Quoted":
            return _confirm(execution, settings)
        case "Completed":
            return _completed(execution, settings)
        case "Failed":
            return logs_of(name, is_explained=bool(reason_of(execution)))
        case "InsufficientFunds":
            return (
                "Not started: the organisation's balance or licence does not cover this run. Tell the user; once it "
                "does, create it again with another idempotency_key."
            )
        case "FailedQuotation":
            return "It could not be priced and will not run: correct the inputs and create it again."
        case "Cancelled":
            return AFTER_CANCELLING.get(execution.cost_state)
        case _:
            return call("wait_executions", execution_ids=[name])


def _completed(execution: Execution, settings: Settings) -> str:
    if execution.tool_key == POCKET_FINDER and toolsets.is_offered("find_molecules", settings):
        pockets = call("find_molecules", kind="pocket", execution_id=execution.execution_id)
        return f"{pockets} shows its pockets, as docking wants them."
    return results_of(execution.execution_id)


def results_of(execution_id: str) -> str:
    return f"{call('get_execution_results', execution_id=execution_id)} shows its results."


def logs_of(execution_id: str, *, is_explained: bool = False) -> str:
    """A call for the log. `is_explained`: the reason is shown already."""
    return f"{call('get_execution_logs', execution_id=execution_id)} may say {'more' if is_explained else 'why'}."


def _confirm(execution: Execution, settings: Settings) -> str:
    if settings.read_only:
        return toolsets.READ_ONLY
    name, price = execution.execution_id, execution.quoted_price
    if price is None or execution.price_is_partial:
        return WITHOUT_A_PRICE.format("the quote", call("cancel_execution", execution_id=name))
    if refused := above_limits(price, settings):
        cancel = call("cancel_execution", execution_id=name)
        return f"It cannot be started here: {next(iter(refused.values()))} Tell the user; {cancel} withdraws it."
    confirm = call("confirm_execution", execution_id=name, expected_price=price)
    step = f"Nothing runs and nothing is charged until {confirm}"
    if price <= rounded(settings.auto_approve_up_to):
        return step + "."
    return f"{step}, and a person approves the price."


def above_limits(price: Decimal, settings: Settings) -> dict[str, str]:
    """The operator's limits that a price is above, whatever was spent and whoever approves it: name and words."""
    limits = (
        (MAX_PRICE, "limit for one run", settings.max_price),
        ("DEEPORIGIN_MCP_BUDGET", "whole budget", settings.budget),
        ("DEEPORIGIN_MCP_MAX_PER_DAY", "limit for a day", settings.max_per_day),
    )
    return {
        name: f"{usd(price)} is above the operator's {words}, {usd(limit)} ({name})."
        for name, words, limit in limits
        if limit is not None and price > rounded(limit)
    }


def after_waiting(
    done: Sequence[Execution],
    pending: Sequence[str],
    lost: Mapping[str, DeepOriginError],
    settings: Settings,
    *,
    is_long: bool = False,
) -> str | None:
    """The next step after a wait; None if there is none.

    Args:
        done: those that are over.
        pending: ids of those that are not.
        lost: by id, the error that keeps it from being read.
        is_long: whether calls are no good way to wait on, where the client may have a shell on this machine.
    """
    parts = [_after_done(done, settings)]
    if pending:
        shown = [IN_A_SHELL] if is_long and settings.is_local else []
        # With the default timeout, however short this wait was: repeated short waits would be a busy loop.
        parts = [call("wait_executions", execution_ids=list(pending)[:MAX_IDS_NAMED]) + ("." if lost or shown else "")]
        parts += shown
    if lost:
        parts.append(_after_losing(lost))
    return " ".join(part for part in parts if part) or None


def _after_losing(lost: Mapping[str, DeepOriginError]) -> str:
    state = f"{len(lost)} could not be read, so whether {'it is' if len(lost) == 1 else 'they are'} over is unknown"
    refused = next((error for error in lost.values() if isinstance(error, CredentialError)), None)
    if refused is None:
        return f"{state}: see `error` of each. Tell the user; waiting again does not help."
    return f"{state}. {refused.next_step} Then {call('wait_executions', execution_ids=list(lost)[:MAX_IDS_NAMED])}."


def _after_done(done: Sequence[Execution], settings: Settings) -> str | None:
    quoted = [execution for execution in done if execution.status == "Quoted"]
    if quoted and settings.read_only:
        return f"{len(quoted)} only quoted, not started. {toolsets.READ_ONLY}"
    priced = [each for each in quoted if each.quoted_price is not None and not each.price_is_partial]
    allowed = [each for each in priced if not above_limits(each.quoted_price or ZERO, settings)]
    if priced and not allowed:
        return f"{len(quoted)} only quoted, not started. {_confirm(priced[0], settings)}"
    if allowed:
        execution = allowed[0]
        step = call("confirm_execution", execution_id=execution.execution_id, expected_price=execution.quoted_price)
        return f"{len(quoted)} only quoted, not started. {step}" + (" and so on." if len(quoted) > 1 else ".")
    if quoted:
        cancel = call("cancel_execution", execution_id=quoted[0].execution_id)
        return f"{len(quoted)} only quoted. " + WITHOUT_A_PRICE.format("those", cancel)
    reads = []
    for status in ("Completed", "Failed"):
        first = next((execution for execution in done if execution.status == status), None)
        if first is not None:
            reads.append(
                _completed(first, settings)
                if status == "Completed"
                else logs_of(first.execution_id, is_explained=bool(reason_of(first)))
            )
    return " ".join(reads) or None
