"""Credentials and addresses from the variables and files of the official client (platform-facts 3)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from deeporigin_mcp.errors import CredentialError
from deeporigin_mcp.settings.addresses import BASE_URL, BASE_URLS, Environment, environment_of_issuer, host_of
from deeporigin_mcp.settings.pasted import QUOTES, bare_token, plainly
from deeporigin_mcp.settings.reading import OFFICIAL, letters, read_json_file
from deeporigin_mcp.settings.tokens import TokenClaims, local_token

LOCAL_ORG_KEY = "deeporigin"
TOKEN_FILE = "~/.deeporigin/api_tokens.json"
_UNUSABLE = QUOTES | {*" ,;<>{}$%\\|"}
"""What no key, id, token or address has in it."""


def official_settings(variables: Mapping[str, str], home: Path | None) -> dict[str, Any]:
    """The fields of `Settings` for credentials and addresses, by the official precedence (platform-facts 3.3).

    Where the official client would pass over an address or environment that the operator set, this is refused: a
    token, and paid runs, must not go to another platform than the one that was meant.

    Raises:
        CredentialError: a value or a file that cannot be used.
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
                f"DO_ENV is {named[:40]!r}, but with DO_AUTH_TOKEN and DO_ORG_KEY the address follows from the token's "
                f"issuer, which is {values['base_url']}.",
                next_step="Remove DO_ENV, or say by DO_BASE_URL which address is meant, and restart this MCP server.",
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
                f"DO_BASE_URL is set, but it counts only with both DO_AUTH_TOKEN and DO_ORG_KEY, or with DO_ENV=local; "
                f"with the credentials there are, {base_url} would be called.",
                next_step="Set DO_AUTH_TOKEN and DO_ORG_KEY too, or remove DO_BASE_URL, and restart this MCP server.",
            )
        base_url, sources["base_url"] = chosen, "DO_BASE_URL"
    return values | {
        "token": SecretStr(_text(token_text, sources["token"])) if token_text else None,
        "org_key": org_key,
        "base_url": base_url,
        "sources": sources,
    }


def operators_url(variables: Mapping[str, str]) -> tuple[str, str]:
    """Where a server for many callers sends their requests, and which variable says so.

    Raises:
        CredentialError: the variable has a value that cannot be used.
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
    scheme, separator, rest = text.partition("://")
    text = scheme.lower() + separator + rest
    parts = BASE_URL.fullmatch(text)
    if not parts or not 0 < int(parts["port"] or 1) < 65536:
        raise CredentialError(
            "DO_BASE_URL is not a usable address. Valid: https://host or http://host:port, without a user name, "
            "a query or blanks.",
            next_step="Correct DO_BASE_URL, or remove it, and restart this MCP server.",
        )
    return text.rstrip("/")


def _refuse_mistyped(variables: Mapping[str, str]) -> None:
    """Refuse `do_base_url` and `DO_BASEURL`: what is nearly a variable of these would be passed over in silence."""
    for name in variables:
        if name not in OFFICIAL:
            meant = next(known for known in OFFICIAL if letters(known) == letters(name))
            raise CredentialError(
                f"The variable {name[:40]} is not read: its name is {meant}.",
                next_step=f"Call it {meant}, or remove it, and restart this MCP server.",
            )


def _variable(variables: Mapping[str, str], name: str) -> str:
    """A variable's text; one that is set to nothing counts as not set."""
    return _text(variables.get(name), name)


def _text(value: Any, source: str = "a file of ~/.deeporigin") -> str:
    text = plainly(value) if isinstance(value, str) else ""
    if not text.isprintable() or _UNUSABLE & {*text}:
        # Control characters, bytes that are no text, half a pair of quotation marks, or more than the value.
        fix = "" if source == "DO_AUTH_TOKEN" else f"Correct it in {source} and restart this MCP server."
        raise CredentialError(
            f"A value in {source} holds characters that cannot be used, such as a blank, a quotation mark or a "
            "semicolon.",
            next_step=fix,
        )
    return text
