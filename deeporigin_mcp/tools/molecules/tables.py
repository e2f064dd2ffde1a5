"""Lists of molecules as people have them: CSV, SMI, and a list of SMILES in a call; rows in the user's own order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line

MAX_ROWS = 10_000
MAX_TABLE_BYTES = 20_000_000
NAME_CHARACTERS = 200
COLUMNS_NAMED = 10
_NAMES = ("name", "title", "id", "compound", "compound_id", "molecule")
"""Columns that are taken for the name, the first of them that is there."""


@dataclass(frozen=True)
class Row:
    """A molecule of a list; `number` counts from 1, without a header."""

    number: int
    smiles: str
    name: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of a list, and what is not imported of it, as sentences."""

    rows: list[Row]
    notes: tuple[str, ...] = ()


def of_list(entries: Sequence[Any]) -> Table:
    """SMILES, or objects with `smiles` and `name`.

    Raises:
        ArgumentError: an entry is neither.
    """
    rows = []
    for number, entry in enumerate(entries, 1):
        given = {"smiles": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        values = {str(key).lower(): value for key, value in given.items()}
        smiles, name = values.get("smiles"), values.get("name")
        if not isinstance(smiles, str) or not isinstance(name, str | int | None):
            raise ArgumentError(
                f'Invalid entry {number} of smiles. Valid: a SMILES, or {{"smiles": "…", "name": "…"}}.',
            )
        rows.append(Row(number, smiles.strip(), _name("" if name is None else str(name))))
    return Table(rows)


def of_csv(file: IO[bytes]) -> Table:
    """A table with a header: the column `smiles`, and one with names, in any case.

    Raises:
        ArgumentError: `invalid_molecules`: no such column; `file_too_large`.
    """
    text = _text(file)
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = ([cell.strip() for cell in line] for line in reader)
        columns = next((line for line in lines if any(line)), [])
        at_smiles = _column_of_smiles(columns)
        at_name = _column_of_names(columns)
        rows = [
            Row(number, _cell(line, at_smiles), _name(_cell(line, at_name)))
            for number, line in enumerate(_counted(line for line in lines if any(line)), 1)
        ]
    except csv.Error as error:
        raise ArgumentError(
            f"The CSV cannot be read: {error}.", next_step="Correct the file.", code="invalid_molecules"
        ) from None
    left = [one_line(name, 40) for at, name in enumerate(columns) if at not in (at_smiles, at_name) and name]
    more = f" and {len(left) - COLUMNS_NAMED} more" if len(left) > COLUMNS_NAMED else ""
    notes = (f"Columns that are not imported: {', '.join(left[:COLUMNS_NAMED])}{more}.",) if left else ()
    return Table(rows, notes)


def of_smi(file: IO[bytes]) -> Table:
    """A SMILES and, after a blank, a name per line; a header and lines that begin with # are left out."""
    lines = (line.strip() for line in _text(file).splitlines())
    pairs = [line.split(None, 1) for line in _counted(line for line in lines if line and not line.startswith("#"))]
    if pairs and pairs[0][0].lower() == "smiles":
        del pairs[0]
    return Table(
        [Row(number, pair[0], _name(pair[1] if len(pair) > 1 else "")) for number, pair in enumerate(pairs, 1)]
    )


def _text(file: IO[bytes]) -> str:
    content = file.read(MAX_TABLE_BYTES + 1)
    if len(content) > MAX_TABLE_BYTES:
        raise ArgumentError(
            f"The list has more than {MAX_TABLE_BYTES:,} bytes.",
            next_step="Split it into several files.",
            code="file_too_large",
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        # What Excel calls Unicode text.
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _counted(lines: Iterator[Any]) -> Iterator[Any]:
    for number, line in enumerate(lines):
        if number == MAX_ROWS:
            raise ArgumentError(
                f"The list has more than {MAX_ROWS:,} molecules.",
                next_step="Split it into several files.",
                code="file_too_large",
            )
        yield line


def _column_of_smiles(columns: Sequence[str]) -> int:
    names = [name.lower() for name in columns]
    if "smiles" in names:
        return names.index("smiles")
    alike = [at for at, name in enumerate(names) if "smiles" in name]
    if len(alike) == 1:
        return alike[0]
    if not names:
        raise ArgumentError("The CSV is empty.", next_step="Give another file.", code="invalid_molecules")
    shown = ", ".join(one_line(name, 40) for name in columns[:COLUMNS_NAMED])
    raise ArgumentError(
        f"The CSV has no column smiles; its first line has: {shown}.",
        next_step="Give the column with the SMILES this name.",
        code="invalid_molecules",
    )


def _column_of_names(columns: Sequence[str]) -> int | None:
    names = [name.lower().replace(" ", "_") for name in columns]
    return next((names.index(name) for name in _NAMES if name in names), None)


def _cell(line: Sequence[str], at: int | None) -> str:
    return line[at] if at is not None and at < len(line) else ""


def _name(text: str) -> str:
    return one_line(text.strip(), NAME_CHARACTERS)
