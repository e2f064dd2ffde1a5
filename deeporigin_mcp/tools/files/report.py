"""A run as a page shows it: its rows, what is missing, the poses and the protein that they are in.

`RunData` is the page's data, for a host that shows it too (`shown_runs.py`). `Report` is one HTML file with all of it.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from deeporigin_mcp.apps import pages
from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.entities import Protein
from deeporigin_mcp.platform.records.money import usd
from deeporigin_mcp.platform.records.sanitizing import one_line, word
from deeporigin_mcp.platform.records.values import as_object, text
from deeporigin_mcp.tools.files.columns import flat
from deeporigin_mcp.tools.files.downloading import MadeOfRun
from deeporigin_mcp.tools.files.folders import Folders
from deeporigin_mcp.tools.files.local_names import split, stem_of
from deeporigin_mcp.tools.files.meanings import Meanings
from deeporigin_mcp.tools.files.missing import Missing, missing_rows, says_why_not
from deeporigin_mcp.tools.files.run_files import Found, Item, files_of_run
from deeporigin_mcp.tools.files.run_rows import ALL
from deeporigin_mcp.tools.files.saving import Folder
from deeporigin_mcp.tools.responses.inputs_summary import inputs_summary
from deeporigin_mcp.tools.runtime.state import ServerState

STEM, COMPARED_STEM, SUFFIX = "results", "comparison", ".html"
FORMATS = {".sdf": "sdf", ".sd": "sdf", ".mol": "sdf", ".pdb": "pdb", ".ent": "pdb", ".cif": "cif", ".mmcif": "cif"}
"""What the page can draw, by the ending of a file."""
MAX_SHAPES = 1_000
"""Poses whose coordinates are in a page: each has some 4 KB, and a phone has to open it."""
MAX_SHAPE_BYTES, MAX_PROTEIN_BYTES = 1_000_000, 20_000_000
MAX_COLUMNS = 60
MAX_KEY_CHARACTERS = 1_000
"""Of a SMILES that is made canonical."""
COLUMN_CHARACTERS, NAME_CHARACTERS, VALUE_CHARACTERS = 60, 200, 500
TOO_LARGE = "its coordinates are too large for a page"
NOT_BUILT = "This installation has no results page: it runs from a clone in which the pages were not built."


def report_of(
    state: ServerState,
    folders: Folders,
    execution: Execution,
    folder: str | None = None,
    *,
    other: Execution | None = None,
) -> Report:
    """The page of an execution, written when the work is started (`BackgroundWork.result`).

    Args:
        other: an execution that it is compared with, molecule by molecule.

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

    found = Report(state, folders, execution, folder)
    found.other = Report(state, folders, other, folder) if other is not None else None
    return found


class Report(MadeOfRun):
    """The files of a run go into a temporary folder, and what they show into one page in the run's folder."""

    other: Report | None = None
    """The run that it is compared with; only its data is used."""

    def __init__(self, state: ServerState, folders: Folders, execution: Execution, folder: str | None) -> None:
        super().__init__(state, folders, execution, folder)
        self._shown = RunData(state, execution)

    @property
    def page(self) -> Path | None:
        """The file, once it is written."""
        return self.path / self.made[0] if self.path is not None and self.made else None

    async def _download(self) -> None:
        data = await self.collected()
        if self.other is not None:
            data["other"] = other = await self.other.collected()
            if other["protein"] == data["protein"]:
                # It is large, and one is enough.
                other["protein"] = True
        content = await run_sync(pages.page_with, data)
        stem = STEM if self.other is None else COMPARED_STEM
        async with self._own_folder() as folder:
            await run_sync(self._write, folder, stem, SUFFIX, content)

    async def collected(self) -> dict[str, Any]:
        """What the page shows of the run; its shape is told in `apps/results/data.js`."""
        run = self._shown
        await run.read()
        self.found = run.found
        chosen = [*map(id, _shown_in_3d(run.items))]
        # Of the others only what the row says is shown.
        run.items = [item if id(item) in chosen else replace(item, path="") for item in run.items]
        self.found.items = [*run.items, *([run.protein] if run.protein is not None else [])]
        with tempfile.TemporaryDirectory() as place:
            await self._get(await run_sync(Folder, Path(place)))
            await run.find_missing()
            self.missing = run.missing
            data = await run_sync(run.data, partial(_coordinates, Path(place), run.protein))
        self._files = []
        for item in self.found.items:
            item.local = ""
        return data


class RunData:
    """What a page shows of a run. Read it, say where the coordinates are, and `data` is what the page takes."""

    def __init__(self, state: ServerState, execution: Execution) -> None:
        self.found = Found()
        self.items: list[Item] = []
        """Those with a row."""
        self.protein: Item | None = None
        """The structure that the poses are in."""
        self.missing: Missing | None = None
        self._state = state
        self._client = state.client
        self._execution = execution
        self._project = ""
        self._holder = ""
        self._is_simulated = False
        self._meanings = Meanings({})

    async def read(self, *, waits: bool = True) -> None:
        """Find rows, files, protein and names. `waits` is told by `files_of_run`."""
        self.found = await files_of_run(self._client, self._execution, ALL, waits=waits, others=False)
        self.items = [item for item in self.found.items if item.values]
        self.protein, self._holder = await self._protein(self.items)
        if project := self._execution.project_id:
            self._project = (await self._state.names.projects()).get(project, project)
        self._is_simulated = await self._client.is_simulated()
        self._meanings = await Meanings.of(self._client, self._execution)

    async def find_missing(self) -> None:
        """Find out which ligands of a run that is over have no result."""
        self.missing = await missing_rows(self._client, self._execution, replace(self.found, items=self.items))

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
        if not path or format_of(path) not in ("pdb", "cif"):
            return None, ""
        stem, suffix = split(path)
        shown = one_line(stored.name or name or stem, NAME_CHARACTERS)
        return Item(path, stem=stem_of(f"protein_{shown}"), suffix=suffix), shown

    def data(self, coordinates: Callable[[Item], dict[str, str] | None]) -> dict[str, Any]:
        """What the page shows, as `apps/results/data.js` tells it.

        Args:
            coordinates: of a row or the protein: `format`, and `text` or where to get it; None if there are none.
        """
        found, execution = self.found, self._execution
        items = self.items
        shapes: list[dict[str, str]] = []
        rows = [_row(item, _add_shape(shapes, coordinates(item))) for item in items if not says_why_not(found, item)]
        all_columns = _columns([values for _, values in rows], self._meanings)
        columns = all_columns[:MAX_COLUMNS]
        cells = [{**row, "values": [values.get(column["name"]) for column in columns]} for row, values in rows]
        smiles = {one.shown: one.smiles for one in found.ligands}
        count, named = self.missing or Missing()
        cells += [_missing_row(name, reason, smiles.get(name, ""), len(columns)) for name, reason in named]
        _add_keys(cells)
        structure = coordinates(self.protein) if self.protein is not None else None
        title = one_line(execution.name or execution.tool_key.rpartition(".")[2] or "Results", NAME_CHARACTERS)
        return {
            "run": {
                "id": execution.execution_id,
                "name": title,
                "file": stem_of(title) or STEM,
                "facts": [[label, one_line(value, NAME_CHARACTERS)] for label, value in self._facts() if value],
                "simulated": self._is_simulated,
                "final": execution.is_terminal and not found.is_being_stored,
            },
            "notes": [*self._notes(count, len(shapes), len(all_columns))],
            "columns": columns,
            "rows": cells,
            "shapes": shapes,
            "protein": structure and {"name": self._holder, **structure},
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

    def _notes(self, missing: int, shapes: int, columns: int) -> Iterator[str]:
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
        if columns > MAX_COLUMNS:
            yield f"The rows have {columns:,} columns. The first {MAX_COLUMNS} are shown."
        wanted = sum(item.pose is not None for item in self.items)
        if wanted > shapes >= MAX_SHAPES:
            yield f"The 3D structures of {shapes:,} of {wanted:,} poses are in this page, best first."
        if self.protein is not None and self.protein.problem:
            yield f"The protein's structure is missing: {self.protein.problem}."


def format_of(path: str) -> str:
    """What the page takes the file for; empty if it cannot draw it."""
    return FORMATS.get(split(path.partition("#")[0])[1].lower(), "")


def _shown_in_3d(rows: Sequence[Item]) -> list[Item]:
    """The rows whose files are fetched: each ligand's best pose before the others."""
    drawable = [item for item in rows if item.path and format_of(item.path)]
    drawable.sort(key=lambda item: item.pose is not None and item.pose.is_best is False)
    return drawable[:MAX_SHAPES]


def _add_shape(shapes: list[dict[str, str]], shape: dict[str, str] | None) -> int | None:
    """The place of a row's coordinates among the shapes; None if there are none."""
    if shape is None:
        return None
    shapes.append(shape)
    return len(shapes) - 1


def _coordinates(place: Path, protein: Item | None, item: Item) -> dict[str, str] | None:
    """Those of a file that is here."""
    path = place / item.local
    if not item.local or not item.path:
        return None
    if path.stat().st_size > (MAX_PROTEIN_BYTES if item is protein else MAX_SHAPE_BYTES):
        item.problem = TOO_LARGE
        return None
    content = drawn_part(path.read_bytes(), kind := format_of(item.path))
    return {"format": kind, "text": content} if content else None


def drawn_part(content: bytes, kind: str) -> str:
    """What the page draws of a file."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    if kind == "sdf" and text:
        # The data fields of a record are columns already.
        return text.partition("\nM  END")[0] + "\nM  END\n"
    if kind == "pdb":
        return "".join(line for line in text.splitlines(keepends=True) if _is_drawn(line))
    return text


def _is_drawn(line: str) -> bool:
    """Whether a line of a PDB file is: hydrogens are half of a prepared structure."""
    is_hydrogen = line.startswith(("ATOM", "HETATM")) and line[76:78].strip() in ("H", "D")
    return not is_hydrogen and not line.startswith(("REMARK", "ANISOU"))


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
    cells = ((one_line(name, COLUMN_CHARACTERS), _cell(value)) for name, value in flat(item.values, _SHOWN_ELSEWHERE))
    return row, {name: cell for name, cell in cells if cell is not None}


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


def _add_keys(rows: Sequence[dict[str, Any]]) -> None:
    """The canonical SMILES of each row that is written in another way, by which the page finds it in another run.

    Without RDKit the rows have none, and are found by the SMILES that they have.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        return
    canonical: dict[str, str] = {}
    with rdBase.BlockLogs():
        for smiles in {row["smiles"] for row in rows} - {""}:
            if len(smiles) <= MAX_KEY_CHARACTERS and (molecule := Chem.MolFromSmiles(smiles)) is not None:
                canonical[smiles] = Chem.MolToSmiles(molecule)
    for row in rows:
        key = canonical.get(row["smiles"], row["smiles"])
        if key != row["smiles"]:
            row["key"] = key


_SHOWN_ELSEWHERE = ("ligand_id", "smiles", "ligand_smiles", "ligand_name", "best_pose", "origin")


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e300 and math.isfinite(value) else str(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return one_line(value, VALUE_CHARACTERS)


def _columns(rows: Sequence[Mapping[str, Any]], meanings: Meanings) -> list[dict[str, Any]]:
    """The columns of the rows. Ids, the number of a file's name, and what is the same in all rows are hidden: only the
    CSV has them.
    """
    names = [*dict.fromkeys(name for row in rows for name in row)]
    columns: list[tuple[int, dict[str, Any]]] = []
    for name in names:
        column = meanings.column(name)
        values = [row.get(name) for row in rows]
        is_same = len(rows) > 1 and len({json.dumps(value) for value in values}) == 1
        is_id = name.endswith("_id") or name in ("id", "position")
        about = {"label": column.label, "unit": meanings.unit(name, rows) or column.range, "better": column.better}
        about |= {"meaning": column.meaning} if column.meaning else {}
        hidden = is_id or (is_same and not column.better)
        columns.append((column.place, {"name": name, **about, "hidden": hidden}))
    columns.sort(key=itemgetter(0))
    return [column for _, column in columns]
