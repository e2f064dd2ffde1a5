"""A home with the configuration of a client, and the two commands run in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import DeepOriginError, SettingsError
from deeporigin_mcp.install import commands, targets
from deeporigin_mcp.install.clients import CLIENTS, Client, Machine, Scope, client_named
from deeporigin_mcp.install.entries import Request

SAMPLES = {path.stem: path for path in (Path(__file__).parents[1] / "install" / "samples").iterdir()}
NAMES = [client.name for client in CLIENTS]


@dataclass
class Home:
    """A user's home on a Linux machine, with a project in it that is the current folder."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    refused: DeepOriginError | None = None
    """Why the last command did nothing."""

    @property
    def code(self) -> str:
        """The code of the last refusal; empty if there was none."""
        return self.refused.code if self.refused else ""

    @property
    def machine(self) -> Machine:
        project = self.folder / "work" / "brd4"
        project.mkdir(parents=True, exist_ok=True)
        return Machine("linux", self.folder, project, self.environ)

    def file(self, client: str, scope: Scope = "user") -> Path:
        return client_named(client).path(self.machine, scope)

    def write(self, client: str, content: bytes | None = None, scope: Scope = "user") -> Path:
        """Give the client a configuration: its sample, or this."""
        path = self.file(client, scope)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SAMPLES[client].read_bytes() if content is None else content)
        return path

    def install(
        self, client: str, scope: Scope | None = None, *, force: bool = False, dry_run: bool = False, **request: Any
    ) -> int:
        asked = Request(**{"command": "uvx deeporigin-mcp", **request})
        return self.run(lambda: commands.install(self.machine, client, scope, asked, force=force, dry_run=dry_run))

    def uninstall(
        self,
        client: str,
        scope: Scope | None = None,
        *,
        name: str = "deeporigin",
        force: bool = False,
        dry_run: bool = False,
    ) -> int:
        return self.run(lambda: commands.uninstall(self.machine, client, scope, name, force=force, dry_run=dry_run))

    def run(self, command: Callable[[], None]) -> int:
        """The exit code of a command; what it raised is `refused`."""
        self.refused = None
        try:
            command()
        except (SettingsError, targets.RefusedError) as error:
            self.refused = error
            return 2 if isinstance(error, SettingsError) else 1
        return 0

    def read(self, client: str, scope: Scope = "user") -> Any:
        """The whole configuration, as the client's parser has it."""
        text = self.file(client, scope).read_text(encoding="utf-8-sig")
        return targets.EDITORS[client_named(client).language].read(text)

    def servers(self, client: str, scope: Scope = "user") -> dict[str, Any]:
        """All servers of a scope, by name."""
        found = self.read(client, scope)
        for key in client_named(client).keys(self.machine, scope):
            found = found[key]
        return dict(found)


def siblings(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir())


def clients_with(scope: Scope) -> list[Client]:
    return [client for client in CLIENTS if scope in client.scopes()]
