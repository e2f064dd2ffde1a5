"""`install` and `uninstall`: one entry comes and goes, everything else stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from deeporigin_mcp.install.clients import client_named
from tests.support.home import NAMES, SAMPLES, Home, clients_with, siblings

BOM = b"\xef\xbb\xbf"


def variants(client: str) -> dict[str, bytes]:
    """The sample as editors of several systems leave it."""
    plain = SAMPLES[client].read_bytes()
    lines = plain.replace(b"\n", b"\r\n")
    return {
        "plain": plain,
        "crlf": lines,
        "bom": BOM + plain,
        "bom and crlf": BOM + lines,
        "no newline at the end": plain.rstrip(b"\r\n"),
        "empty": b"",
        "blank": b"\n\n",
    }


@pytest.mark.parametrize("client", NAMES)
def test_an_entry_is_added_and_everything_else_keeps_its_meaning(home: Home, client: str) -> None:
    home.write(client)
    before = home.read(client)
    assert home.install(client) == 0
    entry = home.servers(client)["deeporigin"]
    assert (entry["command"], entry["args"]) == ("uvx", ["deeporigin-mcp"])
    others = {name: value for name, value in home.servers(client).items() if name != "deeporigin"}
    after = home.read(client)
    for name, value in before.items():
        if name not in ("inputs", "mcpServers", "mcp_servers", "servers", "context_servers"):
            assert after[name] == value
    for name in ("mcpServers", "mcp_servers", "servers", "context_servers"):
        assert name not in before or before[name] == others
    if client == "vscode":
        assert [item["id"] for item in after["inputs"]] == ["github", "deeporigin-token", "deeporigin-org"]


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("variant", list(variants("zed")))
def test_what_was_there_stands_in_the_file_to_the_byte_and_comes_back_whole(
    home: Home, client: str, variant: str
) -> None:
    before = variants(client)[variant]
    path = home.write(client, before)
    assert home.install(client) == 0
    after = path.read_bytes()
    # Nothing was taken away or moved: every byte that was there follows the one that it followed.
    rest = iter(after)
    assert all(byte in rest for byte in before.removeprefix(BOM))
    assert after.count(b"\n") == after.count(b"\r\n") or b"\r\n" not in before
    assert b"\r\n" in before or b"\r\n" not in after
    # But for a mark that many clients take for a syntax error.
    assert not after.startswith(BOM)
    assert home.uninstall(client) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("client", NAMES)
def test_a_second_install_changes_nothing_and_says_so(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client)
    assert home.install(client) == 0
    content, beside = path.read_bytes(), siblings(path)
    capsys.readouterr()
    assert home.install(client) == 0
    assert client_named(client).next_step not in capsys.readouterr().out
    assert (path.read_bytes(), siblings(path)) == (content, beside)


@pytest.mark.parametrize("client", NAMES)
def test_a_file_that_install_made_goes_away_with_the_entry(home: Home, client: str) -> None:
    path = home.file(client)
    assert home.install(client, force=True) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert home.uninstall(client) == 0
    assert not path.exists()


@pytest.mark.parametrize("client", NAMES)
def test_a_dry_run_shows_the_entry_and_changes_nothing(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client)
    before = path.read_bytes(), siblings(path)
    assert home.install(client, dry_run=True) == 0
    assert '"command": "uvx"' in capsys.readouterr().out
    assert (path.read_bytes(), siblings(path)) == before
    assert home.install(client) == 0
    installed = path.read_bytes()
    assert home.uninstall(client, dry_run=True) == 0
    assert path.read_bytes() == installed != before[0]


@pytest.mark.parametrize("client", NAMES)
def test_uninstall_without_an_entry_or_a_file_does_nothing(home: Home, client: str) -> None:
    assert home.uninstall(client) == 0
    path = home.write(client)
    assert home.uninstall(client) == 0
    assert path.read_bytes() == SAMPLES[client].read_bytes()


@pytest.mark.parametrize("client", NAMES)
def test_what_a_client_wrote_in_the_meantime_survives_an_uninstall(home: Home, client: str) -> None:
    path = home.write(client)
    home.install(client)
    text = path.read_text(encoding="utf-8")
    if client == "codex":
        text = text.replace("notifications = true", "notifications = false # changed")
    else:
        text = text.rstrip().removesuffix("}").rstrip().removesuffix(",") + ', "later": "é"}\n'
    path.write_text(text, encoding="utf-8")
    assert home.uninstall(client) == 0
    assert "deeporigin" not in path.read_text(encoding="utf-8")
    found = home.read(client)
    assert found["tui"]["notifications"] is False if client == "codex" else found["later"] == "é"


def test_a_link_is_followed_and_stays(home: Home) -> None:
    dotfiles = home.folder / "dotfiles" / "zed.json"
    dotfiles.parent.mkdir()
    dotfiles.write_bytes(SAMPLES["zed"].read_bytes())
    dotfiles.chmod(0o640)
    link = home.file("zed")
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(dotfiles, link.parent))
    assert home.install("zed") == 0
    assert link.is_symlink()
    assert b"deeporigin" in dotfiles.read_bytes()
    assert stat.S_IMODE(dotfiles.stat().st_mode) == 0o640
    assert siblings(dotfiles) == ["zed.json", "zed.json.deeporigin-backup"]
    assert stat.S_IMODE((dotfiles.parent / "zed.json.deeporigin-backup").stat().st_mode) == 0o640


def test_no_backup_is_ever_overwritten(home: Home) -> None:
    path = home.write("cursor")
    contents = []
    for number in range(3):
        contents.append(path.read_bytes())
        assert home.install("cursor", force=True, command=f"uvx deeporigin-mcp --{number}") == 0
    backups = [path.with_name(f"mcp.json.deeporigin-backup{number}") for number in ("", 2, 3)]
    assert [backup.read_bytes() for backup in backups] == contents
    assert home.uninstall("cursor") == 0
    assert path.read_bytes() == contents[0]


@pytest.mark.parametrize("client", clients_with("project"), ids=lambda client: client.name)
def test_the_scope_project_writes_into_the_current_folder(home: Home, client: object, tmp_path: Path) -> None:
    name = str(getattr(client, "name", ""))
    assert home.install(name, "project") == 0
    path = home.file(name, "project")
    assert path.is_relative_to(home.machine.project)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "deeporigin" in home.servers(name, "project")
    assert not home.file(name).exists()
    assert home.uninstall(name, "project") == 0
    assert not path.exists()


def test_claude_code_keeps_a_local_entry_under_the_project(home: Home) -> None:
    path = home.write("claude-code")
    before = path.read_bytes()
    assert home.install("claude-code", "local") == 0
    found = home.read("claude-code")
    assert [*found["mcpServers"]] == ["sentry"]
    assert [*found["projects"][home.machine.project.as_posix()]["mcpServers"]] == ["deeporigin"]
    assert next(iter(found["projects"])) == "D:/brd4"
    assert home.uninstall("claude-code", "local") == 0
    assert path.read_bytes() == before
