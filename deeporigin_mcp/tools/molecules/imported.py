"""What an import made of the user's list, as an agent sees it: rows, refusals, and how to go on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import ZERO
from deeporigin_mcp.platform.records.values import Json, moment
from deeporigin_mcp.tools.approvals.ledger import reported_amount, was_started
from deeporigin_mcp.tools.molecules.sources import Kind
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.responses.views import View, Warned
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.spending import spent

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.import_records import Import
    from deeporigin_mcp.platform.records.entities import Ligand, Protein

MAX_INLINE = 100
"""Ligands of one run; more are given in a file (molecules-and-files 6.5)."""
MAX_INLINE_CHARACTERS = 10_000
MAX_FILES_INLINE = 20
MAX_NAMED = 20
"""Rows of one kind of note."""
LIST_FOLDER = "docking/ligand-lists"
"""Where the official client puts the ligands of a docking. Other tools read a list from there as well."""
VISIBLE_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt to read new rows, which appear with a delay."""
ROW_FIELDS: Mapping[str, Sequence[str]] = {
    "ligands": ("id", "created_at", "name", "canonical_smiles", "smiles", "mol_file"),
    "proteins": ("id", "created_at", "protein_name", "pdb_id", "state", "file_path"),
}


class RefusedRow(View):
    row: int
    name: str | None = None
    reason: str


class ImportView(Warned):
    """What was imported. `as_input` goes into a run's inputs unchanged, a protein's, ligands' or poses'.

    `requested`, `imported` and `refused` count rows of the user's own list, from 1. `status` is that of an import
    that is not over. `as_file_input` is for tools that need coordinates, such as RBFE.
    """

    execution_id: str | None = None
    status: str | None = None
    requested: int | None = None
    imported: int | None = None
    refused: list[RefusedRow] | None = None
    notes: list[str] | None = None
    structure: str | None = None
    as_input: dict[str, Any] | list[dict[str, Any]] | None = None
    as_file_input: list[dict[str, Any]] | None = None
    ligands_file: str | None = None
    ligands_count: int | None = None
    next_step: str | None = None

    def note(self, *sentences: str) -> None:
        if sentences:
            self.notes = [*(self.notes or ()), *sentences]


@dataclass(frozen=True)
class Molecule:
    """A row of the user's list, checked."""

    number: int
    name: str
    smiles: str
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"row {self.number} ({self.name})" if self.name else f"row {self.number}"


async def is_over(state: ServerState, view: ImportView, done: Import, kind: Kind, *, is_new: bool) -> bool:
    """Whether an import has made its rows; else the view says how to go on.

    Args:
        is_new: this call made it, so nobody can have approved what it cost.
    """
    view.next_step = None
    execution = done.execution
    if is_new and was_started(execution) and reported_amount(execution):
        await spent.record_start(state, execution)
        view.warning = spent.dearer_than_approved(execution, ZERO)
    if done.is_completed and done.is_ingested:
        return True
    view.execution_id, view.status = execution.execution_id, execution.status
    if view.imported == 0:
        view.imported = None
    read = steps.call("import_molecules", kind=kind, execution_id=execution.execution_id)
    if done.is_completed:
        view.next_step = f"It is completed, and its rows are still being stored; {read} in a minute returns them."
    else:
        after = (steps.after(execution, state.settings) or "").rstrip(".")
        needed = "confirm_execution" if execution.status == "Quoted" else "wait_executions"
        view.next_step = toolsets.step(state.settings, f"{after}. Then {read} returns its rows.", needed)
    return False


async def add_protein(state: ServerState, view: ImportView, done: Import) -> None:
    from deeporigin_mcp.platform.records.entities import Protein

    protein = done.proteins[0]
    rows = await _visible(state, view, "proteins", {protein.id: "it"})
    row = Protein({**protein.raw, **_known(rows.get(protein.id, {}))})
    view.as_input = row.as_input
    if _is_older(row.raw, done.execution):
        view.note(f"The project has this structure already, as {row.name}; that row is used.")
    _know_file(state, row, done.execution)


async def with_rows(
    state: ServerState, view: ImportView, done: Import, accepted: Sequence[Molecule], kind: Kind, *, is_new: bool
) -> ImportView:
    """The rows that an import of ligands or poses made."""
    if not await is_over(state, view, done, kind, is_new=is_new):
        return view
    rows = done.poses or done.ligands
    lacking = [one for one, row in zip(accepted, rows, strict=False) if row is None]
    reason = "the platform made no row of it"
    view.refused = (
        sorted(
            [
                *(view.refused or ()),
                *(RefusedRow(row=one.number, name=one.name or None, reason=reason) for one in lacking),
            ],
            key=lambda row: row.row,
        )
        or None
    )
    view.imported = len(rows) - len(lacking)
    if lacking:
        logs = steps.call("get_execution_logs", execution_id=done.execution.execution_id)
        view.next_step = toolsets.step(state.settings, f"{logs} may say why.", "get_execution_logs")
    if done.poses:
        _add_poses(view, done)
    else:
        await _add_ligands(state, view, done, accepted)
    return view


def _add_poses(view: ImportView, done: Import) -> None:
    inputs = [entry for pose in done.poses if pose and (entry := pose.as_input)]
    view.as_input = inputs[:MAX_INLINE]
    if len(inputs) < (view.imported or 0):
        read = steps.call("import_molecules", kind="poses", execution_id=done.execution.execution_id)
        view.next_step = f"{view.imported} poses are stored, {len(inputs)} have an id so far; {read} in a minute."
    if len(inputs) > MAX_INLINE:
        view.note(f"as_input has the first {MAX_INLINE} of {len(inputs)} poses.")


async def _add_ligands(state: ServerState, view: ImportView, done: Import, accepted: Sequence[Molecule]) -> None:
    from deeporigin_mcp.platform.records.entities import Ligand

    given: dict[str, Molecule] = {}
    for one, row in zip(accepted, done.ligands, strict=False):
        if row:
            # Of several rows that are one molecule, the first is named: `as_input` has it in that place.
            given.setdefault(row.id, one)
    raw = {row.id: row.raw for row in done.ligands if row}
    if not any("canonical_smiles" in row for row in raw.values()):
        # Else they were read already, as those of a workflow are.
        found = await _visible(
            state, view, "ligands", {name: given[name].label if name in given else "a row" for name in raw}
        )
        raw = {name: {**row, **_known(found.get(name, {}))} for name, row in raw.items()}
    ligands = [Ligand({"smiles": given[name].smiles if name in given else None, **row}) for name, row in raw.items()]
    older = [ligand for ligand in ligands if ligand.id in given and _is_older(ligand.raw, done.execution)]
    if older:
        names = [
            given[ligand.id].label
            + (f", in results {ligand.name!r}" if ligand.name not in ("", given[ligand.id].name) else "")
            for ligand in older
        ]
        view.note(f"Already in the project, and used as they are there: {', '.join(some(names))}.")
    for ligand in ligands:
        _know_file(state, ligand, done.execution)
    if view.imported and len(ligands) < view.imported:
        molecules = "1 molecule" if len(ligands) == 1 else f"{len(ligands)} different molecules"
        view.note(f"These {view.imported} rows are {molecules}.")
    inputs = [entry for ligand in ligands if (entry := ligand.as_input)]
    files = [entry for ligand in ligands if (entry := ligand.as_file_input)]
    if len(inputs) > MAX_INLINE or len(json.dumps(inputs)) > MAX_INLINE_CHARACTERS:
        try:
            view.ligands_file, view.ligands_count = await _listed(state, inputs), len(inputs)
        except DeepOriginError as error:
            # They are imported, whatever became of the list.
            view.note(f"Their list could not be stored. {explained(error, with_step=False)}")
            read = steps.call("import_molecules", kind="ligands", execution_id=done.execution.execution_id)
            view.next_step = f"{read} in a minute stores it."
        return
    view.as_input = inputs
    if 0 < len(files) <= MAX_FILES_INLINE:
        view.as_file_input = files


async def _listed(state: ServerState, ligands: Sequence[Json]) -> str:
    """The path of a list of ligands on the platform."""
    content = json.dumps(ligands, separators=(",", ":")).encode()
    path = f"{LIST_FOLDER}/{hashlib.sha256(content).hexdigest()[:32]}.json"
    await state.client.files.upload(io.BytesIO(content), path, name="ligands.json", overwrite=True)
    state.know_file(path)
    return path


def some(sentences: Sequence[str]) -> list[str]:
    more = [f"and {len(sentences) - MAX_NAMED} more of these"] if len(sentences) > MAX_NAMED else []
    return [*sentences[:MAX_NAMED], *more]


async def _visible(
    state: ServerState, view: ImportView, entity: Literal["ligands", "proteins"], labels: Mapping[str, str]
) -> dict[str, Json]:
    """Rows by id, as soon as they can be read: a run that needs one of them checks that it is there.

    Args:
        labels: by id, what the user calls it.
    """
    client, lacking, found = state.client, [*labels], dict[str, Json]()
    for pause in VISIBLE_AFTER:
        await client.timing.sleep(pause)
        try:
            found |= await client.entities.get_many(entity, lacking, select=ROW_FIELDS[entity])
        except DeepOriginError:
            break
        lacking = [name for name in lacking if name not in found]
        if not lacking:
            return found
    view.note(
        f"Cannot be read yet: {', '.join(some([f'{labels[name]}, {name}' for name in lacking]))}. If that stays so, "
        "it was deleted before, and the platform has given out its old id: tell the user."
    )
    return found


def _known(row: Json) -> Json:
    return {name: value for name, value in row.items() if value is not None}


def _know_file(state: ServerState, row: Protein | Ligand, execution: Execution) -> None:
    """The file of a row that an import has made, as it can be read now, was written by that import."""
    if row.file_path and _is_older(row.raw, execution) is False:
        state.know_file(row.file_path)


def _is_older(row: Json, execution: Execution) -> bool | None:
    """Whether a row was there before the import that returned it; None if one of their times is not known."""
    made, started = moment(row.get("created_at")), moment(execution.raw.get("createdAt"))
    return None if made is None or started is None else made < started
