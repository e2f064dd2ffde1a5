"""The compact text beside the structured content: the same facts, cheaper to read."""

from __future__ import annotations

import json
from typing import Any

MISSING = "-"


def as_text(view: dict[str, Any]) -> str:
    """A view as lines of `key: value`; lists of flat objects become tables with one header line."""
    return "\n".join(line for key, value in view.items() for line in _lines(key, value))


def _lines(key: str, value: Any) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(row, dict) and _is_flat(row) for row in value):
        columns = list(dict.fromkeys(column for row in value for column in row))
        header = f"{key} ({len(value)}): {' | '.join(columns)}"
        return [header, *(" | ".join(_cell(row.get(column)) for column in columns) for row in value)]
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value) and key in ("progress", "problems"):
        return [f"{key}:", *(f"  {entry}" for entry in value)]
    return [f"{key}: {_cell(value)}"]


def _is_flat(row: dict[str, Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in row.values())


def _cell(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, str):
        # A line break or a bar inside a value must not look like a new row or column.
        return " ".join(value.split()).replace(" | ", " ¦ ")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
