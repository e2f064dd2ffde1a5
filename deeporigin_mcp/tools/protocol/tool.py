"""A tool as clients see it: its schemas, and the boundary where views and errors become results."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import anyio
from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ValidationError

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, SettingsError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.protocol.arguments import MAX_PROBLEMS, argument_problems
from deeporigin_mcp.tools.responses.errors import error_from, error_result
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, Content, within_limit
from deeporigin_mcp.tools.responses.suggestions import did_you_mean
from deeporigin_mcp.tools.responses.views import View
from deeporigin_mcp.tools.runtime import call_log
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ClientAsked

MAX_ENTRIES = 1_000
"""Entries of one argument. No call needs more, and validating a million would block the server."""


class Arguments(FuncMetadata):
    """Arguments as they were sent: a string stays a string, even one with JSON in it."""

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Parse a list or object in a string only where the schema takes no string; some clients send them so."""
        read = super().pre_parse_json(data)
        fields = self.arg_model.model_fields
        return {
            name: read[name]
            if name in fields and isinstance(read[name], list | dict) and not _takes_string(fields[name].annotation)
            else value
            for name, value in data.items()
        }


def _takes_string(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_takes_string, get_args(annotation)))
    return annotation is str or (get_origin(annotation) is Annotated and _takes_string(get_args(annotation)[0]))


def description_of(function: Callable[..., Any]) -> str:
    """The docstring of a tool, resource or prompt; from the source where Python drops docstrings.

    Raises:
        SettingsError: the source is missing too. Without descriptions a model guesses.
    """
    if described := inspect.getdoc(function):
        return described
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except OSError:
        raise SettingsError(
            "This Python drops docstrings (PYTHONOPTIMIZE=2 or -OO), and with them the descriptions of the tools. "
            "Unset PYTHONOPTIMIZE, or set it to 1."
        ) from None
    return ast.get_docstring(cast("ast.FunctionDef", node)) or ""


class PlatformTool(Tool):
    """A tool that returns views, and error results instead of exceptions."""

    @classmethod
    def of(cls, function: Callable[..., Any], *, title: str, annotations: ToolAnnotations) -> PlatformTool:
        """Make a tool from a function; its docstring is the description."""
        description = description_of(function)
        made = cls.from_function(
            function, title=title, description=description, annotations=annotations, structured_output=False
        )
        tool = cast("PlatformTool", made)
        tool.fn_metadata = Arguments.model_construct(**dict(tool.fn_metadata))
        tool.parameters = {**compact_schema(tool.parameters), "additionalProperties": False}
        # The SDK would make this schema once for each tool; several tools return the same view.
        returned = get_type_hints(function)["return"]
        # A tool that asks a person may return an elicitation instead of a view.
        views = [part for part in get_args(returned) or (returned,) if part is not InputRequiredResult]
        tool.fn_metadata.output_schema = output_schema(views[0])
        return tool

    def with_see_also(self, names: Collection[str], see_also: Mapping[str, str]) -> PlatformTool:
        """The tool of a server with tools of these names: its description ends with sentences about them.

        Args:
            see_also: by the name of another tool, a sentence about it.
        """
        added = " ".join(sentence for name, sentence in see_also.items() if name in names)
        return self.model_copy(update={"description": f"{self.description}\n\n{added}"}) if added else self

    def without(self, names: Collection[str]) -> PlatformTool:
        """The tool without these parameters, which have defaults: they are neither shown nor accepted."""
        kept = {name: each for name, each in self.parameters["properties"].items() if name not in names}
        return self.model_copy(update={"parameters": {**self.parameters, "properties": kept}})

    def result_of(self, view: BaseModel) -> CallToolResult:
        """A view as the protocol's result: structured content, and the same facts as text."""
        content, text = content_of(view)
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content)

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the tool. An error is a result too: its text is all that the model reads."""
        with call_log.logged("tool", self.name, context.request_context) as call:
            try:
                returned = await self._returned(arguments, context, call)
            except DeepOriginError as error:
                call.failed(error)
                result = error_result(error)
            else:
                if isinstance(returned, InputRequiredResult):
                    call.outcome = "asked"
                    return returned
                if not convert_result:
                    return returned
                result = self.result_of(returned)
            call.responded("".join(block.text for block in result.content if isinstance(block, TextContent)))
            return result

    async def _returned(self, arguments: dict[str, Any], context: Context[Any, Any], call: call_log.Call) -> Any:
        self._refuse_unknown_or_too_long(arguments)
        try:
            with anyio.move_on_after(CALL_SECONDS) as limit:
                return await super().run(arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ClientAsked):
                return cause.request
            if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
                raise self._refusal(argument_problems(cause, self.parameters)) from None
            call.error = cause
            raise error_from(self.name, cause, self._advice, None if self._only_reads else "unknown") from None
        if limit.cancelled_caught:
            call.outcome = "gave_up"
        raise DeepOriginError(
            f"Timed out after {CALL_SECONDS:g} s waiting for the platform.",
            next_step=self._advice,
            code="timed_out",
            outcome="nothing_changed" if self._only_reads else "unknown",
        )

    @property
    def _only_reads(self) -> bool:
        return self.annotations is not None and bool(self.annotations.read_only_hint)

    @property
    def _advice(self) -> str:
        """The next step after a bug or a timeout."""
        if self._only_reads:
            return "Call again in a minute; if it fails again, tell the user."
        return "Check the state first (get_execution, list_executions); if it fails again, tell the user."

    def _refuse_unknown_or_too_long(self, arguments: dict[str, Any]) -> None:
        """Refuse too long arguments before they are validated, and unknown ones together with all other problems."""
        known = list(self.parameters.get("properties", {}))
        too_long = [
            f"{name}: has {len(value)} entries; valid: up to {MAX_ENTRIES}"
            for name, value in self.fn_metadata.pre_parse_json(arguments).items()
            if name in known and isinstance(value, list) and len(value) > MAX_ENTRIES
        ]
        unknown = [name for name in arguments if name not in known][:MAX_PROBLEMS]
        if not too_long and not unknown:
            return
        problems = []
        for name in unknown:
            hint = did_you_mean(name, known)
            problems.append(f"{one_line(name, 60)}: unknown argument" + (hint and f"; {hint}"))
        if unknown and not too_long:
            try:
                self.fn_metadata.validate_arguments(arguments)
            except ValidationError as error:
                problems += argument_problems(error, self.parameters)
        if unknown:
            problems.append(f"valid arguments: {', '.join(known) or 'none'}")
        raise self._refusal(problems + too_long)

    def _refusal(self, problems: list[str]) -> ArgumentError:
        return ArgumentError(
            "\n".join([f"{self.name} was not run; correct the arguments:", *(f"- {problem}" for problem in problems)])
        )


def content_of(view: BaseModel) -> tuple[Content, str]:
    """A view as JSON and as text, neither longer than it may be."""
    most = view.at_most if isinstance(view, View) else RESULT_CHARACTERS
    return within_limit(view.model_dump(mode="json", exclude_none=True), most, columns_of(type(view)))


@functools.cache
def columns_of(view: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """By field of a view that holds rows, the fields of a row in the order of their model."""
    rows = {name: _row_model(field.annotation) for name, field in view.model_fields.items()}
    return {name: tuple(model.model_fields) for name, model in rows.items() if model is not None}


def _row_model(annotation: Any) -> type[BaseModel] | None:
    """The model of a list's entries, also of a list that may be null."""
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        if found := _row_model(part):
            return found
    return None


@functools.cache
def output_schema(view: type[BaseModel]) -> dict[str, Any]:
    """The schema of a view's structured content, as clients see it."""
    return outline(compact_schema(view.model_json_schema()))


def compact_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema that every client can read: references inlined, no titles, no unions with null.

    A parameter that may be null may be omitted, so the null adds nothing for a caller.
    """
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
        if "anyOf" in node and len(options) == 1:
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

    root = {key: value for key, value in schema.items() if key != "description"}
    return cast("dict[str, Any]", compact(root))


def outline(schema: dict[str, Any]) -> dict[str, Any]:
    """An output schema in short: the fields, their types, and which are required.

    It allows other fields: a client that refuses them gains nothing, and would refuse the results of a newer server.
    """

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

    return cast("dict[str, Any]", outlined(schema))
