"""Shared by the editors of JSON and TOML: paths into a document, and the errors of editing one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol


@dataclass(frozen=True)
class Identified:
    """The element of an array whose `id` is this."""

    id: str


Step = str | Identified
"""One step of a path: the key of an object, or an element of an array."""


class _Missing:
    """The type of `MISSING`: there is no value at a path, not even null."""


MISSING: Final = _Missing()


class Editor(Protocol):
    """A module that edits one format: `jsonc` or `toml`."""

    def read(self, text: str) -> Any: ...
    def put(self, text: str, path: Sequence[Step], value: Any) -> str: ...
    def remove(self, text: str, path: Sequence[Step]) -> str: ...


class SyntaxAtError(ValueError):
    """A document that cannot be parsed. The message does not repeat its content."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")


class NotEditableError(ValueError):
    """A valid document with something else where an object or array should be."""

    def __init__(self, path: Sequence[Step]) -> None:
        super().__init__(f"nothing can be added to {'.'.join(str(step) for step in path) or 'its top level'}")


def at(value: Any, path: Sequence[Step]) -> Any:
    """The value at a path, or MISSING."""
    for step in path:
        if isinstance(step, Identified):
            items = value if isinstance(value, list) else []
            value = next(
                (item for item in reversed(items) if isinstance(item, dict) and item.get("id") == step.id), MISSING
            )
        else:
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING:
            return MISSING
    return value


def without(value: Any, paths: Sequence[Sequence[Step]]) -> Any:
    """A copy without the values at some paths, nor the objects on the way that become empty."""
    value = copy.deepcopy(value)
    for path in paths:
        for length in range(len(path), 0, -1):
            found = at(value, path[:length])
            if found is MISSING or (length < len(path) and found != {} and found != []):
                continue
            holder, step = at(value, path[: length - 1]), path[length - 1]
            if isinstance(step, Identified):
                holder.remove(found)
            else:
                del holder[step]
    return value
