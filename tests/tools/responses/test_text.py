"""The text of a response: the same facts as its JSON, and nothing in them that looks like another line or column."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from deeporigin_mcp.tools.catalogue.find_platform_tools import PlatformToolListView, PlatformToolRow
from deeporigin_mcp.tools.executions.search_executions import SearchRow, SearchView
from deeporigin_mcp.tools.protocol.tool import columns_of
from deeporigin_mcp.tools.responses.steps import call
from deeporigin_mcp.tools.responses.text import as_text
from tests.support.facts import calls_in

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


@given(st.lists(st.tuples(unruly, st.dictionaries(st.text(max_size=3), unruly, min_size=1)), min_size=3, max_size=5))
def test_the_object_for_inputs_is_the_last_cell_and_can_be_copied(rows: list[tuple[str, dict[str, str]]]) -> None:
    text = as_text({"rows": [{"as_input": usable, "name": name} for name, usable in rows]})
    head, *lines = text.split("\n")
    assert head == f"rows ({len(rows)}): name | as_input"
    assert [json.loads(line.split(" | ", 1)[1]) for line in lines] == [usable for _, usable in rows]


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
