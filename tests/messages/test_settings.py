"""What is said about settings that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings, local_token
from deeporigin_mcp.settings.network import route_to, trusted
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.settings.reading import remove_unusable_tracing
from deeporigin_mcp.simulator import make_token
from tests.messages.snapshot import assert_as_agreed, message_of

OTHER_ISSUER = make_token(issuer="https://login.example.org/realms/x")
PROD = make_token(issuer="https://login.deeporigin.io/realms/x")

OWN = {
    "unknown setting, near a known one": {"DEEPORIGIN_MCP_BUGDET": "5"},
    "unknown setting": {"DEEPORIGIN_MCP_XYZ": "5"},
    "amount": {"DEEPORIGIN_MCP_BUDGET": "ten"},
    "session": {"DEEPORIGIN_MCP_SESSION": "a\x07b"},
    "boolean": {"DEEPORIGIN_MCP_READ_ONLY": "maybe"},
    "empty list": {"DEEPORIGIN_MCP_TOOLSETS": ","},
    "tool keys": {"DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": "a.x b.y"},
    "short state key": {"DEEPORIGIN_MCP_STATE_KEYS": "k"},
    "hosts": {"DEEPORIGIN_MCP_ALLOWED_HOSTS": "https://a.example"},
    "origins": {"DEEPORIGIN_MCP_ALLOWED_ORIGINS": "a.example"},
    "receiver: address": {"DEEPORIGIN_MCP_NOTIFY": "http://hooks.example.org/hunter2"},
    "receiver: no such program": {"DEEPORIGIN_MCP_NOTIFY": "no-such-program-anywhere hunter2"},
    "receiver: quotation marks": {"DEEPORIGIN_MCP_NOTIFY": "echo 'hunter2"},
    "log level": {"DEEPORIGIN_MCP_LOG_LEVEL": "loud"},
}
CREDENTIALS = {
    "not signed in": {},
    "no organisation": {"DO_AUTH_TOKEN": PROD},
    "not a JWT": {"DO_AUTH_TOKEN": "abc", "DO_ORG_KEY": "acme", "DO_BASE_URL": "https://a.example"},
    "unknown issuer": {"DO_AUTH_TOKEN": OTHER_ISSUER, "DO_ORG_KEY": "acme"},
    "invalid environment": {"DO_ENV": "edge"},
    "environment of another token": {"DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme", "DO_ENV": "staging"},
    "invalid address": {"DO_BASE_URL": "platform", "DO_AUTH_TOKEN": PROD, "DO_ORG_KEY": "acme"},
    "mistyped variable": {"do_base_url": "https://a.example"},
    "invalid value": {"DO_ORG_KEY": "acme corp"},
}
NETWORK = {
    "proxy": {"HTTPS_PROXY": "http://proxy:port"},
    "scheme of a proxy": {"HTTPS_PROXY": "socks4://user:hunter2@proxy"},
}


def raised(action: Any, *arguments: Any) -> str:
    with pytest.raises(DeepOriginError) as caught:
        action(*arguments)
    return message_of(caught.value)


def test_messages_about_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = {case: raised(Settings.load, variables, tmp_path) for case, variables in OWN.items()}
    said["toolset"] = raised(create_server, Settings(toolsets=("docking",)))
    for case, variables in CREDENTIALS.items():
        said[case] = raised(Settings.load(variables, tmp_path).require_token, 0.0)
    said["not signed in, over HTTP"] = raised(Settings(places=IN_HEADERS).require_token)
    old = Settings(token=local_token(0), org_key="acme", places=IN_HEADERS)
    said["expired, over HTTP"] = raised(old.require_token, 1e9)
    said["expired"] = raised(Settings(token=local_token(0), org_key="acme").require_token, 1e9)
    folder = tmp_path / ".deeporigin"
    folder.mkdir()
    (folder / "api_tokens.json").write_text(json.dumps({"prod": PROD}))
    (folder / "config.json").write_text(json.dumps({"org_key": "acme"}))
    ignored = Settings.load({"DO_BASE_URL": "https://a.example"}, tmp_path)
    said["address for other credentials"] = raised(ignored.require_token)
    (folder / "config.json").write_text("{")
    said["broken file"] = raised(Settings.load({}, tmp_path).require_token)
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    said["unreadable file"] = raised(Settings.load({}, tmp_path).require_token)
    assert_as_agreed("settings", said)


def test_messages_about_the_network(tmp_path: Path) -> None:
    said = {case: raised(route_to, "https://a.example", variables) for case, variables in NETWORK.items()}
    said["address"] = raised(route_to, "https://a.example:port", {})
    (tmp_path / "empty.pem").touch()
    for case, variable, path in (
        ("no such file", "SSL_CERT_FILE", tmp_path / "gone.pem"),
        ("a folder for a file", "SSL_CERT_FILE", tmp_path),
        ("empty file", "SSL_CERT_FILE", tmp_path / "empty.pem"),
        ("no such folder", "SSL_CERT_DIR", tmp_path / "gone"),
        ("folder without certificates", "SSL_CERT_DIR", tmp_path),
    ):
        said[case] = raised(trusted, {variable: str(path)})
    routes = {
        "exempt": ("https://a.example", {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "a.example"}),
        "plain HTTP": ("http://a.example", {"HTTP_PROXY": "http://proxy:1"}),
    }
    said |= {case: f"note: {route_to(*arguments).note}" for case, arguments in routes.items()}
    [said["tracing"]] = remove_unusable_tracing({"OTEL_PROPAGATORS": "b3"})
    assert_as_agreed("network", said)
