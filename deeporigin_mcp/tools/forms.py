"""What a value has to look like, in the few words of a table's cell, from its JSON Schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.shaping import rows_that_fit, size

Schema = dict[str, Any]

MAX_OPTIONS = 24
"""Values of an enumeration that are named."""
OPTIONS_CHARACTERS = 600
"""Beyond it the values go without their names for people, and then fewer of them."""
VALUE_CHARACTERS = 60
ABOUT_CHARACTERS = 120

_WORD = re.compile(r"[^\W_]+")


def bounds(node: Schema) -> Iterator[str]:
    """What limits a number, the entries of a list, or the characters of a text."""
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " entries"),
        ("minLength", "maxLength", " characters"),
    ):
        least, most = _number(node.get(low)), _number(node.get(high))
        if least is not None and least == most:
            yield f"{_amount(least)}{unit}"
        elif least is not None and most is not None:
            yield f"{_amount(least)} to {_amount(most)}{unit}"
        elif least == 1 and unit:
            yield "not empty"
        elif least is not None:
            yield f"at least {_amount(least)}{unit}"
        elif most is not None:
            yield f"at most {_amount(most)}{unit}"
    for key, words in (("exclusiveMinimum", "above"), ("exclusiveMaximum", "below")):
        if (bound := _number(node.get(key))) is not None:
            yield f"{words} {_amount(bound)}"


def options_told(options: list[Any], names: list[Any]) -> str:
    """Values of an enumeration, each with its name for people where that says more and all of it has room."""
    values = [value_told(option) for option in options[:MAX_OPTIONS]]
    told = []
    for index, value in enumerate(values):
        name = one_line(text(names[index]), 40) if index < len(names) else ""
        told.append(f"{value} ({name})" if _says_more(name, str(options[index])) else value)
    if size(told) > OPTIONS_CHARACTERS:
        told = values[: rows_that_fit(values, OPTIONS_CHARACTERS)]
    left = len(options) - len(told)
    return " / ".join([*told, f"… {left} more"] if left else told)


def are_all(values: list[Any], options: list[Any]) -> bool:
    """Whether a list of values is all that there are."""
    return bool(options) and {*map(_written, values)} == {*map(_written, options)}


def _says_more(name: str, value: str) -> bool:
    """Whether a name has a word that its value has not: not `Half-life` of `half_life`."""
    said, known = ([word.rstrip("s") for word in _WORD.findall(words.lower())] for words in (name, value))
    return bool({*said} - {*known}) and "".join(said) != "".join(known)


def about(node: Schema) -> str:
    """The platform's words for a parameter, and the kind of thing that it is."""
    kind = text(node.get("x-data-type"))
    said = text(node.get("description")) or text(node.get("x-display-name")) or text(node.get("title"))
    words = [word for word in (said, f"({kind})" if kind and kind.lower() not in said.lower() else "") if word]
    return one_line(" ".join(words), ABOUT_CHARACTERS)


def value_told(value: Any) -> str:
    """A value as JSON; a long list loses whole entries."""
    told = _written(value)
    if isinstance(value, list) and len(told) > VALUE_CHARACTERS:
        entries = [one_line(_written(entry), VALUE_CHARACTERS) for entry in value[:VALUE_CHARACTERS]]
        kept = entries[: rows_that_fit(entries, VALUE_CHARACTERS)]
        left = len(value) - len(kept)
        return f"[{', '.join([*kept, f'… {left} more'] if left else kept)}]"
    return one_line(told, VALUE_CHARACTERS)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _amount(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"


def names_in(value: Any) -> list[str]:
    """The names in what should be a list of them."""
    return [one_line(name, 60) for name in list_in(value) if isinstance(name, str)]


def list_in(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
