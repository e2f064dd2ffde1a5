"""One tool as clients see it: its schemas, and the boundary where errors become words for a model."""

from __future__ import annotations

import difflib
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, cast, get_type_hints

import anyio
from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ValidationError

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.tools.rendering import as_text
from deeporigin_mcp.tools.state import CALL_SECONDS

logger = logging.getLogger("deeporigin_mcp")

MAX_PROBLEMS = 20


class PlatformTool(Tool):
    """A tool whose answers are views and whose failures are sentences."""

    @classmethod
    def of(cls, function: Callable[..., Any], *, title: str, annotations: ToolAnnotations) -> PlatformTool:
        """Make a tool from a function; its docstring is the description."""
        description = inspect.getdoc(function)
        made = cls.from_function(
            function, title=title, description=description, annotations=annotations, structured_output=False
        )
        tool = cast("PlatformTool", made)
        tool.parameters = {**compact_schema(tool.parameters), "additionalProperties": False}
        # The SDK would make this schema too, once for each tool; several tools answer with the same view.
        tool.fn_metadata.output_schema = output_schema(get_type_hints(function)["return"])
        return tool

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the tool. Every failure is a `ToolError` whose text is all that the model gets to read."""
        self._refuse_unknown(arguments)
        try:
            # A person may take their time; tools that ask one bound the rest of their work themselves.
            with anyio.move_on_after(None if self.resolved_params else CALL_SECONDS) as limit:
                answer = await super().run(arguments, context)
            if limit.cancelled_caught:
                raise ToolError(self._too_long())
        except UnexpectedToolError as error:
            raise ToolError(self._explained(error.__cause__)) from None
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(_argument_problems(self.name, error.__cause__)) from None
            if self.resolved_params and isinstance(error.__cause__, ToolError):
                raise ToolError(
                    f"{self.name} did nothing: the client's answer to the question could not be understood. Tell the "
                    "user; a new call asks again."
                ) from None
            raise
        if isinstance(answer, InputRequiredResult) or not convert_result:
            return answer
        return result_of(answer)

    def _refuse_unknown(self, arguments: dict[str, Any]) -> None:
        known = list(self.parameters.get("properties", {}))
        problems = []
        for name in arguments:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
                hint = f"; did you mean {near[0]}?" if near else ""
                problems.append(f"{one_line(name, 60)}: {self.name} has no such argument{hint}")
        if problems:
            valid = ", ".join(known) or "it takes none"
            raise ToolError(_refusal(self.name, [*problems, f"valid arguments: {valid}"]))

    def _too_long(self) -> str:
        told = f"{self.name} was given up after {CALL_SECONDS:g} s: the platform or the network is too slow now."
        if self.annotations is not None and self.annotations.read_only_hint:
            return f"{told} Nothing was changed. Call again in a minute."
        return f"{told} It may have been done all the same: look at the state (get_execution) before calling again."

    def _explained(self, cause: BaseException | None) -> str:
        if isinstance(cause, DeepOriginError):
            return explained(cause)
        # The place of a crash is told without its stack: frames and their values may hold secrets and paths.
        logger.error("%s crashed: %s%s", self.name, type(cause).__name__, _place(cause))
        return (
            f"{self.name} failed for a reason inside this MCP server ({type(cause).__name__}), not because of the "
            "arguments. If it was to create, confirm or cancel something, look at the state first (get_execution, "
            "list_executions) before calling again; tell the user if it happens twice."
        )


def explained(error: DeepOriginError) -> str:
    """An error as one paragraph: what happened, what to do, and the id that support can find it by."""
    reference = f"(request id {error.request_id})" if error.request_id else ""
    message = str(error)
    separator = "" if message.endswith("\n") else " "
    return message + separator + " ".join(part for part in (error.next_step, reference) if part)


def result_of(view: BaseModel) -> CallToolResult:
    """A view as the protocol's result: the structure, and the same facts as text."""
    content = view.model_dump(mode="json", exclude_none=True)
    return CallToolResult(content=[TextContent(type="text", text=as_text(content))], structured_content=content)


def _refusal(tool: str, problems: list[str]) -> str:
    return "\n".join([f"{tool} was not run; correct the arguments:", *(f"- {problem}" for problem in problems)])


def _argument_problems(tool: str, error: ValidationError) -> str:
    """One plain line per problem: where, what is wrong, what was given."""
    problems = []
    for detail in error.errors(include_url=False, include_context=False)[:MAX_PROBLEMS]:
        place = ".".join(str(part) for part in detail["loc"]) or "arguments"
        message = one_line(detail["msg"], 300)
        if detail["type"] == "missing":
            problems.append(f"{place}: is required")
        else:
            given = one_line(repr(detail["input"]), 80)
            problems.append(f"{place}: {message[:1].lower()}{message[1:]}; got {given}")
    return _refusal(tool, problems)


def _place(cause: BaseException | None) -> str:
    trace = cause.__traceback__ if cause is not None else None
    place = ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if str(module).startswith("deeporigin_mcp"):
            place = f" in {module}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


@functools.cache
def output_schema(view: type[BaseModel]) -> dict[str, Any]:
    """The schema of a view's structured content."""
    return compact_schema(view.model_json_schema())


def compact_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema that every client can read: references inlined, no titles, no unions with null.

    A parameter that may be null is one that may be left out, so the null adds nothing for a caller.
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
        kept = {
            key: compact(value, is_properties=key == "properties")
            for key, value in node.items()
            if key not in ("title", "$defs") and not (key == "default" and value is None)
        }
        if kept.get("type") == "object" and "properties" not in kept:
            kept["properties"] = {}
        return kept

    root = {key: value for key, value in schema.items() if key != "description"}
    return cast("dict[str, Any]", compact(root))
