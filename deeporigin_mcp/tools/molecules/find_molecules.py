"""Finding proteins, ligands, pockets and poses that are already there, as the objects that inputs want."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, NotFoundError
from deeporigin_mcp.platform.records.entities import Row
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.molecules.molecule_rows import ID, ORDERS, PDB_ID, Kind, MoleculeRow, Place, Search
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, rows_that_fit
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.executions import at_its_end, existing, read_as_stored
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "protein": ("query", "pdb_id", "protein_id"),
    "ligand": ("query", "smiles", "ligand_id"),
    "pocket": ("query", "protein_id", "execution_id"),
    "pose": ("query", "protein_id", "ligand_id", "execution_id"),
}
"""What each kind is found by, beside the project."""
ROOM = RESULT_CHARACTERS - 2_000
"""Leaves room for the next call."""
RUN_SECONDS = 38.0
"""How long a call waits for the end of a run whose pockets or poses are wanted."""
STORING_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before it searches again, while the platform stores the results of a run that has just ended."""
NEW_ROWS = "What was made in the last 15 s may not be found yet."

_ORDER = re.compile(r"(\w{1,40})(?:\s+(asc|desc))?", re.IGNORECASE)
_UNIT_OR_TIME = re.compile(r"_(?:at|cubic_angstrom)$")
"""What the name of a row's column, or of the platform's, has more than that of an order."""
_CURSOR = re.compile(r"(protein|ligand|pocket|pose)(\d)\.(\d{1,9}):(.*)", re.DOTALL)


class MoleculesView(View):
    """A page of rows. `project`: the one that was searched, for pockets and poses."""

    molecules: list[MoleculeRow]
    project: str | None = None
    has_more: bool
    next_cursor: str | None = None
    note: str | None = None
    next_step: str | None = None


async def find_molecules(
    ctx: ToolContext,
    kind: Kind,
    query: Annotated[str | None, Field(description="Part of the name, PDB id or id.")] = None,
    smiles: Annotated[str | None, Field(description="Ligand.")] = None,
    pdb_id: Annotated[str | None, Field(description="Protein.")] = None,
    protein_id: Annotated[str | None, Field(description="It, its pockets or poses.")] = None,
    ligand_id: Annotated[str | None, Field(description="It or its poses.")] = None,
    execution_id: Annotated[str | None, Field(description="Of this run.")] = None,
    project_id: Annotated[str | None, Field(description="Only this one.")] = None,
    order: Annotated[str | None, Field(description="E.g. name asc.")] = None,
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Field(description="To read on.")] = None,
) -> MoleculesView:
    """Find proteins, ligands, pockets and poses that exist, newest or best first; as_input goes into inputs unchanged.

    High pose_score, low binding_energy (kcal/mol): good. Reads only.
    """
    # Only its calls need them.
    from deeporigin_mcp.tools.molecules import entity_search, result_search

    state = state_of(ctx)
    asked = {
        "query": query,
        "smiles": smiles,
        "pdb_id": pdb_id,
        "protein_id": protein_id,
        "ligand_id": ligand_id,
        "execution_id": execution_id,
    }
    given = {name: value.strip() for name, value in asked.items() if value and value.strip()}
    _check_arguments(kind, given)
    sort = _sort_of(kind, order)
    place = _place_of(kind, cursor)
    repeated: dict[str, Any] = {"kind": kind, **given}
    repeated |= {name: value for name, value in {"project_id": project_id, "order": order}.items() if value}
    run = None
    if kind in ("protein", "ligand"):
        found = await entity_search.search_entities(Search(state.client, kind, given, project_id, sort, limit), place)
        rows = await entity_search.entity_rows(state, kind, found.rows, project_id)
        searched = None
    else:
        if "execution_id" in given:
            run = await at_its_end(state.client, await existing(state.client, given["execution_id"]), RUN_SECONDS)
        project = project_id or (run.project_id or None if run else None)
        search = Search(state.client, kind, given, project, sort, limit)
        found = await result_search.search_results(search, place)
        if run is not None and place == Place():
            found, _ = await read_as_stored(
                state.client,
                run,
                lambda: result_search.search_results(search, place),
                found,
                pauses=STORING_PAUSES,
                is_empty=lambda page: not page.rows,
            )
        rows = await (result_search.pocket_rows if kind == "pocket" else result_search.pose_rows)(
            state.client, found.rows, given
        )
        searched = await _project_searched(state, project)
    count = rows_that_fit(rows, ROOM)
    following = found.places[count] if count < len(rows) else found.after
    view = MoleculesView(molecules=rows[:count], project=searched, has_more=following is not None, note=found.note)
    if following is not None:
        view.next_cursor = f"{kind}{following.search}.{following.skipped}:{following.cursor or ''}"
        page = {"limit": limit} if limit != 20 else {}
        view.next_step = f"{steps.call('find_molecules', **repeated, **page, cursor=view.next_cursor)} reads on."
    elif not rows and run is not None and not run.is_settled:
        view.next_step = f"It is {one_line(run.status, 40)}; {steps.call('find_molecules', **repeated)} waits on."
    elif not rows:
        view.next_step = await _after_nothing(state, kind, given, project_id, searched, is_start=place == Place())
    return view


# The arguments


def _check_arguments(kind: Kind, given: Mapping[str, str]) -> None:
    """Refuse what this kind is not found by: to leave it out would find too much."""
    valid = ARGUMENTS[kind]
    other = next((name for name in given if name not in valid), None)
    if other is None and not (kind in ("pocket", "pose") and "query" in given and not ID.fullmatch(given["query"])):
        return
    hint = ""
    if other in ("smiles", "query") and kind == "pose":
        hint = f" {steps.call('find_molecules', kind='ligand', **{other: given[other]})} gives the ligand_id."
    elif other in ("pdb_id", None):
        name = other or "query"
        wanted = "ligand" if other is None and kind == "pose" else "protein"
        hint = f" {steps.call('find_molecules', kind=wanted, **{name: given[name]})} gives the {wanted}_id."
    if other is not None:
        raise ArgumentError(f"Invalid {other} for kind {kind!r}.", next_step=f"Valid: {', '.join(valid)}.{hint}")
    raise ArgumentError(
        f"Invalid query {one_line(given['query'], 60)!r} for kind {kind!r}, which has no names.",
        next_step=f"Valid: its id of 13 characters.{hint}",
    )


def _sort_of(kind: Kind, order: str | None) -> tuple[str, str]:
    """The platform's field and the direction."""
    valid = ORDERS[kind]
    match = _ORDER.fullmatch(order.strip() if order and order.strip() else next(iter(valid)))
    asked = valid.get(_UNIT_OR_TIME.sub("", match[1].lower())) if match else None
    if match is None or asked is None:
        raise ArgumentError(
            f"Invalid order {one_line(order or '', 60)!r} for kind {kind!r}.",
            next_step=f"Valid: {', '.join(valid)}, then asc or desc.",
        )
    return asked[0], (match[2] or asked[1]).lower()


def _place_of(kind: Kind, cursor: str | None) -> Place:
    if not cursor:
        return Place()
    match = _CURSOR.fullmatch(cursor)
    if match is None or match[1] != kind or int(match[2]) > 1:
        raise ArgumentError(
            f"Invalid cursor {one_line(cursor, 60)!r}.",
            next_step="Valid: next_cursor of an earlier response, unchanged, with the same other arguments.",
        )
    return Place(int(match[2]), match[4] or None, int(match[3]))


async def _project_searched(state: ServerState, project: str | None) -> str | None:
    found = project or state.settings.project_id
    if not found:
        return None
    name = (await state.names.projects()).get(found)
    return f"{one_line(found, 60)} ({name})" if name else one_line(found, 60)


# Nothing found


async def _after_nothing(
    state: ServerState,
    kind: Kind,
    given: Mapping[str, str],
    project_id: str | None,
    searched: str | None,
    *,
    is_start: bool,
) -> str:
    if not is_start:
        return "There are no more rows; without cursor they are read from the start."
    if project_id and (unknown := await unknown_project(state.client, project_id)):
        return unknown
    if kind in ("protein", "ligand"):
        return _after_no_entities(state.settings, kind, given, project_id)
    if execution_id := given.get("execution_id"):
        call = steps.call("get_execution_results", execution_id=execution_id)
        return toolsets.step(
            state.settings, f"This run has no {kind}s, or not yet: {call} says more.", "get_execution_results"
        )
    other = await _elsewhere(state, kind, given, searched)
    if other is not None:
        return other
    where = f"In project {searched} nothing matches; project_id chooses another." if searched else "Nothing matches."
    task = "find pockets" if kind == "pocket" else "dock ligands"
    new = f"{steps.call('find_platform_tools', query=task)} finds the tool that makes {kind}s."
    return f"{where} {toolsets.step(state.settings, new, 'find_platform_tools')}"


def _after_no_entities(settings: Settings, kind: Kind, given: Mapping[str, str], project_id: str | None) -> str:
    looser = {
        "a shorter part of the name": "query" in given,
        "fewer conditions": len(given) > 1,
        "no project_id": project_id is not None,
    }
    advice = ", or ".join(name for name, applies in looser.items() if applies)
    advice = f" Try {advice}." if advice else ""
    if kind == "protein" and (pdb_id := given.get("pdb_id") or _pdb_id_in(given)):
        new = f"{steps.call('import_molecules', kind='protein', pdb_id=pdb_id)} imports it."
    elif smiles := given.get("smiles"):
        new = f"{steps.call('import_molecules', kind='ligands', smiles=[{'smiles': smiles}])} imports it."
    else:
        new = "import_molecules brings in new ones."
    return f"Nothing matches.{advice} {toolsets.step(settings, new, 'import_molecules')} {NEW_ROWS}"


def _pdb_id_in(given: Mapping[str, str]) -> str | None:
    query = given.get("query", "")
    return query if PDB_ID.fullmatch(query) else None


async def _elsewhere(state: ServerState, kind: Kind, given: Mapping[str, str], searched: str | None) -> str | None:
    """That the protein or ligand is of another project, or of none; None if that does not explain it."""
    for name in ("protein_id", "ligand_id"):
        if entity_id := given.get(name):
            entity = name.removesuffix("_id")
            try:
                row = Row(await state.client.entities.get(f"{entity}s", entity_id))
            except NotFoundError:
                call = steps.call("find_molecules", kind=entity)
                return f"Unknown {name} {one_line(entity_id, 60)!r}; {call} shows the known ones. {NEW_ROWS}"
            except DeepOriginError:
                return None
            if row.project_id and searched and not searched.startswith(row.project_id):
                call = steps.call("find_molecules", kind=kind, **given, project_id=row.project_id)
                return f"In project {searched} nothing matches, but the {entity} is of another: {call}."
    return None
