"""The data platform's view of executions: rows that appear late and stay `DataIngesting` for a while.

A row exists `ingestion_lag_seconds` after the create; a finished run is `DataIngesting` for as long again, and its
results can be found only afterwards (platform-facts 1.8, 2.1 and quirk 28).
"""

from datetime import datetime, timedelta
from typing import Any

from deeporigin_mcp.simulator.model.clock import instant_of, stamp
from deeporigin_mcp.simulator.model.identifiers import digest, friendly_of
from deeporigin_mcp.simulator.state.execution import Execution

Row = dict[str, Any]

_NAMES = (
    "id canonical_id compute_job_id name tool_key tool_version status started_at completed_at created_at updated_at "
    "project_id deleted visibility tags compute_metadata version valid_from valid_to modified_by subtable_name"
)
EXECUTION_COLUMNS = frozenset(_NAMES.split())
"""Columns of the executions table; the real list is longer and unknown (platform-facts 10.3)."""

SUBJECT_COLUMNS = frozenset({"id", "execution_id", "entity_type", "entity_canonical_id", "deleted", "project_id"})


def row_status(execution: Execution, now: datetime) -> Any:
    """The status in the data platform, which lags behind the tools service."""
    line = execution.timeline
    if line is not None and line.cancelled is None and line.finished <= now < line.ingested:
        return "DataIngesting"
    return execution.status


def execution_row(execution: Execution, now: datetime, lag_seconds: float) -> Row | None:
    """The row at an instant; None while it has not arrived yet."""
    if execution.timeline is not None and now < execution.timeline.created + timedelta(seconds=lag_seconds):
        return None
    return execution.remembered("execution_row", lambda: _row(execution, now))


def result_rows(execution: Execution, now: datetime) -> list[Row]:
    """Rows of the result explorer, once they are ingested (platform-facts 1.16)."""
    if execution.own_results is not None:
        return execution.own_results
    line = execution.timeline
    if line is not None and now < line.ingested:
        return []
    return execution.remembered("result_rows", lambda: _result_rows(execution))


def _result_rows(execution: Execution) -> list[Row]:
    # What an import makes are rows of the entities' own tables; only poses are results.
    found = [result for result in execution.found() if not result[0].startswith("imported")]
    line = execution.timeline
    dto = execution.stored
    tool = execution.tool
    measured = stamp(line.ingested) if line is not None else dto.get("completedAt") or dto.get("updatedAt")
    return [
        {
            "id": data.get("id") or friendly_of("0A", execution.id, kind, index),
            "created_at": measured,
            "updated_at": measured,
            "measured_at": measured,
            "modified_by": dto.get("createdBy"),
            "deleted": False,
            "project_id": execution.project_id,
            "execution_id": execution.data_platform_id,
            "execution_name": dto.get("name"),
            "compute_job_id": execution.id,
            "tool_id": f"{digest(tool.get('key')):016x}",
            "tool_key": tool.get("key"),
            "tool_name": execution.definition.name if execution.definition else None,
            "tool_version": tool.get("version"),
            "ligand_canonical_id": data.get("ligand_id") or data.get("ligand1_id"),
            "protein_canonical_id": data.get("protein_id"),
            "result_table_name": kind,
            "result_type": kind,
            "data": data,
        }
        for index, (kind, data) in enumerate(found)
    ]


def subject_rows(execution: Execution, now: datetime) -> list[Row]:
    """Which entities an ingested run touched: those in its inputs, or those that it imported."""
    line = execution.timeline
    if line is not None and now < line.ingested:
        return []
    inputs = execution.inputs
    touched = [("protein", inputs["protein"])] if isinstance(inputs.get("protein"), dict) else []
    touched += [("ligand", ligand) for ligand in inputs.get("ligands") or []]
    touched += [(kind.removeprefix("imported"), data) for kind, data in execution.imported or []]
    ids = dict.fromkeys((kind, data.get("id") or data.get("protein_id")) for kind, data in touched if kind != "pose")
    return [
        {
            "id": friendly_of("0A", execution.id, kind, identifier),
            "execution_id": execution.data_platform_id,
            "entity_type": kind,
            "entity_canonical_id": identifier,
            "deleted": False,
            "project_id": execution.project_id,
        }
        for kind, identifier in ids
        if identifier
    ]


def _row(execution: Execution, now: datetime) -> Row:
    dto = execution.dto()
    status = row_status(execution, now)
    tool = execution.tool
    created = instant_of(dto.get("createdAt"))
    return {
        "id": execution.data_platform_id,
        "canonical_id": execution.data_platform_id,
        "compute_job_id": execution.id,
        "name": dto.get("name"),
        "tool_key": tool.get("key"),
        "tool_version": tool.get("version"),
        "status": status,
        "started_at": dto.get("startedAt"),
        "completed_at": None if status == "DataIngesting" else dto.get("completedAt"),
        "created_at": stamp(created) if created else None,
        "updated_at": dto.get("updatedAt"),
        "project_id": execution.project_id,
        "deleted": False,
        "visibility": dto.get("visibility") or "visible",
        "tags": {"app": dto.get("app"), "session": dto.get("session")},
        "compute_metadata": {
            "userInputs": dto.get("userInputs") or {},
            "metadata": dto.get("metadata"),
            "statusReason": dto.get("statusReason"),
        },
        "version": 1,
        "valid_from": dto.get("updatedAt"),
        "valid_to": None,
        "modified_by": dto.get("createdBy"),
        "subtable_name": "executions",
    }
