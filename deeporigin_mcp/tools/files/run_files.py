"""What a run left behind: its result rows, the files that they name, and whose molecules they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.entities import Ligand, Pose, Protein
from deeporigin_mcp.platform.records.files import RemoteFile
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.files import local_names
from deeporigin_mcp.tools.runtime.executions import is_being_stored

ALL, BEST_POSES = "all", "best_poses"
PAGE_ROWS = 1_000
MAX_ROWS = 10_000
MAX_LISTED = 10_000
MAX_LIST_BYTES = 20_000_000
"""Of a run's list of ligands."""
MAX_DEPTH = 6
STORING_PAUSES = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
"""Seconds between looks at the rows of a run that has just ended."""
NAME_CHARACTERS = 80
REASON_CHARACTERS = 200

_FILE_FIELD = re.compile(r"(?:.*_)?(?:path|plot|file|html|key)", re.IGNORECASE)
_RECORD = re.compile(r"#record-(\d{1,9})$")
_TYPES = {"poses": "pose", "pockets": "pocket", "protein": "preparedprotein"}
"""Result types that `jobOutputs` names otherwise."""


@dataclass(frozen=True)
class Molecule:
    """A ligand as the user knows it; what is not known is empty."""

    id: str = ""
    name: str = ""
    smiles: str = ""

    @property
    def shown(self) -> str:
        """Its name, else its id, else its SMILES."""
        return one_line(self.name or self.id or self.smiles, NAME_CHARACTERS)


@dataclass
class Item:
    """A file to fetch for a result row, or for none; `path` is empty for a row without a file."""

    path: str
    record: int | None = None
    stem: str = ""
    suffix: str = ""
    pose: Pose | None = None
    molecule: Molecule = Molecule()
    values: Json = field(default_factory=dict)
    """The row's numbers and words, for the table."""
    local: str = ""
    """Name of the file that it has become."""
    problem: str = ""
    """Why there is none; `may_come`: whether trying again may help."""
    may_come: bool = False


@dataclass
class Found:
    """What was found of a run."""

    items: list[Item] = field(default_factory=list)
    ligands: list[Molecule] = field(default_factory=list)
    """Those in its inputs, in their order."""
    ligand_count: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """Reasons that rows give, by ligand id or SMILES."""
    is_being_stored: bool = False
    """The platform still stores its results, so that there may be some a minute later."""
    is_cut: bool = False
    """There are more than `MAX_ROWS` rows or `MAX_LISTED` files."""
    listed: dict[str, RemoteFile] = field(default_factory=dict)
    """What a listing says of files, by path."""


def files_of_paths(paths: Sequence[str]) -> Found:
    """The files that a caller names."""
    return Found([_item(path) for path in dict.fromkeys(paths)])


async def files_of_run(client: DeepOriginClient, execution: Execution, what: str, *, waits: bool = True) -> Found:
    """Files and rows of an execution: all, its best poses, or those of one result type.

    Args:
        waits: for half a minute, while the results of a run that has just ended are being stored.

    Raises:
        ArgumentError: `what` is no type of result that it has.
    """
    found = Found()
    wanted = _TYPES.get(what.strip().lower(), what.strip().lower())
    rows = await _rows(client, execution, wanted)
    if not rows:
        kind = "pose" if wanted == BEST_POSES else wanted
        rows = [row for name, row in _output_rows(execution) if kind in (ALL, name)]
    for pause in STORING_PAUSES if waits else ():
        if rows or execution.status != "Completed":
            break
        found.is_being_stored = await is_being_stored(client, execution)
        if not found.is_being_stored:
            break
        await client.timing.sleep(pause)
        rows = await _rows(client, execution, wanted)
    # Where rows have come, whether some are missing is told by the ligands.
    found.is_being_stored = found.is_being_stored and not rows
    found.is_cut = len(rows) >= MAX_ROWS
    if not rows and wanted != ALL:
        await _refuse_unknown_type(client, execution, what)
    if wanted == BEST_POSES:
        rows = _best(rows)
    found.ligands, found.ligand_count = await _ligands(client, execution)
    molecules = await _molecules(client, rows, found.ligands)
    # What is missing is told by names too.
    found.ligands = [replace(one, name=_named(one, molecules)) for one in found.ligands]
    await _add_rows(client, found, rows, molecules)
    if wanted == ALL:
        await _add_others(client, found, execution)
    return found


async def all_rows(client: DeepOriginClient, execution: Execution) -> list[Json]:
    """The result rows of an execution, up to `MAX_ROWS`: one request for each 1,000."""
    return await _rows(client, execution, ALL)


async def found_in(client: DeepOriginClient, execution: Execution, rows: Sequence[Json]) -> Found:
    """What rows say of the ligands of an execution, whatever became of their files."""
    found = Found()
    found.ligands, found.ligand_count = await _ligands(client, execution)
    await _add_rows(client, found, rows, {name: one for one in found.ligands for name in (one.id, one.smiles) if name})
    for item in found.items:
        item.path = item.problem = ""
    return found


def without_record(path: str) -> str:
    """The path of the file that `a.sdf#record-2` is in."""
    return _RECORD.sub("", path).lstrip("/")


# Rows


async def _rows(client: DeepOriginClient, execution: Execution, wanted: str) -> list[Json]:
    project = execution.project_id or None

    async def page(cursor: str | None, _: int) -> Json:
        if wanted == BEST_POSES:
            return await client.results.poses(
                compute_job_id=execution.execution_id,
                best_pose=best,
                project_id=project,
                limit=PAGE_ROWS,
                cursor=cursor,
            )
        return await client.results.page(
            compute_job_id=execution.execution_id,
            result_type=None if wanted == ALL else wanted,
            project_id=project,
            limit=PAGE_ROWS,
            cursor=cursor,
        )

    best: bool | None = True
    rows = await client.results.all(page, MAX_ROWS)
    if not rows and wanted == BEST_POSES:
        # Older rows do not say which is the best.
        best = None
        rows = await client.results.all(page, MAX_ROWS)
    return rows


def _output_rows(execution: Execution) -> Iterator[tuple[str, Json]]:
    """Type and row of each object in `jobOutputs`, which is an object or a list of one."""
    outputs = execution.outputs
    for holder in outputs if isinstance(outputs, list) else [outputs]:
        for name, value in as_object(holder).items():
            for row in value if isinstance(value, list) else [value]:
                if isinstance(row, dict):
                    yield _TYPES.get(name.lower(), name.lower()), row


async def _refuse_unknown_type(client: DeepOriginClient, execution: Execution, what: str) -> None:
    try:
        page = await client.results.page(
            compute_job_id=execution.execution_id,
            project_id=execution.project_id or None,
            limit=PAGE_ROWS,
            extra_columns=("result_type",),
        )
    except InvalidRequestError:
        return
    types = {word(row.get("result_type")) for row in rows_of(page)} | {kind for kind, _ in _output_rows(execution)}
    if types - {""}:
        raise ArgumentError(
            f"Invalid what {one_line(what, 40)!r}: the run has no such results. "
            f"Valid: all, {'best_poses, ' if 'pose' in types else ''}{', '.join(sorted(types - {''})[:20])}."
        )


def _best(rows: Sequence[Json]) -> list[Json]:
    """One pose of each ligand: that which is marked as the best, else the one with the best score.

    Where no pose has a score, because a person registered them, all are returned.
    """
    best: dict[str, Pose] = {}
    for pose in map(Pose, rows):
        key = pose.ligand_id or pose.smiles or pose.id
        if pose.is_scored and (key not in best or _rank(pose) < _rank(best[key])):
            best[key] = pose
    return [pose.raw for pose in best.values()] or [*rows]


def _rank(pose: Pose) -> tuple[bool, float, float]:
    """Sorts the best pose first."""
    score, energy = pose.score, pose.binding_energy
    return (
        pose.is_best is not True,
        -score if score is not None else float("inf"),
        energy if energy is not None else float("inf"),
    )


def _place(pose: Pose) -> tuple[float, float]:
    return _rank(pose)[1:]


def is_pose(pose: Pose) -> bool:
    """Whether a row is a pose; the platform's rows do not always say of what type they are."""
    is_sdf = pose.file_path.partition("#")[0].lower().endswith(".sdf")
    return pose.is_scored or (is_sdf and bool(pose.ligand_id))


# Molecules


async def _ligands(client: DeepOriginClient, execution: Execution) -> tuple[list[Molecule], int]:
    """The ligands of the inputs, given there or in a list file, and how many they are said to be."""
    inputs = as_object(execution.raw.get("userInputs"))
    given = inputs.get("ligands")
    if isinstance(given, list):
        return [_molecule(as_object(row)) for row in given], len(given)
    path, count = text(inputs.get("ligands_file")), inputs.get("ligands_count")
    count = count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
    if not path:
        return [], count
    import io

    file = io.BytesIO()
    try:
        await client.files.download(path, file, max_bytes=MAX_LIST_BYTES)
        listed = json.loads(file.getvalue())
    except (DeepOriginError, ValueError, RecursionError):
        # Names are missing then, nothing else.
        return [], count
    rows = [_molecule(as_object(row)) for row in listed] if isinstance(listed, list) else []
    return rows, len(rows) or count


def _molecule(row: Json) -> Molecule:
    ligand = Ligand(row)
    return Molecule(ligand.id, ligand.name, ligand.smiles)


async def _molecules(client: DeepOriginClient, rows: Sequence[Json], given: Sequence[Molecule]) -> dict[str, Molecule]:
    """Molecules by id and by SMILES: as stored, else as in the inputs."""
    ids = dict.fromkeys(filter(None, [*(Pose(row).ligand_id for row in rows), *(one.id for one in given)]))
    known = {name: one for one in given if (name := one.id or one.smiles)}
    try:
        fields = ("id", "name", "canonical_smiles", "smiles")
        stored = await client.entities.get_many("ligands", [*ids][:MAX_ROWS], select=fields) if ids else {}
    except DeepOriginError:
        stored = {}
    for name, row in stored.items():
        one, other = _molecule(row), known.get(name, Molecule())
        known[name] = Molecule(name, one.name or other.name, other.smiles or one.smiles)
    by_smiles = {one.smiles: one for one in known.values() if one.smiles}
    return {**by_smiles, **known}


def _named(one: Molecule, molecules: Mapping[str, Molecule]) -> str:
    return molecules.get(one.id or one.smiles, one).name or one.name


def _molecule_of(pose: Pose, molecules: Mapping[str, Molecule]) -> Molecule:
    found = molecules.get(pose.ligand_id) or molecules.get(pose.smiles) or Molecule()
    name = found.name or word(pose.data.get("ligand_name"))
    return Molecule(pose.ligand_id or found.id, name, found.smiles or pose.smiles)


# Items


def _item(path: str, **about: Any) -> Item:
    stem, suffix = local_names.split(_RECORD.sub("", path))
    match = _RECORD.search(path)
    return Item(path, int(match[1]) if match else None, stem, suffix, **about)


async def _add_rows(
    client: DeepOriginClient, found: Found, rows: Sequence[Json], molecules: Mapping[str, Molecule]
) -> None:
    results = [Pose(row) for row in rows]
    poses = sorted((pose for pose in results if is_pose(pose)), key=_place)
    others = [pose for pose in results if not is_pose(pose)]
    proteins = await _proteins(client, others)
    digits = max(2, len(str(len(poses))))
    for rank, pose in enumerate(poses, 1):
        molecule = _molecule_of(pose, molecules)
        item = _item(pose.file_path, pose=pose, molecule=molecule, values=_values(pose.data))
        # The row's own rank is that among the poses of its ligand.
        item.values = {"rank": rank, "pose_rank": item.values.pop("rank", None), **item.values}
        item.stem = f"{rank:0{digits}d}_{local_names.stem_of(molecule.shown) or 'pose'}"
        item.suffix = item.suffix or ".sdf"
        item.problem = "" if item.path else "its result names no file"
        found.items.append(item)
    for row in others:
        molecule = _molecule_of(row, molecules)
        if reason := one_line(text(row.data.get("reason")), REASON_CHARACTERS):
            found.failures.update(dict.fromkeys(filter(None, (molecule.id, molecule.smiles)), reason))
        protein = proteins.get(word(row.data.get("id")))
        paths = [*dict.fromkeys(_paths(row.data))] or ([protein.file_path] if protein and protein.file_path else [])
        for path in paths or [""]:
            item = _item(path, molecule=molecule, values=_values(row.data))
            if protein and not local_names.is_readable(item.stem):
                item.stem = local_names.stem_of(f"{protein.name}_prepared")
            found.items.append(item)


async def _proteins(client: DeepOriginClient, rows: Iterable[Pose]) -> dict[str, Protein]:
    """The proteins that rows have made, by id: their file may be named in the protein only, or by a digest."""
    wanted = [
        name
        for row in rows
        if (name := word(row.data.get("id"))) and not row.ligand_id and _is_of_protein([*_paths(row.data)])
    ]
    try:
        stored = await client.entities.get_many("proteins", wanted) if wanted else {}
    except DeepOriginError:
        stored = {}
    return {name: Protein(row) for name, row in stored.items()}


def _is_of_protein(paths: Sequence[str]) -> bool:
    return not paths or paths[0].lstrip("/").startswith("entities/proteins/")


async def _add_others(client: DeepOriginClient, found: Found, execution: Execution) -> None:
    """Files that outputs name and no row, and those in the run's own folder."""
    known = {without_record(item.path) for item in found.items}
    named = [*_paths(execution.outputs), *_paths(execution.raw.get("userOutputs"))]
    listed = await client.files.list(f"tool-runs/{execution.execution_id}/", limit=MAX_LISTED)
    found.is_cut = found.is_cut or len(listed) >= MAX_LISTED
    found.listed = {row.path: row for row in listed if not row.is_folder}
    for path in [*named, *found.listed]:
        if without_record(path) not in known:
            known.add(without_record(path))
            found.items.append(_item(path))


def _paths(value: Any, name: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of files inside a value, each where its field says that it is one."""
    if isinstance(value, dict | list) and depth < MAX_DEPTH:
        for key, part in value.items() if isinstance(value, dict) else [(name, part) for part in value]:
            yield from _paths(part, str(key), depth + 1)
    elif isinstance(value, str) and _FILE_FIELD.fullmatch(name) and _is_path(value):
        yield value


def _is_path(value: str) -> bool:
    # Some fields hold the file itself, such as HTML.
    return 0 < len(value) <= 1024 and not re.search(r"[<>\n]|://", value) and ("/" in value or "." in value)


def _values(data: Json) -> Json:
    """What fits into a cell of a table; files have a column of their own."""
    return {
        one_line(name, 60): value
        for name, value in data.items()
        if name != "id" and not _FILE_FIELD.fullmatch(name) and value is not None
    }
