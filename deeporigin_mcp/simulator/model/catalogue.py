"""The catalogue of tools (platform-facts 7, with junk rows between them), and the resolution of version selectors.

`catalogue.json` has the entries in serving order: the input schema of some versions of one tool, word for word as the
platform serves it, its price, running time and results. What a few tools need beside that is in `prices` and `results`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

ABFE = "deeporigin.abfe-end-to-end"
ADMET = "deeporigin.admet-properties"
CONSTRAINED_DOCKING = "deeporigin.constrained-docking"
DOCKING = "deeporigin.docking"
IMPORT = "deeporigin.import-dataset"
MOLPROPS = "deeporigin.mol-props-combined"
PROTEIN_PREP = "deeporigin.protein-prep"
POCKET_FINDER = "deeporigin.pocket-finder"
RBFE = "deeporigin.rbfe"
"""Keys of the tools for which something is computed; the others are data only."""

SyncPosition = Literal["inputs", "top", "none"]
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One (key, version) of the catalogue (platform-facts 1.11).

    Attributes:
        key: Tool key.
        version: Exact semver.
        name: Display name; None in junk rows.
        description: None in junk rows.
        inputs: JSON Schema of `inputs`.
        sync: Where `sync` is read: inside `inputs`, at the top level, or nowhere (platform-facts 2.5).
        steps: Step names of a workflow run, in order; empty for a tool that is only ever served.
        enabled: False hides it from selectors and refuses creates.
        price: `code`, `name` and `unit` (USD) of the one line that a run costs, once, `quantity` times or `per_ligand`.
        seconds: Running time: `fixed`, `per_ligand` (times the effort), and that of a `test_run`; None for a usual one.
        results: Templates of result rows (see `results`).
        job_outputs: The shape of `jobOutputs`: `["type"]` is a list of the rows of a type, `"type"` the first one.
        example: Inputs of seeded rows; without, these have no inputs, and so no results.
        private_to: The organisation whose tokens alone see it; empty for everybody.
        featured: Whether the platform recommends it to MCP clients.
    """

    key: str
    version: str
    name: str | None
    description: str | None
    inputs: Schema
    sync: SyncPosition = "top"
    steps: tuple[str, ...] = ()
    enabled: bool = True
    outputs: Schema = field(default_factory=lambda: {"type": "object", "properties": {}})
    price: dict[str, Any] | None = None
    seconds: dict[str, float] | None = None
    results: tuple[dict[str, Any], ...] = ()
    job_outputs: Any = field(default_factory=dict)
    example: dict[str, Any] | None = None
    private_to: str = ""
    featured: bool = False

    def is_seen_by(self, orgs: frozenset[str] | None) -> bool:
        """Whether a token for these organisations, or for all, may know of it."""
        return not self.private_to or orgs is None or self.private_to in orgs

    @property
    def number(self) -> tuple[int, ...]:
        """The version as a sortable tuple."""
        return tuple(int(part) if part.isdigit() else 0 for part in self.version.split("."))

    def row(self) -> dict[str, Any]:
        """The definition as the platform serves it; junk rows lack name and description."""
        row: dict[str, Any] = {
            "key": self.key,
            "version": self.version,
            "toolManifestVersion": "6",
            "inputs": self.inputs,
            "outputs": self.outputs,
            "executors": [],
            "enabled": self.enabled,
        }
        if self.featured:
            row["mcpFeatured"] = True
        if self.name is not None:
            row["name"] = self.name
        if self.description is not None:
            row["description"] = self.description
        return row


class Catalogue:
    """Every definition that the platform lists, in serving order."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.definitions = list(definitions)

    def rows(self, key: str | None = None, orgs: frozenset[str] | None = None) -> list[dict[str, Any]]:
        """Rows of one tool, or of all, as far as a token for these organisations may see them; None for all."""
        return [entry.row() for entry in self.definitions if key in (None, entry.key) and entry.is_seen_by(orgs)]

    def resolve(self, key: str, selector: str = "latest") -> Definition | None:
        """The definition that a selector names: exact semver, a major such as `4`, or `latest`.

        Selectors prefer enabled versions; None when nothing fits (platform-facts 1.4).
        """
        versions = [entry for entry in self.definitions if entry.key == key]
        exact = [entry for entry in versions if entry.version == selector]
        if exact:
            return exact[0]
        if selector != "latest":
            if not selector.isdigit():
                return None
            versions = [entry for entry in versions if entry.number[0] == int(selector)]
        candidates = [entry for entry in versions if entry.enabled] or versions
        return max(candidates, key=lambda entry: entry.number, default=None)


def standard_catalogue() -> Catalogue:
    """A catalogue of the tools of `catalogue.json`; the definitions are shared, the list is the caller's."""
    return Catalogue(_definitions())


@cache
def _definitions() -> tuple[Definition, ...]:
    return tuple(_read())


def _read() -> Iterator[Definition]:
    file = resources.files("deeporigin_mcp.simulator.model") / "catalogue.json"
    for entry in json.loads(file.read_text(encoding="utf-8")):
        shared = {"name": None, "description": None, **entry, "steps": tuple(entry.get("steps", ()))}
        for version in shared.pop("versions"):
            yield Definition(**shared, version=version)
