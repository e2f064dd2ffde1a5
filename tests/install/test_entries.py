"""Where the credentials of an entry come from, and what else is written into it."""

from __future__ import annotations

import json

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.commands import request_of
from deeporigin_mcp.simulator import make_token
from tests.install.bench import NAMES, SAMPLES, Home
from tests.processes import REPOSITORY


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
    entry = home.servers(client)["deeporigin"]
    assert set(entry) <= {"type", "command", "args", "env_vars"}
    assert "DO_AUTH_TOKEN" not in entry.get("env_vars", [])


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


@pytest.mark.parametrize(
    ("client", "example"),
    [
        ("claude-desktop", "claude-desktop.json"),
        ("claude-code", "claude-code.mcp.json"),
        ("cursor", "cursor.json"),
        ("vscode", "vscode.json"),
    ],
)
def test_the_examples_are_what_install_writes(home: Home, client: str, example: str) -> None:
    assert home.install(client, force=True) == 0
    assert home.read(client) == json.loads((REPOSITORY / "examples" / "clients" / example).read_text())


def test_what_a_client_asks_before_it_uses_a_project_s_file_is_said(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.install("claude-code", "project") == home.install("claude-code", force=True) == 0
    assert capsys.readouterr().out.count("approves the server once") == 1
