"""The only reader of the environment and of `~/.deeporigin`. Files are read and never written."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import CredentialError

_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_EMPTY_FIELD = re.compile(r"\$\{user_config\.\w+\}")


def read_variables(environ: Mapping[str, str] | None, prefix: str) -> dict[str, str]:
    """The variables of a kind, without those that a client meant to fill in and left as they were written.

    A bundle's host leaves `${user_config.budget}` where the person left the field empty; clients leave
    `${DO_ORG_KEY}` where they know no such variable. A limit that refers to an unknown variable is kept, and refused:
    it must not turn into no limit.
    """
    unfilled = _EMPTY_FIELD if prefix == "DEEPORIGIN_MCP_" else _REFERENCE
    return {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith(prefix) and not unfilled.fullmatch(value.strip())
    }


def read_json_file(home: Path | None, name: str) -> dict[str, Any]:
    """The JSON object in a file of `~/.deeporigin`; empty if there is no such file, or no home directory.

    Raises:
        CredentialError: the file cannot be read, or is no JSON.
    """
    try:
        folder = (Path.home() if home is None else home) / ".deeporigin"
    except RuntimeError:
        return {}
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is not valid JSON"
        raise CredentialError(
            f"~/.deeporigin/{name} {reason}.",
            next_step="Correct or remove that file, or set DO_AUTH_TOKEN and DO_ORG_KEY in its place, and restart this "
            "MCP server.",
        ) from None
    return content if isinstance(content, dict) else {}


def state_directory() -> Path | None:
    """Where this program keeps what it must remember for its user; None if there is no home directory."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or "")
        base = base if base.is_absolute() else home / ".local" / "state"
    return base / "deeporigin-mcp"
