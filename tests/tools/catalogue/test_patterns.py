"""A pattern is tried only where that cannot hold up a server."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeporigin_mcp.tools.catalogue.checking import checked
from deeporigin_mcp.tools.catalogue.patterns import found, is_bounded

ENDLESS = (
    "^(a+)+$",
    "^(a*)*$",
    "^(a|a)*$",
    "^((a|b)|(a))+$",
    "^(?:a?){40}a{40}$",
    "^(a|aa)+$",
    "^(?P<x>a{1,9})+$",
    "^([a-z]+\\s?)*$",
    "(.*.*.*=.*)",
    "(x+x+)+y",
    "a?" * 40 + "a" * 40,
    "(a|aa)" * 40 + "$",
    "(?=(a+)+b)",
    "^(a+){30}$",
    "(?:(?:(?:){1000}){1000}){1000}c",
    "(?:(?:x?){50}){50}c",
)
USUAL = (
    ("^[A-Za-z0-9]{4}$", "1ABC"),
    ("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"),
    ("^[0-9a-f]{64}$", "0" * 64),
    (r"^(\d{4})-(0[1-9]|1[0-2])-\d{2}$", "2026-05-07"),
    (r"^[\w.+-]+@[\w.-]+\.[a-z]{2,}$", "somebody@example.org"),
    (r"^[A-Za-z0-9@+\-\[\]()=#$:/\\.%]+$", "CC(=O)Oc1ccccc1C(=O)O" * 40),
    (r"^\S+$", "M" * 5_000),
    (r"^.*\.(pdb|cif|sdf)$", "entities/proteins/protein.pdb"),
    (r"^(?:[ACDEFGHIKLMNPQRSTVWY])*$", "MKV" * 3_000),
    ("^[]a]+$", "]a]"),
)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_that_would_never_end_is_left_to_the_platform(pattern: str) -> None:
    text = "a" * 60 + "b"
    assert found(pattern, text * 40) is None
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}, "y": {"maximum": 1}}}
    assert checked({"x": text * 40, "y": 2}, schema).problems == ["y: 2 is greater than the maximum of 1"]


@pytest.mark.parametrize(("pattern", "text"), USUAL)
def test_a_usual_pattern_is_tried(pattern: str, text: str) -> None:
    assert found(pattern, text) is True
    assert found(pattern, f" {text}!") is False


def test_a_pattern_of_names_that_would_never_end_is_left_to_the_platform() -> None:
    name = "a" * 60 + "b"
    schema = {
        "type": "object",
        "properties": {
            "x": {
                "type": "object",
                "patternProperties": {"^(a+)+$": {"type": "string"}},
                "additionalProperties": False,
            },
            "y": {"maximum": 1},
        },
    }
    assert checked({"x": {name: 1}, "y": 2}, schema).problems == ["y: 2 is greater than the maximum of 1"]


def test_a_pattern_that_python_cannot_read_is_left_to_the_platform() -> None:
    assert found("(?<name>a", "a") is None
    assert found("a{99999999999}", "a") is None


def test_entries_of_a_long_list_are_not_compared_each_with_each() -> None:
    entries = [{"text": "C" * (number % 50), "number": number} for number in range(50_000)]
    schema = {"type": "object", "properties": {"x": {"type": "array", "uniqueItems": True}}}
    assert checked({"x": entries}, schema).problems == []
    (line,) = checked({"x": [*entries, entries[7]]}, schema).problems
    assert line.endswith("entries 7 and 50000")


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", r"\w", "^", "$"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
        | st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})")
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(_PATTERNS, st.text("ab", max_size=12))
def test_what_is_tried_is_what_re_finds(pattern: str, text: str) -> None:
    if is_bounded(pattern, len(text)):
        assert found(pattern, text) is (re.search(pattern, text) is not None)
    else:
        assert found(pattern, text) is None


@given(st.text("ab()[]{}|?*+^$\\,0", max_size=30), st.integers(0, 10_000))
def test_any_text_can_be_judged_as_a_pattern(pattern: str, characters: int) -> None:
    assert is_bounded(pattern, characters) in (True, False)
