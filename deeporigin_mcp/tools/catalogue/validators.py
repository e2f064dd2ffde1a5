"""Validators of a tool's inputs that take a bounded number of steps, and read files and SMILES as the platform does.

`jsonschema` follows references as often as they are met, tries every pattern with `re`, compares every two entries of
a list that must not repeat, and writes values into its messages however large they are.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.patterns import found, is_bounded, ways_to_try
from deeporigin_mcp.tools.catalogue.reading import RUN, VALUE_CHARACTERS
from deeporigin_mcp.tools.catalogue.schemas import (
    KEY,
    PROVIDER,
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

DEAR = 10
"""Steps that a rule counts for which the library makes a validator of its own."""
_DEAR = ("$ref", "$dynamicRef", "$recursiveRef", "not", "if", "contains", "oneOf", "extends", "disallow")

WAYS_OF_A_STEP = 500
"""Ways to try a pattern that take as long as a step of other rules."""
CHARACTERS_OF_A_STEP = 250
"""Of values that are written out to be compared; likewise."""

MAX_SCHEMA_CHARACTERS = 1_000_000
KEPT_VALIDATORS = 64
MAX_KEPT_CHARACTERS = 100_000
"""Of a schema's text. Larger ones are rare, and are made anew."""


def validator_of(schema: Schema) -> Validator | None:
    """What checks inputs; None for a schema that cannot be used. Kept, because making one takes long."""
    text = json.dumps(schema)
    if len(text) > MAX_SCHEMA_CHARACTERS or not schema:
        return None
    return _kept_validator(text) if len(text) <= MAX_KEPT_CHARACTERS else _made_validator(text)


def _made_validator(text: str) -> Validator | None:
    import jsonschema
    import referencing

    whole = json.loads(text)
    dialect = whole.get("$schema") if isinstance(whole, dict) else None
    named = {"$schema": dialect} if isinstance(dialect, str) else {}
    kind: Any = jsonschema.validators.validator_for(named, default=jsonschema.Draft202012Validator)
    schema = json.loads(text, object_hook=_prepared)
    if not is_readable(schema):
        return None
    # By default a reference to an address would be fetched from it, wherever it leads.
    validator: Validator = _counted(kind, schema)(schema, registry=referencing.Registry())
    return validator


# By the schema's text, so that a definition that changes is never checked against its old schema.
_kept_validator = functools.lru_cache(maxsize=KEPT_VALIDATORS)(_made_validator)


def _prepared(node: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema as it is checked."""
    if False in fields_of(node).values():
        # The library says of the field that may not be there only what was in it.
        node["properties"] = {
            name: {"not": {}} if entry is False else entry for name, entry in node["properties"].items()
        }
    # Parts that name a dialect would be checked by that one's usual validator, whose time is not bounded.
    return {key: value for key, value in node.items() if key != "$schema" or not isinstance(value, str)}


def _counted(kind: Any, schema: Schema) -> Any:
    """A kind of validator that stops after so many steps, and that reads files and SMILES as the platform does."""
    import jsonschema

    checks: dict[str, Check] = dict(kind.VALIDATORS)
    checks |= {"type": _type, "format": _format, "required": _required_fields, "x-data-type": _vendor, "x-key": _vendor}
    checks |= {"pattern": _pattern, "uniqueItems": _unique_items, "multipleOf": _multiple_of}
    checks |= {key: _unless_lenient(checks[key]) for key in ("oneOf", "not") if key in checks}
    # How the library finds what was evaluated cannot be counted.
    checks |= dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _left_to_the_platform)
    patterns = list(dict.fromkeys(_name_patterns(schema)))
    for key in ("patternProperties", "additionalProperties") if patterns else ():
        checks[key] = _of_names(checks[key], patterns)
    counted = {key: _counting(key, check) for key, check in checks.items()}
    return jsonschema.validators.extend(kind, counted)  # type: ignore[no-untyped-call]


def _counting(name: str, check: Check) -> Check:
    steps = DEAR if name in _DEAR else 1

    def counting(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        sizes = sum(len(value) for value in (rule, given) if isinstance(value, dict | list))
        if name in ("const", "enum"):
            # They are compared with all that is in them.
            sizes = len(json.dumps(rule))
        RUN.get().spend(steps + sizes // 8)
        yield from check(validator, rule, given, schema) or ()

    return counting


def _unless_lenient(check: Check) -> Check:
    """A check that something does not fit, made to pass where it fits only because we read the schema leniently."""

    def lenient(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        run = RUN.get()
        before = run.lenient
        errors = list(check(validator, rule, given, schema) or ())
        yield from (error for error in errors if error.context or run.lenient == before)

    return lenient


def _error(message: str) -> jsonschema.ValidationError:
    import jsonschema

    return jsonschema.ValidationError(message)


def _type(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    kinds = rule if isinstance(rule, list) else [rule]
    run = RUN.get()
    if isinstance(given, str) and is_file(schema):
        run.lenient += "string" not in kinds
        yield from _file_problems(given)
        return
    if any(validator.is_type(given, kind) for kind in kinds):
        return
    if given is None and schema.get("nullable") is True:
        run.lenient += 1
        return
    if is_file(schema):
        run.lenient += 1
        yield from _file_problems(given)
        return
    if is_reference(given) and "string" in kinds:
        path = getattr(given, "path", "")
        run.doubt(f"{path}: a file is given where the schema asks for a text and does not say that it is a file.")
        return
    hint = ""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "[") and {"object", "array"} & {*kinds}:
        hint = "; give the JSON itself, not a text that holds it"
    yield _error(f"{shown(given, VALUE_CHARACTERS)} is not of type {' or '.join(map(str, kinds))}{hint}")


def _file_problems(given: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(given, str):
        if not given.strip():
            yield _error("is empty; give the path of a file on the platform")
        elif any(letter in given for letter in "\n\r\0"):
            yield _error(
                f"{shown(given, VALUE_CHARACTERS)} is no path: it has a line end; upload the content and give its path"
            )
    elif not is_reference(given) or not given[KEY].strip():
        reference = f'{{"{PROVIDER}": "ufa", "{KEY}": path}}'
        yield _error(f"{shown(given, VALUE_CHARACTERS)} is no file; give its path on the platform, or {reference}")


def _format(_: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if "type" not in schema and is_file(schema):
        yield from _file_problems(given)
    elif rule == "smiles":
        RUN.get().is_smiles(given)


def _vendor(_: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if is_smiles(schema):
        RUN.get().is_smiles(given)
    elif rule in ("Ligand", "Molecule"):
        RUN.get().is_molecule(given)
    yield from ()


def _pattern(_: Any, pattern: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(given, str) or not isinstance(pattern, str):
        return
    if is_bounded(pattern, len(given)):
        RUN.get().spend(int(ways_to_try(pattern, len(given))) // WAYS_OF_A_STEP)
    if found(pattern, given) is not False:
        return
    told = f"{shown(given, VALUE_CHARACTERS)} does not match {one_line(pattern, 200)!r}"
    if is_file(schema):
        # It may be meant for the file's name, not for where it is.
        RUN.get().doubt(f"{getattr(given, 'path', '')}: {told}, which the schema asks of this file.")
    else:
        yield _error(told)


def _required_fields(_: Any, names: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(given, dict) or not isinstance(names, list):
        return
    run = RUN.get()
    properties = fields_of(schema)
    # Only a part that describes the inputs is expected to describe what it requires.
    known = run.known if properties and getattr(given, "path", None) == "" else None
    for name in names:
        entry = properties.get(name)
        if name in given:
            continue
        if isinstance(entry, dict) and entry.get("default") is not None:
            # The platform fills in defaults before it checks.
            run.lenient += 1
        elif known is not None and name not in known.described:
            run.doubt(f"The schema requires {one_line(str(name), 60)!r} and does not describe it.")
        else:
            yield _error(f"{one_line(str(name), 60)!r} is a required property")


def _unique_items(_: Any, wanted: Any, entries: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    if not wanted or not isinstance(entries, list):
        return
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        text = json.dumps(entry, sort_keys=True)
        RUN.get().spend(len(text) // CHARACTERS_OF_A_STEP)
        first = places.setdefault(text, place)
        if first != place:
            yield _error(f"{shown(entry, VALUE_CHARACTERS)} is there twice, as entries {first} and {place}")
            return


def _multiple_of(_: Any, step: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    """As decimals, which 0.3 and 0.1 are meant to be; as binary numbers one is no multiple of the other."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not step:
        return
    with contextlib.suppress(ArithmeticError, ValueError):
        if Decimal(str(given)) % Decimal(str(step)):
            yield _error(f"{shown(given, VALUE_CHARACTERS)} is not a multiple of {step}")


def _left_to_the_platform(_: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    yield from ()


def _of_names(check: Check, patterns: list[str]) -> Check:
    """A check that looks for fields by patterns, made to pass over objects with names on which that takes too long."""

    def bounded(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if not isinstance(given, dict) or not given:
            return
        longest = max(map(len, given))
        RUN.get().spend(len(given) * len(patterns) // 8)
        if all(is_bounded(pattern, longest) for pattern in patterns):
            ways = sum(ways_to_try(pattern, longest) for pattern in patterns)
            RUN.get().spend(int(len(given) * ways) // WAYS_OF_A_STEP)
            yield from check(validator, rule, given, schema) or ()

    return bounded


def _name_patterns(node: Any) -> Iterator[str]:
    """Every pattern by which a schema names fields."""
    if isinstance(node, dict):
        yield from fields_of(node, "patternProperties")
    for entry in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _name_patterns(entry)
