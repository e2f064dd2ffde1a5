"""A caller's credentials, from the headers of the request at hand and from nowhere else (mcp-facts 6)."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers

from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import ORG_HEADER, PROJECT_HEADER, TOKEN_HEADER
from deeporigin_mcp.settings.reading import bare_token, plainly

LONGEST_TOKEN = 8192
LONGEST_NAME = 200


def caller_settings(operator: Settings, request: Any) -> Settings:
    """The operator's settings with this request's credentials.

    With an invalid header the caller has none; `problem` names the header, and never its value.

    Args:
        operator: settings without credentials.
        request: the HTTP request; None, as over another transport, has no headers.
    """
    headers = Headers() if request is None else request.headers
    found = {}
    for name, longest in ((TOKEN_HEADER, LONGEST_TOKEN), (ORG_HEADER, LONGEST_NAME), (PROJECT_HEADER, LONGEST_NAME)):
        # What people paste around a value is removed, as in variables.
        values = [bare_token(value) if name == TOKEN_HEADER else plainly(value) for value in headers.getlist(name)]
        problem = _problem(name, values, longest)
        if problem:
            return operator.for_caller("", "", problem=problem)
        found[name] = values[0] if values else ""
    return operator.for_caller(found[TOKEN_HEADER], found[ORG_HEADER], found[PROJECT_HEADER])


def _problem(name: str, values: list[str], longest: int) -> str:
    if len(values) > 1:
        return f"The header {name} appears {len(values)} times. Valid: once."
    value = values[0] if values else ""
    if len(value) > longest:
        return f"The header {name} has {len(value)} characters. Valid: up to {longest}."
    if not (value.isascii() and value.isprintable()):
        return f"The header {name} has invalid characters. Valid: one line of ASCII text."
    return ""
