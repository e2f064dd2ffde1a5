"""Examples of a tool's inputs, made of its JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.tools.catalogue.patterns import found
from deeporigin_mcp.tools.catalogue.schemas import (
    KEY,
    MAX_DEPTH,
    REFERENCE,
    Schema,
    TooLarge,
    entries_of,
    fields_of,
    is_file,
    is_given_by_key,
    is_number,
    is_smiles,
    resolved,
)

MAX_EXAMPLE_VALUES = 2_000
"""Values in an example."""
MAX_ENTRIES = 20
MAX_CHARACTERS = 200

_COUNT = re.compile(r"\{(\d{1,3})")
_ENDING = re.compile(r"\\\.\(?(?:\?:)?([A-Za-z0-9]+)")


def examples_of(schema: Schema) -> Iterator[Any]:
    """Candidates for an example: constants, defaults and first options, with the first branch, the second, ….

    They need not be valid: check them.
    """
    branches = 1
    branch = 0
    while branch < min(branches, MAX_ENTRIES):
        maker = _ExampleMaker(schema, branch)
        try:
            yield maker.make(schema, "", 0)
        except (TooLarge, RecursionError):
            return
        branches = max(branches, maker.branches)
        branch += 1


def example_of(node: Any, root: Schema, name: str) -> Any:
    """One such value for a node of the schema."""
    try:
        return _ExampleMaker(root, 0).make(node, name, 0)
    except (TooLarge, RecursionError):
        return None


class _ExampleMaker:
    """Makes one example with the branch of this number; `branches` is the largest number of branches met."""

    def __init__(self, root: Schema, branch: int) -> None:
        self._root = root
        self._branch = branch
        self._left = MAX_EXAMPLE_VALUES
        self.branches = 1

    def make(self, node: Any, name: str, number: int, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise TooLarge
        node = self._joined(node)
        for key in ("const", "default"):
            if node.get(key) is not None:
                return node[key]
        for key in ("examples", "enum"):
            if options := entries_of(node.get(key)):
                return options[number % len(options)]
        kind = node.get("type")
        kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
        if is_file(node):
            return _example_file(node, name, number)
        if kind == "array" or (kind is None and ("items" in node or "prefixItems" in node)):
            first = entries_of(node.get("prefixItems"))
            count = min(MAX_ENTRIES, int(max(1, len(first), _number(node.get("minItems"), 1))))
            entries = [*first, *[node.get("items", {})] * count][:count]
            return [self.make(entry, name, place, depth + 1) for place, entry in enumerate(entries)]
        if kind in ("integer", "number"):
            return _example_number(node, is_whole=kind == "integer")
        if kind == "boolean":
            return False
        if kind == "string" or (kind is None and not fields_of(node) and "required" not in node):
            return _example_text(node, name, number)
        return self._example_object(node, number, depth)

    def _joined(self, node: Any) -> Schema:
        """A node merged with what it refers to, all of its allOf, and one of its alternatives."""
        joined = resolved(node, self._root)
        for key in ("allOf", "oneOf", "anyOf"):
            options = [option for option in entries_of(joined.get(key)) if isinstance(option, dict)]
            options = [option for option in options if option.get("type") != "null"]
            if key != "allOf" and options:
                self.branches = max(self.branches, len(options))
                options = [options[min(self._branch, len(options) - 1)]]
            for option in options:
                self._left -= 1
                if self._left < 0:
                    raise TooLarge
                joined = _merged({k: v for k, v in joined.items() if k != key}, self._joined(option))
        return joined

    def _example_object(self, node: Schema, number: int, depth: int) -> dict[str, Any]:
        properties = fields_of(node)
        wanted = [name for name in entries_of(node.get("required")) if isinstance(name, str)]
        if not wanted:
            # An empty object shows nothing: use the field that identifies a molecule or file.
            wanted = [str(name) for name in ("smiles", "file_path", "id") if name in properties][:1]
        return {name: self.make(properties.get(name, {}), name, number, depth + 1) for name in dict.fromkeys(wanted)}


def _merged(first: Schema, second: Schema) -> Schema:
    """One node that means both of two."""
    both = {**first, **second}
    inner, other = fields_of(first), fields_of(second)
    if inner or other:
        both["properties"] = {**inner, **{name: _one(inner.get(name), other[name]) for name in other}}
    if names := [*entries_of(first.get("required")), *entries_of(second.get("required"))]:
        both["required"] = [*dict.fromkeys(name for name in names if isinstance(name, str))]
    return both


def _one(known: Any, other: Any) -> Any:
    return {**known, **other} if isinstance(known, dict) and isinstance(other, dict) else other


def _example_file(node: Schema, name: str, number: int) -> Any:
    """A path or reference of a file or folder that matches the schema."""
    pattern = node.get("pattern")
    path = "path/to/folder" if node.get("format") == "directory" else "path/to/file"
    if isinstance(pattern, str):
        endings = ("", *(f".{ending}" for ending in _ENDING.findall(pattern)))
        tried = [f"{stem}{ending}" for stem in (path, "file") for ending in endings]
        path = next((one for one in tried if found(pattern, one)), path)
    stem, dot, ending = path.partition(".")
    path = f"{stem}-{number + 1}{dot}{ending}" if number else path
    return {**REFERENCE, KEY: path} if is_given_by_key(node, name) else path


def _example_number(node: Schema, *, is_whole: bool) -> float:
    """1 if that is valid, else the least valid number, else the greatest."""
    least, most = _number(node.get("minimum"), -math.inf), _number(node.get("maximum"), math.inf)
    above, below = _number(node.get("exclusiveMinimum"), -math.inf), _number(node.get("exclusiveMaximum"), math.inf)
    low, high = max(least, above), min(most, below)
    value = 1.0 if low < 1 < high else low if low > -math.inf else high
    if not above < value < below:
        value = value + (1 if value == low else -1) if math.isinf(low) or math.isinf(high) else (low + high) / 2
    step = _number(node.get("multipleOf"), 1 if is_whole else 0)
    value = math.ceil(value / step) * step if step > 0 else value
    return int(value) if value == int(value) else value


def _example_text(node: Schema, name: str, number: int) -> str:
    """A string that matches the schema; a SMILES where the node or its name asks for one."""
    likely = ["text"]
    if is_smiles(node) or name.lower().endswith(("smiles", "smiles_list")):
        likely = ["CCO", "CCN", "CCC"]
    least = int(min(MAX_CHARACTERS, max(0, _number(node.get("minLength"), 0))))
    most = int(min(MAX_CHARACTERS, max(0, _number(node.get("maxLength"), MAX_CHARACTERS))))
    value = likely[number % len(likely)].ljust(least, "x")[:most]
    pattern = node.get("pattern")
    if not isinstance(pattern, str):
        return value
    counts = {1, 4, 8, *(int(count) for count in _COUNT.findall(pattern)[:10])}
    tried = [value, *(letter * count for letter in ("A", "a", "1", "A1", "a1") for count in sorted(counts))]
    return next((one for one in tried if found(pattern, one) and least <= len(one) <= most), value)


def _number(value: Any, otherwise: float) -> float:
    return value if is_number(value) and abs(value) < 1e15 else otherwise
