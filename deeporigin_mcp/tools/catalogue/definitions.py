"""The platform's tool definitions: cached for minutes, and errors for unknown tools and versions."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, NotFoundError
from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.clients.tools import CATALOGUE_KEPT_SECONDS, Tools
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.responses import steps
from deeporigin_mcp.tools.responses.suggestions import closest
from deeporigin_mcp.tools.responses.toolsets import step
from deeporigin_mcp.tools.runtime.state import ServerState

logger = logging.getLogger("deeporigin_mcp")

MAX_VERSIONS_NAMED = 8


async def definitions_of(state: ServerState) -> list[ToolDefinition]:
    """The platform's definitions. A stale list is returned at once while one request renews it in the background.

    Raises:
        DeepOriginError: there is no list yet, or only one that is too old, and it cannot be read now.
    """
    tools = state.client.tools
    if tools.catalogue_is_stale:
        state.tasks.start_soon(_renew, tools)
    return await tools.catalogue(max_age_seconds=CATALOGUE_KEPT_SECONDS)


async def allowed_definitions(state: ServerState) -> list[ToolDefinition]:
    """The definitions of tools that the operator allows."""
    return [found for found in await definitions_of(state) if state.settings.allows_tool(found.key)]


async def unmatched_allowed_keys(state: ServerState) -> str | None:
    """Names entries of the operator's list of allowed tools that match no tool of the platform; None if all match."""
    if not state.settings.allowed_tool_keys:
        return None
    keys = {found.key for found in await definitions_of(state)}
    unmatched = state.settings.rules_without_tool(keys)
    if not keys or not unmatched:
        return None
    return (
        f"{one_line(', '.join(unmatched), 100)!r} in DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS matches none of the platform's "
        f"{len(keys)} tools. Only the operator can correct it."
    )


async def _renew(tools: Tools) -> None:
    """Runs in the background: a failure must not end the server, and the next call tries again."""
    try:
        await tools.refresh()
    except Exception as error:  # noqa: BLE001 (see above)
        logger.warning("The list of platform tools could not be renewed: %s", type(error).__name__)


async def find_definition(
    state: ServerState, tool_key: str, tool_version: str, *, must_be_enabled: bool = False
) -> ToolDefinition:
    """A tool's definition.

    Raises:
        NotFoundError: unknown tool or version; names the closest key, or the versions.
        ArgumentError: the tool is disabled.
    """
    try:
        definition = await state.client.tools.definition(tool_key=tool_key, tool_version=tool_version)
    except NotFoundError as error:
        versions = versions_of(await definitions_of(state), tool_key)
        if not versions:
            raise _unknown_tool(state, tool_key, await allowed_definitions(state), error) from None
        if tool_version != "latest":
            raise _unknown_version(tool_key, tool_version, versions, error) from None
        # Not every platform resolves `latest`.
        definition = versions[0]
    if must_be_enabled and not definition.enabled:
        others = steps.call("find_platform_tools", query=definition.name or tool_key)
        raise ArgumentError(
            f"{tool_key} {definition.version} is disabled on the platform.",
            next_step=step(state.settings, f"{others} lists others.", "find_platform_tools"),
            code="tool_disabled",
        )
    return definition


def versions_of(catalogue: Iterable[ToolDefinition], tool_key: str) -> list[ToolDefinition]:
    """All versions of one tool, the newest first."""
    return sorted((d for d in catalogue if d.key == tool_key), key=lambda d: d.version_order, reverse=True)


def closest_key(catalogue: Iterable[ToolDefinition], tool_key: str) -> str | None:
    """The existing key that is closest to an unknown one. Owners are not compared: they are often omitted."""
    tails = {_tail(definition.key): definition.key for definition in catalogue}
    meant = closest(_tail(tool_key), tails)
    return tails[meant] if meant else None


def _tail(tool_key: str) -> str:
    return tool_key.partition(".")[2] or tool_key


async def unknown_tool(state: ServerState, tool_key: str) -> str | None:
    """Explains an empty list of this tool's executions; None if the tool exists, or the catalogue cannot be read."""
    with contextlib.suppress(DeepOriginError):
        catalogue = await definitions_of(state)
        if not any(definition.key == tool_key for definition in catalogue):
            return f"{_not_in_catalogue(tool_key)} {_instead(state, catalogue, tool_key)}"
    return None


def _not_in_catalogue(tool_key: str) -> str:
    """No more than this is known: a tool that was removed may still have runs."""
    return f"The catalogue has no tool {one_line(tool_key, 80)!r} now."


def _instead(state: ServerState, catalogue: Iterable[ToolDefinition], tool_key: str) -> str:
    meant = closest_key(catalogue, tool_key)
    hint = f"Did you mean {one_line(meant, 80)}? " if meant else ""
    return hint + step(state.settings, "find_platform_tools lists the tools.", "find_platform_tools")


def _unknown_tool(
    state: ServerState, tool_key: str, catalogue: Iterable[ToolDefinition], error: NotFoundError
) -> NotFoundError:
    return NotFoundError(
        _not_in_catalogue(tool_key),
        next_step=_instead(state, catalogue, tool_key),
        http_status=error.http_status,
        request_id=error.request_id,
    )


def _unknown_version(
    tool_key: str, version: str, versions: Sequence[ToolDefinition], error: NotFoundError
) -> NotFoundError:
    names = list(dict.fromkeys(definition.version for definition in versions))
    more = f" and {len(names) - MAX_VERSIONS_NAMED} more" if len(names) > MAX_VERSIONS_NAMED else ""
    return NotFoundError(
        f"{tool_key} has no version {one_line(version, 40)!r}.",
        next_step=f"Valid: latest, {', '.join(names[:MAX_VERSIONS_NAMED])}{more}, or a major such as "
        f"{names[0].partition('.')[0]}.",
        http_status=error.http_status,
        request_id=error.request_id,
    )
