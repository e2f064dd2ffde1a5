"""The record of a run: what is needed to cite it, or to run it again."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import LineItem
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import as_object, text
from deeporigin_mcp.tools.executions.details import big_fields, outputs_object
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.inputs_summary import inputs_hash
from deeporigin_mcp.tools.responses.size_limit import Summary
from deeporigin_mcp.tools.responses.views import ExecutionDetailView, ExecutionView

CHARACTERS = 5_000
"""The share of inputs, outputs and metadata each."""


def record_of(execution: Execution) -> dict[str, Any]:
    """The facts of a run as JSON, without those that the platform does not give.

    Times in ISO 8601 (UTC), sums in USD as text. `inputs` and `metadata` as they were given, with the checksums that
    they hold; `inputs_hash` is the same for equal inputs of one tool.
    """
    raw, fields = execution.raw, big_fields(execution)
    billing = fields["billing"] or {}
    record: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "name": one_line(execution.name, 200),
        "tool_key": execution.tool_key,
        "tool_version": execution.tool_version,
        "status": execution.status,
        "status_reason": execution.status_reason,
        "project_id": execution.project_id,
        "created_by": word(raw.get("createdBy")),
        "cluster_id": word(as_object(raw.get("cluster")).get("id")),
        "tag": one_line(text(raw.get("tag")), 120),
        "session": one_line(execution.session, 120),
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "runtime_seconds": execution.runtime_seconds,
        "quoted_price": _sum(execution.quoted_price),
        "cost": _sum(execution.cost),
        "cost_state": execution.cost_state,
        "price_items": [_item(item) for item in execution.line_items],
        "billing_id": one_line(text(billing.get("id")), 80),
        "inputs_hash": inputs_hash(execution.tool_key, execution.inputs),
        "inputs": execution.inputs,
        "outputs": outputs_object(execution.outputs) or raw.get("userOutputs"),
        "metadata": execution.metadata,
    }
    return _given(record)


def _item(item: LineItem) -> dict[str, Any]:
    amounts = {name: _sum(getattr(item, name)) for name in ("quantity", "unit_price", "total")}
    return _given({"code": one_line(item.code, 60), "name": one_line(item.name, 80), **amounts})


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", [], {})}


def _sum(amount: object) -> str | None:
    return None if amount is None else str(amount)


def record_view(short: ExecutionView, execution: Execution) -> ExecutionDetailView:
    """The record in a view; big fields are cut, with the cursors that read them."""
    record, cut = record_of(execution), []
    for name in ("inputs", "outputs", "metadata"):
        summary = Summary(f"{name}:")
        record[name] = summary.of(record.get(name), CHARACTERS)
        cut += [name] if summary.is_cut else []
    view = ExecutionDetailView(execution_id=execution.execution_id, record=_given(record), cut=cut or None)
    view.warning = short.warning
    if cut:
        whole = steps.call("get_execution_results", execution_id=execution.execution_id, cursor=f"{cut[0]}:@0")
        view.next_step = f"{whole} reads {cut[0]}, which was cut."
    return view
