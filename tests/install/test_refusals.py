"""What `install` and `uninstall` leave alone, and what they say of it."""

from __future__ import annotations

import os

import pytest

from deeporigin_mcp.install.clients import Scope, client_named
from tests.support.home import NAMES, SAMPLES, Home, siblings


@pytest.mark.parametrize("client", [name for name in NAMES if name != "claude-code"])
def test_a_client_that_is_not_there_is_named_and_nothing_is_made(home: Home, client: str) -> None:
    assert (home.install(client), home.code) == (1, "client_absent")
    assert client_named(client).title in str(home.refused)
    assert not home.file(client).parent.exists()


@pytest.mark.parametrize("client", NAMES)
def test_a_different_entry_of_that_name_is_kept_unless_it_is_forced(home: Home, client: str) -> None:
    path = home.write(client)
    assert home.install(client, command="my-own --token s3cret") == 0
    before = path.read_bytes()
    assert (home.install(client), home.code) == (1, "entry_conflict")
    assert "args, command" in str(home.refused)
    assert "s3cret" not in str(home.refused)
    assert path.read_bytes() == before
    assert home.install(client, name="deeporigin-2") == 0
    assert home.install(client, force=True) == 0
    assert sorted(home.servers(client)) == sorted({*home.servers(client), "deeporigin", "deeporigin-2"})
    assert home.servers(client)["deeporigin"]["command"] == "uvx"


def test_an_entry_that_starts_something_else_is_not_taken_out(home: Home) -> None:
    path = home.write("cursor", b'{"mcpServers": {"deeporigin": {"command": "other"}}}')
    assert (home.uninstall("cursor"), home.code) == (1, "foreign_entry")
    assert home.uninstall("cursor", force=True) == 0
    assert path.read_bytes() == b'{"mcpServers": {}}'


BROKEN = {"jsonc": b'{\n  "a": "s3cret" "b"\n}', "toml": b"a = 1\nb = s3cret\n"}


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_file_that_cannot_be_parsed_is_named_with_the_place_and_left_alone(
    home: Home, client: str, action: str
) -> None:
    content = BROKEN["toml" if client == "codex" else "jsonc"]
    path = home.write(client, content)
    assert (home.install(client) if action == "install" else home.uninstall(client)) == 1
    told = str(home.refused)
    assert home.code == "syntax_error"
    assert f"~/{path.relative_to(home.folder)} " in told
    assert "line 2, column " in told
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
def test_a_file_of_another_form_is_refused_and_left_alone(home: Home, client: str, content: bytes) -> None:
    path = home.write(client, content)
    assert (home.install(client), home.code) == (1, "not_editable")
    assert (path.read_bytes(), siblings(path)) == (content, [path.name])


@pytest.mark.parametrize("content", ['{"a": 1}'.encode("utf-16"), b'{"a": "\xff"}'])
def test_a_file_in_another_encoding_is_refused(home: Home, content: bytes) -> None:
    path = home.write("cursor", content)
    assert (home.install("cursor"), home.code) == (1, "not_utf8")
    assert path.read_bytes() == content


def test_a_read_only_file_is_refused(home: Home) -> None:
    path = home.write("zed")
    path.chmod(0o444)
    assert home.uninstall("zed") == 0
    for dry_run in (False, True):
        assert (home.install("zed", dry_run=dry_run), home.code) == (1, "read_only")
    assert path.read_bytes() == SAMPLES["zed"].read_bytes()
    path.chmod(0o644)
    assert home.install("zed") == 0
    path.chmod(0o444)
    installed = path.read_bytes()
    assert home.install("zed") == 0
    assert (home.uninstall("zed"), home.code) == (1, "read_only")
    assert (path.read_bytes(), siblings(path)) == (installed, [path.name, f"{path.name}.deeporigin-backup"])


def test_a_folder_in_place_of_the_file_is_refused(home: Home) -> None:
    home.file("cursor").mkdir(parents=True)
    assert (home.install("cursor"), home.code) == (1, "unreadable")


@pytest.mark.parametrize(
    ("client", "scope"), [("claude-desktop", "project"), ("windsurf", "project"), ("zed", "local"), ("codex", "local")]
)
def test_a_scope_that_a_client_lacks_is_refused_with_the_valid_ones(home: Home, client: str, scope: Scope) -> None:
    assert (home.install(client, scope), home.code) == (2, "invalid_scope")
    assert all(valid in str(home.refused) for valid in client_named(client).scopes())


def test_a_file_that_changes_meanwhile_is_left_to_whoever_changed_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.write("claude-code")
    fsync = os.fsync

    def somebody_writes(descriptor: int) -> None:
        fsync(descriptor)
        path.write_bytes(b'{"changed": true}')

    monkeypatch.setattr(os, "fsync", somebody_writes)
    assert (home.install("claude-code"), home.code) == (1, "changed")
    assert path.read_bytes() == b'{"changed": true}'
    assert [name for name in siblings(path) if "claude.json" in name] == [".claude.json"]


@pytest.mark.parametrize(
    "content",
    [
        b'mcp_servers = { deeporigin = { command = "uvx", args = ["deeporigin-mcp"] } }\n',
        b'mcp_servers.deeporigin.command = "deeporigin-mcp"\n',
        b'[mcp_servers]\ndeeporigin.command = "deeporigin-mcp"\n',
    ],
)
def test_an_entry_in_a_form_that_cannot_be_taken_out_is_left(home: Home, content: bytes) -> None:
    path = home.write("codex", content)
    assert (home.uninstall("codex"), home.code) == (1, "not_editable")
    assert (path.read_bytes(), siblings(path)) == (content, [path.name])
    assert (home.install("codex", force=True), home.code) == (1, "not_editable")
    assert (path.read_bytes(), siblings(path)) == (content, [path.name])


def test_backups_that_are_no_longer_what_they_were_do_no_harm(home: Home) -> None:
    path = home.write("zed")
    assert home.install("zed") == 0
    backup = path.with_name(f"{path.name}.deeporigin-backup")
    for spoilt in (b"{ broken", b"\xff", b"[]", b'{"context_servers": 1}'):
        backup.write_bytes(spoilt)
        installed = path.read_bytes()
        assert home.uninstall("zed") == 0
        assert path.read_bytes() == SAMPLES["zed"].read_bytes()
        for other in path.parent.glob("*-backup?"):
            other.unlink()
        path.write_bytes(installed)
