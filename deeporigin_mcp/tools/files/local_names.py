"""Names of files on this machine: readable, and harmless on every system, wherever they come from."""

from __future__ import annotations

import re
import unicodedata

from deeporigin_mcp.platform.records.sanitizing import one_line

MAX_STEM = 60
MAX_STEM_BYTES = 150
"""File systems take 255 bytes for a name; the rest is for its number and ending."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Windows takes them for devices, with any ending."""
_SUFFIX = re.compile(r"(\.tar)?\.[A-Za-z0-9]{1,10}")
_HASH = re.compile(r"[0-9a-fA-F-]{16,}|[0-9A-Z]{13}")
"""A digest or an id tells a reader nothing."""


def stem_of(text: str) -> str:
    """A text as the stem of a name: letters, digits and `-_.+()` of any script; empty if nothing is left."""
    plain = unicodedata.normalize("NFC", one_line(text, 4 * MAX_STEM))
    kept = "".join(letter if letter.isalnum() or letter in "-_.+()" else "_" for letter in plain)
    stem = re.sub(r"_{2,}", "_", kept).strip("_. -")[:MAX_STEM]
    while len(stem.encode()) > MAX_STEM_BYTES:
        stem = stem[:-1]
    stem = stem.rstrip("_. ")
    return f"{stem}_" if _DEVICE.fullmatch(stem) else stem


def parts(name: str) -> tuple[str, str]:
    """Stem and ending of a name, such as `("pocket_1", ".pdb")`; either may be empty."""
    found = re.search(rf"{_SUFFIX.pattern}$", name)
    suffix = found[0] if found and found.start() > 0 else ""
    return name.removesuffix(suffix), suffix


def split(remote_path: str) -> tuple[str, str]:
    """Stem and ending for a local file, of a path on the platform."""
    stem, suffix = parts(remote_path.rstrip("/").rpartition("/")[2])
    return stem_of(stem), suffix


def is_readable(stem: str) -> bool:
    """Whether a stem tells a reader something."""
    return bool(stem) and _HASH.fullmatch(stem) is None


def folded(name: str) -> str:
    """What two names have in common that some file systems take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Names:
    """Names of one folder, no two of which differ by case only."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def of(self, stem: str, suffix: str = "") -> str:
        """A name that is not taken yet, and now is: `a.sdf`, then `a_2.sdf`."""
        stem = stem or "file"
        name = f"{stem}{suffix}"
        while folded(name) in self._taken:
            number = self._numbers[stem] = self._numbers.get(stem, 1) + 1
            name = f"{stem}_{number}{suffix}"
        self.take(name)
        return name

    def take(self, name: str) -> None:
        """Give this name to nobody."""
        self._taken.add(folded(name))
