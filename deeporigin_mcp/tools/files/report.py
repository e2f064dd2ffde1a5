"""A run as one HTML page on the user's disk: its rows, what is missing, the poses and the protein that they are in."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from deeporigin_mcp.apps import pages
from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.entities import Protein
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.tools.files.columns import column_of
from deeporigin_mcp.tools.files.downloading import Download, Request, write_bytes
from deeporigin_mcp.tools.files.folders import Folders
from deeporigin_mcp.tools.files.local_names import split, stem_of
from deeporigin_mcp.tools.files.missing import missing_of
from deeporigin_mcp.tools.files.run_files import ALL, Found, Item, files_of_run
from deeporigin_mcp.tools.files.saving import Folder
from deeporigin_mcp.tools.responses.inputs_summary import inputs_summary
from deeporigin_mcp.tools.runtime.state import ServerState

STEM, SUFFIX = "results", ".html"
FORMATS = {".sdf": "sdf", ".sd": "sdf", ".mol": "sdf", ".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""What the page can draw, by the ending of a file."""
MAX_SHAPES = 1_000
"""Poses whose coordinates are in a page: each has some 4 KB, and a phone has to open it."""
MAX_SHAPE_BYTES, MAX_PROTEIN_BYTES = 1_000_000, 20_000_000
MAX_COLUMNS = 60
NAME_CHARACTERS, VALUE_CHARACTERS = 200, 500
TOO_LARGE = "its coordinates are too large for a page"
NOT_BUILT = "This installation has no results page: it runs from a clone in which the pages were not built."


def report_of(state: ServerState, folders: Folders, execution: Execution, folder: str | None = None) -> Report:
    """The page of an execution, written when the work is started (`BackgroundWork.result`).

    Raises:
        ArgumentError: `not_built`.
    """
    if not pages.is_built():
        raise ArgumentError(
            NOT_BUILT,
            next_step="Leave `what` out for the files themselves; for the page the operator runs scripts/apps, or "
            "installs a released package.",
            code="not_built",
        )
    return Report(state, folders, Request((), execution, ALL, folder, combine=False), execution)


class Report(Download):
    """The files of a run go into a temporary folder, and what they show into one page in the run's folder."""

    def __init__(self, state: ServerState, folders: Folders, request: Request, execution: Execution) -> None:
        super().__init__(state, folders, request)
        self._execution = execution
        self._project = ""
        self._holder = ""

    @property
    def page(self) -> Path | None:
        """The file, once it is written."""
        return self.path / self.made[0] if self.path is not None and self.made else None

    async def _download(self) -> None:
        execution, client = self._execution, self._client
        self.found = found = await files_of_run(client, execution, ALL)
        rows = [item for item in found.items if item.values]
        chosen = [*map(id, _shown_in_3d(rows))]
        # Of the others only what the row says is shown.
        found.items = [item if id(item) in chosen else replace(item, path="") for item in rows]
        protein, self._holder = await self._protein(rows)
        if protein is not None:
            found.items.append(protein)
        if project := execution.project_id:
            self._project = (await self._state.names.projects()).get(project, project)
        with tempfile.TemporaryDirectory() as place:
            await self._get(await run_sync(Folder, Path(place)))
            if execution.is_terminal:
                # A row whose file is gone is a result all the same.
                there = [replace(item, path="", problem="") for item in rows]
                self.missing = await missing_of(client, execution, replace(found, items=there))
            data = await run_sync(self._data, Path(place), protein)
        self._files = []
        for item in found.items:
            item.local = ""
        content = await run_sync(pages.page_with, data)
        path = self.path = await run_sync(self._folders.new_folder, self._request.folder_name)
        async with self._state.key_lock(str(path)):
            folder = await run_sync(Folder, path)
            made, _ = await run_sync(folder.write, STEM, SUFFIX, partial(write_bytes, content=content))
        self.made.append(made.name)

    async def _protein(self, rows: Sequence[Item]) -> tuple[Item | None, str]:
        """The file of the structure that the poses are in, and the protein's name."""
        given = as_object(self._execution.inputs.get("protein"))
        names = [word(given.get("id")), *(item.pose.protein_id for item in rows if item.pose is not None)]
        name = next(filter(None, names), "")
        stored = Protein(given)
        if name:
            try:
                rows_by_id = await self._client.entities.get_many("proteins", [name])
                stored = Protein(rows_by_id.get(name, given))
            except DeepOriginError:
                # Its name is missing then, nothing else.
                pass
        # The inputs say which structure was used.
        path = text(given.get("file_path")) or stored.file_path
        if not path or _format(path) not in ("pdb", "cif"):
            return None, ""
        stem, suffix = split(path)
        shown = one_line(stored.name or name or stem, NAME_CHARACTERS)
        return Item(path, stem=stem_of(f"protein_{shown}"), suffix=suffix), shown

    def _data(self, place: Path, protein: Item | None) -> dict[str, Any]:
        found, execution = self.found, self._execution
        items = [*_without(found, protein)]
        shapes: list[dict[str, str]] = []
        rows = [_row(item, _add_shape(shapes, place, item)) for item in items if not _failed(found, item)]
        columns = _columns([values for _, values in rows])
        cells = [{**row, "values": [values.get(column["name"]) for column in columns]} for row, values in rows]
        smiles = {one.shown: one.smiles for one in found.ligands}
        count, named = self.missing or (0, [])
        cells += [_missing_row(name, reason, smiles.get(name, ""), len(columns)) for name, reason in named]
        structure = None
        if protein is not None:
            content = _read(place, protein, MAX_PROTEIN_BYTES)
            structure = {"name": self._holder, "format": _format(protein.path), "text": content} if content else None
        title = one_line(execution.name or execution.tool_key.rpartition(".")[2] or "Results", NAME_CHARACTERS)
        return {
            "run": {
                "id": execution.execution_id,
                "name": title,
                "file": stem_of(title) or STEM,
                "facts": [[label, one_line(value, NAME_CHARACTERS)] for label, value in self._facts() if value],
            },
            "notes": [*self._notes(count, len(shapes), items, protein)],
            "columns": columns,
            "rows": cells,
            "shapes": shapes,
            "protein": structure,
        }

    def _facts(self) -> Iterator[tuple[str, str]]:
        execution = self._execution
        yield "Tool", f"{execution.tool_key.removeprefix('deeporigin.')} {execution.tool_version}".strip()
        yield "Status", execution.status
        yield "Inputs", inputs_summary(execution.inputs)
        yield "Project", self._project
        yield "Protein", self._holder
        yield "Cost", usd(execution.cost) if execution.cost is not None else ""
        yield "Ended", execution.completed_at[:16].replace("T", " ") + (" UTC" if execution.completed_at else "")
        yield "Execution", execution.execution_id

    def _notes(self, missing: int, shapes: int, items: Sequence[Item], protein: Item | None) -> Iterator[str]:
        found, execution = self.found, self._execution
        if not execution.is_terminal:
            yield f"The run was {one_line(execution.status, 40)} when this page was made: there may be more results."
        if found.is_being_stored:
            yield "The platform was still storing the results when this page was made."
        if missing:
            given = found.ligand_count
            yield f"{given - missing:,} of {given:,} ligands have a result. The others are the last rows, with reasons."
        if found.is_cut:
            yield "The run has more rows than the 10,000 that are shown."
        wanted = sum(item.pose is not None for item in items)
        if wanted > shapes >= MAX_SHAPES:
            yield f"The 3D structures of {shapes:,} of {wanted:,} poses are in this page, best first."
        if protein is not None and protein.problem:
            yield f"The protein's structure is missing: {protein.problem}."


def _without(found: Found, item: Item | None) -> Iterable[Item]:
    return (each for each in found.items if each is not item)


def _format(path: str) -> str:
    return FORMATS.get(split(path.partition("#")[0])[1].lower(), "")


def _shown_in_3d(rows: Sequence[Item]) -> list[Item]:
    """The rows whose files are fetched: each ligand's best pose before the others."""
    drawable = [item for item in rows if item.path and _format(item.path)]
    drawable.sort(key=lambda item: item.pose is not None and item.pose.is_best is False)
    return drawable[:MAX_SHAPES]


def _failed(found: Found, item: Item) -> bool:
    """Whether a row only says why there is no result: it is among the missing."""
    one = item.molecule
    return item.pose is None and bool(found.failures.get(one.id) or found.failures.get(one.smiles))


def _add_shape(shapes: list[dict[str, str]], place: Path, item: Item) -> int | None:
    """The place of a row's coordinates among the shapes; None if there are none."""
    if not item.local or not item.path:
        return None
    content = _read(place, item, MAX_SHAPE_BYTES)
    if not content:
        return None
    kind = _format(item.path)
    if kind == "sdf":
        # Its data fields are columns already.
        content = content.partition("\nM  END")[0] + "\nM  END\n"
    shapes.append({"format": kind, "text": content})
    return len(shapes) - 1


def _read(place: Path, item: Item, most: int) -> str:
    path = place / item.local
    if not item.local:
        return ""
    if path.stat().st_size > most:
        item.problem = TOO_LARGE
        return ""
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


def _row(item: Item, shape: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of the page, and its values by the name of the column."""
    one = item.molecule
    row: dict[str, Any] = {
        "name": one.shown or one_line(item.stem, NAME_CHARACTERS) or "unnamed",
        "ligand": one.id,
        "smiles": one.smiles or (item.pose.smiles if item.pose is not None else ""),
        "shape": shape,
        "note": one_line(item.problem, VALUE_CHARACTERS),
    }
    if item.pose is not None and item.pose.is_best is not None:
        row["best"] = item.pose.is_best
    return row, dict(_flat(item.values))


def _missing_row(name: str, reason: str, smiles: str, width: int) -> dict[str, Any]:
    shown = one_line(reason, VALUE_CHARACTERS)
    return {
        "name": name,
        "ligand": "",
        "smiles": smiles,
        "shape": None,
        "note": "",
        "reason": shown,
        "values": [None] * width,
    }


_SHOWN_ELSEWHERE = ("ligand_id", "smiles", "ligand_smiles", "ligand_name", "best_pose", "origin")


def _flat(values: Json) -> Iterator[tuple[str, Any]]:
    """What fits into a cell; the parts of an object in cells of their own."""
    for name, value in values.items():
        if name in _SHOWN_ELSEWHERE:
            continue
        parts = {f"{name}.{part}": inner for part, inner in value.items()} if isinstance(value, dict) else {name: value}
        for label, inner in parts.items():
            if (cell := _cell(inner)) is not None:
                yield one_line(label, 60), cell


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e300 and math.isfinite(value) else str(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return one_line(value, VALUE_CHARACTERS)


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The columns of the rows. Ids, and what is the same in all rows, are hidden: only the CSV has them."""
    names = [*dict.fromkeys(name for row in rows for name in row)]
    told = {name: {text(row.get(name)) for row in rows} - {""} for name in names if name.endswith(".unit")}
    columns = []
    for name in names:
        column = column_of(name)
        values = [row.get(name) for row in rows]
        is_same = len(rows) > 1 and len({json.dumps(value) for value in values}) == 1
        units = told.get(f"{name.rpartition('.')[0]}.unit")
        if units and any(isinstance(value, float) for value in values):
            # Where they differ, each is in its own row.
            column = column._replace(unit=one_line(next(iter(units)), 40) if len(units) == 1 else "")
        is_id = name.endswith("_id") or name == "id"
        columns.append({"name": name, **column._asdict(), "hidden": is_id or (is_same and not column.better)})
    columns.sort(key=lambda column: column.pop("place"))
    return columns[:MAX_COLUMNS]
