"""User logs of an execution (platform-facts 1.10), derived from its life and its inputs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model.clock import instant_of, stamp
from deeporigin_mcp.simulator.model.failures import failed_ligands
from deeporigin_mcp.simulator.model.identifiers import friendly_of
from deeporigin_mcp.simulator.state.execution import Execution

Entry = tuple[datetime, str, str]
"""Instant, level (`info`, `warning`, `error`) and message."""

_NAMES = (
    "id created_at updated_at execution_id org_key log_level message date metadata project_id "
    "tag tags tool_key tool_version"
)
LOG_COLUMNS = frozenset(_NAMES.split())

ARRIVAL_SECONDS = 0.3
"""A log row is stored this long after the event it tells of."""


def log_rows(execution: Execution, now: datetime) -> list[dict[str, Any]]:
    """The rows that exist at an instant, oldest first."""
    if execution.own_logs is not None:
        return execution.own_logs
    entries = _entries(execution) if execution.timeline is not None else _static_entries(execution)
    arrived = timedelta(seconds=ARRIVAL_SECONDS)
    return [
        _row(execution, index, entry)
        for index, entry in enumerate(entries)
        if entry[0] + arrived <= now or execution.timeline is None
    ]


def _entries(execution: Execution) -> Iterator[Entry]:
    line = execution.timeline
    if line is None:
        return
    name = execution.definition.key if execution.definition else "tool"
    end = line.cancelled or line.finished
    if end >= line.started:
        yield line.started, "info", f"Started {name} on cluster {_cluster(execution)}."
        length = line.finished - line.started
        for index, problem in {**failed_ligands(execution.work), **execution.rejected}.items():
            at = line.started + length * 0.4
            if at <= end:
                yield at, "warning", f"Ligand {index + 1}: {problem}"
        halfway = line.started + length / 2
        if halfway <= end:
            yield halfway, "info", "Half of the work is done."
    if line.cancelled is not None:
        yield line.cancelled, "warning", "Stopped on request."
    elif line.failure is not None:
        yield line.finished, "error", f"Run failed: {line.failure}"
    else:
        yield line.finished, "info", "Finished; results are being stored."


def _static_entries(execution: Execution) -> Iterator[Entry]:
    for column, level, message in (
        ("startedAt", "info", "Started."),
        ("completedAt", "info", f"Ended as {execution.status}."),
    ):
        instant = instant_of(execution.stored.get(column))
        if instant is not None:
            yield instant, level, message


def _row(execution: Execution, index: int, entry: Entry) -> dict[str, Any]:
    instant, level, message = entry
    stored = execution.stored
    tool = execution.tool
    written = stamp(instant + timedelta(seconds=ARRIVAL_SECONDS))
    return {
        "id": friendly_of("0A", "log", execution.id, index),
        "created_at": written,
        "updated_at": written,
        "execution_id": execution.id,
        "org_key": execution.org,
        "log_level": level,
        "message": message,
        "date": stamp(instant),
        "metadata": None,
        "project_id": None,
        "tag": None,
        "tags": {"app": stored.get("app"), "session": stored.get("session")},
        "tool_key": tool.get("key"),
        "tool_version": tool.get("version"),
    }


def _cluster(execution: Execution) -> str:
    return str((execution.stored.get("cluster") or {}).get("id"))
