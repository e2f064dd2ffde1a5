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
            if not stat.S_ISREG(path.stat().st_mode):
                # Reading a pipe or a device might never end.
                raise UnusableFileError("cannot be read: it is not a regular file")
            return cls(path, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
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
        """A text as it is written: without a byte order mark, which many clients take for a syntax error."""
        return text.encode("utf-8")

    def backups(self) -> list[bytes]:
        """The contents of the backups beside it, newest first."""
        found = []
        for path in _backup_names(self.path):
            try:
                content = File.read(path).content
            except UnusableFileError:
                break
            if content is None:
                break
            found.append(content)
        return found[::-1]

    def back_up(self) -> Path | None:
        """Copy it beside itself, under a name that is free; None if there is nothing to copy.

        Raises:
            UnusableFileError: the folder cannot be written.
        """
        if self.content is None:
            return None
        for path in _backup_names(self.path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
            except FileExistsError:
                continue
            except OSError as error:
                raise UnusableFileError(f"cannot be backed up: {error.strerror}") from None
            try:
                _fill(descriptor, self.content)
                _make_like(path, self.path.stat(), stat.S_IMODE(self.path.stat().st_mode))
            except OSError as error:
                # Half a backup is none, and would be taken for one.
                with contextlib.suppress(OSError):
                    path.unlink()
                raise UnusableFileError(f"cannot be backed up: {error.strerror}") from None
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
            _make_folders(self.path.parent)
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                _fill(descriptor, content)
                model = (self.path.parent if self.content is None else self.path).stat()
                _make_like(Path(name), model, new_mode if self.content is None else stat.S_IMODE(model.st_mode))
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


def _fill(descriptor: int, content: bytes) -> None:
    """Write all of it, to the disk."""
    with os.fdopen(descriptor, "wb") as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())


def _make_like(path: Path, model: os.stat_result, mode: int) -> None:
    """Give a new file its mode, and the owner of the file or folder that it stands for or in.

    Only root, as under sudo, writes for somebody else; a user's file must not become root's.
    """
    if hasattr(os, "chown") and (path.stat().st_uid, path.stat().st_gid) != (model.st_uid, model.st_gid):
        # A group that the user is not in stays what it is: that is no reason not to write.
        with contextlib.suppress(PermissionError):
            os.chown(path, model.st_uid, model.st_gid)
    path.chmod(mode)


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _make_like(folder, folder.parent.stat(), stat.S_IMODE(folder.stat().st_mode))


def _backup_names(path: Path) -> Iterator[Path]:
    for number in range(1, 1000):
        yield path.with_name(f"{path.name}.deeporigin-backup{number if number > 1 else ''}")
