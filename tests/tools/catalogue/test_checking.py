"""Inputs are checked against the tool's own schema: what is invalid is refused, what is doubtful is a warning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from deeporigin_mcp.platform.records.sanitizing import MAX_DEPTH, one_line, sanitized
from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.tools.catalogue.checking import MAX_PROBLEMS, PROBLEM_CHARACTERS, UNREAD, checked, example_inputs
from deeporigin_mcp.tools.catalogue.ligands import WITHOUT_RDKIT
from deeporigin_mcp.tools.catalogue.shown_schemas import cleaned
from deeporigin_mcp.tools.responses.size_limit import shown
from tests.support.golden_bodies import GOLDEN
from tests.support.schemas import DOUBTFUL, INVALID, Schema, doubling, fields
from tests.support.schemas import one_field as a


@pytest.mark.parametrize(("inputs", "schema", "paths"), INVALID.values(), ids=INVALID)
def test_each_problem_is_named_with_its_path(inputs: dict[str, Any], schema: Schema, paths: list[str]) -> None:
    assert [problem.partition(": ")[0] for problem in checked(inputs, schema).problems] == paths


TAKEN: dict[str, tuple[Any, Schema]] = {
    "decimal steps": ({"a": [0.3, 7.4, -1.1, 3, True]}, a({"items": {"multipleOf": 0.1}})),
    "steps of nothing": ({"a": [10**5000, 1e308]}, a({"items": {"multipleOf": 1e-300}})),
    "an input that is required and not described": ({"a": 1, "b": 2}, fields("a", required=["a", "b"])),
    "an input that only an alternative describes": (
        {"c": 1},
        fields("b", anyOf=[{"properties": {"c": {}}, "required": ["c"]}, {"required": ["b"]}]),
    ),
    "an input that only an alternative below an alternative describes": (
        {"d": 1},
        fields("b", allOf=[{"anyOf": [{"oneOf": [{"properties": {"d": {"type": "integer"}}}]}]}]),
    ),
    "an input that only a condition describes": (
        {"b": 1, "e": 1},
        fields("b", **{"if": {"required": ["b"]}, "then": {"properties": {"e": {}}}}),
    ),
    "inputs of objects that all hold": (
        {"b": 1, "c": "x"},
        {"allOf": [{"properties": {"b": {"type": "integer"}}}, {"$ref": "#/$defs/c"}], "$defs": {"c": fields("c")}},
    ),
    "a required input with a default": ({}, a({"default": 1}, required=["a"])),
    "nulls of optional inputs": ({"a": None}, a({"type": "string"})),
    "a null that may be": ({"a": {"x": None}}, a({"properties": {"x": {"type": "string", "nullable": True}}})),
    "whatever else, where the schema says so": ({"zzz": 1}, a({}, additionalProperties=True)),
    "names by pattern": ({"x_1": 1}, a({}, patternProperties={"^x_": {}})),
    "a format that is the platform's": ({"a": "x"}, a({"format": "date"})),
    "what only another draft can say": ({"a": {"z": 1}}, a({"unevaluatedProperties": False})),
    "twelve levels": (
        json.loads('{"a":' * 12 + '"x"' + "}" * 12),
        json.loads('{"properties":{"a":' * 12 + '{"type":"string"}' + "}}" * 12),
    ),
    "one of two, of which both fit only by a default": (
        {"a": {"k": 1}},
        a(
            {
                "oneOf": [
                    {"properties": {"k": {}}, "required": ["k"]},
                    {"properties": {"m": {"default": 1}}, "required": ["m"]},
                ]
            }
        ),
    ),
}


@pytest.mark.parametrize(("inputs", "schema"), TAKEN.values(), ids=TAKEN)
def test_what_may_be_meant_is_taken(inputs: dict[str, Any], schema: Schema) -> None:
    assert checked(inputs, schema).problems == []


@pytest.mark.parametrize("body", GOLDEN, ids=lambda body: str(body[0]))
def test_what_the_official_client_sends_is_taken(body: Any) -> None:
    _, key, selector, sent = body
    definition = Platform().catalogue.resolve(key, selector)
    assert definition is not None
    found = checked(sent["inputs"], definition.inputs)
    assert found.problems == []
    told = [warning.partition(":")[0] for warning in found.warnings if warning != WITHOUT_RDKIT]
    assert told == [*{"ligands_file"} & sent["inputs"].keys()]


@pytest.mark.parametrize(("inputs", "schema"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_doubtful_is_a_warning_and_left_to_the_platform(inputs: dict[str, Any], schema: Schema) -> None:
    found = checked(inputs, schema)
    assert found.problems == []
    assert found.warnings


def test_problems_found_before_a_reference_that_leads_nowhere_are_kept() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"$ref": "https://x.invalid/y"}}}
    assert len(checked({"a": 1, "b": 2}, schema).problems) == 1


@pytest.mark.parametrize("of", ["allOf", "anyOf", "not", "if", "unevaluated", "required"])
def test_the_check_of_an_endless_schema_ends_with_a_warning(of: str) -> None:
    schema = doubling(60, of=of)
    found = checked({"x": "a", "zzz": 1}, schema)
    assert any(problem.startswith("zzz: ") for problem in found.problems)
    assert found.warnings == [UNREAD] or of in ("required", "unevaluated")
    example_inputs(schema)


def test_a_schema_that_refers_to_itself_or_is_endlessly_deep_is_left_to_the_platform() -> None:
    assert checked({"a": 1}, a({"$ref": "#/properties/a"})).warnings == [UNREAD]
    deep: Schema = {}
    for _ in range(5_000):
        deep = {"properties": {"a": deep}}
    assert checked({"a": 1}, deep).warnings == [UNREAD]
    given: Any = 1
    for _ in range(5_000):
        given = {"a": given}
    assert checked(given, a({})).problems == []


texts = st.text('xyz_12 \n"\\é\u2028\ud800')
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(json_values, st.sampled_from([schema for _, schema, _ in INVALID.values()]))
def test_whatever_is_given_lines_are_few_and_short(value: Any, schema: Schema) -> None:
    found = checked({"a": value}, schema)
    assert len(found.problems) <= MAX_PROBLEMS
    for line in [*found.problems, *found.warnings]:
        assert "\n" not in line
        assert len(line) <= PROBLEM_CHARACTERS


@given(json_values, json_values)
def test_whatever_a_schema_holds_is_no_error(value: Any, schema: Any) -> None:
    checked({"a": value}, {"properties": {"a": schema}, "required": schema, "allOf": schema, "$ref": schema})


@given(json_values, st.integers(20, 400))
def test_a_value_is_shown_as_json_or_as_its_beginning(value: Any, characters: int) -> None:
    whole = one_line(json.dumps(value, ensure_ascii=False, separators=(",", ":")), 10_000)
    told = shown(value, characters)
    assert len(told) <= characters
    assert told == whole or (told.endswith("…") and whole.startswith(told[:-1].rstrip()))


def test_large_values_in_many_broken_alternatives_are_shown_cut() -> None:
    large = [{"x": "y" * 1_000} for _ in range(2_000)]
    schema = a({"anyOf": [{"type": "object", "title": str(number)} for number in range(200)]})
    (line,) = checked({"a": large}, schema).problems
    assert len(line) <= PROBLEM_CHARACTERS


WIDE = [f"p{number}" for number in range(20_000)]
COSTLY: dict[str, tuple[Any, Schema]] = {
    "many alternatives of many values": (
        {"a": {"k": "q"}},
        a({"anyOf": [{"properties": {"k": {"anyOf": [{"const": n} for n in range(200)]}}}] * 100}),
    ),
    "a long enumeration for a long list": ({"a": ["q"] * 5_000}, a({"items": {"enum": WIDE}})),
    "many fields for a long list": (
        {"a": [{"p1": 1}] * 3_000},
        a({"items": {"properties": {name: {"type": "string"} for name in WIDE}}}),
    ),
    "a large constant for a long list": (
        {"a": [[[n] for n in range(300)]] * 300},
        a({"items": {"const": [[n] for n in range(5_000)]}}),
    ),
    "a chain of references": (
        {"a": 1},
        a({"$ref": "#/$defs/d0"}, **{"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(5_000)}}),
    ),
    "a list in lists, read twice at each depth": (
        {"a": json.loads("[" * 60 + "1" + "]" * 60)},
        a(
            {"$ref": "#/$defs/t"},
            **{"$defs": {"t": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/t"}}] * 2}}},
        ),
    ),
    "a large list that must not repeat, many times": (
        {"a": [[1] * 50_000, [2] * 50_000]},
        a({"allOf": [{"uniqueItems": True}] * 5_000}),
    ),
    "a pattern that takes long, many times": (
        {"a": "a" * 990},
        a({"allOf": [{"pattern": f"[ab]*c{number}"} for number in range(5_000)]}),
    ),
    "a pattern of names that takes long, for many names": (
        {"a": {f"{'a' * 980}{number}": 1 for number in range(1_000)}},
        a({"allOf": [{"patternProperties": {"a*b": {}}}] * 100}),
    ),
    "as many values as fit into a request": ({"a": [1] * 2_000_000}, a({"items": {"type": "number"}})),
}


def test_a_schema_of_many_names_in_many_parts_is_read_once() -> None:
    parts = [{"properties": {name: {}}, "required": [name]} for name in WIDE[:5_000]]
    found = checked({f"other_{number}": 1 for number in range(100)} | {"p1": 1}, {"anyOf": parts})
    assert len(found.problems) == MAX_PROBLEMS
    assert found.problems[0].startswith("other_0: ")


@pytest.mark.parametrize(("inputs", "schema"), COSTLY.values(), ids=COSTLY)
def test_a_check_that_takes_too_long_ends_with_a_warning(inputs: dict[str, Any], schema: Schema) -> None:
    assert UNREAD in checked(inputs, schema).warnings
    example_inputs(schema)


@pytest.mark.parametrize("kinds", [[{}], [[]], [None, {}], {}, [[["string"]]]])
def test_types_that_are_no_names_are_no_error(kinds: Any) -> None:
    schema = a({"type": kinds, "format": "file"})
    assert cleaned(schema)["properties"].keys() == {"a"}
    example_inputs(schema)
    checked({"a": "x"}, schema)


def test_what_is_as_deep_as_a_response_may_be_can_be_sent_on() -> None:
    constant: Any = []
    for _ in range(2 * MAX_DEPTH):
        constant = [constant]
    schema = a({"const": sanitized(constant)})
    assert View.model_validate({"inputs": cleaned(schema)}).model_dump_json()


class View(BaseModel):
    inputs: dict[str, Any]
