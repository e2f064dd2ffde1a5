"""This server's own variables, DEEPORIGIN_MCP_*: limits on money, what is offered, and how it is served."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.settings.addresses import HOST, ORIGIN
from deeporigin_mcp.settings.pasted import QUOTES, plainly
from deeporigin_mcp.settings.reading import OWN, expanded, letters

SHORTEST_STATE_KEY_BYTES = 32
TOOL_RULE = re.compile(r"[^\s;]+")
_AMOUNT = re.compile(r"\+?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE]\+?[0-9])?")


class _Noted(Mapping[str, str]):
    """Variables that note which names are asked for: a name that nobody asks for is mistyped."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.known: list[str] = []

    def __getitem__(self, name: str) -> str:
        self.known.append(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def own_settings(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `Settings` that these variables decide.

    Raises:
        SettingsError: a value that cannot be used, or a name that there is not.
    """
    variables = _Noted(given)
    values = _values(variables)
    for name in sorted(given):
        if name not in variables.known:
            import difflib

            # Compared without the beginning, which all have in common.
            known = {letters(each).removeprefix(letters(OWN)): each for each in variables.known}
            near = difflib.get_close_matches(letters(name).removeprefix(letters(OWN)), known, 1, 0.6)
            valid = f"Did you mean {known[near[0]]}?" if near else f"Valid: {', '.join(variables.known)}."
            raise SettingsError(f"{name[:80]} is not a setting of this server. {valid}")
    return values


def _values(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "auto_approve_up_to": _usd(variables, "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO") or Decimal(0),
        "max_price": _usd(variables, "DEEPORIGIN_MCP_MAX_PRICE"),
        "budget": _usd(variables, "DEEPORIGIN_MCP_BUDGET"),
    }
    if session := variables.get("DEEPORIGIN_MCP_SESSION", "").strip():
        if not session.isprintable():
            raise SettingsError("DEEPORIGIN_MCP_SESSION holds characters that cannot be used. Valid: one line of text.")
        values["session"] = session
    read_only = variables.get("DEEPORIGIN_MCP_READ_ONLY", "").strip().lower()
    if read_only not in ("", "0", "false", "no", "off", "1", "true", "yes", "on"):
        raise SettingsError(f"DEEPORIGIN_MCP_READ_ONLY is {read_only!r}. Valid: true or false.")
    values["read_only"] = read_only in ("1", "true", "yes", "on")
    values["toolsets"] = _names(variables, "DEEPORIGIN_MCP_TOOLSETS")
    values["allowed_tool_keys"] = _matching(
        variables, "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS", TOOL_RULE, "a tool's key such as deeporigin.docking"
    )
    if audit_log := variables.get("DEEPORIGIN_MCP_AUDIT_LOG", "").strip():
        values["audit_log"] = expanded(audit_log, "DEEPORIGIN_MCP_AUDIT_LOG")
    if ledger := variables.get("DEEPORIGIN_MCP_LEDGER", "").strip():
        values["ledger"] = expanded(ledger, "DEEPORIGIN_MCP_LEDGER")
    keys = _names(variables, "DEEPORIGIN_MCP_STATE_KEYS")
    if any(len(key.encode()) < SHORTEST_STATE_KEY_BYTES for key in keys):
        raise SettingsError(
            f"DEEPORIGIN_MCP_STATE_KEYS holds a key of fewer than {SHORTEST_STATE_KEY_BYTES} bytes. Valid: one or more "
            "random texts of that length or longer, with commas between them, the same for every worker."
        )
    values["state_keys"] = tuple(SecretStr(key) for key in keys)
    values["allowed_hosts"] = _matching(
        variables, "DEEPORIGIN_MCP_ALLOWED_HOSTS", HOST, "a host such as mcp.example.org"
    )
    values["allowed_origins"] = _matching(
        variables, "DEEPORIGIN_MCP_ALLOWED_ORIGINS", ORIGIN, "an origin such as https://chat.example.org"
    )
    if level := variables.get("DEEPORIGIN_MCP_LOG_LEVEL", "").strip().upper():
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingsError(f"DEEPORIGIN_MCP_LOG_LEVEL is {level!r}. Valid: DEBUG, INFO, WARNING, ERROR.")
        values["log_level"] = level
    return values


def _names(variables: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The entries of a list; quotation marks around all of it, or around each, are not part of them.

    Raises:
        SettingsError: it is set and has no entry. A list that says nothing must not mean everything.
    """
    text = variables.get(name, "")
    parts = [plainly(part).strip("".join(QUOTES)) for part in text.split(",")]
    names = tuple(part for part in parts if part)
    if text and not names:
        raise SettingsError(f"{name} is {text[:80]!r}, a list without entries. Remove it, or name something.")
    return names


def _matching(variables: Mapping[str, str], name: str, form: re.Pattern[str], example: str) -> tuple[str, ...]:
    values = _names(variables, name)
    for value in values:
        if not form.fullmatch(value):
            raise SettingsError(f"{name} holds {value[:80]!r}. Valid: {example}, several with commas between them.")
    return values


def _usd(variables: Mapping[str, str], name: str) -> Decimal | None:
    text = variables.get(name, "").strip()
    if not text:
        return None
    if not _AMOUNT.fullmatch(text):
        raise SettingsError(f"{name} is {text[:80]!r}. Valid: an amount in USD, zero or more, such as 2.50.")
    return Decimal(text)
