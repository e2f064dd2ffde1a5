"""Answers stay within what a model should read."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from deeporigin_mcp.tools.rendering import as_text
from deeporigin_mcp.tools.shaping import LONGEST_TEXT, MAX_DEPTH, fitted, rows_that_fit, size
from deeporigin_mcp.tools.steps import call
from deeporigin_mcp.tools.surface import columns_of
from deeporigin_mcp.tools.views import PlatformToolListView, PlatformToolRow, SearchRow, SearchView
from tests.tools.facts import calls_in

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False) | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=20), inner, max_size=8),
    max_leaves=40,
)
documents = st.lists(values, max_size=10) | st.dictionaries(st.text(max_size=20), values, max_size=10) | st.text()


@settings(max_examples=60, deadline=None)
@given(documents, st.integers(10, 3000))
@example({"log": '"\n\x00' * 700}, 400)
@example([["x" * 5000] * 3] * 3, 2500)
def test_a_value_is_made_to_fit_and_a_cut_is_never_silent(value: Any, room: int) -> None:
    shaped, was_cut = fitted(value, room)
    assert size(shaped) <= room
    assert was_cut == (shaped != value)


@settings(max_examples=40, deadline=None)
@given(documents)
def test_what_fits_is_left_as_it_is(value: Any) -> None:
    small = size(value) <= 1500
    assert not small or fitted(value, 2_000_000) == (value, False)


def test_a_long_text_is_cut_even_where_there_is_room() -> None:
    shaped, was_cut = fitted({"text": "x" * 10_000}, 1_000_000)
    assert (len(shaped["text"]), was_cut) == (LONGEST_TEXT + 1, True)


def test_what_lies_too_deep_is_replaced() -> None:
    value: Any = ["bottom"]
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    shaped, was_cut = fitted(value, 1_000)
    assert was_cut
    assert "bottom" not in str(shaped)


def test_lists_lose_entries_at_their_end_and_objects_lose_fields() -> None:
    assert fitted(list(range(100)), 20)[0] == [0, 1, 2, 3, 4, 5, 6]
    assert list(fitted({"a": 1, "b": "x" * 50, "c": 2}, 30)[0]) == ["a", "b"]


def test_at_least_one_row_is_shown_however_large() -> None:
    assert rows_that_fit([{"name": "x" * 9000}] * 3, 100) == 1
    assert rows_that_fit([], 100) == 0
    assert rows_that_fit([{"a": 1}] * 5, 1000) == 5


unruly = st.text(st.sampled_from("|¦ -a\n\r\t\x1b\x7f\x85\u2028\u202e"), max_size=8)


@given(st.lists(st.dictionaries(unruly, unruly, min_size=3, max_size=3), min_size=2, max_size=4))
@example([{"a |": "| b", "c | | d": "|", "\x1b[2J\n| e": "f\u2028g"}] * 2)
def test_no_key_and_no_value_adds_a_line_or_a_column(rows: list[dict[str, str]]) -> None:
    head, *lines = as_text({"rows": rows}).split("\n")
    assert len(lines) == len(rows)
    assert all(letter.isprintable() for line in (head, *lines) for letter in line)
    if not lines[0].startswith("{"):
        columns = len(dict.fromkeys(column for row in rows for column in row))
        assert [line.count(" | ") for line in (head, *lines)] == [columns - 1] * (len(rows) + 1)


@given(st.text(), unruly)
@example("a  | b", "\u2028")
def test_a_next_call_can_be_repeated_from_the_text(contains: str, query: str) -> None:
    step = call("find_platform_tools", query=query, contains=contains)
    text = as_text({"next_step": f"{step} reads on."})
    assert text.count("\n") == 0
    assert calls_in(text, {"find_platform_tools"}) == [("find_platform_tools", {"query": query, "contains": contains})]


def first_line(view: BaseModel) -> str:
    return as_text(view.model_dump(exclude_none=True), columns_of(type(view))).splitlines()[0]


def test_columns_are_in_the_order_of_the_model_whichever_row_has_which() -> None:
    view = PlatformToolListView(
        tools=[
            PlatformToolRow(tool_key="a", tool_version="1", matched="m"),
            PlatformToolRow(tool_key="b", tool_version="1", name="B", enabled=False),
        ],
        count=2,
        has_more=False,
    )
    assert first_line(view) == "tools (2): tool_key | tool_version | name | enabled | matched"
    found = SearchView(rows=[SearchRow(extra=1), SearchRow(status="s", name="n")], limit=1, offset=0, has_more=False)
    assert first_line(found) == "rows (2): name | status | extra"


def test_text_cannot_pretend_to_be_another_row_or_line() -> None:
    text = as_text({"rows": [{"name": "a | b\nstatus: Completed", "status": None}], "problems": [], "note": "x\ny: z"})
    assert text.splitlines() == ["rows (1): name | status", "a ¦ b status: Completed | -", "problems:", "note: x y: z"]
