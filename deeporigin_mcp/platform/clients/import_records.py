"""What goes into an import, and what its run says that it made (molecules-and-files 5, 6)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deeporigin_mcp.errors import InvalidRequestError, PlatformError
from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.records.entities import Ligand, Pose, Protein, index
from deeporigin_mcp.platform.records.execution import Execution
from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport.responses import rows_of


@dataclass(frozen=True)
class LigandInput:
    """A ligand to import. `smiles` should be canonical, as RDKit writes it."""

    smiles: str
    name: str = ""
    tags: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Import:
    """What became of an import.

    `execution.status` is `Completed`; or `Quoted`, for one that has a price and waits to be confirmed; or an active
    one, if the time was up: `client.imports.outcome` reads it later.
    """

    execution: Execution
    staged_path: str
    proteins: list[Protein] = field(default_factory=list)
    ligands: list[Ligand | None] = field(default_factory=list)
    """By the record of the input; None for one that the tool returned no row for."""
    poses: list[Pose | None] = field(default_factory=list)
    is_ingested: bool = True
    """False if it is completed, but the data platform had not taken in its rows when the time was up."""

    @property
    def missing(self) -> list[int]:
        """Records of the input, from 0, without a row."""
        return [number for number, row in enumerate(self.poses or self.ligands) if row is None]

    @property
    def is_completed(self) -> bool:
        return self.execution.status == status.SUCCEEDED


def csv_of(rows: Sequence[LigandInput]) -> bytes:
    fields = ["smiles", "name", *(["tags"] if any(row.tags for row in rows) else [])]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(fields)
    for row in rows:
        tags = json.dumps(dict(row.tags)) if row.tags else ""
        writer.writerow([row.smiles, row.name, tags][: len(fields)])
    return out.getvalue().encode()


def outcome_of(dto: Json, staged_path: str, count: int, *, with_poses: bool) -> Import:
    execution = Execution(dto)
    if execution.is_terminal:
        require_success(execution)
    if execution.status != status.SUCCEEDED:
        return Import(execution, staged_path)
    proteins = [Protein(row) for row in _rows(dto, "proteins")]
    found = Import(
        execution,
        staged_path,
        proteins=[protein for protein in proteins if protein.id],
        ligands=[Ligand(row) if row else None for row in by_record(_rows(dto, "ligands"), count)],
        poses=[Pose(row) if row else None for row in by_record(_rows(dto, "poses"), count)] if with_poses else [],
    )
    if as_object(dto.get("userInputs")).get("process_pdb") and not found.proteins:
        raise PlatformError(
            f"Import {execution.execution_id} is completed but returned no protein.",
            next_step="Search for the protein; tell the user if it is not there.",
            code="import_incomplete",
        )
    return found


def require_success(execution: Execution) -> None:
    if execution.status == status.SUCCEEDED:
        return
    reason = execution.status_reason
    raise InvalidRequestError(
        f"Import {execution.execution_id} ended with the status {execution.status}."
        + (f" The platform says: {reason.rstrip('.')}." if reason else ""),
        next_step="Correct what the reason names, then import again." if reason else "Read its log, then import again.",
        code="import_failed",
    )


def by_record(rows: Sequence[Json], count: int) -> list[Json | None]:
    """Rows in the order of the input's records, by `record_index`; by position if no row has one.

    A row without an id is none. Of rows with equal indexes the first is kept.

    Args:
        count: records of the input; 0, where that is not known: those that have a row.
    """
    if not any("record_index" in row for row in rows):
        found: dict[int | None, Json] = {**dict(enumerate(rows))}
    else:
        found = {}
        for row in rows:
            found.setdefault(index(row.get("record_index")), row)
    usable = {number: row for number, row in found.items() if number is not None and _is_usable(row)}
    return [usable.get(number) for number in (range(count) if count else sorted(usable))]


def _is_usable(row: Json) -> bool:
    # Poses of an import have no id of their own.
    return bool(word(row.get("id")) or text(row.get("file_path")))


def _outputs(dto: Json) -> Json:
    """`jobOutputs`: an object, or in places a list of objects."""
    outputs = dto.get("jobOutputs")
    if isinstance(outputs, list):
        return {name: value for one in outputs if isinstance(one, dict) for name, value in one.items()}
    return as_object(outputs)


def _rows(dto: Json, kind: str) -> list[Json]:
    return rows_of(_outputs(dto).get(kind))


def staged_path_of(dto: Json) -> str:
    """The file that a run imports; empty for a run of another tool."""
    inputs = as_object(dto.get("userInputs"))
    return text(inputs.get("file_path")) or text(inputs.get("csv_path"))
