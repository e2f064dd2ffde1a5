"""Lists of molecules: what is written in a CSV or a SMI file is what is read, row by row."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import INVISIBLE
from deeporigin_mcp.tools.molecules import tables
from tests.support.recording import with_code

smiles = st.text("CNOcn1()=#[]+-@/\\", max_size=12).map("C".__add__)
visible = st.characters(codec="utf-8", categories=("L", "N", "P")).filter(lambda one: not INVISIBLE.match(one))
names = st.text(visible, min_size=1, max_size=12)
pairs = st.lists(st.tuples(smiles, names), min_size=1, max_size=8)


def read(rows: list[tuple[str, str]], delimiter: str, encoding: str = "utf-8") -> tables.Table:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([("Smiles", "NAME", "pIC50"), *((*row, "7") for row in rows)])
    return tables.of_csv(io.BytesIO(out.getvalue().encode(encoding)))


@given(rows=pairs, delimiter=st.sampled_from(",;\t"), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_csv_is_read_as_it_was_written(rows: list[tuple[str, str]], delimiter: str, encoding: str) -> None:
    found = read(rows, delimiter, encoding)
    assert [(row.number, row.smiles, row.name) for row in found.rows] == [
        (number, *row) for number, row in enumerate(rows, 1)
    ]
    assert "pIC50" in found.notes[0]


@given(rows=pairs, blank=st.sampled_from([" ", "\t", "  "]), end=st.sampled_from(["\n", "\r\n"]))
def test_a_smi_file_is_read_as_it_was_written(rows: list[tuple[str, str]], blank: str, end: str) -> None:
    text = end.join(f"{one}{blank}{name}" for one, name in rows)
    found = tables.of_smi(io.BytesIO(f"# list{end}{text}{end}{end}".encode()))
    assert [(row.smiles, row.name) for row in found.rows] == rows


@given(st.binary(max_size=200))
def test_no_bytes_crash_a_reader(content: bytes) -> None:
    tables.of_smi(io.BytesIO(content))
    try:
        tables.of_csv(io.BytesIO(content))
    except ArgumentError as error:
        assert error.code == "invalid_molecules"  # noqa: PT017


def test_a_list_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    for reader, content in ((tables.of_smi, b"C\nCC\nCCC"), (tables.of_csv, b"smiles\nC\nCC\nCCC")):
        with pytest.raises(ArgumentError, check=with_code("file_too_large")):
            reader(io.BytesIO(content))
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 5)
    with pytest.raises(ArgumentError, check=with_code("file_too_large")):
        tables.of_smi(io.BytesIO(b"CCCCCC"))


def test_one_column_is_known_by_a_part_of_its_name_but_not_one_of_two() -> None:
    assert tables.of_csv(io.BytesIO(b"CXSMILES,title\nC,a")).rows == [tables.Row(1, "C", "a")]
    with pytest.raises(ArgumentError, check=with_code("invalid_molecules")):
        tables.of_csv(io.BytesIO(b"smiles_1,smiles_2\nC,C"))
