"""Keeping answers within what a model should read: whole entries are left out, and it is said that they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from deeporigin_mcp.platform.wording import one_line

RESULT_CHARACTERS = 20_000
CONCISE_CHARACTERS = 5_000
MAX_DEPTH = 12
LONGEST_TEXT = 2_000
TOO_DEEP = 10**9
SMALLEST_ENTRY = 4
"""Characters of the smallest entry worth keeping."""


def size(value: Any) -> int:
    """Characters of a value as compact JSON; more than anything may have for one too deep to be written."""
    try:
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
    except RecursionError:
        return TOO_DEEP


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


def shown(value: Any, characters: int) -> str:
    """A value as compact JSON on one line. What is longer is cut, and not written out first, however large it is."""
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


def fitted(value: Any, characters: int) -> tuple[Any, bool]:
    """The value, or as much of its front as fits, and whether something was left out.

    Lists lose whole entries at their end, objects whole fields, texts are cut; deep levels are replaced.
    """
    cut_any = False

    def fit(node: Any, room: int, depth: int) -> Any:
        nonlocal cut_any
        if isinstance(node, str):
            if len(node) <= LONGEST_TEXT and size(node) <= room:
                return node
            cut_any = True
            return _beginning(node, room)
        if not isinstance(node, dict | list):
            return node
        if depth >= MAX_DEPTH and node:
            cut_any = True
            return "…"
        entries = list(node.items() if isinstance(node, dict) else enumerate(node))
        kept: list[tuple[Any, Any]] = []
        left = room - 2
        for key, entry in entries:
            left -= size(str(key)) + 2 if isinstance(node, dict) else 1
            shaped = fit(entry, left, depth + 1) if left >= SMALLEST_ENTRY else None
            if left < SMALLEST_ENTRY or size(shaped) > left:
                cut_any = True
                break
            kept.append((key, shaped))
            left -= size(shaped)
        return dict(kept) if isinstance(node, dict) else [entry for _, entry in kept]

    return fit(value, characters, 0), cut_any


def _beginning(text: str, room: int) -> str:
    """As much of a text as fits, its escapes as JSON included, with a mark at the end."""
    kept = text[: min(room, LONGEST_TEXT)]
    while kept and (excess := size(kept) + 1 - room) > 0:
        # One character takes at most six as an escape.
        kept = kept[: -max(1, excess // 6)]
    return kept + "…"


def size_of(rows: Sequence[BaseModel]) -> int:
    """Characters of rows as compact JSON, without fields that have no value."""
    return size([row.model_dump(mode="json", exclude_none=True) for row in rows])


def held(rows: Sequence[BaseModel], characters: int, columns: Sequence[tuple[str, int]]) -> list[str]:
    """Make all rows fit by leaving out columns, one after the other, of all rows alike; the names of those left out.

    Args:
        rows: changed in place.
        columns: what may be left out, the least important first, with the characters of a text that are kept.
    """
    left_out: list[str] = []
    for name, kept in columns:
        if size_of(rows) <= characters:
            break
        having = [row for row in rows if getattr(row, name, None) is not None]
        for row in having:
            setattr(row, name, one_line(getattr(row, name), kept) if kept else None)
        if having and not kept:
            left_out.append(name)
    return left_out


def rows_that_fit(rows: Sequence[Any], characters: int) -> int:
    """How many rows from the front fit into so many characters; at least one, so that paging moves on."""
    used = 0
    for index, row in enumerate(rows):
        used += size(row) + 1
        if used > characters:
            return max(1, index)
    return len(rows)
