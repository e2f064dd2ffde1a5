"""Where each client keeps its servers, on each system, and what the command line says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deeporigin_mcp import cli
from deeporigin_mcp.install import entries
from deeporigin_mcp.install.clients import CLIENTS, Machine, System, client_named
from deeporigin_mcp.install.entries import Request, entry_for
from tests.support.documents import variables_that_are_read
from tests.support.home import NAMES, SAMPLES, Home
from tests.support.processes import run_program

HOME = Path("/h")
PROJECT = Path("/p")

FILES: dict[str, tuple[str, ...]] = {
    # client: macOS, Windows, Linux, project
    "claude-desktop": (
        "~/Library/Application Support/Claude/claude_desktop_config.json",
        "~/AppData/Roaming/Claude/claude_desktop_config.json",
        "~/.config/Claude/claude_desktop_config.json",
        "",
    ),
    "claude-code": ("~/.claude.json", "~/.claude.json", "~/.claude.json", "./.mcp.json"),
    "cursor": ("~/.cursor/mcp.json", "~/.cursor/mcp.json", "~/.cursor/mcp.json", "./.cursor/mcp.json"),
    "vscode": (
        "~/Library/Application Support/Code/User/mcp.json",
        "~/AppData/Roaming/Code/User/mcp.json",
        "~/.config/Code/User/mcp.json",
        "./.vscode/mcp.json",
    ),
    "codex": ("~/.codex/config.toml", "~/.codex/config.toml", "~/.codex/config.toml", "./.codex/config.toml"),
    "gemini-cli": (
        "~/.gemini/settings.json",
        "~/.gemini/settings.json",
        "~/.gemini/settings.json",
        "./.gemini/settings.json",
    ),
    "windsurf": (*["~/.codeium/windsurf/mcp_config.json"] * 3, ""),
    "zed": (
        "~/.config/zed/settings.json",
        "~/AppData/Roaming/Zed/settings.json",
        "~/.config/zed/settings.json",
        "./.zed/settings.json",
    ),
}


def test_every_client_is_known_to_all() -> None:
    assert [*cli.CLIENTS] == NAMES == [*FILES]
    assert sorted(SAMPLES) == sorted(NAMES)
    assert Request().name == cli.SERVER_NAME
    assert {scope for client in CLIENTS for scope in client.scopes()} == {*cli.SCOPES}
    assert all(client.scopes()[0] == "user" for client in CLIENTS)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_where_the_client_looks(name: str) -> None:
    client = client_named(name)
    systems: tuple[System, ...] = ("darwin", "win32", "linux")
    for system, shown in zip(systems, FILES[name], strict=False):
        machine = Machine(system, HOME, PROJECT, {})
        assert machine.shown(client.path(machine, "user")) == shown
    assert ("project" in client.scopes()) == bool(FILES[name][3])
    if FILES[name][3]:
        assert machine.shown(client.path(machine, "project")) == FILES[name][3]


@pytest.mark.parametrize(
    ("name", "system", "variables", "path"),
    [
        ("claude-desktop", "win32", {"APPDATA": "/r"}, "/r/Claude/claude_desktop_config.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/Code/User/mcp.json"),
        ("vscode", "darwin", {"XDG_CONFIG_HOME": "/x"}, "/h/Library/Application Support/Code/User/mcp.json"),
        ("zed", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/zed/settings.json"),
        ("zed", "linux", {"XDG_CONFIG_HOME": "relative"}, "/h/.config/zed/settings.json"),
        ("codex", "linux", {"CODEX_HOME": "/c"}, "/c/config.toml"),
        ("claude-code", "darwin", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
    ],
)
def test_variables_that_move_a_file_are_followed(
    name: str, system: System, variables: dict[str, str], path: str
) -> None:
    assert client_named(name).path(Machine(system, HOME, PROJECT, variables), "user") == Path(path)


def test_a_path_is_shown_as_a_person_writes_it() -> None:
    machine = Machine("linux", HOME, HOME / "work", {})
    assert machine.shown(HOME / "work" / ".mcp.json") == "./.mcp.json"
    assert machine.shown(HOME / ".claude.json") == "~/.claude.json"
    assert machine.shown(Path("/elsewhere/config.toml")) == "/elsewhere/config.toml"
    at_home = Machine("linux", HOME, HOME, {})
    assert at_home.shown(HOME / ".claude.json") == "~/.claude.json"


def test_what_may_be_written_are_variables_that_are_read_and_no_secrets() -> None:
    assert {*entries.SETTABLE, *entries.SECRET, *entries.REFERRED, *entries.LIMITS} <= variables_that_are_read()
    assert not {*entries.SETTABLE} & {*entries.SECRET}
    assert {*entries.LIMITS} < {*entries.SETTABLE}


def test_the_server_of_a_clone_is_started_by_its_own_path(home: Home) -> None:
    for scope in ("user", "project"):
        entry = entry_for(client_named("cursor"), scope, home.machine, Request())
        script = Path(sys.executable).parent / "deeporigin-mcp"
        assert (entry.pieces[-1].value["command"], entry.pieces[-1].value["args"]) == (str(script), [])
        assert any("--command 'uvx deeporigin-mcp'" in note for note in entry.notes) == (scope == "project")


def test_without_a_script_the_module_is_started(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    value = entry_for(client_named("cursor"), "user", home.machine, Request()).pieces[-1].value
    assert (value["command"], value["args"]) == (str(tmp_path / "python"), ["-m", "deeporigin_mcp"])


@pytest.mark.parametrize("prefix", ["/c/uv/archive-v0/aB3", "/c/uv/environments-v2/x-1"])
def test_what_uvx_runs_is_started_by_uvx(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prefix: str
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    uvx = tmp_path / "uvx"
    uvx.write_text("#!/bin/sh\n")
    uvx.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in NAMES:
        value = entry_for(client_named(name), "user", home.machine, Request()).pieces[-1].value
        # Desktop applications that do not ask the shell would not find it by its name.
        assert value["command"] == (str(uvx) if name == "claude-desktop" else "uvx")
        assert value["args"] == ["deeporigin-mcp"]


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_the_command_line_refuses_what_it_does_not_know(command: str, tmp_path: Path) -> None:
    unknown = run_program(command, "--client", "emacs", home=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert all(name in unknown.stderr for name in NAMES)
    unnamed = run_program(command, "--client", "cursor", "--name", "a b", home=tmp_path)
    assert (unnamed.returncode, unnamed.stdout) == (2, "")
    assert "'a b'" in unnamed.stderr
