"""Every keyword of JSON Schema has its line: where, what would be right, what was given, as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.inputs import MAX_PROBLEMS, PROBLEM_CHARACTERS, input_problems
from deeporigin_mcp.tools.shaping import shown

Schema = dict[str, Any]


def a(schema: Any, **more: Any) -> Schema:
    """A schema of inputs with one field of it."""
    return {"type": "object", "properties": {"a": schema}, **more}


def fields(*names: str, **more: Any) -> Schema:
    return {"properties": {name: {} for name in names}, **more}


def modes(schema: Any) -> Schema:
    return {
        "oneOf": [
            {"properties": {"mode": {"const": "x"}, "k": schema}, "required": ["mode", "k"]},
            {"properties": {"mode": {"const": "y"}}, "required": ["mode"]},
        ]
    }


LINES: dict[str, tuple[Any, Schema, list[str]]] = {
    "type": ({"a": False}, a({"type": "number"}), ["a: must be of type number; got false"]),
    "types": ({"a": {}}, a({"type": ["string", "null"]}), ["a: must be of type string or null; got {}"]),
    "no null": ({"a": None}, a({"type": "string"}, required=["a"]), ["a: must be of type string; got null"]),
    "whole number": ({"a": 1.5}, a({"type": "integer"}), ["a: must be of type integer; got 1.5"]),
    "no truth": ({"a": True}, a({"type": "integer"}), ["a: must be of type integer; got true"]),
    "description": (
        {"a": "x"},
        a({"type": "number", "description": "In kcal/mol."}),
        ["a: must be of type number; got \"x\"; description: In kcal/mol."],
    ),
    "enum": ({"a": False}, a({"enum": ["x", 1, None, True]}), ['a: must be one of "x", 1, null, true; got false']),
    "enum nearly": ({"a": "Fast"}, a({"enum": ["fast"]}), ['a: must be one of "fast"; got "Fast"; did you mean fast?']),
    "const": ({"a": False}, a({"const": {"k": None}}), ['a: must be {"k":null}; got false']),
    "required": (
        {}, a({"type": "string", "minLength": 2}, required=["a"]),
        ["a: is required; valid: string, at least 2 characters"],
    ),
    "required inside": (
        {"a": {"y": None}},
        a({"required": ["z"], "properties": {"z": {"enum": ["p", None], "description": "Which."}}}),
        ['a.z: is required; valid: "p" / null; description: Which.'],
    ),
    "required by another name": (
        {"a": {"smile": "CCO"}}, a({"required": ["smiles"], "properties": {"smiles": {"type": "string"}}}),
        ["a.smiles: is required; it was given as smile; valid: string"],
    ),
    "additionalProperties": (
        {"a": {"y": None}}, a({"properties": {"z": {}}, "additionalProperties": False}),
        ["a.y: is not allowed; valid: z"],
    ),
    "additionalProperties nearly": (
        {"a": {"smile": 1}}, a({"properties": {"smiles": {}}, "additionalProperties": False}),
        ["a.smile: is not allowed; did you mean smiles?"],
    ),
    "additionalProperties of a form": (
        {"a": {"y": None}}, a({"additionalProperties": {"type": "string"}}), ["a.y: must be of type string; got null"],
    ),
    "additionalProperties and patterns": (
        {"a": {"y": 1}}, a({"patternProperties": {"^x_": {}}, "additionalProperties": False}),
        ["a.y: is not allowed; valid: names that match ^x_"],
    ),
    "no field at all": ({"a": {"y": 1}}, a({"additionalProperties": False}), ["a.y: is not allowed; valid: no field"]),
    "additionalProperties of the whole": (
        {"b": 1}, a({}, additionalProperties=False), ["b: the tool has no such input; valid: a"],
    ),
    "pattern": (
        {"a": "x'y"}, a({"pattern": "^[A-Z]{4}$"}), ['a: must match the pattern ^[A-Z]{4}$; got "x\'y"'],
    ),
    "minimum": ({"a": 0.5}, a({"minimum": 1}), ["a: must be at least 1; got 0.5"]),
    "maximum": ({"a": 9}, a({"minimum": 1, "maximum": 5}), ["a: must be 1 to 5; got 9"]),
    "exclusiveMinimum": ({"a": 0}, a({"exclusiveMinimum": 0}), ["a: must be above 0; got 0"]),
    "exclusiveMaximum": (
        {"a": 1}, a({"minimum": 0, "exclusiveMaximum": 0.1234567}), ["a: must be at least 0, below 0.1234567; got 1"],
    ),
    "multipleOf": ({"a": 0.3}, a({"multipleOf": 0.5}), ["a: must be a multiple of 0.5; got 0.3"]),
    "minLength": (
        {"a": ""}, a({"minLength": 2, "maxLength": 5}),
        ['a: must have 2 to 5 characters; got "" (0 characters)'],
    ),
    "maxLength": (
        {"a": "x" * 500}, a({"maxLength": 5}),
        ['a: must have at most 5 characters; got "' + "x" * 78 + "… (500 characters)"],
    ),
    "minItems": ({"a": []}, a({"minItems": 2}), ["a: must have at least 2 entries; got 0 entries"]),
    "minItems 1": ({"a": []}, a({"minItems": 1}), ["a: must not be empty; got 0 entries"]),
    "minLength 1": ({"a": ""}, a({"minLength": 1}), ['a: must not be empty; got "" (0 characters)']),
    "maxItems": ({"a": [1] * 30}, a({"minItems": 3, "maxItems": 3}), ["a: must have 3 entries; got 30 entries"]),
    "minProperties": ({"a": {}}, a({"minProperties": 2}), ["a: must have at least 2 fields; got 0 fields"]),
    "maxProperties": (
        {"a": {"x": 1, "y": 2, "z": 3}}, a({"maxProperties": 2}),
        ["a: must have at most 2 fields; got 3 fields"],
    ),
    "items": ({"a": ["x", None]}, a({"items": {"type": "string"}}), ["a.1: must be of type string; got null"]),
    "entries by number": (
        {"a": [None] * 11}, a({"items": {"type": "string"}}),
        [f"a.{number}: must be of type string; got null" for number in range(11)],
    ),
    "no more items": (
        {"a": ["x", None, 3]}, a({"prefixItems": [{}, {}], "items": False}),
        ["a: must have at most 2 entries; got 3 entries"],
    ),
    "unevaluatedItems": (
        {"a": ["x", None]}, a({"prefixItems": [{}], "unevaluatedItems": False}),
        ['a: has entries that are not allowed; got ["x",null]'],
    ),
    "unevaluatedProperties": (
        {"a": {"y": None}}, a({"allOf": [{"properties": {"x": {}}}], "unevaluatedProperties": False}),
        ["a.y: is not allowed; valid: x"],
    ),
    "prefixItems": ({"a": [1]}, a({"prefixItems": [{"type": "boolean"}]}), ["a.0: must be of type boolean; got 1"]),
    "uniqueItems": (
        {"a": [1, {"x": None}, 2, {"x": None}]}, a({"uniqueItems": True}),
        ['a: must have no entry twice; got {"x":null} as entries 1 and 3'],
    ),
    "contains": (
        {"a": [None]}, a({"contains": {"type": "string"}}),
        ["a: must hold at least 1 entries of the form (string); got [null]"],
    ),
    "minContains": (
        {"a": ["x"]}, a({"contains": {"type": "string"}, "minContains": 2}),
        ['a: must hold at least 2 entries of the form (string); got ["x"]'],
    ),
    "maxContains": (
        {"a": ["x"] * 3}, a({"contains": {"type": "string"}, "maxContains": 2}),
        ['a: must hold 1 to 2 entries of the form (string); got ["x","x","x"]'],
    ),
    "anyOf": (
        {"a": False}, a({"anyOf": [{"type": "string"}, {"type": "number", "minimum": 3}]}),
        ["a: must be string or (number, at least 3); got false"],
    ),
    "anyOf of fields": (
        {"sync": False}, fields("b", "c", "d", "sync", anyOf=[{"required": ["b"]}, {"required": ["c", "d"]}]),
        ["as a whole: needs b or (c and d); got none of them"],
    ),
    "anyOf of fields, one half": (
        {"c": None, "sync": False},
        fields("b", "c", "d", "sync", required=["c"], anyOf=[{"required": ["b"]}, {"required": ["c", "d"]}]),
        ['as a whole: needs b or (c and d); got {"c":null}'],
    ),
    "oneOf": (
        {"a": None}, a({"oneOf": [{"type": "string"}, {"type": "number"}]}, required=["a"]),
        ["a: must be string or number; got null"],
    ),
    "oneOf, two": (
        {"a": 3}, a({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        ["a: must be integer or number, and only one of them; got 3"],
    ),
    "oneOf of fields, two": (
        {"b": 1, "c": False, "sync": True}, fields("b", "c", "sync", oneOf=[{"required": ["b"]}, {"required": ["c"]}]),
        ['as a whole: needs b or c, and only one of them; got {"b":1,"c":false}'],
    ),
    "oneOf, the mode that is meant": (
        {"a": {"mode": "x", "k": None}}, a(modes({"type": "string"})), ["a.k: must be of type string; got null"],
    ),
    "oneOf, no such mode": (
        {"a": {"mode": "q", "z": 1}}, a(modes({})), ['a: needs (mode = "x" and k) or (mode = "y"); got {"mode":"q"}'],
    ),
    "oneOf, nothing known": (
        {"a": 1}, a({"oneOf": [{}, {}]}),
        ["a: fits none of the allowed forms, and only one of them; got 1"],
    ),
    "allOf": (
        {"a": 1}, a({"allOf": [{"minimum": 3}, {"maximum": 0}]}),
        ["a: must be at least 3; got 1", "a: must be at most 0; got 1"],
    ),
    "not": ({"a": "x"}, a({"not": {"type": "string"}}), ['a: must not be string; got "x"']),
    "not one value": ({"a": "x"}, a({"not": {"enum": ["x", None]}}), ['a: must not be "x" / null; got "x"']),
    "not together": (
        {"b": 1, "c": True, "d": 2}, fields("b", "c", "d", **{"not": {"required": ["b", "c"]}}),
        ['as a whole: must not have b and c together; got {"b":1,"c":true}'],
    ),
    "dependentRequired": (
        {"b": 1}, {"properties": {"b": {}, "c": {"type": "string"}}, "dependentRequired": {"b": ["c"]}},
        ["c: is required with b; valid: string"],
    ),
    "dependentSchemas": ({"b": 1}, fields("b", "c", dependentSchemas={"b": {"required": ["c"]}}), ["c: is required"]),
    "dependencies": (
        {"b": 1},
        fields("b", "c", dependencies={"b": ["c"]}, **{"$schema": "http://json-schema.org/draft-07/schema#"}),
        ["c: is required with b"],
    ),
    "propertyNames": (
        {"a": {"Bad Name": 1}}, a({"propertyNames": {"pattern": "^[a-z]+$"}}),
        ['a: a name in it must match the pattern ^[a-z]+$; got "Bad Name"'],
    ),
    "patternProperties": (
        {"a": {"x_1": None}}, a({"patternProperties": {"^x_": {"type": "integer"}}}),
        ["a.x_1: must be of type integer; got null"],
    ),
    "patternProperties of the whole": ({"x_1": 1, "y": 1}, a({}, patternProperties={"^x_": {}}), []),
    "format is the platform's": ({"a": "x"}, a({"format": "date"}), []),
    "if, then": (
        {"b": 1}, fields("b", "c", **{"if": {"properties": {"b": {"const": 1}}}, "then": {"required": ["c"]}}),
        ["c: is required"],
    ),
    "if, else": (
        {"b": 2, "c": None},
        fields(
            "b", required=["c"],
            **{"if": {"properties": {"b": {"const": 1}}}, "else": {"properties": {"c": {"type": "string"}}}},
        ),
        ["c: must be of type string; got null"],
    ),
    "never": ({"a": 2}, a(False), ["a: is not allowed; got 2"]),
    "never, if": (
        {"b": 1, "c": None},
        fields("b", required=["c"], **{"if": {"required": ["b"]}, "then": {"properties": {"c": False}}}),
        ["c: is not allowed; got null"],
    ),
    "a rule of an old dialect": (
        {"a": "x"}, a({"disallow": "string"}, **{"$schema": "http://json-schema.org/draft-03/schema#"}),
        ['a: breaks the rule disallow: "string"; got "x"'],
    ),
    "$ref": (
        {"a": {"x": None}}, a({"$ref": "#/$defs/q"}, **{"$defs": {"q": {"properties": {"x": {"type": "integer"}}}}}),
        ["a.x: must be of type integer; got null"],
    ),
    "$ref to the whole": (
        {"a": {"a": {"b": "aaaa"}}},
        {"properties": {"a": {"$ref": "#"},
        "b": {"pattern": "^x"}}, "$schema": "https://json-schema.org/draft/2020-12/schema"},
        ['a.a.b: must match the pattern ^x; got "aaaa"'],
    ),
    "unknown": ({"x": 2}, a({}), ["x: the tool has no such input; valid: a"]),
    "known by an alternative": (
        {"c": 1}, fields("b", anyOf=[{"properties": {"c": {}}, "required": ["c"]}, {"required": ["b"]}]), [],
    ),
    "before a reference that leads nowhere": (
        {"a": 1, "b": 2}, {"properties": {"a": {"type": "string"}, "b": {"$ref": "https://x.invalid/y"}}},
        ['a: must be of type string; got 1; give it as text: "1"'],
    ),
    "a pattern that only the platform understands": (
        {"a": 1, "b": "x"},
        {"properties": {"b": {"pattern": "(?<x"}, "a": {"minimum": 3}}}, ["a: must be at least 3; got 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("inputs", "schema", "lines"), LINES.values(), ids=LINES)
def test_each_keyword_has_its_line(inputs: dict[str, Any], schema: Schema, lines: list[str]) -> None:
    assert input_problems(inputs, schema) == lines


texts = st.text('xyz_12 \n"\\é\u2028\ud800')
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(json_values, st.sampled_from([schema for _, schema, _ in LINES.values()]))
def test_whatever_is_given_lines_are_few_short_and_hold_json_only(value: Any, schema: Schema) -> None:
    lines = input_problems({"a": value}, schema)
    assert len(lines) <= MAX_PROBLEMS
    for line in lines:
        assert "\n" not in line
        assert len(line) <= PROBLEM_CHARACTERS
        assert not re.search(r"None|True|False|'", line)


@given(json_values, st.integers(20, 400))
def test_a_value_is_shown_as_json_or_as_its_beginning(value: Any, characters: int) -> None:
    whole = one_line(json.dumps(value, ensure_ascii=False, separators=(",", ":")), 10_000)
    told = shown(value, characters)
    assert len(told) <= characters
    assert told == whole or (told.endswith("…") and whole.startswith(told[:-1].rstrip()))


def test_a_schema_too_deep_to_be_read_is_left_to_the_platform() -> None:
    deep: Schema = {}
    for _ in range(5_000):
        deep = {"properties": {"a": deep}}
    assert input_problems({"a": 1}, deep) == []


def test_of_endless_values_only_the_beginning_is_written_out() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep, 10) == "[" * 9 + "…"
    endless: list[Any] = []
    endless.append(endless)
    assert shown(endless, 80).startswith("[")
