"""Windows, as far as it can be tried elsewhere: packaged applications, commands with blanks, clients not set up yet."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install import commands, entries, targets
from deeporigin_mcp.install.clients import Machine, client_named
from deeporigin_mcp.install.entries import Request
from tests.support.home import NAMES, Home, siblings

FILE = "claude_desktop_config.json"
PACKAGE = "Claude_pzs8sxrjxfjjc"


class Windows:
    """A user's home on Windows."""

    def __init__(self, home: Path) -> None:
        self.roaming = home / "AppData" / "Roaming"
        self.local = home / "AppData" / "Local"
        self.usual = self.roaming / "Claude" / FILE
        self.private = self.local / "Packages" / PACKAGE / "LocalCache" / "Roaming" / "Claude" / FILE
        variables = {"APPDATA": str(self.roaming), "LOCALAPPDATA": str(self.local)}
        self.machine = Machine("win32", home, home / "work", variables)

    def install(self) -> None:
        request = Request(command="uvx deeporigin-mcp")
        commands.install(self.machine, "claude-desktop", None, request, force=False, dry_run=False)

    def uninstall(self) -> None:
        commands.uninstall(self.machine, "claude-desktop", None, "deeporigin", force=False, dry_run=False)


@pytest.fixture
def windows(tmp_path: Path) -> Windows:
    return Windows(tmp_path)


def put(path: Path, content: Any = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_text(json.dumps(content))


def servers(path: Path) -> list[str]:
    return list(json.loads(path.read_text()).get("mcpServers", {})) if path.exists() else []


@pytest.mark.parametrize("started_once", [True, False])
def test_the_packaged_application_gets_the_entry_in_the_file_that_it_reads(
    windows: Windows, started_once: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    put(windows.private, {"mcpServers": {"other": {"command": "x"}}}) if started_once else put(
        windows.local / "Packages" / PACKAGE / "x"
    )
    windows.install()
    assert "deeporigin" in servers(windows.private)
    assert not windows.usual.exists()
    assert PACKAGE in capsys.readouterr().out
    windows.uninstall()
    assert servers(windows.private) == (["other"] if started_once else [])


def test_where_both_applications_are_both_get_the_entry(windows: Windows, capsys: pytest.CaptureFixture[str]) -> None:
    put(windows.private, {"a": 1})
    put(windows.usual, {"b": 2})
    windows.install()
    assert servers(windows.private) == servers(windows.usual) == ["deeporigin"]
    assert capsys.readouterr().out.count(FILE) >= 2
    before = siblings(windows.private) + siblings(windows.usual)
    windows.install()
    assert siblings(windows.private) + siblings(windows.usual) == before
    windows.uninstall()
    assert (json.loads(windows.private.read_text()), json.loads(windows.usual.read_text())) == ({"a": 1}, {"b": 2})
    windows.uninstall()


def test_an_entry_that_one_of_two_files_lacks_is_added_there(windows: Windows) -> None:
    put(windows.usual, {})
    windows.install()
    put(windows.private, {})
    windows.install()
    assert servers(windows.private) == ["deeporigin"]
    assert siblings(windows.usual) == [FILE, f"{FILE}.deeporigin-backup"]


def test_nothing_is_written_where_one_of_two_files_cannot_be_edited(windows: Windows) -> None:
    put(windows.private, {})
    put(windows.usual)
    windows.usual.write_text("{")
    with pytest.raises(targets.RefusedError) as refused:
        windows.install()
    assert refused.value.code == "syntax_error"
    assert servers(windows.private) == []


def test_other_packages_are_not_written_into(windows: Windows) -> None:
    put(windows.local / "Packages" / "ClaudeNotes_1234" / "x")
    put(windows.usual, {})
    windows.install()
    assert servers(windows.usual) == ["deeporigin"]


def test_without_its_variable_the_package_is_found_in_the_home(windows: Windows) -> None:
    put(windows.private, {})
    windows.machine = replace(windows.machine, environ={})
    windows.install()
    assert servers(windows.private) == ["deeporigin"]


@pytest.mark.parametrize("client", [name for name in NAMES if name != "claude-code"])
def test_a_dry_run_shows_what_would_be_done_where_the_client_is_not_set_up_yet(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.install(client, dry_run=True) == 0
    printed = capsys.readouterr().out
    assert client_named(client).title in printed
    assert '"deeporigin-mcp"' in printed
    assert "--force" in printed
    assert not home.file(client).parent.exists()
    assert home.install(client) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (r'"C:\Program Files\uv\uvx.exe" deeporigin-mcp', [r"C:\Program Files\uv\uvx.exe", "deeporigin-mcp"]),
        (r"C:\tools\uvx.exe deeporigin-mcp", [r"C:\tools\uvx.exe", "deeporigin-mcp"]),
        (r'C:\"Program Files"\uvx.exe  deeporigin-mcp', [r"C:\Program Files\uvx.exe", "deeporigin-mcp"]),
        (r'uvx --from "deeporigin-mcp @ C:\my wheels\x.whl" deeporigin-mcp',
         ["uvx", "--from", r"deeporigin-mcp @ C:\my wheels\x.whl", "deeporigin-mcp"]),
        (r"C:\Program Files\uv\uvx.exe deeporigin-mcp", [r"C:\Program Files\uv\uvx.exe", "deeporigin-mcp"]),
        (r"C:\My Big Folder\run.CMD", [r"C:\My Big Folder\run.CMD"]),
        (r"'C:\my tools\uvx' deeporigin-mcp", [r"C:\my tools\uvx", "deeporigin-mcp"]),
        (r"C:\uv\uvx run a.exe", [r"C:\uv\uvx", "run", "a.exe"]),
        (r"\\server\share\uvx.exe it's", [r"\\server\share\uvx.exe", "it's"]),
    ],
)  # fmt: skip
def test_a_command_of_windows_is_read_as_windows_reads_it(
    given: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert entries._command(client_named("cursor"), "user", given)[0] == words


@pytest.mark.parametrize("given", ['"C:\\unclosed', '""', " "])
def test_a_command_of_windows_that_cannot_be_read_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SettingsError) as refused:
        entries._command(client_named("cursor"), "user", given)
    assert refused.value.code == "invalid_command"


@pytest.mark.parametrize("platform", ["win32", "linux"])
def test_a_path_alone_needs_no_quotes(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my programs" / "deeporigin mcp.exe"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr(sys, "platform", platform)
    assert entries._command(client_named("cursor"), "user", str(program))[0] == [str(program)]
