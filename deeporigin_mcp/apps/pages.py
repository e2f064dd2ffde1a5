"""Pages that are put together by `scripts/apps`: as clients show them, and filled with data.

Each is made of its folder here and of what the pages share, into `built/`: one HTML file that needs nothing beside it
and makes no connection. `built/` is not committed; packages take it along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUILT = Path(__file__).parent / "built"
RESULTS = "results.html"
_BEGIN, _END = '<script type="application/json" id="data">', "</script>"
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What could end the element that holds the data, or a line of it, inside of JSON's strings."""


def is_built() -> bool:
    """Whether this installation has the pages: a clone has none before `scripts/apps` has run, which makes all."""
    return (BUILT / RESULTS).is_file()


def html_of(name: str) -> str:
    """A page without data, such as `card`: for a client that sends it what it shows."""
    return (BUILT / f"{name}.html").read_text(encoding="utf-8")


def page_with(data: Mapping[str, Any]) -> bytes:
    """The page that shows this data; its shape is told in `results/data.js`.

    Raises:
        FileNotFoundError: it is not built.
    """
    before, mark, after = (BUILT / RESULTS).read_text(encoding="utf-8").partition(_BEGIN)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text = text.translate(_ESCAPES)
    return f"{before}{mark}{text}{after[after.index(_END) :]}".encode("utf-8", "replace")
