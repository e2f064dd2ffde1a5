"""Searches for proteins and ligands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.entities import Ligand, Protein, Row
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import next_cursor_of, rows_of
from deeporigin_mcp.tools.molecules.molecule_rows import (
    ID,
    INPUT_CHARACTERS,
    NAME_CHARACTERS,
    PDB_ID,
    Found,
    Kind,
    MoleculeRow,
    Place,
    Search,
    usable,
)
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.runtime.threads import off_loop

Conditions = dict[str, dict[str, Any]]
"""Column → operator → value."""
_OF_ALL = ("id", "project_id", "created_at", "modified_by")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "protein": (*_OF_ALL, "protein_name", "pdb_id", "gene_symbol", "file_path", "state", "origin_entity_id"),
    "ligand": (*_OF_ALL, "name", "canonical_smiles", "smiles", "mol_file"),
}

MAX_REQUESTS = 10
"""For one page. Only a platform that returns empty pages needs so many."""
NO_RDKIT = "RDKit is not installed here, so the SMILES was compared as text: in another spelling it is not found."


async def search_entities(search: Search, start: Place) -> Found:
    """A page of proteins or ligands."""
    searches, note = await _searches(search.kind, search.given)
    in_project: dict[str, Any] = {"project_id": search.project} if search.project else {}
    if start.search >= len(searches):
        start = Place()
    rows: list[Json] = []
    places: list[Place] = []
    place: Place | None = start
    for _ in range(MAX_REQUESTS):
        if place is None or len(rows) >= search.limit:
            break
        page = await search.client.entities.search(
            f"{search.kind}s",
            {**in_project, **searches[place.search]},
            cursor=place.cursor,
            limit=place.skipped + search.limit - len(rows),
            select=COLUMNS[search.kind],
            sort=dict([search.sort]),
        )
        for index, row in enumerate(rows_of(page)[place.skipped :], place.skipped):
            # No search of the platform has an "or": a row that several of ours match is shown once.
            if not any(_matches(row, earlier) for earlier in searches[: place.search]):
                rows.append(row)
                places.append(place._replace(skipped=index))
        following = next_cursor_of(page)
        if following is not None and following != place.cursor:
            place = Place(place.search, following)
        elif place.search + 1 < len(searches) and not (rows and "id" in searches[place.search]):
            place = Place(place.search + 1)
        else:
            place = None
    return Found(rows, places, place, note)


async def _searches(kind: Kind, given: Mapping[str, str]) -> tuple[list[Conditions], str | None]:
    """What to search for, one after the other: what the query names exactly, then parts of names."""
    common: Conditions = {}
    if entity_id := given.get(f"{kind}_id"):
        common["id"] = {"in": [entity_id]}
    if pdb_id := given.get("pdb_id"):
        common["pdb_id"] = _pdb_condition(pdb_id)
    if smiles := given.get("smiles"):
        forms, note = await _forms(smiles)
        return [{**common, column: {"in": forms}} for column in ("canonical_smiles", "smiles")], note
    query = given.get("query")
    if query is None:
        return [common], None
    named = {**common, "protein_name" if kind == "protein" else "name": {"icontains": query}}
    if ID.fullmatch(query) and "id" not in common:
        return [{**common, "id": {"in": [query]}}, named], None
    if kind == "protein" and PDB_ID.fullmatch(query) and "pdb_id" not in common:
        return [{**common, "pdb_id": _pdb_condition(query)}, named], None
    return [named], None


def _pdb_condition(pdb_id: str) -> dict[str, Any]:
    return {"in": [*dict.fromkeys((pdb_id.upper(), pdb_id.lower(), pdb_id))]}


def _matches(row: Json, conditions: Conditions) -> bool:
    return all(row.get(column) in condition.get("in", ()) for column, condition in conditions.items())


async def _forms(smiles: str) -> tuple[list[str], str | None]:
    """How a SMILES may be written on the platform, and what that leaves out.

    Raises:
        ArgumentError: it is none. An element that no tool supports may still be there.
    """
    from deeporigin_mcp.tools.molecules.chemistry import check_smiles, is_available
    from deeporigin_mcp.tools.molecules.smiles import shown

    checked, is_canonical = await off_loop(lambda: (check_smiles(smiles), is_available()))
    if checked.problem and not checked.elements:
        raise ArgumentError(
            f"Invalid smiles {shown(smiles)!r}: it {checked.problem}.", next_step="Valid: the SMILES of one molecule."
        )
    return [*dict.fromkeys((checked.smiles, smiles))], None if is_canonical else NO_RDKIT


async def entity_rows(
    state: ServerState, kind: Kind, rows: Sequence[Json], project_id: str | None
) -> list[MoleculeRow]:
    """Rows as they are shown; the project of each, unless it was asked for."""
    if not rows:
        return []
    projects: dict[str, str] = {}
    people: dict[str, str] = {}

    async def read_projects() -> None:
        nonlocal projects
        projects = await state.names.projects()

    async def read_people() -> None:
        nonlocal people
        people = await state.names.people()

    async with anyio.create_task_group() as tasks:
        if not project_id:
            tasks.start_soon(read_projects)
        tasks.start_soon(read_people)

    def common(entity: Row) -> dict[str, Any]:
        own = "" if project_id else entity.project_id
        return {
            "project": projects.get(own) or own or None,
            "created": entity.created_at[:10] or None,
            "by": people.get(entity.modified_by),
        }

    made = []
    for row in rows:
        if kind == "protein":
            protein = Protein(row)
            own: dict[str, Any] = {
                "pdb_id": protein.pdb_id or None,
                "prepared": protein.is_prepared or None,
                "prepared_from": (protein.is_prepared and protein.origin_id) or None,
            }
            entity: Protein | Ligand = protein
        else:
            entity = Ligand(row)
            # For tools that need coordinates.
            own = {"file_path": one_line(entity.file_path, INPUT_CHARACTERS) or None}
        name = one_line(entity.name, NAME_CHARACTERS) or None
        made.append(MoleculeRow(name=name, **own, **common(entity), **usable(entity.id, entity.as_input)))
    return made
