"""Reads and replaces a file of somebody else's: whole or not at all, with a backup beside it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOM = "\ufeff"
PRIVATE, SHARED = 0o600, 0o644


class UnusableFileError(Exception):
    """A file that cannot be read or written; the message names no path."""


@dataclass(frozen=True)
class File:
    """A configuration file as it was read. `path` is what a link points to; `content` is None if there is none."""

    path: Path
    content: bytes | None

    @classmethod
    def read(cls, path: Path) -> File:
        """Read a file.

        Raises:
            UnusableFileError: it is there and cannot be read.
        """
        try:
            path = Path(os.path.realpath(path))
            return cls(path, path.read_bytes())
        except FileNotFoundError:
            return cls(path, None)
        except OSError as error:
            raise UnusableFileError(f"cannot be read: {error.strerror}") from None

    def text(self) -> str:
        """The content without a byte order mark.

        Raises:
            UnusableFileError: it is not UTF-8.
        """
        try:
            return (self.content or b"").decode("utf-8").removeprefix(BOM)
        except UnicodeDecodeError:
            raise UnusableFileError("is not UTF-8 text") from None

    def encoded(self, text: str) -> bytes:
        """A text as this file has it: with a byte order mark if it had one."""
        mark = BOM if (self.content or b"").startswith(BOM.encode()) else ""
        return (mark + text).encode("utf-8")

    def backups(self) -> list[bytes]:
        """The contents of the backups beside it, newest first."""
        found = []
        for path in _backup_names(self.path):
            try:
                found.append(path.read_bytes())
            except OSError:
                break
        return found[::-1]

    def back_up(self) -> Path | None:
        """Copy it beside itself, under a name that is free; None if there is nothing to copy.

        Raises:
            UnusableFileError: the folder cannot be written.
        """
        if self.content is None:
            return None
        mode = stat.S_IMODE(self.path.stat().st_mode)
        for path in _backup_names(self.path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
            except FileExistsError:
                continue
            except OSError as error:
                raise UnusableFileError(f"cannot be backed up: {error.strerror}") from None
            with os.fdopen(descriptor, "wb") as backup:
                backup.write(self.content)
            path.chmod(mode)
            return path
        raise UnusableFileError("has too many backups")

    def check_writable(self) -> None:
        """See that it may be replaced: a file that is read-only is so on purpose.

        Raises:
            UnusableFileError: it is read-only.
        """
        if self.content is not None and not self.path.stat().st_mode & 0o222:
            raise UnusableFileError("is read-only")

    def replace(self, content: bytes, *, new_mode: int = PRIVATE) -> None:
        """Put new content in its place at once. Permissions stay; a new file gets `new_mode`.

        Raises:
            UnusableFileError: it was changed since it was read, or cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as new:
                    new.write(content)
                    new.flush()
                    os.fsync(new.fileno())
                mode = new_mode if self.content is None else stat.S_IMODE(self.path.stat().st_mode)
                Path(name).chmod(mode)
                self._check_unchanged()
                Path(name).replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise UnusableFileError(f"cannot be written: {error.strerror}") from None

    def delete(self) -> None:
        """Remove it.

        Raises:
            UnusableFileError: it was changed since it was read, or cannot be removed.
        """
        self._check_unchanged()
        try:
            self.path.unlink()
        except OSError as error:
            raise UnusableFileError(f"cannot be removed: {error.strerror}") from None

    def _check_unchanged(self) -> None:
        if File.read(self.path).content != self.content:
            raise UnusableFileError("was changed by somebody else at this moment; run the command again")


def _backup_names(path: Path) -> Iterator[Path]:
    for number in range(1, 1000):
        yield path.with_name(f"{path.name}.deeporigin-backup{number if number > 1 else ''}")
