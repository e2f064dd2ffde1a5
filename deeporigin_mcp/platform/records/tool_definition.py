"""A tool definition of the platform (platform-facts 1.11, 2.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from deeporigin_mcp.platform.records.sanitizing import word
from deeporigin_mcp.platform.records.values import Json, text

MAX_DIGITS = 100
"""Of one number of a version; parsing more takes long."""
_NUMBERS = re.compile(r"\d+")
SyncPlace = Literal["inputs", "top level", "none"]


class SyncRule(NamedTuple):
    """Where a tool takes `sync`, and its default (platform-facts 2.5).

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
    """A tool definition. `raw` is the platform's object, unchanged; any field of it may be missing."""

    __slots__ = ("__weakref__", "raw")

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
        """True for older definitions, which do not have the field."""
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
    def outputs_schema(self) -> Json:
        """The JSON Schema of its outputs; `{}` if there is none."""
        schema = self.raw.get("outputs")
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
    def version_order(self) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
        """Sort key: greater for the newer of two versions; a release is newer than its candidates."""
        release, _, candidate = self.version.partition("-")
        return _numbers(release), not candidate, _numbers(candidate)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number[:MAX_DIGITS]) for number in _NUMBERS.findall(version))
