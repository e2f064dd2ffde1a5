"""The size of a response: how it is measured, and how it is made to fit.

Rows lose columns, or go to the next page whole. Anything else that is too large is summarised in place: what is cut
leaves a mark with the cursor that reads it. `within_limit` is applied to every response at last.

A place is the position at each level: `2.0` is the first entry of the third field. Positions identify a value however
long its key is, as long as the value does not change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from pydantic import BaseModel

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses.text import as_text

Content = dict[str, Any]
Place = tuple[int, ...]

RESULT_CHARACTERS = 20_000
CONCISE_CHARACTERS = 5_000
TOO_DEEP = 10**9

TEXT_CHARACTERS = 500
"""A longer text is summarised, even where there is room, if a cursor can read it."""
BEGINNING_CHARACTERS = 120
"""How much of it is shown."""
MARK_CHARACTERS, SHORT_MARK_CHARACTERS = 90, 40
"""The size of a mark without its cursor."""
MAX_DEPTH = 8

MARGIN = 250
"""Room for `cut` and the next step."""
STEP_TOO_LONG = "The next call is too long to be shown: repeat this one with its next page, offset or cursor."
FEWER = "Ask for fewer at a time, or for one by its id, to see what was cut."


def _plain(value: object) -> object:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else str(value)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def size(value: Any) -> int:
    """Characters of a value as compact JSON, models without fields that have no value; `TOO_DEEP` if it cannot be."""
    try:
        return len(_COMPACT.encode(value))
    except RecursionError:
        return TOO_DEEP


def shown(value: Any, characters: int) -> str:
    """A value as compact JSON on one line, cut at so many characters. The rest is not even encoded, however large."""
    parts: list[str] = []
    length = 0
    try:
        for part in _COMPACT.iterencode(value):
            parts.append(part)
            length += len(part)
            if length > characters:
                parts.append("…")
                break
    except ValueError:
        parts.append("…")
    return one_line("".join(parts), characters)


def rows_that_fit(rows: Sequence[Any], characters: int) -> int:
    """How many rows from the front fit into so many characters; at least one, so that paging moves on."""
    used = accumulate(size(row) + 1 for row in rows)
    return next((max(1, index) for index, total in enumerate(used) if total > characters), len(rows))


def without_columns(rows: Sequence[BaseModel], characters: int, columns: Sequence[tuple[str, int]]) -> list[str]:
    """Make rows fit by dropping columns, one after the other, from all rows; the names of those dropped.

    Args:
        rows: changed in place.
        columns: what may be dropped, the least important first, with the characters of a text that are kept.
    """
    dropped: list[str] = []
    for name, kept in columns:
        if size(rows) <= characters:
            break
        having = [row for row in rows if getattr(row, name, None) is not None]
        for row in having:
            setattr(row, name, one_line(getattr(row, name), kept) if kept else None)
        if having and not kept:
            dropped.append(name)
    return dropped


class Summary:
    """Makes a value fit, and marks what it cuts with the cursor that reads it.

    Args:
        cursor: the beginning of the cursors; the place and the position inside follow. None where no cursor can read
            what is cut: marks then only say how much it is.
        at: the place of the value that is summarised; depth is counted from there.
    """

    def __init__(self, cursor: str | None, at: Place = ()) -> None:
        self._cursor = cursor
        self._at = at
        self._marked: list[str] = []

    @property
    def is_cut(self) -> bool:
        """Whether anything was cut."""
        return bool(self._marked)

    def first_cursor(self, shown: Any) -> str:
        """The cursor of the first mark that is shown; a mark may have been cut itself."""
        text = json.dumps(shown)
        return next((cursor for cursor in self._marked if f'cursor=\\"{cursor}\\"' in text), self._marked[0])

    def of(self, value: Any, characters: int, place: Place | None = None) -> Any:
        """The value, or what fits of it into so many characters of JSON; a mark at least."""
        place = self._at if place is None else place
        mark, depth = self._mark_size(place), len(place) - len(self._at)
        if size(value) <= max(characters, mark) and (self._cursor is None or _is_plain(value, depth)):
            return value
        if not isinstance(value, dict | list):
            text = value if isinstance(value, str) else str(value)
            kept = characters - mark if self._cursor is None else min(BEGINNING_CHARACTERS, characters // 2)
            return self._mark(f"{_beginning(text, kept)}… ", text, place, 0)
        if not value:
            return value
        if depth >= MAX_DEPTH or characters < 2 * mark:
            return self._mark("", value, place, 0)
        if isinstance(value, dict):
            return self._object(value, characters - 2, place)
        made, following = self._front(list(enumerate(value)), 0, characters - 2 - mark, place)
        entries = [entry for _, entry in made]
        return entries if following == len(value) else [*entries, self._mark("", value, place, following)]

    def slice(self, value: Any, start: int, characters: int) -> tuple[dict[str, Any], int]:
        """What fits of a value from a position on, at least one entry, as an object, and the position after it."""
        if isinstance(value, str):
            piece = _beginning(value[start:], characters)
            return {"text": piece}, start + len(piece)
        entries = list(value.items() if isinstance(value, dict) else enumerate(value))
        made, following = self._front(entries, start, characters, self._at, at_least=1)
        return dict(made) if isinstance(value, dict) else {"items": [entry for _, entry in made]}, following

    def cursor(self, place: Place, start: int) -> str:
        return f"{self._cursor}{'.'.join(map(str, place))}@{start}"

    def _object(self, value: dict[str, Any], room: int, place: Place) -> dict[str, Any]:
        """Small fields whole, the large ones share what is left; if that is too much, the last fields are cut."""
        keys, entries = list(value), list(value.values())
        least = self._mark_size(place) + BEGINNING_CHARACTERS
        key_sizes = [size(key) + 2 for key in keys]
        ends = list(accumulate(key + min(size(entry), least) for key, entry in zip(key_sizes, entries, strict=True)))
        count = len(keys)
        if ends[-1] > room:
            room -= least
            count = sum(end <= room for end in ends)

        def fit(index: int, entry: Any, share: int) -> Any:
            return self.of(entry, share, (*place, index))

        made = dict(zip(keys, _shared(entries[:count], room - sum(key_sizes[:count]), fit), strict=False))
        if count < len(keys):
            made["……" if "…" in value else "…"] = self._mark("", value, place, count)
        return made

    def _front(
        self, entries: Sequence[tuple[Any, Any]], start: int, room: int, place: Place, at_least: int = 0
    ) -> tuple[list[tuple[Any, Any]], int]:
        """Entries from a position on while they fit, with their keys, and the position after them."""
        made: list[tuple[Any, Any]] = []
        for index, (key, entry) in enumerate(entries[start:], start):
            left = room - (size(key) + 2 if isinstance(key, str) else 1)
            # Where there is hardly room for its mark, the beginning of an entry is not worth showing.
            if made and left < 4 * self._mark_size(place) and size(entry) > left:
                return made, index
            shaped = self.of(entry, left, (*place, index))
            left -= size(shaped)
            if left < 0 and len(made) >= at_least:
                return made, index
            made.append((key, shaped))
            room = left
        return made, len(entries)

    def _mark(self, before: str, value: Any, place: Place, start: int) -> str:
        cursor = self.cursor(place, start)
        self._marked.append(cursor)
        if isinstance(value, str):
            what = f"{len(value)} characters"
        else:
            kind = "fields" if isinstance(value, dict) else "entries"
            what = f"{len(value) - start} more {kind}" if start else f"{len(value)} {kind}"
        return f"{before}[{what}]" if self._cursor is None else f'{before}[{what}; cursor="{cursor}" reads them]'

    def _mark_size(self, place: Place) -> int:
        return SHORT_MARK_CHARACTERS if self._cursor is None else MARK_CHARACTERS + len(self.cursor(place, 10**6))


def part_at(value: Any, place: Place) -> str | dict[str, Any] | list[Any] | None:
    """The part of a value at a place; None if there is none. Numbers, however long, come as text."""
    for position in place:
        entries = list(value.values()) if isinstance(value, dict) else value
        value = entries[position] if isinstance(entries, list) and position < len(entries) else None
    return str(value) if isinstance(value, int | float) else value


def within_limit(
    content: Content, characters: int, columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[Content, str]:
    """The content, or as much of it as fits as JSON and as text, and that text.

    Tools make their own responses fit and name the call that reads the rest; this catches what they did not foresee.
    Lists lose whole rows at their end, texts and objects are cut; `cut` names the fields.

    Args:
        columns: the order of columns in the text, as `as_text` takes it.
    """
    made, text, room = content, as_text(content, columns), characters
    while (taken := max(size(made), len(text))) > characters and room > 0:
        # The text may be longer than the JSON, by the ratio seen in the last attempt.
        room = room if made is content else room * characters // taken - 1
        made = _cut(content, room)
        text = as_text(made, columns)
    return made, text


def _cut(content: Content, room: int) -> Content:
    names = list(content)
    cut: list[str] = []

    def fit(index: int, value: Any, share: int) -> Any:
        name = names[index]
        if size(value) <= share:
            return value
        if name == "next_step":
            # A part of a call would be another call.
            return STEP_TOO_LONG
        if not isinstance(value, list) or not value:
            cut.append(name)
            return Summary(None).of(value, share)
        kept = value[: rows_that_fit(value, share - 2)]
        cut.append(f"{name}: {len(kept)} of {len(value)}")
        return kept if size(kept) <= share else [Summary(None).of(kept[0], share - 2)]

    room -= sum(size(name) + 2 for name in names) + MARGIN
    made = dict(zip(names, _shared(list(content.values()), room, fit), strict=True))
    if cut:
        made["cut"] = [*made.get("cut", ()), *cut]
        made["next_step"] = f"{made.get('next_step', '')} {FEWER}".strip()
    if "has_more" in made:
        made["has_more"] |= any(
            isinstance(rows, list) and len(made[name]) < len(rows) for name, rows in content.items()
        )
    return made


def _shared(values: Sequence[Any], room: int, fit: Callable[[int, Any, int], Any]) -> list[Any]:
    """The values, each made to fit into its share: small ones whole; the large ones share what is left."""
    sizes = [size(value) for value in values]
    made = list(values)
    for nth, index in enumerate(sorted(range(len(values)), key=sizes.__getitem__)):
        made[index] = fit(index, values[index], room // (len(values) - nth))
        room -= size(made[index])
    return made


def _is_plain(value: Any, depth: int) -> bool:
    """Whether nothing in it is so deep or so long that it is always summarised."""
    if isinstance(value, dict | list):
        entries = value.values() if isinstance(value, dict) else value
        return depth < MAX_DEPTH and all(_is_plain(entry, depth + 1) for entry in entries)
    return not isinstance(value, str) or len(value) <= TEXT_CHARACTERS


def _beginning(text: str, characters: int) -> str:
    """The beginning of a text that takes at most so many characters as JSON, at least one."""
    kept = text[: max(1, characters)]
    while len(kept) > 1 and (excess := size(kept) - 2 - characters) > 0:
        # One character takes at most six as an escape.
        kept = kept[: -max(1, excess // 6)]
    return kept
