"""How each client starts a server from its configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mcp import StdioServerParameters

ANSWERS = {"deeporigin-token": "DO_AUTH_TOKEN", "deeporigin-org": "DO_ORG_KEY"}
"""What a person answers to VS Code's questions, by their id: the value of a variable."""

Expand = Callable[[str, Mapping[str, str]], str]


def of_claude_code(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda m: variables.get(m[1], m[0] if m[2] is None else m[2]), text)


def of_editors(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{env:(\w+)\}", lambda m: variables.get(m[1], m[0]), text)


def of_gemini(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:(\w+)|\{([^}]+)\})", lambda m: variables.get(m[1] or m[2], m[0]), text)


def of_vs_code(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{input:([\w-]+)\}", lambda m: variables.get(ANSWERS[m[1]], ""), text)


def as_it_is(text: str, variables: Mapping[str, str]) -> str:
    return text


EXPANSIONS: dict[str, Expand] = {
    "claude-desktop": as_it_is,
    "claude-code": of_claude_code,
    "cursor": of_editors,
    "vscode": of_vs_code,
    "codex": as_it_is,
    "gemini-cli": of_gemini,
    "windsurf": of_editors,
    "zed": as_it_is,
}
KEEPS = ("PATH", "HOME", "COVERAGE_", "HTTPS_PROXY")


def as_started(client: str, entry: dict[str, Any], variables: Mapping[str, str]) -> StdioServerParameters:
    """How a client whose environment holds `variables` starts an entry."""
    own = {name: EXPANSIONS[client](value, variables) for name, value in entry.get("env", {}).items()}
    inherited = variables
    if client == "codex":
        inherited = {
            name: value for name, value in variables.items() if name.startswith(KEEPS) or name in entry["env_vars"]
        }
    return StdioServerParameters(command=entry["command"], args=entry["args"], env={**inherited, **own})
