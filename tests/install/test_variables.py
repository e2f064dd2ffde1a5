"""What is set where this is installed reaches the server through every client, or is named."""

from __future__ import annotations

import pytest

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.install.commands import request_of
from deeporigin_mcp.install.entries import SECRET as SECRET_NAMES
from deeporigin_mcp.install.entries import SETTABLE
from deeporigin_mcp.simulator import make_token
from tests.install.starting import as_started
from tests.support.documents import variables_that_are_read
from tests.support.home import NAMES, Home

LIMITS = {
    "DEEPORIGIN_MCP_READ_ONLY": "true",
    "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": "deeporigin.docking",
    "DEEPORIGIN_MCP_MAX_PRICE": "5",
    "DEEPORIGIN_MCP_BUDGET": "20",
    "DEEPORIGIN_MCP_MAX_PER_DAY": "50",
    "DEEPORIGIN_MCP_MAX_FAILURES": "2",
    "DEEPORIGIN_MCP_APPROVAL": "browser,terminal",
    "DEEPORIGIN_MCP_SESSION": "s-1",
    "DEEPORIGIN_MCP_AUDIT_LOG": "/var/log/audit.jsonl",
    "DEEPORIGIN_MCP_FILES": "~/deeporigin,/data/sets",
    "DO_BASE_URL": "http://127.0.0.1:6010",
}
SECRET = "hunter2"


@pytest.mark.parametrize("signed_in", ["by files", "by variables", "with token", "not"])
@pytest.mark.parametrize("client", NAMES)
def test_every_limit_that_is_set_reaches_the_server(home: Home, client: str, signed_in: str) -> None:
    home.environ |= LIMITS
    if signed_in in ("by variables", "with token"):
        home.environ |= {"DO_AUTH_TOKEN": make_token(), "DO_ORG_KEY": "acme"}
    if signed_in == "by files":
        (home.folder / ".deeporigin").mkdir()
        (home.folder / ".deeporigin" / "api_tokens.json").write_text("{}")
    home.write(client)
    assert home.install(client, with_token=signed_in == "with token") == 0
    # The client's own environment has none of them.
    started = as_started(client, home.servers(client)["deeporigin"], {})
    assert {name: (started.env or {}).get(name) for name in LIMITS} == LIMITS


def test_every_variable_of_a_server_on_its_user_s_machine_can_be_written() -> None:
    of_http = {"DEEPORIGIN_MCP_ALLOWED_HOSTS", "DEEPORIGIN_MCP_ALLOWED_ORIGINS"}
    assert {*SETTABLE, *SECRET_NAMES} == variables_that_are_read() - of_http


def test_codex_passes_on_what_opens_the_approval_page(home: Home) -> None:
    home.write("codex")
    assert home.install("codex") == 0
    screen = {"DISPLAY": ":0", "XDG_RUNTIME_DIR": "/run/user/1000"}
    started = as_started("codex", home.servers("codex")["deeporigin"], screen)
    assert {name: (started.env or {}).get(name) for name in screen} == screen


@pytest.mark.parametrize("client", NAMES)
def test_an_option_counts_before_what_is_set(home: Home, client: str) -> None:
    home.environ |= LIMITS
    home.write(client)
    assert home.install(client, env={"DEEPORIGIN_MCP_BUDGET": "1"}) == 0
    assert home.servers(client)["deeporigin"]["env"]["DEEPORIGIN_MCP_BUDGET"] == "1"


def test_quotes_around_what_is_set_are_not_written(home: Home) -> None:
    home.environ |= {"DEEPORIGIN_MCP_BUDGET": ' "20" ', "DEEPORIGIN_MCP_MAX_PRICE": ""}
    home.write("cursor")
    assert home.install("cursor") == 0
    env = home.servers("cursor")["deeporigin"]["env"]
    assert env["DEEPORIGIN_MCP_BUDGET"] == "20"
    assert "DEEPORIGIN_MCP_MAX_PRICE" not in env


@pytest.mark.parametrize("name", ["DEEPORIGIN_MCP_BUGDET", "DEEPORIGIN_MCP_MAX_PRICE"])
def test_what_would_keep_the_server_from_starting_is_refused(home: Home, name: str) -> None:
    home.environ |= {name: "much"}
    path = home.write("cursor")
    before = path.read_bytes()
    assert home.install("cursor") == 2
    assert name in str(home.refused)
    assert path.read_bytes() == before


@pytest.mark.parametrize("client", NAMES)
def test_what_is_not_written_is_named_without_its_value(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.environ |= {
        "DEEPORIGIN_MCP_STATE_KEYS": SECRET * 8,
        "DEEPORIGIN_MCP_ALLOWED_HOSTS": "mcp.example.org",
        "HTTPS_PROXY": f"http://ada:{SECRET}@proxy.example:1",
    }
    path = home.write(client)
    assert home.install(client) == 0
    told = capsys.readouterr().out
    assert SECRET not in told + path.read_text()
    [line] = [line for line in told.splitlines() if "DEEPORIGIN_MCP_STATE_KEYS" in line]
    assert "DEEPORIGIN_MCP_ALLOWED_HOSTS" in line
    # Codex is told the names of what it is to pass on; the others pass on what they have themselves.
    assert ("HTTPS_PROXY" in line) is (client != "codex")
    assert client != "codex" or "HTTPS_PROXY" in home.servers(client)["deeporigin"]["env_vars"]


@pytest.mark.parametrize("client", NAMES)
def test_the_variables_of_a_company_s_network_are_written(
    home: Home, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates = home.folder / "ca.pem"
    certificates.write_text("-----BEGIN CERTIFICATE-----")
    asked = [
        f"HTTPS_PROXY=http://ada:{SECRET}@proxy.example:3128",
        "NO_PROXY=localhost,.corp",
        f"SSL_CERT_FILE={certificates}",
        "all_proxy=socks5://proxy.example",
    ]
    request = request_of("deeporigin", "uvx deeporigin-mcp", asked, with_token=False)
    home.write(client)
    assert home.install(client, env=request.env) == 0
    told = capsys.readouterr().out
    assert SECRET not in told
    assert "ATTENTION" in told
    env = home.servers(client)["deeporigin"]["env"]
    assert [f"{name}={env[name]}" for name in request.env] == asked
    assert home.uninstall(client) == 0
    assert "ATTENTION" in capsys.readouterr().out


def test_a_password_is_not_written_into_a_shared_file(home: Home) -> None:
    assert home.install("cursor", "project", env={"HTTPS_PROXY": f"http://ada:{SECRET}@proxy.example:1"}) == 2
    assert home.code == "shared_secret"
    assert SECRET not in str(home.refused)
    assert home.install("cursor", "project", env={"HTTPS_PROXY": "http://proxy.example:1"}) == 0


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "invalid_certificates"),
        ("SSL_CERT_DIR", "/nowhere", "invalid_certificates"),
        ("HTTPS_PROXY", f"socks4://ada:{SECRET}@proxy.example", "invalid_proxy"),
    ],
)
def test_a_variable_of_the_network_that_no_server_could_use_is_refused(
    home: Home, name: str, value: str, code: str
) -> None:
    path = home.write("cursor")
    before = path.read_bytes()
    assert (home.install("cursor", env={name: value}), home.code) == (2, code)
    assert name in str(home.refused)
    assert SECRET not in str(home.refused)
    assert path.read_bytes() == before


def test_a_proxy_with_a_line_end_is_refused_without_its_value() -> None:
    with pytest.raises(SettingsError) as refused:
        request_of("deeporigin", "", [f"HTTPS_PROXY=http://ada:{SECRET}\n@x"], with_token=False)
    assert refused.value.code == "invalid_env"
    assert SECRET not in str(refused.value)
