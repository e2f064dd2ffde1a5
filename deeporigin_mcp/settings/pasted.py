"""Values as people paste them: what is plainly meant is read, whatever an editor or a shell left around it."""

from __future__ import annotations

import re

_EDGES = " \t\r\n\v\f\u00a0\ufeff\u200b\u200c\u200d\u2060"
"""Blanks, line ends, byte order marks, and characters that nobody sees."""
_CLOSING = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u201e": "\u201c", "«": "»"}
QUOTES = frozenset([*_CLOSING, *_CLOSING.values()])
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)


def plainly(text: str) -> str:
    """A value without blanks, byte order marks and pairs of quotation marks around it."""
    text = text.strip(_EDGES)
    while len(text) > 1 and _CLOSING.get(text[0]) == text[-1]:
        text = text[1:-1].strip(_EDGES)
    return text


def bare_token(text: str) -> str:
    """A token without the word `Bearer` before it, and without the line ends of a terminal inside it."""
    text = plainly(text)
    return "".join(plainly(_SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text).split())
