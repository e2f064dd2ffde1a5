"""The measuring itself; what is measured is asserted nowhere but in the guard."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import PARTS, heading
from benchmarks.counting import Calls
from benchmarks.figures import Sample, Table, interleaved, order_of_growth
from benchmarks.plot import log_log
from benchmarks.processes import REPOSITORY, StdioServer
from benchmarks.replay import Recording, row_id
from benchmarks.servers import BARE, commands
from deeporigin_mcp.platform import Execution


def test_a_sample_is_told_by_its_median_and_its_middle_half() -> None:
    sample = Sample(tuple(float(value) for value in range(1, 101)))
    assert (sample.median, sample.percentile(99), sample.percentile(100)) == (50.5, 99, 100)
    assert sample.told("ms") == "50 ms (25 to 75)"
    assert Sample((0.5,)).told("ms", 1e3, digits=1) == "500.0 ms (500.0 to 500.0)"


def test_rivals_take_turns_and_the_first_round_only_warms_up() -> None:
    turns: list[str] = []

    def turn(name: str, value: float) -> dict[str, float]:
        turns.append(name)
        return {"value": value + len(turns)}

    found = interleaved({"ours": lambda: turn("ours", 0), "theirs": lambda: turn("theirs", 100)}, repeats=2)
    assert turns == ["ours", "theirs"] * 3
    assert found == {"ours": {"value": Sample((3, 5))}, "theirs": {"value": Sample((104, 106))}}


@given(st.floats(0.5, 3), st.floats(1e-6, 10))
def test_the_order_of_a_power_law_is_its_exponent(order: float, cost_of_one: float) -> None:
    sizes = [1, 10, 100, 1000]
    assert order_of_growth(sizes, [cost_of_one * size**order for size in sizes]) == pytest.approx(order)


def test_a_missed_aim_is_told_and_ends_with_another_code(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("Speed")
    table.add("good", "1", "≤ 2", met=True)
    table.add("for comparison", "7")
    assert table.exit_code == 0
    table.add("bad", "3", "≤ 2", met=False)
    table.note("That is all.")
    assert table.exit_code == 1
    told = capsys.readouterr().out
    assert "| good | 1 | ≤ 2 | yes |\n| for comparison | 7 |  |  |\n| bad | 3 | ≤ 2 | **no** |\n\nThat is all." in told
    head = heading(0.0, 60.0, told)
    assert "1 of 2 aims hold; missed:\n  - bad — 3 — ≤ 2\n" in head
    assert str(REPOSITORY) not in head


def test_every_part_is_explained() -> None:
    explained = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [part for part in PARTS if f"| `{part}` |" not in explained] == []


def test_the_replayed_platform_pages_through_rows_of_both_eras() -> None:
    recording = Recording(95)
    pages = [json.loads(recording.answer(f"/tools/x/tools/executions?page={page}&pageSize=40")) for page in range(4)]
    assert [len(page["data"]) for page in pages] == [40, 40, 15, 0]
    assert {page["count"] for page in pages} == {95}
    rows = [Execution(row) for page in pages for row in page["data"]]
    assert [row.execution_id for row in rows] == [row_id(number) for number in range(95)]
    assert {"Completed", "Running", "Quoted"} <= {row.status for row in rows}
    assert {type(row.raw["progressReport"]) for row in rows} >= {str, type(None)}
    assert json.loads(recording.answer("/tools/x/tools/executions/any-id"))["executionId"] == "any-id"


def test_function_calls_are_counted_the_same_each_time() -> None:
    def work() -> int:
        return sum(map(abs, range(10)))

    counts = []
    for _ in range(2):
        with Calls() as calls:
            work()
        counts.append(calls.count)
    assert counts[0] == counts[1] > 2


def test_a_plot_has_all_its_points_and_decades() -> None:
    lines = {"a < b": [(1.0, 0.02), (1000.0, 3.0)], "flat": [(1.0, 5.0), (10.0, 5.0)]}
    root = ET.fromstring(log_log("title", "x", "y", lines))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"title", "a < b", "flat", "1,000", "0.01"} <= set(texts)
    assert len([*root.iter("{http://www.w3.org/2000/svg}circle")]) == 4


def test_a_server_is_measured_from_its_start_by_what_it_answers() -> None:
    with StdioServer([sys.executable, *commands(REPOSITORY)[BARE][1:]]) as server:
        assert 0 < server.initialize() < server.seconds
        assert server.call("echo", {"text": "hello"})["structuredContent"] == {"result": "hello"}
        with pytest.raises(ValueError, match="a measured call failed"):
            server.call("no_such_tool", {})
        assert server.calls_per_second("echo", {"text": "x"}, calls=20, at_once=4) > 0
        assert server.footprint.memory_mib > 10
