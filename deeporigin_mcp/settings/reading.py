"""The only reader of the environment and of `~/.deeporigin`. Files are read and never written.

Values are read as people paste them: what an editor or a shell left around a value is removed.
"""

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

OWN = "DEEPORIGIN_MCP_"
OFFICIAL = ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_PROJECT_ID", "DO_ENV", "DO_BASE_URL")
"""The official client's variables."""
CREDENTIALS = OFFICIAL[:3]
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
UNREAD_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""What other programs use instead of SSL_CERT_FILE; not read here, but mentioned when a certificate is refused."""
LARGEST_FILE_BYTES = 1024 * 1024

_REFERENCE = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|\$(?:env:)?\w+|%\w+%|<[^<>]*>")
"""Placeholders that clients, shells and instructions leave where a value should be."""
_EMPTY_FIELD = re.compile(r"\$\{user_config\.\w+\}")
_TRACING = {
    "OTEL_PROPAGATORS": "opentelemetry_propagator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
}
"""Variables that name something installed → the group of entry points in which OpenTelemetry looks for it."""

_UNSEEN = "\u00a0\u00ad\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
"""Byte order marks, soft hyphens and other invisible characters."""
_EDGES = " \t\r\n\v\f" + _UNSEEN
_DOUBLE, _SINGLE = '"\u201c\u201d\u201e«»', "'`\u2018\u2019\u201a\u2039\u203a"
"""Quotation marks; which of a kind opens and which closes differs by language."""
QUOTES = frozenset(_DOUBLE + _SINGLE)
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?(?:bearer|token)\s+", re.IGNORECASE)
_WITHOUT_UNSEEN = str.maketrans("", "", _UNSEEN)


def letters(name: str) -> str:
    """A variable's name without case and separators, to recognise a mistyped one."""
    return re.sub(r"[^A-Z]", "", name.upper())


_OFFICIAL_LETTERS = frozenset(map(letters, OFFICIAL))


def read_own(environ: Mapping[str, str] | None) -> dict[str, str]:
    """This server's own variables, mistyped names included: name → value."""
    return _read(environ, lambda name: letters(name).startswith(letters(OWN)), _EMPTY_FIELD)


def read_official(environ: Mapping[str, str] | None) -> dict[str, str]:
    """The official client's variables, mistyped names included: name → value."""
    found = _read(environ, lambda name: letters(name) in _OFFICIAL_LETTERS, _EMPTY_FIELD)
    # A placeholder in an address is kept and refused later: where a token is sent must not be guessed.
    return {name: value for name, value in found.items() if name not in CREDENTIALS or not _REFERENCE.fullmatch(value)}


def plainly(text: str) -> str:
    """A pasted value without what stood around it in the file or program that it was copied from.

    Removed: blanks, byte order marks, pairs of quotation marks (in JSON with backslashes), and the comma or semicolon
    at the end of a line.
    """
    before = None
    while text != before:
        before = text
        text = text.strip(_EDGES)
        if text[-1:] in (",", ";") and text[:1] in QUOTES:
            text = text[:-1].rstrip(_EDGES)
        if len(text) > 3 and text.startswith('\\"') and text.endswith('\\"'):
            text = text[2:-2]
        if len(text) > 1 and any(text[0] in marks and text[-1] in marks for marks in (_DOUBLE, _SINGLE)):
            text = text[1:-1]
    return text


def without_assignment(text: str, name: str) -> str:
    """The value where somebody pasted the whole line of a file, such as `export NAME=value`."""
    before = re.compile(rf"[\s\ufeff]*(?:(?:export|set)\s+|\$env:)?[\"']?{re.escape(name)}[\"']?\s*[=:]", re.IGNORECASE)
    found = before.match(text)
    return text[found.end() :] if found else text


def bare_token(text: str) -> str:
    """A token without the word `Bearer`, line breaks of a terminal and invisible characters of a web page."""
    text = plainly(text).translate(_WITHOUT_UNSEEN)
    return "".join(plainly(_SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text).split())


class NetworkVariables(NamedTuple):
    """Proxies and certificates: canonical name → (the name as it is set, value)."""

    set: Mapping[str, tuple[str, str]]

    def value(self, name: str) -> str:
        return self.set[name][1] if name in self.set else ""

    def called(self, name: str) -> str:
        return self.set[name][0]


def read_network(environ: Mapping[str, str] | None = None) -> NetworkVariables:
    """Proxies, NO_PROXY and trusted certificates; the system's proxy settings where no variable names a proxy."""
    given = os.environ if environ is None else environ
    found = {}
    for name in (*PROXIES, *CERTIFICATES, *UNREAD_CERTIFICATES):
        # The lower-case name wins, as in other programs; set to nothing, it disables the other one.
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


def remove_unusable_tracing(environ: MutableMapping[str, str] | None = None) -> list[str]:
    """Remove from the environment what OpenTelemetry would refuse to start with; one warning for each.

    Clients pass their environment on, so these variables are often meant for another program.
    """
    given = os.environ if environ is None else environ
    warnings = []
    for variable, group in _TRACING.items():
        if variable not in given:
            continue
        from importlib.metadata import entry_points

        installed = entry_points(group=group).names
        names = [name.strip() for name in given[variable].split(",")]
        usable = [name for name in names if name in installed or name.lower() == "none"]
        if missing := ", ".join(name[:40] for name in names if name and name not in usable):
            warnings.append(f"Ignored {missing!r} in {variable}: it is not installed here.")
        if usable:
            given[variable] = ",".join(usable)
        else:
            del given[variable]
    return warnings


def read_file(path: Path) -> bytes | None:
    """The content of a file; None if it does not exist.

    Raises:
        OSError: it cannot be read, is larger than `LARGEST_FILE_BYTES`, or is not a regular file: reading a pipe or a
            device might never end.
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
    """A path with `~` replaced by the home directory.

    Raises:
        SettingsError: `no_home`, if there is none.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingsError(
            f"Invalid {variable}: it begins with ~, but no home directory is known (HOME). Give the whole path.",
            code="no_home",
        ) from None


def read_json_file(home: Path | None, name: str) -> dict[str, Any]:
    """The JSON object in a file of `~/.deeporigin`; empty if there is no such file, or no home directory.

    Raises:
        CredentialError: `unreadable_file`, if it cannot be read or is not JSON.
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
            next_step="Correct or remove that file, or set DO_AUTH_TOKEN and DO_ORG_KEY instead, and restart this MCP "
            "server.",
            code="unreadable_file",
        ) from None
    return content if isinstance(content, dict) else {}


def _read(
    environ: Mapping[str, str] | None, belongs: Callable[[str], bool], unfilled: re.Pattern[str]
) -> dict[str, str]:
    """The variables that belong, without those whose value is a placeholder that matches `unfilled`.

    A bundle's host leaves `${user_config.budget}` where the person left the field empty. Other placeholders in a limit
    are kept and refused later: an unknown variable must not turn into no limit.
    """
    given = os.environ if environ is None else environ
    values = {name: plainly(without_assignment(value, name)) for name, value in given.items() if belongs(name)}
    return {name: value for name, value in values.items() if not unfilled.fullmatch(value)}


def home_directory() -> Path | None:
    """The user's home directory; None if none is known."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def default_files() -> tuple[Path, ...]:
    """The folder of files where none is set; it is made when it is first used."""
    home = home_directory()
    return () if home is None else (home / "deeporigin",)


def state_directory() -> Path | None:
    """The folder of this program's own state, such as the ledger; None if there is no home directory."""
    home = home_directory()
    if home is None:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or "")
        base = base if base.is_absolute() else home / ".local" / "state"
    return base / "deeporigin-mcp"


def question_directories() -> tuple[Path, ...]:
    """Where questions to the user of this machine wait; the first is written to, all are read.

    A server that a client starts may lack the variables of the user's terminal, so what they say is found without.
    """
    found = []
    if sys.platform not in ("win32", "darwin"):
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
        if runtime.is_absolute() and os.access(runtime, os.W_OK):
            found.append(runtime / "deeporigin-mcp")
    if (state := state_directory()) is not None:
        found.append(state / "questions")
    return tuple(found)


def shows_windows() -> bool:
    """Whether a program that this process starts can show a window to its user."""
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in ("win32", "darwin"):
        return not os.environ.get("SSH_CONNECTION")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def environment_for_others() -> dict[str, str]:
    """The environment for a program of the user's: without credentials and settings of this one."""
    own = letters(OWN).removesuffix("MCP")
    return {
        name: value
        for name, value in os.environ.items()
        if letters(name) not in _OFFICIAL_LETTERS and not letters(name).startswith(own)
    }
