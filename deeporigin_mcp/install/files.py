"""Reads and replaces a client's configuration file: completely or not at all, with a backup beside it."""

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
    """A file that cannot be read or written; the message continues a sentence that begins with its path."""

    def __init__(self, message: str, code: str, next_step: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.next_step = next_step


@dataclass(frozen=True)
class File:
    """A configuration file as it was read. Links are resolved in `path`; `content` is None if it does not exist."""

    path: Path
    content: bytes | None

    @classmethod
    def read(cls, path: Path) -> File:
        """Read a file.

        Raises:
            UnusableFileError: `unreadable`, if it exists and cannot be read.
        """
        try:
            path = Path(os.path.realpath(path))
            if not stat.S_ISREG(path.stat().st_mode):
                # Reading a pipe or a device might never end.
                raise UnusableFileError("cannot be read: it is not a regular file", "unreadable")
            return cls(path, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return cls(path, None)
        except OSError as error:
            raise UnusableFileError(f"cannot be read: {error.strerror}", "unreadable") from None

    def text(self) -> str:
        """The content without a byte order mark, which many clients take for a syntax error.

        Raises:
            UnusableFileError: `not_utf8`.
        """
        try:
            return (self.content or b"").decode("utf-8").removeprefix(BOM)
        except UnicodeDecodeError:
            raise UnusableFileError("is not UTF-8 text", "not_utf8", "Save it as UTF-8 first.") from None

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
        """Copy it beside itself, under a free name; None if it does not exist.

        Raises:
            UnusableFileError: `not_backed_up`.
        """
        if self.content is None:
            return None
        for path in _backup_names(self.path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
            except FileExistsError:
                continue
            except OSError as error:
                raise UnusableFileError(f"cannot be backed up: {error.strerror}", "not_backed_up") from None
            try:
                _fill(descriptor, self.content)
                _make_like(path, self.path.stat(), stat.S_IMODE(self.path.stat().st_mode))
            except OSError as error:
                # Half a backup must not be mistaken for one.
                with contextlib.suppress(OSError):
                    path.unlink()
                raise UnusableFileError(f"cannot be backed up: {error.strerror}", "not_backed_up") from None
            return path
        raise UnusableFileError("has 999 backups", "not_backed_up", "Delete some of them.")

    def check_writable(self) -> None:
        """Check that it may be replaced: a read-only file is read-only on purpose.

        Raises:
            UnusableFileError: `read_only`.
        """
        if self.content is not None and not self.path.stat().st_mode & 0o222:
            raise UnusableFileError("is read-only", "read_only", "Make it writable first.")

    def replace(self, content: bytes, *, new_mode: int = PRIVATE) -> None:
        """Replace the content in one step. Permissions stay; a new file gets `new_mode`.

        Raises:
            UnusableFileError: `changed` since it was read, or `not_written`.
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
            raise UnusableFileError(f"cannot be written: {error.strerror}", "not_written") from None

    def delete(self) -> None:
        """Delete it.

        Raises:
            UnusableFileError: `changed` since it was read, or `not_written`.
        """
        self._check_unchanged()
        try:
            self.path.unlink()
        except OSError as error:
            raise UnusableFileError(f"cannot be deleted: {error.strerror}", "not_written") from None

    def _check_unchanged(self) -> None:
        if File.read(self.path).content != self.content:
            raise UnusableFileError("was changed by another program meanwhile", "changed", "Run the command again.")


def _fill(descriptor: int, content: bytes) -> None:
    """Write all of it, and wait until it is on the disk."""
    with os.fdopen(descriptor, "wb") as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())


def _make_like(path: Path, model: os.stat_result, mode: int) -> None:
    """Give a new file its mode, and the owner of `model`: the file it replaces, or its folder.

    Under sudo a user's file must not become root's.
    """
    if hasattr(os, "chown") and (path.stat().st_uid, path.stat().st_gid) != (model.st_uid, model.st_gid):
        # The user may not be in the group; the file is written all the same.
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
