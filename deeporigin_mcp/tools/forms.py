"""What an argument of our own tools has to look like, in words derived from its JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.shaping import shown

FORM_CHARACTERS = 900
VALUE_CHARACTERS = 60


def form_of(schema: Mapping[str, Any]) -> str:
    """Such as `integer, 1 to 5, default 1`; empty if anything goes."""
    parts = [_kind(schema), *_bounds(schema)]
    if schema.get("default") is not None:
        parts.append(f"default {shown(schema['default'], VALUE_CHARACTERS)}")
    return one_line(", ".join(part for part in parts if part), FORM_CHARACTERS)


def _kind(schema: Mapping[str, Any]) -> str:
    if options := schema.get("enum"):
        return " / ".join(shown(option, VALUE_CHARACTERS) for option in options)
    if schema.get("type") == "array":
        entries = form_of(schema.get("items", {}))
        return f"list of ({entries})" if " " in entries else f"list of {entries or 'anything'}"
    if "type" in schema:
        return str(schema["type"])
    forms = [form_of(one) for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return " or ".join(dict.fromkeys(forms))


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    """How much a number, or of how many parts anything else, may be."""
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " entries"),
        ("minLength", "maxLength", " characters"),
    ):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            yield f"{_amount(least)} to {_amount(most)}{unit}"
        elif least == 1 and unit:
            yield "not empty"
        elif least is not None:
            yield f"at least {_amount(least)}{unit}"
        elif most is not None:
            yield f"at most {_amount(most)}{unit}"


def _amount(number: float) -> str:
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)
