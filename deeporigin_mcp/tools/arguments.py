"""What is wrong with the arguments of a call: one plain line per problem, with the valid form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.forms import form_of
from deeporigin_mcp.tools.nearness import did_you_mean, nearest
from deeporigin_mcp.tools.shaping import shown

MAX_PROBLEMS = 20
EXAMPLE_CHARACTERS = 120
GIVEN_CHARACTERS = 80
DESCRIPTION_CHARACTERS = 160

_QUOTED = re.compile(r"'([^']*)'")


def argument_problems(error: ValidationError, parameters: Mapping[str, Any]) -> list[str]:
    """Where, what is wrong, what was given, and what is valid; at most 20.

    Args:
        parameters: the tool's input schema.
    """
    told: list[str] = []
    lists: set[str] = set()
    for detail in error.errors(include_url=False, include_context=True)[:MAX_PROBLEMS]:
        expected = str(detail.get("ctx", {}).get("expected", ""))
        told.append(_problem(detail, parameters, is_known=expected in lists))
        lists |= {expected} - {""}
    # A value that fits none of several forms comes with an error for each.
    return list(dict.fromkeys(told))


def _problem(detail: Any, parameters: Mapping[str, Any], *, is_known: bool) -> str:
    """One line. `is_known`: a line above has told the allowed values already."""
    location, schema = _located(detail["loc"], parameters)
    place = ".".join(map(str, location)) or "arguments"
    described = one_line(str(schema.get("description", "")), DESCRIPTION_CHARACTERS)
    about = f"description: {described}" if described else ""
    form = form_of(schema)
    valid = f"valid: {form}" if form else ""
    given, kind = detail["input"], detail["type"]
    got = f"got {shown(given, GIVEN_CHARACTERS)}"
    if kind == "missing":
        instead = [key for key in given if nearest(key, detail["loc"][-1:])] if isinstance(given, dict) else []
        other = f"it was given as {one_line(instead[0], 40)}" if instead else ""
        return _joined(f"{place}: is required", other, valid, about)
    message = one_line(detail["msg"], 300).replace(" after validation", "")
    if kind.startswith(("model_", "dict_")):
        message = "input should be an object"
    elif kind == "literal_error":
        message = "input should be one of those above" if is_known else message.replace("'", '"')
    if len(location) < len(detail["loc"]):
        return _joined(f"{place}: input fits none of the valid forms", got, valid, about)
    told = f"{place}: {message[:1].lower()}{message[1:]}"
    hint = _hint(detail, schema)
    if hint or kind == "literal_error":
        return _joined(told, got, hint)
    return _joined(told, got, valid, about)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _hint(detail: Any, schema: Mapping[str, Any]) -> str:
    """What to give instead, as far as what was given tells."""
    given, kind = detail["input"], detail["type"]
    if kind == "literal_error":
        return did_you_mean(given, _QUOTED.findall(str(detail.get("ctx", {}).get("expected", ""))))
    if kind in ("list_type", "dict_type", "model_type", "model_attributes_type"):
        wanted = "list" if kind == "list_type" else "object"
        if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
            return f"{_unread(given)}give the {wanted} itself, not a text with JSON in it"
        items = schema.get("items", {}) if wanted == "list" else {}
        fits = isinstance(given, str) if items.get("type") == "string" else isinstance(given, dict)
        if wanted == "list" and fits:
            return f"give a list{_example([_nearest_item(given, items)], ', such as ')}"
        fields = ", ".join(schema.get("properties", {}))
        return f"give an object with {fields}" if wanted == "object" and fields else ""
    if kind == "string_type" and isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return f"give it as text, without the list{_example(given[0], ': ')}"
    if kind == "string_type" and isinstance(given, int | float) and not isinstance(given, bool):
        return f'give it as text: "{given}"'
    return ""


def _nearest_item(given: Any, items: Mapping[str, Any]) -> Any:
    """An entry as given, or the allowed value that it must have been."""
    options = items.get("enum", [])
    if isinstance(given, str) and given not in options and options:
        return [*nearest(given, options), options[0]][0]
    return given


def _unread(text: str) -> str:
    """Why a text is no JSON, if it is none."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"as JSON it cannot be read ({one_line(str(error), 80)}); "
    return ""


def _example(value: Any, before: str) -> str:
    """A value as JSON with words before it; nothing if it is long."""
    told = shown(value, EXAMPLE_CHARACTERS)
    return "" if told.endswith("…") else before + told


def _located(
    location: tuple[int | str, ...], parameters: Mapping[str, Any]
) -> tuple[tuple[int | str, ...], Mapping[str, Any]]:
    """As much of a place as the schema knows, and the schema there; the rest names one of the forms of a value."""
    node: Any = parameters
    for depth, part in enumerate(location):
        inner = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        if not isinstance(inner, dict):
            return location[:depth], node
        node = inner
    return location, node
