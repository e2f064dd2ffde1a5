"""Which regular expressions can be tried on a text in bounded time.

`re` backtracks: `^(a+)+$` takes years on a text of 40 letters, and nothing can interrupt it. So an upper bound of the
ways to try is computed first; above `MAX_WAYS` the text is left to the platform, which checks it anyway.
"""

from __future__ import annotations

import functools
import re

MAX_WAYS = 1_000_000
"""At most some 20 ms."""
MOST_POWERS = 50
"""Practically endless."""

_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_EXACTLY = re.compile(r"(?<!\))\{\d+\}")
_INNERMOST = re.compile(r"\((?:\?(?:P?<\w+>|[:=!>]|<[=!]))?([^()]*)\)(?=([*+]|\{(\d{1,9}\})?)?)")
_CHOICE = "\0"
"""Stands for a `|` that is counted already."""
_VARIES = re.compile(r"[*+?{|\0]")


def found(pattern: str, text: str) -> bool | None:
    """Whether a pattern is found in a text; None if that takes too long or the pattern is invalid."""
    if not is_bounded(pattern, len(text)):
        return None
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return None


def is_bounded(pattern: str, characters: int) -> bool:
    """Whether a pattern can be tried on a text of so many characters."""
    return ways_to_try(pattern, characters) <= MAX_WAYS


def ways_to_try(pattern: str, characters: int) -> float:
    """How many ways there may be to try a pattern on a text of so many characters."""
    powers, factor = _ways(pattern)
    return factor * (characters + 1.0) ** min(powers, MOST_POWERS)


@functools.lru_cache(maxsize=256)
def _ways(pattern: str) -> tuple[int, float]:
    """An upper bound of the ways to try: (k, f) for f · (characters + 1)^k."""
    # Only repetitions, choices and groups matter: an atom for one character is one way.
    bare = _ATOM.sub("x", pattern.replace(_CHOICE, "x"))
    factor = 1.0
    while group := _INNERMOST.search(bare := _EXACTLY.sub("", bare)):
        inner, repeated, exactly = group[1], group[2], group[3]
        if exactly:
            # Even an empty group is tried so often.
            factor *= max(1.0, float(exactly[:-1]))
        if not _VARIES.search(inner):
            inner = "x"
        elif repeated:
            return MOST_POWERS, 1.0
        factor *= 1 + inner.count("|")
        bare = bare[: group.start()] + inner.replace("|", _CHOICE) + bare[group.end() :]
    repeats = len(re.findall(r"[*+{]", bare))
    starts = 0 if bare.startswith("^") and "|" not in bare else 1
    return repeats + starts, factor * (1 + bare.count("|")) * 2.0 ** min(bare.count("?"), MOST_POWERS)
