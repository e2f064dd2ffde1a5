"""A tool's JSON Schema as an agent reads it: without what only the platform's web app needs, and with an example.

No schema is an error here. Every function visits each node once, or counts what it visits.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.tools.catalogue.patterns import found

Schema = dict[str, Any]

PROVIDER, KEY = "$provider", "key"
REFERENCE = {PROVIDER: "ufa", KEY: "path/to/file"}
"""A reference to a file of the platform's storage; its path as a string is the other form."""
REFERENCE_SHOWN = f'{{"{PROVIDER}": "ufa", "{KEY}": path}}'
MAX_PARTS = 20_000
"""Nodes of a schema that are cleaned or read."""
MAX_EXAMPLE_VALUES = 2_000
"""Values in an example."""
MAX_ENTRIES = 20
MAX_DEPTH = 32
MAX_CHARACTERS = 200
DESCRIPTION_CHARACTERS = 200

_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONE = ("items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
_BOUNDS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minContains", "maxContains"),
)
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_DROPPED = ("$schema", "$id", "$comment", "title", "description")
_WORD = re.compile(r"[^\W_]+")
_COUNT = re.compile(r"\{(\d{1,3})")
_ENDING = re.compile(r"\\\.\(?(?:\?:)?([A-Za-z0-9]+)")


class TooLarge(Exception):  # noqa: N818 (the schema is valid)
    """A schema, or an example of it, is too large."""


def is_file(node: Any) -> bool:
    """Whether a node stands for a file or folder of the platform's storage."""
    if not isinstance(node, dict):
        return False
    kinds = node.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds or "string"]
    if "string" not in kinds and "object" not in kinds:
        return False
    properties = node.get("properties")
    return (
        node.get("format") in ("file", "directory")
        or "x-deeporigin-path" in node
        or text(node.get("x-data-type")).lower().endswith("file_path")
        or (isinstance(properties, dict) and {PROVIDER, KEY} <= properties.keys())
    )


def is_reference(value: Any) -> bool:
    """Whether a value is a file reference such as `{"$provider": "ufa", "key": path}`."""
    return isinstance(value, dict) and isinstance(value.get(KEY), str) and isinstance(value.get(PROVIDER), str)


def is_smiles(node: Any) -> bool:
    """Whether a node stands for a SMILES, as by `"x-data-type": "Ligand.smiles"`."""
    if not isinstance(node, dict):
        return False
    kinds = (text(node.get(key)).lower() for key in ("x-data-type", "x-key", "format"))
    return any(kind.rpartition(".")[2] == "smiles" for kind in kinds)


def entries_of(value: Any) -> list[Any]:
    """A value that is a list; `[]` for anything else."""
    return value if isinstance(value, list) else []


def fields_of(node: Any, key: str = "properties") -> Schema:
    """A keyword that holds nodes by name; `{}` if it is absent or of another type."""
    inner = node.get(key) if isinstance(node, dict) else None
    return inner if isinstance(inner, dict) else {}


def resolved(node: Any, root: Schema) -> Schema:
    """A node with its references inside the schema followed; `{}` for anything but an object."""
    for _ in range(MAX_DEPTH):
        if not isinstance(node, dict) or "$ref" not in node:
            break
        target = _target(node["$ref"], root)
        node = {**(target if isinstance(target, dict) else {}), **{k: v for k, v in node.items() if k != "$ref"}}
    return node if isinstance(node, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _are_types(value: Any) -> bool:
    return all(isinstance(kind, str) and kind in _TYPES for kind in (value if isinstance(value, list) else [value]))


_SHAPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_OF_SCHEMAS, lambda value: isinstance(value, dict)),
    **dict.fromkeys(_LISTS, lambda value: isinstance(value, list)),
    **dict.fromkeys(_ONE, lambda value: isinstance(value, dict | bool | list)),
    **dict.fromkeys(_BOUNDS, _is_number),
    "type": _are_types,
    "enum": lambda value: isinstance(value, list),
    "required": _are_texts,
    "pattern": lambda value: isinstance(value, str),
    "uniqueItems": lambda value: isinstance(value, bool),
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_are_texts, value.values())),
    "$ref": lambda value: isinstance(value, str),
}
"""The types of the keywords that a check reads. The library's own check of schemas takes 1 ms a node."""


def is_readable(schema: Any) -> bool:
    """Whether a schema's keywords have the types of the newest draft, and it is not too large to be checked."""
    waiting = [schema]
    for node in itertools.islice(waiting, MAX_PARTS):
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict) or not all(_SHAPES[key](node[key]) for key in _SHAPES.keys() & node.keys()):
            return False
        waiting += [part for key in _OF_SCHEMAS for part in fields_of(node, key).values()]
        waiting += [part for key in _LISTS for part in entries_of(node.get(key))]
        for key in _ONE:
            if key in node:
                waiting += node[key] if isinstance(node[key], list) else [node[key]]
    return len(waiting) <= MAX_PARTS


def _target(reference: Any, root: Schema) -> Any:
    """The node that a reference names inside the schema; None for any other reference."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def parts_of(root: Schema) -> Iterator[Schema]:
    """The schema and its nodes for the same value: alternatives, conditions, and what they refer to.

    Raises:
        TooLarge: there are too many.
    """
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, dict):
            continue
        if len(seen) >= MAX_PARTS:
            raise TooLarge
        seen.add(id(node))
        yield node
        waiting.append(_target(node.get("$ref"), root))
        for key in ("allOf", "anyOf", "oneOf"):
            waiting += entries_of(node.get(key))
        waiting += [node.get(key) for key in ("if", "then", "else")]
        waiting += fields_of(node, "dependentSchemas").values()


def cleaned(schema: Schema, depth: int = MAX_DEPTH) -> Schema:
    """The schema without vendor keys, titles and types that other keywords imply; descriptions keep what they mean.

    Args:
        depth: levels that are kept; deeper ones become `…`.
    """
    left = [MAX_PARTS]
    whole = _cleaned(schema, ("",), depth, left)
    # create_execution has a parameter for `sync`, and puts it where the tool expects it.
    if "sync" in fields_of(whole):
        whole["properties"] = {name: entry for name, entry in whole["properties"].items() if name != "sync"}
        whole["required"] = [name for name in entries_of(whole.get("required")) if name != "sync"]
    return {key: value for key, value in whole.items() if key != "required" or value}


def _cleaned(node: Any, name: tuple[str, ...], depth: int, left: list[int]) -> Any:
    """`name`: of the object that the field is in, and of the field."""
    left[0] -= 1
    if not isinstance(node, dict):
        return node
    if depth <= 0 or left[0] <= 0:
        is_cut = bool({*_OF_SCHEMAS, *_LISTS, *_ONE} & node.keys())
        return _own(node, name) | ({"description": "…"} if is_cut else {})
    kept = _own(node, name)
    if PROVIDER in fields_of(node) and is_file(node):
        # The description has all of it.
        return {key: kept[key] for key in ("type", "description") if key in kept}
    for key, value in node.items():
        if key in _OF_SCHEMAS and isinstance(value, dict):
            kept[key] = {inner: _cleaned(entry, (name[-1], inner), depth - 1, left) for inner, entry in value.items()}
        elif key in _LISTS and isinstance(value, list):
            kept[key] = [_cleaned(entry, name, depth - 1, left) for entry in value]
        elif key in _ONE:
            kept[key] = _cleaned(value, name, depth - 1, left)
    return kept


def _own(node: Schema, name: tuple[str, ...]) -> Schema:
    """The node's own keywords, its description first."""
    inner = (*_OF_SCHEMAS, *_LISTS, *_ONE, *_DROPPED)
    kept = {key: value for key, value in node.items() if key not in inner and not key.startswith("x-")}
    if is_file(node):
        kept.pop("format", None)
    if _is_implied(kept.get("type"), node):
        del kept["type"]
    description = _description(node, name)
    return {**({"description": description} if description else {}), **kept}


def _is_implied(kind: Any, node: Schema) -> bool:
    """Whether a reader knows the type from the other keywords."""
    if kind == "object":
        return bool(fields_of(node))
    if kind == "array":
        return isinstance(node.get("items"), dict)
    return kind == "string" and _are_texts(node.get("enum"))


def _description(node: Schema, name: tuple[str, ...]) -> str:
    """The description of a node, with what its vendor keys add to it."""
    own = text(node.get("description")) or text(node.get("x-display-name")) or text(node.get("title"))
    parts = [own] if _adds_words(own, " ".join(name)) else []
    if is_file(node):
        kind = "folder" if node.get("format") == "directory" else "file"
        parts.append(
            f"platform {kind} as {REFERENCE_SHOWN}" if _is_given_by_key(node, name[-1]) else f"platform {kind} path"
        )
    elif is_smiles(node) and "smiles" not in own.lower():
        parts.append("SMILES")
    named = zip(entries_of(node.get("enum")), entries_of(node.get("x-enum-display-names")), strict=False)
    parts += [f"{option}: {label}" for option, label in named if _adds_words(text(label), str(option))]
    return one_line("; ".join(parts), DESCRIPTION_CHARACTERS if len(own) < DESCRIPTION_CHARACTERS else 2_000)


def _is_given_by_key(node: Schema, name: str) -> bool:
    """Whether the schema of a file means a reference rather than a path. A run takes both."""
    return ("x-deeporigin-path" in node or PROVIDER in fields_of(node)) and not name.lower().endswith("path")


def _adds_words(label: str, name: str) -> bool:
    """Whether a label has a word that a name has not: `Half-life` adds nothing to `half_life`."""
    words, others = ({word.rstrip("s") for word in _WORD.findall(entry.lower())} for entry in (label, name))
    return bool(words - others)


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
    return {**REFERENCE, KEY: path} if _is_given_by_key(node, name) else path


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
    return value if _is_number(value) and abs(value) < 1e15 else otherwise
