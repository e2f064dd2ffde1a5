"""Inputs against a definition's JSON Schema, the way the platform's AJV does it (platform-facts 1.4).

Defaults are filled in first, extra top-level keys are dropped in silence unless the schema forbids them, and an
explicit null for an optional property counts as absent. A file may be given by its path or as
`{"$provider": "ufa", "key": path}`, whatever type its schema names. All problems are reported together.
"""

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

from deeporigin_mcp.simulator.model.catalogue import Definition

Schema = dict[str, Any]
Problem = tuple[str, str]
"""A field path such as `inputs.ligands.0.smiles`, and what is wrong with it."""

_COMPARISONS = {
    "minimum": ">=",
    "maximum": "<=",
    "exclusiveMinimum": ">",
    "exclusiveMaximum": "<",
}
_COUNTS = {
    "minItems": "must NOT have fewer than {} items",
    "maxItems": "must NOT have more than {} items",
    "minLength": "must NOT have fewer than {} characters",
}


def checked_inputs(definition: Definition, given: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The inputs as the tool will see them, and every problem found; the given object stays as it is."""
    schema = definition.inputs
    properties: Schema = schema.get("properties", {})
    required = schema.get("required", [])
    inputs = copy.deepcopy(given)
    for name in list(inputs):
        unknown = bool(properties) and name not in properties and schema.get("additionalProperties") is not False
        tolerated_null = inputs[name] is None and name in properties and name not in required
        if unknown or tolerated_null:
            del inputs[name]
    _fill_defaults(schema, inputs, schema)
    problems = list(dict.fromkeys(_problems(_validator(definition).iter_errors(inputs))))
    return inputs, problems


@cache
def _validator(definition: Definition) -> Validator:
    validator: Validator = _KIND(definition.inputs)
    return validator


def _type(validator: Any, rule: Any, given: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    is_reference = isinstance(given, dict) and isinstance(given.get("key"), str) and "$provider" in given
    if not (is_reference and schema.get("format") in ("file", "directory")):
        yield from jsonschema.Draft202012Validator.VALIDATORS["type"](validator, rule, given, schema) or ()


_KIND: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"type": _type})  # type: ignore[no-untyped-call]


def _fill_defaults(schema: Schema, value: object, root: Schema) -> None:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name not in value and "default" in part:
                value[name] = copy.deepcopy(part["default"])
            if name in value:
                _fill_defaults(part, value[name], root)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _fill_defaults(schema["items"], item, root)


def _problems(errors: Iterable[jsonschema.ValidationError]) -> Iterator[Problem]:
    for error in errors:
        field = ".".join(["inputs", *map(str, error.absolute_path)])
        limit: Any = error.validator_value
        schema: Any = error.schema
        instance: Any = error.instance
        match error.validator:
            case "required":
                for name in limit:
                    if name not in instance:
                        yield f"{field}.{name}", "required"
            case "additionalProperties":
                known = schema.get("properties", {})
                for name in instance:
                    if name not in known:
                        yield f"{field}.{name}", "must NOT have additional properties"
            case "type":
                yield field, f"must be {limit}"
            case "enum":
                yield field, f"must be equal to one of the allowed values: {', '.join(map(str, limit))}"
            case "oneOf":
                yield field, "must match exactly one schema in oneOf"
            case "anyOf":
                yield field, "must match a schema in anyOf"
            case name if name in _COMPARISONS:
                yield field, f"must be {_COMPARISONS[name]} {limit}"
            case name if name in _COUNTS:
                yield field, _COUNTS[name].format(limit)
            case _:
                yield field, error.message
