"""JSON Schemas of arguments and views, made from their annotations: no references, no titles, no unions with null.

Every client can read these. Pydantic could make them too, but only from models that it builds first, which took more
of a server's start than all else of ours; so a model is built when a call needs it.
`tests/tools/protocol/test_schemas.py` compares each schema with pydantic's.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Schema = dict[str, Any]

_TYPES: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_UNIONS = (Union, UnionType)
_CONSTRAINTS: Mapping[str, Mapping[str, str]] = {
    "ge": {"integer": "minimum", "number": "minimum"},
    "gt": {"integer": "exclusiveMinimum", "number": "exclusiveMinimum"},
    "le": {"integer": "maximum", "number": "maximum"},
    "lt": {"integer": "exclusiveMaximum", "number": "exclusiveMaximum"},
    "min_length": {"string": "minLength", "array": "minItems"},
    "max_length": {"string": "maxLength", "array": "maxItems"},
    "pattern": {"string": "pattern"},
}
"""Pydantic's constraints: the keyword of each, by type."""


def parameters_schema(function: Callable[..., Any], hints: Mapping[str, Any], context: str = "") -> Schema:
    """The schema of the arguments of a tool or a prompt.

    Args:
        hints: the function's annotations, evaluated.
        context: the parameter that is not an argument, if any.
    """
    given = [each for each in inspect.signature(function).parameters.values() if each.name != context]
    properties = {each.name: _with_default(schema_of(hints[each.name]), each.default) for each in given}
    required = [each.name for each in given if each.default is each.empty]
    return {**_object(properties, required), "additionalProperties": False}


@functools.cache
def output_schema(view: type[BaseModel]) -> Schema:
    """The schema of a view's structured content: the fields, their types, and which are required.

    It allows other fields: a client that refuses them gains nothing, and would refuse the results of a newer server.
    """
    return _outline(schema_of(view))


def schema_of(annotation: Any) -> Schema:
    """The schema of values that fit an annotation. What may be null may be omitted, so null adds nothing.

    Raises:
        TypeError: an annotation that no tool has used so far.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _TYPES:
        return {"type": _TYPES[annotation]}
    if annotation is Any:
        return {}
    if origin is Annotated:
        return _annotated(parts[0], parts[1:])
    if origin in _UNIONS:
        options = [schema_of(part) for part in parts if part is not NoneType]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if origin is Literal:
        return {"type": _TYPES[type(parts[0])], **({"enum": [*parts]} if parts[1:] else {"const": parts[0]})}
    if origin is list:
        return {"type": "array", "items": schema_of(parts[0])}
    if origin is dict:
        values = schema_of(parts[1])
        return {"type": "object", "properties": {}, **({"additionalProperties": values} if values else {})}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _of_model(annotation)
    raise TypeError(f"{annotation!r} has no schema here; add it to schema_of.")


def _of_model(model: type[BaseModel]) -> Schema:
    fields = model.model_fields
    properties = {
        name: _with_default(_annotated(field.annotation, [field]), field.default) for name, field in fields.items()
    }
    required = [name for name, field in fields.items() if field.is_required()]
    closed = {"additionalProperties": False} if model.model_config.get("extra") == "forbid" else {}
    return {**_object(properties, required), **closed}


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _annotated(annotation: Any, metadata: Iterable[Any]) -> Schema:
    """The schema of an annotation with its constraints and its description."""
    flat = [part for each in metadata for part in ((*each.metadata, each) if isinstance(each, FieldInfo) else (each,))]
    for part in flat:
        if isinstance(part, WithJsonSchema):
            return dict(part.json_schema or {})
    schema = schema_of(annotation)
    for part in flat:
        if isinstance(part, FieldInfo):
            schema |= {"description": part.description} if part.description else {}
            continue
        for name, keywords in _CONSTRAINTS.items():
            if (limit := getattr(part, name, None)) is not None:
                schema[keywords[schema["type"]]] = limit
    return schema


def _with_default(schema: Schema, default: Any) -> Schema:
    is_shown = default is not None and default is not inspect.Parameter.empty and default is not PydanticUndefined
    return {**schema, "default": default} if is_shown else schema


def _outline(schema: Schema) -> Schema:
    """A schema without descriptions and defaults, and open to other fields."""

    def outlined(node: Any, *, is_properties: bool = False) -> Any:
        if isinstance(node, list):
            return [outlined(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        dropped = () if is_properties else ("additionalProperties", "description", "default")
        return {
            key: outlined(value, is_properties=not is_properties and key == "properties")
            for key, value in node.items()
            if key not in dropped or (key == "additionalProperties" and isinstance(value, dict))
        }

    return cast("Schema", outlined(schema))
