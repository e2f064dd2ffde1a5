"""The execution record: every era's shape is read, unknown fields survive, and no value can make it fail."""

import copy
import json
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform import Execution, ToolDefinition
from deeporigin_mcp.platform.records.execution import reason_text
from deeporigin_mcp.platform.records.tool_definition import SyncRule
from deeporigin_mcp.platform.records.values import moment
from deeporigin_mcp.platform.transport.responses import rows_of, total_of
from tests.support.arbitrary import TEXTS, json_values, objects

FULL: dict[str, Any] = {
    "executionId": "b1d2f7c4",
    "status": "Succeeded",
    "statusReason": {"message": "Done.", "items": [{"actionRequest": "Rest"}]},
    "createdAt": "2026-10-05T12:00:01.204Z",
    "startedAt": "2026-10-05T12:00:22Z",
    "completedAt": "2026-10-05T12:07:22.500+00:00",
    "tool": {"key": "deeporigin.docking", "version": "4.2.0"},
    "name": "Pilot",
    "projectId": "09A7",
    "session": "s-1",
    "metadata": {"method": "workflow"},
    "cluster": {"id": "cl-1", "hostname": "h"},
    "quotationResult": {"successfulQuotations": [{"priceTotal": "2.5"}]},
    "billingTransaction": None,
    "progressReport": None,
    "jobOutputs": [{"poses": []}],
    "someNewField": {"kept": True},
}


def test_a_full_record_is_read() -> None:
    execution = Execution(FULL)
    read = {
        name: getattr(execution, name)
        for name in dir(Execution)
        if isinstance(getattr(Execution, name), property | cached_property) and name != "line_items"
    }
    assert read == {
        "execution_id": "b1d2f7c4",
        "cost_state": "",
        "status": "Completed",
        "is_terminal": True,
        "is_settled": True,
        "name": "Pilot",
        "tool_key": "deeporigin.docking",
        "tool_version": "4.2.0",
        "project_id": "09A7",
        "session": "s-1",
        "metadata": {"method": "workflow"},
        "inputs": {},
        "created_at": "2026-10-05T12:00:01.204Z",
        "started_at": "2026-10-05T12:00:22Z",
        "completed_at": "2026-10-05T12:07:22.500+00:00",
        "runtime_seconds": 420.5,
        "progress_percent": 100.0,
        "failed_steps": [],
        "failed_ligands": None,
        "quoted_price": 2.5,
        "price_is_partial": False,
        "billed": None,
        "bill_state": "",
        "created_by": "",
        "cluster_id": "cl-1",
        "is_hidden": False,
        "cost": 2.5,
        "status_reason": "Done. Rest.",
        "outputs": [{"poses": []}],
    }


def test_the_record_is_kept_as_it_came() -> None:
    before = copy.deepcopy(FULL)
    execution = Execution(FULL)
    for name in dir(Execution):
        getattr(execution, name)
    assert execution.raw is FULL
    assert before == FULL


def test_the_twelve_keys_of_an_old_response_are_enough() -> None:
    execution = Execution({"executionId": "e", "status": "Created", "tool": {"key": "k", "version": "1"}})
    assert (execution.progress_percent, execution.quoted_price, execution.cost, execution.runtime_seconds) == (
        None,
    ) * 4
    assert (execution.name, execution.completed_at, execution.status_reason, execution.outputs) == ("", "", "", None)


FIELDS = (*FULL, "userInputs")
TYPES: dict[str, Any] = {
    **dict.fromkeys(("execution_id", "status", "name", "tool_key", "tool_version", "project_id", "session"), str),
    **dict.fromkeys(("created_at", "started_at", "completed_at", "status_reason"), str),
    **dict.fromkeys(("is_terminal", "is_settled", "price_is_partial"), bool),
    **dict.fromkeys(("progress_percent", "quoted_price", "cost", "runtime_seconds"), float | None),
    "metadata": dict,
    "inputs": dict,
    "line_items": list,
    "outputs": object,
}


@given(raw=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values)))
def test_no_value_in_any_field_makes_a_property_fail(raw: dict[str, Any]) -> None:
    execution = Execution(raw)
    for name, kind in TYPES.items():
        assert isinstance(getattr(execution, name), kind), name


offsets = st.sampled_from(["", "Z", "+00:00", "+23:59", "-23:59"])
times = st.tuples(st.datetimes().map(lambda instant: instant.isoformat()), offsets).map("".join)


@given(started=times | TEXTS, completed=times | TEXTS)
def test_a_runtime_is_never_negative(started: str, completed: str) -> None:
    seconds = Execution({"startedAt": started, "completedAt": completed}).runtime_seconds
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    "text", ["2026-10-05T12:00:22Z", "2026-10-05T12:00:22.000Z", "2026-10-05T14:00:22+02:00", "2026-10-05T12:00:22"]
)
def test_timestamps_of_every_kind_are_the_same_instant(text: str) -> None:
    assert moment(text) == datetime(2026, 10, 5, 12, 0, 22, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "yesterday", 1760000000, "2026-13-45T00:00:00Z"])
def test_what_is_no_timestamp_is_none(value: Any) -> None:
    assert moment(value) is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, ""),
        ("  Out of memory. ", "Out of memory."),
        ({"code": "FailedQuotation"}, "FailedQuotation"),
        (
            {"message": "Low", "actionRequest": "Add funds", "items": [{"purchaseApprovalComment": "Low"}]},
            "Low. Add funds.",
        ),
        ([], ""),
        ({"items": "odd"}, ""),
    ],
)
def test_the_reason_of_a_state_is_text(reason: Any, said: str) -> None:
    assert reason_text(reason) == said


@pytest.mark.parametrize(
    ("answer", "rows", "total"),
    [
        ({"data": [{"a": 1}], "count": 9}, [{"a": 1}], 9),
        ({"data": [{"a": 1}], "pagination": {"count": 9}}, [{"a": 1}], 9),
        ({"data": [{"a": 1}], "meta": {"count": 1, "total_count": 9}}, [{"a": 1}], 9),
        ({"data": [{"a": 1}], "meta": {"count": 1}}, [{"a": 1}], None),
        ({"data": [{"a": 1}], "count": 9, "meta": {"total_count": 8}}, [{"a": 1}], 8),
        ({"data": [{"a": 1}], "count": True}, [{"a": 1}], None),
        ({"data": [{"a": 1}], "count": -1}, [{"a": 1}], None),
        ({"data": [{"a": 1}], "count": "9"}, [{"a": 1}], None),
        ({"data": None, "count": 0}, [], 0),
        ([{"a": 1}, "junk", None], [{"a": 1}], None),
        (None, [], None),
        ("text", [], None),
    ],
)
def test_every_envelope_is_opened(answer: Any, rows: list[Any], total: int | None) -> None:
    assert (rows_of(answer), total_of(answer)) == (rows, total)


# Tool definitions


@given(raw=objects(dict.fromkeys(("key", "version", "name", "description", "enabled", "inputs"), TEXTS)))
def test_a_definition_without_its_fields_is_still_one(raw: dict[str, Any]) -> None:
    definition = ToolDefinition(json.loads(json.dumps(raw)))
    assert all(isinstance(text, str) for text in (definition.key, definition.version, definition.name))
    assert isinstance(definition.description, str)
    assert isinstance(definition.inputs_schema, dict)
    assert isinstance(definition.enabled, bool)
    assert all(number >= 0 for number in definition.version_order[0])
    assert definition.sync_rule.place in ("inputs", "top level", "none")


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ({"key": "any", "inputs": {"properties": {"sync": {}}}}, SyncRule("inputs", False)),
        ({"key": "deeporigin.system-prep", "inputs": {"properties": {}}}, SyncRule("top level", True)),
        ({"key": "deeporigin.mol-props-combined"}, SyncRule("top level", False)),
        ({"key": "deeporigin.rbfe", "inputs": {"properties": []}}, SyncRule("none", None)),
        ({"key": "x", "inputs": {"allOf": [1, {"properties": {"sync": {}}}]}}, SyncRule("inputs", False)),
    ],
)
def test_sync_goes_where_the_tool_takes_it(raw: dict[str, Any], rule: SyncRule) -> None:
    assert ToolDefinition(raw).sync_rule == rule


def test_versions_are_ordered_by_their_numbers() -> None:
    versions = ["1.10.0", "1.9.3", "1.9.3-rc1", "junk", "2"]
    ordered = sorted(versions, key=lambda version: ToolDefinition({"version": version}).version_order)
    assert ordered == ["junk", "1.9.3-rc1", "1.9.3", "1.10.0", "2"]
