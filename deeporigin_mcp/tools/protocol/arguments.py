"""The problems of a call's arguments: one line each, with the path, the value and what is valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses.size_limit import shown
from deeporigin_mcp.tools.responses.suggestions import did_you_mean

MAX_PROBLEMS = 20
MESSAGE_CHARACTERS = 300
VALUE_CHARACTERS = 80
SCHEMA_CHARACTERS = 600


def argument_problems(error: ValidationError, parameters: Mapping[str, Any]) -> list[str]:
    """One line per invalid value, in pydantic's words; at most 20.

    Args:
        parameters: the tool's input schema.
    """
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False)[:MAX_PROBLEMS]:
        path, schema = _located(detail["loc"], parameters)
        # A value that fits no alternative has an error for each of them; the schema has them all.
        if path not in problems:
            problems[path] = f"{path}: {_problem(detail, schema)}"
    return list(problems.values())


def _problem(detail: Any, schema: Mapping[str, Any]) -> str:
    message = one_line(detail["msg"], MESSAGE_CHARACTERS)
    if detail["type"] != "missing":
        message += f"; got {shown(detail['input'], VALUE_CHARACTERS)}"
    if detail["type"] == "literal_error":
        # The message has the valid words.
        hint = did_you_mean(detail["input"], [word for word in schema.get("enum", ()) if isinstance(word, str)])
        return f"{message}; {hint}" if hint else message
    return f"{message}; schema: {shown(schema, SCHEMA_CHARACTERS)}"


def _located(location: tuple[int | str, ...], parameters: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The path as far as the schema has it, and the schema there; the rest is the name of an alternative."""
    node, path = parameters, list[str]()
    for step in location:
        inner = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        if not isinstance(inner, dict):
            break
        node = inner
        path.append(str(step))
    return ".".join(path) or "arguments", node
