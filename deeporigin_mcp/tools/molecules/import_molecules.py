"""Molecules in: a file, a PDB entry, an address or SMILES become rows of the platform (design 6).

Bytes go up unchanged, and the platform's import tool makes rows of them. It recognises what it has, so that the same
call can be made again after any failure.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import anyio
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, OutcomeUnknownError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.money import ZERO
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json, as_object, moment
from deeporigin_mcp.tools.approvals.ledger import reported_amount, was_started
from deeporigin_mcp.tools.molecules.sources import Format, Kind, Source, chosen_source, opened, pdb_entry
from deeporigin_mcp.tools.responses import errors, steps, toolsets
from deeporigin_mcp.tools.responses.views import View, Warned
from deeporigin_mcp.tools.runtime.projects import chosen_project
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop
from deeporigin_mcp.tools.spending import spent

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.imports import Import, Suffix
    from deeporigin_mcp.tools.molecules.structures import Structure
    from deeporigin_mcp.tools.molecules.tables import Table

MAX_INLINE = 100
"""Ligands of one run; more are given in a file (molecules-and-files 6.5)."""
MAX_FILES_INLINE = 20
MAX_NAMED = 20
"""Rows of one kind of note, and of a refusal."""
LIST_FOLDER = "docking/ligand-lists"
"""Where the official client puts the ligands of a docking. Other tools read a list from there as well."""
NO_ROW_SECONDS = 6.0
"""How long the data platform's row of a completed import is waited for: hidden runs may have none."""
RESPONSE_SECONDS = 4.0
"""What is left of a call for its response."""
VISIBLE_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt to read new rows, which appear with a delay."""
ROW_FIELDS: Mapping[str, Sequence[str]] = {
    "ligands": ("id", "created_at", "name", "canonical_smiles", "smiles", "mol_file"),
    "proteins": ("id", "created_at", "protein_name", "pdb_id", "state", "file_path"),
}

CALL = errors.ChangingCall(
    "nothing_changed",
    "call import_molecules again with the same arguments",
    "Call import_molecules again with the same arguments: what is there already gets the same ids.",
)


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


async def import_molecules(
    ctx: ToolContext,
    kind: Kind,
    path: Annotated[str | None, Field(description="The user's file: .pdb .cif .pdbqt .csv .smi .sdf.")] = None,
    pdb_id: Annotated[str | None, Field(description="E.g. 1IEP.")] = None,
    url: Annotated[str | None, Field(description="https, public.")] = None,
    smiles: Annotated[list[Any] | None, Field(description="SMILES, or objects {smiles, name}.")] = None,
    text: Annotated[str | None, Field(description="A file's text, to 64 KB, with format.")] = None,
    format: Format | None = None,  # noqa: A002
    execution_id: Annotated[str | None, Field(description="An earlier import: reads its rows.")] = None,
    name: Annotated[str | None, Field(description="Of a protein or one ligand.")] = None,
    protein_id: Annotated[str | None, Field(description="Of poses.")] = None,
    project_id: Annotated[str | None, Field(description="Needed if none is set.")] = None,
    tags: Annotated[dict[str, Any] | None, Field(description="Kept with the rows.")] = None,
    check_only: Annotated[bool, Field(description="Import nothing, say what would be refused.")] = False,
) -> ImportView:
    """Bring a protein, ligands, or poses in a protein into the project, from one source.

    Returns as_input, which goes into a run's inputs as it is (beyond 100 ligands: ligands_file, ligands_count). Rows
    that cannot be used are named with the reason, the others imported. A repeated call makes no second rows.
    """
    given = {"path": path, "pdb_id": pdb_id, "url": url, "smiles": smiles, "text": text, "execution_id": execution_id}
    state, seconds = state_of(ctx), CALL_SECONDS - RESPONSE_SECONDS
    with CALL.errors():
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
            raise OutcomeUnknownError(f"Timed out after {seconds + RESPONSE_SECONDS / 2:g} s waiting for the platform.")
        except InvalidRequestError as error:
            if error.code != "import_failed":
                raise
            failure = error
    # Whether a failed run made some rows is not known, so nothing is said about it.
    raise failure


@dataclass(frozen=True)
class _Request:
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

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - anyio.current_time())


@dataclass(frozen=True)
class _Molecule:
    """A row of the user's list, checked."""

    number: int
    name: str
    smiles: str
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"row {self.number} ({self.name})" if self.name else f"row {self.number}"


async def _imported(ctx: ToolContext, request: _Request) -> ImportView:
    from deeporigin_mcp.tools.molecules import tables

    state = state_of(ctx)
    if request.source == "execution_id":
        return await _earlier(state, request)
    if request.source == "smiles":
        return await _ligands(state, request, tables.of_list(request.value))
    if request.source == "pdb_id" and (known := await _known_entry(state, request)):
        return known
    if request.kind == "poses":
        await _require_protein(state.client, request.protein_id)
    async with opened(ctx, request.kind, request.source, str(request.value), request.format) as source:
        try:
            if request.kind == "protein":
                return await _protein(state, request, source)
            if source.format == "sdf":
                return await _records(state, request, source)
            table = await off_loop(tables.of_csv if source.format == "csv" else tables.of_smi, source.file)
            return await _ligands(state, request, table)
        finally:
            if source.staged_path and (request.check_only or source.format in ("csv", "smi")):
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
    done = await client.imports.protein(
        source.staged_path or await client.imports.stage(source.file, suffix, name=source.shown),
        name=request.name or source.stem,
        pdb_id=source.stem if is_entry else "",
        tags=request.tags,
        project_id=project,
        timeout_seconds=request.seconds_left,
    )
    if await _is_over(state, request, view, done):
        await _add_protein(state, view, done)
    return view


async def _add_protein(state: ServerState, view: ImportView, done: Import) -> None:
    from deeporigin_mcp.platform.records.entities import Protein

    protein = done.proteins[0]
    rows = await _visible(state, view, "proteins", [protein.id])
    row = Protein({**protein.raw, **_known(rows.get(protein.id, {}))})
    view.as_input = row.as_input
    if _is_older(row.raw, done.execution):
        view.note(f"The project had it already, as {row.name}: that row is used.")


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


async def _require_protein(client: DeepOriginClient, protein_id: str) -> None:
    if not protein_id:
        raise ArgumentError("Missing protein_id: poses are in a protein.", next_step="Give the protein that they fit.")
    await client.entities.get("proteins", protein_id)


# Ligands and poses


async def _ligands(state: ServerState, request: _Request, table: Table) -> ImportView:
    """Import ligands by their SMILES."""
    from deeporigin_mcp.platform.clients.imports import LigandInput
    from deeporigin_mcp.tools.molecules.chemistry import check_smiles

    def check() -> list[_Molecule]:
        checked = [check_smiles(row.smiles) for row in table.rows]
        return [
            _Molecule(row.number, row.name, one.smiles, one.problem, one.notes)
            for row, one in zip(table.rows, checked, strict=True)
        ]

    molecules = await off_loop(check)
    if len(molecules) == 1 and request.name:
        molecules = [replace(molecules[0], name=request.name)]
    view, accepted = await _checked(molecules)
    view.note(*table.notes)
    if request.check_only:
        return view
    project = await chosen_project(state.client, request.project_id, "a ligand")
    done = await state.client.imports.ligands(
        [LigandInput(one.smiles, one.name, request.tags) for one in accepted],
        project_id=project,
        timeout_seconds=request.seconds_left,
        no_row_seconds=NO_ROW_SECONDS,
    )
    return await _with_rows(state, request, view, done, accepted)


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
        kept = await off_loop(_only, source, {one.number for one in accepted})
        path = await client.imports.stage(io.BytesIO(kept), ".sdf", name=source.shown)
    path = path or await client.imports.stage(source.file, ".sdf", name=source.shown)
    register = client.imports.poses if request.kind == "poses" else client.imports.sdf
    protein = {"protein_id": request.protein_id} if request.kind == "poses" else {}
    done = await register(
        path,
        len(accepted),
        **protein,
        tags=request.tags,
        project_id=project,
        timeout_seconds=request.seconds_left,
    )
    return await _with_rows(state, request, view, done, accepted)


async def _read_sdf(source: Source) -> list[_Molecule]:
    from deeporigin_mcp.tools.molecules.chemistry import read_sdf

    records = await off_loop(read_sdf, source.file)
    return [_Molecule(one.number + 1, one.name, one.smiles, one.problem, one.notes) for one in records]


def _only(source: Source, numbers: Collection[int]) -> bytes:
    """The records with these numbers, byte for byte."""
    source.file.seek(0)
    kept, number = bytearray(), 1
    for line in source.file:
        if number in numbers:
            kept += line
        number += line.startswith(b"$$$$")
    return bytes(kept)


async def _checked(molecules: Sequence[_Molecule]) -> tuple[ImportView, list[_Molecule]]:
    """What the checks say, and the molecules that can be imported.

    Raises:
        ArgumentError: `invalid_molecules`: there are none.
    """
    from deeporigin_mcp.tools.molecules import chemistry

    accepted = [one for one in molecules if one.problem is None]
    refused = [one for one in molecules if one.problem is not None]
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
    view.note(*_some(changed))
    if not await off_loop(chemistry.is_available):
        view.note("Chemistry was not checked, as RDKit is not installed here: only the text of SMILES was.")
    view.next_step = f"Only checked: nothing was imported. {len(accepted)} of {len(molecules)} can be."
    return view, accepted


def _some(sentences: Sequence[str]) -> list[str]:
    more = [f"and {len(sentences) - MAX_NAMED} more of these"] if len(sentences) > MAX_NAMED else []
    return [*sentences[:MAX_NAMED], *more]


async def _with_rows(
    state: ServerState, request: _Request, view: ImportView, done: Import, accepted: Sequence[_Molecule]
) -> ImportView:
    """The rows that an import of ligands or poses made."""
    if not await _is_over(state, request, view, done):
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
    inputs = [pose.as_input for pose in done.poses if pose and pose.as_input]
    view.as_input = [entry for entry in inputs[:MAX_INLINE] if entry]
    if len(inputs) > MAX_INLINE:
        view.note(f"as_input has the first {MAX_INLINE} of {len(inputs)} poses.")


async def _add_ligands(state: ServerState, view: ImportView, done: Import, accepted: Sequence[_Molecule]) -> None:
    from deeporigin_mcp.platform.records.entities import Ligand

    given = {row.id: one for one, row in zip(accepted, done.ligands, strict=False) if row}
    raw = {row.id: row.raw for row in done.ligands if row}
    if not any("canonical_smiles" in row for row in raw.values()):
        # Else they were read already, as those of a workflow are.
        found = await _visible(state, view, "ligands", [*raw])
        raw = {name: {**row, **_known(found.get(name, {}))} for name, row in raw.items()}
    ligands = [Ligand({"smiles": given[name].smiles if name in given else None, **row}) for name, row in raw.items()]
    older = [ligand for ligand in ligands if ligand.id in given and _is_older(ligand.raw, done.execution)]
    if older:
        names = [
            given[ligand.id].label + (f" as {ligand.name}" if ligand.name not in ("", given[ligand.id].name) else "")
            for ligand in older
        ]
        view.note(f"Already in the project, and used as they are there: {', '.join(_some(names))}.")
    inputs = [entry for ligand in ligands if (entry := ligand.as_input)]
    files = [entry for ligand in ligands if (entry := ligand.as_file_input)]
    if len(inputs) > MAX_INLINE:
        view.ligands_file, view.ligands_count = await _listed(state.client, inputs), len(inputs)
        return
    view.as_input = inputs
    if 0 < len(files) <= MAX_FILES_INLINE:
        view.as_file_input = files


async def _listed(client: DeepOriginClient, ligands: Sequence[Json]) -> str:
    """The path of a list of ligands on the platform."""
    content = json.dumps(ligands, separators=(",", ":")).encode()
    path = f"{LIST_FOLDER}/{hashlib.sha256(content).hexdigest()[:32]}.json"
    await client.files.upload(io.BytesIO(content), path, name="ligands.json", overwrite=True)
    return path


# The run of an import


async def _is_over(state: ServerState, request: _Request, view: ImportView, done: Import) -> bool:
    """Whether an import has made its rows; else the view says how to go on. A charge that nobody approved is said."""
    view.next_step = None
    execution = done.execution
    if request.source != "execution_id" and was_started(execution) and reported_amount(execution):
        await spent.record_start(state, execution)
        view.warning = spent.dearer_than_approved(execution, ZERO)
    if done.is_completed and done.is_ingested:
        return True
    view.execution_id, view.status = execution.execution_id, execution.status
    if view.imported == 0:
        view.imported = None
    read = steps.call("import_molecules", kind=request.kind, execution_id=execution.execution_id)
    if done.is_completed:
        view.next_step = f"It is completed, and its rows are still being stored; {read} in a minute returns them."
    else:
        after = (steps.after(execution, state.settings) or "").rstrip(".")
        needed = "confirm_execution" if execution.status == "Quoted" else "wait_executions"
        view.next_step = toolsets.step(state.settings, f"{after}. Then {read} returns its rows.", needed)
    return False


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
        if await _is_over(state, request, view, done):
            await _add_protein(state, view, done)
        return view
    async with read_back(client, staged_path_of(dto), "sdf" if inputs.get("process_sdf") else "csv") as source:
        if source.format == "sdf":
            accepted = await _read_sdf(source)
        else:
            table = await off_loop(tables.of_csv, source.file)
            accepted = [_Molecule(row.number, row.name, row.smiles) for row in table.rows]
    done = await client.imports.outcome(
        execution_id,
        len(accepted),
        smiles=[one.smiles for one in accepted],
        timeout_seconds=request.seconds_left,
        no_row_seconds=NO_ROW_SECONDS,
    )
    return await _with_rows(state, request, ImportView(requested=len(accepted), imported=0), done, accepted)


async def _visible(
    state: ServerState, view: ImportView, entity: Literal["ligands", "proteins"], ids: Iterable[str]
) -> dict[str, Json]:
    """The rows with these ids, as soon as they can be read: a run that needs one of them checks that it is there."""
    client, lacking, found = state.client, [*ids], dict[str, Json]()
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
        f"Cannot be read yet: {', '.join(_some(lacking))}. A new row appears within seconds; one that does not was "
        "deleted before, and the platform has given out its old id again. Tell the user then."
    )
    return found


def _known(row: Json) -> Json:
    return {name: value for name, value in row.items() if value is not None}


def _is_older(row: Json, execution: Execution) -> bool:
    """Whether a row was there before the import that returned it."""
    made, started = moment(row.get("created_at")), moment(execution.raw.get("createdAt"))
    return made is not None and started is not None and made < started
