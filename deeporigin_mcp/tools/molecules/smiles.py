"""The check of a SMILES' text: alphabet, brackets, branches, ring closures, elements.

Valences and aromaticity need RDKit (`chemistry.py`): what passes here may still be invalid.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from deeporigin_mcp.platform.records.sanitizing import one_line

SHOWN_CHARACTERS = 60
BACKSLASH = r"In JSON a backslash is written twice: C/C=C\\C."

SUPPORTED_ELEMENTS = dict.fromkeys(("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"))
"""Those of drug-like ligands, as the official client has them."""

_INVISIBLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")
"""Categories of invisible characters, without the blank."""

_TOKEN = re.compile(
    r"(?P<ring>%\d\d|%\(\d{1,5}\)|\d)"
    r"|(?P<branch>[()])"
    # Atoms; bonds, quadruple and dative ones among them; separate parts and reactions.
    r"|(?:\[[^\[\]]+\]|Cl|Br|[BCNOPSFIbcnops*]|->|<-|[-=#$:/\\~.>]){1,100}"
)
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_RING = re.compile(r"%\d\d|%\(\d{1,5}\)|\d")
_BRACKETED = re.compile(r"\[[^\[\]]+\]")
_ATOM = re.compile(r"[A-Za-z*]")
_SYMBOL = re.compile(r"\[\d*([A-Z][a-z]?|[a-z]{1,2}|\*)[^\[\]]*\]|(Cl|Br|[BCNOPSFIbcnops*])")
_UNBOUND = re.compile(r"^[-=#$:/\\~.](?!>)|(?<!<)[-=#$:/\\~.](?=[-=#$:/\\~.)]|$)|\(\)")
"""A bond or dot before the first atom or to none, and a branch without atoms."""


def name_problem(text: str) -> str | None:
    """Why a text is neither a SMILES nor a name, such as `is empty`; None if it may be one."""
    if not text.strip():
        return "is empty"
    for place, letter in enumerate(text):
        if letter != " " and unicodedata.category(letter) in _INVISIBLE:
            return _invalid_character(letter, place)
    for opening, closing in ("()", "[]"):
        if text.count(opening) != text.count(closing):
            return f"has more {opening} than {closing}, or fewer"
    first, blank, _ = text.partition(" ")
    if blank and smiles_problem(first) is None:
        # A name may have several words, but none begins with a SMILES.
        return smiles_problem(text)
    return None


def smiles_problem(text: str) -> str | None:
    """Why a text is not a SMILES, such as `has a line end at character 6`; None if it may be one."""
    if not text.strip():
        return "is empty"
    if invalid := _NOT_PRINTABLE.search(text):
        if invalid[0] == " ":
            return (
                f"has a blank at character {invalid.start() + 1}; names and other text belong into fields of their own"
            )
        return _invalid_character(invalid[0], invalid.start())
    return next(_syntax_problems(text), None)


def _invalid_character(letter: str, place: int) -> str:
    return f"has {_named(letter)} at character {place + 1}. {BACKSLASH if letter < ' ' else ''}".strip()


def _named(letter: str) -> str:
    """An invalid character, so that a person can find it."""
    usual = {"\n": "a line end", "\r": "a line end", "\t": "a tab"}
    code = f"U+{ord(letter):04X}"
    return usual.get(letter) or f"{unicodedata.name(letter, 'an unprintable character')} ({code})"


def _syntax_problems(text: str) -> Iterator[str]:
    place = depth = 0
    rings: Counter[str] = Counter()
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            letter = text[place]
            yield (
                f"has a bracket {letter} without its other half at character {place + 1}"
                if letter in "[]"
                else f"has {letter!r} at character {place + 1}, which means nothing outside [ ]"
            )
            return
        if ring := token["ring"]:
            rings[_label(ring)] += 1
        elif branch := token["branch"]:
            depth += 1 if branch == "(" else -1
            if depth < 0:
                yield f"has a ) without its ( at character {place + 1}"
                return
        place = token.end()
    if depth:
        yield f"has {depth} ( that no ) closes"
    if open_rings := [label for label, count in rings.items() if count % 2]:
        yield f"does not close ring {', '.join(open_rings[:5])}"
    bare = _BRACKETED.sub(lambda atom: "*" * len(atom[0]), text)
    if not _ATOM.search(bare):
        yield "has no atom"
    if unbound := _UNBOUND.search(bare):
        yield f"has {unbound[0]!r} at character {unbound.start() + 1}, which leads to no atom"


def unsupported_elements(text: str) -> tuple[str, ...]:
    """Elements of a valid SMILES that no drug-like ligand has. Those of counter-ions are left out: they are dropped."""
    parts = [elements_of(part) for part in _molecules(text)]
    organic = [part for part in parts if "C" in part]
    kept = organic if len(organic) == 1 else parts
    return tuple(sorted(set().union(*kept) - SUPPORTED_ELEMENTS.keys()))


def _molecules(text: str) -> list[str]:
    """The molecules of a SMILES: its parts, where those that a ring closure joins, as in `C1.C1`, are one."""
    found: list[tuple[str, set[str]]] = []
    for part in text.split("."):
        labels = Counter(map(_label, _RING.findall(_BRACKETED.sub("*", part))))
        whole, still_open = part, {label for label, count in labels.items() if count % 2}
        joined = [one for one in found if one[1] & still_open]
        found = [one for one in found if one not in joined]
        for other, rings in joined:
            whole, still_open = f"{other}.{whole}", still_open ^ rings
        found.append((whole, still_open))
    return [whole for whole, _ in found]


def _label(ring: str) -> str:
    return ring.strip("%()").lstrip("0") or "0"


def elements_of(text: str) -> set[str]:
    """The elements of a valid SMILES."""
    return {(bracketed or bare).capitalize() for bracketed, bare in _SYMBOL.findall(text)}


def shown(text: str) -> str:
    """A SMILES on one line, cut if it is long."""
    return one_line(text, SHOWN_CHARACTERS)
