"""What a detailed answer adds to an execution, each field within its share of what a result may hold."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.money import LineItem
from deeporigin_mcp.platform.progress import children, is_tree, label
from deeporigin_mcp.platform.wire import Json, text
from deeporigin_mcp.tools.parts import Summary, as_object
from deeporigin_mcp.tools.shaping import fitted, rows_that_fit
from deeporigin_mcp.tools.views import ExecutionDetailView, ExecutionView, LineItemView

OUTPUT_CHARACTERS = 7_000
MAX_PROGRESS_LINES = 40
PROGRESS_CHARACTERS = 3_500


def detailed_view(short: ExecutionView, execution: Execution) -> ExecutionDetailView:
    """Add the big fields, each within its share of what a result may hold."""
    view = ExecutionDetailView(**dict(short))
    cut: list[str] = []

    def share(name: str, value: Any, characters: int) -> Any:
        if value in (None, {}, []):
            return None
        shaped, was_cut = fitted(value, characters)
        if was_cut:
            cut.append(name)
        return shaped

    raw = execution.raw

    def field(name: str) -> Json | None:
        value = raw.get(name)
        return value if isinstance(value, dict) else None

    items = [_price_item(item) for item in execution.line_items]
    shown = rows_that_fit([item.model_dump(exclude_none=True) for item in items], 1500)
    view.price_items = items[:shown] or None
    cut += ["price_items"] if shown < len(items) else []
    view.progress = share("progress", progress_lines(raw.get("progressReport")), PROGRESS_CHARACTERS)
    view.inputs = share("inputs", field("userInputs"), 3000)
    view.outputs = _outputs(execution, cut)
    view.billing = share("billing", field("billingTransaction"), 1200)
    view.metadata = share("metadata", execution.metadata, 1000)
    view.session = one_line(execution.session, 120) or None
    view.cut = cut or None
    return view


def _outputs(execution: Execution, cut: list[str]) -> dict[str, Any] | None:
    """What came with the run, big parts summed up; `get_execution_results` takes the cursors in it."""
    outputs = as_object(execution.outputs)
    if outputs is None:
        return None
    summary = Summary("outputs:")
    shown: dict[str, Any] = summary.of(outputs, OUTPUT_CHARACTERS)
    cut += ["outputs"] if summary.is_cut else []
    return shown


def _price_item(item: LineItem) -> LineItemView:
    return LineItemView(
        **{**item._asdict(), "code": one_line(item.code, 60), "name": one_line(item.name, 80) or None},
    )


def progress_lines(report: Any) -> list[str] | None:
    """A progress report as short lines: the steps of a tree, or the end of a text."""
    if isinstance(report, str):
        lines = [one_line(line, 160) for line in report.splitlines() if line.strip()]
        newest = lines[-MAX_PROGRESS_LINES:]
        return newest[-rows_that_fit(newest[::-1], PROGRESS_CHARACTERS) :] or None
    if not isinstance(report, dict) or not report:
        return None
    if not is_tree(report):
        shaped, _ = fitted(report, 1000)
        return [f"{one_line(str(key), 60)}: {one_line(str(value), 120)}" for key, value in shaped.items()]
    lines = []
    open_nodes = [(report, 0)]
    while open_nodes and len(lines) < MAX_PROGRESS_LINES:
        node, depth = open_nodes.pop()
        message = one_line(text(node.get("message")), 100)
        tool_progress = node.get("toolProgress")
        done = tool_progress.get("complete") if isinstance(tool_progress, dict) else None
        parts = [f"{'  ' * min(depth, 8)}{one_line(label(node), 80)}: {node.get('status')}"]
        parts += [f"{done} %"] if isinstance(done, int | float) else []
        parts += [message] if message else []
        lines.append(", ".join(parts))
        open_nodes += [(child, depth + 1) for child in reversed(children(node))]
    if open_nodes:
        lines.append("… and further steps")
    return lines
