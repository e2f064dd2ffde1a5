"""The platform's own text, made harmless for messages and logs."""

from __future__ import annotations

import re

MAX_QUOTED_CHARACTERS = 600
"""How much of the platform's own text a message repeats."""

HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Control characters, line ends, changes of writing direction, and halves of characters, which cannot be sent on."""


def words_of(text: str) -> list[str]:
    """What stands between spaces, line ends and control characters."""
    return HARMFUL.sub(" ", text).split()


def one_line(text: str, limit: int = MAX_QUOTED_CHARACTERS) -> str:
    """One line without control characters, length-capped."""
    flat = " ".join(words_of(text))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
