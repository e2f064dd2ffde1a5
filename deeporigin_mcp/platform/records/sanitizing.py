"""Text and JSON from outside, made safe to show, to log and to send on.

Three things are done to it. Secrets that this process uses are masked wherever they come back, whole, in part or as
base64: a gateway or a debug page may repeat the headers of a request. Text becomes one line without control and
invisible characters. Decoded JSON loses what would stop a reader: lone surrogates, numbers that are not finite or too
large, and endless nesting.
"""

from __future__ import annotations

import binascii
import math
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

# Secrets

MASK = "[secret]"
MAX_SECRETS = 1024
"""The most recently used ones; as many as there may be callers over HTTP. One more costs each request a new index."""
PART_CHARACTERS = 16
"""Length of the indexed parts: every piece of a secret of twice this length is found, of three times it in base64, and
many shorter ones."""
FEWEST_LETTERS = 6
"""A part with fewer different characters is not indexed: it occurs in many texts."""
MOST_PLACES = 16
"""A part that more secrets share is compared with the latest of them only."""
UUID_CHARACTERS = 36
_BASE64 = re.compile(r"[A-Za-z0-9_\-+/]{24,}")
"""Too short for a whole part otherwise."""
_BASE64_OF_TEXT = re.compile(r"(?:[A-Za-f][A-Za-z0-9_\-+/]{3}){5}")
"""What base64 of a part in ASCII has somewhere, and few other texts do: the first bit of three bytes is 0."""
_ENCODED_TEXT = re.compile(rb"[!-~]{16,}")
_TO_STANDARD = str.maketrans("-_", "+/")
_RUNS = re.compile(r"[A-Za-z0-9_\-+/=.~]{16,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# JSON escapes match first, so that no letter of one counts as the start of a secret.
_RUNS_OF_JSON = re.compile(rf"\\u[0-9a-fA-F]{{4}}|\\.|({_RUNS.pattern})", re.DOTALL)
_secrets: OrderedDict[str, None] = OrderedDict()
Place = tuple[str, int]
"""A secret, and the offset of a part in it."""
_parts: dict[str, list[Place]] = {}
"""Part → its places; tokens of one issuer begin alike."""


def register_secret(secret: str) -> None:
    """Mask this text from now on. Beyond `MAX_SECRETS` the least recently used one is forgotten."""
    if len(secret) < PART_CHARACTERS:
        return
    if secret in _secrets:
        _secrets.move_to_end(secret)
        return
    _secrets[secret] = None
    for part, place in _parts_of(secret):
        _parts.setdefault(part, []).append(place)
    if len(_secrets) > MAX_SECRETS:
        oldest, _ = _secrets.popitem(last=False)
        for part, place in _parts_of(oldest):
            _parts[part].remove(place)
            if not _parts[part]:
                del _parts[part]


def masked(text: str) -> str:
    """The text, which may be JSON, with `[secret]` for every secret and every long piece of one."""
    if len(text) < PART_CHARACTERS or not _parts or not any(map(_holds_secret, _RUNS.findall(text))):
        return text
    return _RUNS_OF_JSON.sub(_masked_run, text)


def _holds_secret(run: str) -> bool:
    # Quick, because a response may hold hundreds of ids.
    if len(run) == UUID_CHARACTERS and _UUID.fullmatch(run):
        return False
    if any(run[index : index + PART_CHARACTERS] in _parts for index in range(len(run) - PART_CHARACTERS + 1)):
        return True
    return _BASE64_OF_TEXT.search(run) is not None and any(True for _ in _encoded_pieces(run))


def _masked_run(found: re.Match[str]) -> str:
    run, shown, kept_from = found[0], "", 0
    if found[1] is None:
        return run
    for begin, end in sorted([*_pieces(run), *_encoded_pieces(run)]):
        if end > kept_from:
            # Pieces that overlap or touch are one.
            shown += run[kept_from:begin] + MASK if begin > kept_from or not shown else ""
            kept_from = end
    return shown + run[kept_from:]


def _pieces(run: str) -> Iterator[tuple[int, int]]:
    """Start and end of each piece of a secret, in order; none overlaps another."""
    index = first = 0
    while index <= len(run) - PART_CHARACTERS:
        held = _parts.get(run[index : index + PART_CHARACTERS])
        if held is None:
            index += 1
            continue
        found = [_piece(run, index, first, secret, start) for secret, start in held[-MOST_PLACES:]]
        index = first = max(end for _, end in found)
        yield min(begin for begin, _ in found), index


def _piece(run: str, index: int, first: int, secret: str, start: int) -> tuple[int, int]:
    """Start (at least `first`) and end of what the run and a secret have in common around a place."""
    end, offset = index, start - index
    while index > first and index + offset > 0 and run[index - 1] == secret[index + offset - 1]:
        index -= 1
    while end < len(run) and end + offset < len(secret) and run[end] == secret[end + offset]:
        end += 1
    return index, end


def _encoded_pieces(run: str) -> Iterator[tuple[int, int]]:
    """The same for base64 of a text with a piece in it, of which the run may have any part."""
    for found in _BASE64.finditer(run):
        for begin in range(found.start(), found.start() + 4):
            encoded = run[begin : found.end() - (found.end() - begin) % 4].translate(_TO_STANDARD)
            for text in _ENCODED_TEXT.finditer(binascii.a2b_base64(encoded)):
                for start, end in _pieces(text[0].decode("ascii")):
                    # Three bytes are four characters; one that has bits of others too is masked with it.
                    yield begin + (text.start() + start) * 4 // 3, begin - (text.start() + end) * 4 // -3


def _parts_of(secret: str) -> Iterator[tuple[str, Place]]:
    last = len(secret) - PART_CHARACTERS
    for start in {*range(0, last, PART_CHARACTERS), last}:
        part = secret[start : start + PART_CHARACTERS]
        if len(set(part)) >= FEWEST_LETTERS:
            yield part, (secret, start)


# Text

MAX_QUOTED_CHARACTERS = 600
"""How much of the platform's text a message repeats."""
MAX_WORD_CHARACTERS = 200
"""Longer than any id, name or status that a record has had."""
READ_BEYOND = 20_000
"""So much more of a text is read than is shown: no token, even in base64, is longer, so one that begins in the line is
read whole. To read megabytes would take seconds."""
USUAL_CHARACTERS = 40
"""A short word in printable ASCII is returned at once: ten thousand rows have five of them each."""
_INVISIBLE = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's format characters (Cf), variation selectors, fillers, and the plane of tags."""
INVISIBLE = re.compile(f"[{_INVISIBLE}]+")
"""Characters that nobody sees, but that a model reads or that change the writing direction."""
HARMFUL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_INVISIBLE}]+")
"""Also control characters, line ends, and lone surrogates, which UTF-8 cannot encode."""
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_ESCAPE = re.compile(r"\\(?:u(?:[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|([dD][89a-fA-F]\w\w)|\w{4})|.)", re.DOTALL)


def words_of(text: str) -> list[str]:
    """The words between spaces, line ends and control characters."""
    return text.split() if text.isascii() and text.isprintable() else HARMFUL.sub(" ", INVISIBLE.sub("", text)).split()


def one_line(text: str, limit: int = MAX_QUOTED_CHARACTERS) -> str:
    """One line of at most `limit` characters, without control characters, invisible characters and secrets."""
    read = text[: limit + READ_BEYOND]
    # Ids, times and versions are one visible word, as most texts are.
    is_one_word = read.isascii() and read.isprintable() and " " not in read
    flat = masked(read if is_one_word else " ".join(words_of(read)))
    return flat if len(flat) <= limit and len(read) == len(text) else f"{flat[: limit - 1]}…"


def word(value: object) -> str:
    """An id, a name or a status as one short line; empty for anything but text."""
    if not isinstance(value, str):
        return ""
    if len(value) <= USUAL_CHARACTERS and value.isascii() and value.isprintable():
        return value
    return one_line(value, MAX_WORD_CHARACTERS)


def escaped(json_text: str) -> str:
    """JSON, or a text with JSON in it, with every character of `HARMFUL` as an escape."""
    return HARMFUL.sub(_as_escapes, json_text)


def _as_escapes(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex("|", 2).split("|")
    return "".join(f"\\u{unit}" for unit in units)


def whole_characters(json_text: str) -> str:
    r"""JSON with U+FFFD for each escape of a lone surrogate, such as `\ud83d`."""
    if "\\u" not in json_text:
        return json_text
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], json_text)


def sendable_json(json_text: str) -> str:
    """JSON, or an event with JSON in it, ready to send: without secrets, and on one line.

    Some readers take U+2028 or U+0085 for the end of a line. JSON has no other control characters outside of escapes.
    """
    # Most of it is ASCII, which is skipped quickly.
    whole = _NOT_ASCII.sub(lambda found: escaped(found[0]), whole_characters(json_text))
    return masked(whole)


# JSON

MAX_DEPTH = 200
"""Levels of lists and objects. The deepest progress trees have some dozens; pydantic writes at most 255."""
LARGEST_INTEGER = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_NUMBER = b"0" * len(str(LARGEST_INTEGER))
_LARGE_EXPONENT = re.compile(rb"0e\+?000+(?:[,\]}\s]|\Z)")


def has_usual_numbers(json_text: bytes) -> bool:
    """Whether no number in a JSON text can be beyond 64 bits or infinite; no, if in doubt.

    A search in the bytes takes a sixth of the time that visiting each value does.
    """
    alike = json_text.translate(_DIGITS_ALIKE)
    return _LONG_NUMBER not in alike and _LARGE_EXPONENT.search(alike) is None


def sanitized(decoded: Any) -> Any:
    """Decoded JSON that can be read and sent on, changed in place.

    A lone surrogate becomes U+FFFD. A number that is not finite, or beyond 64 bits, becomes null. What is nested deeper
    than `MAX_DEPTH` becomes empty.
    """
    holder = [decoded]
    level: list[Any] = [holder]
    for depth in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for node in level:
            _sanitize(node, below)
        if not below:
            break
        level = below
        if depth == MAX_DEPTH:
            for node in level:
                node.clear()
    return holder[0]


def _sanitize(node: Any, below: list[Any]) -> None:
    """Sanitise the values of one list or object, and add the lists and objects in it to `below`."""
    has_surrogates = False
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        kind = type(value)
        if kind is str:
            if not value.isascii() and _SURROGATE.search(value):
                node[key] = _SURROGATE.sub("\ufffd", value)
        elif kind is dict or kind is list:
            below.append(value)
        elif (kind is float and not math.isfinite(value)) or (kind is int and abs(value) > LARGEST_INTEGER):
            node[key] = None
        if isinstance(key, str) and not key.isascii():
            has_surrogates = has_surrogates or _SURROGATE.search(key) is not None
    if has_surrogates:
        cleaned = {_SURROGATE.sub("\ufffd", key): value for key, value in node.items()}
        node.clear()
        node.update(cleaned)
