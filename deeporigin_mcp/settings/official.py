"""Credentials and addresses from the variables and files of the official client (platform-facts 3)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from deeporigin_mcp.errors import CredentialError
from deeporigin_mcp.settings.addresses import BASE_URL, BASE_URLS, Environment, environment_of_issuer, host_of
from deeporigin_mcp.settings.reading import read_json_file
from deeporigin_mcp.settings.tokens import TokenClaims, local_token

LOCAL_ORG_KEY = "deeporigin"


def official_settings(variables: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    """The fields of `Settings` for credentials and addresses, by the official precedence (platform-facts 3.3).

    Raises:
        CredentialError: a value or a file that cannot be used.
    """
    token_text = _variable(variables, "DO_AUTH_TOKEN")
    org_key = _variable(variables, "DO_ORG_KEY")
    project_id = _variable(variables, "DO_PROJECT_ID")
    values: dict[str, Any] = {"project_id": project_id}
    sources = {"project_id": "DO_PROJECT_ID"} if project_id else {}

    if token_text and org_key:
        token = SecretStr(token_text)
        base_url = _variable(variables, "DO_BASE_URL")
        sources |= {"token": "DO_AUTH_TOKEN", "org_key": "DO_ORG_KEY"}
        sources["base_url"] = "DO_BASE_URL" if base_url else "the token's issuer"
        values |= {"token": token, "org_key": org_key}
        values["base_url"] = _checked_url(base_url) if base_url else _url_of_issuer(token)
        return values | {"sources": sources}

    config = read_json_file(home, "config.json")
    environment = "prod"
    if named := _variable(variables, "DO_ENV"):
        environment, sources["base_url"] = named, "DO_ENV"
    elif named := _text(config.get("env")):
        environment, sources["base_url"] = named, "~/.deeporigin/config.json"
    _require_environment(environment, sources.get("base_url", ""))
    if org_key:
        sources["org_key"] = "DO_ORG_KEY"
    elif org_key := _text(config.get("org_key")):
        sources["org_key"] = "~/.deeporigin/config.json"
    elif environment == "local":
        org_key = LOCAL_ORG_KEY
        sources["org_key"] = "the default of DO_ENV=local"
    if token_text:
        sources["token"] = "DO_AUTH_TOKEN"
    elif environment == "local":
        token_text = local_token(time.time()).get_secret_value()
        sources["token"] = "made for DO_ENV=local"
    elif token_text := _text(read_json_file(home, "api_tokens.json").get(environment)):
        sources["token"] = "~/.deeporigin/api_tokens.json"
    return values | {
        "token": SecretStr(token_text) if token_text else None,
        "org_key": org_key,
        "base_url": BASE_URLS[environment],
        "sources": sources,
    }


def operators_url(variables: Mapping[str, str]) -> tuple[str, str]:
    """Where a server for many callers sends their requests, and which variable says so.

    Raises:
        CredentialError: the variable has a value that cannot be used.
    """
    if named := _variable(variables, "DO_BASE_URL"):
        return _checked_url(named), "DO_BASE_URL"
    environment = _variable(variables, "DO_ENV")
    if environment:
        _require_environment(environment, "DO_ENV")
    return BASE_URLS[environment or "prod"], "DO_ENV" if environment else "the default"


def _require_environment(name: str, source: str) -> None:
    if name not in get_args(Environment):
        raise CredentialError(
            f"The environment {name[:40]!r} (from {source}) is not one of {', '.join(get_args(Environment))}.",
            next_step=f"Correct it in {source} and restart this MCP server.",
        )


def _url_of_issuer(token: SecretStr) -> str:
    issuer = TokenClaims.read(token).issuer
    environment = environment_of_issuer(issuer)
    if environment is None:
        host = host_of(issuer) or "nobody"
        raise CredentialError(
            f"The token in DO_AUTH_TOKEN was issued by {host[:100]!r}, which is no Deep Origin login host, so the "
            "platform's address cannot be derived from it. Set DO_BASE_URL to say where it may be sent."
        )
    return BASE_URLS[environment]


def _checked_url(text: str) -> str:
    parts = BASE_URL.fullmatch(text)
    if not parts or not 0 < int(parts["port"] or 1) < 65536:
        raise CredentialError(
            "DO_BASE_URL is not a usable address. Valid: https://host or http://host:port, without a user name, "
            "a query or blanks.",
            next_step="Correct DO_BASE_URL, or remove it, and restart this MCP server.",
        )
    return text.rstrip("/")


def _variable(variables: Mapping[str, str], name: str) -> str:
    """A variable's text; one that is set to nothing counts as not set."""
    return _text(variables.get(name), name)


def _text(value: Any, source: str = "a file of ~/.deeporigin") -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text.isprintable():
        # Control characters, or bytes that are no text: these could not be sent, nor written to a log.
        fix = "" if source == "DO_AUTH_TOKEN" else f"Correct it in {source} and restart this MCP server."
        raise CredentialError(f"A value in {source} holds characters that cannot be used.", next_step=fix)
    return text
