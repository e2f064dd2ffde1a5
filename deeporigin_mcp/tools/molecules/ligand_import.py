"""Importing ligands by their SMILES, and the records of an SDF as ligands or poses."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING

import anyio

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.molecules.import_request import ImportRequest
from deeporigin_mcp.tools.molecules.imported import (
    ImportView,
    Molecule,
    RefusedRow,
    some,
    with_rows,
)
from deeporigin_mcp.tools.molecules.sources import Source, spooled
from deeporigin_mcp.tools.runtime.projects import chosen_project
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.runtime.threads import off_loop, stop_if_abandoned

if TYPE_CHECKING:
    from deeporigin_mcp.tools.molecules.tables import Table

MAX_NAMED = 20
"""Rows that a refusal names."""
NO_ROW_SECONDS = 6.0
"""How long the data platform's row of a completed import is waited for: hidden runs may have none."""
MAX_LOOKED_UP = 5_000
"""Molecules of a list that is only checked, of which it is said whether the platform has them."""
KNOWN_SECONDS = 8.0


async def import_ligands(state: ServerState, request: ImportRequest, table: Table) -> ImportView:
    """Import ligands by their SMILES."""
    from deeporigin_mcp.platform.clients.import_records import LigandInput
    from deeporigin_mcp.tools.molecules.chemistry import check_smiles

    def check() -> list[Molecule]:
        checked = []
        for row in table.rows:
            stop_if_abandoned()
            one = check_smiles(row.smiles)
            checked.append(Molecule(row.number, row.name, one.smiles, one.problem, one.notes))
        return checked

    molecules = await off_loop(check)
    if len(molecules) == 1 and request.name:
        molecules = [replace(molecules[0], name=request.name)]
    view, accepted = await checked_molecules(molecules)
    view.note(*table.notes)
    if request.check_only:
        await _note_known(state, request, view, accepted)
        return view
    project = await chosen_project(state.client, request.project_id, "a ligand")
    request.is_sent = True
    done = await state.client.imports.ligands(
        [LigandInput(one.smiles, one.name, request.tags) for one in accepted],
        project_id=project,
        timeout_seconds=request.seconds_left,
        no_row_seconds=NO_ROW_SECONDS,
    )
    return await with_rows(state, view, done, accepted, request.kind, is_new=True)


async def _note_known(
    state: ServerState, request: ImportRequest, view: ImportView, accepted: Sequence[Molecule]
) -> None:
    """Say which molecules are on the platform already; of those that cannot be looked up nothing is said."""
    from deeporigin_mcp.platform.records.entities import Ligand
    from deeporigin_mcp.tools.molecules import chemistry

    if not chemistry.is_available():
        return
    project = request.project_id or state.settings.project_id or None
    asked = accepted[:MAX_LOOKED_UP]
    found = None
    with anyio.move_on_after(min(KNOWN_SECONDS, request.seconds_left)), contextlib.suppress(DeepOriginError):
        found = await state.client.entities.ligands_by_smiles([one.smiles for one in asked], project_id=project)
    if found is None:
        view.note("Which of them are on the platform already could not be looked up.")
        return
    known = [(one, Ligand(found[one.smiles])) for one in asked if one.smiles in found]
    rows = [f"{one.label} as {one_line(row.name, 80) or 'one without a name'}, {row.id}" for one, row in known]
    where = "in the project" if project else "on the platform"
    of = f"of {len(asked):,}" if len(asked) == len(accepted) else f"of the first {len(asked):,} that were looked up"
    view.note(f"Already {where}: {'; '.join([f'{len(known):,} {of}', *some(rows)])}.")


async def import_records(state: ServerState, request: ImportRequest, source: Source) -> ImportView:
    """Import the records of an SDF, as ligands or as poses."""
    molecules = await read_molecules(source)
    view, accepted = await checked_molecules(molecules)
    if request.check_only:
        if request.kind == "ligands":
            await _note_known(state, request, view, accepted)
        return view
    client = state.client
    project = await chosen_project(client, request.project_id, "a ligand")
    path = source.staged_path
    if len(accepted) < len(molecules):
        with spooled() as kept:
            await off_loop(_only, source, {one.number for one in accepted}, kept)
            path = await client.imports.stage(kept, ".sdf", name=source.shown)
    path = path or await client.imports.stage(source.file, ".sdf", name=source.shown)
    register = client.imports.poses if request.kind == "poses" else client.imports.sdf
    protein = {"protein_id": request.protein_id} if request.kind == "poses" else {}
    request.is_sent = True
    done = await register(
        path,
        len(accepted),
        **protein,
        tags=request.tags,
        project_id=project,
        timeout_seconds=request.seconds_left,
    )
    return await with_rows(state, view, done, accepted, request.kind, is_new=True)


async def read_molecules(source: Source) -> list[Molecule]:
    from deeporigin_mcp.tools.molecules.chemistry import read_sdf

    records = await off_loop(read_sdf, source.file)
    return [Molecule(one.number + 1, one.name, one.smiles, one.problem, one.notes) for one in records]


def _only(source: Source, numbers: Collection[int], into: IO[bytes]) -> None:
    """Copy the records with these numbers, byte for byte."""
    from deeporigin_mcp.tools.molecules.chemistry import lines_in_pieces

    source.file.seek(0)
    number = 1
    for line, begins in lines_in_pieces(source.file):
        if number in numbers:
            into.write(line)
        number += begins and line.startswith(b"$$$$")


async def checked_molecules(molecules: Sequence[Molecule]) -> tuple[ImportView, list[Molecule]]:
    """What the checks say, and the molecules that can be imported.

    Raises:
        ArgumentError: `invalid_molecules`: there are none.
    """
    from deeporigin_mcp.tools.molecules import chemistry

    accepted = [one for one in molecules if one.problem is None]
    refused = [one for one in molecules if one.problem is not None]
    if not molecules:
        raise ArgumentError("There are no molecules in it.", next_step="Give another source.", code="invalid_molecules")
    if not accepted:
        lines = [f"- {one.label} {one.problem}" for one in refused[:MAX_NAMED]]
        more = [f"- and {len(refused) - MAX_NAMED} more"] if len(refused) > MAX_NAMED else []
        raise ArgumentError(
            "\n".join(["There is no molecule that can be imported.", *lines, *more, ""]),
            next_step="Correct the molecules.",
            code="invalid_molecules",
        )
    view = ImportView(requested=len(molecules), imported=0)
    view.refused = [
        RefusedRow(row=one.number, name=one.name or None, reason=one.problem or "") for one in refused
    ] or None
    changed = [f"{one.label}: {note}" for one in accepted for note in one.notes if not note.startswith("written as ")]
    same = await off_loop(chemistry.duplicates, accepted)
    changed += [f"{accepted[at].label} is the same molecule as {accepted[first].label}" for at, first in same.items()]
    view.note(*some(changed))
    if not await off_loop(chemistry.is_available):
        view.note("Chemistry was not checked, as this server has no RDKit.")
    view.next_step = f"Only checked: nothing was imported. {len(accepted)} of {len(molecules)} can be."
    return view, accepted
