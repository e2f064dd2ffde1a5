"""A folder that downloads are written to: nothing is overwritten, and what is there already is recognised."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import IO

from deeporigin_mcp.platform.clients.local_files import new_file
from deeporigin_mcp.platform.records.files import RemoteFile, md5_in
from deeporigin_mcp.tools.files.local_names import Names, folded, parts

ABANDONED_SECONDS = 600.0
"""A transfer under way writes to its unfinished file more often."""
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{12}\.part")
_NUMBERED = re.compile(r"(.+)_\d+")


class Folder:
    """One folder on this machine. Its methods touch the disk: run them in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names = Names()
        self._claimed: set[str] = set()
        self._there: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: (len(entry.name), entry.name)):
                if _UNFINISHED.fullmatch(entry.name):
                    _remove_if_abandoned(entry)
                    continue
                self._names.take(entry.name)
                # Through a link something outside of the folder would be read.
                if entry.is_file(follow_symlinks=False):
                    stem, suffix = parts(entry.name)
                    self._there[folded(stem), folded(suffix)].append(entry.name)
                    if numbered := _NUMBERED.fullmatch(stem):
                        self._there[folded(numbered[1]), folded(suffix)].append(entry.name)

    def there(self, stem: str, suffix: str) -> list[Path]:
        """Files that are there under this name, or with a number behind it, and are not claimed."""
        names = self._there.get((folded(stem), folded(suffix)), ())
        return [self.path / name for name in names if name not in self._claimed]

    def claim(self, path: Path) -> Path:
        """Take a file for one that is wanted; no other will be taken for it."""
        self._claimed.add(path.name)
        return path

    def new(self, stem: str, suffix: str) -> Path:
        """A path where nothing is yet."""
        return self.path / self._names.of(stem, suffix)

    def same_as(self, remote: RemoteFile, stem: str, suffix: str) -> Path | None:
        """The file that is there already and is certainly this one, claimed; None if there is none.

        Its MD5 proves it. The size does not: structures of one protein, and poses of one ligand, are equally long.
        """
        md5 = md5_in(remote.etag)
        for path in self.there(stem, suffix) if md5 else ():
            with contextlib.suppress(OSError):
                if path.stat().st_size == remote.size and _md5(path) == md5:
                    return self.claim(path)
        return None

    def settled(self, made: Path, stem: str, suffix: str) -> tuple[Path, bool]:
        """A file that was just made, or one with the same content that was there before; and whether it was."""
        for path in self.there(stem, suffix):
            with contextlib.suppress(OSError):
                if path != made and path.stat().st_size == made.stat().st_size and filecmp.cmp(path, made, False):
                    made.unlink()
                    return self.claim(path), True
        return self.claim(made), False

    def write(self, stem: str, suffix: str, content: Callable[[IO[bytes]], object]) -> tuple[Path, bool]:
        """Write a file, whole or not at all; as `settled`."""
        made = self.new(stem, suffix)
        with new_file(made) as file:
            content(file)
        return self.settled(made, stem, suffix)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _remove_if_abandoned(entry: os.DirEntry[str]) -> None:
    """Remove what a killed server was writing."""
    with contextlib.suppress(OSError):
        state = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(state.st_mode) and time.time() - state.st_mtime > ABANDONED_SECONDS:
            Path(entry.path).unlink()
