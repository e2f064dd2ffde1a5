"""Edits TOML in place: what is not edited keeps every byte, comments and order included.

A table is added at the end of the file and removed by its lines; the standard library's parser tells which lines are
headers. (Libraries that write TOML would move tables of one parent together.)
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deeporigin_mcp.install.documents import NotEditableError, Step, SyntaxAtError

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_POSITION = re.compile(r"\(at line (?P<line>\d+), column (?P<column>\d+)\)")


def read(text: str) -> dict[str, Any]:
    """The tables of a document.

    Raises:
        SyntaxAtError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        position = _POSITION.search(str(error))
        if position:
            line, column = int(position["line"]), int(position["column"])
        else:
            line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
        raise SyntaxAtError("a key or value is missing or wrong", line, column) from None


def put(text: str, path: Sequence[Step], value: Mapping[str, Any]) -> str:
    """The text with the table `value` at `path`; values are strings, lists of strings and tables of these.

    Raises:
        NotEditableError: a table on the way cannot be added to, such as an inline table.
    """
    holder: Any = read(text)
    for step in path[:-1]:
        holder = holder.get(step, {}) if isinstance(holder, dict) else {}
    if path[-1] in holder:
        text = remove(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    before = text if not text or text.endswith("\n") else text + newline
    gap = newline if before and not before.endswith(newline * 2) else ""
    edited = before + gap + newline.join(_lines([str(step) for step in path], value)) + newline
    try:
        read(edited)
    except SyntaxAtError:
        raise NotEditableError(path[:-1]) from None
    return edited


def remove(text: str, path: Sequence[Step]) -> str:
    """The text without the table at `path` and its subtables.

    Raises:
        NotEditableError: it has no header of its own.
    """
    headers = [*_headers(text), (len(text), ())]
    wanted = tuple(path)
    found = False
    for (start, keys), (end, _) in reversed([*itertools.pairwise(headers)]):
        if keys[: len(wanted)] == wanted:
            text = text[:start] + _what_belongs_to_the_next(text[start:end]) + text[end:]
            found = True
    if not found:
        raise NotEditableError(path)
    return text


def _headers(text: str) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """The offset and path of each table. A line that looks like a header may be part of a string."""
    start = 0
    for line in _LINE.findall(text):
        if line.lstrip(" \t").startswith("[") and _is_toml(line) and _is_toml(text[:start]):
            yield start, _path_of(tomllib.loads(line))
        start += len(line)


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


def _path_of(value: Any) -> tuple[Step, ...]:
    keys: list[Step] = []
    while value:
        [(key, value)] = value.items() if isinstance(value, dict) else [(0, value[0])]
        keys += [key] if isinstance(key, str) else []
    return tuple(keys)


def _what_belongs_to_the_next(block: str) -> str:
    """The comments at the end of a table's lines, which belong to the next table."""
    lines: list[str] = _LINE.findall(block)
    last = max(number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    rest = lines[last + 1 :]
    while rest and not rest[0].strip():
        rest.pop(0)
    return "".join(rest)


def _lines(path: Sequence[str], table: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{'.'.join(path)}]"
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{key} = {_written(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield ""
            yield from _lines([*path, key], value)


def _written(value: str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_written(item) for item in value)}]"
    # JSON's strings are valid TOML, except for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
