"""The table of a tool's inputs, from schemas of every kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeporigin_mcp.tools.parameters import Parameters
from deeporigin_mcp.tools.shaping import size

ROOM = 5_000


def table(schema: dict[str, Any]) -> dict[str, str]:
    """Form by path; required ones are marked."""
    rows, _ = Parameters(schema).rows(ROOM)
    return {row.path: f"{row.form} (required)" if row.required else row.form for row in rows}


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
    assert form({"enum": ["v" * 50] * 5_000}).endswith("…")
    assert form({"enum": list(range(5_000))}).endswith("11 / … 4988 more")


def test_a_long_enumeration_keeps_its_values_and_drops_their_names_for_people() -> None:
    values = [f"property_{letter}" for letter in "abcdefghijkl"]
    names = [f"What people call {value}" for value in values]
    told = form({"type": "array", "items": {"enum": values, "x-enum-display-names": names}, "default": values})
    assert all(f'"{value}"' in told for value in values), told
    assert "people" not in told


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
        "a": "object (required)",
        "a.b": "string (required)",
        "a.c": "anything",
        "l": "list of object",
        "l[].s": "string",
        "g": "list of (list of object)",
        "g[][].x": "number",
        "m": "object",
        "m.*": '"keep"',
    }


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
        assert Parameters(schema).rows(ROOM) == ([], False)


def test_ten_thousand_inputs_are_cut_and_it_is_said() -> None:
    rows, was_cut = Parameters({"properties": {f"p{number}": {"type": "string"} for number in range(10_000)}}).rows(
        ROOM
    )
    assert was_cut
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
    parameters = Parameters(schema)
    rows, _ = parameters.rows(ROOM)
    assert size([row.model_dump(exclude_none=True) for row in rows]) <= ROOM
    assert all(len(rule) <= 300 for rule in parameters.rules())
