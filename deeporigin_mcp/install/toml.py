"""Edits TOML in place: what is not edited keeps every byte, comments and order included."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable

from deeporigin_mcp.install.documents import NotEditableError, Step, SyntaxAtError

_POSITION = re.compile(r"\(at line (?P<line>\d+), column (?P<column>\d+)\)|\(at end of document\)")


def read(text: str) -> dict[str, Any]:
    """The tables of a document.

    Raises:
        SyntaxAtError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        position = _POSITION.search(str(error))
        if position and position["line"]:
            line, column = int(position["line"]), int(position["column"])
        else:
            line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
        raise SyntaxAtError("a key or value is missing or wrong", line, column) from None


def put(text: str, path: Sequence[Step], value: dict[str, Any]) -> str:
    """The text with the table `value` at `path`, added at the end, where a table of its own is always allowed.

    Raises:
        NotEditableError: what is on the way is written in a form that cannot be added to, such as `{ … }` in one line.
    """
    keys = [str(step) for step in path]
    parent = read(text)
    for key in keys[:-1]:
        parent = parent.get(key, {})
    if keys[-1] in parent:
        text = remove(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    document = tomlkit.document()
    table = tomlkit.table()
    for key, item in value.items():
        table.add(key, item)
    for key in reversed(keys[1:]):
        outer = tomlkit.table(is_super_table=True)
        outer.add(key, table)
        table = outer
    document.add(keys[0], table)
    block = tomlkit.dumps(document).replace("\n", newline)
    before = text if not text or text.endswith("\n") else text + newline
    edited = before + (newline if before and not before.endswith(newline * 2) else "") + block
    try:
        read(edited)
    except SyntaxAtError:
        raise NotEditableError(path[:-1]) from None
    return edited


def remove(text: str, path: Sequence[Step]) -> str:
    """The text without the table at `path`, which must exist. Tables may stand in several places of the file."""
    document = tomlkit.parse(text)
    keys = [str(step) for step in path]
    tables: list[Any] = [item for key, item in document.body if key is not None and key.key == keys[0]]
    for key in keys[1:-1]:
        tables = [table[key] for table in tables if isinstance(table, AbstractTable) and key in table]
    holders = [table for table in tables if isinstance(table, AbstractTable) and keys[-1] in table]
    if not holders:
        raise KeyError(path)
    for holder in holders:
        holder.remove(keys[-1])
    return tomlkit.dumps(document)
