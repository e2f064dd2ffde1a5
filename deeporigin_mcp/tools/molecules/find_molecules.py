"""Finding proteins, ligands, pockets and poses that are already there, as the objects that inputs want."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import anyio
from pydantic import Field

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, NotFoundError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients.results import is_paged_by_offset
from deeporigin_mcp.platform.records.entities import Ligand, Pocket, Pose, Protein, Row, mean_of_atoms
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import has_more_of, next_cursor_of, rows_of
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, rows_that_fit, size
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime.executions import at_its_end, existing, is_being_stored
from deeporigin_mcp.tools.runtime.projects import unknown_project
from deeporigin_mcp.tools.runtime.state import ServerState, ToolContext, state_of
from deeporigin_mcp.tools.runtime.threads import off_loop

Kind = Literal["protein", "ligand", "pocket", "pose"]
Conditions = dict[str, dict[str, Any]]
"""Column → operator → value."""

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "protein": ("query", "pdb_id", "protein_id"),
    "ligand": ("query", "smiles", "ligand_id"),
    "pocket": ("query", "protein_id", "execution_id"),
    "pose": ("query", "protein_id", "ligand_id", "execution_id"),
}
"""What each kind is found by, beside the project."""
ORDERS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "protein": {"created": ("created_at", "desc"), "name": ("protein_name", "asc")},
    "ligand": {"created": ("created_at", "desc"), "name": ("name", "asc")},
    "pocket": {
        "druggability": ("drugability_score", "desc"),
        "volume": ("volume", "desc"),
        "created": ("created_at", "desc"),
    },
    "pose": {
        "pose_score": ("pose_score", "desc"),
        "binding_energy": ("binding_energy", "asc"),
        "created": ("created_at", "desc"),
    },
}
"""What each kind is ordered by, the usual first: by its name in rows, the platform's field and usual direction."""
_OF_ALL = ("id", "project_id", "created_at", "modified_by")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "protein": (*_OF_ALL, "protein_name", "pdb_id", "gene_symbol", "file_path", "state", "origin_entity_id"),
    "ligand": (*_OF_ALL, "name", "canonical_smiles", "smiles", "mol_file"),
}

ROOM = RESULT_CHARACTERS - 2_000
"""Leaves room for the next call."""
INPUT_CHARACTERS = 4_000
"""A longer object is not shown: what is cut is no input any more."""
NAME_CHARACTERS = 80
MAX_REQUESTS = 10
"""For one page. Only a platform that returns empty pages needs so many."""
POCKET_FILE_BYTES = 2_000_000
RUN_SECONDS = 38.0
"""How long a call waits for the end of a run whose pockets or poses are wanted."""
STORING_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before it searches again, while the platform stores the results of a run that has just ended."""
LOWEST_SCORE = -1e9
"""Sorts poses without a score out, which would come first."""

NO_RDKIT = "RDKit is not installed here, so the SMILES was compared as text: in another spelling it is not found."
NOT_SORTED = "The platform did not sort these rows: better ones may be on later pages."
UNSCORED = "None has a score: they are references, or were registered from a file."
NEW_ROWS = "What was made in the last 15 s may not be found yet."

_ID = re.compile(r"(?=.*\d)[0-9A-Z]{13}")
_PDB_ID = re.compile(r"[0-9][A-Za-z0-9]{3}|pdb_[A-Za-z0-9]{8}", re.IGNORECASE)
_ORDER = re.compile(r"(\w{1,40})(?:\s+(asc|desc))?", re.IGNORECASE)
_CURSOR = re.compile(r"(protein|ligand|pocket|pose)(\d)\.(\d{1,9}):(.*)", re.DOTALL)


class MoleculeRow(View):
    """One protein, ligand, pocket or pose. `id` is shown where there is no `as_input`.

    `druggability` from 0 to 1, `volume` in Å³; `created` is a date; `by`: who changed it last.
    """

    id: str | None = None
    name: str | None = None
    pdb_id: str | None = None
    prepared: bool | None = None
    prepared_from: str | None = None
    pose_score: float | None = None
    binding_energy: float | None = None
    best: bool | None = None
    druggability: float | None = None
    volume: float | None = None
    ligand_id: str | None = None
    smiles: str | None = None
    protein_id: str | None = None
    execution_id: str | None = None
    file_path: str | None = None
    project: str | None = None
    created: str | None = None
    by: str | None = None
    as_input: dict[str, Any] | None = None


class MoleculesView(View):
    """A page of rows. `project`: the one that was searched, for pockets and poses."""

    molecules: list[MoleculeRow]
    project: str | None = None
    has_more: bool
    next_cursor: str | None = None
    note: str | None = None
    next_step: str | None = None


class Place(NamedTuple):
    """Where a page begins: which of several searches, the platform's cursor in it, and rows to skip there.

    An order that the platform pages by offset has no cursors: all rows before are skipped.
    """

    search: int = 0
    cursor: str | None = None
    skipped: int = 0


class Found(NamedTuple):
    """Rows with their places, the place after them, and what has to be said of them."""

    rows: list[Json]
    places: list[Place]
    after: Place | None
    note: str | None = None


async def find_molecules(
    ctx: ToolContext,
    kind: Kind,
    query: Annotated[str | None, Field(description="Part of the name, PDB id or id.")] = None,
    smiles: Annotated[str | None, Field(description="Ligand.")] = None,
    pdb_id: Annotated[str | None, Field(description="Protein.")] = None,
    protein_id: Annotated[str | None, Field(description="It, its pockets or poses.")] = None,
    ligand_id: Annotated[str | None, Field(description="It or its poses.")] = None,
    execution_id: Annotated[str | None, Field(description="Its pockets or poses.")] = None,
    project_id: Annotated[str | None, Field(description="Only this one.")] = None,
    order: Annotated[str | None, Field(description="E.g. name asc.")] = None,
    limit: Annotated[int, Field(description="1 to 100.", ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Field(description="To read on.")] = None,
) -> MoleculesView:
    """Find proteins, ligands, pockets and poses that exist, newest or best first; as_input goes into inputs unchanged.

    High pose_score, low binding_energy: good. Free, reads only.
    """
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
        found = await _entities(state.client, kind, given, project_id, sort, limit, place)
        rows = await _entity_rows(state, kind, found.rows, project_id)
        searched = None
    else:
        if "execution_id" in given:
            run = await at_its_end(state.client, await existing(state.client, given["execution_id"]), RUN_SECONDS)
        project = project_id or (run.project_id or None if run else None)
        found = await _results(state.client, kind, given, project, sort, limit, place)
        for pause in STORING_PAUSES if place == Place() else ():
            if found.rows or run is None or run.status != "Completed" or not await is_being_stored(state.client, run):
                break
            await state.client.timing.sleep(pause)
            found = await _results(state.client, kind, given, project, sort, limit, place)
        rows = await (_pocket_rows if kind == "pocket" else _pose_rows)(state.client, found.rows, given)
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
    if other is None and not (kind in ("pocket", "pose") and "query" in given and not _ID.fullmatch(given["query"])):
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
    asked = valid.get(match[1].lower().removesuffix("_at")) if match else None
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


# Proteins and ligands


async def _entities(
    client: DeepOriginClient,
    kind: Kind,
    given: Mapping[str, str],
    project_id: str | None,
    sort: tuple[str, str],
    limit: int,
    start: Place,
) -> Found:
    searches, note = await _searches(kind, given)
    if start.search >= len(searches):
        start = Place()
    rows: list[Json] = []
    places: list[Place] = []
    place: Place | None = start
    for _ in range(MAX_REQUESTS):
        if place is None or len(rows) >= limit:
            break
        conditions: dict[str, Any] = {**({"project_id": project_id} if project_id else {}), **searches[place.search]}
        page = await client.entities.search(
            f"{kind}s",
            conditions,
            cursor=place.cursor,
            limit=place.skipped + limit - len(rows),
            select=COLUMNS[kind],
            sort=dict([sort]),
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
    if _ID.fullmatch(query) and "id" not in common:
        return [{**common, "id": {"in": [query]}}, named], None
    if kind == "protein" and _PDB_ID.fullmatch(query) and "pdb_id" not in common:
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


async def _entity_rows(
    state: ServerState, kind: Kind, rows: Sequence[Json], project_id: str | None
) -> list[MoleculeRow]:
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
        made.append(MoleculeRow(name=name, **own, **common(entity), **_usable(entity.id, entity.as_input)))
    return made


def _usable(entity_id: str, as_input: Json | None) -> dict[str, Any]:
    if as_input is None or size(as_input) > INPUT_CHARACTERS:
        return {"id": entity_id}
    return {"as_input": as_input}


# Pockets and poses


async def _results(
    client: DeepOriginClient,
    kind: Kind,
    given: Mapping[str, str],
    project: str | None,
    sort: tuple[str, str],
    limit: int,
    place: Place,
) -> Found:
    by_score = sort[0] == "pose_score"
    if by_score and place.search == 0:
        found = await _result_page(client, kind, given, project, sort, limit, place, least_score=LOWEST_SCORE)
        if found.rows or place.skipped:
            return found
        place = Place(1)
    if by_score:
        found = await _result_page(client, kind, given, project, ORDERS[kind]["created"], limit, place)
        return found._replace(note=UNSCORED) if found.rows else found
    return await _result_page(client, kind, given, project, sort, limit, place)


async def _result_page(
    client: DeepOriginClient,
    kind: Kind,
    given: Mapping[str, str],
    project: str | None,
    sort: tuple[str, str],
    limit: int,
    place: Place,
    **more: Any,
) -> Found:
    by_offset = is_paged_by_offset(dict([sort]))
    before = 0 if by_offset else place.skipped
    wanted: dict[str, Any] = {
        "protein_id": given.get("protein_id"),
        "compute_job_id": given.get("execution_id"),
        "row_id": given.get("query"),
        "project_id": project,
        "limit": before + limit,
        "cursor": place.cursor,
        "offset": place.skipped,
        "extra_columns": ("created_at",),
    }
    if kind == "pose":
        wanted |= {"ligand_id": given.get("ligand_id"), **more}
    read = client.results.poses if kind == "pose" else client.results.pockets
    try:
        # By the id too, so that rows of one value keep their order between two pages.
        page = await read(**wanted, sort={sort[0]: sort[1], "id": "asc"} if by_offset else dict([sort]))
    except InvalidRequestError:
        if not by_offset:
            raise
        # Whether the platform sorts by two fields, and compares a field of its results, is not documented.
        page = await read(**wanted | dict.fromkeys(more), sort=dict([sort]))
    rows = rows_of(page)[before:]
    seen = place.skipped + len(rows)
    if by_offset:
        places = [Place(place.search, None, place.skipped + index) for index in range(len(rows))]
        more_rows = has_more_of(page)
        has_more = len(rows) >= limit if more_rows is None else more_rows
        after = Place(place.search, None, seen) if has_more and rows else None
    else:
        places = [place._replace(skipped=before + index) for index in range(len(rows))]
        following = next_cursor_of(page)
        after = Place(place.search, following) if following else None
    return Found(rows, places, after, NOT_SORTED if after and by_offset and not _is_sorted(rows, sort) else None)


def _is_sorted(rows: Iterable[Json], sort: tuple[str, str]) -> bool:
    values = [value for row in rows if isinstance(value := Pose(row).data.get(sort[0]), int | float)]
    return not any(first < second if sort[1] == "desc" else first > second for first, second in pairwise(values))


async def _pocket_rows(client: DeepOriginClient, rows: Sequence[Json], given: Mapping[str, str]) -> list[MoleculeRow]:
    pockets = [Pocket(row) for row in rows]
    inputs = [pocket.as_input for pocket in pockets]

    async def measure(index: int) -> None:
        inputs[index] = pockets[index].input_at(await _centre_in(client, pockets[index].file_path))

    async with anyio.create_task_group() as tasks:
        for index, pocket in enumerate(pockets):
            if inputs[index] is None and pocket.box is not None and pocket.file_path:
                tasks.start_soon(measure, index)
    return [
        MoleculeRow(
            druggability=_rounded(pocket.druggability, 3),
            volume=_rounded(pocket.volume, 1),
            file_path=one_line(pocket.file_path, INPUT_CHARACTERS) or None,
            **_origin(pocket, given),
            **_usable(pocket.id, as_input),
        )
        for pocket, as_input in zip(pockets, inputs, strict=True)
    ]


async def _centre_in(client: DeepOriginClient, path: str) -> list[float] | None:
    """The middle of the atoms of a pocket whose row does not tell its centre; None if its file cannot be read."""
    file = io.BytesIO()
    try:
        await client.files.download(path, file, max_bytes=POCKET_FILE_BYTES)
    except DeepOriginError:
        return None
    centre = mean_of_atoms(file.getvalue().decode("utf-8", "replace"))
    return centre and [round(coordinate, 3) for coordinate in centre]


async def _pose_rows(client: DeepOriginClient, rows: Sequence[Json], given: Mapping[str, str]) -> list[MoleculeRow]:
    poses = [Pose(row) for row in rows]
    names: dict[str, str] = {}
    if ids := [*filter(None, dict.fromkeys(pose.ligand_id for pose in poses))]:
        try:
            ligands = await client.entities.get_many("ligands", ids, select=("id", "name"))
            names = {name: one_line(Ligand(row).name, NAME_CHARACTERS) for name, row in ligands.items()}
        except DeepOriginError:
            pass
    return [
        MoleculeRow(
            name=names.get(pose.ligand_id) or None,
            pose_score=pose.score,
            binding_energy=pose.binding_energy,
            best=pose.is_best or None,
            ligand_id=(pose.ligand_id if pose.ligand_id != given.get("ligand_id") else "") or None,
            # Tells the molecule where no name does.
            smiles=(pose.smiles if not names.get(pose.ligand_id) else "") or None,
            **_origin(pose, given),
            **_usable(pose.id, pose.as_input),
        )
        for pose in poses
    ]


def _origin(row: Pocket | Pose, given: Mapping[str, str]) -> dict[str, str | None]:
    """Of which protein and run it is, unless that was asked for."""
    if "execution_id" in given:
        return {}
    return {
        "protein_id": (row.protein_id if row.protein_id != given.get("protein_id") else "") or None,
        "execution_id": row.execution_id or None,
        "created": row.created_at[:10] or None,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


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
    return query if _PDB_ID.fullmatch(query) else None


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
