"""All result rows of a run as one CSV: a line a row, with the molecule's name, and the ligands without a result."""

from __future__ import annotations

from dataclasses import replace

from anyio.to_thread import run_sync

from deeporigin_mcp.tools.files.columns import column_of, flat
from deeporigin_mcp.tools.files.downloading import MadeOfRun
from deeporigin_mcp.tools.files.meanings import Meanings
from deeporigin_mcp.tools.files.missing import Missing, missing_rows, says_why_not
from deeporigin_mcp.tools.files.run_files import Found, Item, files_of_run
from deeporigin_mcp.tools.files.run_molecules import Molecule
from deeporigin_mcp.tools.files.run_rows import ALL
from deeporigin_mcp.tools.files.tables import csv_of

STEM, SUFFIX = "results", ".csv"
MAX_ROWS = 50_000
MOLECULE = ("molecule", "ligand_id", "smiles")
SHOWN_ELSEWHERE = (*MOLECULE, "ligand_smiles", "ligand_name")
ASCII_UNITS = str.maketrans({"Å": "A", "²": "^2", "³": "^3"})
"""A spreadsheet that opens a CSV guesses its encoding: headers must not depend on that."""


class TableFile(MadeOfRun):
    """The table of an execution, in the folder of its downloads; no file of the platform is fetched."""

    async def _download(self) -> None:
        execution, client = self._execution, self._client
        found = await files_of_run(client, execution, ALL, most=MAX_ROWS, others=False)
        rows = _rows(found)
        self.found = replace(found, items=rows).without_files()
        self.missing = await missing_rows(client, execution, self.found)
        if not rows:
            return
        is_whole = execution.is_terminal and not found.is_being_stored and not found.is_cut
        stem = STEM if is_whole else f"{STEM}_incomplete"
        meanings = await Meanings.of(client, execution)
        content, self.columns_left_out = await run_sync(self._csv, rows, meanings)
        async with self._own_folder() as folder:
            await run_sync(self._write, folder, stem, SUFFIX, content)

    def _csv(self, items: list[Item], meanings: Meanings) -> tuple[bytes, int]:
        found = self.found
        results = [(item, dict(flat(item.values, SHOWN_ELSEWHERE))) for item in items if not says_why_not(found, item)]
        names = dict.fromkeys(name for _, values in results for name in values)
        ordered = sorted(names, key=lambda name: column_of(name).place)
        values_of = [values for _, values in results]
        headers = {name: _header(name, meanings.unit(name, values_of)) for name in ordered}
        rows = [
            {
                **_molecule(item.molecule),
                **{header: values.get(name) for name, header in headers.items()},
                "platform_path": item.path,
            }
            for item, values in results
        ]
        ligands = {one.shown: one for one in found.ligands}
        for name, reason in (self.missing or Missing()).named:
            one = ligands.get(name, Molecule())
            rows.append({**_molecule(replace(one, name=name)), "missing": reason})
        return csv_of(rows)


def _rows(found: Found) -> list[Item]:
    """One item a row: a row that names several files has several."""
    rows: list[Item] = []
    for item in found.items:
        if rows and rows[-1].values is item.values:
            rows[-1] = replace(rows[-1], path=f"{rows[-1].path}; {item.path}")
        elif item.values:
            rows.append(item)
    return rows


def _molecule(one: Molecule) -> dict[str, object]:
    return dict(zip(MOLECULE, (one.shown, one.id, one.smiles), strict=True))


def _header(name: str, unit: str) -> str:
    return f"{name} ({unit.translate(ASCII_UNITS)})" if unit else name
