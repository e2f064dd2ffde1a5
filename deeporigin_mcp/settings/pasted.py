"""Values as people paste them: what is plainly meant is read, whatever an editor or a shell left around it."""

from __future__ import annotations

import re

_UNSEEN = "\u00a0\u00ad\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
"""Byte order marks, soft hyphens, and other characters that nobody sees."""
_EDGES = " \t\r\n\v\f" + _UNSEEN
_DOUBLE, _SINGLE = '"\u201c\u201d\u201e«»', "'`\u2018\u2019\u201a\u2039\u203a"
"""Quotation marks; which of a kind opens and which closes differs by language."""
QUOTES = frozenset(_DOUBLE + _SINGLE)
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?(?:bearer|token)\s+", re.IGNORECASE)
_WITHOUT_UNSEEN = str.maketrans("", "", _UNSEEN)


def plainly(text: str) -> str:
    """A value without what a file or program that it was copied from has around it.

    That is blanks, byte order marks, pairs of quotation marks, in JSON with backslashes, and the comma or semicolon
    at the end of a line.
    """
    before = None
    while text != before:
        before = text
        text = text.strip(_EDGES)
        if text[-1:] in (",", ";") and text[:1] in QUOTES:
            text = text[:-1].rstrip(_EDGES)
        if len(text) > 3 and text.startswith('\\"') and text.endswith('\\"'):
            text = text[2:-2]
        if len(text) > 1 and any(text[0] in marks and text[-1] in marks for marks in (_DOUBLE, _SINGLE)):
            text = text[1:-1]
    return text


def without_assignment(text: str, name: str) -> str:
    """A variable's value without the variable's own name before it: `export NAME=value` is the whole line of a file."""
    before = re.compile(rf"[\s\ufeff]*(?:(?:export|set)\s+|\$env:)?[\"']?{re.escape(name)}[\"']?\s*[=:]", re.IGNORECASE)
    found = before.match(text)
    return text[found.end() :] if found else text


def bare_token(text: str) -> str:
    """A token without the word `Bearer` before it, and without what a terminal or a page put inside it."""
    text = plainly(text).translate(_WITHOUT_UNSEEN)
    return "".join(plainly(_SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text).split())
