"""Schemas of tools, inputs that do not fit them, and schemas on which a check must not spend long."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def doubling(levels: int, *, of: str) -> Schema:
    """A small schema by which a value is checked 2^levels times."""
    parts: dict[str, Any] = {}
    for level in range(levels):
        again = {"$ref": f"#/$defs/d{level + 1}"}
        parts[f"d{level}"] = {
            "allOf": {"allOf": [again, again]},
            "anyOf": {"anyOf": [{"allOf": [again, again]}]},
            "not": {"not": {"anyOf": [again, again]}},
            "if": {"if": again, "then": again, "else": again},
            "unevaluated": {"allOf": [again, again], "unevaluatedProperties": False},
            "required": {"required": ["p", "q"], "properties": {"p": again, "q": again}},
        }[of]
    parts[f"d{levels}"] = {"type": "string"}
    return {"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": parts}


def one_field(schema: Any, **more: Any) -> Schema:
    """A schema of inputs with one field `a`."""
    return {"type": "object", "properties": {"a": schema}, **more}


def fields(*names: str, **more: Any) -> Schema:
    """A schema of inputs with these fields, of any type."""
    return {"properties": {name: {} for name in names}, **more}


_CHOICE = {"anyOf": [{"type": "string"}, {"properties": {"k": {"properties": {"z": {"type": "string"}}}}}]}

INVALID: dict[str, tuple[Any, Schema, list[str]]] = {
    "type": ({"a": False}, one_field({"type": "number"}), ["a"]),
    "JSON in a string": ({"a": '{"id": 1}'}, one_field({"type": "object"}), ["a"]),
    "enum": ({"a": "Fast"}, one_field({"enum": ["fast"]}), ["a"]),
    "required inside": ({"a": {}}, one_field({"properties": {"z": {}}, "required": ["z"]}), ["a"]),
    "not allowed": ({"a": {"y": 1}}, one_field({"properties": {"z": {}}, "additionalProperties": False}), ["a"]),
    "pattern": ({"a": "x"}, one_field({"pattern": "^[A-Z]{4}$"}), ["a"]),
    "multiple": ({"a": 7.45}, one_field({"multipleOf": 0.1}), ["a"]),
    "maximum": ({"a": 9}, one_field({"maximum": 5}), ["a"]),
    "items": (
        {"a": [None] * 11},
        one_field({"items": {"type": "string"}}),
        [f"a.{number}" for number in range(11)],
    ),
    "uniqueItems": ({"a": [1, {"x": None}, 2, {"x": None}]}, one_field({"uniqueItems": True}), ["a"]),
    "alternatives": ({}, fields("b", "c", "d", oneOf=[{"required": ["b"]}, {"required": ["c", "d"]}]), ["inputs"]),
    "both alternatives": (
        {"b": 1, "c": 2},
        fields("b", "c", oneOf=[{"required": ["b"]}, {"required": ["c"]}]),
        ["inputs"],
    ),
    "the alternative that matches best": ({"a": {"k": {"z": 1}}}, one_field(_CHOICE), ["a.k.z"]),
    "a forbidden field": ({"a": 2}, one_field(False), ["a"]),
    "if, then": (
        {"b": 1},
        fields("b", "c", **{"if": {"properties": {"b": {"const": 1}}}, "then": {"required": ["c"]}}),
        ["inputs"],
    ),
    "$ref": (
        {"a": {"x": None}},
        one_field({"$ref": "#/$defs/q"}, **{"$defs": {"q": {"properties": {"x": {"type": "integer"}}}}}),
        ["a.x"],
    ),
    "an empty file": ({"a": ""}, one_field({"type": "string", "format": "file"}), ["a"]),
    "content for a file": ({"a": "x\ny"}, one_field({"type": "string", "format": "file"}), ["a"]),
    "something else for a file": ({"a": 5}, one_field({"type": "string", "format": "file"}), ["a"]),
    "an unknown input": ({"x": 2}, one_field({}), ["x"]),
    "a misspelt input": ({"ligand": 2}, fields("ligands", "protein", additionalProperties=False), ["ligand"]),
}
"""Inputs, the schema that they break, and the paths of the problems."""

DOUBTFUL: dict[str, tuple[Any, Schema]] = {
    "required and not described": ({"a": 1}, fields("a", required=["b"])),
    "a reference for a string": ({"a": {"$provider": "ufa", "key": "x"}}, one_field({"type": "string"})),
    "a name like another": ({"ligandz": 1}, fields("ligands", additionalProperties=True)),
    "a file of another name": ({"a": "b.txt"}, one_field({"type": "string", "format": "file", "pattern": "^a[.]pdf$"})),
    "a reference that leads nowhere": ({"b": 2}, {"properties": {"b": {"$ref": "https://x.invalid/y"}}}),
    "an unknown type": ({"a": 1}, one_field({"type": "file"})),
    "a bound of an older draft": ({"a": 1}, one_field({"exclusiveMinimum": True})),
    "required as a string": ({"a": 1}, {"properties": {"a": {}}, "required": "name"}),
}
"""Inputs and a schema that may mean something else than it says."""
