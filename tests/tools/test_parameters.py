"""The table of a tool's inputs, from schemas of every kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.tools.inputs import example_inputs, input_problems
from deeporigin_mcp.tools.parameters import Parameters
from deeporigin_mcp.tools.shaping import size

ROOM = 5_000


def table(schema: dict[str, Any]) -> dict[str, str]:
    """Form by path; it is marked which are required."""
    rows, _ = Parameters(schema).rows(ROOM)
    return {row.path: f"{row.form} (required: {row.required})" if row.required else row.form for row in rows}


def form(schema: Any) -> str:
    return table({"properties": {"x": schema}})["x"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({}, "anything"),
        (True, "anything"),
        ({"type": "string", "format": "file"}, "file path"),
        ({"type": "string", "format": "date"}, "string, date"),
        ({"type": ["string", "null"], "default": None}, "string"),
        ({"type": ["string", "integer"]}, "string or integer"),
        ({"type": "integer", "minimum": 1, "maximum": 5, "default": 0}, "integer, 1 to 5, default 0"),
        ({"type": "integer", "maximum": 1_000_000}, "integer, at most 1000000"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, "number, above 0, below 0.5"),
        ({"type": "string", "minLength": 2, "maxLength": 2, "pattern": "^a"}, "string, 2 characters, pattern ^a"),
        ({"const": "a"}, 'always "a"'),
        ({"enum": ["a", 1, None]}, '"a" / 1 / null'),
        ({"enum": ["a_b", "c"], "x-enum-display-names": ["A B", "Cs"]}, '"a_b" / "c"'),
        ({"enum": ["a", "b"], "x-enum-display-names": ["Only one"]}, '"a" (Only one) / "b"'),
        ({"items": {"enum": ["a", "b"]}, "default": ["b", "a"]}, 'list of ("a" / "b"), default all'),
        ({"items": {"enum": ["a", "b"]}, "default": ["b"]}, 'list of ("a" / "b"), default ["b"]'),
        ({"type": "array", "minItems": 1}, "list of anything, not empty"),
        ({"type": "array", "minItems": 2}, "list of anything, at least 2 entries"),
        ({"type": "integer", "minimum": 1}, "integer, at least 1"),
        (
            {"enum": ["auto-find", "by-hand"], "x-enum-display-names": ["Auto find", "Draw it"]},
            '"auto-find" / "by-hand" (Draw it)',
        ),
        ({"enum": ["a"], "x-enum-display-names": "broken"}, '"a"'),
        ({"type": "array"}, "list of anything"),
        ({"items": {"type": "number"}, "minItems": 3, "maxItems": 3}, "list of number, 3 entries"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, 'list of ("a" / "b")'),
        (
            {"oneOf": [{"type": "string"}, {"type": "number", "minimum": 0}, {"type": "null"}]},
            "string or number, at least 0",
        ),
        ({"properties": {"a": {}}}, "object"),
        ({"minimum": "broken", "enum": {}, "oneOf": 3, "default": False}, "anything, default false"),
    ],
)
def test_each_kind_of_value_has_its_form(schema: Any, told: str) -> None:
    assert form(schema) == told


def test_a_huge_enumeration_is_shortened() -> None:
    assert form({"enum": ["v" * 50] * 5_000}).endswith('v" / … 4990 more')
    assert form({"enum": list(range(5_000))}).endswith("23 / … 4976 more")
    rows, cut = Parameters({"properties": {"x": {"enum": list(range(5_000))}, "y": {}}}).rows(ROOM)
    assert (len(rows), cut) == (2, ["form of x"])


def test_a_long_default_loses_whole_entries_and_it_is_said() -> None:
    default = [f"entry number {number}" for number in range(9)]
    rows, cut = Parameters({"properties": {"x": {"type": "array", "default": default}}}).rows(ROOM)
    assert rows[0].form == 'list of anything, default ["entry number 0", "entry number 1", … 7 more]'
    assert cut == ["form of x"]


def test_a_long_enumeration_keeps_its_values_and_drops_their_names_for_people() -> None:
    values = [f"property_{letter}" for letter in "abcdefghijkl"]
    names = [f"What people who know it call {value}" for value in values]
    told = form({"type": "array", "items": {"enum": values, "x-enum-display-names": names}, "default": values})
    assert all(f'"{value}"' in told for value in values), told
    assert "people" not in told
    assert told.endswith(", default all")


def test_nested_fields_have_paths() -> None:
    found = table(
        {
            "required": ["a", "ghost"],
            "properties": {
                "a": {"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}, "c": {}}},
                "l": {"type": "array", "items": {"type": "object", "properties": {"s": {"type": "string"}}}},
                "g": {"type": "array", "items": {"items": {"properties": {"x": {"type": "number"}}}}},
                "m": {"type": "object", "additionalProperties": {"enum": ["keep"]}},
                "never": False,
            },
        }
    )
    assert found == {
        "a": "object (required: yes)",
        "a.b": "string (required: yes)",
        "a.c": "anything",
        "l": "list of object",
        "l[].s": "string",
        "g": "list of (list of object)",
        "g[][].x": "number",
        "m": "object",
        "m.*": '"keep"',
    }


def test_what_is_required_inside_an_optional_object_is_so_only_where_that_is_given() -> None:
    fields = {"x": {"type": "string"}}
    leaf = {"type": "object", "required": ["x"], "properties": fields}
    found = table(
        {
            "required": ["sure"],
            "properties": {
                "sure": {**leaf, "required": ["x", "in"], "properties": {**fields, "in": leaf}},
                "maybe": {"type": "object", "required": ["in"], "properties": {"in": leaf, "or": leaf}},
                "list": {"type": "array", "items": leaf},
                "map": {"type": "object", "additionalProperties": leaf},
            },
        }
    )
    required = {path: told.partition("required: ")[2].rstrip(")") for path, told in found.items() if "required" in told}
    assert required == {
        "sure": "yes",
        "sure.x": "yes",
        "sure.in": "yes",
        "sure.in.x": "yes",
        "maybe.in": "if maybe",
        "maybe.in.x": "if maybe",
        "maybe.or.x": "if maybe.or",
        "list[].x": "if list",
        "map.*.x": "if map.*",
    }


def test_fields_of_one_definition_are_told_once_where_room_is_short() -> None:
    schema: dict[str, Any] = {
        "properties": {
            "first": {"$ref": "#/$defs/leg"},
            "second": {"$ref": "#/$defs/leg"},
            "many": {"type": "array", "items": {"$ref": "#/$defs/leg"}},
            "other": {"$ref": "#/$defs/leg", "required": ["n"]},
        },
        "$defs": {"leg": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    assert table(schema)["second.n"] == "integer"
    rows, cut = Parameters(schema, repeating=False).rows(ROOM)
    assert {row.path: row.form for row in rows} == {
        "first": "object",
        "first.n": "integer",
        "second": "object, fields as in first",
        "many": "list of object, fields as in first",
        "other": "object",
        "other.n": "integer",
    }
    assert cut == []


def test_what_is_cut_is_named_by_what_holds_it() -> None:
    leaf = {"properties": {f"x{number}": {"type": "string"} for number in range(20)}}
    schema = {"properties": {name: {"properties": {"in": leaf}} for name in "abcdefgh"}}
    rows, cut = Parameters(schema).rows(1_500)
    assert "a.in.x0" in {row.path for row in rows}
    assert cut == [f"parameters below b.in, c.in, d.in, e.in, f.in, g.in and 1 more ({len(rows)} of 176 shown)"]
    rows, cut = Parameters(schema).rows(300)
    assert cut == [f"parameters below a.in, b.in, c, d, e, f and 2 more ({len(rows)} of 176 shown)"]


def test_what_is_too_deep_for_a_table_is_named() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for letter in reversed("abcdefghij"):
        schema = {"type": "object", "properties": {letter: schema}}
    assert Parameters(schema).rows(ROOM)[1] == ["parameters below a.b.c.d.e.f.g"]


def test_references_are_followed_and_circles_end() -> None:
    found = table(
        {
            "properties": {
                "tree": {"$ref": "#/$defs/node"},
                "far": {"$ref": "https://elsewhere"},
                "b": {"$ref": "#/x/y"},
            },
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "name": {"$ref": "#/$defs/na~1me"},
                        "next": {"$ref": "#/$defs/node"},
                        "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                },
                "na/me": {"type": "string"},
                "loop": {"$ref": "#/$defs/loop"},
            },
        }
    )
    assert found["tree.name"] == "string"
    assert found["tree.next"] == "as further up"
    assert found["tree.all"].startswith("list of")
    assert (found["far"], found["b"]) == ("anything", "anything")
    assert form({"$ref": "#"}) == "object"


def test_fields_of_alternatives_are_there_and_not_required() -> None:
    found = table(
        {
            "properties": {"a": {"type": "string"}},
            "oneOf": [{"properties": {"b": {"type": "integer"}}, "required": ["b"]}, {"required": ["a"]}],
            "allOf": [{"properties": {"c": {"type": "number"}}}],
            "then": {"properties": {"d": {"type": "boolean"}}},
        }
    )
    assert found == {"a": "string", "b": "integer", "c": "number", "d": "boolean"}


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        ({"oneOf": [{"required": ["a"]}, {"required": ["b", "c"]}]}, ["exactly one of: a; b and c"]),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"], "not": {"required": ["c"]}}]},
            ["at least one of: a; b and without c"],
        ),
        (
            {
                "if": {"properties": {"m": {"const": 1}}, "required": ["m"]},
                "then": {"required": ["x"]},
                "else": {"required": ["y"]},
            },
            ["if m = 1: x", "unless m = 1: y"],
        ),
        (
            {"allOf": [{"if": {"properties": {"m": {"enum": ["p", "q"]}}}, "then": {"required": ["x"]}}]},
            ['if m = "p" / "q": x'],
        ),
        ({"dependentRequired": {"a": ["b", "c"]}}, ["a needs b and c"]),
        ({"not": {"required": ["a", "b"]}}, ["not together: a and b"]),
        ({"not": {"required": ["a"]}}, ["not taken: a"]),
        (
            {"anyOf": [{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"required": ["c"]}]},
            ["at least one of: (a or b); c"],
        ),
        (
            {"properties": {"p": {"properties": {"a": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}}},
            ["p: exactly one of: a; b"],
        ),
        ({"oneOf": [True, 3, {}], "if": 4, "dependentRequired": [], "not": []}, []),
    ],
)
def test_what_holds_between_inputs_is_said_in_a_line(schema: dict[str, Any], rules: list[str]) -> None:
    assert Parameters(schema).rules() == rules


def test_a_schema_without_inputs_has_an_empty_table() -> None:
    schemas: list[dict[str, Any]] = [{}, {"type": "object"}, {"properties": None}, {"properties": []}]
    for schema in schemas:
        assert Parameters(schema).rows(ROOM) == ([], [])


def test_ten_thousand_inputs_are_cut_and_it_is_said() -> None:
    rows, cut = Parameters({"properties": {f"p{number}": {"type": "string"} for number in range(10_000)}}).rows(ROOM)
    assert cut == [f"parameters ({len(rows)} of over 400 shown)"]
    assert len(rows) > 50
    assert size([row.model_dump(exclude_none=True) for row in rows]) <= ROOM


def test_five_hundred_levels_end() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        schema = {"type": "object", "properties": {"in": schema}, "allOf": [schema], "items": schema}
        if len(str(schema)) > 10**6:
            break
    rows, _ = Parameters({"properties": {"x": schema}}).rows(ROOM)
    assert rows[0].path == "x"


keys = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "oneOf",
        "anyOf",
        "allOf",
        "if",
        "then",
        "else",
        "not",
        "enum",
        "const",
        "default",
        "minimum",
        "maxItems",
        "format",
        "$ref",
        "additionalProperties",
        "x-data-type",
        "x-enum-display-names",
        "description",
        "dependentRequired",
        "pattern",
    ]
)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.sampled_from(["object", "array", "#", "#/$defs/a", "#/properties/b", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.sampled_from(["a", "b"]), inner, max_size=5),
    max_leaves=40,
)


@settings(max_examples=200)
@given(st.dictionaries(keys, junk, max_size=8))
def test_no_schema_is_an_error_and_every_table_fits(schema: dict[str, Any]) -> None:
    for repeating in (True, False):
        parameters = Parameters(schema, repeating=repeating)
        rows, cut = parameters.rows(ROOM)
        assert size([row.model_dump(exclude_none=True) for row in rows]) <= ROOM
        assert cut or len(rows) == parameters.count
        assert all(len(told) <= 700 for told in cut)
        assert all(len(rule) <= 300 for rule in parameters.rules())


@settings(max_examples=200)
@given(st.dictionaries(keys, junk, max_size=8))
def test_no_schema_keeps_an_example_from_being_looked_for(schema: dict[str, Any]) -> None:
    example = example_inputs(ToolDefinition({"key": "k", "version": "1", "inputs": schema}))
    assert example is None or input_problems(example, schema) == []
