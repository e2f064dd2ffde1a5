"""The entry in a client's configuration: the command that starts this server, and the source of its credentials."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deeporigin_mcp.errors import CredentialError, SettingsError
from deeporigin_mcp.install.clients import Client, Machine, Scope
from deeporigin_mcp.install.documents import Identified, Step
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.network import route_to, trusted
from deeporigin_mcp.settings.reading import CERTIFICATES, PROXIES, read_official, read_own

PACKAGE = "deeporigin-mcp"
MODULE = "deeporigin_mcp"
TOKEN_FILE = "api_tokens.json"

REFERRED = ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID")
LIMITS = (
    "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO",
    "DEEPORIGIN_MCP_MAX_PRICE",
    "DEEPORIGIN_MCP_BUDGET",
    "DEEPORIGIN_MCP_MAX_PER_DAY",
    "DEEPORIGIN_MCP_MAX_FAILURES",
)
FILES = "DEEPORIGIN_MCP_FILES"
SETTABLE = (
    "DO_ORG_KEY",
    "DO_PROJECT_ID",
    "DO_ENV",
    "DO_BASE_URL",
    *LIMITS,
    "DEEPORIGIN_MCP_APPROVAL",
    "DEEPORIGIN_MCP_ALLOWED_TOOL_KEYS",
    FILES,
    "DEEPORIGIN_MCP_AUDIT_LOG",
    "DEEPORIGIN_MCP_LEDGER",
    "DEEPORIGIN_MCP_SESSION",
    "DEEPORIGIN_MCP_BILLING_TAG",
    "DEEPORIGIN_MCP_NOTIFY",
    "DEEPORIGIN_MCP_READ_ONLY",
    "DEEPORIGIN_MCP_TOOLSETS",
    "DEEPORIGIN_MCP_LOG_LEVEL",
)
"""What `--env` may write into a file: everything that is no credential of the platform."""
SECRET = ("DO_AUTH_TOKEN", "DEEPORIGIN_MCP_STATE_KEYS")
NETWORK = (*PROXIES, *(name.lower() for name in PROXIES), *CERTIFICATES)
"""What `--env` accepts too: proxies, which may hold a password, and certificates."""
SCREEN = (
    *("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
    *("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""What a server needs to open the approval page in the user's browser, where a client does not pass it on unasked."""
_WINDOWS_WORD = re.compile(
    r"""[A-Z]:[\\/](?:[^\s"':]|\s(?=[^"':]*\\))*?\.(?:exe|cmd|bat|com)(?=\s|$)|'[^']*'|(?:[^\s"]|"[^"]*")+""",
    re.IGNORECASE,
)
"""A word of a command line: a program's path, which may hold blanks; a quoted text; or anything without blanks."""

INPUTS: Mapping[str, Mapping[str, Any]] = {
    "DO_AUTH_TOKEN": {
        "type": "promptString",
        "id": "deeporigin-token",
        "description": "Deep Origin token",
        "password": True,
    },
    "DO_ORG_KEY": {
        "type": "promptString",
        "id": "deeporigin-org",
        "description": "Key of the Deep Origin organisation",
    },
}
"""The inputs that VS Code asks for once and keeps in its secret storage."""


@dataclass(frozen=True)
class Piece:
    """A value and its path in the file."""

    path: tuple[Step, ...]
    value: Any


@dataclass(frozen=True)
class Request:
    """The request of a command line."""

    name: str = "deeporigin"
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    with_token: bool = False


@dataclass(frozen=True)
class Entry:
    """The pieces to write, and notes for the user."""

    pieces: list[Piece]
    notes: list[str]


def entry_for(client: Client, scope: Scope, machine: Machine, request: Request) -> Entry:
    """The entry of a client.

    Raises:
        SettingsError: an invalid setting, command, proxy or certificate; `shared_secret` for a secret in a project's
            file; with `--with-token`, the code of what is wrong with the credentials.
    """
    _check(scope, machine, request)
    command, notes = _command(client, scope, request.command)
    body: dict[str, Any] = {**(client.constants or {}), "command": command[0], "args": command[1:]}
    inputs: list[dict[str, Any]] = []
    env: dict[str, str] = {}
    by_name: tuple[str, ...] = ()
    if request.with_token:
        if scope == "project":
            raise SettingsError(
                "--with-token cannot be used with --scope project: that file is shared with others.",
                code="shared_secret",
            )
        env, note = _token(machine)
    elif scope != "project" and (machine.home / ".deeporigin" / TOKEN_FILE).exists():
        note = "No token was written: the server reads the official client's in ~/.deeporigin."
    elif client.reference == "${input:ID}":
        inputs = [dict(value) for name, value in INPUTS.items() if name not in request.env]
        env = {name: f"${{input:{value['id']}}}" for name, value in INPUTS.items()}
        note = f"No token was written: {client.title} asks for token and organisation once."
    elif client.finds_commands:
        if client.reference:
            env = {name: client.reference.replace("NAME", name) for name in REFERRED}
        elif not client.inherits:
            by_name = REFERRED
        note = f"No token was written: {client.title} passes DO_AUTH_TOKEN and DO_ORG_KEY on from its environment."
    else:
        note = (
            f"No token was written, and {client.title} cannot refer to variables: sign in with the official client on "
            "this machine, or install again with --with-token --force."
        )
    # Settings of this environment are written, as the client may have another one, or not pass its own on.
    here = {name: value for name, value in _set_here(machine).items() if name in SETTABLE and name not in by_name}
    env = {**here, **env, **request.env}
    if not client.inherits:
        body["env_vars"] = [name for name in dict.fromkeys((*by_name, *SETTABLE, *NETWORK, *SCREEN)) if name not in env]
    if env:
        body["env"] = env
    if left := _left_out(client, machine, env):
        notes.append(left)
    if any(name in NETWORK and "@" in value for name, value in request.env.items()):
        notes.append("ATTENTION: this file now holds the proxy's password in plain text.")
    if scope == "project" and FILES in env:
        notes.append(f"{FILES} holds paths of this machine; others who use the file need their own.")
    path = (*client.keys(machine, scope), request.name)
    pieces = [Piece(input_path(item), item) for item in inputs]
    notes += [note, *([client.project_note] if client.project_note and scope == "project" else [])]
    return Entry([*pieces, Piece(path, body)], notes)


def _check(scope: Scope, machine: Machine, request: Request) -> None:
    """Check that a server could start with the variables of the request, and with those of this environment."""
    checked = Settings.load(request.env, machine.home)
    if "DO_ENV" in request.env and checked.problem:
        raise SettingsError(checked.problem, code=checked.problem_code)
    Settings.load(machine.environ, machine.home)
    # Any address that is neither this machine's nor in NO_PROXY.
    route_to("https://platform.invalid", {name: value for name, value in request.env.items() if name in NETWORK})
    trusted(request.env)
    if scope == "project" and any(name in NETWORK and "@" in value for name, value in request.env.items()):
        raise SettingsError(
            "A proxy's password cannot be written with --scope project: that file is shared with others.",
            code="shared_secret",
        )


def _set_here(machine: Machine) -> dict[str, str]:
    return {
        name: value
        for name, value in {**read_official(machine.environ), **read_own(machine.environ)}.items()
        if value and value.isprintable()
    }


def _left_out(client: Client, machine: Machine, env: Mapping[str, str]) -> str:
    """A note that names variables of this environment that are not written; empty if there are none."""
    names = [name for name in _set_here(machine) if name not in (*env, *REFERRED)]
    if client.inherits:
        names += [name for name in NETWORK if machine.environ.get(name) and name not in env]
    names = [name for name in names if name not in SETTABLE]
    if not names:
        return ""
    how = " Write one with --env NAME=VALUE." if {*names} & {*NETWORK} else ""
    return f"Set here, but not written: {', '.join(names)}. {client.title} may not pass them on.{how}"


def input_path(value: Mapping[str, Any]) -> tuple[Step, ...]:
    """The path of an input in VS Code's file."""
    return ("inputs", Identified(value["id"]))


def is_ours(entry: Any) -> bool:
    """Whether an entry starts this server, by whatever command."""
    if not isinstance(entry, dict):
        return False
    words = [entry.get("command"), *(entry["args"] if isinstance(entry.get("args"), list) else [])]
    return any(isinstance(word, str) and (PACKAGE in word or MODULE in word) for word in words)


def masked(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry without its secrets, to print."""
    env = {name: "…" if is_secret(name, value) else value for name, value in entry.get("env", {}).items()}
    return {**entry, "env": env} if env else {**entry}


def is_secret(name: str, value: str) -> bool:
    """Whether a variable of an entry holds a token, a key or a proxy's password."""
    return (name in SECRET and not value.startswith("$")) or (name in NETWORK and "@" in value)


def _token(machine: Machine) -> tuple[dict[str, str], str]:
    settings = Settings.load(machine.environ, machine.home)
    try:
        token = settings.require_token()
    except CredentialError as error:
        raise SettingsError(f"--with-token: {error}", code=error.code) from None
    env = {"DO_AUTH_TOKEN": token.get_secret_value(), "DO_ORG_KEY": settings.org_key}
    if settings.project_id:
        env["DO_PROJECT_ID"] = settings.project_id
    if settings.base_url != Settings.load(env, machine.home).base_url:
        env["DO_BASE_URL"] = settings.base_url
    return env, (
        f"ATTENTION: this file now holds your token ({settings.sources.get('token', 'DO_AUTH_TOKEN')}) in plain text. "
        "Do not share or commit it, its backups or its copies."
    )


def _command(client: Client, scope: Scope, given: str) -> tuple[list[str], list[str]]:
    """The words that start the server, and notes about them."""
    if given:
        words = _words(given)
        if words and given.isprintable():
            return words, []
        raise SettingsError(
            # Not repeated: people give tokens as arguments.
            "Invalid --command. Valid: words with blanks between them, as in a shell, with closed quotation marks.",
            code="invalid_command",
        )
    if _is_run_by_uvx(Path(sys.prefix).parts):
        uvx = None if client.finds_commands else shutil.which("uvx")
        return [uvx or "uvx", PACKAGE], []
    notes = []
    if scope == "project":
        notes.append("The command is a path of this machine; to share the file, use --command 'uvx deeporigin-mcp'.")
    script = Path(sys.executable).parent / (PACKAGE + (".exe" if sys.platform == "win32" else ""))
    if script.exists():
        return [str(script)], notes
    return [sys.executable, "-m", MODULE], notes


def _words(given: str) -> list[str]:
    """The words of a command, as the system's shell reads them; none if it is invalid."""
    try:
        if Path(given).is_file():
            # A path alone needs no quotes.
            return [given]
        system: str = sys.platform
        if system != "win32":
            return shlex.split(given)
    except ValueError:
        return []
    # On Windows a backslash separates folders and escapes nothing.
    words = [word.replace('"', "").strip("'") for word in _WINDOWS_WORD.findall(given)]
    return words if given.count('"') % 2 == 0 and all(words) else []


def _is_run_by_uvx(parts: Sequence[str]) -> bool:
    """Whether this process runs from uv's cache, which may be emptied at any time."""
    return any(part.startswith(("archive-v", "environments-v")) for part in parts)
