"""Importing a structure as a protein, unless the project has it already."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from deeporigin_mcp.errors import (
    ArgumentError,
    NotFoundError,
)
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.molecules.import_request import ImportRequest
from deeporigin_mcp.tools.molecules.imported import (
    ROW_FIELDS,
    ImportView,
    add_protein,
    is_over,
)
from deeporigin_mcp.tools.molecules.sources import Source, pdb_entry
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.runtime.projects import chosen_project
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.runtime.threads import off_loop

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.imports import Suffix
    from deeporigin_mcp.tools.molecules.structures import Structure

MAX_NAMED = 20
"""Proteins of one PDB entry."""


async def import_protein(state: ServerState, request: ImportRequest, source: Source) -> ImportView:
    """Check a structure, and import it."""
    from deeporigin_mcp.tools.molecules.structures import check_structure

    suffix = cast("Suffix", f".{source.format}")
    structure = await off_loop(check_structure, source.file, suffix)
    if structure.problem:
        raise ArgumentError(
            f"{source.shown} {structure.problem}.", next_step="Give another file.", code="invalid_structure"
        )
    view = ImportView(structure=_described(structure))
    if request.check_only:
        view.next_step = "Only checked: nothing was imported."
        return view
    client = state.client
    project = await chosen_project(client, request.project_id, "a protein")
    is_entry = request.source == "pdb_id"
    path = source.staged_path or await client.imports.stage(source.file, suffix, name=source.shown)
    request.is_sent = True
    done = await client.imports.protein(
        path,
        name=request.name or source.stem,
        pdb_id=source.stem if is_entry else "",
        tags=request.tags,
        project_id=project,
        timeout_seconds=request.seconds_left,
    )
    if await is_over(state, view, done, "protein", is_new=True):
        await add_protein(state, view, done)
    return view


def _described(structure: Structure) -> str:
    chains, ligands = structure.chains, structure.ligands
    parts = [
        f"{_counted(len(chains), 'chain')} {', '.join(chains)}" if chains else "no chain of protein",
        _counted(structure.residues, "residue"),
        f"{_counted(len(ligands), 'ligand')} ({', '.join(ligands)})" if ligands else "no ligand",
        _counted(structure.waters, "water"),
        *(["prepared"] if structure.is_prepared else []),
    ]
    return "; ".join([", ".join(parts), *structure.notes])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


async def known_entry(state: ServerState, request: ImportRequest) -> ImportView | None:
    """The project's own protein of a PDB entry; None if there is none, or another name is wanted."""
    from deeporigin_mcp.platform.records.entities import Protein

    entry, client = pdb_entry(str(request.value)), state.client
    project = await chosen_project(client, request.project_id, "a protein")
    found = await client.entities.all(
        "proteins",
        {"pdb_id": entry, "project_id": project},
        limit=MAX_NAMED,
        select=ROW_FIELDS["proteins"],
        sort={"created_at": "desc"},
    )
    proteins = [protein for protein in map(Protein, found) if protein.as_input]
    if request.name:
        proteins = [protein for protein in proteins if protein.name == request.name]
    if not proteins:
        return None
    first, *others = sorted(proteins, key=lambda protein: protein.is_prepared)
    view = ImportView(as_input=first.as_input)
    view.note(
        f"The project has {entry} already, as {first.name} of {first.created_at[:10]}: nothing was imported. To import "
        "it again, give another name."
    )
    view.note(
        *(
            f"Also there: {other.id} ({other.name}{', prepared' if other.is_prepared else ''}), {other.file_path}"
            for other in others[:MAX_NAMED]
        )
    )
    return view


async def require_protein(state: ServerState, protein_id: str) -> None:
    find = steps.call("find_molecules", kind="protein")
    step = toolsets.step(state.settings, f"{find} shows the proteins that are there.", "find_molecules")
    if not protein_id:
        raise ArgumentError("Missing protein_id: poses are in a protein.", next_step=step)
    try:
        await state.client.entities.get("proteins", protein_id)
    except NotFoundError:
        raise NotFoundError(
            f"Unknown protein_id {one_line(protein_id, 60)!r} in this organisation.", next_step=step
        ) from None
