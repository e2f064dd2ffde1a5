"""What an error result says to programs, beside its text."""

from __future__ import annotations

from typing import NamedTuple

from mcp_types import CallToolResult

from deeporigin_mcp.tools.responses.errors import META


class ErrorFacts(NamedTuple):
    """Code and outcome of an error result; `errors.py` of the package lists them."""

    code: str
    outcome: str | None


def error_of(result: CallToolResult) -> ErrorFacts:
    """Of a call of a tool that failed."""
    assert result.is_error, result.structured_content
    assert result.structured_content is None
    about = (result.meta or {})[META]
    assert set(about) <= {"code", "outcome"}
    return ErrorFacts(about["code"], about.get("outcome"))
