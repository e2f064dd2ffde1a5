"""Draw the output of `deeporigin-mcp demo`, read from standard input, as a terminal in an SVG file.

Whole steps are left out, and lines that are wider than the picture are cut; nothing is added but marks for that.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.text import Text

COLUMNS = 108
STEPS = (
    "→ import_molecules(kind='ligands'",
    "→ create_execution(tool_key='deeporigin.docking', name='approved drugs'",
    "→ confirm_execution",
    "→ download_files",
    "On disk",
)
"""Beginnings of the steps that are shown."""
MOST_LINES_OF_A_STEP = 14
FONT = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
"""rich refers to fonts on a server; a picture should ask nobody."""


def steps_of(transcript: str) -> list[list[str]]:
    return [block.splitlines() for block in transcript.strip().split("\n\n")]


def excerpt(transcript: str) -> Iterator[str]:
    """The lines to draw: of each kind of step the first one that a person says yes to, if there are several."""
    chosen: dict[str, list[str]] = {}
    for step in steps_of(transcript):
        kind = next((name for name in STEPS if step[0].startswith(name)), None)
        if kind and (kind not in chosen or ("says yes" in "\n".join(step) and "says no" in "\n".join(chosen[kind]))):
            chosen[kind] = step
    for kind in STEPS:
        step = chosen[kind]
        yield ""
        yield from step[:MOST_LINES_OF_A_STEP]
        if len(step) > MOST_LINES_OF_A_STEP:
            yield "  ⋮"


def coloured(line: str) -> Text:
    cut = line if len(line) <= COLUMNS - 2 else line[: COLUMNS - 3] + "…"
    style = "bold cyan" if line.startswith("→") else "yellow" if line.lstrip()[:1] in ("┌", "│", "└") else ""
    if line.startswith("  …"):
        style = "green"
    return Text(cut, style=style)


def main(target: Path) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in excerpt(sys.stdin.read()):
        console.print(coloured(line))
    svg = console.export_svg(
        title="deeporigin-mcp demo", code_format=FONT.sub("", CONSOLE_SVG_FORMAT), unique_id="demo"
    )
    target.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
