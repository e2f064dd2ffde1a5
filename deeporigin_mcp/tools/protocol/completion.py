"""Completing ids, keys, versions and statuses while a person types them (`completion/complete`).

A completion costs at most one quick request; if the platform does not respond in time, there is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import anyio
from mcp.server.context import HandlerResult
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import INVALID_PARAMS, CompleteRequestParams, CompleteResult, Completion, PromptReference

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.extensions import RequestContext, serve
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.platform.records.status import KNOWN
from deeporigin_mcp.platform.records.values import text
from deeporigin_mcp.platform.transport.responses import rows_of
from deeporigin_mcp.tools.runtime.state import ServerState, state_of_request

MAX_VALUES = 100
"""The protocol's own limit."""
DEADLINE_SECONDS = 3.0
"""A person is typing: later than this a completion is of no use."""


class Found(NamedTuple):
    """Values that match, best first, and how many match in all; None if more than these but unknown."""

    values: list[str]
    total: int | None

    @classmethod
    def all(cls, values: list[str]) -> Found:
        return cls(values, len(values))


Completer = Callable[[ServerState, str, Mapping[str, str]], Awaitable[Found]]
"""Takes the server's state, what was typed, and the other arguments."""


async def _execution_ids(state: ServerState, typed: str, _: Mapping[str, str]) -> Found:
    """By the beginning of the id or any part of the name, newest first; the last one of several with commas."""
    before, comma, last = typed.rpartition(",")
    recent = await state.recent.read()
    matching = _matching(last.strip(), recent.names)
    values = [f"{before}{comma}{name}" for name in matching]
    if recent.total <= len(recent.names):
        return Found.all(values)
    return Found(values, None if last.strip() else recent.total)


async def _tool_keys(state: ServerState, typed: str, _: Mapping[str, str]) -> Found:
    catalogue = await state.client.tools.catalogue()
    names = {one.key: one.name for one in catalogue if one.enabled and state.settings.allows_tool(one.key)}
    return Found.all(_matching(typed, sorted(names.items())))


async def _tool_versions(state: ServerState, typed: str, others: Mapping[str, str]) -> Found:
    """Of the tool in the other arguments; none without one."""
    tool_key = others.get("tool_key", "")
    if not tool_key or not state.settings.allows_tool(tool_key):
        return Found.all([])
    versions = [one for one in await state.client.tools.catalogue() if one.key == tool_key]
    newest_first = sorted(versions, key=lambda one: one.version_order, reverse=True)
    options = ["latest", *(one.version for one in newest_first)] if versions else []
    return Found.all([option for option in options if option.startswith(typed)])


async def _project_ids(state: ServerState, typed: str, _: Mapping[str, str]) -> Found:
    rows = rows_of(await state.client.projects.list())
    return Found.all(_matching(typed, ((text(row.get("id")), text(row.get("name"))) for row in rows)))


async def _statuses(_: ServerState, typed: str, __: Mapping[str, str]) -> Found:
    return Found.all([status for status in KNOWN if status.lower().startswith(typed.lower())])


COMPLETERS: Mapping[str, Completer] = {
    "execution_id": _execution_ids,
    "execution_ids": _execution_ids,
    "tool_key": _tool_keys,
    "tool_version": _tool_versions,
    "project_id": _project_ids,
    "status": _statuses,
}
"""By the argument's name, which means the same wherever it appears."""


def serve_completion(
    server: MCPServer[ServerState], uri_templates: Collection[str], prompts: Mapping[str, Collection[str]]
) -> None:
    """Complete the arguments of these templates, and of these prompts by name."""
    arguments: dict[str, Collection[str]] = {
        template: UriTemplate.parse(template).variable_names for template in uri_templates
    }

    async def complete(ctx: RequestContext, params: CompleteRequestParams) -> HandlerResult:
        if isinstance(params.ref, PromptReference):
            name, known = params.ref.name, prompts.get(params.ref.name)
        else:
            name, known = params.ref.uri, arguments.get(params.ref.uri)
        if known is None:
            valid = ", ".join(prompts if isinstance(params.ref, PromptReference) else arguments)
            raise MCPError(INVALID_PARAMS, f"Unknown reference {one_line(name, 120)!r}. Valid: {valid or 'none'}.")
        others = (params.context.arguments if params.context else None) or {}
        completer = COMPLETERS.get(params.argument.name) if params.argument.name in known else None
        found = Found.all([]) if completer is None else await _in_time(completer, ctx, params.argument.value, others)
        return CompleteResult(completion=_bounded(found))

    serve(server, "completion/complete", CompleteRequestParams, complete)


async def _in_time(completer: Completer, ctx: RequestContext, typed: str, others: Mapping[str, str]) -> Found:
    state = state_of_request(ctx)
    with anyio.move_on_after(DEADLINE_SECONDS):
        try:
            return await completer(state, typed, others)
        except DeepOriginError:
            pass
    return Found.all([])


def _bounded(found: Found) -> Completion:
    values = [one_line(value, 300) for value in found.values]
    return Completion(
        values=values[:MAX_VALUES],
        total=found.total,
        has_more=found.total is None or found.total > min(len(values), MAX_VALUES),
    )


def _matching(typed: str, options: Iterable[tuple[str, str]]) -> list[str]:
    """Ids that begin with what was typed, then those with it in the id or the name."""
    prefix = typed.strip().lower()
    first: list[str] = []
    then: list[str] = []
    for option, name in options:
        if option and option.lower().startswith(prefix):
            first.append(option)
        elif option and (prefix in option.lower() or prefix in name.lower()):
            then.append(option)
    return first + then
