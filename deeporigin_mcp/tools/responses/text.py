"""The text beside the structured content: the same facts in fewer tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import HARMFUL, escaped, words_of

MISSING = "-"
LINES = ("progress", "problems", "input_warnings", "notes")
"""Lists whose entries are shown one a line."""
INPUT = "as_input"
"""The object that inputs want is one cell of a table, its last, as JSON that can be copied."""


COPIED = ("as_input", "as_file_input")
"""What goes into a run's inputs is shown as JSON that can be copied."""


def as_text(view: dict[str, Any], columns: Mapping[str, Sequence[str]] | None = None) -> str:
    """A view as lines of `key: value`; lists of objects become tables with one header line.

    Args:
        view: fields and what they hold.
        columns: by field, the order of its table's columns; others follow in the order in which rows have them.
    """
    known = columns or {}
    return "\n".join(line for key, value in view.items() for line in _lines(key, value, known.get(key, ())))


def _lines(key: str, value: Any, columns: Sequence[str]) -> list[str]:
    if key in COPIED:
        return [f"{key}: {_json(value)}"]
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _rows(key, value, columns)
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value) and key in LINES:
        return [f"{key}:", *(f"  {HARMFUL.sub(' ', entry)}" for entry in value)]
    if key == "next_step" and isinstance(value, str):
        # A model copies the call: even two spaces in a value stay two.
        return [f"{key}: {escaped(value)}"]
    return [f"{key}: {_cell(value)}"]


def _rows(key: str, rows: list[dict[str, Any]], order: Sequence[str]) -> list[str]:
    """A table, or one JSON object a line where rows hold objects or have little in common."""
    objects = [_json(row) for row in rows]
    held = dict.fromkeys(column for row in rows for column in row)
    columns = [*(column for column in order if column in held), *(column for column in held if column not in order)]
    columns.sort(key=INPUT.__eq__)
    if all(map(_is_flat, rows)) and len(columns) * len(rows) * len(MISSING) < sum(map(len, objects)):
        table = [" | ".join(_cell(row.get(column)) for column in columns) for row in rows]
        return [f"{key} ({len(rows)}): {' | '.join(map(_cell, columns))}", *table]
    return [f"{key} ({len(rows)}):", *objects]


def _is_flat(row: dict[str, Any]) -> bool:
    return not any(isinstance(value, dict | list) for column, value in row.items() if column != INPUT)


def _cell(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, str):
        # A line break or a bar inside a value must not look like a new row or column.
        return " ".join("¦" if word == "|" else word for word in words_of(value))
    return _json(value)


def _json(value: Any) -> str:
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
