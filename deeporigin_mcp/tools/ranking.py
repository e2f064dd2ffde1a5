"""Which of the platform's tools fit what somebody says that they want to do."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.tools.nearness import mistyped
from deeporigin_mcp.tools.vocabulary import SAID

MAX_QUERY_WORDS = 40
LONGEST_WORD = 30
MAX_CORRECTIONS = 8
"""Typing errors looked through in one query; each costs a comparison with every word that is known."""
MAX_SCHEMA_WORDS = 300
MAX_SCHEMA_DEPTH = 8

KEY, NAME, DESCRIPTION, SCHEMA = 3.0, 2.0, 1.0, 0.6
"""What a word counts by where it stands."""
SAID_SO = 4.0
"""What a phrase of the vocabulary counts; more for a longer one, less for the tools that it means less."""
NAMED_SO = 5.0
"""As much for the name that the tool itself gives to a value that it takes: it says what a synonym only suggests."""
LEAST_SHARE = 0.25
"""Of the best score; what fits worse than that is noise."""

SchemaText = tuple[str, str, str | None]
"""A property, its name or a value of it or such a value's name for people, and in the last case the value."""

_WORD = re.compile(r"[a-z0-9]+")
_NOISE = frozenset(
    """a about all an and any are as at be been best by calculate can compute could deeporigin deep do does each
    every execution find for from get give have help how i in into is it its job like list look make many me my need of
    on one or origin our perform please predict prediction run several show so some start that the their them these
    they this those three to tool tools two up us use using want was we what when where which will with would you your
    """.split()  # noqa: SIM905
)
_JUNK = re.compile(r"(?<![a-z])test")


class Match(NamedTuple):
    """A tool that fits a query, and the input and value that say so, such as `mode: by-hand (By hand)`."""

    tool: ToolDefinition
    value: str | None = None


def ranked(definitions: Iterable[ToolDefinition], query: str) -> list[ToolDefinition]:
    """The definitions of `matches`."""
    return [found.tool for found in matches(definitions, query)]


def matches(definitions: Iterable[ToolDefinition], query: str) -> list[Match]:
    """The definitions that fit a query, best first; all of them for a query that says nothing.

    The order depends on the definitions and the query only. Tests and nameless tools come after all others.
    """
    tools = sorted(definitions, key=lambda definition: (definition.key, definition.version))
    raw = words_of(query)
    if not raw:
        return [Match(tool) for tool in sorted(tools, key=_is_junk)]
    schemas = [_schema_texts(tool.inputs_schema) for tool in tools]
    texts = [_texts(tool, said) for tool, said in zip(tools, schemas, strict=True)]
    words = [stem(word) for word in _spelled(raw, texts)]
    places = [[(_stems(text), weight) for text, weight in of_tool] for of_tool in texts]
    scores = _scores(places, [_said_part(tool) for tool in tools], words)
    named = _named_values(tools, schemas, words)
    scores = [score + _worth(NAMED_SO, length) for score, (length, _) in zip(scores, named, strict=True)]
    best = max((score for tool, score in zip(tools, scores, strict=True) if not _is_junk(tool)), default=0.0)
    least = LEAST_SHARE * best
    asked = query.strip().lower()
    fitting = [
        (tool.key.lower() != asked, _is_junk(tool), -score, tool.key, Match(tool, value or None))
        for tool, score, (_, value) in zip(tools, scores, named, strict=True)
        if score > 0 and score >= least
    ]
    return [row[-1] for row in sorted(fitting, key=lambda row: row[:-1])]


def lexicon_of(definitions: Iterable[ToolDefinition]) -> list[str]:
    """Every word that finds a tool: those of keys and names, and the vocabulary's."""
    found = {word for tool in definitions for text in (tool.key, tool.name) for word in _WORD.findall(text.lower())}
    found |= {word for phrases, _ in SAID for word in _WORD.findall(phrases)}
    return sorted(word for word in found - _NOISE if len(word) > 3)


def words_of(text: str) -> list[str]:
    """The words of a query that say something."""
    found = [word for word in _WORD.findall(text.lower()) if word not in _NOISE and len(word) <= LONGEST_WORD]
    return found[:MAX_QUERY_WORDS]


@functools.lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without what number and grammar add: ligands → ligand, docking → dock, analogues → analog."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _PROPERTIES:
        word = word[:-1]
    for ending, instead in (("ogue", "og"), ("isation", "ization"), ("ise", "ize"), ("elling", "eling")):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word[: -len(ending)] + instead
    if len(word) >= 7 and word.endswith("ing"):
        word = word[:-3]
    return word


_PROPERTIES = frozenset({"logs", "pains"})
"""Names of properties that only look like a plural."""


def _is_junk(definition: ToolDefinition) -> bool:
    """Tests of the platform's developers, and rows that say nothing about themselves (platform-facts 1.11)."""
    return bool(_JUNK.search(definition.key.lower())) or not (definition.name or definition.description)


def _texts(tool: ToolDefinition, schema_texts: Sequence[SchemaText]) -> list[tuple[str, float]]:
    schema = " ".join(said for _, said, _ in schema_texts)
    return [(tool.key, KEY), (tool.name, NAME), (tool.description, DESCRIPTION), (schema, SCHEMA)]


def _spelled(words: Sequence[str], texts: Sequence[list[tuple[str, float]]]) -> list[str]:
    """The words, those that nobody uses replaced by the most similar one that somebody does."""
    _, lexicon = _vocabulary()
    known = sorted({word for of_tool in texts for text, _ in of_tool for word in _WORD.findall(text.lower())} | lexicon)
    stems = {stem(word) for word in known}
    strange = [word for word in words if len(word) > 3 and word.isalpha() and stem(word) not in stems]
    meant = {word: near[0] for word in strange[:MAX_CORRECTIONS] if (near := mistyped(word, known, cutoff=0.78))}
    return [meant.get(word, word) for word in words]


@functools.lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _WORD.findall(text.lower()))


def _schema_texts(schema: Mapping[str, Any]) -> list[SchemaText]:
    """Properties' names, their allowed values, and these values' names, as far as the first few hundred go."""
    found: list[SchemaText] = []

    def read(node: Any, depth: int, of: str) -> None:
        if depth > MAX_SCHEMA_DEPTH or len(found) >= MAX_SCHEMA_WORDS:
            return
        if isinstance(node, list):
            for entry in node[:MAX_SCHEMA_WORDS]:
                read(entry, depth + 1, of)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "enum" and isinstance(value, list):
                    found.extend((of, entry, None) for entry in value if isinstance(entry, str))
                elif key == "x-enum-display-names" and isinstance(value, list):
                    options = node.get("enum")
                    named = zip(value, options if isinstance(options, list) else [], strict=False)
                    found.extend((of, name, str(option)) for name, option in named if isinstance(name, str))
                elif key == "properties" and isinstance(value, dict):
                    found.extend((name, name, None) for name in value if isinstance(name, str))
                    for name, entry in value.items():
                        read(entry, depth + 2, name)
                elif key in ("$defs", "definitions") and isinstance(value, dict):
                    read(list(value.values()), depth + 1, of)
                elif key in ("items", "anyOf", "oneOf", "allOf", "$defs", "definitions"):
                    read(value, depth + 1, of)

    read(schema, 0, "")
    return found[:MAX_SCHEMA_WORDS]


def _named_values(
    tools: Sequence[ToolDefinition], schemas: Sequence[Sequence[SchemaText]], words: Sequence[str]
) -> list[tuple[int, str]]:
    """For each tool how many words the longest name of a value has that the query holds, and where that is.

    Single words are too common, and what names a tool means that tool (others have steps of that name).
    """
    asked = f" {' '.join(words)} "
    keys = {_said_text(tool) for tool in tools}
    names = {_phrase(text) for text in (*keys, *(tool.name for tool in tools))}
    held = []
    for schema_texts in schemas:
        best = (0, "")
        for of, name, value in schema_texts:
            phrase = _phrase(name) if value is not None else ""
            if phrase not in asked or value is None or value.lower() in keys:
                continue
            length = len(phrase.split())
            if length > max(1, best[0]) and not any(phrase in other for other in names):
                best = (length, f"{of}: {value} ({name})")
        held.append(best)
    return held


@functools.lru_cache(maxsize=4096)
def _phrase(text: str) -> str:
    """The stems of a text's words, with spaces between and around them."""
    return f" {' '.join(map(stem, words_of(text)))} "


def _worth(of_one_word: float, length: int) -> float:
    """What a phrase of so many words counts."""
    return of_one_word * (1 + 0.5 * (length - 1)) if length else 0.0


def _said_part(tool: ToolDefinition) -> frozenset[str]:
    """The words of a key after its owner."""
    return frozenset(_WORD.findall(_said_text(tool)))


def _said_text(tool: ToolDefinition) -> str:
    return tool.key.lower().partition(".")[2] or tool.key.lower()


def _scores(
    places: Sequence[list[tuple[frozenset[str], float]]], parts: Sequence[frozenset[str]], words: Sequence[str]
) -> list[float]:
    """How well each tool fits the words, by rarity of the words, and the phrases, by the vocabulary."""
    known: dict[str, set[str]] = {}
    for term in {term for tool in places for terms, _ in tool for term in terms}:
        known.setdefault(term[:3], set()).add(term)
    scores = [0.0] * len(places)
    for word in dict.fromkeys(words):
        # Words that are alike begin alike.
        near = {term: likeness for term in known.get(word[:3], ()) if (likeness := _similar(word, term))}
        fits = [max(_best(near, terms) * weight for terms, weight in tool) for tool in places]
        holding = sum(fit > 0 for fit in fits)
        # A word that most tools use says little about which one is meant.
        rarity = math.log(1 + len(places) / holding) / math.log(1 + len(places)) if holding else 0.0
        scores = [score + fit * rarity for score, fit in zip(scores, fits, strict=True)]
    for phrase, meant in _phrases_in(words):
        for place, part in enumerate(meant):
            fits_part = frozenset(part.split("-"))
            worth = _worth(SAID_SO, len(phrase)) * (1 - 0.2 * place)
            for number, said in enumerate(parts):
                if fits_part <= said:
                    scores[number] += worth * (0.8 + 0.2 * len(fits_part) / len(said))
    # Of tools that fit alike, the one whose key says nothing else is meant.
    told = [sum(_similar(word, term) > 0 for term in {*map(stem, said)} for word in {*words}) for said in parts]
    return [
        score + 0.5 * min(1.0, count / max(1, len(said))) if score else 0.0
        for score, count, said in zip(scores, told, parts, strict=True)
    ]


def _best(near: Mapping[str, float], terms: frozenset[str]) -> float:
    return max((likeness for term, likeness in near.items() if term in terms), default=0.0)


def _similar(word: str, term: str) -> float:
    """1 for the same word, less for one that begins alike (prepare, preparation), 0 for another."""
    if word == term:
        return 1.0
    short, long = sorted((len(word), len(term)))
    if short < 3 or (short < 4 and len(term) == short):
        return 0.0
    if term.startswith(word) or word.startswith(term):
        return 0.8
    alike = next((place for place in range(short) if word[place] != term[place]), short)
    return 0.6 if alike >= 6 and alike >= 0.6 * long else 0.0


@functools.cache
def _vocabulary() -> tuple[dict[tuple[str, ...], tuple[str, ...]], frozenset[str]]:
    """The vocabulary: phrase in stems → parts of keys, and all the words in it."""
    phrases: dict[tuple[str, ...], tuple[str, ...]] = {}
    words: set[str] = set()
    for said, parts in SAID:
        for phrase in said.split(","):
            found = words_of(phrase)
            words.update(found)
            phrases[tuple(stem(word) for word in found)] = tuple(parts.split())
    return phrases, frozenset(words)


def _phrases_in(words: Sequence[str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The vocabulary's phrases in a query of stems, the longest first at each place."""
    phrases, _ = _vocabulary()
    longest = max(map(len, phrases))
    place = 0
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            phrase = tuple(words[place : place + length])
            if phrase in phrases:
                yield phrase, phrases[phrase]
                place += length
                break
        else:
            place += 1
