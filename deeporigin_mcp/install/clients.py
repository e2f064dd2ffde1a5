"""Where each client keeps its MCP servers, and how it writes an entry: a table, and the rules to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scope = Literal["user", "project", "local"]
System = Literal["darwin", "win32", "linux"]


@dataclass(frozen=True)
class Machine:
    """The system, folders and variables that the paths of files depend on."""

    system: System
    home: Path
    project: Path
    """The current folder."""
    environ: Mapping[str, str]

    def folder(self, start: str) -> Path:
        """The folder for the first part of `Client.user_file`.

        `~` is the home, `@` the folder of desktop applications' settings, `$NAME` the folder in a variable.
        """
        if start == "~":
            return self.home
        if start == "@":
            if self.system == "darwin":
                return self.home / "Library" / "Application Support"
            if self.system == "win32":
                return self._named("APPDATA") or self.home / "AppData" / "Roaming"
            return self._named("XDG_CONFIG_HOME") or self.home / ".config"
        return self._named(start.removeprefix("$")) or self.home

    def packages(self, pattern: str) -> list[Path]:
        """The folders of Windows packages (MSIX), whose applications keep their `@` below them."""
        if self.system != "win32" or not pattern:
            return []
        local = self._named("LOCALAPPDATA") or self.home / "AppData" / "Local"
        return sorted((local / "Packages").glob(pattern))

    def _named(self, name: str) -> Path | None:
        value = self.environ.get(name, "")
        return Path(value) if value and Path(value).is_absolute() else None

    def place(self, template: str) -> Path:
        """The path of a template such as `@/Claude/claude_desktop_config.json`."""
        start, _, rest = template.partition("/")
        return self.folder(start).joinpath(*rest.split("/")) if rest else self.folder(start)

    def shown(self, path: Path) -> str:
        """A path for a person: relative to the home or to the current folder."""
        for start, folder in ((".", self.project), ("~", self.home)):
            if path.is_relative_to(folder) and (start == "~" or not self.home.is_relative_to(folder)):
                return f"{start}/{path.relative_to(folder).as_posix()}"
        return str(path)


@dataclass(frozen=True)
class Client:
    """One MCP client."""

    name: str
    title: str
    servers: tuple[str, ...]
    """The path to the object that holds the servers."""
    user_file: str
    next_step: str
    presence: str = ""
    """The client's folder, if `user_file` is in the home itself."""
    project_file: str = ""
    """Relative to the project; empty if the client has none."""
    project_note: str = ""
    """What a client does before it uses a project's file."""
    user_file_on: Mapping[System, str] | None = None
    """`user_file` on systems where it differs."""
    package: str = ""
    """Pattern of its Windows package's name, if there is one beside the usual installer."""
    home_variable: str = ""
    """A variable with another folder for `user_file`; the file's name stays."""
    language: Literal["jsonc", "toml"] = "jsonc"
    constants: Mapping[str, str] | None = None
    """What each entry has beside command, arguments and environment."""
    reference: str = ""
    """How an entry takes a value from the environment; empty if it cannot."""
    inherits: bool = True
    """Whether the server gets the environment that the client itself has."""
    finds_commands: bool = True
    """Whether the client finds commands on the PATH of the user's shell."""

    def scopes(self) -> tuple[Scope, ...]:
        """The client's scopes, the default first."""
        local: tuple[Scope, ...] = ("local",) if self.name == "claude-code" else ()
        return ("user", *(("project",) if self.project_file else ()), *local)

    def path(self, machine: Machine, scope: Scope) -> Path:
        """The file that holds the servers of a scope."""
        if scope == "project":
            return machine.project.joinpath(*self.project_file.split("/"))
        template = (self.user_file_on or {}).get(machine.system, self.user_file)
        if self.home_variable and machine.environ.get(self.home_variable):
            return machine.folder(f"${self.home_variable}") / template.rpartition("/")[2]
        return machine.place(template)

    def paths(self, machine: Machine, scope: Scope) -> list[Path]:
        """All files to write: a packaged application reads its own, one installed beside it the usual one."""
        usual = self.path(machine, scope)
        packages = machine.packages(self.package) if scope == "user" else []
        inside = usual.relative_to(machine.folder("@")) if packages else Path()
        private = [package / "LocalCache" / "Roaming" / inside for package in packages]
        return private + ([usual] if usual.parent.exists() or not private else [])

    def keys(self, machine: Machine, scope: Scope) -> tuple[str, ...]:
        """The path inside the file to the object that holds the servers of a scope."""
        return ("projects", machine.project.as_posix(), *self.servers) if scope == "local" else self.servers

    def home_folder(self, machine: Machine) -> Path:
        """The folder that exists once the client has been started."""
        parent = self.path(machine, "user").parent
        return parent if parent != machine.home else machine.place(self.presence)

    def is_present(self, machine: Machine) -> bool:
        """Whether the client seems to be installed."""
        usual = self.home_folder(machine).exists() or self.path(machine, "user").exists()
        return usual or bool(machine.packages(self.package))


STDIO = {"type": "stdio"}

CLIENTS = (
    Client(
        "claude-desktop",
        "Claude Desktop",
        ("mcpServers",),
        "@/Claude/claude_desktop_config.json",
        "Quit Claude Desktop and start it again.",
        package="Claude_*",
        finds_commands=False,
    ),
    Client(
        "claude-code",
        "Claude Code",
        ("mcpServers",),
        "~/.claude.json",
        "Start a new session of Claude Code; /mcp shows the server.",
        presence="~/.claude",
        project_file=".mcp.json",
        project_note="Whoever opens the project approves the server once, when Claude Code asks.",
        home_variable="CLAUDE_CONFIG_DIR",
        constants=STDIO,
        reference="${NAME:-}",
    ),
    Client(
        "cursor",
        "Cursor",
        ("mcpServers",),
        "~/.cursor/mcp.json",
        "Restart Cursor; its settings list the server under MCP.",
        project_file=".cursor/mcp.json",
        constants=STDIO,
        reference="${env:NAME}",
    ),
    Client(
        "vscode",
        "VS Code",
        ("servers",),
        "@/Code/User/mcp.json",
        'Run "MCP: List Servers" in VS Code and start the server there.',
        project_file=".vscode/mcp.json",
        constants=STDIO,
        reference="${input:ID}",
    ),
    Client(
        "codex",
        "Codex",
        ("mcp_servers",),
        "~/.codex/config.toml",
        "Start Codex again; /mcp shows the server.",
        project_file=".codex/config.toml",
        project_note="Codex reads it in projects that it is told to trust.",
        home_variable="CODEX_HOME",
        language="toml",
        inherits=False,
    ),
    Client(
        "gemini-cli",
        "Gemini CLI",
        ("mcpServers",),
        "~/.gemini/settings.json",
        "Start Gemini CLI again; /mcp shows the server.",
        project_file=".gemini/settings.json",
        reference="${NAME}",
    ),
    Client(
        "windsurf",
        "Windsurf",
        ("mcpServers",),
        "~/.codeium/windsurf/mcp_config.json",
        "Refresh the MCP servers in Windsurf's Cascade panel, or restart it.",
        reference="${env:NAME}",
    ),
    Client(
        "zed",
        "Zed",
        ("context_servers",),
        "~/.config/zed/settings.json",
        "Zed takes it up at once; its agent settings list the server.",
        project_file=".zed/settings.json",
        user_file_on={"linux": "@/zed/settings.json", "win32": "@/Zed/settings.json"},
    ),
)


def client_named(name: str) -> Client:
    """The client of a name, which must exist."""
    return next(client for client in CLIENTS if client.name == name)
