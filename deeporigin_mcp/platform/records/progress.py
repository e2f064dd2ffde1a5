"""Progress in percent from every shape of `progressReport` (platform-facts 5.3 to 5.5)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import sanitized
from deeporigin_mcp.platform.records.values import text

MAX_TREE_NODES = 20_000
"""Larger trees are read only so far: a report must not stall the server."""

FINISHED_NODES = ("Succeeded", "Completed", "Skipped", "Omitted")
FAILED_NODES = ("Failed", "Error")

# Blanks within a line only: a pattern that may run on over line ends takes quadratic time on a text of empty lines.
_TOTAL_LIGANDS = re.compile(r"^[ \t]*total_num_ligands[ \t]*=[ \t]*(\d{1,12})[ \t\r]*$", re.MULTILINE)
_LIGAND_DONE = re.compile(r"^[ \t]*ligand (?:docked|failed)\b", re.MULTILINE)
_LIGAND_FAILED = re.compile(r"^[ \t]*ligand failed\b", re.MULTILINE)
_FRACTION = re.compile(r"^\s*(\d{1,12})\s*/\s*(\d{1,12})\s*$")


def percent(report: Any, status: str = "") -> float | None:
    """Progress from 0 to 100, or None if the report says nothing about it.

    A completed run is at 100 whatever its last report. All leaves of a v2 tree weigh the same; reports of
    several jobs are averaged.
    """
    if status == "Completed":
        return 100.0
    found = _exact(report)
    # Rounded once, at the end: means of rounded parts would drift.
    return None if found is None else round(found, 1)


def failed_steps(report: Any) -> list[tuple[str, str]]:
    """Label and message of each step that failed, in the report's order; the message may be empty.

    Of nested steps the innermost: the others failed because of it.
    """
    if isinstance(report, str) and isinstance(parsed := _parsed(report), dict):
        # ABFE of 2025 (platform-facts 5.3).
        step = parsed.get("sub_step")
        return [(step, "")] if parsed.get("status") in FAILED_NODES and isinstance(step, str) and step else []
    if not is_tree(report):
        return []
    nodes: list[dict[str, Any]] = []
    open_nodes: list[dict[str, Any]] = [report]
    while open_nodes and len(nodes) < MAX_TREE_NODES:
        nodes.append(node := open_nodes.pop())
        open_nodes += reversed(children(node))
    failed = [node for node in nodes if node.get("status") in FAILED_NODES]
    causes = [node for node in failed if not any(below.get("status") in FAILED_NODES for below in children(node))]
    # The root is the run, not one of its steps.
    return [(label(node), text(node.get("message"))) for node in causes if node is not report]


def failed_ligands(report: Any) -> tuple[int, int] | None:
    """How many ligands failed, and of how many, as docking's lines of text say; None for other reports."""
    total = _TOTAL_LIGANDS.search(report) if isinstance(report, str) else None
    return (len(_LIGAND_FAILED.findall(report)), int(total[1])) if total else None


def _exact(report: Any) -> float | None:
    if isinstance(report, str):
        parsed = _parsed(report)
        if parsed is None:
            return _docking_lines(report)
        report = parsed
    if not isinstance(report, dict):
        return None
    if is_tree(report):
        return _tree(report)
    jobs = [_complete(value) for value in report.values()]
    known = [value for value in jobs if value is not None]
    if known and len(known) == len(jobs):
        return _clamped(sum(known) / len(known))
    return _number(report.get("complete"))


def is_tree(report: Any) -> bool:
    """Whether a report is a v2 progress tree."""
    return (
        isinstance(report, dict)
        and isinstance(report.get("displayName"), str)
        and isinstance(report.get("status"), str)
    )


def children(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = node.get("children")
    return [child for child in found if isinstance(child, dict)] if isinstance(found, list) else []


def label(node: dict[str, Any]) -> str:
    """A node's name without the arguments that the workflow engine writes into it."""
    name = node.get("displayName")
    if not isinstance(name, str):
        return "step"
    head, bracket, arguments = name.partition("(")
    if not bracket:
        return name
    index = arguments.partition(":")[0].partition(",")[0]
    return f"{head}-{index}" if index.isdigit() else head


def _parsed(text: str) -> Any:
    try:
        return sanitized(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _docking_lines(text: str) -> float | None:
    total = _TOTAL_LIGANDS.search(text)
    if not total or int(total[1]) == 0:
        return None
    return _clamped(100 * len(_LIGAND_DONE.findall(text)) / int(total[1]))


def _tree(root: dict[str, Any]) -> float | None:
    leaves: list[float] = []
    open_nodes = [root]
    seen = 0
    while open_nodes and seen < MAX_TREE_NODES:
        node = open_nodes.pop()
        seen += 1
        below = children(node)
        if below:
            open_nodes.extend(below)
        else:
            leaves.append(_leaf(node))
    if not children(root) and leaves == [0.0]:
        return _fraction(root.get("progress"))
    # None: a tree so deep that no leaf was reached.
    return _clamped(sum(leaves) / len(leaves)) if leaves else None


def _leaf(node: dict[str, Any]) -> float:
    if node.get("status") in FINISHED_NODES:
        return 100.0
    complete = _complete(node.get("toolProgress"))
    return _clamped(complete) if complete is not None else 0.0


def _fraction(text: Any) -> float | None:
    match = _FRACTION.match(text) if isinstance(text, str) else None
    if not match or int(match[2]) == 0:
        return None
    return _clamped(100 * int(match[1]) / int(match[2]))


def _complete(value: Any) -> float | None:
    return _number(value.get("complete")) if isinstance(value, dict) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Clamped first: a whole number may be too large for a float.
    return _clamped(float(min(100, max(0, value)))) if value == value and abs(value) != math.inf else None


def _clamped(value: float) -> float:
    return min(100.0, max(0.0, value))
