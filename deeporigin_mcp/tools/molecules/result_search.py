"""Searches for pockets and poses, which are results of runs."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import anyio

from deeporigin_mcp.errors import DeepOriginError, InvalidRequestError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients.results import is_paged_by_offset
from deeporigin_mcp.platform.records.entities import Ligand, Pocket, Pose, mean_of_atoms
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import has_more_of, next_cursor_of, rows_of
from deeporigin_mcp.tools.molecules.molecule_rows import (
    INPUT_CHARACTERS,
    NAME_CHARACTERS,
    ORDERS,
    Found,
    MoleculeRow,
    Place,
    Search,
    usable,
)

POCKET_FILE_BYTES = 2_000_000
LOWEST_SCORE = -1e9
"""Sorts poses without a score out, which would come first."""
NOT_SORTED = "The platform did not sort these rows: better ones may be on later pages."
UNSCORED = "None has a score: they are references, or were registered from a file."


async def search_results(search: Search, place: Place) -> Found:
    """A page of pockets or poses; poses without a score come after all others."""
    if search.sort[0] != "pose_score":
        return await _page(search, place)
    if place.search == 0:
        found = await _page(search, place, least_score=LOWEST_SCORE)
        if found.rows or place.skipped:
            return found
        place = Place(1)
    found = await _page(search._replace(sort=ORDERS[search.kind]["created"]), place)
    return found._replace(note=UNSCORED) if found.rows else found


async def _page(search: Search, place: Place, **more: Any) -> Found:
    given, sort, limit = search.given, search.sort, search.limit
    by_offset = is_paged_by_offset(dict([sort]))
    before = 0 if by_offset else place.skipped
    wanted: dict[str, Any] = {
        "protein_id": given.get("protein_id"),
        "compute_job_id": given.get("execution_id"),
        "row_id": given.get("query"),
        "project_id": search.project,
        "limit": before + limit,
        "cursor": place.cursor,
        "offset": place.skipped,
        "extra_columns": ("created_at",),
    }
    if search.kind == "pose":
        wanted |= {"ligand_id": given.get("ligand_id"), **more}
    results = search.client.results
    read = results.poses if search.kind == "pose" else results.pockets
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


async def pocket_rows(client: DeepOriginClient, rows: Sequence[Json], given: Mapping[str, str]) -> list[MoleculeRow]:
    """Rows as they are shown."""
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
            volume_cubic_angstrom=_rounded(pocket.volume, 1),
            file_path=one_line(pocket.file_path, INPUT_CHARACTERS) or None,
            **_origin(pocket, given),
            **usable(pocket.id, as_input),
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


async def pose_rows(client: DeepOriginClient, rows: Sequence[Json], given: Mapping[str, str]) -> list[MoleculeRow]:
    """Rows as they are shown, with the names of their ligands."""
    poses = [Pose(row) for row in rows]
    names: dict[str, str] = {}
    if ids := [*filter(None, dict.fromkeys(pose.ligand_id for pose in poses))]:
        try:
            ligands = await client.entities.get_many("ligands", ids, select=("id", "name"), may_be_kept=True)
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
            **usable(pose.id, pose.as_input),
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
