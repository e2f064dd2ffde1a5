"""Checking a tool's inputs against its own JSON Schema before anything is sent, and making up an example.

The platform's schemas carry vendor keys (`x-…`) and are written for another validator; a schema that cannot be
used here is passed over, because the platform checks again.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.examples import example_of, example_of_field
from deeporigin_mcp.tools.forms import Forms
from deeporigin_mcp.tools.nearness import did_you_mean
from deeporigin_mcp.tools.problems import Problems
from deeporigin_mcp.tools.shaping import is_longer
from deeporigin_mcp.tools.validators import made_validator

if TYPE_CHECKING:
    import jsonschema
    from jsonschema.protocols import Validator

MAX_PROBLEMS = 20
MAX_ERRORS = 200
"""How many are looked for: inputs of megabytes can break a schema in a million places."""
KEPT_VALIDATORS = 64
MAX_KEPT_CHARACTERS = 100_000
"""Of a schema's text. Larger ones are rare, and are made anew."""
PROBLEM_CHARACTERS = 1_000
MAX_CHARACTERS_AT_ONCE = 10_000
"""Of inputs that are checked where they are, which takes up to 5 ms; others may take seconds, and go to a thread."""
MAX_THREADS = 2
"""More would only take the time from each other, and from everything else."""

_THREADS: RunVar[anyio.CapacityLimiter] = RunVar("threads that check inputs")


async def checked(inputs: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """As `input_problems`, and however large the inputs are, everything else goes on meanwhile."""
    if not is_longer(inputs, MAX_CHARACTERS_AT_ONCE):
        return input_problems(inputs, schema)
    limiter = _THREADS.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(MAX_THREADS)
        _THREADS.set(limiter)
    # Who gives up the call does not wait for the thread, which changes nothing.
    return await anyio.to_thread.run_sync(input_problems, inputs, schema, abandon_on_cancel=True, limiter=limiter)


def input_problems(inputs: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Every way in which the inputs break the schema, one line each with path, problem and value."""
    validator = _validator(schema)
    if validator is None:
        return []
    problems = _unknown_inputs(inputs, schema)
    teller = Problems(schema)
    for error in sorted(_errors(validator, _without_nulls(inputs, schema)), key=lambda error: _order(error.path)):
        # The names in a path are the tool's own, and may be anything.
        problems += [one_line(line, PROBLEM_CHARACTERS) for line in teller.lines(error)]
        if len(dict.fromkeys(problems)) >= MAX_PROBLEMS:
            break
    return list(dict.fromkeys(problems))[:MAX_PROBLEMS]


def _errors(validator: Validator, inputs: dict[str, Any]) -> list[jsonschema.ValidationError]:
    """What is found until something comes up that only the platform's validator understands, such as a reference."""
    found: list[jsonschema.ValidationError] = []
    with contextlib.suppress(Exception):
        found.extend(itertools.islice(validator.iter_errors(inputs), MAX_ERRORS))
    return found


def _order(path: Iterable[object]) -> list[tuple[int, str]]:
    """In which lines are told: by name, entries of a list by number."""
    return [(part, "") if isinstance(part, int) else (0, str(part)) for part in path]


def _validator(schema: dict[str, Any]) -> Validator | None:
    """What checks inputs; None for a schema that cannot be used. Kept, because making one takes long."""
    if not schema:
        return None
    try:
        text = json.dumps(schema)
        return _kept_validator(text) if len(text) <= MAX_KEPT_CHARACTERS else made_validator(text)
    except (ValueError, RecursionError):
        return None


# By the schema's text, so that a definition that changes is never checked against its old schema.
_kept_validator = functools.lru_cache(maxsize=KEPT_VALIDATORS)(made_validator)


def _without_nulls(inputs: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Inputs without optional ones that are null: the official client sends such nulls, and they are taken."""
    required = schema.get("required", [])
    return {name: value for name, value in inputs.items() if value is not None or name in required}


def _unknown_inputs(inputs: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Inputs that the tool does not have. The platform drops most of them silently, typing errors included."""
    known, are_all = Forms(schema).field_names(schema)
    if not known or not are_all:
        return []
    problems = []
    for name in [name for name in inputs if name not in known][:MAX_PROBLEMS]:
        hint = did_you_mean(name, known) or f"valid: {', '.join(known)}"
        problems.append(one_line(f"{one_line(name, 60)}: the tool has no such input; {hint}", PROBLEM_CHARACTERS))
    return problems


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
    errors = [] if validator is None else _errors(validator, example)
    wanted = [name for error in errors if error.validator == "required" and not error.path for name in _names(error)]
    return [name for name in dict.fromkeys(wanted) if name not in example and name in schema.get("properties", {})]


def _names(error: jsonschema.ValidationError) -> list[str]:
    required: Any = error.validator_value
    return [name for name in required if isinstance(name, str)]
