"""A tool's inputs as a short table, derived from its JSON Schema and the platform's own keys (platform-facts 1.11)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.forms import (
    ALTERNATIVES,
    FORM_CHARACTERS,
    MAX_DEPTH,
    Forms,
    Schema,
    about,
    entries_of,
    names_of,
    wants,
)
from deeporigin_mcp.tools.shaping import rows_that_fit
from deeporigin_mcp.tools.views import ParameterRow

MAX_ROWS = 400
PATH_CHARACTERS = 200
RULE_CHARACTERS = 300
MAX_CUT_NAMED = 6
"""Places that are named where something was cut."""

_PLACES = ("allOf", "oneOf", "anyOf")


class _Place(NamedTuple):
    """Where a parameter stands: how deep, in the parameter with which number, and which optional one it needs."""

    depth: int = 0
    parent: int | None = None
    under: str = ""


class _Made(NamedTuple):
    place: _Place
    row: ParameterRow


class Parameters:
    """The table of a schema. Nothing that a schema may hold is an error: what cannot be read is left out.

    Args:
        schema: the JSON Schema of a tool's inputs; `{}` if there is none.
        left_out: names of inputs that have no row.
        with_names: show the values of enumerations with their names for people.
        repeating: show the fields of a definition wherever it is referred to, and not at its first place only.
    """

    def __init__(
        self, schema: Schema, *, left_out: Sequence[str] = (), with_names: bool = True, repeating: bool = True
    ) -> None:
        self._forms = Forms(schema, with_names=with_names)
        self._left_out = left_out
        self._repeating = repeating
        self._first: dict[tuple[int, int], str] = {}
        self._made: list[_Made] = []
        self._deeper: list[int] = []
        self._has_more = False
        self._told: list[str] = []
        self._walk(schema, "", _Place(), ())

    @property
    def count(self) -> int:
        """Rows of the whole table."""
        return len(self._made)

    def rows(self, characters: int) -> tuple[list[ParameterRow], list[str]]:
        """As much of the table as fits, and what was cut, in words: the deepest parameters go first."""
        by_depth = sorted(range(len(self._made)), key=lambda number: self._made[number].place.depth)
        sizes = [self._made[number].row.model_dump(exclude_none=True) for number in by_depth]
        kept = sorted(by_depth[: rows_that_fit(sizes, characters)])
        return [self._made[number].row for number in kept], self._cut(kept)

    def _cut(self, kept: Sequence[int]) -> list[str]:
        """Where rows are missing, how many, and which forms do not tell all."""
        shown = {*kept}
        cut = []
        missing = [number for number in range(len(self._made)) if number not in shown]
        holders = [self._shown_holder(number, shown) for number in missing]
        below = {number for number in (*holders, *self._deeper) if number in shown}
        outermost = [number for number in sorted(below) if self._shown_holder(number, below) is None]
        if missing or self._has_more or outermost:
            told = f"parameters below {self._named(outermost)}" if outermost else "parameters"
            count = f"over {self.count}" if self._has_more else str(self.count)
            cut.append(f"{told} ({len(kept)} of {count} shown)" if missing or self._has_more else told)
        # This mark is how everything shortened ends.
        shortened = [number for number in kept if "…" in self._made[number].row.form]
        return [*cut, f"form of {self._named(shortened)}"] if shortened else cut

    def _shown_holder(self, number: int, shown: Container[int]) -> int | None:
        """The innermost parameter around this one that has a row; None if there is none."""
        holder = self._made[number].place.parent
        while holder is not None and holder not in shown:
            holder = self._made[holder].place.parent
        return holder

    def _named(self, numbers: Sequence[int]) -> str:
        paths = [one_line(self._made[number].row.path, 80) for number in numbers[:MAX_CUT_NAMED]]
        left = len(numbers) - len(paths)
        return f"{', '.join(paths)} and {left} more" if left else ", ".join(paths)

    def rules(self) -> list[str]:
        """What holds between parameters, one sentence each."""
        return list(dict.fromkeys(self._told))

    def _walk(self, node: Schema, path: str, place: _Place, seen: tuple[str, ...]) -> None:
        """Rows of an object's fields, and the rules among them."""
        required = names_of(node.get("required"))
        for name, entry, is_certain in self._fields(node, seen):
            if len(self._made) >= MAX_ROWS:
                self._has_more = True
                return
            if place.depth or name not in self._left_out:
                self._field(f"{path}{name}", entry, place, seen, required=is_certain and name in required)
        extra = self._forms.resolved(node.get("additionalProperties"), seen)[0]
        if extra:
            self._field(f"{path}*", extra, place, seen, required=False)
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

    def _field(self, path: str, entry: Any, place: _Place, seen: tuple[str, ...], *, required: bool) -> None:
        node, seen_here = self._forms.resolved(entry, seen)
        if entry is False or node.get("not") == {}:
            return
        is_known = seen_here == seen and isinstance(entry, dict) and "$ref" in entry
        form = "as further up" if is_known else self._forms.form(node, seen_here)
        number = len(self._made)
        inner, inner_path, inner_seen = node, path, seen_here
        while (items := inner.get("items")) is not None and not self._has_fields(inner, inner_seen):
            inner, inner_seen = self._forms.resolved(items, inner_seen)
            inner_path += "[]"
            if len(inner_path) > PATH_CHARACTERS:
                break
        has_inside = not is_known and self._has_fields(inner, inner_seen)
        # What came by one reference is one object.
        fields = (id(inner["properties"]), id(inner.get("required"))) if "properties" in inner else (id(inner), 0)
        first = self._first.setdefault(fields, path) if has_inside else path
        if has_inside and first != path and not self._repeating:
            form, has_inside = f"{form}, fields as in {first}", False
        told = one_line(path, PATH_CHARACTERS)
        row = ParameterRow(
            path=told,
            form=one_line(form, FORM_CHARACTERS),
            required=(f"if {place.under}" if place.under else "yes") if required else None,
            about=about(node) or None,
        )
        self._made.append(_Made(place, row))
        if has_inside and (place.depth >= MAX_DEPTH or len(inner_path) > PATH_CHARACTERS):
            self._deeper.append(number)
        elif has_inside:
            under = place.under if required else told
            self._walk(inner, f"{inner_path}.", _Place(place.depth + 1, number, under), inner_seen)

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
