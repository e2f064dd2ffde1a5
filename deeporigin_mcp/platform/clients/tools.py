"""Definitions of the platform's tools (platform-facts 1.11), and a cache of the whole list."""

from __future__ import annotations

import builtins
import json
from typing import Any
from weakref import WeakValueDictionary

import anyio

from deeporigin_mcp.errors import DeepOriginError, NotFoundError
from deeporigin_mcp.platform.clients.kept import Kept
from deeporigin_mcp.platform.records.tool_definition import ToolDefinition
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import expect_list, expect_object, rows_of
from deeporigin_mcp.platform.transport.scope import Scope, segment
from deeporigin_mcp.platform.transport.timing import Timing

CATALOGUE_SECONDS = 300.0
"""How long the cached list is fresh; it is large and changes rarely."""
CATALOGUE_KEPT_SECONDS = 3600.0
"""How long a stale list is used while it cannot be renewed."""
KEPT_DEFINITIONS = 20
"""Beside the list: those that were asked for one by one."""
CATALOGUE_PAUSE_SECONDS = 30.0
"""Pause after a failed renewal before the list counts as stale again."""

_alike: WeakValueDictionary[bytes, ToolDefinition] = WeakValueDictionary()
"""The definitions that clients of this process hold, by a digest of their text."""


class Tools:
    """`client.tools`."""

    def __init__(self, transport: Transport, scope: Scope, timing: Timing) -> None:
        self._transport = transport
        self._scope = scope
        self._timing = timing
        self._catalogue: builtins.list[ToolDefinition] = []
        self._read = Kept[tuple[str, str], ToolDefinition](timing, most=KEPT_DEFINITIONS, seconds=CATALOGUE_SECONDS)
        """Single definitions, by key and the version that was asked for."""
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._refreshing = anyio.Lock()
        self._refreshes = 0
        self._failure: DeepOriginError | None = None

    async def list(self) -> builtins.list[Json]:
        """Every definition, all versions, junk and duplicates included."""
        return rows_of(expect_list(await self._send("", "list tools"), "list tools"))

    async def get_by_key(self, *, tool_key: str) -> builtins.list[Json]:
        """All versions of one tool; empty if there is none."""
        what = f"list versions of {tool_key}"
        return rows_of(expect_list(await self._send(f"/{segment(tool_key, 'tool_key')}", what), what))

    async def get(self, *, tool_key: str, tool_version: str) -> Json:
        """One definition; `tool_version` may be exact, a major, or `latest`.

        Raises:
            NotFoundError: no such tool or version.
        """
        what = f"describe {tool_key} {tool_version}"
        path = f"/{segment(tool_key, 'tool_key')}/{segment(tool_version, 'tool_version')}"
        response = await self._send(path, what)
        return expect_object(response, what)

    async def definition(self, *, tool_key: str, tool_version: str) -> ToolDefinition:
        """The same as a record; requested again when it is older than `CATALOGUE_SECONDS`.

        Raises:
            NotFoundError: no such tool or version.
        """
        asked = tool_key, tool_version
        found = self._read.get(asked)
        if found is None:
            found = _shared(await self.get(tool_key=tool_key, tool_version=tool_version))
            self._read.put(asked, found)
        return found

    async def exists(self, *, tool_key: str, tool_version: str) -> bool:
        try:
            await self.get(tool_key=tool_key, tool_version=tool_version)
        except NotFoundError:
            return False
        return True

    async def catalogue(self, *, max_age_seconds: float = CATALOGUE_SECONDS) -> builtins.list[ToolDefinition]:
        """The definitions with a key and a version, each once; requested if the cache is older."""
        if self._age() >= max_age_seconds:
            await self.refresh()
        return [*self._catalogue]

    def known(self, *, tool_key: str, tool_version: str) -> ToolDefinition | None:
        """The definition of exactly this version, if the cached list has it. Sends nothing."""
        if self._age() >= CATALOGUE_KEPT_SECONDS:
            return None
        return next((d for d in self._catalogue if (d.key, d.version) == (tool_key, tool_version)), None)

    @property
    def catalogue_is_stale(self) -> bool:
        """Whether to renew the list now: it is stale, no renewal is running, and none has just failed."""
        since_failure = self._timing.monotonic() - self._failed_at
        return (
            CATALOGUE_SECONDS <= self._age() < CATALOGUE_KEPT_SECONDS
            and not self._refreshing.locked()
            and since_failure >= CATALOGUE_PAUSE_SECONDS
        )

    async def refresh(self) -> None:
        """Renew the cached list. Concurrent calls share one request and its outcome; a failure keeps the old list.

        Raises:
            DeepOriginError: the list could not be read.
        """
        seen = self._refreshes
        async with self._refreshing:
            if self._refreshes == seen:
                await self._refresh()
            if self._failure is not None:
                raise self._failure

    async def _refresh(self) -> None:
        try:
            rows = await self.list()
        except DeepOriginError as error:
            self._failure, self._failed_at = error, self._timing.monotonic()
        else:
            self._failure, self._read_at = None, self._timing.monotonic()
            definitions = [_shared(row) for row in rows]
            self._catalogue = [*{(d.key, d.version): d for d in definitions if d.key and d.version}.values()]
        self._refreshes += 1

    def _age(self) -> float:
        return self._timing.monotonic() - self._read_at

    async def _send(self, path: str, what: str) -> Any:
        return await self._transport.send("GET", f"/tools/protected/tools{path}/definitions", what=what)


def _shared(raw: Json) -> ToolDefinition:
    """One object for all clients of this process that were sent the same definition; the whole list takes 150 KiB.

    A client gets nothing that it was not sent: what differs in one character is another object.
    """
    from hashlib import sha256

    definition = ToolDefinition(raw)
    return _alike.setdefault(sha256(json.dumps(raw).encode()).digest(), definition)
