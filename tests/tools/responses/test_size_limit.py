"""Whatever the platform holds, a response is within its limit as JSON and as text, and what was cut can be read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.executions.details import detailed_view
from deeporigin_mcp.tools.responses.size_limit import MAX_DEPTH, Summary, rows_that_fit, size, within_limit
from deeporigin_mcp.tools.responses.text import as_text
from deeporigin_mcp.tools.responses.views import execution_view
from tests.support.bench import Agent, Bench, compact_size
from tests.support.facts import calls_in
from tests.support.rows import unfolded, whole

pytestmark = pytest.mark.anyio

CONCISE, MOST = 5_000, 20_000


async def within(agent: Agent, tool: str, most: int, **arguments: Any) -> dict[str, Any]:
    answer = await agent.success(tool, **arguments)
    assert len(answer.text) <= most
    assert compact_size(answer.content) <= most
    return answer.content


def tree(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"displayName": "bottom", "status": "Running"}
    for level in range(levels):
        node = {"displayName": f"level-{levels - level}", "status": "Running", "children": [node]}
    return node


INPUTS = {"ligands": [{"id": f"08{number}", "smiles": "C" * 80} for number in range(9_000)], "effort": 3}


async def test_a_mebibyte_of_inputs_is_summed_up_and_within_reach(agent: Agent, bench: Bench) -> None:
    name = bench.raw(userInputs=INPUTS)
    await within(agent, "get_execution", CONCISE, execution_id=name)
    found = await within(agent, "get_execution", MOST, execution_id=name, detail="detailed")
    assert (found["cut"], found["inputs"]["effort"]) == (["inputs"], 3)
    rest = re.search(r'cursor="(inputs:0@\d+)"', found["inputs"]["ligands"][-1])
    assert rest
    page = await within(agent, "get_execution_results", MOST, execution_id=name, cursor=rest[1])
    assert page["inputs"]["items"][0] == INPUTS["ligands"][len(found["inputs"]["ligands"]) - 1]  # type: ignore[index]
    assert 'cursor="inputs:@0"' in found["next_step"]


async def test_a_deep_tree_is_shown_in_part_and_within_reach(agent: Agent, bench: Bench) -> None:
    name = bench.raw(progressReport=tree(60))
    found = await within(agent, "get_execution", MOST, execution_id=name, detail="detailed")
    assert found["progress"][0] == "level-1: Running"
    assert found["cut"] == ["progress"]
    assert await whole(agent, name, "progress:@0") == tree(60)


@pytest.mark.parametrize("levels", [500, 5_000])
def test_no_depth_breaks_a_detailed_response(levels: int) -> None:
    deep = tree(levels)
    execution = Execution({"executionId": "e", "progressReport": deep, "jobOutputs": deep, "userInputs": deep})
    content = detailed_view(execution_view(execution), execution).model_dump(exclude_none=True)
    assert size(content) <= MOST
    assert content["cut"] == ["progress", "inputs", "outputs"]
    assert "cursor=" in json.dumps(content["inputs"])


async def test_the_beginning_of_a_long_progress_text_is_within_reach(agent: Agent, bench: Bench) -> None:
    report = "\n".join(f"ligand docked {number}" for number in range(9_000))
    name = bench.raw(progressReport=report)
    found = await within(agent, "get_execution", MOST, execution_id=name, detail="detailed")
    assert found["progress"][-1] == "ligand docked 8999"
    assert await whole(agent, name, "progress:@0") == report


@pytest.mark.parametrize("letter", ["x", '"', "é", "\U0001f9ea", "\x01", "| "])
async def test_fields_of_every_size_and_letter_fit(agent: Agent, bench: Bench, letter: str) -> None:
    huge = letter * 2_500
    name = bench.raw(
        status="Completed",
        name=huge,
        tool={"key": huge, "version": huge},
        statusReason={"message": huge, "code": huge},
        session=huge,
        createdAt=huge,
        startedAt=huge,
        projectId=huge,
        userInputs={huge: huge, "b": [huge] * 40},
        jobOutputs=[{huge: {huge: [huge] * 4}}] * 9,
        metadata={huge[:9] + str(number): huge for number in range(60)},
        billingTransaction={"items": [{"itemCode": huge}] * 90},
        quotationResult={"successfulQuotations": [{"itemCode": huge, "priceTotal": 1}] * 30},
        progressReport={huge[:9] + str(number): huge for number in range(60)},
    )
    other = bench.raw(status=huge, name=huge, tool={"key": huge, "version": "1"})
    await within(agent, "get_execution", CONCISE, execution_id=name)
    await within(agent, "get_execution", MOST, execution_id=name, detail="detailed")
    await within(agent, "get_execution_results", MOST, execution_id=name)
    await within(agent, "list_executions", CONCISE)
    await within(agent, "list_executions", MOST, detail="detailed")
    await within(agent, "wait_executions", MOST, execution_ids=[name, other] * 50, timeout_seconds=0)


async def test_outputs_of_fifty_huge_entries_are_within_reach(agent: Agent, bench: Bench) -> None:
    outputs = [{"file": f"tool-runs/{number}.sdf", "block": f"{number} " * 4_000} for number in range(50)]
    name = bench.raw(status="Completed", jobOutputs=outputs)
    found = await within(agent, "get_execution_results", MOST, execution_id=name)
    assert await unfolded(agent, name, found["outputs"]) == {"items": outputs}


async def test_a_wait_for_a_hundred_with_long_names_fits(agent: Agent, bench: Bench) -> None:
    names = [bench.raw(name='"' * 500, status="Running", statusReason="r" * 900) for _ in range(100)]
    found = await within(agent, "wait_executions", MOST, execution_ids=names, timeout_seconds=0)
    assert [row["execution_id"] for row in found["executions"]] == names == found["pending"]


async def test_an_id_that_is_far_too_long_is_refused_and_not_echoed(agent: Agent, bench: Bench) -> None:
    message = await agent.refused("wait_executions", execution_ids=["x" * 100_000])
    assert len(message) < 1_000
    assert not bench.platform.requests


async def test_columns_of_any_size_are_cut_by_name_and_every_row_is_reached(agent: Agent, bench: Bench) -> None:
    names = {bench.raw(userInputs={"ligands": ["C" * 300] * 300}, status="Completed") for _ in range(30)}
    bench.clock.advance(100)
    found = await within(agent, "search_executions", MOST, select=["compute_job_id", "compute_metadata"], limit=30)
    assert found["cut"] == ["compute_metadata"]
    seen = [row["compute_job_id"] for row in found["rows"]]
    while found["has_more"]:
        found = await agent.follow(found["next_step"])
        seen += [row["compute_job_id"] for row in found["rows"]]
    assert sorted(seen) == sorted(names)


async def test_filters_that_are_long_themselves_lose_no_row(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_executions(count=120)
    keys = [f"deeporigin.{'x' * 60}{number}" for number in range(120)] + ["deeporigin.docking"]
    found = await within(agent, "search_executions", MOST, tool_keys=keys, limit=100)
    seen = [row["execution_id"] for row in found["rows"]]
    while found["has_more"]:
        found = await agent.follow(found["next_step"])
        seen += [row["execution_id"] for row in found["rows"]]
    assert len(set(seen)) == len(seen) == 120


async def test_halves_of_characters_do_not_break_a_response(agent: Agent, bench: Bench) -> None:
    name = bench.raw(status="Completed", jobOutputs={"text": "a\ud800b"}, userInputs={"\udc00": 1})
    found = await agent.read("get_execution_results", execution_id=name)
    assert found["outputs"] == {"text": "a\ufffdb"}
    detailed = await agent.read("get_execution", execution_id=name, detail="detailed")
    assert [*detailed["inputs"].values()] == [1]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=30), inner, max_size=30),
    max_leaves=60,
)
flat = st.lists(st.dictionaries(st.text(min_size=1, max_size=12), st.integers() | st.text(max_size=9)), max_size=60)
LEAST = 250
"""Characters that the mark of something left out takes, with a cursor and the beginning of a text in it."""


@settings(max_examples=60)
@given(values, st.integers(LEAST, 3000), st.sampled_from([None, "outputs:"]))
@example({"log": '"\n\x00' * 700}, 400, None)
@example([["x" * 5000] * 3] * 3, 2500, "outputs:")
@example({"digits": [10**4000] * 9}, 1000, "outputs:")
def test_a_value_is_made_to_fit_and_a_cut_is_never_silent(value: Any, room: int, cursor: str | None) -> None:
    summary = Summary(cursor)
    made = summary.of(value, room)
    assert size(made) <= room
    assert summary.is_cut == (made != value)


def test_a_text_that_no_cursor_reads_is_shown_as_far_as_there_is_room() -> None:
    made = Summary(None).of({"text": "x" * 10_000, "n": 1}, 1_000)["text"]
    assert made.startswith("x" * 900)
    assert made.endswith("… [10000 characters]")


def test_what_lies_too_deep_is_cut() -> None:
    value: Any = ["bottom"]
    for _ in range(MAX_DEPTH):
        value = [value]
    assert "bottom" not in str(Summary("outputs:").of(value, 1_000))


def test_lists_lose_entries_at_their_end_and_small_fields_stay_whole() -> None:
    assert Summary(None).of(list(range(1000)), 100)[-1] == "[978 more entries]"
    assert Summary(None).of({"a": 1, "b": ["x" * 9] * 50, "c": 2}, 300)["c"] == 2


def test_at_least_one_row_is_shown_however_large() -> None:
    assert rows_that_fit([{"name": "x" * 9000}] * 3, 100) == 1
    assert rows_that_fit([], 100) == 0
    assert rows_that_fit([{"a": 1}] * 5, 1000) == 5


@settings(max_examples=50)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), values | flat, max_size=12), st.integers(900, 4_000))
def test_no_content_is_longer_than_its_limit(content: dict[str, Any], most: int) -> None:
    before = json.dumps(content)
    whole = {**content, "next_step": "get_execution()"}
    made, text = within_limit(whole, most)
    assert text == as_text(made)
    assert max(size(made), len(as_text(made))) <= most
    assert json.dumps(content) == before
    assert ("cut" in made) == (max(size(whole), len(as_text(whole))) > most)


def test_what_was_not_foreseen_loses_whole_rows_of_its_list_and_says_so() -> None:
    rows = [{"name": f"n{number}", "note": "x" * 90} for number in range(500)]
    made, _ = within_limit(
        {"count": 500, "rows": rows, "has_more": False, "next_step": "list_executions(page=1)"}, CONCISE
    )
    shown = len(made["rows"])
    assert made["rows"] == rows[:shown]
    assert (made["cut"], made["has_more"], made["count"]) == ([f"rows: {shown} of 500"], True, 500)
    assert calls_in(made["next_step"], {"list_executions"}) == [("list_executions", {"page": 1})]
    assert size(made) > 0.8 * CONCISE


def test_what_fits_is_left_untouched() -> None:
    content = {"rows": [{"a": None}], "next_step": "x"}
    assert within_limit(content, CONCISE)[0] is content


@pytest.mark.parametrize("cut", [["x" * 100_000], [f"column_{number}" for number in range(5_000)]])
def test_names_of_what_was_cut_are_bounded_too(cut: list[str]) -> None:
    made, text = within_limit({"rows": [{"name": "a"}, {"name": "b"}], "cut": cut, "has_more": False}, CONCISE)
    assert max(size(made), len(text)) <= CONCISE
    assert made["rows"] == [{"name": "a"}, {"name": "b"}]
