"""Edits JSON with comments and trailing commas in place: what is not edited keeps every byte.

The standard library decodes strings, numbers and literals; this module parses objects, arrays and comments, and turns
an edit into the few characters that change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from deeporigin_mcp.install.documents import MISSING, Identified, NotEditableError, Step, SyntaxAtError, at

_BLANKS = " \t\r\n"
_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_SAME_LINE_END = re.compile(r"[ \t]*(?:\r?\n|//|$)")
_INDENT = re.compile(r"[ \t]*")
DEFAULT_INDENT = "  "


def _no_constant(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


_SCALARS = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(frozen=True)
class Member:
    """One element of an object (with its key) or of an array; offsets into the text."""

    key: str | None
    start: int
    node: Node
    comma: int | None
    """The offset of the comma after it."""

    @property
    def end(self) -> int:
        return self.node.end if self.comma is None else self.comma + 1


@dataclass(frozen=True)
class Node:
    """A value and its offsets in the text."""

    start: int
    end: int
    value: Any
    members: list[Member] = field(default_factory=list)


def read(text: str) -> Any:
    """The value of a document; an empty one counts as an empty object.

    Raises:
        SyntaxAtError: it is not JSON with comments and trailing commas.
    """
    root = _parse(text)
    return {} if root is None else root.value


def put(text: str, path: Sequence[Step], value: Any) -> str:
    """The text with `value` at `path`; missing objects and arrays on the way are added.

    Raises:
        NotEditableError: something on the way is not an object or array.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    root = _parse(text)
    if root is None:
        separator = newline if text and not text.endswith("\n") else ""
        return text + separator + _rendered(_wrapped(path, value), DEFAULT_INDENT, "", newline) + newline
    node, rest = root, list(path)
    while rest and (found := _member(node, rest[0])) is not None:
        node = found.node
        rest.pop(0)
    unit = _unit(text, root)
    if not rest:
        rendered = _rendered(value, unit, _line_indent(text, node.start), newline)
        return text[: node.start] + rendered + text[node.end :]
    if not isinstance(node.value, list if isinstance(rest[0], Identified) else dict):
        raise NotEditableError(path[: len(path) - len(rest)])
    return _added(text, node, rest, value, unit, newline)


def remove(text: str, path: Sequence[Step]) -> str:
    """The text without the value at `path`, which must exist."""
    node = _parse(text)
    for step in path[:-1]:
        found = None if node is None else _member(node, step)
        node = None if found is None else found.node
    gone = None if node is None else _member(node, path[-1])
    if node is None or gone is None:
        raise KeyError(path)
    index = next(number for number, member in enumerate(node.members) if member is gone)
    start = len(text[: gone.start].rstrip(_BLANKS))
    end = gone.end
    alone = _SAME_LINE_END.match(text, end)
    if not alone and ("\n" in text[start : gone.start] or text[end] not in "}]"):
        # Something follows on the same line: keep the blanks before, so that it does not end up in a comment.
        start, end = gone.start, len(text) - len(text[end:].lstrip(_BLANKS))
    if len(node.members) == 1 and not (text[node.start + 1 : gone.start] + text[gone.end : node.end - 1]).strip(
        _BLANKS
    ):
        start, end = node.start + 1, node.end - 1
    edited = text[:start] + text[end:]
    comma = node.members[index - 1].comma if index == len(node.members) - 1 and gone.comma is None else None
    return edited if comma is None else edited[:comma] + edited[comma + 1 :]


def _added(text: str, node: Node, rest: list[Step], value: Any, unit: str, newline: str) -> str:
    """A new last member of an object or array."""
    close = node.end - 1
    place = len(text[:close].rstrip(_BLANKS))
    outer = _line_indent(text, node.start)
    last = node.members[-1] if node.members else None
    key = "" if isinstance(rest[0], Identified) else json.dumps(rest[0], ensure_ascii=False) + ": "
    whole = _wrapped(rest[1:], value)
    if last is not None and "\n" not in text[node.start : close]:
        added, after = " " + key + json.dumps(whole, ensure_ascii=False), ""
    else:
        inner = _line_indent(text, last.start) if last and _starts_line(text, last.start) else outer + unit
        added = newline + inner + key + _rendered(whole, unit, inner, newline)
        after = "" if "\n" in text[place:close] else newline + outer
    if last is not None and last.comma is None:
        text, place = text[: last.node.end] + "," + text[last.node.end :], place + 1
    elif last is not None:
        added += ","
    return text[:place] + added + after + text[place:]


def _wrapped(path: Sequence[Step], value: Any) -> Any:
    for step in reversed(path):
        value = [value] if isinstance(step, Identified) else {step: value}
    return value


def _rendered(value: Any, unit: str, indent: str, newline: str) -> str:
    """JSON over several lines, but with each list of plain values on one."""
    inner = indent + unit
    if isinstance(value, dict) and value:
        parts = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        opened, closed = "{", "}"
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        parts = [""] * len(value)
        opened, closed = "[", "]"
    else:
        return json.dumps(value, ensure_ascii=False)
    items = value.values() if isinstance(value, dict) else value
    lines = [inner + key + _rendered(item, unit, inner, newline) for key, item in zip(parts, items, strict=True)]
    return opened + newline + ("," + newline).join(lines) + newline + indent + closed


def _line_indent(text: str, position: int) -> str:
    match = _INDENT.match(text, text.rfind("\n", 0, position) + 1)
    return match.group()[:position] if match else ""


def _starts_line(text: str, position: int) -> bool:
    return not text[text.rfind("\n", 0, position) + 1 : position].strip(" \t")


def _unit(text: str, root: Node) -> str:
    """The indentation of one level in this file."""
    for member in root.members:
        if "\n" in text[: member.start] and _starts_line(text, member.start):
            return _line_indent(text, member.start) or DEFAULT_INDENT
    return DEFAULT_INDENT


def _member(node: Node, step: Step) -> Member | None:
    for member in reversed(node.members):  # clients read the last of duplicate keys
        if isinstance(step, Identified):
            if isinstance(node.value, list) and at([member.node.value], [step]) is not MISSING:
                return member
        elif member.key == step:
            return member
    return None


def _parse(text: str) -> Node | None:
    start = _skip(text, 0)
    if start == len(text):
        return None
    try:
        root = _value(text, start)
    except RecursionError:
        raise _error(text, start, "it is nested too deeply") from None
    end = _skip(text, root.end)
    if end != len(text):
        raise _error(text, end, "something follows the end")
    return root


def _skip(text: str, position: int) -> int:
    match = _TRIVIA.match(text, position)
    return match.end() if match else position


def _value(text: str, start: int) -> Node:
    opened = text[start : start + 1]
    if opened not in ("{", "["):
        try:
            value, end = _SCALARS.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise _error(text, error.pos, "a value is missing or wrong") from None
        except ValueError:
            raise _error(text, start, "a value is wrong") from None
        return Node(start, end, value)
    members: list[Member] = []
    position = start + 1
    for member in _members(text, position, "}" if opened == "{" else "]"):
        members.append(member)
        position = member.end
    end = _skip(text, position) + 1
    if opened == "[":
        return Node(start, end, [member.node.value for member in members], members)
    return Node(start, end, {str(member.key): member.node.value for member in members}, members)


def _members(text: str, position: int, closed: str) -> Iterator[Member]:
    while True:
        start = position = _skip(text, position)
        if text.startswith(closed, position):
            return
        key = None
        if closed == "}":
            if not text.startswith('"', position):
                raise _error(text, position, 'a key in double quotes or "}" is missing')
            name = _value(text, position)
            key, position = name.value, _skip(text, name.end)
            if not text.startswith(":", position):
                raise _error(text, position, '":" is missing')
            position = _skip(text, position + 1)
        node = _value(text, position)
        position = _skip(text, node.end)
        comma = position if text.startswith(",", position) else None
        yield Member(key, start, node, comma)
        if comma is None:
            if not text.startswith(closed, position):
                raise _error(text, position, f'"," or "{closed}" is missing')
            return
        position += 1


def _error(text: str, position: int, problem: str) -> SyntaxAtError:
    line = text.count("\n", 0, position) + 1
    return SyntaxAtError(problem, line, position - text.rfind("\n", 0, position))
