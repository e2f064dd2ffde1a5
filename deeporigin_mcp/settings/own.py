"""This server's own variables, DEEPORIGIN_MCP_*: limits on money, which tools are offered, and how it is served."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deeporigin_mcp.errors import SettingsError
from deeporigin_mcp.settings.addresses import HOST, ORIGIN
from deeporigin_mcp.settings.notify import read_notify
from deeporigin_mcp.settings.reading import OWN, QUOTES, expanded, letters, plainly

SHORTEST_STATE_KEY_BYTES = 32
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
TOOL_RULE = re.compile(r"[^\s;]+")
_AMOUNT = re.compile(r"\+?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE]\+?[0-9])?")
_COUNT = re.compile(r"[0-9]{1,3}")
WAYS = ("elicitation", "app", "browser", "terminal")
"""How a person can be asked for an approval, in the order in which it is tried."""
_BOOLEANS = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}


def own_settings(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `Settings` that are set by these variables; what is not set keeps its default.

    Raises:
        SettingsError: `unknown_setting` for a variable that does not exist, else `invalid_setting`.
    """
    for name in sorted(given):
        if name not in VARIABLES:
            raise SettingsError(f"Unknown setting {name[:80]}. {_suggestion(name)}", code="unknown_setting")
    return {
        name.removeprefix(OWN).lower(): read(name, given[name])
        for name, read in VARIABLES.items()
        if given.get(name, "").strip()
    }


def _suggestion(name: str) -> str:
    import difflib

    # Compared without the prefix, which all have in common.
    known = {letters(each).removeprefix(letters(OWN)): each for each in VARIABLES}
    near = difflib.get_close_matches(letters(name).removeprefix(letters(OWN)), known, 1, 0.6)
    return f"Did you mean {known[near[0]]}?" if near else f"Valid: {', '.join(VARIABLES)}."


def _invalid(name: str, value: str, valid: str) -> SettingsError:
    return SettingsError(f"Invalid {name} {value[:80]!r}. Valid: {valid}.")


def _usd(name: str, text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text.strip()):
        raise _invalid(name, text, "an amount in USD, zero or more, such as 2.50")
    return Decimal(text.strip())


def _one_line(name: str, text: str) -> str:
    if not text.strip().isprintable():
        raise SettingsError(f"Invalid {name}: it holds control characters. Valid: one line of text.")
    return text.strip()


def _boolean(name: str, text: str) -> bool:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise _invalid(name, text, "true or false")
    return value


def _log_level(name: str, text: str) -> str:
    level = text.strip().upper()
    if level not in LOG_LEVELS:
        raise _invalid(name, text, ", ".join(LOG_LEVELS))
    return level


def _path(name: str, text: str) -> Path:
    return expanded(text.strip(), name)


def _list(name: str, text: str) -> tuple[str, ...]:
    """The entries of a list with commas; quotation marks around the list or an entry are dropped.

    Raises:
        SettingsError: no entry is left. An empty list must not silently mean "everything".
    """
    parts = (plainly(part).strip("".join(QUOTES)) for part in text.split(","))
    if names := tuple(part for part in parts if part):
        return names
    raise _invalid(name, text, "one or more names with commas between them; remove the variable for the default")


def _list_of(pattern: re.Pattern[str], valid: str) -> Callable[[str, str], tuple[str, ...]]:
    def read(name: str, text: str) -> tuple[str, ...]:
        values = _list(name, text)
        for value in values:
            if not pattern.fullmatch(value):
                raise _invalid(name, value, f"{valid}, several with commas between them")
        return values

    return read


def _ways(name: str, text: str) -> tuple[str, ...]:
    ways = tuple(dict.fromkeys(way.lower() for way in _list(name, text)))
    if unknown := [way for way in ways if way not in WAYS]:
        raise _invalid(name, unknown[0], f"{', '.join(WAYS)}, one or more with commas between them")
    return ways


def _count(name: str, text: str) -> int:
    if not _COUNT.fullmatch(text.strip()):
        raise _invalid(name, text, "a number from 0 to 999")
    return int(text)


def _folders(name: str, text: str) -> tuple[Path, ...]:
    folders = tuple(expanded(each, name) for each in _list(name, text))
    for folder in folders:
        # A client starts the server wherever it likes.
        if not folder.is_absolute():
            raise _invalid(name, str(folder), "whole paths of folders such as ~/deeporigin, with commas between them")
    return folders


def _state_keys(name: str, text: str) -> tuple[SecretStr, ...]:
    keys = _list(name, text)
    if any(len(key.encode()) < SHORTEST_STATE_KEY_BYTES for key in keys):
        raise SettingsError(
            f"Invalid {name}: a key has fewer than {SHORTEST_STATE_KEY_BYTES} bytes. Valid: random keys of at least "
            "that length with commas between them, the same for every worker."
        )
    return tuple(SecretStr(key) for key in keys)


VARIABLES: Mapping[str, Callable[[str, str], Any]] = {
    "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": _usd,
    "DEEPORIGIN_MCP_MAX_PRICE": _usd,
    "DEEPORIGIN_MCP_BUDGET": _usd,
    "DEEPORIGIN_MCP_MAX_PER_DAY": _usd,
    "DEEPORIGIN_MCP_MAX_FAILURES": _count,
    "DEEPORIGIN_MCP_APPROVAL": _ways,
    "DEEPORIGIN_MCP_SESSION": _one_line,
    "DEEPORIGIN_MCP_BILLING_TAG": _one_line,
    "DEEPORIGIN_MCP_READ_ONLY": _boolean,
    "DEEPORIGIN_MCP_TOOLSETS": _list,
    "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS": _list_of(TOOL_RULE, "a tool's key such as deeporigin.docking"),
    "DEEPORIGIN_MCP_FILES": _folders,
    "DEEPORIGIN_MCP_NOTIFY": read_notify,
    "DEEPORIGIN_MCP_AUDIT_LOG": _path,
    "DEEPORIGIN_MCP_LEDGER": _path,
    "DEEPORIGIN_MCP_STATE_KEYS": _state_keys,
    "DEEPORIGIN_MCP_ALLOWED_HOSTS": _list_of(HOST, "a host such as mcp.example.org"),
    "DEEPORIGIN_MCP_ALLOWED_ORIGINS": _list_of(ORIGIN, "an origin such as https://chat.example.org"),
    "DEEPORIGIN_MCP_LOG_LEVEL": _log_level,
}
"""Each variable and how its text is read; the rest of its name is the field of `Settings`."""
