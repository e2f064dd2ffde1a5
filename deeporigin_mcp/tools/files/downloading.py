"""A download to the user's disk: found, fetched many at once, poses told apart, joined, and listed in a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from anyio.to_thread import run_sync

from deeporigin_mcp.errors import DeepOriginError, NetworkError, NotFoundError, PlatformError, RateLimitError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.clients.paging import gather
from deeporigin_mcp.platform.records.files import RemoteFile
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.files import local_names, sdf
from deeporigin_mcp.tools.files.folders import Folders
from deeporigin_mcp.tools.files.missing import Missing, missing_of
from deeporigin_mcp.tools.files.run_files import Found, Item, files_of_paths, files_of_run, without_record
from deeporigin_mcp.tools.files.run_rows import ALL
from deeporigin_mcp.tools.files.saving import Folder
from deeporigin_mcp.tools.files.tables import csv_of
from deeporigin_mcp.tools.responses.errors import explained
from deeporigin_mcp.tools.runtime.executions import is_being_stored
from deeporigin_mcp.tools.runtime.state import BackgroundWork, ServerState

LOOK_UPS_AT_ONCE = 20
NAME_CHARACTERS = 40
"""Of a run's name in the name of its folder."""
REASON_CHARACTERS = 200
SDF = (".sdf", ".sd", ".mol")
PATHS_FOLDER = "files"
JOINED = "combined"
NOT_SEPARABLE = "its record in {} cannot be told from the others"


class Request(NamedTuple):
    """What a call asks for: `paths`, an execution, or paths of it."""

    paths: Sequence[str]
    execution: Execution | None
    what: str
    folder: str | None
    combine: bool

    @property
    def folder_name(self) -> str:
        """Different results of a run have folders of their own: the numbers in their names differ."""
        if self.folder:
            return self.folder
        if self.execution is None:
            return PATHS_FOLDER
        name = local_names.stem_of(self.execution.name or self.execution.tool_key.rpartition(".")[2])
        parts = [name[:NAME_CHARACTERS], self.execution.execution_id[:8]]
        parts += [f"chosen_{len(self.paths)}"] if self.paths else []
        parts += [] if self.what == ALL else [local_names.stem_of(self.what)]
        return "_".join(filter(None, parts))


class Download(BackgroundWork[None]):
    """One download, which goes on when the call that began it has to return."""

    def __init__(self, state: ServerState, folders: Folders, request: Request) -> None:
        super().__init__(self._download)
        self.found = Found()
        self.path: Path | None = None
        self.made: list[str] = []
        """Names of the files that join or list others."""
        self.missing: Missing | None = None
        self.already_there = 0
        self.columns_left_out = 0
        """Of the rows, as a table has no place for more."""
        self._files: list[_File] = []
        self._targets: list[Path] = []
        self._state = state
        self._client = state.client
        self._folders = folders
        self._request = request

    @property
    def shown_folder(self) -> str | None:
        return None if self.path is None else self._folders.shown(self.path)

    def names(self) -> list[str]:
        """The files that are there, each once: those that join and list others, then the rest, best first."""
        found = [item.local for item in self.found.items if item.local]
        found += [file.path.name for file in self._files if file.path is not None]
        found += [target.name for target in self._targets if target.exists()]
        return [*dict.fromkeys([*self.made, *found])]

    def pending(self) -> int:
        """Files that are being fetched."""
        return sum(not target.exists() for target in self._targets)

    async def _download(self) -> None:
        execution = self._request.execution
        if execution is None:
            self.found = files_of_paths(self._request.paths)
        else:
            self.found = await files_of_run(self._client, execution, self._request.what, only=self._request.paths)
        if not self.found.items:
            return
        async with self._own_folder() as folder:
            await self._get(folder)
            await run_sync(self._write_tables, folder)
        if execution is not None and execution.is_terminal:
            self.missing = await missing_of(self._client, execution, self.found)
            if self.missing is not None and self.missing.ligand_count:
                self.found.is_being_stored = await is_being_stored(self._client, execution)

    @asynccontextmanager
    async def _own_folder(self) -> AsyncIterator[Folder]:
        """Where its files go; another call that writes there waits."""
        path = self.path = await run_sync(self._folders.new_folder, self._request.folder_name)
        async with self._state.key_lock(str(path)):
            yield await run_sync(Folder, path)

    def _write(self, folder: Folder, stem: str, suffix: str, content: bytes) -> None:
        path, _ = folder.write(stem, suffix, lambda file: file.write(content))
        self.made.append(path.name)

    async def _get(self, folder: Folder) -> None:
        """Fetch what was found into a folder, and give each pose a file of its own."""
        self._files = self._grouped()
        await self._fetch(folder, self._files)
        for file in self._files:
            await run_sync(_take_records, folder, file)

    def _grouped(self) -> list[_File]:
        """Each file once, with the items that it holds."""
        by_path: defaultdict[str, list[Item]] = defaultdict(list)
        for item in self.found.items:
            if item.path:
                by_path[without_record(item.path)].append(item)
        return [_File(path, items) for path, items in by_path.items()]

    async def _fetch(self, folder: Folder, files: Sequence[_File]) -> None:
        """Get the files that are not there yet."""
        there = [file for file in files if folder.there(file.stem, file.suffix)]
        numbers = iter(range(len(there)))

        async def look_up(_: int) -> None:
            for number in numbers:
                file = there[number]
                file.remote = self.found.listed.get(file.remote_path)
                if file.remote is None:
                    try:
                        file.remote = await self._client.files.stat(file.remote_path)
                    except DeepOriginError:
                        # The download says why.
                        continue

        await gather(look_up, range(min(LOOK_UPS_AT_ONCE, len(there))))
        for file in there:
            if file.remote is not None:
                file.keep(await run_sync(folder.same_as, file.remote, file.stem, file.suffix), self)
        wanted = [file for file in files if file.path is None]
        pairs = [(file.remote_path, folder.new(file.stem, file.suffix)) for file in wanted]
        self._targets = [target for _, target in pairs]
        outcomes = await self._client.files.download_many(pairs)
        self._targets = []
        for file, (_, target), outcome in zip(wanted, pairs, outcomes, strict=True):
            if isinstance(outcome, DeepOriginError):
                file.fail(outcome)
                continue
            path, was_there = await run_sync(folder.settled, target, file.stem, file.suffix)
            file.keep(path, self if was_there else None)

    def _write_tables(self, folder: Folder) -> None:
        """The SDF that joins all, and the table of all rows; named so that a whole one is not taken for a part."""
        items = self.found.items
        suffix = "_incomplete" if any(item.problem for item in items) else ""
        joined = [item for item in items if item.local and item.suffix.lower() in SDF]
        # A run may have other SDF files, such as what it was given.
        joined = [item for item in joined if item.pose is not None] or joined
        if self._request.combine and joined:
            path, _ = folder.write(f"{JOINED}{suffix}", ".sdf", partial(_join, folder.path, joined))
            self.made.append(path.name)
        if any(item.values for item in items):
            name = "index" if any(item.path for item in items) else "results"
            content, self.columns_left_out = csv_of([_row(item) for item in items])
            self._write(folder, f"{name}{suffix}", ".csv", content)


class MadeOfRun(Download):
    """One file that is made of a run, in the folder of its downloads."""

    def __init__(self, state: ServerState, folders: Folders, execution: Execution, folder: str | None) -> None:
        super().__init__(state, folders, Request((), execution, ALL, folder, combine=False))
        self._execution = execution


class _File:
    """One file of the platform, and the items that it holds."""

    def __init__(self, remote_path: str, items: list[Item]) -> None:
        self.remote_path = remote_path
        self.items = items
        self.remote: RemoteFile | None = None
        self.path: Path | None = None
        own = items[0] if len(items) == 1 and items[0].record is None else None
        stem, suffix = local_names.split(remote_path)
        self.stem = own.stem if own else stem if local_names.is_readable(stem) else "poses"
        self.suffix = own.suffix if own else suffix

    def keep(self, path: Path | None, already_there: Download | None) -> None:
        """Take this file on the disk for it."""
        if path is None:
            return
        self.path = path
        if already_there is not None:
            already_there.already_there += 1
        for item in self.items:
            item.local = path.name

    def fail(self, error: DeepOriginError) -> None:
        reason = explained(error, REASON_CHARACTERS, with_step=False)
        if isinstance(error, NotFoundError):
            reason = one_line(f"{self.remote_path} is not on the platform", REASON_CHARACTERS)
        for item in self.items:
            item.problem = reason
            item.may_come = isinstance(error, NetworkError | PlatformError | RateLimitError)


def _take_records(folder: Folder, file: _File) -> None:
    """Where a file has records of several poses, give each item a file with its own record."""
    items = [item for item in file.items if item.pose is not None or item.record is not None]
    is_sdf = file.suffix.lower() in SDF
    if file.path is None or not items or (len(items) == 1 and not is_sdf):
        return
    with file.path.open("rb") as source:
        found = list(islice(sdf.records(source), sdf.MAX_RECORDS + 1)) if is_sdf else []
        if is_sdf and len(found) <= 1 and len(items) == 1 and not items[0].record:
            return
        for item, record in zip(items, records_of(items, found), strict=True):
            if record is None:
                item.local, item.problem = "", NOT_SEPARABLE.format(file.path.name)
                continue
            stem = item.stem
            if stem == file.stem:
                stem += "_pose" if item.pose is not None else f"_record_{record.number}"
            path, _ = folder.write(stem, item.suffix, partial(sdf.write, source, record))
            item.local = path.name


def records_of(items: Sequence[Item], found: Sequence[sdf.Record]) -> list[sdf.Record | None]:
    """The record of each item among those of their file, of which one more than `sdf.MAX_RECORDS` are read at most."""
    sought = [_sought(item) for item in items]
    if len(found) > sdf.MAX_RECORDS:
        # One that was not read might fit as well.
        sought = [each if each.number is not None else sdf.Sought(-1, frozenset(), {}) for each in sought]
    return sdf.matched(sought, found)


def _sought(item: Item) -> sdf.Sought:
    pose = item.pose
    if pose is None:
        return sdf.Sought(item.record, frozenset(), {})
    number = item.record if item.record is not None else pose.record_index
    scores = {"pose_score": pose.score, "binding_energy": pose.binding_energy}
    names = (item.molecule.id, item.molecule.name, item.molecule.smiles, pose.smiles, pose.id)
    return sdf.Sought(
        number, frozenset(filter(None, names)), {name: value for name, value in scores.items() if value is not None}
    )


def _join(folder: Path, items: Sequence[Item], target: IO[bytes]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.local in seen:
            continue
        seen.add(item.local)
        with (folder / item.local).open("rb") as source:
            for record in sdf.records(source):
                if item.pose is None:
                    sdf.write(source, record, target)
                else:
                    sdf.write(source, record, target, title=item.molecule.shown, fields=_fields(item))


def _fields(item: Item) -> dict[str, object]:
    """What a record of a joined file says of its pose: position, scores, molecule."""
    numbers = {
        name: value
        for name, value in item.values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    known = {"ligand_id": item.molecule.id, "smiles": item.molecule.smiles}
    return {**numbers, **{name: value for name, value in known.items() if value}}


def _row(item: Item) -> dict[str, object]:
    molecule = {"molecule": item.molecule.name, "ligand_id": item.molecule.id, "smiles": item.molecule.smiles}
    values = {name: value for name, value in item.values.items() if name not in (*molecule, "ligand_smiles")}
    return {"file": item.local, **molecule, **values, "platform_path": item.path, "note": item.problem}
