"""CSV tables that a spreadsheet opens without running anything in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import one_line

MAX_COLUMNS = 200
KEPT = ("platform_path", "note", "missing")
"""Columns of this server behind those of the rows, which are never left out."""
MAX_CELL = 5_000
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")  # noqa: RUF001 (spreadsheets take the wide ones too)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_of(rows: Sequence[Mapping[str, Any]]) -> tuple[bytes, int]:
    """Rows as CSV in UTF-8, and how many columns are left out beyond `MAX_COLUMNS`.

    Columns are in the order in which rows have them, without empty ones.
    """
    import csv
    import io

    used = {name for row in rows for name, value in row.items() if value not in (None, "")}
    named = [name for name in dict.fromkeys(name for row in rows for name in row) if name in used]
    ours = [name for name in named if name in KEPT]
    columns = [name for name in named if name not in KEPT][: MAX_COLUMNS - len(ours)] + ours
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(cell, columns))
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8", "replace"), len(named) - len(columns)


def cell(value: Any) -> str:
    """A value on one line. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    shown = one_line(str(value), MAX_CELL)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown
