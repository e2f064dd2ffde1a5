"""What the editors of JSON and TOML have in common: paths into a document, and why one cannot be edited."""

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
    """Nothing stands there; not even null."""


MISSING: Final = _Missing()


class Editor(Protocol):
    """A module that edits one format: `jsonc` or `toml`."""

    def read(self, text: str) -> Any: ...
    def put(self, text: str, path: Sequence[Step], value: Any) -> str: ...
    def remove(self, text: str, path: Sequence[Step]) -> str: ...


class SyntaxAtError(ValueError):
    """A document that cannot be parsed. The message repeats nothing of its content."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")


class NotEditableError(ValueError):
    """A document that is valid, but has something else where an object should be."""

    def __init__(self, path: Sequence[Step]) -> None:
        super().__init__(f"{'.'.join(str(step) for step in path) or 'its top level'} is not what can be added to")


def at(value: Any, path: Sequence[Step]) -> Any:
    """What stands at a path, or MISSING."""
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
    """A copy without what stands at some paths, nor the objects on the way that hold nothing else."""
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
