"""What the operator decides: the platform's address, limits and names, and nobody's credentials."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.http import create_app
from deeporigin_mcp.http.credentials import caller_settings
from deeporigin_mcp.http.names import LOOPBACK_HOSTS
from deeporigin_mcp.settings import BASE_URLS, Settings
from deeporigin_mcp.settings.places import IN_HEADERS, ORG_HEADER, PROJECT_HEADER, TOKEN_HEADER
from tests.support.site import token

KEYS = "k" * 32


@pytest.mark.parametrize(
    ("variables", "base_url", "source"),
    [
        ({}, BASE_URLS["prod"], "the default"),
        ({"DO_ENV": "staging"}, BASE_URLS["staging"], "DO_ENV"),
        ({"DO_ENV": "local"}, BASE_URLS["local"], "DO_ENV"),
        ({"DO_BASE_URL": "https://do.example.org/"}, "https://do.example.org", "DO_BASE_URL"),
        ({"DO_BASE_URL": "https://do.example.org", "DO_ENV": "dev"}, "https://do.example.org", "DO_BASE_URL"),
        # Elsewhere a token with its organisation says where it goes; here it is nobody's.
        ({"DO_AUTH_TOKEN": token("acme"), "DO_ORG_KEY": "acme"}, BASE_URLS["prod"], "the default"),
    ],
)
def test_the_address_is_the_operators(variables: dict[str, str], base_url: str, source: str) -> None:
    settings = Settings.load_for_http(variables)
    assert (settings.base_url, settings.sources["base_url"]) == (base_url, source)
    assert (settings.token, settings.org_key, settings.project_id) == (None, "", "")
    assert settings.places == IN_HEADERS


@pytest.mark.parametrize(
    "variables",
    [
        {"DO_BASE_URL": "${PLATFORM}"},
        {"DO_BASEURL": "https://do.example.org"},
        {"do_env": "dev"},
        {"DEEPORIGIN_MCP_ALLOWED_HOST": "mcp.example.org"},
        {"DEEPORIGIN_MCP_ALLOWED_HOSTS": ","},
    ],
)
def test_with_a_setting_that_would_be_ignored_the_server_does_not_start(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.load_for_http(variables)


@pytest.mark.parametrize("form", ["Bearer {}", '"{}"', "'Bearer {}'", "{}"])
def test_headers_are_read_as_people_paste_them(form: str) -> None:
    headers = Headers({TOKEN_HEADER: form.format(token("acme")), ORG_HEADER: '"acme"', PROJECT_HEADER: " 'p' "})
    found = caller_settings(Settings(places=IN_HEADERS), SimpleNamespace(headers=headers))
    assert (found.require_token().get_secret_value(), found.org_key, found.project_id) == (token("acme"), "acme", "p")


def test_a_project_of_the_environment_is_not_everybodys() -> None:
    assert Settings.load_for_http({"DO_PROJECT_ID": "p"}).project_id == ""


@pytest.mark.parametrize(
    "variables",
    [
        {"DO_ENV": "mars"},
        {"DO_ENV": "prod\n"} | {"DO_BASE_URL": "https://user@host"},
        {"DO_BASE_URL": "file:///etc"},
        {"DO_BASE_URL": "https://a\nb"},
        {"DEEPORIGIN_MCP_ALLOWED_HOSTS": "a.example,*"},
        {"DEEPORIGIN_MCP_ALLOWED_HOSTS": "https://a.example"},
        {"DEEPORIGIN_MCP_ALLOWED_HOSTS": "a.example/mcp"},
        {"DEEPORIGIN_MCP_ALLOWED_ORIGINS": "a.example"},
        {"DEEPORIGIN_MCP_ALLOWED_ORIGINS": "*"},
        {"DEEPORIGIN_MCP_ALLOWED_ORIGINS": "https://a.example/"},
    ],
)
def test_an_invalid_value_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load_for_http(variables)
    assert caught.value.code.startswith("invalid_")


def test_options_stand_in_the_place_of_variables() -> None:
    variables = {"DEEPORIGIN_MCP_ALLOWED_HOSTS": "a.example, b.example:1", "DEEPORIGIN_MCP_ALLOWED_ORIGINS": "http://c"}
    assert Settings.load_for_http(variables).allowed_hosts == ("a.example", "b.example:1")
    chosen = Settings.load_for_http(variables, allowed_hosts=["d.example"])
    assert (chosen.allowed_hosts, chosen.allowed_origins) == (("d.example",), ("http://c",))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"DEEPORIGIN_MCP_STATE_KEYS": KEYS}, []),
        ({}, ["DEEPORIGIN_MCP_STATE_KEYS"]),
        ({"DO_AUTH_TOKEN": "x", "DEEPORIGIN_MCP_STATE_KEYS": KEYS}, ["DO_AUTH_TOKEN"]),
        ({"DEEPORIGIN_MCP_BUDGET": "5", "DEEPORIGIN_MCP_STATE_KEYS": KEYS}, ["DEEPORIGIN_MCP_BUDGET"]),
        ({"DEEPORIGIN_MCP_BUDGET": "5", "DEEPORIGIN_MCP_SESSION": "s", "DEEPORIGIN_MCP_STATE_KEYS": KEYS}, []),
    ],
)
def test_each_surprising_setting_is_a_warning_at_the_start(
    variables: dict[str, str], named: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    create_app(Settings.load_for_http(variables))
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == len(named)
    assert all(name in warning for warning, name in zip(warnings, named, strict=True))


def test_any_server_can_make_it_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    configured: list[Any] = []
    monkeypatch.setattr("deeporigin_mcp.http.app.configure_logging", configured.append)
    monkeypatch.setenv("DEEPORIGIN_MCP_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("DEEPORIGIN_MCP_ALLOWED_HOSTS", "a.example")
    app = create_app()
    assert configured == ["ERROR"]
    assert app.state.is_stopping is False
    monkeypatch.setenv("DEEPORIGIN_MCP_ALLOWED_HOSTS", "*")
    with pytest.raises(SettingsError):
        create_app()
    assert "localhost" in LOOPBACK_HOSTS
