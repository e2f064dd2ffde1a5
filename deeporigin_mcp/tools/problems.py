"""What is wrong with inputs by their own JSON Schema: where, what would be right, what was given, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.wire import text
from deeporigin_mcp.tools.examples import example_of
from deeporigin_mcp.tools.forms import ABOUT_CHARACTERS, NOT_EMPTY, Forms, bounds, entries_of, names_of, value_of, wants
from deeporigin_mcp.tools.nearness import did_you_mean, nearest
from deeporigin_mcp.tools.shaping import shown

if TYPE_CHECKING:
    import jsonschema

MAX_NAMES = 20
"""Fields of one object that are told."""
MAX_STRANGE_NAMES = 200
"""Fields of one object among which the missing ones are looked for under other names."""
GIVEN_CHARACTERS = 80
VALID_CHARACTERS = 300

_NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTED = {"Items": " entries", "Length": " characters", "Properties": " fields"}


class Problems:
    """The lines about the errors that `jsonschema` finds with one schema.

    Args:
        schema: the whole schema.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._forms = Forms(schema)

    def lines(self, error: jsonschema.ValidationError) -> list[str]:
        """One line for each field that an error is about."""
        path = ".".join(str(part) for part in error.absolute_path)
        before = f"{path}." if path else ""
        match error.validator:
            case "required" | "dependentRequired":
                return [before + line for line in self._missing(error)]
            case "dependencies" if isinstance(error.validator_value, dict):
                return [before + line for line in self._missing(error)]
            case "additionalProperties" | "unevaluatedProperties":
                # Those of the whole are told as inputs that the tool does not have.
                return [before + line for line in self._not_taken(error)] if path else []
            case "anyOf" | "oneOf":
                return self._alternatives(error, path)
        return [self._line(path, self._wrong(error), self._given(error), self._meant(error), _schema(error))]

    @staticmethod
    def _line(path: str, wrong: str, given: str, meant: str, schema: dict[str, Any]) -> str:
        about = one_line(text(schema.get("description")), ABOUT_CHARACTERS)
        parts = [wrong, f"got {given}", meant, about and f"description: {about}"]
        return f"{path or 'as a whole'}: " + "; ".join(part for part in parts if part)

    def _missing(self, error: jsonschema.ValidationError) -> Iterator[str]:
        given: Any = error.instance
        rule: Any = error.validator_value
        needed = [(name, "") for name in names_of(rule)]
        if isinstance(rule, dict):
            needed = [
                (name, f" with {one_line(key, 60)}") for key in rule if key in given for name in names_of(rule[key])
            ]
        known = _fields(error)
        strange = [name for name in given if name not in known][:MAX_STRANGE_NAMES]
        for name, why in needed:
            if name in given:
                continue
            entry = self._forms.resolved(known.get(name), ())[0]
            instead = nearest(name, strange, count=1) if error.absolute_path else []
            form = self._forms.form_of(known.get(name))
            about = one_line(text(entry.get("description")), ABOUT_CHARACTERS)
            yield (
                f"{name}: is required{why}"
                + (f"; it was given as {one_line(instead[0], 40)}" if instead else "")
                + (f"; valid: {form}" if form else "")
                + (f"; description: {about}" if about else "")
            )

    def _not_taken(self, error: jsonschema.ValidationError) -> Iterator[str]:
        given: Any = error.instance
        known, _ = self._forms.field_names(error.schema)
        patterns = [f"names that match {one_line(str(key), 60)}" for key in _schema(error).get("patternProperties", {})]
        valid = one_line(", ".join([*known, *patterns]) or "no field", VALID_CHARACTERS)
        # The validator knows them by other keywords too, and names them in its message only.
        names = (name for name in given if repr(name) in error.message)
        for name, _ in zip(names, range(MAX_NAMES), strict=False):
            yield f"{one_line(name, 60)}: is not allowed; {did_you_mean(name, known) or f'valid: {valid}'}"

    def _alternatives(self, error: jsonschema.ValidationError, path: str) -> list[str]:
        """What is wrong by the one alternative that was meant; what each wants, if that cannot be told."""
        options: list[Any] = entries_of(error.validator_value)
        given = error.instance
        failed: dict[object, list[jsonschema.ValidationError]] = {}
        for inner in error.context or ():
            failed.setdefault(inner.relative_schema_path[0], []).append(inner)
        if isinstance(given, dict | list):
            meant = [errors for errors in failed.values() if not any(map(_is_another, errors))]
            if len(meant) == 1 < len(failed):
                return [line for inner in meant[0] for line in self.lines(inner)]
        parts = [self._forms.resolved(option, ())[0] for option in options]
        wanted = [wants(part) for part in parts]
        shows = shown(given, GIVEN_CHARACTERS)
        if isinstance(given, dict) and all(wanted):
            wrong = f"needs {_either(wanted)}"
            names = [name for part in parts for name in (*part.get("properties", {}), *names_of(part.get("required")))]
            related = {name: given[name] for name in names if name in given}
            shows = shown(related, GIVEN_CHARACTERS) if related else "none of them"
        else:
            forms = dict.fromkeys(form for option in options if (form := self._forms.form_of(option)))
            wrong = f"must be {_either(list(forms))}" if forms else "fits none of the allowed forms"
        if not failed:
            wrong += ", and only one of them"
        return [self._line(path, one_line(wrong, VALID_CHARACTERS), shows, "", _schema(error))]

    def _wrong(self, error: jsonschema.ValidationError) -> str:
        rule: Any = error.validator_value
        word = str(error.validator)
        schema = _schema(error)
        match word:
            case "type":
                told = f"must be of type {_words(rule)}"
            case "enum":
                told = "must be one of " + one_line(", ".join(map(value_of, rule)), VALID_CHARACTERS)
            case "const":
                told = f"must be {shown(rule, VALID_CHARACTERS)}"
            case "pattern":
                told = f"must match the pattern {one_line(str(rule), VALID_CHARACTERS)}"
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                told = "must be " + ", ".join(bounds({key: schema[key] for key in _NUMBER if key in schema}))
            case "multipleOf" | "divisibleBy":
                told = f"must be a multiple of {value_of(rule)}"
            case _ if word[:3] in ("min", "max") and word[3:] in _COUNTED:
                keys = (f"min{word[3:]}", f"max{word[3:]}")
                limits = ", ".join(bounds({key: schema[key] for key in keys if key in schema}))
                told = "must not be empty" if limits == NOT_EMPTY else f"must have {limits}"
            case "uniqueItems":
                told = "must have no entry twice"
            case "contains" | "minContains" | "maxContains":
                told = f"must hold {_amount(schema)} of the form ({self._form(schema.get('contains'))})"
            case "items" | "additionalItems" if rule is False:
                first = schema.get("prefixItems", schema.get("items"))
                told = f"must have at most {len(entries_of(first))} entries"
            case "unevaluatedItems":
                told = "has entries that are not allowed"
            case "not":
                told = self._forbidden(rule)
            case "properties":
                told = "is not allowed"
            case _:
                told = f"breaks the rule {one_line(word, 40)}: {shown(rule, VALID_CHARACTERS)}"
        return f"a name in it {told}" if "propertyNames" in error.absolute_schema_path else told

    def _forbidden(self, rule: Any) -> str:
        names = names_of(rule.get("required")) if isinstance(rule, dict) else []
        if names:
            return f"must not have {' and '.join(names)}" + (" together" if len(names) > 1 else "")
        return f"must not be {self._form(rule)}"

    def _form(self, entry: Any) -> str:
        return self._forms.form_of(entry) or shown(entry, VALID_CHARACTERS)

    @staticmethod
    def _given(error: jsonschema.ValidationError) -> str:
        given: Any = error.instance
        word = str(error.validator)
        value = shown(given, GIVEN_CHARACTERS)
        if word in ("minItems", "maxItems", "items", "additionalItems"):
            return f"{len(given)} entries"
        if word in ("minProperties", "maxProperties"):
            return f"{len(given)} fields"
        if word in ("minLength", "maxLength"):
            return f"{value} ({len(given)} characters)"
        if word == "uniqueItems" and (same := same_entries(given)):
            return f"{shown(given[same[0]], GIVEN_CHARACTERS)} as entries {same[0]} and {same[1]}"
        if word == "not" and isinstance(given, dict) and isinstance(error.validator_value, dict):
            related = {name: given[name] for name in names_of(error.validator_value.get("required")) if name in given}
            return shown(related or given, GIVEN_CHARACTERS)
        return value

    def _meant(self, error: jsonschema.ValidationError) -> str:
        """What to give instead, as far as the schema or the value tells."""
        given, rule = error.instance, error.validator_value
        if error.validator == "enum":
            return did_you_mean(given, [option for option in entries_of(rule) if isinstance(option, str)])
        if error.validator != "type":
            return ""
        kinds = {*(rule if isinstance(rule, list) else [rule])}
        if isinstance(given, str) and given.lstrip()[:1] in ("{", "[") and {"object", "array"} & kinds:
            return "give the JSON itself, not a text that holds it"
        if {"array", "object"} & kinds:
            items = _schema(error).get("items")
            holds_texts = isinstance(items, dict) and items.get("type") == "string"
            made = [given] if holds_texts and isinstance(given, str) else example_of(error.schema, self._forms.root)
            told = shown(made, 160)
            return f"such as {told}" if made and "null" not in told else ""
        if "string" in kinds and isinstance(given, int | float) and not isinstance(given, bool):
            return f'give it as text: "{given}"'
        return ""


def same_entries(entries: Sequence[Any]) -> tuple[int, int] | None:
    """The places of the first two equal entries; None if all differ, as far as their JSON tells."""
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        first = places.setdefault(json.dumps(entry, sort_keys=True), place)
        if first != place:
            return first, place
    return None


def _is_another(error: jsonschema.ValidationError) -> bool:
    """Whether an alternative with this error is one that was not meant: it is of another kind, or of another mode."""
    return error.validator in ("const", "enum") or (error.validator == "type" and not error.relative_path)


def _either(choices: Sequence[str]) -> str:
    return " or ".join(f"({choice})" if " " in choice and len(choices) > 1 else choice for choice in choices)


def _amount(schema: dict[str, Any]) -> str:
    least, most = schema.get("minContains", 1), schema.get("maxContains")
    return f"at least {least} entries" if most is None else f"{least} to {most} entries"


def _schema(error: jsonschema.ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _fields(error: jsonschema.ValidationError) -> dict[str, Any]:
    found = _schema(error).get("properties", {})
    return found if isinstance(found, dict) else {}


def _words(kinds: Any) -> str:
    return " or ".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds)
