"""What `install` and `uninstall` print, and why they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.commands import request_of
from deeporigin_mcp.simulator import make_token
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.home import Home

ENTRY = b'{"mcpServers": {"deeporigin": {"command": "other"}}}'
TOKEN = {"DO_AUTH_TOKEN": make_token(), "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://deeporigin.invalid"}
PROXY = {"HTTPS_PROXY": "http://ada:hunter2@proxy.example:1"}


def fresh(folder: Path, name: str) -> Home:
    (folder / name).mkdir()
    return Home(folder / name)


def test_messages_of_refusals(tmp_path: Path) -> None:
    said = {}

    def refused(case: str, home: Home, code: int) -> None:
        assert code
        assert home.refused
        said[case] = message_of(home.refused)

    home = fresh(tmp_path, "absent")
    refused("client absent", home, home.install("cursor"))
    refused("scope", home, home.install("windsurf", "project"))
    home = fresh(tmp_path, "present")
    home.write("cursor", ENTRY)
    refused("another entry", home, home.install("cursor"))
    refused("foreign entry", home, home.uninstall("cursor"))
    refused("command", home, home.install("cursor", command="'unclosed"))
    refused("no token", home, home.install("cursor", with_token=True))
    refused("token in a shared file", home, home.install("cursor", "project", with_token=True))
    refused("password in a shared file", home, home.install("cursor", "project", env=PROXY))
    for case, client, content in (
        ("not an entry", "cursor", b'{"mcpServers": {"deeporigin": 1}}'),
        ("another input", "vscode", b'{"inputs": [{"id": "deeporigin-token"}]}'),
        ("syntax", "cursor", b'{"a": 1 "b": 2}'),
        ("not an object", "cursor", b'{"mcpServers": []}'),
        ("not an object at the top", "cursor", b"[]"),
        ("unusual layout", "codex", b'mcp_servers = { docs = { command = "npx" } }\n'),
        ("encoding", "cursor", b'{"a": "\xff"}'),
    ):
        home.write(client, content)
        refused(case, home, home.install(client))
    home.write("codex", b'mcp_servers.deeporigin.command = "deeporigin-mcp"\n')
    refused("entry of an unusual layout", home, home.uninstall("codex"))
    home.write("zed").chmod(0o444)
    refused("read-only", home, home.install("zed"))
    home.file("gemini-cli").mkdir(parents=True)
    refused("not a file", home, home.install("gemini-cli"))
    for case, name, item in (
        ("name", "a b", "DO_ENV=local"),
        ("secret", "deeporigin", "DO_AUTH_TOKEN=abc"),
        ("unknown variable", "deeporigin", "DEEPORIGIN_MCP_MAXPRICE=5"),
    ):
        with pytest.raises(SettingsError) as caught:
            request_of(name, "", [item], with_token=False)
        said[case] = message_of(caught.value)
    with pytest.raises(SettingsError) as caught:
        request_of("deeporigin", "", [], with_token=False, files=["sets"])
    said["no folder"] = message_of(caught.value)
    assert_as_agreed("install_refusals", said)


def test_messages_of_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = {}

    def printed(case: str, code: int) -> None:
        assert code == 0
        lines = capsys.readouterr().out.splitlines()
        # The entry itself is in other tests.
        said[case] = "\n".join(line for line in lines if line[:1] not in ("{", " ", "}"))

    home = fresh(tmp_path, "home")
    printed("dry run, client absent", home.install("cursor", dry_run=True))
    printed("nothing to remove", home.uninstall("cursor"))
    home.write("cursor")
    home.environ["DEEPORIGIN_MCP_STATE_KEYS"] = "k" * 32
    printed("installed", home.install("cursor", env=PROXY))
    printed("already there", home.install("cursor", env=PROXY))
    printed("dry run of a removal", home.uninstall("cursor", dry_run=True))
    printed("removed", home.uninstall("cursor"))
    home.environ.clear()
    for client in ("claude-desktop", "vscode", "codex"):
        home.write(client)
        printed(client, home.install(client))
    printed("in a project", home.install("claude-code", "project", command=""))
    printed("file deleted", home.uninstall("claude-code", "project"))
    home.environ |= TOKEN
    home.write("zed")
    printed("with token", home.install("zed", with_token=True))
    printed("token removed", home.uninstall("zed"))
    (home.folder / ".deeporigin").mkdir()
    (home.folder / ".deeporigin" / "api_tokens.json").write_text("{}")
    home.environ.clear()
    printed("signed in by the official client", home.install("zed"))
    assert_as_agreed("install", said)
