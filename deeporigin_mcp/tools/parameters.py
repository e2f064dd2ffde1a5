"""A tool's inputs as a short table, derived from its JSON Schema and the platform's own keys (platform-facts 1.11)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.shaping import rows_that_fit, size
from deeporigin_mcp.tools.views import ParameterRow

Schema = dict[str, Any]

MAX_DEPTH = 6
MAX_ROWS = 400
MAX_OPTIONS = 12
"""Values of an enumeration that are named."""
OPTIONS_CHARACTERS = 180
"""Beyond it the values go without their names for people: every value that can be given has to be seen."""
FORM_CHARACTERS = 240
ABOUT_CHARACTERS = 120
RULE_CHARACTERS = 300

_ALTERNATIVES = {"oneOf": "exactly one of", "anyOf": "at least one of"}
_PLACES = ("allOf", "oneOf", "anyOf")


class Parameters:
    """The table of a schema. Nothing that a schema may hold is an error: what cannot be read is left out.

    Args:
        schema: the JSON Schema of a tool's inputs; `{}` if there is none.
        left_out: names of inputs that have no row.
    """

    def __init__(self, schema: Schema, *, left_out: Sequence[str] = ()) -> None:
        self._root = schema
        self._left_out = left_out
        self._made: list[tuple[int, ParameterRow]] = []
        self._told: list[str] = []
        self._walk(schema, "", 0, ())

    def rows(self, characters: int) -> tuple[list[ParameterRow], bool]:
        """As much of the table as fits, and whether that is less than all: the deepest parameters go first."""
        by_depth = sorted(range(len(self._made)), key=lambda index: self._made[index][0])
        sizes = [self._made[index][1].model_dump(exclude_none=True) for index in by_depth]
        kept = sorted(by_depth[: rows_that_fit(sizes, characters)])
        return [self._made[index][1] for index in kept], len(kept) < len(self._made) or len(self._made) >= MAX_ROWS

    def rules(self) -> list[str]:
        """What holds between parameters, one sentence each."""
        return list(dict.fromkeys(self._told))

    def _walk(self, node: Schema, path: str, depth: int, seen: tuple[str, ...]) -> None:
        """Rows of an object's fields, and the rules among them."""
        required = _names(node.get("required"))
        for name, entry, is_certain in self._fields(node, seen):
            if len(self._made) >= MAX_ROWS:
                return
            if depth or name not in self._left_out:
                self._field(f"{path}{name}", entry, depth, seen, required=is_certain and name in required)
        extra = self._resolved(node.get("additionalProperties"), seen)[0]
        if extra:
            self._field(f"{path}*", extra, depth, seen, required=False)
        self._told += [
            one_line(f"{path.rstrip('.')}: {rule}" if path else rule, RULE_CHARACTERS) for rule in _rules(node)
        ]

    def _fields(self, node: Schema, seen: tuple[str, ...]) -> Iterator[tuple[str, Any, bool]]:
        """Name, schema, and whether it is a field of the object itself and not of an alternative only."""
        known: set[str] = set()
        for holder, is_certain in self._holders(node, seen, certain=True, depth=0):
            properties = holder.get("properties")
            for name, entry in properties.items() if isinstance(properties, dict) else ():
                if name not in known:
                    known.add(name)
                    yield name, entry, is_certain

    def _holders(
        self, node: Schema, seen: tuple[str, ...], *, certain: bool, depth: int
    ) -> Iterator[tuple[Schema, bool]]:
        yield node, certain
        if depth >= MAX_DEPTH:
            return
        for key in _PLACES:
            for entry in _list(node.get(key)):
                part = self._resolved(entry, seen)[0]
                yield from self._holders(part, seen, certain=certain and key == "allOf", depth=depth + 1)
        for key in ("then", "else"):
            part = self._resolved(node.get(key), seen)[0]
            if part:
                yield from self._holders(part, seen, certain=False, depth=depth + 1)

    def _field(self, path: str, entry: Any, depth: int, seen: tuple[str, ...], *, required: bool) -> None:
        node, seen_here = self._resolved(entry, seen)
        if entry is False or node.get("not") == {}:
            return
        is_known = seen_here == seen and isinstance(entry, dict) and "$ref" in entry
        form = "as further up" if is_known else self._form(node, seen_here)
        self._made.append(
            (
                depth,
                ParameterRow(
                    path=one_line(path, 200),
                    form=one_line(form, FORM_CHARACTERS),
                    required=True if required else None,
                    about=_about(node) or None,
                ),
            )
        )
        if is_known or depth >= MAX_DEPTH:
            return
        inner, inner_path, inner_seen = node, path, seen_here
        while (items := inner.get("items")) is not None and not self._has_fields(inner, inner_seen):
            inner, inner_seen = self._resolved(items, inner_seen)
            inner_path += "[]"
            if len(inner_path) > 200:
                return
        if self._has_fields(inner, inner_seen):
            self._walk(inner, f"{inner_path}.", depth + 1, inner_seen)

    def _has_fields(self, node: Schema, seen: tuple[str, ...]) -> bool:
        return any(True for _ in self._fields(node, seen)) or isinstance(node.get("additionalProperties"), dict)

    def _resolved(self, entry: Any, seen: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
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
        node: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else {}

    def _form(self, node: Schema, seen: tuple[str, ...], depth: int = 0) -> str:
        """What a value has to look like, such as `integer, 1 to 5, default 1`."""
        parts = [self._kind(node, seen, depth), *_bounds(node)]
        if node.get("format") == "file":
            parts[0] = "file path"
        elif node.get("format"):
            parts.append(str(node["format"]))
        if isinstance(node.get("pattern"), str):
            parts.append(f"pattern {one_line(node['pattern'], 60)}")
        if node.get("default") is not None:
            parts.append(f"default {_value(node['default'])}")
        return ", ".join(part for part in parts if part)

    def _kind(self, node: Schema, seen: tuple[str, ...], depth: int) -> str:
        if "const" in node:
            return f"always {_value(node['const'])}"
        if options := _list(node.get("enum")):
            return _options(options, _list(node.get("x-enum-display-names")))
        kind = node.get("type")
        kinds = [text(name) for name in (kind if isinstance(kind, list) else [kind]) if name and name != "null"]
        if kinds == ["array"] or (not kinds and "items" in node):
            items, items_seen = self._resolved(node.get("items"), seen)
            entries = self._form(items, items_seen, depth + 1) if items and depth < MAX_DEPTH else "anything"
            return f"list of ({entries})" if " " in entries else f"list of {entries}"
        if not kinds:
            for key in ("oneOf", "anyOf"):
                forms = [
                    self._form(part, part_seen, depth + 1)
                    for part, part_seen in (self._resolved(entry, seen) for entry in _list(node.get(key)))
                    if part and part.get("type") != "null" and depth < MAX_DEPTH
                ]
                if forms:
                    return " or ".join(dict.fromkeys(forms))
            return "object" if "properties" in node else "anything"
        return " or ".join(kinds)


def _rules(node: Schema) -> Iterator[str]:
    """What the keys that relate fields of an object say."""
    for key, words in _ALTERNATIVES.items():
        told = [wanted for entry in _list(node.get(key)) if (wanted := _wanted(entry))]
        if len(told) > 1:
            yield f"{words}: {'; '.join(told)}"
    for part in _list(node.get("allOf")):
        if isinstance(part, dict):
            yield from _rules(part)
    condition = _wanted(node.get("if"))
    for key, word in (("then", "if"), ("else", "unless")):
        if condition and (wanted := _wanted(node.get(key))):
            yield f"{word} {condition}: {wanted}"
    for key in ("dependentRequired", "dependencies"):
        dependent = node.get(key)
        for name, needed in dependent.items() if isinstance(dependent, dict) else ():
            if names := _names(needed):
                yield f"{name} needs {' and '.join(names)}"
    forbidden = node.get("not")
    if isinstance(forbidden, dict) and (names := _names(forbidden.get("required"))):
        yield f"not together: {' and '.join(names)}" if len(names) > 1 else f"not taken: {names[0]}"


def _wanted(part: Any) -> str:
    """What one alternative wants, such as `mode = "by-hand" and center`."""
    if not isinstance(part, dict):
        return ""
    told: list[str] = []
    properties = part.get("properties")
    fixed = properties if isinstance(properties, dict) else {}
    for name, entry in fixed.items():
        if isinstance(entry, dict) and "const" in entry:
            told.append(f"{name} = {_value(entry['const'])}")
        elif isinstance(entry, dict) and (options := _list(entry.get("enum"))):
            told.append(f"{name} = {_options(options, [])}")
    named = {word.split(" = ")[0] for word in told}
    told += [name for name in _names(part.get("required")) if name not in named]
    forbidden = part.get("not")
    if isinstance(forbidden, dict) and (names := _names(forbidden.get("required"))):
        told.append(f"without {' and '.join(names)}")
    inner = [wanted for entry in _list(part.get("allOf")) if (wanted := _wanted(entry))]
    for key in _ALTERNATIVES:
        choices = [wanted for entry in _list(part.get(key)) if (wanted := _wanted(entry))]
        inner += [f"({' or '.join(choices)})"] if choices else []
    return " and ".join([*told, *inner])


def _bounds(node: Schema) -> Iterator[str]:
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
        elif least is not None:
            yield f"at least {_amount(least)}{unit}"
        elif most is not None:
            yield f"at most {_amount(most)}{unit}"
    for key, words in (("exclusiveMinimum", "above"), ("exclusiveMaximum", "below")):
        if (bound := _number(node.get(key))) is not None:
            yield f"{words} {_amount(bound)}"


def _options(options: list[Any], names: list[Any]) -> str:
    """Values of an enumeration, each with its name for people where that says more and all of it has room."""
    told = []
    for index, option in enumerate(options[:MAX_OPTIONS]):
        name = one_line(text(names[index]), 40) if index < len(names) else ""
        says_more = name and _plain(name) != _plain(str(option))
        told.append(f"{_value(option)} ({name})" if says_more else _value(option))
    if size(told) > OPTIONS_CHARACTERS:
        told = [_value(option) for option in options[:MAX_OPTIONS]]
    left = len(options) - len(told)
    return " / ".join([*told, f"… {left} more"] if left else told)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _about(node: Schema) -> str:
    """The platform's words for a parameter, and the kind of thing that it is."""
    kind = text(node.get("x-data-type"))
    said = text(node.get("description")) or text(node.get("x-display-name")) or text(node.get("title"))
    words = [word for word in (said, f"({kind})" if kind and kind.lower() not in said.lower() else "") if word]
    return one_line(" ".join(words), ABOUT_CHARACTERS)


def _value(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False, default=str), 60)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _amount(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"


def _names(value: Any) -> list[str]:
    return [one_line(name, 60) for name in _list(value) if isinstance(name, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
