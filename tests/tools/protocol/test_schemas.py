"""The schemas that clients see are those that pydantic would make of the same annotations, shortened."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast, get_args, get_type_hints

import pytest
from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from mcp_types import InputRequiredResult
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deeporigin_mcp.server import TOOLS, Offer, _tool
from deeporigin_mcp.tools.protocol.schemas import schema_of


def shortened(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of pydantic's: references inlined, no titles, no unions with null."""
    definitions = schema.get("$defs", {})

    def compact(node: Any, *, is_properties: bool = False) -> Any:
        if isinstance(node, list):
            return [compact(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        if is_properties:
            return {name: compact(entry) for name, entry in node.items()}
        if "$ref" in node:
            target = definitions[node["$ref"].rsplit("/", 1)[-1]]
            return compact({**target, **{key: value for key, value in node.items() if key != "$ref"}})
        options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
        if len(options) == 1:
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            return compact({**options[0], **rest})
        if options:
            node = {**node, "anyOf": options}
        kept = {
            key: compact(value, is_properties=key == "properties")
            for key, value in node.items()
            if key not in ("title", "$defs")
            and not (key == "default" and value is None)
            and not (key == "additionalProperties" and value is True)
        }
        if kept.get("type") == "object" and "properties" not in kept:
            kept["properties"] = {}
        return kept

    return cast("dict[str, Any]", compact({key: value for key, value in schema.items() if key != "description"}))


def outline(node: Any, *, is_properties: bool = False) -> Any:
    """A schema without what an output schema leaves out."""
    if isinstance(node, list):
        return [outline(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    dropped = () if is_properties else ("additionalProperties", "description", "default")
    return {
        key: outline(value, is_properties=not is_properties and key == "properties")
        for key, value in node.items()
        if key not in dropped or (key == "additionalProperties" and isinstance(value, dict))
    }


@pytest.mark.parametrize("offer", TOOLS, ids=lambda offer: offer.function.__name__)
def test_a_tools_input_schema_is_pydantics(offer: Offer) -> None:
    tool = _tool(offer)
    model = func_metadata(offer.function, skip_names=[tool.context_kwarg or ""], structured_output=False).arg_model
    assert tool.parameters == {**shortened(model.model_json_schema()), "additionalProperties": False}


@pytest.mark.parametrize("offer", TOOLS, ids=lambda offer: offer.function.__name__)
def test_a_tools_output_schema_is_pydantics(offer: Offer) -> None:
    returned = get_type_hints(offer.function)["return"]
    (view,) = (part for part in get_args(returned) or (returned,) if part is not InputRequiredResult)
    assert _tool(offer).output_schema == outline(shortened(view.model_json_schema()))


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(description="A field, not a title.", min_length=1)]
    count: int = 3
    note: str | None = None


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        Any,
        bool | None,
        str | int | None,
        Literal["a", "b"],
        Literal["only"] | None,
        Literal[1, 2],
        list[Annotated[str, Field(pattern="^a", max_length=3)]],
        list[Annotated[list[int] | None, Field(description="Some.", min_length=1, max_length=9)]],
        Annotated[float, Field(gt=0, lt=1)],
        dict[str, Any],
        dict[str, list[int]],
        dict[str, Any] | list[dict[str, Any]] | None,
        Part,
        list[Part],
        Part | str | None,
    ],
    ids=str,
)
def test_a_schema_of_an_annotation_is_pydantics(annotation: Any) -> None:
    assert schema_of(annotation) == shortened(TypeAdapter(annotation).json_schema())


def test_an_annotation_that_is_not_known_is_refused_when_the_tool_is_made() -> None:
    with pytest.raises(TypeError, match="bytes"):
        schema_of(list[bytes])
