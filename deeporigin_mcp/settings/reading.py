"""The only reader of the environment and of `~/.deeporigin`. Files are read and never written."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from deeporigin_mcp.errors import CredentialError, SettingsError
from deeporigin_mcp.settings.pasted import plainly, without_assignment

OWN = "DEEPORIGIN_MCP_"
OFFICIAL = ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID", "DO_ENV", "DO_BASE_URL")
"""The official client's variables."""
CREDENTIALS = OFFICIAL[:3]
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
UNREAD_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""What other programs on such a network are given in the place of SSL_CERT_FILE."""
LARGEST_FILE_BYTES = 1024 * 1024

_REFERENCE = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|\$(?:env:)?\w+|%\w+%|<[^<>]*>")
"""What clients, shells and instructions write in the place of a value."""
_EMPTY_FIELD = re.compile(r"\$\{user_config\.\w+\}")
_TRACING = {
    "OTEL_PROPAGATORS": "opentelemetry_propagator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
}
"""Variables that name something installed → the group of entry points in which OpenTelemetry looks for it."""


def letters(name: str) -> str:
    """What remains of a variable's name when case and separators are mistyped."""
    return re.sub(r"[^A-Z]", "", name.upper())


_OFFICIAL_LETTERS = frozenset(map(letters, OFFICIAL))


def read_own(environ: Mapping[str, str] | None) -> dict[str, str]:
    """This server's own variables, and those that are called nearly so."""
    return _read(environ, lambda name: letters(name).startswith(letters(OWN)), _EMPTY_FIELD)


def read_official(environ: Mapping[str, str] | None) -> dict[str, str]:
    """The official client's variables, and those that are called nearly so."""
    found = _read(environ, lambda name: letters(name) in _OFFICIAL_LETTERS, _EMPTY_FIELD)
    # Where to send a token is not guessed: a reference in an address is kept, and refused.
    return {name: value for name, value in found.items() if name not in CREDENTIALS or not _REFERENCE.fullmatch(value)}


class NetworkVariables(NamedTuple):
    """What the environment says of the network: canonical name → (the name as it is set, value)."""

    set: Mapping[str, tuple[str, str]]

    def value(self, name: str) -> str:
        return self.set[name][1] if name in self.set else ""

    def called(self, name: str) -> str:
        return self.set[name][0]


def read_network(environ: Mapping[str, str] | None = None) -> NetworkVariables:
    """Proxies, exceptions from them and trusted certificates; by the system's settings where no proxy is set."""
    given = os.environ if environ is None else environ
    found = {}
    for name in (*PROXIES, *CERTIFICATES, *UNREAD_CERTIFICATES):
        # The lower-case name counts first, as everywhere; set to nothing, it takes the other one away.
        called = name.lower() if name in PROXIES and name.lower() in given else name
        value = plainly(given.get(called, ""))
        if value and not _REFERENCE.fullmatch(value):
            found[name] = (called, value)
    if environ is None and sys.platform in ("win32", "darwin") and not {*found} & {*PROXIES}:
        import urllib.request

        for scheme, url in urllib.request.getproxies().items():
            name = "NO_PROXY" if scheme == "no" else f"{scheme.upper()}_PROXY"
            found[name] = ("the system's proxy settings", url)
    return NetworkVariables(found)


def pass_over_tracing_of_others(environ: MutableMapping[str, str] | None = None) -> list[str]:
    """Take out of the environment what OpenTelemetry would refuse to start with; a sentence for each.

    Clients hand their environment on, so these variables are often meant for another program.
    """
    given = os.environ if environ is None else environ
    told = []
    for variable, group in _TRACING.items():
        if variable not in given:
            continue
        from importlib.metadata import entry_points

        installed = entry_points(group=group).names
        names = [name.strip() for name in given[variable].split(",")]
        usable = [name for name in names if name in installed or name.lower() == "none"]
        if missing := ", ".join(name[:40] for name in names if name and name not in usable):
            told.append(f"{variable} names {missing!r}, which is not installed here; it is passed over.")
        if usable:
            given[variable] = ",".join(usable)
        else:
            del given[variable]
    return told


def read_file(path: Path) -> bytes | None:
    """The content of a small file; None if there is none. Reading a pipe or a device might never end.

    Raises:
        OSError: it cannot be read, or is no regular file, or is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("not a regular file")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise OSError("too large")
        return path.read_bytes()
    except FileNotFoundError:
        return None


def expanded(path: str, variable: str) -> Path:
    """A path with `~` for the home directory.

    Raises:
        SettingsError: there is no home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingsError(
            f"{variable} begins with ~, and no home directory is known here (HOME). Give the whole path."
        ) from None


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
        raw = read_file(folder / name)
        # Bytes, so that a byte order mark and UTF-16, as Windows writes them, are understood.
        content = {} if raw is None else json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        reason = "cannot be read" if isinstance(error, OSError) else "is not valid JSON"
        raise CredentialError(
            f"~/.deeporigin/{name} {reason}.",
            next_step="Correct or remove that file, or set DO_AUTH_TOKEN and DO_ORG_KEY in its place, and restart this "
            "MCP server.",
        ) from None
    return content if isinstance(content, dict) else {}


def _read(
    environ: Mapping[str, str] | None, belongs: Callable[[str], bool], unfilled: re.Pattern[str]
) -> dict[str, str]:
    """The variables of a kind, without those that a client meant to fill in and left as they were written.

    A bundle's host leaves `${user_config.budget}` where the person left the field empty; clients leave
    `${DO_ORG_KEY}` where they know no such variable, and people `<your key>`. A limit that refers to an unknown
    variable is kept, and refused: it must not turn into
    no limit.
    """
    given = os.environ if environ is None else environ
    values = {name: plainly(without_assignment(value, name)) for name, value in given.items() if belongs(name)}
    return {name: value for name, value in values.items() if not unfilled.fullmatch(value)}


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
