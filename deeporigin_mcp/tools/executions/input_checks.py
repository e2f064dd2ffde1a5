"""What a run's inputs refer to is looked up before a price: files, proteins and ligands, the rows of list files.

A file that is certainly not there is a problem. Whatever the platform cannot say is a warning and stops nothing.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import anyio

from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.platform.records.entities import Ligand, Protein
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.remote_paths import cleaned
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.catalogue.check_state import LIST_FILES, InputEntity, InputFile
from deeporigin_mcp.tools.catalogue.checking import Findings
from deeporigin_mcp.tools.catalogue.ligands import read_ligands
from deeporigin_mcp.tools.responses import steps, toolsets
from deeporigin_mcp.tools.runtime.state import ServerState
from deeporigin_mcp.tools.runtime.threads import off_loop

CHECK_SECONDS = 8.0
MAX_FILES = 50
"""Different paths that are looked up."""
MAX_IDS = 500
"""Ids that are looked up in one request."""
CONCURRENT = 10
MAX_LIST_BYTES = 1_000_000
KINDS = {"protein": "protein", "ligand": "ligands", "pose": "poses"}
"""Words in the path of an input that tell what its file is: as find_molecules and import_molecules call it."""
MAX_NAMED = 5
PATH_CHARACTERS = 120
_OF_A_COMPUTER = re.compile(r"file:|~|\.{1,2}[\\/]|[A-Za-z]:[\\/]|\\\\")
_MAYBE_OF_A_COMPUTER = re.compile(r"/(?:home|Users|tmp|mnt|media|root|var|private|Volumes|cygdrive|[a-z])/")
"""They may also be paths of the platform, which ignores a leading slash."""


async def look_up(state: ServerState, inputs: dict[str, Any], findings: Findings, tool_key: str) -> str:
    """Add to the findings what the platform says of the files and ids in them.

    Returns:
        What to do about missing files; empty if none is missing.
    """
    work = _LookUp(state, inputs, findings, tool_key)
    with anyio.move_on_after(CHECK_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work.files)
            if not findings.problems:
                # They give warnings only, which a refusal does not show.
                for kind in ("protein", "ligand"):
                    tasks.start_soon(work.entities, kind)
    return work.finish()


class _LookUp:
    def __init__(self, state: ServerState, inputs: dict[str, Any], findings: Findings, tool_key: str) -> None:
        self._state = state
        self._inputs = inputs
        self._findings = findings
        self._tool_key = tool_key
        self._open = {file.at: None for file in findings.files} | {entity.at: None for entity in findings.entities}
        """Paths in the inputs that nothing is known of yet."""
        self._problems: dict[str, str] = {}
        self._warnings: list[str] = []
        self._missing: list[tuple[InputFile, bool]] = []
        """Files that are not there; whether each looks like one of a computer."""
        self._at_once = anyio.Semaphore(CONCURRENT)

    async def files(self) -> None:
        by_path: dict[str, list[InputFile]] = {}
        for file in self._findings.files:
            by_path.setdefault(file.path, []).append(file)
        async with anyio.create_task_group() as tasks:
            for path in [*by_path][:MAX_FILES]:
                tasks.start_soon(self._file, path, by_path[path])

    async def _file(self, path: str, files: list[InputFile]) -> None:
        if path.rstrip().endswith(("/", "\\")):
            # A folder has no headers of its own.
            self._settle(files)
            return
        try:
            exists = not _OF_A_COMPUTER.match(path) and await self._exists(path)
        except DeepOriginError as error:
            if error.code == "invalid_path":
                self._refuse(files, str(error))
            return
        self._settle(files)
        for file in files:
            if exists:
                await self._list_file(file)
            else:
                self._miss(file)

    async def _exists(self, path: str) -> bool:
        async with self._at_once:
            exists = path in self._state.known_files or await self._state.client.files.exists(path)
        if exists:
            self._state.know_file(path)
        return exists

    def _miss(self, file: InputFile) -> None:
        shown = repr(one_line(file.path, PATH_CHARACTERS))
        is_of_a_computer = bool(_OF_A_COMPUTER.match(file.path) or _MAYBE_OF_A_COMPUTER.match(file.path))
        if is_of_a_computer:
            line = f"{shown} is a path of a computer; the platform reads files of its own storage only"
        else:
            line = f"the platform has no file {shown}"
        if is_of_a_computer or file.is_certain:
            self._refuse([file], line)
            self._missing.append((file, is_of_a_computer))
        else:
            self._warnings.append(f"{file.at}: {line}.")

    async def _list_file(self, file: InputFile) -> None:
        """Compare a list of ligands with the number that is said to be in it, and read its ligands."""
        name = file.at
        count = self._inputs.get(f"{name.removesuffix('_file')}_count")
        if name not in LIST_FILES or not file.path.lower().endswith(".json"):
            return
        target = io.BytesIO()
        try:
            await self._state.client.files.download(file.path, target, max_bytes=MAX_LIST_BYTES)
            rows = await off_loop(json.loads, target.getvalue())
        except (DeepOriginError, ValueError, RecursionError):
            return
        if not isinstance(rows, list):
            return
        if isinstance(count, int) and count != len(rows):
            self._refuse(
                [file], f"the file has {len(rows):,} rows, but {name.removesuffix('_file')}_count is {count:,}"
            )
        texts = {
            f"{name} row {number}": row["smiles"]
            for number, row in enumerate(rows, 1)
            if isinstance(row, dict) and isinstance(row.get("smiles"), str)
        }
        ligands = await off_loop(read_ligands, texts, self._tool_key)
        self._problems |= {problem: problem for problem in ligands.problems}
        self._warnings += ligands.warnings
        if len(texts) == len(rows):
            self._findings.was_read(name)

    async def entities(self, kind: str) -> None:
        """Ask for all ids of one kind at once."""
        given = [entity for entity in self._findings.entities if entity.kind == kind]
        ids = [*dict.fromkeys(entity.id for entity in given)][:MAX_IDS]
        if not ids:
            return
        fields = ["id", "file_path"] if kind == "protein" else ["id", "smiles", "canonical_smiles"]
        try:
            rows = await self._state.client.entities.get_many(f"{kind}s", ids, select=fields, may_be_kept=True)
        except DeepOriginError:
            return
        self._settle(entity for entity in given if entity.id in ids)
        unknown = [name for name in ids if name not in rows]
        if unknown:
            self._warnings.append(
                f"No {kind} {_named(unknown)} is found in this organisation; a new one may take 15 s to appear."
            )
        if kind == "ligand":
            self._warnings += await off_loop(_other_molecules, given, rows)
        for entity in given:
            path = Protein(rows.get(entity.id, {})).file_path
            if path and entity.file_path and _plain(path) != _plain(entity.file_path):
                self._warnings.append(
                    f"{entity.at}: {kind} {one_line(entity.id, 60)} has the file {one_line(path, PATH_CHARACTERS)!r}, "
                    "not the given one."
                )

    def finish(self) -> str:
        """Put everything into the findings; what to do about missing files."""
        order = [*self._problems]
        places = {file.at: place for place, file in enumerate(self._findings.files)}
        order.sort(key=lambda at: places.get(at, len(places)))
        unchecked = [f"Not checked whether it exists: {_named(self._open)}."] if self._open else []
        # Sorted, as they come in any order.
        self._findings.add((self._problems[at] for at in order), [*sorted(self._warnings), *unchecked])
        self._missing.sort(key=lambda pair: (not pair[1], places[pair[0].at]))
        return _next_step(*self._missing[0], self._state.settings) if self._missing else ""

    def _settle(self, found: Iterable[InputFile | InputEntity]) -> None:
        for one in found:
            self._open.pop(one.at, None)

    def _refuse(self, files: list[InputFile], line: str) -> None:
        self._settle(files)
        self._problems |= {file.at: f"{file.at}: {line}" for file in files}


def _other_molecules(given: Iterable[InputEntity], rows: Mapping[str, Json]) -> list[str]:
    """A warning for each ligand whose id belongs to another molecule than its SMILES."""
    from deeporigin_mcp.tools.molecules import chemistry

    if not chemistry.is_available():
        # Two spellings of one molecule cannot be told from two molecules.
        return []
    warnings = []
    for entity in given:
        own = Ligand(rows.get(entity.id, {})).smiles
        if own and entity.smiles and own != entity.smiles:
            found, asked = (chemistry.check_smiles(text) for text in (own, entity.smiles))
            if not (found.problem or asked.problem) and found.smiles != asked.smiles:
                named, shown = one_line(entity.id, 60), one_line(own, PATH_CHARACTERS)
                warnings.append(f"{entity.at}: ligand {named} is {shown!r}, not the given SMILES.")
    return warnings


def _named(names: Iterable[str]) -> str:
    whole = [one_line(name, 60) for name in names]
    return ", ".join(whole[:MAX_NAMED]) + (f" and {len(whole) - MAX_NAMED:,} more" if len(whole) > MAX_NAMED else "")


def _plain(path: str) -> str:
    try:
        return cleaned(path)
    except ArgumentError:
        return path


def _next_step(file: InputFile, is_of_a_computer: bool, settings: Settings) -> str:
    """The call that finds the right file, or brings a missing one in."""
    kind = "" if file.at in LIST_FILES else next((kind for kind in KINDS if kind in file.at.lower()), "")
    # A bare name may be a file of the user too.
    is_local = settings.is_local and (is_of_a_computer or "/" not in file.path)
    path = {"path": file.path} if is_local else {}
    bring = ("import_molecules", {"kind": KINDS[kind], **path}) if kind else ("upload_file", path)
    find = ("find_molecules", {"kind": kind}) if kind else ("list_files", {})
    pairs = [(bring, "brings it in" if is_local or is_of_a_computer else "brings in more")]
    if not is_of_a_computer:
        pairs.insert(0, (find, "shows what is there"))
    found = [
        f"{steps.call(tool, **given)} {does}" for (tool, given), does in pairs if toolsets.is_offered(tool, settings)
    ]
    return f"{', '.join(found)}." if found else toolsets.step(settings, "", pairs[-1][0][0])
