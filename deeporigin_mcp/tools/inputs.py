"""Checking a tool's inputs against its own JSON Schema before anything is sent, and making up an example.

The platform's schemas carry vendor keys (`x-…`) and are written for another validator; a schema that cannot be
used here is passed over, because the platform checks again.
"""

from __future__ import annotations

import functools
import itertools
import json
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.examples import example_of, example_of_field
from deeporigin_mcp.tools.nearness import did_you_mean, nearest

if TYPE_CHECKING:
    # Imported by the functions that use it: it takes a while, and a server starts without it.
    import jsonschema
    from jsonschema.protocols import Validator

MAX_PROBLEMS = 20
MAX_ERRORS = 200
"""How many are looked for: inputs of megabytes can break a schema in a million places."""
KEPT_VALIDATORS = 64
MAX_KEPT_CHARACTERS = 100_000
"""Of a schema's text. Larger ones are rare, and are made anew."""
PROBLEM_CHARACTERS = 1_000


def input_problems(inputs: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Every way in which the inputs break the schema, one line each with path, problem and value."""
    validator = _validator(schema)
    if validator is None:
        return []
    problems = _unknown_inputs(inputs, schema)
    try:
        found = itertools.islice(validator.iter_errors(_without_nulls(inputs, schema)), MAX_ERRORS)
        errors = sorted(found, key=lambda error: list(map(str, error.path)))
    except Exception:  # noqa: BLE001 (a pattern or reference that only the platform's validator understands)
        return problems
    for error in errors:
        # The names in a path are the tool's own, and may be anything.
        problems += [one_line(sentence, PROBLEM_CHARACTERS) for sentence in _sentences(error)]
        if len(dict.fromkeys(problems)) >= MAX_PROBLEMS:
            break
    return list(dict.fromkeys(problems))[:MAX_PROBLEMS]


def _validator(schema: dict[str, Any]) -> Validator | None:
    """What checks inputs; None for a schema that cannot be used. Kept, because making one takes long."""
    if not schema:
        return None
    try:
        text = json.dumps(schema)
    except (ValueError, RecursionError):
        return None
    return _kept_validator(text) if len(text) <= MAX_KEPT_CHARACTERS else _made_validator(text)


def _made_validator(text: str) -> Validator | None:
    import jsonschema
    import referencing

    schema = json.loads(text)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError:
        return None
    # By default a reference to an address would be fetched from it, wherever it leads.
    return kind(schema, registry=referencing.Registry())


# By the schema's text, so that a definition that changes is never checked against its old schema.
_kept_validator = functools.lru_cache(maxsize=KEPT_VALIDATORS)(_made_validator)


def _without_nulls(inputs: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Inputs without optional ones that are null: the official client sends such nulls, and they are taken."""
    required = schema.get("required", [])
    return {name: value for name, value in inputs.items() if value is not None or name in required}


def _unknown_inputs(inputs: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Inputs that the tool does not have. The platform drops most of them silently, typing errors included."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        return []
    known = list(properties)
    problems = []
    for name in [name for name in inputs if name not in properties][:MAX_PROBLEMS]:
        hint = did_you_mean(name, known) or f"valid: {', '.join(known)}"
        problems.append(one_line(f"{one_line(name, 60)}: the tool has no such input; {hint}", PROBLEM_CHARACTERS))
    return problems


def _sentences(error: jsonschema.ValidationError) -> list[str]:
    path = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{path}." if path else ""
    given: Any = error.instance
    rule: Any = error.validator_value
    value = one_line(repr(given), 80)
    match error.validator:
        case "required":
            missing = [name for name in rule if name not in given]
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            strange = [name for name in given if name not in known][:MAX_ERRORS] if path else []
            instead = {name: "".join(nearest(name, strange, count=1)) for name in missing}
            return [
                f"{prefix}{name}: is required" + (f"; it was given as {one_line(other, 40)}" if other else "")
                for name, other in instead.items()
            ]
        case "additionalProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            unknown = [name for name in given if name not in known]
            if not path:
                return []  # already told by _unknown_inputs
            valid = f"valid: {', '.join(known)}"
            return [
                f"{prefix}{one_line(name, 60)}: is not allowed; {did_you_mean(name, known) or valid}"
                for name in unknown[:MAX_PROBLEMS]
            ]
        case "anyOf" | "oneOf":
            return [f"{path or 'as a whole'}: {_best_of(error)}; got {value}"]
        case "enum":
            valid = ", ".join(str(option) for option in rule)
            near = did_you_mean(given, [option for option in rule if isinstance(option, str)])
            return [f"{path}: must be one of {one_line(valid, 300)}; got {value}" + (near and f"; {near}")]
        case "type":
            return [f"{path or 'as a whole'}: must be of type {_words(rule)}; got {value}{_valid_form(error)}"]
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            bound = "at least" if "inimum" in str(error.validator) else "at most"
            strictly = " (exclusive)" if str(error.validator).startswith("exclusive") else ""
            return [f"{path}: must be {bound} {rule}{strictly}; got {value}"]
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            return [f"{path}: must have {bound} {rule} entries; got {len(given)}"]
        case _:
            return [f"{path or 'as a whole'}: {one_line(error.message, 200)}"]


def _best_of(error: jsonschema.ValidationError) -> str:
    """What the alternatives of an `anyOf` would want, in the words of the closest one."""
    from jsonschema.exceptions import best_match

    closest = best_match([error])
    if closest is None or closest is error:
        alternatives: Any = error.validator_value
        wanted = [option.get("required") for option in alternatives if isinstance(option, dict)]
        options = [" and ".join(names) for names in wanted if names]
        return f"needs {' or '.join(options)}" if options else "fits none of the allowed forms"
    return "; ".join(_sentences(closest)) or one_line(closest.message, 200)


def _valid_form(error: jsonschema.ValidationError) -> str:
    """What to give instead of a value of another type, as far as the schema or the value tells."""
    given, rule = error.instance, error.validator_value
    kinds = rule if isinstance(rule, list) else [rule]
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "[") and {"object", "array"} & {*kinds}:
        return "; give the JSON itself, not a text that holds it"
    if {"array", "object"} & {*kinds}:
        items = error.schema.get("items") if isinstance(error.schema, dict) else None
        holds_texts = isinstance(items, dict) and items.get("type") == "string"
        sample = [given] if holds_texts and isinstance(given, str) else example_of(error.schema)
        told = one_line(json.dumps(sample, ensure_ascii=False, default=str), 160)
        return f"; such as {told}" if sample and "null" not in told else ""
    if "string" in kinds and isinstance(given, int | float) and not isinstance(given, bool):
        return f'; give it as text: "{given}"'
    return ""


def _words(kinds: Any) -> str:
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def example_inputs(definition: ToolDefinition) -> dict[str, Any] | None:
    """Inputs that the tool's schema accepts: required ones made up, and those with a default left out.

    None if no such example can be made up.
    """
    schema = definition.inputs_schema
    example = example_of(schema)
    if not isinstance(example, dict):
        return None
    for _ in range(3):
        # Some inputs are required only by what others say.
        for name in _missing(example, schema):
            example[name] = example_of_field(schema, name)
    return None if input_problems(example, schema) else example


def _missing(example: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Known inputs that conditions of the schema require and the example lacks."""
    validator = _validator(schema)
    try:
        errors = [] if validator is None else [*validator.iter_errors(example)]
    except Exception:  # noqa: BLE001 (as in input_problems)
        return []
    wanted = [name for error in errors if error.validator == "required" and not error.path for name in _names(error)]
    return [name for name in dict.fromkeys(wanted) if name not in example and name in schema.get("properties", {})]


def _names(error: jsonschema.ValidationError) -> list[str]:
    required: Any = error.validator_value
    return [name for name in required if isinstance(name, str)]
