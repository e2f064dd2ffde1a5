"""The tokens that this process uses, masked wherever they come back: whole, in part, or as base64.

A gateway or a debug page may repeat the headers of a request. What it repeats must reach neither a model nor a log.
"""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Iterator

MASK = "[secret]"
MAX_SECRETS = 256
"""The ones used last; as many as callers over HTTP have a place."""
PART_CHARACTERS = 16
"""So much is compared: every piece of a secret that is at least twice as long is found, and many shorter ones."""

FEWEST_LETTERS = 6
"""Different ones in a part that may be masked."""
MOST_PLACES = 16
"""What more secrets than these have in common is none, and is not compared with all of them."""
UUID_CHARACTERS = 36

_RUNS = re.compile(r"[A-Za-z0-9_\-+/=.~]{16,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Escapes of JSON come first, so that no letter of one is taken for the beginning of a secret.
_RUNS_OF_JSON = re.compile(rf"\\u[0-9a-fA-F]{{4}}|\\.|({_RUNS.pattern})", re.DOTALL)

_secrets: OrderedDict[str, None] = OrderedDict()
Place = tuple[str, int]
"""A form of a secret, and where a part begins in it."""

_parts: dict[str, list[Place]] = {}
"""Part → where it is from; tokens of one issuer begin alike."""


def keep_secret(secret: str) -> None:
    """Mask this from now on; the secrets that were used least recently are forgotten."""
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
    """The text with `[secret]` for every secret in it, and for every long piece of one. It may be JSON."""
    if not _parts or not any(map(_holds_secret, _RUNS.findall(text))):
        return text
    return _RUNS_OF_JSON.sub(_masked_run, text)


def _holds_secret(run: str) -> bool:
    # An answer may hold hundreds of ids.
    if len(run) == UUID_CHARACTERS and _UUID.fullmatch(run):
        return False
    return any(run[index : index + PART_CHARACTERS] in _parts for index in range(len(run) - PART_CHARACTERS + 1))


def _masked_run(found: re.Match[str]) -> str:
    run, shown, index, kept_from = found[0], "", 0, 0
    if found[1] is None:
        return run
    while index < len(run):
        held = _parts.get(run[index : index + PART_CHARACTERS])
        if held is None:
            index += 1
            continue
        pieces = [_piece(run, index, kept_from, form, start) for form, start in held[-MOST_PLACES:]]
        shown += run[kept_from : min(begin for begin, _ in pieces)] + MASK
        index = kept_from = max(end for _, end in pieces)
    return shown + run[kept_from:]


def _piece(run: str, index: int, first: int, form: str, start: int) -> tuple[int, int]:
    """Where what the run and a form have in common around a place begins, not before `first`, and where it ends."""
    end, offset = index, start - index
    while index > first and index + offset > 0 and run[index - 1] == form[index + offset - 1]:
        index -= 1
    while end < len(run) and end + offset < len(form) and run[end] == form[end + offset]:
        end += 1
    return index, end


def _parts_of(secret: str) -> Iterator[tuple[str, Place]]:
    for form in _forms_of(secret):
        last = max(0, len(form) - PART_CHARACTERS)
        for start in {*range(0, last, PART_CHARACTERS), last}:
            part = form[start : start + PART_CHARACTERS]
            # Sixteen times the same letter is in many texts, and tells nothing.
            if len(set(part)) >= FEWEST_LETTERS:
                yield part, (form, start)


def _forms_of(secret: str) -> Iterator[str]:
    """The secret, and what base64 of a text with the secret in it holds, wherever it begins there."""
    yield secret
    for skipped in range(3) if len(secret) >= 2 * PART_CHARACTERS else ():
        encoded = secret.encode("utf-8", "replace")[skipped:]
        form = base64.b64encode(encoded[: len(encoded) // 3 * 3]).decode()
        yield form
        if (for_urls := form.translate(str.maketrans("+/", "-_"))) != form:
            yield for_urls
