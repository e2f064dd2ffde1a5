"""The platform's tool definitions as this server's tools read them: kept for minutes, and explained when missed."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from deeporigin_mcp.errors import ArgumentError, DeepOriginError, NotFoundError
from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.platform.failures import one_line
from deeporigin_mcp.platform.tools import CATALOGUE_KEPT_SECONDS, Tools
from deeporigin_mcp.tools import steps
from deeporigin_mcp.tools.nearness import nearest, plainly
from deeporigin_mcp.tools.state import ServerState

logger = logging.getLogger("deeporigin_mcp")

MAX_VERSIONS_NAMED = 8
_WITH_VERSION = re.compile(r"^([\w.-]+)[@:/ ]v?(\d[\w.+-]*|latest)$")


async def definitions_of(state: ServerState) -> list[ToolDefinition]:
    """The platform's definitions. An old list answers at once while one request renews it in the background.

    Raises:
        DeepOriginError: there is no list yet, or the one there is is too old, and it cannot be read now.
    """
    tools = state.client.tools
    if tools.catalogue_is_stale:
        state.tasks.start_soon(_renew, tools)
    return await tools.catalogue(max_age_seconds=CATALOGUE_KEPT_SECONDS)


async def allowed_definitions(state: ServerState) -> list[ToolDefinition]:
    """Those of them that the operator lets run."""
    return [found for found in await definitions_of(state) if state.settings.allows_tool(found.key)]


async def idle_rules(state: ServerState) -> str | None:
    """What is wrong with the operator's list of allowed tools, if entries of it match no tool of the platform."""
    if not state.settings.allowed_tool_keys:
        return None
    keys = {found.key for found in await definitions_of(state)}
    idle = state.settings.rules_without_tool(keys)
    if not keys or not idle:
        return None
    return (
        f"{one_line(', '.join(idle), 100)!r} in DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS matches none of the platform's "
        f"{len(keys)} tools. Only the operator can correct it."
    )


async def _renew(tools: Tools) -> None:
    """Nobody waits for this: a failure must not end the server, and the next call tries again."""
    try:
        await tools.refresh()
    except Exception as error:  # noqa: BLE001 (as said above)
        logger.warning("The list of platform tools could not be renewed: %s", type(error).__name__)


async def find_definition(
    state: ServerState, tool_key: str, tool_version: str, *, must_be_enabled: bool = False
) -> ToolDefinition:
    """A tool's definition.

    Raises:
        NotFoundError: no such tool or version; names those that come near.
        ArgumentError: the tool is disabled.
    """
    try:
        definition = ToolDefinition(await state.client.tools.get(tool_key=tool_key, tool_version=tool_version))
    except NotFoundError as error:
        versions = versions_of(await definitions_of(state), tool_key)
        if not versions:
            raise _no_such_tool(tool_key, await allowed_definitions(state), error) from None
        if tool_version != "latest":
            raise _no_such_version(tool_key, tool_version, versions, error) from None
        # A platform that does not know this word still has a latest version.
        definition = versions[0]
    if must_be_enabled and not definition.enabled:
        raise ArgumentError(
            f"{tool_key} {definition.version} is disabled on the platform and cannot run.",
            next_step=steps.call("find_platform_tools", query=definition.name or tool_key) + " shows others.",
        )
    return definition


def versions_of(catalogue: Iterable[ToolDefinition], tool_key: str) -> list[ToolDefinition]:
    """All versions of one tool, the newest first."""
    return sorted((d for d in catalogue if d.key == tool_key), key=lambda d: d.version_order, reverse=True)


def near_keys(catalogue: Sequence[ToolDefinition], tool_key: str) -> list[str]:
    """Keys of tools that a key which does not exist may have been meant for, best first.

    The same word with another owner or spelling, else keys that hold it, else typing errors.
    """
    keys = sorted({definition.key for definition in catalogue})
    tails = {key: key.rpartition(".")[2] for key in keys}
    last = plainly(tool_key.rpartition(".")[2])
    same = [key for key, tail in tails.items() if last and plainly(tail) == last]
    if same:
        return same[:3]
    said = set(re.findall(r"[a-z0-9]+", tool_key.rpartition(".")[2].lower()))
    holding = [key for key, tail in tails.items() if said and said <= set(tail.lower().split("-"))]
    near = holding or [key for tail in nearest(last, tails.values(), cutoff=0.8) for key in keys if tails[key] == tail]
    return list(dict.fromkeys(near))[:3]


def _either(keys: Sequence[str]) -> str:
    return " or ".join(one_line(key, 80) for key in keys)


class UnknownTool(NamedTuple):
    """`told`: that there is no such tool, and which come near; `meant`: the key that it must have been."""

    told: str
    meant: str | None


async def unknown_tool(state: ServerState, tool_key: str) -> UnknownTool | None:
    """Why nothing may have run under this key; None if there is such a tool.

    Also None where the catalogue cannot be read: it serves explanations only.
    """
    with contextlib.suppress(DeepOriginError):
        catalogue = await definitions_of(state)
        if not any(definition.key == tool_key for definition in catalogue):
            near = near_keys(catalogue, tool_key)
            hint = f" Did you mean {_either(near)}?" if near else ""
            told = f"{_not_there(tool_key)}{hint}"
            return UnknownTool(told, near[0] if len(near) == 1 else None)
    return None


def _not_there(tool_key: str) -> str:
    """A tool that is gone may still have runs, so that is all that is known."""
    return f"The catalogue has no tool {one_line(tool_key, 80)!r} now."


def _no_such_tool(tool_key: str, catalogue: Sequence[ToolDefinition], error: NotFoundError) -> NotFoundError:
    lists = "find_platform_tools lists the tools."
    together = _WITH_VERSION.match(tool_key.strip())
    if together and any(d.key == together[1] for d in catalogue):
        apart = steps.call("describe_platform_tool", tool_key=together[1], tool_version=together[2])
        told = f"{one_line(tool_key, 80)!r} holds a tool's key and version together."
        return NotFoundError(
            told, next_step=f"Give them apart: {apart}.", http_status=error.http_status, request_id=error.request_id
        )
    near = near_keys(catalogue, tool_key)
    hint = ""
    if near:
        described = steps.call("describe_platform_tool", tool_key=near[0])
        hint = f"Did you mean {_either(near)}? {described} shows its inputs; "
    return NotFoundError(
        _not_there(tool_key),
        next_step=hint + lists,
        http_status=error.http_status,
        request_id=error.request_id,
    )


def _no_such_version(
    tool_key: str, asked: str, versions: Sequence[ToolDefinition], error: NotFoundError
) -> NotFoundError:
    """The versions that there are, and the one that was probably meant: `v4.2.0` and `4.2` for 4.2.0."""
    names = list(dict.fromkeys(definition.version for definition in versions))
    numbers = ToolDefinition({"version": asked}).version_numbers
    same = [d.version for d in versions if numbers and d.version_numbers[: len(numbers)] == numbers]
    meant = (same or nearest(asked, names) or ["latest"])[0]
    described = steps.call("describe_platform_tool", tool_key=tool_key, tool_version=meant)
    hint = f" Did you mean {meant}?" if meant != "latest" else ""
    more = f" and {len(names) - MAX_VERSIONS_NAMED} more" if len(names) > MAX_VERSIONS_NAMED else ""
    return NotFoundError(
        f"{tool_key} has no version {one_line(asked, 40)!r}.",
        next_step=f"Valid: latest, {', '.join(names[:MAX_VERSIONS_NAMED])}{more}, or a major such as "
        f"{names[0].partition('.')[0]}.{hint} {described} describes it.",
        http_status=error.http_status,
        request_id=error.request_id,
    )
