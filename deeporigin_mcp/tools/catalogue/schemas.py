"""The nodes of a tool's JSON Schema, and what they stand for.

No schema is an error here. Every function, also of `shown_schemas.py` and `examples.py`, visits each node once, or
counts what it visits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from deeporigin_mcp.platform.records.values import text

Schema = dict[str, Any]

PROVIDER, KEY = "$provider", "key"
REFERENCE = {PROVIDER: "ufa", KEY: "path/to/file"}
"""A reference to a file of the platform's storage; its path as a string is the other form."""
REFERENCE_SHOWN = f'{{"{PROVIDER}": "ufa", "{KEY}": path}}'
MAX_PARTS = 20_000
"""Nodes of a schema that are cleaned or read."""
MAX_DEPTH = 32

BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
IN_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLE = ("items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
"""Keywords whose values are schemas: by name, in a list, and one."""
_BOUNDS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minContains", "maxContains"),
)
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


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


def is_given_by_key(node: Schema, name: str) -> bool:
    """Whether the schema of a file means a reference rather than a path. A run takes both."""
    return ("x-deeporigin-path" in node or PROVIDER in fields_of(node)) and not name.lower().endswith("path")


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


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _are_types(value: Any) -> bool:
    return all(isinstance(kind, str) and kind in _TYPES for kind in (value if isinstance(value, list) else [value]))


_SHAPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(BY_NAME, lambda value: isinstance(value, dict)),
    **dict.fromkeys(IN_LISTS, lambda value: isinstance(value, list)),
    **dict.fromkeys(SINGLE, lambda value: isinstance(value, dict | bool | list)),
    **dict.fromkeys(_BOUNDS, is_number),
    "type": _are_types,
    "enum": lambda value: isinstance(value, list),
    "required": are_texts,
    "pattern": lambda value: isinstance(value, str),
    "uniqueItems": lambda value: isinstance(value, bool),
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(are_texts, value.values())),
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
        waiting += [part for key in BY_NAME for part in fields_of(node, key).values()]
        waiting += [part for key in IN_LISTS for part in entries_of(node.get(key))]
        for key in SINGLE:
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
