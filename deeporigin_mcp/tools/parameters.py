"""A tool's inputs as a short table, derived from its JSON Schema and the platform's own keys (platform-facts 1.11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.forms import (
    ALTERNATIVES,
    FORM_CHARACTERS,
    MAX_DEPTH,
    Forms,
    Schema,
    entries_of,
    names_of,
    wants,
)
from deeporigin_mcp.tools.shaping import rows_that_fit
from deeporigin_mcp.tools.views import ParameterRow

MAX_ROWS = 400
ABOUT_CHARACTERS = 120
RULE_CHARACTERS = 300

_PLACES = ("allOf", "oneOf", "anyOf")


class Parameters:
    """The table of a schema. Nothing that a schema may hold is an error: what cannot be read is left out.

    Args:
        schema: the JSON Schema of a tool's inputs; `{}` if there is none.
        left_out: names of inputs that have no row.
    """

    def __init__(self, schema: Schema, *, left_out: Sequence[str] = ()) -> None:
        self._forms = Forms(schema)
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
        required = names_of(node.get("required"))
        for name, entry, is_certain in self._fields(node, seen):
            if len(self._made) >= MAX_ROWS:
                return
            if depth or name not in self._left_out:
                self._field(f"{path}{name}", entry, depth, seen, required=is_certain and name in required)
        extra = self._forms.resolved(node.get("additionalProperties"), seen)[0]
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
            for entry in entries_of(node.get(key)):
                part = self._forms.resolved(entry, seen)[0]
                yield from self._holders(part, seen, certain=certain and key == "allOf", depth=depth + 1)
        for key in ("then", "else"):
            part = self._forms.resolved(node.get(key), seen)[0]
            if part:
                yield from self._holders(part, seen, certain=False, depth=depth + 1)

    def _field(self, path: str, entry: Any, depth: int, seen: tuple[str, ...], *, required: bool) -> None:
        node, seen_here = self._forms.resolved(entry, seen)
        if entry is False or node.get("not") == {}:
            return
        is_known = seen_here == seen and isinstance(entry, dict) and "$ref" in entry
        form = "as further up" if is_known else self._forms.form(node, seen_here)
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
            inner, inner_seen = self._forms.resolved(items, inner_seen)
            inner_path += "[]"
            if len(inner_path) > 200:
                return
        if self._has_fields(inner, inner_seen):
            self._walk(inner, f"{inner_path}.", depth + 1, inner_seen)

    def _has_fields(self, node: Schema, seen: tuple[str, ...]) -> bool:
        return any(True for _ in self._fields(node, seen)) or isinstance(node.get("additionalProperties"), dict)


def _rules(node: Schema) -> Iterator[str]:
    """What the keys that relate fields of an object say."""
    for key, words in ALTERNATIVES.items():
        told = [wanted for entry in entries_of(node.get(key)) if (wanted := wants(entry))]
        if len(told) > 1:
            yield f"{words}: {'; '.join(told)}"
    for part in entries_of(node.get("allOf")):
        if isinstance(part, dict):
            yield from _rules(part)
    condition = wants(node.get("if"))
    for key, word in (("then", "if"), ("else", "unless")):
        if condition and (wanted := wants(node.get(key))):
            yield f"{word} {condition}: {wanted}"
    for key in ("dependentRequired", "dependencies"):
        dependent = node.get(key)
        for name, needed in dependent.items() if isinstance(dependent, dict) else ():
            if names := names_of(needed):
                yield f"{name} needs {' and '.join(names)}"
    forbidden = node.get("not")
    if isinstance(forbidden, dict) and (names := names_of(forbidden.get("required"))):
        yield f"not together: {' and '.join(names)}" if len(names) > 1 else f"not taken: {names[0]}"


def _about(node: Schema) -> str:
    """The platform's words for a parameter, and the kind of thing that it is."""
    kind = text(node.get("x-data-type"))
    said = text(node.get("description")) or text(node.get("x-display-name")) or text(node.get("title"))
    words = [word for word in (said, f"({kind})" if kind and kind.lower() not in said.lower() else "") if word]
    return one_line(" ".join(words), ABOUT_CHARACTERS)
