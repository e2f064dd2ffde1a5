"""Credentials and addresses from the variables and files of the official client (platform-facts 3)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from deeporigin_mcp.errors import CredentialError
from deeporigin_mcp.settings.addresses import BASE_URL, BASE_URLS, Environment, environment_of_issuer, host_of
from deeporigin_mcp.settings.reading import OFFICIAL, QUOTES, bare_token, letters, plainly, read_json_file
from deeporigin_mcp.settings.tokens import TokenClaims, local_token

LOCAL_ORG_KEY = "deeporigin"
TOKEN_FILE = "~/.deeporigin/api_tokens.json"
_UNUSABLE = QUOTES | {*" ,;<>{}$%\\|"}
"""Characters that no key, id, token or address contains."""


def official_settings(variables: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    """The fields of `Settings` for credentials and addresses, by the official precedence (platform-facts 3.3).

    Where the official client would ignore an address or environment that the operator set, this is refused: a token
    and paid runs must not go to another platform than the one that was meant.

    Raises:
        CredentialError: a value or a file that cannot be used; `code` says what kind.
    """
    _refuse_mistyped(variables)
    token_text = bare_token(variables.get("DO_AUTH_TOKEN", ""))
    org_key = _variable(variables, "DO_ORG_KEY")
    project_id = _variable(variables, "DO_PROJECT_ID")
    wanted_url = _variable(variables, "DO_BASE_URL")
    named = _variable(variables, "DO_ENV").lower()
    values: dict[str, Any] = {"project_id": project_id}
    sources = {"project_id": "DO_PROJECT_ID"} if project_id else {}

    if token_text and org_key:
        token = SecretStr(_text(token_text, "DO_AUTH_TOKEN"))
        sources |= {"token": "DO_AUTH_TOKEN", "org_key": "DO_ORG_KEY"}
        sources["base_url"] = "DO_BASE_URL" if wanted_url else "the token's issuer"
        values |= {"token": token, "org_key": org_key}
        values["base_url"] = _checked_url(wanted_url) if wanted_url else _url_of_issuer(token)
        if named and not wanted_url:
            _require_environment(named, "DO_ENV")
        if named and not wanted_url and BASE_URLS.get(named) != values["base_url"]:
            raise CredentialError(
                f"DO_ENV is {named[:40]!r}, but the token in DO_AUTH_TOKEN is for {values['base_url']}.",
                next_step="Remove DO_ENV, or set DO_BASE_URL to the address you mean, and restart this MCP server.",
                code="address_conflict",
            )
        return values | {"sources": sources}

    config = read_json_file(home, "config.json")
    environment = "prod"
    if named:
        environment, sources["base_url"] = named, "DO_ENV"
    elif named := _text(str(config.get("env") or "")).lower():
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
    elif isinstance(stored := read_json_file(home, "api_tokens.json").get(environment), str):
        token_text = bare_token(stored)
        sources |= {"token": TOKEN_FILE} if token_text else {}
    base_url = BASE_URLS[environment]
    if wanted_url:
        chosen = _checked_url(wanted_url)
        if environment != "local" and token_text and org_key and chosen != base_url:
            raise CredentialError(
                f"DO_BASE_URL needs both DO_AUTH_TOKEN and DO_ORG_KEY, or DO_ENV=local: the stored credentials are for "
                f"{base_url}.",
                next_step="Set DO_AUTH_TOKEN and DO_ORG_KEY too, or remove DO_BASE_URL, and restart this MCP server.",
                code="address_conflict",
            )
        base_url, sources["base_url"] = chosen, "DO_BASE_URL"
    return values | {
        "token": SecretStr(_text(token_text, sources["token"])) if token_text else None,
        "org_key": org_key,
        "base_url": base_url,
        "sources": sources,
    }


def operators_url(variables: Mapping[str, str]) -> tuple[str, str]:
    """The platform's address for a server with many callers, and the variable that it comes from.

    Raises:
        CredentialError: `unknown_setting`, `invalid_base_url` or `invalid_environment`.
    """
    _refuse_mistyped(variables)
    if named := _variable(variables, "DO_BASE_URL"):
        return _checked_url(named), "DO_BASE_URL"
    environment = _variable(variables, "DO_ENV").lower()
    if environment:
        _require_environment(environment, "DO_ENV")
    return BASE_URLS[environment or "prod"], "DO_ENV" if environment else "the default"


def _require_environment(name: str, source: str) -> None:
    if name not in get_args(Environment):
        raise CredentialError(
            f"Invalid environment {name[:40]!r} in {source}. Valid: {', '.join(get_args(Environment))}.",
            next_step=f"Correct it in {source} and restart this MCP server.",
            code="invalid_environment",
        )


def _url_of_issuer(token: SecretStr) -> str:
    issuer = TokenClaims.read(token).issuer
    environment = environment_of_issuer(issuer)
    if environment is None:
        host = host_of(issuer) or "an unknown host"
        raise CredentialError(
            f"The token in DO_AUTH_TOKEN was issued by {host[:100]!r}, which is not a Deep Origin login host.",
            next_step="Set DO_BASE_URL to the platform that this token may be sent to, or use another token, and "
            "restart this MCP server.",
            code="unknown_issuer",
        )
    return BASE_URLS[environment]


def _checked_url(text: str) -> str:
    # One platform is one address: limits are kept for each.
    scheme, separator, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    host = host.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme.lower(), ""))
    text = scheme.lower() + separator + host + slash + path
    parts = BASE_URL.fullmatch(text)
    if not parts or not 0 < int(parts["port"] or 1) < 65536:
        raise CredentialError(
            "Invalid DO_BASE_URL. Valid: https://host or http://host:port, without a user name, a query or blanks.",
            next_step="Correct DO_BASE_URL, or remove it, and restart this MCP server.",
            code="invalid_base_url",
        )
    return text.rstrip("/")


def _refuse_mistyped(variables: Mapping[str, str]) -> None:
    """Refuse `do_base_url` and `DO_BASEURL`, which would otherwise be ignored in silence."""
    for name in variables:
        if name not in OFFICIAL:
            meant = next(known for known in OFFICIAL if letters(known) == letters(name))
            raise CredentialError(
                f"Unknown variable {name[:40]}. Did you mean {meant}?",
                next_step=f"Rename it to {meant}, or remove it, and restart this MCP server.",
                code="unknown_setting",
            )


def _variable(variables: Mapping[str, str], name: str) -> str:
    """A variable's text; one that is set to nothing counts as not set."""
    return _text(variables.get(name), name)


def _text(value: Any, source: str = "a file of ~/.deeporigin") -> str:
    text = plainly(value) if isinstance(value, str) else ""
    if not text.isprintable() or _UNUSABLE & {*text}:
        # Control characters, half a pair of quotation marks, or more than the value was pasted.
        fix = "" if source == "DO_AUTH_TOKEN" else f"Correct it in {source} and restart this MCP server."
        raise CredentialError(
            f"Invalid value in {source}: it holds a blank, a quotation mark, a semicolon or another character that no "
            "key, token or address has.",
            next_step=fix,
            code="invalid_value",
        )
    return text
