"""Where the credentials of an entry come from, and what else is written into it."""

from __future__ import annotations

import json

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.clients import client_named
from deeporigin_mcp.install.commands import request_of
from deeporigin_mcp.simulator import make_token
from tests.support.home import NAMES, SAMPLES, Home
from tests.support.processes import REPOSITORY


@pytest.mark.parametrize("client", NAMES)
def test_no_token_is_written_unless_it_is_asked_for(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = make_token()
    home.environ |= {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://deeporigin.invalid"}
    path = home.write(client)
    assert home.install(client) == 0
    assert token not in path.read_text(encoding="utf-8")
    assert "ATTENTION" not in capsys.readouterr().out
    assert home.install(client, force=True, with_token=True) == 0
    printed = capsys.readouterr().out
    assert "ATTENTION" in printed
    assert token not in printed
    env = home.servers(client)["deeporigin"]["env"]
    assert env == {"DO_AUTH_TOKEN": token, "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://deeporigin.invalid"}
    assert home.uninstall(client) == 0
    assert "ATTENTION" in capsys.readouterr().out
    assert token not in path.read_text(encoding="utf-8")


def test_a_token_is_not_written_into_a_shared_file_nor_where_there_is_none(home: Home) -> None:
    assert (home.install("cursor", "project", with_token=True), home.code) == (2, "shared_secret")
    assert not home.file("cursor", "project").exists()
    home.write("cursor")
    assert (home.install("cursor", with_token=True), home.code) == (2, "not_signed_in")


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
def test_settings_are_written_and_wrong_ones_refused(home: Home, client: str) -> None:
    path = home.write(client)
    assert (home.install(client, env={"DEEPORIGIN_MCP_BUDGET": "lots"}), home.code) == (2, "invalid_setting")
    assert (home.install(client, env={"DO_ENV": "moon"}), home.code) == (2, "invalid_environment")
    assert path.read_bytes() == SAMPLES[client].read_bytes()
    assert home.install(client, env={"DEEPORIGIN_MCP_BUDGET": "20"}) == 0
    entry = home.servers(client)["deeporigin"]
    assert entry["env"]["DEEPORIGIN_MCP_BUDGET"] == "20"
    assert "DEEPORIGIN_MCP_BUDGET" not in entry.get("env_vars", [])


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("DO_AUTH_TOKEN=abc", "secret_in_env"),
        ("DEEPORIGIN_MCP_STATE_KEYS=abc", "secret_in_env"),
        ("DEEPORIGIN_MCP_MAXPRICE=5", "invalid_env"),
        ("DEEPORIGIN_MCP_MAX_PRICE", "invalid_env"),
    ],
)
def test_a_variable_that_is_a_secret_or_unknown_is_refused(item: str, code: str) -> None:
    with pytest.raises(SettingsError) as refused:
        request_of("deeporigin", "", [item], with_token=False)
    assert refused.value.code == code
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize("client", NAMES)
def test_folders_are_written_as_whole_paths(
    home: Home, client: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.folder / "sets").mkdir()
    monkeypatch.chdir(home.folder)
    monkeypatch.setenv("HOME", str(home.folder))
    request = request_of("deeporigin", "", [], with_token=False, files=["sets", "~/sets"])
    home.write(client)
    assert home.install(client, env=request.env) == 0
    folder = home.folder / "sets"
    assert home.servers(client)["deeporigin"]["env"]["DEEPORIGIN_MCP_FILES"] == f"{folder},{folder}"
    assert "others who use the file" not in capsys.readouterr().out


def test_folders_in_a_shared_file_are_pointed_out(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert home.install("cursor", "project", env={"DEEPORIGIN_MCP_FILES": str(home.folder)}) == 0
    assert "DEEPORIGIN_MCP_FILES holds paths of this machine" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["nowhere", "file", "a,b", ""])
def test_a_folder_that_no_server_could_read_is_refused(
    home: Home, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.folder / "file").touch()
    (home.folder / "a,b").mkdir()
    monkeypatch.chdir(home.folder)
    with pytest.raises(SettingsError) as refused:
        request_of("deeporigin", "", [], with_token=False, files=[folder])
    assert refused.value.code == "invalid_files"


@pytest.mark.parametrize("name", ["", "a b", "a.b", 'a"', "x" * 65])
def test_a_name_that_no_client_could_keep_is_refused(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        request_of(name, "", [], with_token=False)
    assert refused.value.code == "invalid_name"


@pytest.mark.parametrize("command", ["'unclosed", " "])
def test_a_command_that_cannot_be_read_is_refused(home: Home, command: str) -> None:
    home.write("cursor")
    assert (home.install("cursor", command=command), home.code) == (2, "invalid_command")


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


def test_an_input_of_vs_code_that_asks_otherwise_is_not_replaced(home: Home) -> None:
    path = home.write("vscode", b'{"inputs": [{"id": "deeporigin-token", "type": "command"}]}')
    before = path.read_bytes()
    assert (home.install("vscode"), home.code) == (1, "input_conflict")
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
    assert capsys.readouterr().out.count(client_named("claude-code").project_note) == 1
