"""Molecules in: a file, a PDB entry, an address or SMILES become rows of the platform (design 6).

Bytes go up unchanged, and the platform's import tool makes rows of them. It recognises proteins and ligands that it
has, so that the same call can be made again after any failure. Poses it makes anew.
"""

from __future__ import annotations

from typing import Annotated, Any

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
from deeporigin_mcp.tools.molecules.import_request import ImportRequest
from deeporigin_mcp.tools.molecules.imported import (
    ImportView,
    Molecule,
    add_protein,
    is_over,
    with_rows,
)
from deeporigin_mcp.tools.molecules.sources import Format, Kind, chosen_source, opened
from deeporigin_mcp.tools.responses import errors, steps
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop
from deeporigin_mcp.tools.spending import approval

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
    check_only: Annotated[bool, Field(description="Import nothing, say which exist.")] = False,
) -> ImportView:
    """Bring a protein, ligands, or poses in a protein into the project, from one source.

    Returns as_input for a run's inputs (beyond 100 ligands: ligands_file, ligands_count). Unusable rows are named, the
    others imported. Repeated, it makes only poses anew.
    """
    given = {"path": path, "pdb_id": pdb_id, "url": url, "smiles": smiles, "text": text, "execution_id": execution_id}
    state, seconds = state_of(ctx), CALL_SECONDS - RESPONSE_SECONDS
    with (_poses_call(protein_id or "") if kind == "poses" else CALL).errors():
        source = chosen_source(kind, given, is_local=state.settings.is_local)
        request = ImportRequest(
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


async def _imported(ctx: ToolContext, request: ImportRequest) -> ImportView:
    from deeporigin_mcp.platform.clients.imports import TOOL_KEY
    from deeporigin_mcp.tools.molecules import tables
    from deeporigin_mcp.tools.molecules.ligand_import import import_ligands, import_records
    from deeporigin_mcp.tools.molecules.protein_import import import_protein, known_entry, require_protein

    state = state_of(ctx)
    if request.source == "execution_id":
        return await _earlier(state, request)
    if request.source == "pdb_id" and (known := await known_entry(state, request)):
        return known
    if not request.check_only:
        # An import is a run like any other.
        approval.require_allowed_tool(TOOL_KEY, state.settings)
    if request.source == "smiles":
        return await import_ligands(state, request, tables.of_list(request.value))
    async with opened(ctx, request.kind, request.source, str(request.value), request.format) as source:
        try:
            if request.kind == "protein":
                return await import_protein(state, request, source)
            if request.kind == "poses":
                await require_protein(state, request.protein_id)
            if source.format == "sdf":
                return await import_records(state, request, source)
            table = await off_loop(tables.of_csv if source.format == "csv" else tables.of_smi, source.file)
            return await import_ligands(state, request, table)
        finally:
            if source.staged_path and (not request.is_sent or source.format in ("csv", "smi")):
                await state.client.imports.discard(source.staged_path)


async def _earlier(state: ServerState, request: ImportRequest) -> ImportView:
    """What became of an import of an earlier call."""
    from deeporigin_mcp.platform.clients.import_records import staged_path_of
    from deeporigin_mcp.platform.clients.imports import TOOL_KEY
    from deeporigin_mcp.tools.molecules import tables
    from deeporigin_mcp.tools.molecules.ligand_import import NO_ROW_SECONDS, read_molecules
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
                accepted = await read_molecules(source)
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
