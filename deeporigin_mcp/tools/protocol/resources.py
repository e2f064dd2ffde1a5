"""Executions, their logs and tool definitions as resources: the same views as the tools return, as JSON.

Templates reach every execution; the newest are listed too, because some clients attach only what is listed. Clients
request that list when they start: it takes one request at most, seconds at most, and is empty where the platform does
not respond or nobody is signed in.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio
import anyio.abc
from mcp.server.caching import CacheHint
from mcp.server.context import HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import DEFAULT_RESOURCE_SECURITY, ResourceTemplate
from mcp.shared.uri_template import UriTemplate
from mcp_types import ListResourcesResult, PaginatedRequestParams, Resource
from pydantic import BaseModel

from deeporigin_mcp.errors import ArgumentError, DeepOriginError
from deeporigin_mcp.extensions import (
    RequestContext,
    Stop,
    Subscriptions,
    add_template,
    serve,
    serve_freshness,
    served,
    stays_fresh,
)
from deeporigin_mcp.platform.clients.tools import CATALOGUE_SECONDS
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.status import TERMINAL
from deeporigin_mcp.tools.catalogue.describe_platform_tool import describe_platform_tool
from deeporigin_mcp.tools.executions.get_execution import get_execution
from deeporigin_mcp.tools.executions.get_execution_logs import get_execution_logs
from deeporigin_mcp.tools.protocol.tool import content_of, description_of
from deeporigin_mcp.tools.responses.errors import error_from, explained
from deeporigin_mcp.tools.runtime.call_log import logged
from deeporigin_mcp.tools.runtime.state import CALL_SECONDS, ServerState, Shown, ToolContext, state_of_request

EXECUTION = "deeporigin://executions/{execution_id}"
EXECUTION_LOGS = "deeporigin://executions/{execution_id}/logs"
PLATFORM_TOOL = "deeporigin://tools/{tool_key}/{tool_version}"

MOVING = CacheHint(ttl_ms=5_000, scope="private")
"""Of an execution that goes on: the interval of a wait's polls."""
FINAL = CacheHint(ttl_ms=3_600_000, scope="private")
"""Of one that is over: only its bill may change."""
LIST_SECONDS = 2.0
"""A client that starts waits for its lists: later than this there are no executions in it."""
LISTED_NAME_CHARACTERS = 80
DEFINITION = CacheHint(ttl_ms=int(1000 * CATALOGUE_SECONDS), scope="private")


async def execution_resource(context: ToolContext, execution_id: str) -> BaseModel:
    """Status, progress, price, cost and reason of one execution. Can be subscribed to."""
    view = await get_execution(context, execution_id)
    stays_fresh(FINAL if view.status in TERMINAL else MOVING)
    return view


async def execution_logs_resource(context: ToolContext, execution_id: str) -> BaseModel:
    """The log of one execution, newest first. Can be subscribed to: updates come when it moves on, not per line."""
    view = await get_execution_logs(context, execution_id)
    stays_fresh(MOVING)
    return view


async def platform_tool_resource(context: ToolContext, tool_key: str, tool_version: str) -> BaseModel:
    """Inputs schema and worked example of one platform tool; the version may be latest. Does not change."""
    view = await describe_platform_tool(context, tool_key, tool_version)
    stays_fresh(DEFINITION)
    return view


class ResourceOffer(NamedTuple):
    """One row of the table: the template, the function that reads it, and the tool that it needs."""

    uri_template: str
    function: Callable[..., Awaitable[BaseModel]]
    name: str
    title: str
    tool: str


RESOURCES = (
    ResourceOffer(EXECUTION, execution_resource, "execution", "Execution", "get_execution"),
    ResourceOffer(
        EXECUTION_LOGS, execution_logs_resource, "execution_logs", "Logs of an execution", "get_execution_logs"
    ),
    ResourceOffer(PLATFORM_TOOL, platform_tool_resource, "platform_tool", "Platform tool", "describe_platform_tool"),
)
"""Every resource template, in the order in which clients read them."""


def offered_resources(tools: Collection[str]) -> list[ResourceOffer]:
    """The resources of a server with these tools: none shows what no enabled tool shows."""
    return [offer for offer in RESOURCES if offer.tool in tools]


def serve_resources(server: MCPServer[ServerState], tools: Collection[str]) -> None:
    """Add the resources whose tools the server has."""
    offers = offered_resources(tools)
    for offer in offers:
        add_template(server, _template(offer))
    if any(offer.uri_template == EXECUTION for offer in offers):
        _serve_list(server)
    serve_freshness(server)
    followed = [offer.uri_template for offer in offers if offer.uri_template in (EXECUTION, EXECUTION_LOGS)]
    if followed:
        Subscriptions(ExecutionFeed(followed)).serve(server)


def _serve_list(server: MCPServer[ServerState]) -> None:
    """Add the newest executions to the list of resources."""
    listed = served(server, "resources/list")

    async def list_resources(ctx: RequestContext, params: PaginatedRequestParams) -> HandlerResult:
        result = await listed(ctx, params)
        if not isinstance(result, ListResourcesResult):
            return result
        recent = await _newest(state_of_request(ctx))
        return result.model_copy(update={"resources": [*result.resources, *map(_listed, recent)]})

    serve(server, "resources/list", PaginatedRequestParams, list_resources)


async def _newest(state: ServerState) -> list[Shown]:
    with anyio.move_on_after(LIST_SECONDS), contextlib.suppress(DeepOriginError):
        return (await state.recent.read()).shown
    return []


def _listed(execution: Shown) -> Resource:
    name = one_line(execution.name, LISTED_NAME_CHARACTERS) or execution.execution_id
    described = (execution.status, one_line(execution.tool_key, LISTED_NAME_CHARACTERS), execution.created_at)
    return Resource(
        uri=EXECUTION.replace("{execution_id}", quote(execution.execution_id, safe="")),
        name=name,
        title=f"{name} ({execution.status})",
        description=", ".join(filter(None, described)),
        mime_type="application/json",
    )


@functools.cache
def _template(offer: ResourceOffer) -> ResourceTemplate:
    return ResourceTemplate.model_construct(
        uri_template=offer.uri_template,
        name=offer.name,
        title=offer.title,
        description=description_of(offer.function),
        mime_type="application/json",
        fn=_as_json(offer),
        parameters={},
        context_kwarg="context",
        parsed_template=UriTemplate.parse(offer.uri_template),
        security=DEFAULT_RESOURCE_SECURITY,
    )


def _as_json(offer: ResourceOffer) -> Callable[..., Awaitable[str]]:
    """The function as the protocol needs it: JSON, within a deadline, with the messages of the tools for errors."""
    read = offer.function

    @functools.wraps(read)
    async def function(**arguments: Any) -> str:
        with logged("resource", offer.uri_template, arguments["context"].request_context) as call:
            try:
                with anyio.fail_after(CALL_SECONDS):
                    view = await read(**arguments)
            except ArgumentError as error:
                call.error = error
                # The arguments are parts of the URI: an invalid one is an unknown resource.
                raise ResourceNotFoundError(explained(error)) from None
            except TimeoutError:
                call.outcome = "gave_up"
                raise ResourceError(
                    f"Timed out after {CALL_SECONDS:g} s waiting for the platform. Read it again in a minute."
                ) from None
            except Exception as error:  # noqa: BLE001 (the boundary: nothing else may reach a client or a log)
                call.error = error
                failed = error_from(offer.title, error, "If it fails again, tell the user.")
                raise ResourceError(explained(failed)) from None
            content = json.dumps(content_of(view)[0], ensure_ascii=False, separators=(",", ":"))
            call.responded(content)
            return content

    return function


class ExecutionFeed:
    """Updates of executions and their logs, from the one watch of each caller.

    Args:
        uri_templates: those that can be subscribed to; each has an `execution_id`.
    """

    def __init__(self, uri_templates: Collection[str]) -> None:
        self._templates = [UriTemplate.parse(template) for template in uri_templates]

    def refusal(self, uri: str) -> str | None:
        """Why this resource cannot be subscribed to; None if it can."""
        if self._execution_id(uri):
            return None
        return f"Invalid subscription to {one_line(uri, 120)!r}: it never changes. Valid: {EXECUTION}."

    def follow(self, ctx: RequestContext, uri: str, on_update: Callable[[], None]) -> Stop:
        """Call `on_update` whenever the execution's status or percent has changed, until stopped or it is over."""
        return state_of_request(ctx).followers.follow(self._execution_id(uri), on_update)

    def tasks(self, ctx: RequestContext) -> anyio.abc.TaskGroup:
        """The background work of the caller."""
        return state_of_request(ctx).tasks

    def _execution_id(self, uri: str) -> str:
        matches = (template.match(uri) for template in self._templates)
        return next((str(match["execution_id"]).strip() for match in matches if match), "")
