"""Values too big for an answer: shown with their big parts summed up in place, each part readable by its place.

A place is the way to a part, the position at each level: `2.0` is the first entry of the third field. Positions do
for any key, however long, and for any value that does not change any more.
"""

from __future__ import annotations

import json
from typing import Any

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.tools.shaping import size

Place = tuple[int, ...]

TEXT_CHARACTERS = 500
"""A longer text is summed up even where there is room."""
MARK_CHARACTERS = 90
"""What a mark of something left out takes, without the cursor in it."""
BEGINNING_CHARACTERS = 120
KEY_CHARACTERS = 100
MAX_DEPTH = 8


class Summary:
    """Makes a value fit, and marks what it leaves out with the cursor that reads it.

    Args:
        cursor: the beginning of the cursors; the place and the position inside follow. None where no cursor reads what
            is left out: marks then only say how much it is.
        depth: levels above what is shown, which do not count as deep.
    """

    def __init__(self, cursor: str | None, depth: int = 0) -> None:
        self._cursor = cursor
        self._depth = depth
        self._marked: list[str] = []

    @property
    def is_cut(self) -> bool:
        """Whether anything was left out."""
        return bool(self._marked)

    def first_cursor(self, shown: Any) -> str:
        """The cursor of a mark that is in what is shown; marks inside of what was left out itself are not."""
        text = json.dumps(shown)
        return next((cursor for cursor in self._marked if f'cursor=\\"{cursor}\\"' in text), self._marked[0])

    def of(self, value: Any, characters: int, place: Place = ()) -> Any:
        """The value, or what fits of it into so many characters of JSON."""
        if isinstance(value, str):
            if len(value) <= TEXT_CHARACTERS and size(value) <= max(characters, MARK_CHARACTERS):
                return value
            return self._mark(f"{_cut(value, min(BEGINNING_CHARACTERS, characters // 2))}… ", value, place, 0)
        if not isinstance(value, dict | list) or not value:
            return value
        if _is_plain(value, len(place) - self._depth) and size(value) <= characters:
            return value
        if len(place) - self._depth >= MAX_DEPTH or characters < 2 * self._mark_size(place):
            return self._mark("", value, place, 0)
        return (
            self._object(value, characters, place) if isinstance(value, dict) else self._list(value, characters, place)
        )

    def _object(self, value: dict[str, Any], characters: int, place: Place) -> dict[str, Any]:
        """Small fields whole, the room that they leave shared among the big ones; the last fields go first."""
        fields = list(enumerate(value.items()))
        least = self._mark_size(place) + BEGINNING_CHARACTERS
        room = characters - 2
        needed = {index: size(key) + 2 + min(size(entry), least) for index, (key, entry) in fields}
        shown = len(fields)
        if sum(needed.values()) > room:
            room -= least
            used = 0
            for shown, (index, _) in enumerate(fields):  # noqa: B007
                used += needed[index]
                if used > room:
                    break
        shared = room - sum(needed[index] for index, _ in fields[:shown])
        made: dict[str, Any] = {}
        bigger = sorted(fields[:shown], key=lambda field: size(field[1][1]))
        entries: dict[int, Any] = {}
        for nth, (index, (_, entry)) in enumerate(bigger):
            share = min(size(entry), least) + shared // (len(bigger) - nth)
            entries[index] = self.of(entry, share, (*place, index))
            shared -= max(0, size(entries[index]) - min(size(entry), least))
        for index, (key, _) in fields[:shown]:
            made[_key(key, made)] = entries[index]
        if shown < len(fields):
            made[_key("…", made)] = self._mark("", value, place, shown)
        return made

    def _list(self, value: list[Any], characters: int, place: Place) -> list[Any]:
        """Entries from the front while they fit."""
        room = characters - 2 - self._mark_size(place)
        made: list[Any] = []
        for index, entry in enumerate(value):
            if size(entry) + 1 > room and room < 4 * self._mark_size(place):
                made.append(self._mark("", value, place, index))
                break
            shaped = self.of(entry, room - 1, (*place, index))
            if size(shaped) + 1 > room:
                made.append(self._mark("", value, place, index))
                break
            made.append(shaped)
            room -= size(shaped) + 1
        return made

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
        return MARK_CHARACTERS + len(self.cursor(place, 10**6))

    def cursor(self, place: Place, start: int) -> str:
        return f"{self._cursor}{'.'.join(map(str, place))}@{start}"


def part_at(value: Any, place: Place) -> Any:
    """The part of a value at a place.

    Raises:
        ArgumentError: there is none.
    """
    for position in place:
        if isinstance(value, dict) and 0 <= position < len(value):
            value = list(value.values())[position]
        elif isinstance(value, list) and 0 <= position < len(value):
            value = value[position]
        else:
            raise ArgumentError("cursor leads nowhere.", next_step="Take a cursor from an answer, unchanged.")
    return value


def slice_of(value: Any, start: int, characters: int, summary: Summary, place: Place) -> tuple[dict[str, Any], int]:
    """What of a part fits from a position on, as an object, and the position after it."""
    if isinstance(value, str):
        piece = _cut(value[start:], characters)
        return {"text": piece}, start + len(piece)
    entries = list(value.items() if isinstance(value, dict) else enumerate(value))
    made: dict[str, Any] = {}
    room = characters
    index = start
    for index in range(start, len(entries)):
        key, entry = entries[index]
        shaped = summary.of(entry, min(room, characters // 2), (*place, index))
        name = _key(key, made) if isinstance(value, dict) else str(key)
        room -= size(shaped) + size(name) + 2
        if made and room < 0:
            break
        made[name] = shaped
    else:
        index = len(entries)
    return (made if isinstance(value, dict) else {"items": list(made.values())}), index


def as_object(value: Any) -> dict[str, Any] | None:
    """Outputs as an object: a list of one is that one, other lists are its `items` (platform-facts 8.13)."""
    if value in (None, {}, []):
        return None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return as_object(value[0])
    if isinstance(value, dict):
        return value
    return {"items": value} if isinstance(value, list) else {"value": value}


def _is_plain(value: Any, depth: int) -> bool:
    """Whether nothing in it has to be summed up for its own sake."""
    if isinstance(value, str):
        return len(value) <= TEXT_CHARACTERS
    if isinstance(value, dict):
        return depth < MAX_DEPTH and all(
            len(key) <= KEY_CHARACTERS and _is_plain(entry, depth + 1) for key, entry in value.items()
        )
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(_is_plain(entry, depth + 1) for entry in value)
    return True


def _key(key: str, taken: dict[str, Any]) -> str:
    """A key of at most 100 characters that no other field has."""
    short = key if len(key) <= KEY_CHARACTERS else key[: KEY_CHARACTERS - 1] + "…"
    return short if short not in taken else f"{short[: KEY_CHARACTERS - 8]}…{len(taken)}"


def _cut(text: str, characters: int) -> str:
    """The beginning of a text that takes at most so many characters as JSON, at least one."""
    kept = text[: max(1, characters)]
    while len(kept) > 1 and (excess := size(kept) - 2 - characters) > 0:
        # One character takes at most six as an escape.
        kept = kept[: -max(1, excess // 6)]
    return kept
