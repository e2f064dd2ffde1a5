"""The known word that a mistyped one was probably meant for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHORTEST_BEGINNING = 3
LONGEST_COMPARED = 80
"""Characters. Known words are shorter, and comparing long texts is slow."""


def closest(given: object, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The only known word that begins with a given one, else the most similar, or None. Case is ignored.

    Args:
        cutoff: least similarity, 0 to 1.
    """
    if not isinstance(given, str) or len(given) > LONGEST_COMPARED:
        return None
    start, words = given.strip().lower(), {word.lower(): word for word in known}
    longer = [word for word in words if len(start) >= SHORTEST_BEGINNING and word.startswith(start)]
    near = longer if len(longer) == 1 else difflib.get_close_matches(start, words, n=1, cutoff=cutoff)
    return words[near[0]] if near else None


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """`did you mean Completed?`, or `""` if no known word is close."""
    meant = closest(given, known)
    return f"did you mean {meant}?" if meant else ""
