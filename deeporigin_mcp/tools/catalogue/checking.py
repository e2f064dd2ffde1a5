"""Checks a run's inputs before anything is sent: against the tool's JSON Schema, and the molecules in them.

What is certainly invalid is a problem. Where the schema can be read in two ways it is a warning, and the platform
decides: it checks again, with another validator, and its schemas have vendor keys (`x-…`).

A check takes bounded time for any schema and inputs, and runs in a thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.catalogue.check_state import (
    CURRENT,
    MAX_STEPS,
    NOT_READ,
    CheckState,
    InputEntity,
    InputFile,
    Known,
    Object,
    Repeats,
)
from deeporigin_mcp.tools.catalogue.examples import example_of, examples_of
from deeporigin_mcp.tools.catalogue.ligands import read_ligands
from deeporigin_mcp.tools.catalogue.schemas import Schema, TooLarge, entries_of, fields_of
from deeporigin_mcp.tools.catalogue.validators import validator_of

if TYPE_CHECKING:
    # Imported by the functions that use it: it takes a while, and a server starts without it.
    import jsonschema

MAX_PROBLEMS = 20
MAX_ERRORS = 200
"""After so many the check ends: megabytes of inputs can break a schema in a million places."""
PROBLEM_CHARACTERS = 1_000
WHOLE = "inputs"
UNREAD = "This server could not check the inputs fully against the tool's schema; the platform does."


@dataclass
class Findings:
    """What a check found: `problems` forbid the run; `warnings` and `repeats` are shown with its price.

    `breaks_schema`: a problem is of the schema, not only of molecules. `files` and `entities` are what the inputs refer
    to on the platform, which this check does not look up.
    """

    problems: list[str] = field(default_factory=list)
    breaks_schema: bool = False
    warnings: list[str] = field(default_factory=list)
    repeats: list[Repeats] = field(default_factory=list)
    files: list[InputFile] = field(default_factory=list)
    entities: list[InputEntity] = field(default_factory=list)

    def was_read(self, name: str) -> None:
        """The molecules of a list file were checked after all."""
        self.warnings = [line for line in self.warnings if line != NOT_READ.format(name)]

    def add(self, problems: Iterable[str], warnings: Iterable[str]) -> None:
        """Put more lines behind those that are there."""
        for lines, more in ((self.problems, problems), (self.warnings, warnings)):
            lines += [one_line(line, PROBLEM_CHARACTERS) for line in itertools.islice(more, MAX_PROBLEMS - len(lines))]


def checked(inputs: dict[str, Any], schema: Schema, tool_key: str = "") -> Findings:
    """Problems and warnings of inputs, one line each with its path, and repeated molecules."""
    state = CheckState(MAX_STEPS)
    findings = _checked(state, inputs, schema)
    ligands = read_ligands(state.ligands, tool_key)
    findings.add(ligands.problems, ligands.warnings)
    findings.repeats = state.repeats(ligands.canonical)
    findings.files, findings.entities = state.files, state.entities
    return findings


def _checked(state: CheckState, inputs: dict[str, Any], schema: Schema) -> Findings:
    problems: list[str] = []
    try:
        noted = state.noted(inputs, "", "")
        state.known = Known(schema)
        problems += state.known.unknown_inputs(inputs, state)
        problems += _violations(state, noted, schema)
    except (RecursionError, TooLarge):
        state.warn(UNREAD)
    findings = Findings(breaks_schema=bool(problems))
    problems += state.molecule_problems()
    findings.add(dict.fromkeys(problems), state.warnings)
    return findings


def example_inputs(schema: Schema) -> dict[str, Any] | None:
    """The required inputs, with made-up values that the tool's schema accepts; None if none are found."""
    left = MAX_STEPS
    for example in examples_of(schema):
        if not isinstance(example, dict):
            return None
        for _ in range(3):
            # Some inputs are required only by the values of others.
            state = CheckState(left)
            for name in _missing(state, example, schema):
                example[name] = example_of(fields_of(schema)[name], schema, name)
            left = state.left
        state = CheckState(left)
        found = _checked(state, example, schema)
        left = state.left
        if left < 0:
            return None
        if not found.problems:
            return example
    return None


def _missing(state: CheckState, example: dict[str, Any], schema: Schema) -> list[str]:
    """Inputs that conditions of the schema require and the example lacks."""
    errors = _errors(state, example, schema)
    wanted = [name for error in errors if error.validator == "required" and not error.path for name in _required(error)]
    return [name for name in dict.fromkeys(wanted) if name not in example and name in fields_of(schema)]


def _required(error: jsonschema.ValidationError) -> list[str]:
    return [name for name in entries_of(error.validator_value) if isinstance(name, str)]


def _violations(state: CheckState, inputs: Any, schema: Schema) -> list[str]:
    required = entries_of(schema.get("required"))
    # The official client sends null for what nobody set, and the platform accepts it.
    present = Object((name, value) for name, value in inputs.items() if value is not None or name in required)
    present.path = ""
    errors = _errors(state, present, schema)
    # Unknown inputs have been named already.
    errors = [error for error in errors if error.validator != "additionalProperties" or error.absolute_path]
    return [_line(error) for error in sorted(errors, key=lambda error: [_order(part) for part in error.absolute_path])]


def _errors(state: CheckState, inputs: dict[str, Any], schema: Schema) -> list[jsonschema.ValidationError]:
    """The schema's errors, up to where this validator cannot read it or the steps are used up."""
    errors: list[jsonschema.ValidationError] = []
    before = CURRENT.set(state)
    try:
        validator = validator_of(schema)
        if validator is not None:
            errors.extend(itertools.islice(validator.iter_errors(inputs), MAX_ERRORS))
        elif schema:
            state.warn(UNREAD)
    except Exception:  # noqa: BLE001 (a schema may hold anything, and breaks the library anywhere)
        state.warn(UNREAD)
    finally:
        CURRENT.reset(before)
    return errors


def _order(part: object) -> tuple[int, str]:
    """Sorts lines by path: fields by name, entries of a list by number."""
    return (part, "") if isinstance(part, int) else (0, str(part))


def _line(error: jsonschema.ValidationError) -> str:
    """Path and message of an error; of alternatives, the message of the one that matches best."""
    import jsonschema

    best = jsonschema.exceptions.best_match([error]) or error
    path = ".".join(str(part) for part in best.absolute_path) or WHOLE
    reasons = dict.fromkeys(inner.message for inner in itertools.islice(best.context or (), MAX_PROBLEMS))
    message = best.message + (f": {'; '.join(reasons)}" if reasons else "")
    return f"{path}: {message}"
