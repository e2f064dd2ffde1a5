"""The last guard of every answer: no tool can give a model more than it should read, whatever the platform holds.

Tools shape their answers themselves, with calls that reach what does not fit; this is for what they did not foresee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeporigin_mcp.platform.wording import one_line
from deeporigin_mcp.tools.rendering import as_text
from deeporigin_mcp.tools.shaping import fitted, rows_that_fit, size

Content = dict[str, Any]

LONGEST_STEP = 6_000
"""A next call is left whole up to here; a hundred ids take less."""
MOST_CUT, CUT_CHARACTERS = 30, 120
"""What was cut is named by names that the platform may have chosen."""
MARGIN = 200
"""For saying what was cut."""
FEWER = "Ask for fewer at a time, or for one by its id, to see what was cut."


def guarded(
    content: Content, characters: int, columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[Content, str]:
    """The content, or as much of it as fits as JSON and as text, and that text.

    Lists lose whole rows at their end, objects whole fields, the largest field first; `cut` names what was cut.

    Args:
        columns: the order of columns in the text, as `as_text` takes it.
    """
    text = as_text(content, columns)
    excess = max(size(content), len(text)) - characters
    if excess <= 0:
        return content, text
    made = dict(content)
    if size(made.get("next_step", "")) > LONGEST_STEP:
        made["next_step"] = "Repeat the call with what is to come next; it is too long to be written out here."
    said = [one_line(str(entry), CUT_CHARACTERS) for entry in (made.get("cut") or ())[:MOST_CUT]]
    if said:
        made["cut"] = said
    cut: dict[str, str] = {}
    rows_left_out = False
    for _ in range(2 * len(content) + 4):
        text = as_text(made, columns)
        excess = max(size(made), len(text)) - characters
        if excess <= 0:
            break
        name = max((name for name in made if name not in ("next_step", "cut")), key=lambda name: size(made[name]))
        value = made[name]
        room = max(2, size(value) - excess - MARGIN)
        if isinstance(value, list) and len(value) > 1:
            made[name] = value[: rows_that_fit(value, room - 2)]
            cut[name] = f"{name}: {len(made[name])} of {len(content[name])}"
            rows_left_out = True
        else:
            made[name], _ = fitted(value, room)
            cut[name] = name
        made["cut"] = [*said, *cut.values()]
        if rows_left_out and "has_more" in made:
            made["has_more"] = True
        made["next_step"] = _with_advice(str(made.get("next_step", "")))
    else:
        text = as_text(made, columns)
    return made, text


def _with_advice(step: str) -> str:
    return step if FEWER in step else f"{step} {FEWER}".strip()
