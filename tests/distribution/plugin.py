"""Writes what each client wants of the plugin, of one set of skills: `scripts/plugin`.

The skills in `plugin/skills/` are read by every client as they are. What surrounds them differs by client, and is made
here: a manifest, the entry that `deeporigin-mcp install` writes into the client's configuration, a list of the plugins
of this repository, and the links in the README. `--check` writes nothing and names what would change. Exit codes:
0 nothing to change, or written; 1 with `--check`, something would change.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deeporigin_mcp import __version__
from deeporigin_mcp.install.clients import Machine, client_named
from deeporigin_mcp.install.entries import Entry, Request, entry_for
from tests.distribution.bundle import MANIFEST
from tests.support.node import ROOT

NAME = "deeporigin"
COMMAND = "uvx deeporigin-mcp"
DESCRIPTION = (
    "Docking, pockets, properties, ADMET and free energies on the Deep Origin platform: priced first, started once, "
    "waited for, saved."
)
AUTHOR = {"name": "The deeporigin-mcp maintainers"}
ABOUT = {
    "name": NAME,
    "version": __version__,
    "description": DESCRIPTION,
    "author": AUTHOR,
    "homepage": "https://www.deeporigin.com",
    "license": "MIT",
    "keywords": ["deep origin", "drug discovery", "docking", "chemistry"],
}
CURSOR_LINK = "https://cursor.com/en/install-mcp?name={name}&config={config}"
VSCODE_LINK = "https://insiders.vscode.dev/redirect/mcp/install?name={name}&config={config}&inputs={inputs}"
BADGES = re.compile(r"(?<=<!-- badges: scripts/plugin -->\n).*?(?=\n<!-- /badges -->)", re.DOTALL)


def entry_of(client: str) -> Entry:
    """What `install --scope project --command 'uvx deeporigin-mcp'` writes for a client on a machine without a setting.

    A client without files of projects: what it writes for the user.
    """
    with tempfile.TemporaryDirectory() as nothing:
        here = Machine("linux", Path(nothing), Path(nothing), {})
        known = client_named(client)
        return entry_for(known, "project" if known.project_file else "user", here, Request(NAME, COMMAND))


def server_of(client: str) -> dict[str, Any]:
    """The server's entry in a client's configuration."""
    body: dict[str, Any] = entry_of(client).pieces[-1].value
    return body


def claude_code(asked: Mapping[str, str]) -> dict[str, Any]:
    """The entry for Claude Code, which asks for what the bundle asks for; a variable of the environment counts first.

    Args:
        asked: by variable, the field whose answer it takes when it is not set.
    """
    server = server_of("claude-code")
    return {**server, "env": {name: f"${{{name}:-{field}}}" for name, field in asked.items()}}


def cursor_link() -> str:
    """A link that opens Cursor and offers to install the server."""
    config = base64.b64encode(_compact(server_of("cursor")).encode()).decode()
    return CURSOR_LINK.format(name=NAME, config=quote(config, safe=""))


def vscode_link() -> str:
    """A link that opens VS Code and offers to install the server, with the inputs that it asks for."""
    *inputs, body = (piece.value for piece in entry_of("vscode").pieces)
    return VSCODE_LINK.format(name=NAME, config=quote(_compact(body), safe=""), inputs=quote(_compact(inputs), safe=""))


def badges() -> str:
    """The lines of the README that install with one click."""
    return (
        f"[![Install in Cursor](https://cursor.com/deeplink/mcp-install-dark.svg)]({cursor_link()})\n"
        "[![Install in VS Code](https://img.shields.io/badge/VS_Code-Install-0098FF?style=flat-square)]"
        f"({vscode_link()})"
    )


def marketplace(source: str) -> dict[str, Any]:
    """The list of this repository's one plugin, as Claude Code and Cursor read it."""
    return {
        "name": "deeporigin-mcp",
        "owner": AUTHOR,
        "metadata": {"description": "The plugin of deeporigin-mcp."},
        "plugins": [{"name": NAME, "source": source, "description": DESCRIPTION}],
    }


def files() -> Mapping[str, str]:
    """Each file that is made here, with its content."""
    bundle = json.loads(MANIFEST.read_text(encoding="utf-8"))
    codex = {"name": NAME, "source": {"source": "local", "path": "./plugin"}, "category": "Productivity"}
    made: dict[str, Any] = {
        "plugin/.claude-plugin/plugin.json": {
            **ABOUT,
            "displayName": "Deep Origin",
            "userConfig": bundle["user_config"],
        },
        "plugin/.mcp.json": {"mcpServers": {NAME: claude_code(bundle["server"]["mcp_config"]["env"])}},
        ".claude-plugin/marketplace.json": marketplace("./plugin"),
        "plugin/.codex-plugin/plugin.json": {
            **ABOUT,
            "skills": "./skills/",
            "mcpServers": "./codex.mcp.json",
            "interface": {
                "displayName": "Deep Origin",
                "shortDescription": "Drug discovery runs, priced before they start",
                "longDescription": DESCRIPTION,
                "developerName": AUTHOR["name"],
                "category": "Productivity",
            },
        },
        "plugin/codex.mcp.json": {"mcpServers": {NAME: server_of("codex")}},
        ".agents/plugins/marketplace.json": {
            "name": "deeporigin-mcp",
            "interface": {"displayName": "deeporigin-mcp"},
            "plugins": [{**codex, "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"}}],
        },
        "plugin/.cursor-plugin/plugin.json": {
            **ABOUT,
            "displayName": "Deep Origin",
            "skills": "./skills/",
            "mcpServers": "./mcp.json",
        },
        "plugin/mcp.json": {"mcpServers": {NAME: server_of("cursor")}},
        ".cursor-plugin/marketplace.json": marketplace("plugin"),
        "plugin/gemini-extension.json": {
            "name": NAME,
            "version": __version__,
            "description": DESCRIPTION,
            "mcpServers": {NAME: server_of("gemini-cli")},
        },
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        **{name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in made.items()},
        "README.md": BADGES.sub(lambda _: badges(), readme),
    }


def stale() -> list[str]:
    """The files that are not as they would be made."""
    return [name for name, content in files().items() if not (ROOT / name).exists() or _read(name) != content]


def main() -> int:
    """Write what changed, and say so; with `--check`, only say so."""
    changed = stale()
    made = files()
    for name in changed:
        if "--check" not in sys.argv:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(made[name], encoding="utf-8")
        sys.stdout.write(f"{name}\n")
    return int(bool(changed) and "--check" in sys.argv)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
