"""The files that a run left behind, each with its result row and its molecule."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, Execution
from deeporigin_mcp.platform.records.entities import Pose, Protein
from deeporigin_mcp.platform.records.files import RemoteFile
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, text
from deeporigin_mcp.tools.files import local_names
from deeporigin_mcp.tools.files.run_molecules import Molecule, ligands_of, molecule_of, molecules_of, named
from deeporigin_mcp.tools.files.run_rows import ALL, MAX_ROWS, is_pose, place_of, rows_of_run
from deeporigin_mcp.tools.responses import steps

MAX_LISTED = 10_000
MAX_DEPTH = 6
REASON_CHARACTERS = 200
PATH_CHARACTERS, MAX_NAMED = 200, 3

_FILE_FIELD = re.compile(r"(?:.*_)?(?:path|plot|file|html|key)", re.IGNORECASE)
_RECORD = re.compile(r"#record-(\d{1,9})$")


@dataclass
class Item:
    """A file to fetch for a result row, or for none; `path` is empty for a row without a file."""

    path: str
    record: int | None = None
    stem: str = ""
    suffix: str = ""
    pose: Pose | None = None
    molecule: Molecule = field(default_factory=Molecule)
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

    def without_files(self) -> Found:
        """What its rows say of ligands, whatever became of their files: a row whose file is gone is a result too."""
        return replace(self, items=[replace(item, path="", problem="") for item in self.items])


def files_of_paths(paths: Sequence[str]) -> Found:
    """The files that a caller names."""
    return Found([_item(path) for path in dict.fromkeys(paths)])


async def files_of_run(
    client: DeepOriginClient,
    execution: Execution,
    what: str,
    *,
    waits: bool = True,
    others: bool = True,
    only: Collection[str] = (),
    most: int = MAX_ROWS,
) -> Found:
    """Files and rows of an execution: all, its best poses, or those of one result type.

    Args:
        only: files that are wanted of it, by path, each with its row if it has one; none for every file.
        waits: for half a minute, while the results of a run that has just ended are being stored.
        others: with `all`, files of no row too.
        most: rows that are read at most.

    Raises:
        ArgumentError: `what` is no type of result that it has, or a file of `only` is none of its.
    """
    rows, is_being_stored, is_cut = await rows_of_run(client, execution, what, most, waits=waits)
    found = Found(is_being_stored=is_being_stored, is_cut=is_cut)
    wanted = {path.lstrip("/"): path for path in only}
    if only:
        rows = [row for row in rows if any(_names_of(path) & wanted.keys() for path in _paths_of(Pose(row)))]
    found.ligands, found.ligand_count = await ligands_of(client, execution)
    molecules = await molecules_of(client, rows, found.ligands, most)
    # What is missing is told by names too.
    found.ligands = [replace(one, name=named(one, molecules)) for one in found.ligands]
    await _add_rows(client, found, rows, molecules)
    if only:
        await _choose(client, found, execution, wanted)
        # Of the run's other files and ligands nothing was asked.
        found.is_cut, found.ligands, found.ligand_count = False, [], 0
    elif others and what.strip().lower() == ALL:
        await _add_others(client, found, execution)
    return found


async def _choose(client: DeepOriginClient, found: Found, execution: Execution, wanted: Mapping[str, str]) -> None:
    """Keep these files of what was found, and add those of no row.

    Args:
        wanted: each path by itself without a slash before it.

    Raises:
        ArgumentError: one is known not to be the run's. In its folder and its table it would be taken for that.
    """
    if wanted.keys() - _names_in(found):
        await _add_others(client, found, execution)
    found.items = [item for item in found.items if _names_of(item.path) & wanted.keys()]
    there = _names_in(found)
    added = [path for name, path in wanted.items() if name not in there]
    given = {without_record(path) for path in paths_in(execution.inputs)}
    foreign = [one_line(path, PATH_CHARACTERS) for path in added if without_record(path) not in given][:MAX_NAMED]
    # What could not be read whole, or is still being stored, may have it.
    if foreign and not (found.is_cut or found.is_being_stored):
        listed = steps.call("list_files", execution_id=execution.execution_id)
        raise ArgumentError(
            f"Invalid paths {', '.join(map(repr, foreign))}: not among the files of {execution.execution_id}.",
            next_step=f"{listed} shows these; {steps.call('download_files', paths=foreign)} fetches files of any run.",
        )
    found.items += [_item(path) for path in added]


def _names_in(found: Found) -> set[str]:
    return {name for item in found.items for name in _names_of(item.path)}


def _paths_of(row: Pose) -> set[str]:
    return {row.file_path, *paths_in(row.data)}


def _names_of(path: str) -> set[str]:
    """By which a caller may name the file of a row, as list_files shows it without its record."""
    return {path.lstrip("/"), without_record(path)}


async def found_in(client: DeepOriginClient, execution: Execution, rows: Sequence[Json]) -> Found:
    """What rows say of the ligands of an execution, whatever became of their files."""
    found = Found()
    found.ligands, found.ligand_count = await ligands_of(client, execution)
    await _add_rows(client, found, rows, {name: one for one in found.ligands for name in (one.id, one.smiles) if name})
    return found.without_files()


def without_record(path: str) -> str:
    """The path of the file that `a.sdf#record-2` is in."""
    return _RECORD.sub("", path).lstrip("/")


def _item(path: str, **about: Any) -> Item:
    stem, suffix = local_names.split(_RECORD.sub("", path))
    match = _RECORD.search(path)
    return Item(path, int(match[1]) if match else None, stem, suffix, **about)


async def _add_rows(
    client: DeepOriginClient, found: Found, rows: Sequence[Json], molecules: Mapping[str, Molecule]
) -> None:
    results = [Pose(row) for row in rows]
    poses = sorted((pose for pose in results if is_pose(pose)), key=place_of)
    others = [pose for pose in results if not is_pose(pose)]
    proteins = await _proteins(client, others)
    digits = max(2, len(str(len(poses))))
    for position, pose in enumerate(poses, 1):
        molecule = molecule_of(pose, molecules)
        item = _item(pose.file_path, pose=pose, molecule=molecule, values=_values(pose.data))
        # A `rank` of the tool's, such as that among the poses of a ligand, keeps its name.
        item.values = {"position": position, **item.values}
        item.stem = f"{position:0{digits}d}_{local_names.stem_of(molecule.shown) or 'pose'}"
        item.suffix = item.suffix or ".sdf"
        item.problem = "" if item.path else "its result names no file"
        found.items.append(item)
    for row in others:
        molecule = molecule_of(row, molecules)
        if reason := one_line(text(row.data.get("reason")), REASON_CHARACTERS):
            found.failures.update(dict.fromkeys(filter(None, (molecule.id, molecule.smiles)), reason))
        protein = proteins.get(word(row.data.get("id")))
        values = _values(row.data)
        paths = [*dict.fromkeys(paths_in(row.data))] or ([protein.file_path] if protein and protein.file_path else [])
        for path in paths or [""]:
            item = _item(path, molecule=molecule, values=values)
            if protein and not local_names.is_readable(item.stem):
                item.stem = local_names.stem_of(f"{protein.name}_prepared")
            found.items.append(item)


async def _proteins(client: DeepOriginClient, rows: Iterable[Pose]) -> dict[str, Protein]:
    """The proteins that rows have made, by id: their file may be named in the protein only, or by a digest."""
    wanted = [
        name
        for row in rows
        if (name := word(row.data.get("id"))) and not row.ligand_id and _is_of_protein([*paths_in(row.data)])
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
    named = [*paths_in(execution.outputs), *paths_in(execution.raw.get("userOutputs"))]
    listed = await client.files.list(f"tool-runs/{execution.execution_id}/", limit=MAX_LISTED)
    found.is_cut = found.is_cut or len(listed) >= MAX_LISTED
    found.listed = {row.path: row for row in listed if not row.is_folder}
    for path in [*named, *found.listed]:
        if without_record(path) not in known:
            known.add(without_record(path))
            found.items.append(_item(path))


def paths_in(value: Any, name: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of files inside a value, each where its field says that it is one."""
    if isinstance(value, dict | list) and depth < MAX_DEPTH:
        for key, part in value.items() if isinstance(value, dict) else [(name, part) for part in value]:
            yield from paths_in(part, str(key), depth + 1)
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
