"""Tables as CSV: what a spreadsheet shows, and what it must not run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.files.tables import MAX_COLUMNS, cell, csv_of


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x")', "\t=1", "\uff1d1", "-", "=", "-2-3"]
)
def test_a_text_is_no_formula(text: str) -> None:
    assert cell(text).startswith("'")


@pytest.mark.parametrize("number", [-9.3, "-9.3", "+1e-5", 0, 12.5, "-.5", True, None, "a=b", "[O-]C=O"])
def test_numbers_and_harmless_text_stay(number: Any) -> None:
    assert cell(number) == ("" if number is None else str(number))


def test_rows_become_columns_in_their_order_without_empty_ones() -> None:
    rows: list[dict[str, Any]] = [
        {"file": "a.sdf", "note": "", "x": 1},
        {"file": "b, c.sdf", "note": "", "box": [1, 2]},
    ]
    assert csv_of(rows)[0].decode() == 'file,x,box\r\na.sdf,1,\r\n"b, c.sdf",,"[1,2]"\r\n'


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=4), max_size=5))
def test_every_row_is_one_line_with_the_same_number_of_cells(rows: list[dict[str, Any]]) -> None:
    read = [*csv.reader(io.StringIO(csv_of(rows)[0].decode(), newline=""))]
    assert len({len(line) for line in read}) <= 1
    assert len(csv_of(rows)[0].decode().splitlines()) <= len(rows) + 1


def test_what_has_no_place_is_counted_and_our_own_columns_stay() -> None:
    row = {**{f"c{number}": number for number in range(MAX_COLUMNS + 10)}, "platform_path": "a.sdf"}
    content, left_out = csv_of([row, {"missing": "no result"}])
    header = content.decode().splitlines()[0].split(",")
    assert (len(header), header[0], header[-2:]) == (MAX_COLUMNS, "c0", ["platform_path", "missing"])
    assert left_out == 12
