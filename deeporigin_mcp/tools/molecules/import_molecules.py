"""Molecules in: a file, a PDB entry, an address or SMILES become rows of the platform (design 6).

Bytes go up unchanged, and the platform's import tool makes rows of them. It recognises proteins and ligands that it
has, so that the same call can be made again after any failure. Poses it makes anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import anyio
from pydantic import Field

from deeporigin_mcp.errors import (
    ArgumentError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PlatformError,
)
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import as_object
from deeporigin_mcp.tools.molecules.imported import (
    ROW_FIELDS,
    ImportView,
    Molecule,
    RefusedRow,
    add_protein,
    is_over,
    some,
    with_rows,
)
from deeporigin_mcp.tools.molecules.sources import Format, Kind, Source, chosen_source, opened, pdb_entry, spooled
from deeporigin_mcp.tools.responses import errors, steps, toolsets
from deeporigin_mcp.tools.runtime.projects import chosen_project
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop, stop_if_abandoned
from deeporigin_mcp.tools.spending import approval

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.imports import Suffix
    from deeporigin_mcp.tools.molecules.structures import Structure
    from deeporigin_mcp.tools.molecules.tables import Table

MAX_NAMED = 20
"""Rows that a refusal names, and proteins of one PDB entry."""
NO_ROW_SECONDS = 6.0
"""How long the data platform's row of a completed import is waited for: hidden runs may have none."""
RESPONSE_SECONDS = 4.0
"""What is left of a call for its response."""
COUNTED_AS_SENT = "Rows are counted in the list that was sent, without those that were refused before."

CALL = errors.ChangingCall(
    "nothing_changed",
    "call import_molecules again with the same arguments",
    "Call import_molecules again with the same arguments: what is there already gets the same ids.",
)


async def import_molecules(
    ctx: ToolContext,
    kind: Kind,
    path: Annotated[str | None, Field(description="The user's file: .pdb .cif .pdbqt .csv .smi .sdf.")] = None,
    pdb_id: Annotated[str | None, Field(description="E.g. 1IEP.")] = None,
    url: Annotated[str | None, Field(description="https, or a path on the platform.")] = None,
    smiles: Annotated[
        list[str | dict[str, Any]] | None, Field(description="SMILES, or objects {smiles, name}.")
    ] = None,
    text: Annotated[str | None, Field(description="A file's text, to 64 KB, with format.")] = None,
    format: Format | None = None,  # noqa: A002
    execution_id: Annotated[str | None, Field(description="An earlier import, to read its rows.")] = None,
    name: Annotated[str | None, Field(description="Of a protein.")] = None,
    protein_id: Annotated[str | None, Field(description="Of poses.")] = None,
    project_id: Annotated[str | None, Field(description="Needed if none is set.")] = None,
    tags: Annotated[dict[str, Any] | None, Field(description="Kept with the rows.")] = None,
    check_only: Annotated[bool, Field(description="Import nothing.")] = False,
) -> ImportView:
    """Bring a protein, ligands, or poses in a protein into the project, from one source.

    Returns as_input for a run's inputs (beyond 100 ligands: ligands_file, ligands_count). Unusable rows are named, the
    others imported. Repeated, it makes only poses anew.
    """
    given = {"path": path, "pdb_id": pdb_id, "url": url, "smiles": smiles, "text": text, "execution_id": execution_id}
    state, seconds = state_of(ctx), CALL_SECONDS - RESPONSE_SECONDS
    with (_poses_call(protein_id or "") if kind == "poses" else CALL).errors():
        source = chosen_source(kind, given, is_local=state.settings.is_local)
        request = _Request(
            kind=kind,
            source=source,
            value=given[source],
            format=format,
            name=one_line(name or "", 200),
            protein_id=(protein_id or "").strip(),
            project_id=project_id,
            tags=tags,
            check_only=check_only,
            until=anyio.current_time() + seconds,
        )
        try:
            with anyio.move_on_after(seconds + RESPONSE_SECONDS / 2):
                return await _imported(ctx, request)
            waited = f"Timed out after {seconds + RESPONSE_SECONDS / 2:g} s"
            if request.is_sent:
                raise OutcomeUnknownError(f"{waited} waiting for the platform to import it.")
            raise PlatformError(f"{waited} reading, checking and uploading it.")
        except (InvalidRequestError, PlatformError) as error:
            if error.code not in ("import_failed", "import_incomplete"):
                raise
            failure = error
    # Whether a failed run made some rows is not known, so nothing is said about it.
    raise failure


def _poses_call(protein_id: str) -> errors.ChangingCall:
    find = steps.call("find_molecules", kind="pose", protein_id=protein_id, order="created")
    return CALL._replace(
        find_out=f"In a minute {find} shows whether they are there; to import them again makes them a second time."
    )


@dataclass
class _Request:
    """What a call asks for, and whether its import was sent."""

    kind: Kind
    source: str
    value: Any
    format: Format | None
    name: str
    protein_id: str
    project_id: str | None
    tags: Mapping[str, Any] | None
    check_only: bool
    until: float
    is_sent: bool = False

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - anyio.current_time())


async def _imported(ctx: ToolContext, request: _Request) -> ImportView:
    from deeporigin_mcp.platform.clients.imports import TOOL_KEY
    from deeporigin_mcp.tools.molecules import tables

    state = state_of(ctx)
    if request.source == "execution_id":
        return await _earlier(state, request)
    if request.source == "pdb_id" and (known := await _known_entry(state, request)):
        return known
    if not request.check_only:
        # An import is a run like any other.
        approval.require_allowed_tool(TOOL_KEY, state.settings)
    if request.source == "smiles":
        return await _ligands(state, request, tables.of_list(request.value))
    async with opened(ctx, request.kind, request.source, str(request.value), request.format) as source:
        try:
            if request.kind == "protein":
                return await _protein(state, request, source)
            if request.kind == "poses":
                await _require_protein(state, request.protein_id)
            if source.format == "sdf":
                return await _records(state, request, source)
            table = await off_loop(tables.of_csv if source.format == "csv" else tables.of_smi, source.file)
            return await _ligands(state, request, table)
        finally:
            if source.staged_path and (not request.is_sent or source.format in ("csv", "smi")):
                await state.client.imports.discard(source.staged_path)


# Proteins


async def _protein(state: ServerState, request: _Request, source: Source) -> ImportView:
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


async def _known_entry(state: ServerState, request: _Request) -> ImportView | None:
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


async def _require_protein(state: ServerState, protein_id: str) -> None:
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


# Ligands and poses


async def _ligands(state: ServerState, request: _Request, table: Table) -> ImportView:
    """Import ligands by their SMILES."""
    from deeporigin_mcp.platform.clients.imports import LigandInput
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
    view, accepted = await _checked(molecules)
    view.note(*table.notes)
    if request.check_only:
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


async def _records(state: ServerState, request: _Request, source: Source) -> ImportView:
    """Import the records of an SDF, as ligands or as poses."""
    molecules = await _read_sdf(source)
    view, accepted = await _checked(molecules)
    if request.check_only:
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


async def _read_sdf(source: Source) -> list[Molecule]:
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


async def _checked(molecules: Sequence[Molecule]) -> tuple[ImportView, list[Molecule]]:
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


async def _earlier(state: ServerState, request: _Request) -> ImportView:
    """What became of an import of an earlier call."""
    from deeporigin_mcp.platform.clients.imports import TOOL_KEY, staged_path_of
    from deeporigin_mcp.tools.molecules import tables
    from deeporigin_mcp.tools.molecules.sources import read_back

    client, execution_id = state.client, str(request.value)
    dto = await client.executions.get(execution_id)
    if (tool_key := Execution(dto).tool_key) != TOOL_KEY:
        raise ArgumentError(
            f"{Execution(dto).execution_id} is a run of {one_line(tool_key, 60)} and no import.",
            next_step=f"{steps.call('get_execution_results', execution_id=execution_id)} has its results.",
        )
    inputs, left = as_object(dto.get("userInputs")), request.seconds_left
    if inputs.get("process_pdb"):
        view, done = ImportView(), await client.imports.outcome(execution_id, timeout_seconds=left)
        if await is_over(state, view, done, "protein", is_new=False):
            await add_protein(state, view, done)
        return view
    accepted: list[Molecule] = []
    try:
        async with read_back(client, staged_path_of(dto), "sdf" if inputs.get("process_sdf") else "csv") as source:
            if source.format == "sdf":
                accepted = await _read_sdf(source)
            else:
                table = await off_loop(tables.of_csv, source.file)
                accepted = [Molecule(row.number, row.name, row.smiles) for row in table.rows]
    except (NotFoundError, ArgumentError):
        # It is gone or too large: then the user's names are missing, nothing else.
        if "csv_path" in inputs:
            # Its rows are found by the SMILES that were in there.
            raise
    done = await client.imports.outcome(
        execution_id,
        len(accepted),
        smiles=[one.smiles for one in accepted],
        timeout_seconds=request.seconds_left,
        no_row_seconds=NO_ROW_SECONDS,
    )
    view = ImportView(requested=len(accepted) or None)
    kind: Kind = "poses" if inputs.get("register_poses") else "ligands"
    view = await with_rows(state, view, done, accepted, kind, is_new=False)
    if view.refused or view.notes:
        view.note(COUNTED_AS_SENT)
    return view
