"""A tool as clients see it: its schemas, and the boundary where views and errors become results."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import textwrap
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast, get_args, get_type_hints

import anyio
from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata, func_metadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, ValidationError

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, SettingsError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.protocol.arguments import MAX_PROBLEMS, argument_problems
from deeporigin_mcp.tools.protocol.schemas import output_schema, parameters_schema
from deeporigin_mcp.tools.responses.errors import error_from, error_result
from deeporigin_mcp.tools.responses.size_limit import RESULT_CHARACTERS, Content, within_limit
from deeporigin_mcp.tools.responses.suggestions import did_you_mean
from deeporigin_mcp.tools.responses.views import PageView, View
from deeporigin_mcp.tools.runtime import call_log
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ClientAsked, at_the_latest

FOR_A_PAGE = "Data for a page of this server; no model needs it."
MAX_ENTRIES = 1_000
"""Entries of one argument. No call needs more, and validating a million would block the server."""


class Arguments(FuncMetadata):
    """Validates a tool's arguments. The model for that is built by the first call, not by a server's start."""

    model_config = ConfigDict(defer_build=True)

    function: Callable[..., Any]
    context: str
    """The parameter that is not an argument."""
    takes_string: dict[str, bool]
    """By argument."""
    arg_model: type[ArgModelBase] = ArgModelBase
    """Of no use: `validate_arguments` has the model."""

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Parse a list or object in a string only where the schema takes no string; some clients send them so."""
        return {
            name: _parsed(value) if isinstance(value, str) and not self.takes_string.get(name, True) else value
            for name, value in data.items()
        }

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call, by parameter.

        Raises:
            ValidationError: they do not fit the schema.
        """
        model = _model_of(self.function, self.context)
        return model.model_validate(self.pre_parse_json(arguments_to_validate)).model_dump_one_level()


@functools.cache
def _model_of(function: Callable[..., Any], context: str) -> type[ArgModelBase]:
    return func_metadata(function, skip_names=[context], structured_output=False).arg_model


def _takes_string(schema: dict[str, Any]) -> bool:
    return any(option.get("type") == "string" for option in schema.get("anyOf", [schema]))


def _parsed(text: str) -> Any:
    """The list or object of a JSON text; any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, list | dict) else text


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

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def of(cls, function: Callable[..., Any], *, title: str, annotations: ToolAnnotations) -> PlatformTool:
        """Make a tool from a function; its docstring is the description."""
        hints = get_type_hints(function, include_extras=True)
        context = next(name for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Context))
        parameters = parameters_schema(function, hints, context)
        # A tool that asks a person may return an elicitation instead of a view.
        views = [part for part in get_args(hints["return"]) or (hints["return"],) if part is not InputRequiredResult]
        return cls.model_construct(
            fn=function,
            name=function.__name__,
            title=title,
            description=description_of(function),
            parameters=parameters,
            fn_metadata=Arguments.model_construct(
                function=function,
                context=context,
                takes_string={name: _takes_string(schema) for name, schema in parameters["properties"].items()},
                output_schema=output_schema(views[0]),
            ),
            is_async=True,
            context_kwarg=context,
            annotations=annotations,
        )

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
        meta = view.meta if isinstance(view, View) else None
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content, _meta=meta)

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
        # Calls of one task share their context.
        at_the_latest.set(None)
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
            view_of_what_was_read = at_the_latest.get()
            if view_of_what_was_read is not None and (view := view_of_what_was_read()) is not None:
                return view
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
    if isinstance(view, PageView):
        return view.model_dump(mode="json", exclude_none=True), FOR_A_PAGE
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
