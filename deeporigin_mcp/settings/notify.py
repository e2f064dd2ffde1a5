"""Who is told that a run is over (DEEPORIGIN_MCP_NOTIFY): a command of the user's, or a webhook."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deeporigin_mcp.errors import SettingsError

VALID = (
    "Valid: a command with its arguments, or a webhook's https:// address without a user name (http:// only on this "
    "machine)."
)


@dataclass(frozen=True)
class Notify:
    """One of the two is set. Both may hold secrets: no message and no representation shows them."""

    command: tuple[str, ...] = field(default=(), repr=False)
    url: str = field(default="", repr=False)

    @property
    def kind(self) -> str:
        """What it is, in words without secrets."""
        if self.url:
            parts = urlsplit(self.url)
            return f"a webhook at {parts.scheme}://{parts.netloc}"
        return f"the command {Path(self.command[0]).name}"

    @property
    def digest(self) -> str:
        """The same for the same one, in every process."""
        return hashlib.sha256("\0".join((self.url, *self.command)).encode()).hexdigest()


def read_notify(name: str, text: str) -> Notify:
    """The value of the variable `name`.

    Raises:
        SettingsError: it is neither; the value is not repeated, it may hold a secret.
    """
    text = text.strip()
    if "://" in text.split(" ")[0]:
        return Notify(url=_checked_address(name, text))
    try:
        words = shlex.split(text, posix=os.name == "posix")
        if os.name != "posix":
            # A backslash is no escape there, and so the marks are kept.
            words = [word.strip('"') for word in words]
    except ValueError:
        raise SettingsError(f"Invalid {name}: its quotation marks do not match. {VALID}") from None
    if not words or shutil.which(words[0]) is None:
        raise SettingsError(f"Invalid {name}: its first word is no program that is found here. {VALID}")
    return Notify(command=tuple(words))


def _checked_address(name: str, text: str) -> str:
    # Imported here: most servers have no webhook.
    from deeporigin_mcp.settings.network import is_this_machine

    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    if not host or not is_safe or not plain or "@" in parts.netloc or parts.fragment:
        raise SettingsError(f"Invalid {name}: its address cannot be used. {VALID}")
    return text
