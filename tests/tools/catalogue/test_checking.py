"""Inputs are checked against the tool's own schema: what cannot be meant is refused, what is doubtful is told."""

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
from deeporigin_mcp.tools.catalogue.schemas import cleaned
from deeporigin_mcp.tools.responses.size_limit import shown
from tests.support.golden_bodies import GOLDEN
from tests.support.schemas import Schema, doubling


def a(schema: Any, **more: Any) -> Schema:
    """A schema of inputs with one field of it."""
    return {"type": "object", "properties": {"a": schema}, **more}


def fields(*names: str, **more: Any) -> Schema:
    return {"properties": {name: {} for name in names}, **more}


BROKEN: dict[str, tuple[Any, Schema, list[str]]] = {
    "type": ({"a": False}, a({"type": "number"}), ["a: false is not of type number"]),
    "JSON in a text": (
        {"a": '{"id": 1}'},
        a({"type": "object"}),
        ['a: "{\\"id\\": 1}" is not of type object; give the JSON itself, not a text that holds it'],
    ),
    "enum": ({"a": "Fast"}, a({"enum": ["fast"]}), ["a: \"Fast\" is not one of ['fast']"]),
    "required inside": ({"a": {}}, a({"properties": {"z": {}}, "required": ["z"]}), ["a: 'z' is a required property"]),
    "not allowed": (
        {"a": {"y": 1}},
        a({"properties": {"z": {}}, "additionalProperties": False}),
        ["a: Additional properties are not allowed ('y' was unexpected)"],
    ),
    "pattern": ({"a": "x"}, a({"pattern": "^[A-Z]{4}$"}), ["a: \"x\" does not match '^[A-Z]{4}$'"]),
    "multiple": ({"a": 7.45}, a({"multipleOf": 0.1}), ["a: 7.45 is not a multiple of 0.1"]),
    "maximum": ({"a": 9}, a({"maximum": 5}), ["a: 9 is greater than the maximum of 5"]),
    "items": (
        {"a": [None] * 11},
        a({"items": {"type": "string"}}),
        [f"a.{number}: null is not of type string" for number in range(11)],
    ),
    "uniqueItems": (
        {"a": [1, {"x": None}, 2, {"x": None}]},
        a({"uniqueItems": True}),
        ['a: {"x":null} is there twice, as entries 1 and 3'],
    ),
    "alternatives": (
        {},
        fields("b", "c", "d", oneOf=[{"required": ["b"]}, {"required": ["c", "d"]}]),
        [
            "inputs: {} is not valid under any of the given schemas: "
            + "; ".join(f"'{name}' is a required property" for name in "bcd")
        ],
    ),
    "both alternatives": (
        {"b": 1, "c": 2},
        fields("b", "c", oneOf=[{"required": ["b"]}, {"required": ["c"]}]),
        ["inputs: {\"b\":1,\"c\":2} is valid under each of {'required': ['c']}, {'required': ['b']}"],
    ),
    "the alternative that came nearest": (
        {"a": {"k": {"z": 1}}},
        a({"anyOf": [{"type": "string"}, {"properties": {"k": {"properties": {"z": {"type": "string"}}}}}]}),
        ["a.k.z: 1 is not of type string"],
    ),
    "a field that may not be there": ({"a": 2}, a(False), ["a: 2 should not be valid under {}"]),
    "if, then": (
        {"b": 1},
        fields("b", "c", **{"if": {"properties": {"b": {"const": 1}}}, "then": {"required": ["c"]}}),
        ["inputs: 'c' is a required property"],
    ),
    "$ref": (
        {"a": {"x": None}},
        a({"$ref": "#/$defs/q"}, **{"$defs": {"q": {"properties": {"x": {"type": "integer"}}}}}),
        ["a.x: null is not of type integer"],
    ),
    "an unknown input": ({"x": 2}, a({}), ["x: the tool has no such input; valid: a"]),
    "an unknown input, nearly": (
        {"ligand": 2},
        fields("ligands", "protein", additionalProperties=False),
        ["ligand: the tool has no such input; did you mean ligands?"],
    ),
}


@pytest.mark.parametrize(("inputs", "schema", "lines"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_meant_is_named_with_its_place_and_value(
    inputs: dict[str, Any], schema: Schema, lines: list[str]
) -> None:
    assert checked(inputs, schema).problems == lines


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
def test_what_the_official_client_sends_is_taken_without_a_word(body: Any) -> None:
    _, key, selector, sent = body
    definition = Platform().catalogue.resolve(key, selector)
    assert definition is not None
    found = checked(sent["inputs"], definition.inputs)
    assert found.problems == []
    unread = "ligands_file: its molecules were not read, so neither checked nor compared."
    assert found.warnings == ([unread] if "ligands_file" in sent["inputs"] else [])


DOUBTFUL: dict[str, tuple[Any, Schema, str]] = {
    "required and not described": ({"a": 1}, fields("a", required=["b"]), "The schema requires 'b'"),
    "a reference where a text is asked for": (
        {"a": {"$provider": "ufa", "key": "x"}},
        a({"type": "string"}),
        "a: a file is given where the schema asks for a text",
    ),
    "a name like another": (
        {"ligandz": 1},
        fields("ligands", additionalProperties=True),
        "ligandz: the schema does not describe it; did you mean ligands?",
    ),
    "a reference that leads nowhere": ({"b": 2}, {"properties": {"b": {"$ref": "https://x.invalid/y"}}}, UNREAD),
    "types that nobody knows": ({"a": 1}, a({"type": "file"}), UNREAD),
    "a bound of an older draft": ({"a": 1}, a({"exclusiveMinimum": True}), UNREAD),
    "required as a text": ({"a": 1}, {"properties": {"a": {}}, "required": "name"}, UNREAD),
}


@pytest.mark.parametrize(("inputs", "schema", "words"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_doubtful_is_told_and_left_to_the_platform(inputs: dict[str, Any], schema: Schema, words: str) -> None:
    found = checked(inputs, schema)
    assert found.problems == []
    assert any(warning.startswith(words) for warning in found.warnings), found.warnings


def test_problems_found_before_a_reference_that_leads_nowhere_are_told() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"$ref": "https://x.invalid/y"}}}
    assert checked({"a": 1, "b": 2}, schema).problems == ["a: 1 is not of type string"]


@pytest.mark.parametrize("of", ["allOf", "anyOf", "not", "if", "unevaluated", "required"])
def test_a_schema_without_end_is_given_up_and_said_so(of: str) -> None:
    schema = doubling(60, of=of)
    found = checked({"x": "a", "zzz": 1}, schema)
    assert "zzz: the tool has no such input; valid: x" in found.problems
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
@given(json_values, st.sampled_from([schema for _, schema, _ in BROKEN.values()]))
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
    assert found.problems[0].startswith("other_0: the tool has no such input; ")


@pytest.mark.parametrize(("inputs", "schema"), COSTLY.values(), ids=COSTLY)
def test_what_takes_too_long_is_given_up_and_said_so(inputs: dict[str, Any], schema: Schema) -> None:
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
