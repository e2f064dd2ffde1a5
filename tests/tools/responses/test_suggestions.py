"""A mistyped word suggests the known one that is closest, and nothing where none is close."""

from __future__ import annotations

import pytest

from deeporigin_mcp.platform.records.status import KNOWN
from deeporigin_mcp.tools.executions.filters import ORDER_FIELDS, SEARCH_COLUMNS
from deeporigin_mcp.tools.responses.suggestions import closest, did_you_mean


@pytest.mark.parametrize(
    ("given", "known", "meant"),
    [
        ("COMPLETED", KNOWN, "Completed"),
        ("Complted", KNOWN, "Completed"),
        (" insufficient_funds", KNOWN, "InsufficientFunds"),
        ("toolKey", SEARCH_COLUMNS, "tool_key"),
        ("comput", SEARCH_COLUMNS, "compute_job_id"),
        ("created_at", ORDER_FIELDS, "createdAt"),
    ],
)
def test_the_closest_word_is_suggested(given: str, known: tuple[str, ...], meant: str) -> None:
    assert closest(given, known) == meant
    assert did_you_mean(given, known) == f"did you mean {meant}?"


@pytest.mark.parametrize("given", ["", " ", "?!", "qwxz", "x" * 10_000, None, 7, ["Failed"], "Ünïcödé"])
def test_what_is_close_to_nothing_suggests_nothing(given: object) -> None:
    assert [closest(given, known) for known in (KNOWN, SEARCH_COLUMNS, ORDER_FIELDS)] == [None] * 3
    assert did_you_mean(given, KNOWN) == ""
