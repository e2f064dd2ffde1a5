"""Nothing in a response can stop whoever reads it or sends it on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from deeporigin_mcp.platform.records.sanitizing import LARGEST_INTEGER, MAX_DEPTH, sanitized
from tests.support.arbitrary import json_values


@pytest.mark.parametrize(
    ("came", "taken"),
    [
        ({"a\ud83d": "b\udc00c"}, {"a\ufffd": "b\ufffdc"}),
        ([float("nan"), float("inf"), -float("inf"), 1e308], [None, None, None, 1e308]),
        ([10**400, -(10**400), LARGEST_INTEGER, 7], [None, None, LARGEST_INTEGER, 7]),
        ({"x": [{"y": 10**30}], "z": True}, {"x": [{"y": None}], "z": True}),
        ("\ud800", "\ufffd"),
        (float("nan"), None),
        ({"text": "line\nline\u2028\x1b[0m", "n": 0.1}, {"text": "line\nline\u2028\x1b[0m", "n": 0.1}),
    ],
)
def test_only_what_cannot_be_handled_is_changed(came: Any, taken: Any) -> None:
    assert sanitized(came) == taken


def test_what_is_nested_too_deeply_is_empty() -> None:
    deep: Any = "innermost"
    for level in range(50_000):
        deep = [deep] if level % 2 else {"a": deep}
    levels = 0
    found = sanitized({"data": [deep, 1]})
    assert found["data"][1] == 1
    node = found
    while node:
        node, levels = (node["a"] if "a" in node else node["data"]) if isinstance(node, dict) else node[0], levels + 1
    assert levels <= MAX_DEPTH + 1
    json.dumps(found)
    # Python frees what is nested by recursion, and warns where that is too deep.
    while deep:
        deep = deep.pop("a") if isinstance(deep, dict) else deep.pop()


@given(json_values)
def test_everything_can_be_written_as_strict_json_afterwards(value: Any) -> None:
    text = json.dumps(sanitized(value), ensure_ascii=False, allow_nan=False)
    text.encode()
    assert sanitized(json.loads(text)) == json.loads(text)
