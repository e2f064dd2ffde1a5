"""Validators of a tool's inputs whose time is bounded by the size of the inputs, whatever their schema says.

`jsonschema` tries every pattern with `re`, and compares every two entries of a list that must not repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.tools.patterns import found, is_bounded
from deeporigin_mcp.tools.problems import same_entries

if TYPE_CHECKING:
    # Imported by the functions that use it: it takes a while, and a server starts without it.
    import jsonschema
    from jsonschema.protocols import Validator

Check = Callable[[Any, Any, Any, Any], "Iterator[jsonschema.ValidationError]"]


def made_validator(text: str) -> Validator | None:
    """What checks inputs against a schema, given as JSON; None if the schema cannot be used."""
    import jsonschema
    import referencing

    whole = json.loads(text)
    dialect = whole.get("$schema") if isinstance(whole, dict) else None
    named = {"$schema": dialect} if isinstance(dialect, str) else {}
    kind: Any = jsonschema.validators.validator_for(named, default=jsonschema.Draft202012Validator)
    # Parts that name a dialect would be checked by that one's usual validator.
    schema = json.loads(text, object_hook=_without_dialect)
    try:
        # Without looking into patterns: the platform's may be of another dialect.
        kind.check_schema(schema, format_checker=jsonschema.FormatChecker(()))
    except jsonschema.SchemaError:
        return None
    checks: dict[str, Check] = {"pattern": _pattern, "uniqueItems": _unique_items}
    if patterns := list(dict.fromkeys(_name_patterns(schema))):
        for key in ("patternProperties", "additionalProperties", "unevaluatedProperties"):
            if key in kind.VALIDATORS:
                checks[key] = _of_names(kind.VALIDATORS[key], patterns)
    if _forbids_fields(schema):
        checks["properties"] = _of_forbidden(kind.VALIDATORS["properties"])
    bounded: Any = jsonschema.validators.extend(kind, checks)  # type: ignore[no-untyped-call]
    # By default a reference to an address would be fetched from it, wherever it leads.
    validator: Validator = bounded(schema, registry=referencing.Registry())
    return validator


def _without_dialect(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "$schema" or not isinstance(value, str)}


def _pattern(_: Any, pattern: Any, text: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    import jsonschema

    if isinstance(text, str) and found(pattern, text) is False:
        yield jsonschema.ValidationError("does not match")


def _unique_items(_: Any, wanted: Any, entries: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:  # noqa: ARG001
    import jsonschema

    if wanted and isinstance(entries, list) and same_entries(entries):
        yield jsonschema.ValidationError("has an entry twice")


def _of_names(check: Check, patterns: list[str]) -> Check:
    """A check that looks for fields by patterns, made to pass over objects with names on which that takes too long."""

    def bounded(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        if not isinstance(given, dict) or all(
            is_bounded(pattern, max(map(len, given))) for pattern in patterns if given
        ):
            yield from check(validator, rule, given, schema)

    return bounded


def _of_forbidden(check: Check) -> Check:
    """A check of fields that says which of them may not be there: the library does not."""
    import jsonschema

    def located(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        forbidden = [name for name, entry in rule.items() if entry is False]
        for name in forbidden if isinstance(given, dict) else ():
            if name in given:
                yield jsonschema.ValidationError("is not allowed", path=[name], instance=given[name])
        yield from check(validator, {name: rule[name] for name in rule if name not in forbidden}, given, schema)

    return located


def _forbids_fields(node: Any) -> bool:
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict) and False in properties.values():
            return True
        return any(map(_forbids_fields, node.values()))
    return isinstance(node, list) and any(map(_forbids_fields, node))


def _name_patterns(node: Any) -> Iterator[str]:
    """Every pattern by which a schema names fields."""
    if isinstance(node, dict):
        patterns = node.get("patternProperties")
        yield from patterns if isinstance(patterns, dict) else ()
    for entry in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _name_patterns(entry)
