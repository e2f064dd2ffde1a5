"""Text of others made harmless: for messages, names and ids, logs, and the JSON that is sent."""

from __future__ import annotations

import re

from deeporigin_mcp.platform.secrecy import masked

MAX_QUOTED_CHARACTERS = 600
"""How much of the platform's own text a message repeats."""
MAX_WORD_CHARACTERS = 200
"""Longer than any id, name or status that a record has had."""
READ_BEYOND = 20_000
"""So much more of a text is read than is shown: no token, even in base64, is longer, so one that begins in the line is
read whole. To read megabytes would take seconds."""
USUAL_CHARACTERS = 40
"""A word up to here is taken as it is if it is plain: ten thousand rows have five of them each."""

_INVISIBLE = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's format characters (Cf), variation selectors, fillers, and the plane of tags."""
INVISIBLE = re.compile(f"[{_INVISIBLE}]+")
"""What is not seen, yet read by a model, compared, or able to turn the writing direction."""
HARMFUL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_INVISIBLE}]+")
"""Also control characters, line ends, and halves of characters, which cannot be sent on."""

_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_ESCAPE = re.compile(r"\\(?:u(?:[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|([dD][89a-fA-F]\w\w)|\w{4})|.)", re.DOTALL)


def words_of(text: str) -> list[str]:
    """What stands between spaces, line ends and control characters."""
    return text.split() if text.isascii() and text.isprintable() else HARMFUL.sub(" ", INVISIBLE.sub("", text)).split()


def one_line(text: str, limit: int = MAX_QUOTED_CHARACTERS) -> str:
    """One line without control and invisible characters and secrets, length-capped."""
    read = text[: limit + READ_BEYOND]
    flat = masked(" ".join(words_of(read)))
    return flat if len(flat) <= limit and len(read) == len(text) else f"{flat[: limit - 1]}…"


def word(value: object) -> str:
    """An id, a name or a status of a record: one short line; empty for anything but text."""
    if not isinstance(value, str):
        return ""
    if len(value) <= USUAL_CHARACTERS and value.isascii() and value.isprintable():
        return value
    return one_line(value, MAX_WORD_CHARACTERS)


def escaped(json_text: str) -> str:
    """JSON, or a text with JSON in it, with every harmful character as an escape."""
    return HARMFUL.sub(_as_escapes, json_text)


def _as_escapes(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex("|", 2).split("|")
    return "".join(f"\\u{unit}" for unit in units)


def whole_characters(json_text: str) -> str:
    r"""JSON in which each escape of half a character, such as `\ud83d` alone, is that of U+FFFD."""
    if "\\u" not in json_text:
        return json_text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], json_text)


def sendable_json(json_text: str) -> str:
    """JSON, or an event with JSON in it, as it may leave: without the secrets of this process, and on one line.

    Some readers take U+2028 or U+0085 for the end of a line. JSON has no other control characters outside of escapes.
    """
    # Most of it is ASCII, which is passed over quickly.
    whole = _NOT_ASCII.sub(lambda found: escaped(found[0]), whole_characters(json_text))
    return masked(whole)
