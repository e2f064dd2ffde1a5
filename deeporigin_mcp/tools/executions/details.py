"""The big fields of an execution, each within its share of a response."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, Self

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import LineItem, without_noise
from deeporigin_mcp.platform.records.progress import children, is_tree, label
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.tools.executions.listed import hash_of, inputs_in_short
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.size_limit import Summary, rows_that_fit
from deeporigin_mcp.tools.responses.views import (
    WORD_CHARACTERS,
    Completeness,
    ExecutionRow,
    ExecutionView,
    Number,
    View,
    Warned,
    execution_view,
)

CHARACTERS = {
    "prices": 1_500,
    "progress": 3_000,
    "inputs": 3_000,
    "outputs": 5_500,
    "billing": 1_200,
    "metadata": 1_000,
    "files": 1_500,
}
"""Each field's share; the rest is for the short facts and the next call."""
SMALL_OUTPUTS_CHARACTERS = 1_500
"""Larger outputs are read by a call of their own."""
MAX_PROGRESS_LINES = 40
LINE_CHARACTERS = 160


class LineItemView(View):
    code: str
    name: str | None = None
    quantity: Number | None = None
    unit_price: Number | None = None
    total: Number | None = None


class ExecutionDetailView(Completeness, ExecutionRow, Warned):
    """One execution with all that is known of it; `cut` names fields that are not shown whole."""

    data_platform_id: str | None = None
    created_by: str | None = None
    hidden: bool | None = None
    cluster_id: str | None = None
    inputs_hash: str | None = None
    price_items: list[LineItemView] | None = None
    progress: list[str] | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    billing: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    session: str | None = None
    record: dict[str, Any] | None = None
    cut: list[str] | None = None
    next_step: str | None = None

    @classmethod
    def of(cls, short: ExecutionView) -> Self:
        """A detailed view with the fields of a short one."""
        return cls(**{name: value for name, value in short if name in cls.model_fields})


def big_fields(execution: Execution) -> dict[str, Any]:
    """Fields that may not fit into one response, by the name that a cursor of `get_execution_results` begins with."""
    return {
        "outputs": outputs_object(execution.outputs),
        "inputs": _object(execution, "userInputs"),
        "billing": without_noise(_object(execution, "billingTransaction")),
        "metadata": _object(execution, "metadata"),
        "progress": execution.raw.get("progressReport") or None,
        "prices": without_noise(_object(execution, "quotationResult")),
    }


def result_files(execution: Execution) -> Json | None:
    """The files that a run was asked to write, cut to their share; None if there are none."""
    files: Json | None = Summary(None).of(_object(execution, "userOutputs"), CHARACTERS["files"])
    return files


def _object(execution: Execution, name: str) -> Json | None:
    value = execution.raw.get(name)
    return value if isinstance(value, dict) and value else None


def outputs_object(value: Any) -> dict[str, Any] | None:
    """Outputs as an object: a list of one object is that object, other lists are `items` (platform-facts 8.13)."""
    if value in (None, {}, []):
        return None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return outputs_object(value[0])
    if isinstance(value, dict):
        return value
    return {"items": value} if isinstance(value, list) else {"value": value}


def ended_view(execution: Execution, next_step: str | None) -> ExecutionView:
    """The execution after the call that created or started it: with its outputs, if it is over and they are small.

    get_execution_results would show the same, so it is no next step then.
    """
    view = execution_view(execution, next_step=next_step)
    outputs = outputs_object(execution.outputs)
    if execution.status == "Completed" and outputs is not None:
        summary = Summary("outputs:")
        summarised = summary.of(outputs, SMALL_OUTPUTS_CHARACTERS)
        if not summary.is_cut:
            view.outputs = summarised
            if next_step == steps.results_of(execution.execution_id):
                view.next_step = None
    return view


def detailed_view(short: ExecutionView, execution: Execution) -> ExecutionDetailView:
    """Add the big fields, each within its share."""
    view = ExecutionDetailView.of(short)
    fields = big_fields(execution)
    items = [_price_item(item) for item in execution.line_items]
    view.price_items = items[: rows_that_fit(items, CHARACTERS["prices"])] or None
    view.progress, has_more = progress_lines(fields["progress"])
    cut = ["prices"] if len(view.price_items or ()) < len(items) else []
    cut += ["progress"] if has_more else []
    for name in ("inputs", "outputs", "billing", "metadata"):
        summary = Summary(f"{name}:")
        setattr(view, name, summary.of(fields[name], CHARACTERS[name]))
        cut += [name] if summary.is_cut else []
    view.outputs = view.outputs or result_files(execution)
    view.session = one_line(execution.session, 120) or None
    view.cluster_id = one_line(execution.cluster_id, WORD_CHARACTERS) or None
    view.hidden = execution.is_hidden or None
    view.inputs_hash = hash_of(Execution(inputs_in_short(execution.raw))) or None
    if cut:
        view.cut = cut
        whole = steps.call("get_execution_results", execution_id=execution.execution_id, cursor=f"{cut[0]}:@0")
        view.next_step = f"{view.next_step or ''} {whole} reads {cut[0]}, which was cut.".strip()
    return view


def _price_item(item: LineItem) -> LineItemView:
    return LineItemView(
        **{**item._asdict(), "code": one_line(item.code, 60), "name": one_line(item.name, 80) or None},
    )


def progress_lines(report: Any) -> tuple[list[str] | None, bool]:
    """A progress report as short lines (the steps of a tree, or the end of a text), and whether it has more."""
    lines: Iterator[str]
    if isinstance(report, str):
        lines = (one_line(line, LINE_CHARACTERS) for line in reversed(report.splitlines()) if line.strip())
    elif not isinstance(report, dict) or not report:
        return None, False
    elif is_tree(report):
        lines = _tree_lines(report)
    else:
        lines = (f"{one_line(str(key), 60)}: {one_line(str(value), LINE_CHARACTERS)}" for key, value in report.items())
    first = list(islice(lines, MAX_PROGRESS_LINES + 1))
    kept = first[: rows_that_fit(first[:MAX_PROGRESS_LINES], CHARACTERS["progress"])]
    has_more = len(kept) < len(first)
    if isinstance(report, str):
        return kept[::-1] or None, has_more or any(len(line) == LINE_CHARACTERS for line in kept)
    return [*kept, *(["… and further steps"] if has_more else [])], has_more


class Step(NamedTuple):
    """A step of a progress tree; `percent` and `message` are what its job says, if it says anything."""

    depth: int
    name: str
    status: str
    percent: float | None
    message: str


def tree_steps(report: Json) -> Iterator[Step]:
    """The steps of a progress tree, each before those below it; the first is the whole run."""
    open_nodes = [(report, 0)]
    while open_nodes:
        node, depth = open_nodes.pop()
        tool_progress = node.get("toolProgress")
        done = tool_progress.get("complete") if isinstance(tool_progress, dict) else None
        yield Step(
            depth,
            one_line(label(node), 80),
            one_line(str(node.get("status")), 40),
            done if isinstance(done, int | float) else None,
            one_line(text(node.get("message")), 100),
        )
        open_nodes += [(child, depth + 1) for child in reversed(children(node))]


def _tree_lines(report: Json) -> Iterator[str]:
    for step in tree_steps(report):
        parts = [f"{'  ' * min(step.depth, 8)}{step.name}: {step.status}"]
        parts += [] if step.percent is None else [f"{step.percent} %"]
        yield ", ".join([*parts, *filter(None, [step.message])])
