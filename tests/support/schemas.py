"""Schemas of tools that are hard on whoever checks inputs by them."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def doubling(levels: int, *, of: str) -> Schema:
    """A small schema in which a value is looked at 2^levels times."""
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
