"""Records of SDF files: split, told apart, and joined, without a change to their atoms."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.files.sdf import Record, Sought, matched, records, write

ATOMS = "  1  0  0  0  0  0  0  0  0  0999 V2000\n    {x:.4f}    0.0000    0.0000 C   0  0\nM  END\n"


def record_text(title: str, x: float, /, **fields: object) -> str:
    data = "".join(f">  <{name}>\n{value}\n\n" for name, value in fields.items())
    return f"{title}\n  made\n\n{ATOMS.format(x=x)}{data}$$$$\n"


def found_in(text: str | bytes) -> list[Record]:
    return [*records(io.BytesIO(text.encode() if isinstance(text, str) else text))]


def written(text: str, number: int = 0, **options: object) -> str:
    source, target = io.BytesIO(text.encode()), io.BytesIO()
    write(source, found_in(text)[number], target, **options)  # type: ignore[arg-type]
    return target.getvalue().decode()


def sought(*names: str, number: int | None = None, **scores: float) -> Sought:
    return Sought(number, frozenset(names), scores)


def chosen(text: str, *wanted: Sought) -> list[int | None]:
    return [record.number if record else None for record in matched(wanted, found_in(text))]


def test_records_are_found_with_their_titles_and_values() -> None:
    first, second = found_in(record_text("a", 1, pose_score=0.5) + record_text("b", 2))
    assert (first.number, first.title, first.values) == (0, "a", {"posescore": "0.5"})
    assert (second.number, second.title, second.values) == (1, "b", {})


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n"])
def test_a_last_record_without_its_end_counts_and_gets_one(end: str) -> None:
    text = record_text("a", 1).removesuffix("$$$$\n").rstrip("\n") + end
    assert len(found_in(text)) == 1
    assert written(text).endswith("M  END" + (end or "\n") + "$$$$\n")


def test_blank_lines_at_the_end_are_no_record() -> None:
    assert len(found_in(record_text("a", 1) + "\n \n")) == 1


def test_an_empty_file_has_no_records() -> None:
    assert found_in("") == []


@given(st.lists(st.tuples(st.text("abc ", max_size=5), st.floats(-99, 99)), min_size=1, max_size=6))
def test_all_records_written_one_after_the_other_are_the_file(given_records: Sequence[tuple[str, float]]) -> None:
    text = "".join(record_text(title, x, score=x) for title, x in given_records)
    assert "".join(written(text, number) for number in range(len(given_records))) == text


def test_a_record_gets_another_title_and_fields_and_keeps_its_atoms() -> None:
    text = record_text("LIG", 1.5, **{"POSE SCORE": 0.9})
    found = written(text, title="aspirin", fields={"pose_score": 1.0, "rank": 1})
    assert found == record_text("aspirin", 1.5, **{"POSE SCORE": 0.9}, rank=1)


def test_a_record_with_windows_line_ends_keeps_them() -> None:
    text = record_text("a", 1, x=1).replace("\n", "\r\n")
    assert written(text, title="b", fields={"y": 2}) == record_text("b", 1, x=1, y=2).replace("\n", "\r\n")


def test_a_field_after_data_that_does_not_end_in_a_blank_line_is_a_field_of_its_own() -> None:
    text = record_text("a", 1, x=1).replace("1\n\n$$$$", "1\n$$$$")
    assert written(text, fields={"y": 2}) == record_text("a", 1, x=1, y=2)


@pytest.mark.parametrize("hostile", ["$$$$", "$$$$\nother", "> <x>", "a\n\n> <rank>\n1"])
def test_a_value_cannot_end_the_record_or_begin_another_field(hostile: str) -> None:
    (found,) = found_in(written(record_text("a", 1), title=hostile, fields={hostile: hostile, "rank": 2}))
    assert found.values["rank"] == "2"
    assert len(found.values) == 2


def test_memory_stays_flat_however_large_a_record_is() -> None:
    class Endless(io.RawIOBase):
        """20 MB without a line end."""

        def __init__(self) -> None:
            self.at = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset
            return offset

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            size = min(len(buffer), 20_000_000 - self.at)
            self.at += size
            buffer[:size] = b"x" * size
            return size

    tracemalloc.start()
    try:
        assert len([*records(io.BufferedReader(Endless()))]) == 1
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


ROWS: Mapping[str, tuple[str, list[Sought], list[int | None]]] = {
    "one row and one record": (record_text("x", 1), [sought("a")], [0]),
    "by number": (record_text("", 1) + record_text("", 2), [sought(number=1), sought(number=0)], [1, 0]),
    "a number beyond the end": (record_text("a", 1), [sought("a", number=3)], [None]),
    "a number that names another row's record": (
        record_text("a", 1) + record_text("b", 2),
        [sought("a", number=1), sought("b", number=0)],
        [None, None],
    ),
    "by title": (record_text("b", 1) + record_text("a", 2), [sought("a", "CCO"), sought("b")], [1, 0]),
    "by score, however it is written": (
        record_text("", 1, **{"POSE SCORE": "0.70004"}) + record_text("", 2, **{"POSE SCORE": "0.9"}),
        [sought("a", pose_score=0.9), sought("b", pose_score=0.7)],
        [1, 0],
    ),
    "by title and score": (
        record_text("a", 1, pose_score=0.5) + record_text("a", 2, pose_score=0.9) + record_text("b", 3, pose_score=0.9),
        [sought("a", pose_score=0.9), sought("a", pose_score=0.5), sought("b", pose_score=0.9)],
        [1, 0, 2],
    ),
    "one row, several records": (
        record_text("a", 1, pose_score=0.5) + record_text("a", 2, pose_score=0.9),
        [sought("a", pose_score=0.9)],
        [1],
    ),
    "equal titles and no scores": (record_text("a", 1) * 2, [sought("a"), sought("a")], [None, None]),
    "two records that could be it": (record_text("a", 1, pose_score=1) * 2, [sought("a", pose_score=1)], [None]),
    "a molecule that was given twice, with one result": (
        record_text("a", 1, pose_score=1) * 2 + record_text("b", 1, pose_score=1),
        [sought("a", pose_score=1), sought("b", pose_score=1), sought("a", pose_score=1)],
        [0, 2, 1],
    ),
    "a molecule that was given twice, with one record": (
        record_text("a", 1, pose_score=1) + record_text("b", 1, pose_score=1),
        [sought("a", pose_score=1), sought("b", pose_score=1), sought("a", pose_score=1)],
        [0, 1, 0],
    ),
    "a molecule that was given twice, with two results": (
        record_text("a", 1, pose_score=1, energy=5) + record_text("a", 2, pose_score=1, energy=6),
        [sought("a", pose_score=1), sought("a", pose_score=1)],
        [None, None],
    ),
    "two rows for one record": (record_text("a", 1), [sought("a"), sought("a")], [None, None]),
    "a title that fits and a score that does not": (
        record_text("a", 1, pose_score=0.1) + record_text("b", 2, pose_score=0.2),
        [sought("a", pose_score=0.7), sought("b", pose_score=0.2)],
        [None, 1],
    ),
    "nothing to tell them by": (record_text("", 1) + record_text("", 2), [sought("a"), sought("b")], [None, None]),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_gets_the_record_that_is_certainly_its_own_or_none(case: str) -> None:
    text, wanted, expected = ROWS[case]
    assert chosen(text, *wanted) == expected
