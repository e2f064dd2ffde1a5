"""What the simulator knows of one version of one tool."""

from dataclasses import dataclass, field
from typing import Any, Literal

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
        manifest: `toolManifestVersion`.
        gpu: Whether its executor asks for one.
        featured: Whether the platform recommends it to MCP clients.
        private_to: The organisation whose tokens alone see it; empty for everybody.
    """

    key: str
    version: str
    name: str | None
    description: str | None
    inputs: Schema
    sync: SyncPosition = "top"
    steps: tuple[str, ...] = ()
    enabled: bool = True
    manifest: str = "6"
    gpu: bool = False
    outputs: Schema = field(default_factory=lambda: {"type": "object", "properties": {}})

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
        short = self.key.removeprefix("deeporigin.")
        resources: dict[str, Any] = {"cpu": 4, "memory": 16}
        if self.gpu:
            resources["gpu"] = {"count": 1, "type": "any"}
        row: dict[str, Any] = {
            "key": self.key,
            "version": self.version,
            "toolManifestVersion": self.manifest,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "executors": [
                {
                    "name": "main",
                    "type": "job" if self.sync == "none" else "service",
                    "image": f"registry.invalid/{short}:{self.version}",
                    "command": ["run"],
                    "args": [],
                    "environment": [],
                    "resourceRequirements": resources,
                    "restartPolicy": "never",
                    "storageRequirements": [],
                }
            ],
            "enabled": self.enabled,
        }
        if self.featured:
            row["mcpFeatured"] = True
        if self.name is not None:
            row["name"] = self.name
        if self.description is not None:
            row["description"] = self.description
        return row
