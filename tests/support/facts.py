"""What holds for every answer: text and structured content agree, and neither tells what it must not."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Container, Iterator
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import escaped, words_of

FORBIDDEN = (
    "Error executing tool",
    "Traceback",
    'File "',
    "site-packages",
    "deeporigin_mcp/",
    ".py",
    "pydantic",
    "Bearer",
    "eyJ",
    "httpx",
    "127.0.0.1",
)
"""Stacks, paths, libraries, addresses and the beginning of every JWT."""

HARMFUL = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control and format characters, halves, and line ends: in no answer's text."""

_CALL = re.compile(r"\b([a-z_]+)\(")


def scalars(value: Any) -> Iterator[Any]:
    """Every text, number and truth value in it, and every key that leads to one."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from scalars(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from scalars(entry)
    else:
        yield value


def assert_same_facts(content: dict[str, Any], text: str) -> None:
    """Clients show one of the two to their model; each has to do alone."""
    assert_nothing_is_null(content)
    for value in scalars(content):
        if value is None:
            continue
        shown = escaped(json.dumps(value, ensure_ascii=False))
        words = words_of(value) if isinstance(value, str) else [shown]
        plain = " ".join("¦" if word == "|" else word for word in words)
        assert plain in text or shown in text or shown[1:-1] in text or escaped(str(value)) in text, (value, text)


def assert_nothing_is_null(content: dict[str, Any]) -> None:
    """What is not known is left out; only the platform's own objects may hold nulls."""
    for field, value in content.items():
        assert value is not None
        rows = value if isinstance(value, list) and field not in ("results", "outputs") else []
        assert not any(entry is None for row in rows if isinstance(row, dict) for entry in row.values())


def assert_harmless(text: str) -> None:
    assert not [letter for letter in text if letter != "\n" and unicodedata.category(letter) in HARMFUL], text
    for word in FORBIDDEN:
        assert word not in text, (word, text)


def calls_in(step: str, tools: Container[str]) -> list[tuple[str, dict[str, Any]]]:
    """The calls that a sentence names, as `tool(name=JSON, …)`."""
    found = []
    for match in _CALL.finditer(step):
        if match[1] not in tools:
            continue
        arguments: dict[str, Any] = {}
        place = match.end()
        while step[place] != ")":
            name, _, rest = step[place:].partition("=")
            value, length = json.JSONDecoder().raw_decode(rest)
            arguments[name] = value
            place += len(name) + 1 + length
            place += 2 if step[place] == "," else 0
        found.append((match[1], arguments))
    return found
