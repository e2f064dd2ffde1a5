"""Keeping answers within what a model should read: whole entries are left out, and it is said that they were."""

from __future__ import annotations

import json
from typing import Any

RESULT_CHARACTERS = 20_000
CONCISE_CHARACTERS = 5_000
MAX_DEPTH = 12
LONGEST_TEXT = 2_000


def size(value: Any) -> int:
    """Characters of a value as compact JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def fitted(value: Any, characters: int) -> tuple[Any, bool]:
    """The value, or as much of its front as fits, and whether something was left out.

    Lists lose whole entries at their end, objects whole fields, texts are cut; deep levels are replaced.
    """
    cut_any = False

    def fit(node: Any, room: int, depth: int) -> Any:
        nonlocal cut_any
        if isinstance(node, str):
            if len(node) <= min(room, LONGEST_TEXT):
                return node
            cut_any = True
            return node[: max(0, min(room, LONGEST_TEXT))] + "…"
        if not isinstance(node, dict | list):
            return node
        if depth >= MAX_DEPTH and node:
            cut_any = True
            return "…"
        entries = list(node.items() if isinstance(node, dict) else enumerate(node))
        kept: list[tuple[Any, Any]] = []
        left = room - 2
        for key, entry in entries:
            overhead = (len(str(key)) + 4) if isinstance(node, dict) else 1
            if left - overhead < 4:
                cut_any = True
                break
            shaped = fit(entry, left - overhead, depth + 1)
            kept.append((key, shaped))
            left -= overhead + size(shaped)
        return dict(kept) if isinstance(node, dict) else [entry for _, entry in kept]

    return fit(value, characters, 0), cut_any


def rows_that_fit(rows: list[dict[str, Any]], characters: int) -> int:
    """How many rows from the front fit into so many characters; at least one, so that paging moves on."""
    used = 0
    for index, row in enumerate(rows):
        used += size(row) + 1
        if used > characters:
            return max(1, index)
    return len(rows)
