"""What a value has to look like, in words derived from its JSON Schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.shaping import is_longer, rows_that_fit, shown, size

Schema = dict[str, Any]

MAX_DEPTH = 6
MAX_OPTIONS = 24
"""Values of an enumeration that are named."""
OPTIONS_CHARACTERS = 600
"""Beyond it the values go without their names for people, and then fewer of them."""
VALUE_CHARACTERS = 60
FORM_CHARACTERS = 900
ABOUT_CHARACTERS = 120
NOT_EMPTY = "not empty"

ALTERNATIVES = {"oneOf": "exactly one of", "anyOf": "at least one of"}
_WORD = re.compile(r"[^\W_]+")


class Forms:
    """The forms of a schema's parts. Nothing that a schema may hold is an error.

    Args:
        root: the whole schema, where references lead.
        with_names: show the values of enumerations with their names for people.
    """

    def __init__(self, root: Schema, *, with_names: bool = True) -> None:
        self.root = root
        self._with_names = with_names

    def resolved(self, entry: Any, seen: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """A schema with its references followed; one that leads back into itself stays unresolved."""
        node: Any = entry
        for _ in range(MAX_DEPTH):
            reference = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(reference, str) or reference in seen:
                break
            seen = (*seen, reference)
            node = {**self._target(reference), **{key: value for key, value in node.items() if key != "$ref"}}
        return (node if isinstance(node, dict) else {}), seen

    def _target(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            return {}
        node: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else {}

    def field_names(self, entry: Any, depth: int = 0) -> tuple[list[str], bool]:
        """Fields that an object may have by this part or one of its alternatives, and whether these are all."""
        part = self.resolved(entry, ())[0]
        properties, dependent = part.get("properties"), part.get("dependentSchemas")
        names = [*properties] if isinstance(properties, dict) else []
        are_all = not part.get("patternProperties") and not isinstance(part.get("additionalProperties"), dict)
        inner = [option for key in ("allOf", "anyOf", "oneOf") for option in entries_of(part.get(key))]
        inner += [part.get("then"), part.get("else"), *(dependent.values() if isinstance(dependent, dict) else ())]
        for option in inner if depth < MAX_DEPTH else ():
            others, are_its = self.field_names(option, depth + 1)
            names += others
            are_all = are_all and are_its
        return list(dict.fromkeys(names)), are_all

    def form_of(self, entry: Any) -> str:
        """What a value of this part has to look like, such as `integer, 1 to 5, default 1`; empty if anything goes."""
        node, seen = self.resolved(entry, ())
        form = one_line(self.form(node, seen), FORM_CHARACTERS)
        return "" if form == "anything" else form

    def form(self, node: Schema, seen: tuple[str, ...], depth: int = 0) -> str:
        """As `form_of`, for a part whose references have been followed."""
        parts = [self._kind(node, seen, depth), *bounds(node)]
        if node.get("format") == "file":
            parts[0] = "file path"
        elif node.get("format"):
            parts.append(str(node["format"]))
        if isinstance(node.get("pattern"), str):
            parts.append(f"pattern {one_line(node['pattern'], 60)}")
        if (default := node.get("default")) is not None:
            entries = self.resolved(node.get("items"), seen)[0] if isinstance(default, list) else {}
            is_all = isinstance(default, list) and _are_all(default, entries_of(entries.get("enum")))
            parts.append(f"default {'all' if is_all else value_of(default)}")
        return ", ".join(part for part in parts if part)

    def _kind(self, node: Schema, seen: tuple[str, ...], depth: int) -> str:
        if "const" in node:
            return f"always {value_of(node['const'])}"
        if options := entries_of(node.get("enum")):
            return options_of(options, entries_of(node.get("x-enum-display-names")) if self._with_names else [])
        kind = node.get("type")
        kinds = [text(name) for name in (kind if isinstance(kind, list) else [kind]) if name and name != "null"]
        if kinds == ["array"] or (not kinds and "items" in node):
            items, items_seen = self.resolved(node.get("items"), seen)
            entries = self.form(items, items_seen, depth + 1) if items and depth < MAX_DEPTH else "anything"
            return f"list of ({entries})" if " " in entries else f"list of {entries}"
        if not kinds:
            for key in ("oneOf", "anyOf"):
                forms = [
                    self.form(part, part_seen, depth + 1)
                    for part, part_seen in (self.resolved(entry, seen) for entry in entries_of(node.get(key)))
                    if part and part.get("type") != "null" and depth < MAX_DEPTH
                ]
                if forms:
                    return " or ".join(dict.fromkeys(forms))
            return "object" if "properties" in node else "anything"
        return " or ".join(kinds)


def wants(part: Any) -> str:
    """What one alternative wants, such as `mode = "by-hand" and center`."""
    if not isinstance(part, dict):
        return ""
    told: list[str] = []
    properties = part.get("properties")
    fixed = properties if isinstance(properties, dict) else {}
    for name, entry in fixed.items():
        if isinstance(entry, dict) and "const" in entry:
            told.append(f"{name} = {value_of(entry['const'])}")
        elif isinstance(entry, dict) and (options := entries_of(entry.get("enum"))):
            told.append(f"{name} = {options_of(options, [])}")
    named = {word.split(" = ")[0] for word in told}
    told += [name for name in names_of(part.get("required")) if name not in named]
    forbidden = part.get("not")
    if isinstance(forbidden, dict) and (names := names_of(forbidden.get("required"))):
        told.append(f"without {' and '.join(names)}")
    inner = [wanted for entry in entries_of(part.get("allOf")) if (wanted := wants(entry))]
    for key in ALTERNATIVES:
        choices = [wanted for entry in entries_of(part.get(key)) if (wanted := wants(entry))]
        inner += [f"({' or '.join(choices)})"] if choices else []
    return " and ".join([*told, *inner])


def bounds(node: Schema) -> Iterator[str]:
    """How much a number, or of how many parts anything else, may be."""
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " entries"),
        ("minLength", "maxLength", " characters"),
        ("minProperties", "maxProperties", " fields"),
    ):
        least, most = number_of(node.get(low)), number_of(node.get(high))
        if least is not None and least == most:
            yield f"{_amount(least)}{unit}"
        elif least is not None and most is not None:
            yield f"{_amount(least)} to {_amount(most)}{unit}"
        elif least == 1 and unit:
            yield NOT_EMPTY
        elif least is not None:
            yield f"at least {_amount(least)}{unit}"
        elif most is not None:
            yield f"at most {_amount(most)}{unit}"
    for key, words in (("exclusiveMinimum", "above"), ("exclusiveMaximum", "below")):
        if (bound := number_of(node.get(key))) is not None:
            yield f"{words} {_amount(bound)}"


def options_of(options: list[Any], names: list[Any]) -> str:
    """Values of an enumeration, each with its name for people where that says more and all of it has room."""
    values = [value_of(option) for option in options[:MAX_OPTIONS]]
    told = []
    for index, value in enumerate(values):
        name = one_line(text(names[index]), 40) if index < len(names) else ""
        told.append(f"{value} ({name})" if _says_more(name, str(options[index])) else value)
    if size(told) > OPTIONS_CHARACTERS:
        told = values[: rows_that_fit(values, OPTIONS_CHARACTERS)]
    left = len(options) - len(told)
    return " / ".join([*told, f"… {left} more"] if left else told)


def _are_all(values: list[Any], options: list[Any]) -> bool:
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


def value_of(value: Any) -> str:
    """A value that is allowed, as JSON; a long list loses whole entries."""
    if isinstance(value, list) and is_longer(value, VALUE_CHARACTERS):
        entries = [shown(entry, VALUE_CHARACTERS) for entry in value[:VALUE_CHARACTERS]]
        kept = entries[: rows_that_fit(entries, VALUE_CHARACTERS)]
        left = len(value) - len(kept)
        return f"[{', '.join([*kept, f'… {left} more'] if left else kept)}]"
    return shown(value, VALUE_CHARACTERS)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def number_of(value: Any) -> float | None:
    """A finite number; None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _amount(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def names_of(value: Any) -> list[str]:
    """The texts of a list, each on one line."""
    return [one_line(name, 60) for name in entries_of(value) if isinstance(name, str)]


def entries_of(value: Any) -> list[Any]:
    """A list; an empty one for anything else."""
    return value if isinstance(value, list) else []
