"""`install` and `uninstall`: one entry comes and goes, everything else stays as it was."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.clients import Scope
from deeporigin_mcp.install.commands import request_of
from deeporigin_mcp.simulator import make_token
from tests.install.bench import NAMES, SAMPLES, Home, clients_with, siblings

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
    assert all(byte in rest for byte in before)
    assert after.count(b"\n") == after.count(b"\r\n") or b"\r\n" not in before
    assert b"\r\n" in before or b"\r\n" not in after
    assert after.startswith(BOM) == ("bom" in variant)
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
    assert capsys.readouterr().out.startswith("Nothing to do: ~/")
    assert (path.read_bytes(), siblings(path)) == (content, beside)


@pytest.mark.parametrize("client", NAMES)
def test_a_file_that_install_made_goes_away_with_the_entry(home: Home, client: str) -> None:
    path = home.file(client)
    assert home.install(client, force=True) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert home.uninstall(client) == 0
    assert not path.exists()


@pytest.mark.parametrize("client", [name for name in NAMES if name != "claude-code"])
def test_a_client_that_is_not_there_is_named_and_nothing_is_made(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.install(client) == 1
    told = capsys.readouterr().err
    assert "is not set up for this user: there is no ~/" in told
    assert "--force" in told
    assert not home.file(client).parent.exists()


@pytest.mark.parametrize("client", NAMES)
def test_a_dry_run_shows_the_entry_and_changes_nothing(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client)
    before = path.read_bytes(), siblings(path)
    assert home.install(client, dry_run=True) == 0
    told = capsys.readouterr().out
    assert "Would write the entry 'deeporigin'" in told
    assert '"command": "uvx"' in told
    assert "Nothing was changed" in told
    assert home.install(client) == 0
    installed = path.read_bytes()
    assert home.uninstall(client, dry_run=True) == 0
    assert path.read_bytes() == installed != before[0]


@pytest.mark.parametrize("client", NAMES)
def test_a_different_entry_of_that_name_is_kept_unless_it_is_forced(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client)
    assert home.install(client, command="my-own --token s3cret") == 0
    before = path.read_bytes()
    capsys.readouterr()
    assert home.install(client) == 1
    told = capsys.readouterr().err
    assert "differs in args, command" in told
    assert "--force" in told
    assert "--name" in told
    assert "s3cret" not in told
    assert path.read_bytes() == before
    assert home.install(client, name="deeporigin-2") == 0
    assert home.install(client, force=True) == 0
    assert sorted(home.servers(client)) == sorted({*home.servers(client), "deeporigin", "deeporigin-2"})
    assert home.servers(client)["deeporigin"]["command"] == "uvx"


def test_an_entry_that_starts_something_else_is_not_taken_out(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.write("cursor", b'{"mcpServers": {"deeporigin": {"command": "other"}}}')
    assert home.uninstall("cursor") == 1
    assert "does not start deeporigin-mcp" in capsys.readouterr().err
    assert home.uninstall("cursor", force=True) == 0
    assert path.read_bytes() == b'{"mcpServers": {}}'


@pytest.mark.parametrize("client", NAMES)
def test_uninstall_without_an_entry_or_a_file_does_nothing(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.uninstall(client) == 0
    path = home.write(client)
    assert home.uninstall(client) == 0
    assert capsys.readouterr().out.count("Nothing to do: ") == 2
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


BROKEN = {"jsonc": b'{\n  "a": "s3cret" "b"\n}', "toml": b"a = 1\nb = s3cret\n"}


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_file_that_cannot_be_parsed_is_named_with_the_place_and_left_alone(
    home: Home, client: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = BROKEN["toml" if client == "codex" else "jsonc"]
    path = home.write(client, content)
    assert (home.install(client) if action == "install" else home.uninstall(client)) == 1
    told = capsys.readouterr().err
    assert f"~/{path.relative_to(home.folder)} cannot be parsed: line 2, column " in told
    assert "Nothing was changed" in told
    assert "s3cret" not in told
    assert str(home.folder) not in told
    assert path.read_bytes() == content
    assert siblings(path).count(path.name) == 1
    assert not [name for name in siblings(path) if "backup" in name]


@pytest.mark.parametrize(
    ("client", "content"),
    [
        ("cursor", b"[]"),
        ("cursor", b'{"mcpServers": []}'),
        ("zed", b'{"context_servers": null}'),
        ("codex", b'mcp_servers = { docs = { command = "npx" } }\n'),
        ("codex", b'mcp_servers = "none"\n'),
        ("vscode", b'{"inputs": {}}'),
    ],
)
def test_a_file_of_another_form_is_refused_and_left_alone(
    home: Home, client: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client, content)
    assert home.install(client) == 1
    assert "cannot be added to" in capsys.readouterr().err
    assert (path.read_bytes(), siblings(path)) == (content, [path.name])


@pytest.mark.parametrize("content", ['{"a": 1}'.encode("utf-16"), b'{"a": "\xff"}'])
def test_a_file_in_another_encoding_is_refused(home: Home, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.write("cursor", content)
    assert home.install("cursor") == 1
    assert "~/.cursor/mcp.json is not UTF-8 text" in capsys.readouterr().err
    assert path.read_bytes() == content


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_read_only_file_is_refused(home: Home, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = home.write("zed")
    path.chmod(0o444)
    assert (home.install("zed") if action == "install" else home.uninstall("zed")) == 1
    assert "~/.config/zed/settings.json is read-only" in capsys.readouterr().err
    assert path.read_bytes() == SAMPLES["zed"].read_bytes()


def test_a_folder_in_place_of_the_file_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.file("cursor").mkdir(parents=True)
    assert home.install("cursor") == 1
    assert "~/.cursor/mcp.json cannot be read" in capsys.readouterr().err


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


@pytest.mark.parametrize(
    ("client", "scope"), [("claude-desktop", "project"), ("windsurf", "project"), ("zed", "local"), ("codex", "local")]
)
def test_a_scope_that_a_client_lacks_is_refused_with_the_valid_ones(
    home: Home, client: str, scope: Scope, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.install(client, scope) == 2
    assert f"has no scope {scope!r}. Valid: user" in capsys.readouterr().err


@pytest.mark.parametrize("client", NAMES)
def test_no_token_is_written_unless_it_is_asked_for(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = make_token()
    home.environ |= {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://deeporigin.invalid"}
    path = home.write(client)
    assert home.install(client) == 0
    assert token not in path.read_text(encoding="utf-8")
    assert "It holds no token" in capsys.readouterr().out
    assert home.install(client, force=True, with_token=True) == 0
    told = capsys.readouterr().out
    assert "ATTENTION: your token" in told
    assert token not in told
    env = home.servers(client)["deeporigin"]["env"]
    assert env == {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://deeporigin.invalid"}
    assert home.uninstall(client) == 0
    assert "ATTENTION: that backup still holds the token" in capsys.readouterr().out
    assert token not in path.read_text(encoding="utf-8")


def test_a_token_is_not_written_into_a_shared_file_nor_where_there_is_none(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.install("cursor", "project", with_token=True) == 2
    assert "its file is shared" in capsys.readouterr().err
    home.write("cursor")
    assert home.install("cursor", with_token=True) == 2
    assert "--with-token: Not signed in to Deep Origin" in capsys.readouterr().err


@pytest.mark.parametrize("client", NAMES)
def test_where_the_official_client_is_signed_in_nothing_is_said_of_credentials(home: Home, client: str) -> None:
    (home.folder / ".deeporigin").mkdir()
    (home.folder / ".deeporigin" / "api_tokens.json").write_text(json.dumps({"prod": make_token()}))
    home.write(client)
    assert home.install(client) == 0
    assert set(home.servers(client)["deeporigin"]) <= {"type", "command", "args"}


@pytest.mark.parametrize("client", NAMES)
def test_settings_are_written_and_wrong_ones_refused(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(client)
    assert home.install(client, env={"DEEPORIGIN_MCP_BUDGET": "lots"}) == 2
    assert "DEEPORIGIN_MCP_BUDGET is 'lots'" in capsys.readouterr().err
    assert home.install(client, env={"DO_ENV": "moon"}) == 2
    assert "'moon'" in capsys.readouterr().err
    assert path.read_bytes() == SAMPLES[client].read_bytes()
    assert home.install(client, env={"DEEPORIGIN_MCP_BUDGET": "20"}) == 0
    entry = home.servers(client)["deeporigin"]
    assert entry["env"]["DEEPORIGIN_MCP_BUDGET"] == "20"
    assert "DEEPORIGIN_MCP_BUDGET" not in entry.get("env_vars", [])


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("DO_AUTH_TOKEN=abc", "no secret such as DO_AUTH_TOKEN"),
        ("DEEPORIGIN_MCP_STATE_KEYS=abc", "no secret"),
        ("DEEPORIGIN_MCP_MAXPRICE=5", "Valid: NAME=VALUE with one of DO_ORG_KEY"),
        ("DEEPORIGIN_MCP_MAX_PRICE", "Valid: NAME=VALUE"),
    ],
)
def test_a_variable_that_is_a_secret_or_unknown_is_refused(item: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        request_of("deeporigin", "", [item], with_token=False)
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a.b", 'a"', "x" * 65])
def test_a_name_that_no_client_could_keep_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="--name"):
        request_of(name, "", [], with_token=False)


@pytest.mark.parametrize("command", ["'unclosed", " "])
def test_a_command_that_cannot_be_read_is_refused(home: Home, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    home.write("cursor")
    assert home.install("cursor", command=command) == 2
    assert "--command cannot be read" in capsys.readouterr().err


def test_inputs_of_vs_code_that_others_use_stay(home: Home) -> None:
    home.write("vscode")
    assert home.install("vscode") == 0
    assert home.install("vscode", name="second") == 0
    assert home.uninstall("vscode") == 0
    assert len(home.read("vscode")["inputs"]) == 3
    assert home.uninstall("vscode", name="second") == 0
    assert home.read("vscode")["inputs"] == [
        {"type": "promptString", "id": "github", "description": "GitHub token", "password": True}
    ]


def test_an_input_of_vs_code_that_asks_otherwise_is_not_replaced(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write("vscode", b'{"inputs": [{"id": "deeporigin-token", "type": "command"}]}')
    before = path.read_bytes()
    assert home.install("vscode") == 1
    assert "asks for 'deeporigin-token' in another way" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_file_that_changes_under_the_hand_is_left_to_whoever_changed_it(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.write("claude-code")
    fsync = os.fsync

    def somebody_writes(descriptor: int) -> None:
        fsync(descriptor)
        path.write_bytes(b'{"changed": true}')

    monkeypatch.setattr(os, "fsync", somebody_writes)
    assert home.install("claude-code") == 1
    assert "was changed by somebody else" in capsys.readouterr().err
    assert path.read_bytes() == b'{"changed": true}'
    assert [name for name in siblings(path) if name.startswith("..claude.json")] == []
