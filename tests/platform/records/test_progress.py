"""Progress: a percentage or nothing, out of every shape that a report has had, whatever it holds."""

import json
from decimal import Decimal
from typing import Any

import pytest
from deeporigin.platform.execution_display import _parse_complete_from_progress_report as official_percent
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform.records.progress import children, is_tree, label, percent
from tests.support.arbitrary import json_values, objects


def node(status: str = "Running", *below: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "n", "displayName": "step", "status": status, "message": None, "children": [*below], **fields}


def leaf(status: str, complete: Any = None, **fields: Any) -> dict[str, Any]:
    tool = {} if complete is None else {"toolProgress": {"complete": complete}}
    return {"id": "n", "displayName": "leaf", "status": status, "progress": "0/1", **tool, **fields}


DOCKING = "total_num_ligands = 8\nligand docked 1\nligand failed 2\n  ligand docked 3\nsomething else\n"


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (None, None),
        ("", None),
        ("{}", None),
        ({}, None),
        ("Preparing the system", None),
        (DOCKING, 37.5),
        (DOCKING.replace("\n", "\r\n"), 37.5),
        ("total_num_ligands = 0\nligand docked", None),
        ("total_num_ligands = 1\nligand docked\nligand docked", 100.0),
        ("ligand docked", None),
        ('{"cmd": "abfe", "status": "Running", "current_steps": [1]}', None),
        ('{"counts": {"DO_PATENT": {"total": 4, "description": {"processed": 1}}}}', None),
        ({"complete": 42}, 42.0),
        ('{"complete": 42.25, "other": "x"}', 42.2),
        ({"complete": "42"}, None),
        ({"complete": True}, None),
        ({"complete": -3}, 0.0),
        ({"complete": 10**400}, 100.0),
        ({"complete": float("nan")}, None),
        ('{"complete": NaN}', None),
        ({"workflow-r-1": {"complete": 100}, "workflow-r-2": {"complete": 50}}, 75.0),
        ({"workflow-r-1": {"complete": 100}, "workflow-r-2": {}}, None),
        ([1, 2], None),
        ("7", None),
        ("[" * 100_000, None),
    ],
)
def test_reports_of_the_first_era(report: Any, expected: float | None) -> None:
    assert percent(report) == expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (node("Running", leaf("Succeeded"), leaf("Running", 18.5), leaf("Created")), 39.5),
        (node("Running", leaf("Completed"), leaf("Skipped"), leaf("Omitted")), 100.0),
        (node("Running", node("Running", leaf("Succeeded"), leaf("Queued")), leaf("Queued"), leaf("Queued")), 25.0),
        (node("Failed", leaf("Failed", 100)), 100.0),
        (node("Running", leaf("Running", "odd"), leaf("Running", None), leaf("Running", 200)), 33.3),
        (leaf("Running", progress="3/4"), 75.0),
        (leaf("Running", progress="7/4"), 100.0),
        (leaf("Running", progress="1/0"), None),
        (leaf("Running", progress=None), None),
        (leaf("Succeeded"), 100.0),
        (node("Running", {"displayName": "odd", "status": []}, {"displayName": "odd", "status": {}}), 0.0),
        ({**leaf("Running"), "children": ["odd", None]}, 0.0),
    ],
)
def test_trees_count_their_leaves_alike(tree: dict[str, Any], expected: float | None) -> None:
    if tree.get("children") == ["odd", None]:
        tree["progress"] = "0/4"
    assert percent(tree) == expected
    assert percent(json.dumps(tree)) == expected


def test_a_completed_run_is_at_100_whatever_its_report_says() -> None:
    assert percent({"complete": 3}, "Completed") == 100.0
    assert percent(None, "Completed") == 100.0
    assert percent({"complete": 3}, "Cancelled") == 3.0


def test_deep_and_wide_trees_are_walked_without_recursion() -> None:
    deep = leaf("Running", 50)
    for _ in range(5000):
        deep = node("Running", deep)
    assert percent(deep) == 50.0
    wide = node("Running", *(leaf("Running", 25) for _ in range(30_000)))
    assert percent(wide) == 25.0


def test_a_tree_deeper_than_the_walk_says_nothing() -> None:
    deep = leaf("Running", 50)
    for _ in range(30_000):
        deep = node("Running", deep)
    assert percent(deep) is None
    while deep.get("children"):
        # Taken apart by hand: the interpreter would do it by recursion.
        deep = deep.pop("children")[0]


@pytest.mark.parametrize(
    "text", ["\n" * 300_000, " " * 300_000, "total_num_ligands = 9" + "\n \t" * 100_000, "1" * 300_000]
)
def test_long_reports_are_read_in_linear_time(text: str) -> None:
    assert percent(text) in (None, 0.0)
    assert percent(leaf("Running", progress=text)) is None


steps = st.sampled_from(["Running", "Succeeded", "Failed", "Skipped", "Queued"])
trees = st.recursive(
    objects(
        {
            "displayName": st.text(max_size=5),
            "status": steps,
            "progress": st.sampled_from(["1/2", "x"]),
            "toolProgress": objects({"complete": st.floats() | st.integers()}),
        }
    ),
    lambda below: objects({"displayName": st.just("s"), "status": steps, "children": st.lists(below, max_size=4)}),
    max_leaves=10,
)


@given(
    report=json_values | trees | json_values.map(lambda value: json.dumps(value)),
    word=st.sampled_from(["", "Completed"]),
)
def test_progress_is_a_percentage_or_nothing(report: Any, word: str) -> None:
    found = percent(report, word)
    assert isinstance(found, float | None)
    assert found is None or 0.0 <= found <= 100.0


numbers = st.floats(0, 100) | st.integers(0, 100)
jobs = st.fixed_dictionaries({}, optional={"complete": numbers, "name": st.text(max_size=3)})


@given(report=st.dictionaries(st.sampled_from(["a", "b", "complete"]), jobs | numbers, max_size=3))
def test_where_the_official_client_sees_progress_so_do_we(report: dict[str, Any]) -> None:
    theirs = official_percent(report)
    found = percent(report)
    if found is None:
        assert theirs == 0
    else:
        # In decimals: 0.8 and 0.75 differ by 0.05, as floats by a hair more.
        assert abs(Decimal(str(found)) - Decimal(str(theirs))) <= Decimal("0.05")


@given(value=json_values)
def test_anything_may_be_asked_whether_it_is_a_tree(value: Any) -> None:
    if is_tree(value):
        assert all(isinstance(child, dict) for child in children(value))
        assert isinstance(label(value), str)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("system-prep-task", "system-prep-task"),
        ('pair-pipeline(1:index:1,ligand1:{"id":"x"})', "pair-pipeline-1"),
        ("fan-out(12,a:b)", "fan-out-12"),
        ("fan-out(a:b)", "fan-out"),
        (None, "step"),
        (7, "step"),
    ],
)
def test_labels_leave_arguments_out(name: Any, expected: str) -> None:
    assert label({"displayName": name}) == expected
