"""Validators of a tool's inputs that take a bounded number of steps, and know files and SMILES as the platform does.

`jsonschema` by itself follows references without end, tries every pattern with `re`, compares every two entries of a
unique list, and puts whole values into its messages.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.check_state import CURRENT, VALUE_CHARACTERS, CheckState
from deeporigin_mcp.tools.catalogue.patterns import found, is_bounded, ways_to_try
from deeporigin_mcp.tools.catalogue.schemas import (
    KEY,
    REFERENCE_SHOWN,
    Schema,
    fields_of,
    is_file,
    is_readable,
    is_reference,
    is_smiles,
)
from deeporigin_mcp.tools.responses.size_limit import shown

if TYPE_CHECKING:
    # Imported by the functions that use it: it takes a while, and a server starts without it.
    import jsonschema
    from jsonschema.protocols import Validator

Check = Callable[[Any, Any, Any, Any], "Iterator[jsonschema.ValidationError] | None"]

COSTLY_STEPS = 10
"""Steps of a keyword for which the library makes another validator."""
_COSTLY = ("$ref", "$dynamicRef", "$recursiveRef", "not", "if", "contains", "oneOf", "extends", "disallow")

WAYS_OF_A_STEP = 500
"""Ways to try a pattern in the time of one step."""
CHARACTERS_OF_A_STEP = 250
"""Characters of values compared as JSON in the time of one step."""

MAX_SCHEMA_CHARACTERS = 1_000_000
CACHED_VALIDATORS = 64
MAX_CACHED_CHARACTERS = 100_000
"""Of a schema's text. Validators of larger schemas are rare, and are not cached."""


def validator_of(schema: Schema) -> Validator | None:
    """The validator of a schema, cached because making it is slow; None for a schema that cannot be used."""
    text = json.dumps(schema)
    if len(text) > MAX_SCHEMA_CHARACTERS or not schema:
        return None
    return _cached_validator(text) if len(text) <= MAX_CACHED_CHARACTERS else _new_validator(text)


def _new_validator(text: str) -> Validator | None:
    import jsonschema
    import referencing

    whole = json.loads(text)
    dialect = whole.get("$schema") if isinstance(whole, dict) else None
    named = {"$schema": dialect} if isinstance(dialect, str) else {}
    kind: Any = jsonschema.validators.validator_for(named, default=jsonschema.Draft202012Validator)
    schema = json.loads(text, object_hook=_prepared)
    if not is_readable(schema):
        return None
    # By default a reference to a URL would be fetched.
    validator: Validator = _counted(kind, schema)(schema, registry=referencing.Registry())
    return validator


# The key is the schema's text: a changed definition gets a new validator.
_cached_validator = functools.lru_cache(maxsize=CACHED_VALIDATORS)(_new_validator)


def _prepared(node: dict[str, Any]) -> dict[str, Any]:
    """A node of a schema as it is checked."""
    if False in fields_of(node).values():
        # The library's message about a forbidden field has its value and not its name.
        node["properties"] = {
            name: {"not": {}} if entry is False else entry for name, entry in node["properties"].items()
        }
    # A node with a dialect would be checked by that dialect's own validator, whose time is not bounded.
    return {key: value for key, value in node.items() if key != "$schema" or not isinstance(value, str)}


def _counted(kind: Any, schema: Schema) -> Any:
    """A validator class that stops when its steps are used up, and knows files and SMILES."""
    import jsonschema

    checks: dict[str, Check] = dict(kind.VALIDATORS)
    checks |= {"type": _type, "format": _format, "required": _required_fields, "x-data-type": _vendor, "x-key": _vendor}
    checks |= {"pattern": _pattern, "uniqueItems": _unique_items, "multipleOf": _multiple_of}
    checks |= {key: _unless_lenient(checks[key]) for key in ("oneOf", "not") if key in checks}
    # The library's own code for these cannot be counted.
    checks |= dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _skipped)
    patterns = list(dict.fromkeys(_name_patterns(schema)))
    for key in ("patternProperties", "additionalProperties") if patterns else ():
        checks[key] = _of_names(checks[key], patterns)
    counted = {key: _counting(key, check) for key, check in checks.items()}
    return jsonschema.validators.extend(kind, counted)  # type: ignore[no-untyped-call]


def _counting(name: str, check: Check) -> Check:
    steps = COSTLY_STEPS if name in _COSTLY else 1

    def counting(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        sizes = sum(len(value) for value in (rule, instance) if isinstance(value, dict | list))
        if name in ("const", "enum"):
            # Compared as a whole.
            sizes = len(json.dumps(rule))
        CURRENT.get().spend(steps + sizes // 8)
        yield from check(validator, rule, instance, schema) or ()

    return counting


def _unless_lenient(check: Check) -> Check:
    """A check that a value does not match, skipped where it matches only by lenient reading."""

    def lenient(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        state = CURRENT.get()
        before = state.lenient
        errors = list(check(validator, rule, instance, schema) or ())
        yield from (error for error in errors if error.context or state.lenient == before)

    return lenient


def _error(message: str) -> jsonschema.ValidationError:
    import jsonschema

    return jsonschema.ValidationError(message)


def _type(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    kinds = rule if isinstance(rule, list) else [rule]
    state = CURRENT.get()
    if isinstance(instance, str) and is_file(schema):
        state.lenient += "string" not in kinds
        _note_file(state, instance, schema)
        yield from _file_problems(instance)
        return
    if any(validator.is_type(instance, kind) for kind in kinds):
        return
    if instance is None and schema.get("nullable") is True:
        state.lenient += 1
        return
    if is_file(schema):
        state.lenient += 1
        yield from _file_problems(instance)
        return
    if is_reference(instance) and "string" in kinds:
        path = getattr(instance, "path", "")
        state.warn(f"{path}: a file reference, but the schema asks for a string that is not marked as a file.")
        return
    hint = ""
    if isinstance(instance, str) and instance.lstrip()[:1] in ("{", "[") and {"object", "array"} & {*kinds}:
        hint = "; give the JSON itself, not a string that contains it"
    yield _error(f"{shown(instance, VALUE_CHARACTERS)} is not of type {' or '.join(map(str, kinds))}{hint}")


def _note_file(state: CheckState, instance: Any, schema: Any) -> None:
    if schema.get("format") != "directory":
        state.is_file(instance)


def _file_problems(instance: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str):
        if not instance.strip():
            yield _error("is empty; give the path of a file on the platform")
        elif any(letter in instance for letter in "\n\r\0"):
            yield _error(f"{shown(instance, VALUE_CHARACTERS)} is not a path; upload the content and give its path")
    elif not is_reference(instance) or not instance[KEY].strip():
        yield _error(
            f"{shown(instance, VALUE_CHARACTERS)} is not a file; give its path on the platform, or {REFERENCE_SHOWN}"
        )


def _format(_: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if "type" not in schema and is_file(schema):
        _note_file(CURRENT.get(), instance, schema)
        yield from _file_problems(instance)
    elif rule == "smiles":
        CURRENT.get().is_smiles(instance)


def _vendor(_: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if is_smiles(schema):
        CURRENT.get().is_smiles(instance)
    elif rule in ("Ligand", "Molecule"):
        CURRENT.get().is_molecule(instance)
        CURRENT.get().is_entity(instance, "ligand")
    elif rule == "Protein":
        CURRENT.get().is_entity(instance, "protein")
    yield from ()


def _pattern(_: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, str) or not isinstance(pattern, str):
        return
    if is_bounded(pattern, len(instance)):
        CURRENT.get().spend(int(ways_to_try(pattern, len(instance))) // WAYS_OF_A_STEP)
    if found(pattern, instance) is not False:
        return
    message = f"{shown(instance, VALUE_CHARACTERS)} does not match {one_line(pattern, 200)!r}"
    if is_file(schema):
        # It may be meant for the file's name, not for its path.
        CURRENT.get().warn(f"{getattr(instance, 'path', '')}: {message}, the schema's pattern for this file.")
    else:
        yield _error(message)


def _required_fields(_: Any, names: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, dict) or not isinstance(names, list):
        return
    state = CURRENT.get()
    properties = fields_of(schema)
    # Only a node that describes the inputs is expected to describe those that it requires.
    known = state.known if properties and getattr(instance, "path", None) == "" else None
    for name in names:
        entry = properties.get(name)
        if name in instance:
            continue
        if isinstance(entry, dict) and entry.get("default") is not None:
            # The platform fills in defaults before it checks.
            state.lenient += 1
        elif known is not None and name not in known.described:
            state.warn(f"The schema requires {one_line(str(name), 60)!r} and does not describe it.")
        else:
            yield _error(f"{one_line(str(name), 60)!r} is a required property")


def _unique_items(_: Any, wanted: Any, entries: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    if not wanted or not isinstance(entries, list):
        return
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        text = json.dumps(entry, sort_keys=True)
        CURRENT.get().spend(len(text) // CHARACTERS_OF_A_STEP)
        first = places.setdefault(text, place)
        if first != place:
            yield _error(f"{shown(entry, VALUE_CHARACTERS)} is repeated, as entries {first} and {place}")
            return


def _multiple_of(_: Any, step: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    """In decimals: as binary numbers, 0.3 is not a multiple of 0.1."""
    if isinstance(instance, bool) or not isinstance(instance, int | float) or not step:
        return
    with contextlib.suppress(ArithmeticError, ValueError):
        if Decimal(str(instance)) % Decimal(str(step)):
            yield _error(f"{shown(instance, VALUE_CHARACTERS)} is not a multiple of {step}")


def _skipped(_: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    yield from ()


def _of_names(check: Check, patterns: list[str]) -> Check:
    """A check of fields by patterns of their names, skipped for objects whose names would take too long."""

    def bounded(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if not isinstance(instance, dict) or not instance:
            return
        longest = max(map(len, instance))
        CURRENT.get().spend(len(instance) * len(patterns) // 8)
        if all(is_bounded(pattern, longest) for pattern in patterns):
            ways = sum(ways_to_try(pattern, longest) for pattern in patterns)
            CURRENT.get().spend(int(len(instance) * ways) // WAYS_OF_A_STEP)
            yield from check(validator, rule, instance, schema) or ()

    return bounded


def _name_patterns(node: Any) -> Iterator[str]:
    """Every pattern by which a schema names fields."""
    if isinstance(node, dict):
        yield from fields_of(node, "patternProperties")
    for entry in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _name_patterns(entry)
