"""Definitions of the scientific tools that the platform can run (platform-facts 1.11, 2.5)."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from deeporigin_mcp.errors import DeepOriginError, NotFoundError
from deeporigin_mcp.platform.scope import Scope
from deeporigin_mcp.platform.timing import Timing
from deeporigin_mcp.platform.transport import Transport, segment
from deeporigin_mcp.platform.wire import Json, list_answer, object_answer, rows_of, text
from deeporigin_mcp.platform.wording import word

CATALOGUE_SECONDS = 300.0
"""How long the list of definitions counts as fresh; it is large and changes rarely."""
CATALOGUE_KEPT_SECONDS = 3600.0
"""How long an old list may still answer while newer ones cannot be had."""
CATALOGUE_PAUSE_SECONDS = 30.0
"""After a failed renewal, how long the list does not count as stale again."""

MAX_DIGITS = 100
"""Of one number of a version; reading more takes long."""

_NUMBERS = re.compile(r"\d+")

SyncPlace = Literal["inputs", "top level", "none"]


@dataclass(frozen=True)
class SyncRule:
    """Where a tool takes `sync`, and what to send when nobody says (platform-facts 2.5).

    False is the safe choice: the run goes on by itself and no request stays open. Tools that exist as quick
    services only are left at the official client's True.
    """

    place: SyncPlace
    default: bool | None


_TOP_LEVEL_SYNC: Mapping[str, bool] = {
    "deeporigin.mol-props-combined": False,
    "deeporigin.mol-props-protonation": True,
    "deeporigin.system-prep": True,
    "deeporigin.protein-prep": False,
    "deeporigin.admet-properties": False,
    "deeporigin.konnektor": False,
    "deeporigin.enumerator": True,
    "deeporigin.metabolism": False,
    "deeporigin.structure-report": False,
    "deeporigin.uniprot-discovery": False,
    "deeporigin.secondary-pharma": False,
    "deeporigin.import-dataset": True,
}


class ToolDefinition:
    """A tool definition, kept as it came. Names, descriptions and whole fields may be missing."""

    __slots__ = ("raw",)

    def __init__(self, raw: Json) -> None:
        self.raw = raw

    @property
    def key(self) -> str:
        return word(self.raw.get("key"))

    @property
    def version(self) -> str:
        return word(self.raw.get("version"))

    @property
    def name(self) -> str:
        return word(self.raw.get("name"))

    @property
    def description(self) -> str:
        return text(self.raw.get("description"))

    @property
    def enabled(self) -> bool:
        """Older definitions do not say; they can be run."""
        return self.raw.get("enabled") is not False

    @property
    def is_featured(self) -> bool:
        """Whether the platform recommends it to MCP clients."""
        return self.raw.get("mcpFeatured") is True

    @property
    def inputs_schema(self) -> Json:
        """The JSON Schema of `inputs`, with the platform's `x-…` keys; `{}` if there is none."""
        schema = self.raw.get("inputs")
        return schema if isinstance(schema, dict) else {}

    @property
    def sync_rule(self) -> SyncRule:
        all_of = self.inputs_schema.get("allOf")
        for part in (self.inputs_schema, *(all_of if isinstance(all_of, list) else ())):
            properties = part.get("properties") if isinstance(part, dict) else None
            if isinstance(properties, dict) and "sync" in properties:
                return SyncRule("inputs", False)
        if self.key in _TOP_LEVEL_SYNC:
            return SyncRule("top level", _TOP_LEVEL_SYNC[self.key])
        return SyncRule("none", None)

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The numbers of the version as they stand; builds are counted with 14 digits and more."""
        return _numbers(self.version)

    @property
    def version_order(self) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
        """What is greater for the newer of two versions; a release is newer than its candidates."""
        release, _, candidate = self.version.partition("-")
        return _numbers(release), not candidate, _numbers(candidate)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number[:MAX_DIGITS]) for number in _NUMBERS.findall(version))


class Tools:
    """`client.tools`."""

    def __init__(self, transport: Transport, scope: Scope, timing: Timing) -> None:
        self._transport = transport
        self._scope = scope
        self._timing = timing
        self._catalogue: builtins.list[ToolDefinition] = []
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._refreshing = anyio.Lock()
        self._refreshes = 0
        self._failure: DeepOriginError | None = None

    async def list(self) -> builtins.list[Json]:
        """Every definition, all versions, junk and duplicates included."""
        return rows_of(list_answer(await self._send("", "list tools"), "list tools"))

    async def get_by_key(self, *, tool_key: str) -> builtins.list[Json]:
        """All versions of one tool; empty if there is none."""
        what = f"list versions of {tool_key}"
        return rows_of(list_answer(await self._send(f"/{segment(tool_key, 'tool_key')}", what), what))

    async def get(self, *, tool_key: str, tool_version: str) -> Json:
        """One definition; `tool_version` may be exact, a major, or `latest`.

        Raises:
            NotFoundError: no such tool or version.
        """
        what = f"describe {tool_key} {tool_version}"
        path = f"/{segment(tool_key, 'tool_key')}/{segment(tool_version, 'tool_version')}"
        answer = await self._send(path, what)
        return object_answer(answer, what)

    async def exists(self, *, tool_key: str, tool_version: str) -> bool:
        try:
            await self.get(tool_key=tool_key, tool_version=tool_version)
        except NotFoundError:
            return False
        return True

    async def catalogue(self, *, max_age_seconds: float = CATALOGUE_SECONDS) -> builtins.list[ToolDefinition]:
        """The definitions that name a key and a version, once each; read anew only if the list is older than that."""
        if self._age() >= max_age_seconds:
            await self.refresh()
        return [*self._catalogue]

    @property
    def catalogue_is_stale(self) -> bool:
        """Whether the list should be renewed now: it is not fresh, nobody is at it, and it has not just failed."""
        since_failure = self._timing.monotonic() - self._failed_at
        return (
            CATALOGUE_SECONDS <= self._age() < CATALOGUE_KEPT_SECONDS
            and not self._refreshing.locked()
            and since_failure >= CATALOGUE_PAUSE_SECONDS
        )

    async def refresh(self) -> None:
        """Read the list anew. Calls at the same time share one request and its outcome; a failure keeps the old list.

        Raises:
            DeepOriginError: it could not be read.
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
            definitions = [ToolDefinition(row) for row in rows]
            self._catalogue = [*{(d.key, d.version): d for d in definitions if d.key and d.version}.values()]
        self._refreshes += 1

    def _age(self) -> float:
        return self._timing.monotonic() - self._read_at

    async def _send(self, path: str, what: str) -> Any:
        return await self._transport.send("GET", f"/tools/protected/tools{path}/definitions", what=what)
