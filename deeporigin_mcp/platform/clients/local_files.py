"""Files of this machine that a transfer reads or writes.

Nothing is overwritten, and a file has its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import anyio
from anyio.to_thread import run_sync

from deeporigin_mcp.errors import ArgumentError

Source = Path | IO[bytes]
"""A file to read: its path, or an open binary file that can seek."""
Target = Path | IO[bytes]
"""A file to write: a path where nothing is yet, or an open binary file that can seek and truncate."""


@contextlib.contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    if isinstance(source, Path):
        with local_errors(source.name):
            file = source.open("rb")
        with file:
            yield file
    else:
        yield source


class _NewFile:
    """A local file that gets its name when it is whole, unless something else has taken it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
        self._file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        if os.path.lexists(self._target):
            raise self._exists()
        with local_errors(self._target.name):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._unfinished.open("xb")
        return self._file

    def close(self, is_whole: bool) -> None:
        """Close it and, if it is whole, give it its name."""
        if self._file is None:
            return
        try:
            with local_errors(self._target.name):
                self._file.close()
                if is_whole:
                    self._name()
        finally:
            with contextlib.suppress(OSError):
                self._unfinished.unlink(missing_ok=True)

    def _name(self) -> None:
        try:
            # Unlike a renaming, it fails if the name is taken.
            self._target.hardlink_to(self._unfinished)
        except FileExistsError:
            raise self._exists() from None
        except OSError:
            # A file system without hard links.
            if os.path.lexists(self._target):
                raise self._exists() from None
            self._unfinished.rename(self._target)

    def _exists(self) -> ArgumentError:
        return ArgumentError(
            f"A local file {self._target.name[:200]!r} exists already and was left as it is.",
            next_step="Choose another name or folder.",
            code="file_exists",
        )


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """A local file to be written inside; it gets its name at the end, and an exception leaves nothing behind.

    Raises:
        ArgumentError: `file_exists`, or `local_file_failed`, which is also what an `OSError` inside becomes.
    """
    new, is_whole = _NewFile(target), False
    try:
        with local_errors(target.name):
            yield new.open()
        is_whole = True
    finally:
        new.close(is_whole)


@contextlib.asynccontextmanager
async def new_file_in_thread(target: Path) -> AsyncIterator[IO[bytes]]:
    """As `new_file`, without blocking the event loop; what is raised inside stays what it is."""
    new, is_whole = _NewFile(target), False
    try:
        yield await run_sync(new.open)
        is_whole = True
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(new.close, is_whole)


@contextlib.contextmanager
def local_errors(name: str) -> Iterator[None]:
    """Raise what this machine's file system refuses as `ArgumentError`; only the name of the file is shown."""
    try:
        yield
    except OSError as error:
        raise ArgumentError(
            f"The local file {name[:200]!r} cannot be used: {error.strerror or type(error).__name__}.",
            next_step="Choose another file or folder.",
            code="local_file_failed",
        ) from None
