"""Both filter languages: the tools service's list `filter` and the data platform's `filter`.

A filter is compiled once into a test of a row, because lists are long. Missing columns read as null.
"""

import json
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

from deeporigin_mcp.simulator.model.clock import instant_of
from deeporigin_mcp.simulator.state.refusals import invalid

Row = dict[str, Any]
Test = Callable[[Row], bool]
Comparison = Callable[[Any, Any], bool]

_NAMES = (
    "executionId resourceId status tool name session projectId createdAt updatedAt startedAt completedAt createdBy "
    "metadata tag billing app visibility approveAmount orgKey cluster"
)
LIST_FIELDS = frozenset(_NAMES.split())
"""Fields of the list `filter`; another is a 400."""


def _comparable(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both sides in one ordered type: numbers, instants or strings; None when there is none."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if numbers:
        return left, right
    if isinstance(left, str) and isinstance(right, str):
        first, second = _moment(left), _moment(right)
        return (first, second) if first is not None and second is not None else (left, right)
    return None


def _moment(text: str) -> datetime | None:
    # Only ISO dates start with four digits and a dash; asking the parser about every name would be slow.
    return instant_of(text) if text[4:5] == "-" and text[:4].isdigit() else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Comparison:
    def test(left: Any, right: Any) -> bool:
        pair = _comparable(left, right)
        return pair is not None and compare(*pair)

    return test


def _like(left: Any, right: Any) -> bool:
    return isinstance(left, str) and str(right).lower() in left.lower()


_GT, _GTE, _LT, _LTE = map(_ordered, (operator.gt, operator.ge, operator.lt, operator.le))
_IN: Comparison = lambda left, right: left in right  # noqa: E731
_NIN: Comparison = lambda left, right: left not in right  # noqa: E731

LIST_OPERATORS: dict[str, Comparison] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": _GT,
    "$gte": _GTE,
    "$lt": _LT,
    "$lte": _LTE,
    "$in": _IN,
    "$nin": _NIN,
    "$exists": lambda left, right: (left is not None) == bool(right),
    "$like": lambda left, right: _like(left, str(right).strip("%")),
}
TABLE_OPERATORS: dict[str, Comparison] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": _GT,
    "gte": _GTE,
    "lt": _LT,
    "lte": _LTE,
    "in": _IN,
    "nin": _NIN,
    "icontains": _like,
}
_LISTS = {"$in", "$nin", "in", "nin"}


def list_test(text: str | None) -> Test:
    """The test of a list `filter` (platform-facts 1.1).

    Raises:
        Refusal: 400 for text that is not a JSON object, unknown fields and operators.
    """
    if text is None or not text.strip():
        return lambda row: True  # noqa: ARG005
    try:
        document = json.loads(text)
    except ValueError as error:
        raise invalid("Invalid filter", [("filter", "must be a JSON document")]) from error
    if not isinstance(document, dict):
        raise invalid("Invalid filter", [("filter", "must be a JSON object")])
    return _all([_list_part(name, condition) for name, condition in document.items()])


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _list_part(name: str, condition: Any) -> Test:
    if name not in LIST_FIELDS:
        raise invalid("Invalid filter", [(f"filter.{name}", "unknown field")])
    if name == "tool":
        return _tool_part(condition)
    test = _column(lambda row: row.get(name), f"filter.{name}", condition, LIST_OPERATORS)
    if name == "session" and isinstance(condition, str):
        # The platform also returns rows without a session (quirk 5).
        return lambda row: row.get("session") is None or test(row)
    return test


def _tool_part(condition: Any) -> Test:
    nested = condition.get("toolManifest", condition) if isinstance(condition, dict) else None
    if not isinstance(nested, dict) or not nested or not nested.keys() <= {"key", "version"}:
        raise invalid("Invalid filter", [("filter.tool", "must be {toolManifest: {key, version?}}")])
    return _all([_tool_column(name, value) for name, value in nested.items()])


def _tool_column(name: str, value: Any) -> Test:
    def read(row: Row) -> Any:
        tool = row.get("tool")
        return tool.get(name) if isinstance(tool, dict) else None

    return _column(read, f"filter.tool.{name}", value, LIST_OPERATORS)


def _column(read: Callable[[Row], Any], path: str, condition: Any, operators: dict[str, Comparison]) -> Test:
    if not isinstance(condition, dict):
        return lambda row: bool(read(row) == condition)
    tests = []
    for name, value in condition.items():
        compare = operators.get(name)
        if compare is None:
            raise invalid("Invalid filter", [(path, f"unknown operator {name}")])
        if name in _LISTS and not isinstance(value, list):
            raise invalid("Invalid filter", [(path, f"{name} needs a list")])
        tests.append(_compared(read, compare, value))
    return _all(tests)


def _compared(read: Callable[[Row], Any], compare: Comparison, value: Any) -> Test:
    return lambda row: compare(read(row), value)


def table_test(document: object, read: Callable[[Row, str], Any], known: Callable[[str], bool]) -> Test:
    """The test of a data-platform `filter`: `props`, `{col: value}` and `{col: {op: value}}` (platform-facts 1.8).

    Args:
        document: The `filter` of the body, None for no filter.
        read: How to get a column out of a row.
        known: Whether a column exists.

    Raises:
        Refusal: 400 for malformed filters, unknown columns and operators.
    """
    if document is None:
        return lambda row: True  # noqa: ARG005
    if not isinstance(document, dict):
        raise invalid("Invalid payload", [("filter", "invalid_type")])
    tests: list[Test] = []
    for column, condition in document.items():
        if column != "props":
            tests.append(_table_column(column, condition, read, known))
            continue
        if not isinstance(condition, list):
            raise invalid("Invalid payload", [("filter.props", "invalid_type")])
        for index, prop in enumerate(condition):
            if not isinstance(prop, dict) or not {"column", "op", "value"} <= prop.keys():
                raise invalid("Invalid payload", [(f"filter.props.{index}", "needs column, op and value")])
            tests.append(_table_column(str(prop["column"]), {prop["op"]: prop["value"]}, read, known))
    return _all(tests)


def _table_column(column: str, condition: Any, read: Callable[[Row, str], Any], known: Callable[[str], bool]) -> Test:
    if not known(column):
        raise invalid("Unknown columns in filter", [(column, "unknown_column")])
    test = _column(lambda row: read(row, column), column, condition, TABLE_OPERATORS)
    if column == "project_id" and isinstance(condition, dict) and "eq" in condition:
        # Rows of no project appear in every project (quirk 5).
        return lambda row: read(row, column) is None or test(row)
    return test
