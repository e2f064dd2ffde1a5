"""SDF files as text: their records found, told apart, copied and joined. No record is held in memory."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from deeporigin_mcp.platform.records.entities import number as finite
from deeporigin_mcp.platform.records.sanitizing import one_line

PIECE_BYTES = 64 * 1024
MAX_FIELDS = 200
MAX_TEXT = 500
"""Characters that are read of a title or a value, and written of one."""
MAX_RECORDS = 20_000
"""In a file with more, records are found by their number only."""
SAME_SCORE = 5e-4
"""A file and a row round a score differently."""

_END = re.compile(rb"\$\$\$\$\s*")
_FIELD = re.compile(rb">.*<([^>]*)>")


@dataclass
class Record:
    """Where a record of a file is, and what tells it apart."""

    number: int
    """From 0."""
    start: int
    """Byte at which it begins, as the others."""
    body: int = 0
    """After the title line."""
    end: int = 0
    """After its last line but `$$$$`."""
    title: str = ""
    values: dict[str, str] = field(default_factory=dict)
    """The first line of each data field, by its name in letters and digits only."""
    line_end: bytes = b"\n"
    ends_line: bool = True
    """Whether its last line ends as a line; `ends_blank`: whether it is blank."""
    ends_blank: bool = True


@dataclass(frozen=True)
class Sought:
    """What is known of the record that belongs to a row."""

    number: int | None
    names: frozenset[str]
    """Titles that would mean it: ids, name, SMILES."""
    scores: Mapping[str, float]
    """By the name of a data field."""


def plain(name: str) -> str:
    """`Binding Energy` and `binding_energy` are one field."""
    return "".join(filter(str.isalnum, name.lower()))


def records(file: IO[bytes]) -> Iterator[Record]:
    """The records of a file, in order; one without `$$$$` at its end counts too."""
    start = count = 0
    while True:
        # The file may have been read elsewhere meanwhile.
        file.seek(start)
        found, start = _read(file, Record(count, start))
        if found is None:
            return
        yield found
        count += 1


def _read(file: IO[bytes], record: Record) -> tuple[Record | None, int]:
    """A record, and where the next one begins; None if there is nothing but blank lines."""
    at, line_number, name = record.start, 0, ""
    is_blank = is_new = True
    while line := file.readline(PIECE_BYTES):
        at += len(line)
        # A line that is longer than a piece is read in several.
        begins, is_new = is_new, line.endswith(b"\n")
        if begins and _END.fullmatch(line):
            return record, at
        is_blank = is_blank and not line.strip()
        record.end, record.ends_line, record.ends_blank = at, is_new, begins and not line.strip()
        if begins:
            text = line[:MAX_TEXT].strip().decode("utf-8", "replace")
            if line_number == 0:
                record.title = text
                record.line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            elif name:
                record.values[name], name = text, ""
            elif (header := _FIELD.match(line[:MAX_TEXT])) and len(record.values) < MAX_FIELDS:
                name = plain(header[1].decode("utf-8", "replace"))
                record.values[name] = ""
            line_number += 1
        if line_number == 1:
            record.body = at
    return (None if is_blank else record), at


def write(
    source: IO[bytes],
    record: Record,
    target: IO[bytes],
    *,
    title: str = "",
    fields: Mapping[str, object] | None = None,
) -> None:
    """Copy one record, with another title and further data fields if they are given; its atoms stay as they are.

    Args:
        fields: those that it has already are left out.
    """
    end = record.line_end
    start = record.start
    if title:
        target.write(_line(title) + end)
        start = record.body
    source.seek(start)
    left = record.end - start
    while left > 0 and (piece := source.read(min(PIECE_BYTES, left))):
        target.write(piece)
        left -= len(piece)
    added = {name: value for name, value in (fields or {}).items() if plain(name) not in record.values}
    if not record.ends_line:
        target.write(end)
    if added and record.values and not record.ends_blank:
        target.write(end)
    for name, value in added.items():
        shown = re.sub(r"[<>\s]+", "_", one_line(name, 60))
        target.write(b">  <" + shown.encode() + b">" + end + _line(str(value)) + end + end)
    target.write(b"$$$$" + end)


def _line(value: str) -> bytes:
    text = one_line(value, MAX_TEXT)
    # It must not end the record, nor begin another field.
    return (f" {text}" if text.startswith(("$$$$", ">")) else text).encode()


def matched(sought: Sequence[Sought], found: Sequence[Record]) -> list[Record | None]:
    """The record of each row, None where it is not certain: coordinates of another molecule would look right.

    The number counts, else titles and scores. One record is of one row only, but of a molecule that was given twice the
    rows may be alike: they share one record with their scores, or as many as they are.
    """
    everyone = frozenset[str]().union(*(one.names for one in sought))
    possible = [_possible(one, found, everyone, is_alone=len(sought) == 1) for one in sought]
    rows = defaultdict[tuple[int, ...], list[int]](list)
    for row, records_of_row in enumerate(possible):
        rows[tuple(record.number for record in records_of_row)].append(row)
    taken = Counter(number for numbers in rows for number in numbers)
    chosen: list[Record | None] = [None] * len(sought)
    for numbers, alike in rows.items():
        own = possible[alike[0]]
        if len(own) == 1 and _same_scores(sought[alike[0]], own[0]) and _all_equal([sought[row] for row in alike]):
            own *= len(alike)
        if len(own) == len(alike) and all(taken[number] == 1 for number in numbers):
            for row, record in zip(alike, own, strict=True):
                chosen[row] = record
    return chosen


def _all_equal(values: Sequence[object]) -> bool:
    return all(value == values[0] for value in values)


def _possible(sought: Sought, found: Sequence[Record], everyone: frozenset[str], *, is_alone: bool) -> list[Record]:
    """The record that can be its own, or several of which nothing tells one from another."""
    if is_alone and len(found) == 1 and not sought.number:
        return [*found]
    if sought.number is not None:
        # One alone is looked at: a file may have as many records as there are rows.
        found = found[sought.number : sought.number + 1]
    possible = [
        record
        for record in found
        if (record.title in sought.names or record.title not in everyone) and _same_scores(sought, record) is not False
    ]
    if sought.number is not None:
        return possible
    titled = [record for record in possible if record.title in sought.names]
    scored = [record for record in titled or possible if _same_scores(sought, record)]
    if scored:
        return scored if _all_equal([(each.title, each.values) for each in scored]) else []
    return titled if len(titled) == 1 else []


def _same_scores(sought: Sought, record: Record) -> bool | None:
    """Whether the scores agree; None if the two have none in common."""
    pairs = [
        (value, other)
        for name, value in sought.scores.items()
        if (other := finite(record.values.get(plain(name)))) is not None
    ]
    return all(abs(value - other) < SAME_SCORE for value, other in pairs) if pairs else None
