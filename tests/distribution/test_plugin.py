"""What surrounds the skills, for each client: made by a script, equal to what `install` writes, without a secret."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from deeporigin_mcp.install.clients import Machine, Scope
from deeporigin_mcp.install.commands import install
from deeporigin_mcp.install.entries import Request
from tests.distribution import plugin
from tests.support.documents import README, variables_that_are_read
from tests.support.processes import REPOSITORY

PLUGIN = REPOSITORY / "plugin"
CURSOR_MANIFEST = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"},
        **{name: {"type": "string"} for name in ("displayName", "description", "version", "license", "homepage")},
        "author": {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {"name": {}}},
        "keywords": {"type": "array", "items": {"type": "string"}},
        "skills": {"type": "string", "pattern": r"^\./"},
        "mcpServers": {"type": "string", "pattern": r"^\./"},
    },
}
"""Of the fields that Cursor's schema for `.cursor-plugin/plugin.json` knows, those that we use."""


def written(folder: Path, client: str, scope: Scope) -> Any:
    """The file that `install` writes for a client."""
    here = Machine("linux", folder, folder, {})
    install(here, client, scope, Request("deeporigin", plugin.COMMAND), force=True, dry_run=False)
    [file] = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".json", ".toml")]
    text = file.read_text()
    return tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)


def link(to: str) -> dict[str, str]:
    """The query of the README's link to a host."""
    [found] = re.findall(rf"\((https://{re.escape(to)}\S+)\)", README)
    return {name: value for name, [value] in parse_qs(urlsplit(found).query).items()}


def json_of(name: str) -> Any:
    return json.loads((PLUGIN / name).read_text(encoding="utf-8"))


def test_everything_is_as_the_script_writes_it() -> None:
    assert plugin.stale() == []


def test_nothing_of_the_machine_that_it_is_made_on_gets_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".deeporigin").mkdir()
    (tmp_path / ".deeporigin" / "api_tokens.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DO_AUTH_TOKEN", "secret")
    monkeypatch.setenv("DEEPORIGIN_MCP_BUDGET", "5")
    assert plugin.stale() == []


@pytest.mark.parametrize(
    ("name", "client", "holder"),
    [
        ("mcp.json", "cursor", "mcpServers"),
        ("codex.mcp.json", "codex", "mcp_servers"),
        ("gemini-extension.json", "gemini-cli", "mcpServers"),
    ],
)
def test_the_plugin_starts_the_server_as_install_does(tmp_path: Path, name: str, client: str, holder: str) -> None:
    assert json_of(name)["mcpServers"] == written(tmp_path, client, "project")[holder]


def test_the_plugin_for_claude_code_asks_for_what_no_variable_says(tmp_path: Path) -> None:
    server, installed = (
        content["mcpServers"]["deeporigin"]
        for content in (json_of(".mcp.json"), written(tmp_path, "claude-code", "project"))
    )
    assert {**server, "env": None} == {**installed, "env": None}
    assert {*installed["env"]} <= {*server["env"]} <= variables_that_are_read()
    fields = {
        name: re.fullmatch(rf"\$\{{{name}:-\$\{{user_config\.(\w+)\}}\}}", told) for name, told in server["env"].items()
    }
    options = json_of(".claude-plugin/plugin.json")["userConfig"]
    assert sorted(found[1] for found in fields.values() if found) == sorted(options)
    assert len(fields) == len(options)
    assert [name for name, option in options.items() if option.get("sensitive")] == ["token"]


def test_the_link_to_cursor_holds_what_install_writes(tmp_path: Path) -> None:
    query = link("cursor.com/en/install-mcp")
    entry = json.loads(base64.b64decode(query["config"], validate=True))
    assert {query["name"]: entry} == written(tmp_path, "cursor", "project")["mcpServers"]


def test_the_link_to_vs_code_holds_what_install_writes(tmp_path: Path) -> None:
    query = link("insiders.vscode.dev/redirect/mcp/install")
    held = {"inputs": json.loads(query["inputs"]), "servers": {query["name"]: json.loads(query["config"])}}
    assert held == written(tmp_path, "vscode", "project")


def test_the_manifest_for_cursor_has_only_fields_that_cursor_knows() -> None:
    jsonschema.validate(json_of(".cursor-plugin/plugin.json"), CURSOR_MANIFEST)


@pytest.mark.parametrize("client", [".claude-plugin", ".codex-plugin", ".cursor-plugin"])
def test_each_manifest_leads_to_the_skills_and_the_server(client: str) -> None:
    manifest = json_of(f"{client}/plugin.json")
    assert (PLUGIN / manifest.get("skills", "skills")).is_dir()
    assert (PLUGIN / manifest.get("mcpServers", ".mcp.json")).is_file()


def test_the_page_of_the_plugin_says_how_each_client_installs_it() -> None:
    page = (PLUGIN / "README.md").read_text(encoding="utf-8")
    assert all(page.count(f"\n| {name} |") == 1 for name in ("Claude Code", "Codex", "Gemini CLI", "Cursor"))
