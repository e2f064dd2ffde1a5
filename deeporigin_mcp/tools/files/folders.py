"""Which folders of this machine may be touched, and how their files are opened and named (design 6).

Only where the server runs on its user's machine (`settings.is_local`). A path comes from a model, which may have read a
poisoned log: so it reaches nothing outside of the operator's folders and the client's roots, nothing hidden, and only
regular files. What is opened is checked on the open descriptor, because a name may mean another file a moment later.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import InputRequiredResult, ListRootsRequest, ListRootsResult
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings.reading import home_directory
from deeporigin_mcp.tools.files.local_names import stem_of
from deeporigin_mcp.tools.responses.suggestions import did_you_mean
from deeporigin_mcp.tools.runtime.state import ClientAsked, ToolContext, state_of

MAX_FILE_BYTES = 200_000_000
UNNAMED = "files"
PATH_CHARACTERS = 200
"""How much of a path is shown."""
MAX_NAMED, MAX_COMPARED = 10, 1_000
"""Files that an error names, and those among which a mistyped name is looked for."""

ROOTS = "roots"
ROOTS_SECONDS = 3.0
ASKS_BY_RESULT = "2026-07-28"
"""From this protocol revision on, a request for roots is a result, and the client calls again with the response."""

_OPEN = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY", "O_NOINHERIT"):
    # Opening a pipe must not wait for a writer. Which of them exist depends on the system.
    _OPEN |= getattr(os, _flag, 0)
_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether a path can be walked folder by folder without following a link: everywhere but on Windows."""


@dataclass(frozen=True)
class LocalFile:
    """A regular file, open to be read from its start; nothing beyond `size` bytes is read."""

    name: str
    size: int
    """Bytes."""
    file: IO[bytes]


async def folders_of(ctx: ToolContext, path: str = "") -> Folders:
    """The operator's folders and, where these do not hold `path`, the client's roots too.

    Args:
        path: the path that is to be opened; empty where no file is read.

    Raises:
        ClientAsked: the client is asked for its roots, and calls again; `PlatformTool` handles it.
    """
    folders = Folders(state_of(ctx).settings.files)
    if not path.strip() or folders.holds(path):
        return folders
    roots = await _roots(ctx)
    return Folders((*folders.allowed, *(root for root in roots if _is_usable_root(root))))


class Folders:
    """The folders whose files may be read. The first also takes downloads."""

    def __init__(self, allowed: Collection[Path]) -> None:
        self.allowed = tuple(allowed)
        self._home = home_directory()

    @property
    def downloads(self) -> Path:
        """The folder for files from the platform, made if it is missing.

        Raises:
            ArgumentError: `local_file_failed`.
        """
        if not self.allowed:
            raise _no_folder()
        return self._made(self.allowed[0])

    def new_folder(self, name: str) -> Path:
        """A folder below `downloads`, made if it is missing; its name is made from `name`.

        Raises:
            ArgumentError: `local_file_failed`, if it is something else than a folder, or cannot be made.
        """
        return self._made(self.downloads / (stem_of(name) or UNNAMED))

    def _made(self, folder: Path) -> Path:
        try:
            # The operator's own folder may be a link; one below it was not made here.
            if folder not in self.allowed and folder.is_symlink():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError(
                f"The folder {self.shown(folder)} cannot be used: {_reason(error)}.",
                next_step="Tell the user.",
                code="local_file_failed",
            ) from None
        return folder

    def shown(self, path: Path) -> str:
        """A path as its user would name it: `~/deeporigin/…`."""
        if self._home is not None:
            for home in (self._home, Path(os.path.realpath(self._home))):
                if path.is_relative_to(home):
                    return one_line((Path("~") / path.relative_to(home)).as_posix(), PATH_CHARACTERS)
        return one_line(str(path), PATH_CHARACTERS)

    def holds(self, path: str) -> bool:
        """Whether there is something at this path that may be opened."""
        try:
            self._located(path)
        except ArgumentError:
            return False
        return True

    @contextlib.contextmanager
    def open(
        self, path: str, *, suffixes: Collection[str] = (), max_bytes: int = MAX_FILE_BYTES
    ) -> Iterator[LocalFile]:
        """Open a file to read it.

        Args:
            path: absolute, with `~`, or relative to one of the folders; the first that has it counts.
            suffixes: such as `.pdb`; case does not matter. Empty for any.

        Raises:
            ArgumentError: `invalid_path`, `outside_folders`, `local_file_not_found`, `file_too_large`,
                `local_file_failed`.
        """
        if suffixes and not path.strip().lower().endswith(tuple(each.lower() for each in suffixes)):
            raise ArgumentError(
                f"Invalid path {_shown(path)!r}. Valid: a file that ends in {', '.join(sorted(suffixes))}.",
                code="invalid_path",
            )
        base, parts = self._located(path)
        try:
            descriptor = _opened(base, parts)
        except OSError as error:
            raise self._refused(path, error) from None
        try:
            size = _checked_size(path, os.fstat(descriptor), max_bytes)
            content = io.BufferedReader(_Beginning(descriptor, parts[-1], size))
        except BaseException:
            os.close(descriptor)
            raise
        with content:
            yield LocalFile(parts[-1], size, content)

    def _located(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """One of the folders, and the path of something that exists below it: neither goes through a link."""
        given = path.strip()
        if not given or not given.isprintable():
            raise ArgumentError(
                f"Invalid path {_shown(path)!r}. Valid: the path of a file, printable characters only.",
                code="invalid_path",
            )
        wanted = Path(given)
        if wanted.parts[:1] == ("~",) and self._home is not None:
            wanted = self._home.joinpath(*wanted.parts[1:])
        is_hidden, places = False, list[Path]()
        for folder in self.allowed:
            # `..` is refused before a link could make it mean something else than it says.
            if ".." in wanted.parts:
                break
            base = Path(os.path.realpath(folder))
            target = Path(os.path.realpath(folder / wanted))
            if target == base or not target.is_relative_to(base):
                continue
            named = wanted.relative_to(folder) if wanted.is_relative_to(folder) else wanted
            parts = target.relative_to(base).parts
            if any(part.startswith(".") for part in (*parts, *(() if named.is_absolute() else named.parts))):
                is_hidden = True
                continue
            if os.path.lexists(target):
                return base, parts
            places.append(target)
        if places:
            raise self._not_found(path, places)
        if is_hidden:
            raise ArgumentError(
                f"Invalid path {_shown(path)!r}: hidden files and folders are not read.",
                next_step="Tell the user, who can copy the file under a visible name.",
                code="outside_folders",
            )
        raise self._outside(path)

    def _outside(self, path: str) -> ArgumentError:
        if not self.allowed:
            return _no_folder()
        return ArgumentError(
            f"Invalid path {_shown(path)!r}: only files in {self._listed()} are read.",
            next_step="Tell the user, who can put the file there, or have the operator add its folder to "
            "DEEPORIGIN_MCP_FILES.",
            code="outside_folders",
        )

    def _not_found(self, path: str, places: Collection[Path]) -> ArgumentError:
        names = [name for place in places for name in _names_in(place.parent)]
        hint = did_you_mean(Path(path.strip()).name, names)
        if hint:
            step = f"{hint[0].upper()}{hint[1:]}"
        elif names:
            more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
            step = f"In that folder: {', '.join(names[:MAX_NAMED])}{more}."
        else:
            step = "Ask the user where the file is."
        return ArgumentError(
            f"There is no file {_shown(path)!r} in {self._listed()}.", next_step=step, code="local_file_not_found"
        )

    def _refused(self, path: str, error: OSError) -> ArgumentError:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ESTALE):
            # It was no link a moment ago.
            return self._outside(path)
        if isinstance(error, FileNotFoundError):
            return self._not_found(path, ())
        reason = "it is not a regular file" if error.errno == errno.ENXIO else _reason(error)
        return ArgumentError(
            f"{_shown(path)!r} cannot be read: {reason}.", next_step="Tell the user.", code="local_file_failed"
        )

    def _listed(self) -> str:
        return ", ".join(map(self.shown, self.allowed))


def _no_folder() -> ArgumentError:
    return ArgumentError(
        "No folder for files is known, because there is no home directory.",
        next_step="Tell the user: the operator has to set DEEPORIGIN_MCP_FILES.",
        code="outside_folders",
    )


def _checked_size(path: str, found: os.stat_result, max_bytes: int) -> int:
    if not stat.S_ISREG(found.st_mode):
        what = "it is a folder" if stat.S_ISDIR(found.st_mode) else "it is not a regular file"
        raise ArgumentError(
            f"{_shown(path)!r} cannot be read: {what}.",
            next_step="Give the path of a file.",
            code="local_file_failed",
        )
    if found.st_size > max_bytes:
        raise ArgumentError(
            f"{_shown(path)!r} has {found.st_size:,} bytes. Valid: at most {max_bytes:,}.",
            next_step="Split it, or have the user upload it in the Deep Origin web app.",
            code="file_too_large",
        )
    return found.st_size


class _Beginning(io.FileIO):
    """A file of which nothing is read beyond its size when it was opened, however fast it grows."""

    def __init__(self, descriptor: int, name: str, size: int) -> None:
        super().__init__(descriptor, "rb")
        self.name = name
        self._size = size

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        return super().readinto(memoryview(buffer)[: max(0, self._size - self.tell())])

    def readall(self) -> bytes:
        return super().read(max(0, self._size - self.tell())) or b""


def _opened(base: Path, parts: tuple[str, ...]) -> int:
    """A descriptor of what is at this path, without following a link below `base`."""
    if not _HAS_DESCRIPTORS:
        return _opened_and_compared(base.joinpath(*parts))
    as_folder = _OPEN | os.O_DIRECTORY
    folder = os.open(base, as_folder)
    try:
        for part in parts[:-1]:
            inner = os.open(part, as_folder, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _OPEN, dir_fd=folder)
    finally:
        os.close(folder)


def _opened_and_compared(path: Path) -> int:
    """The same where links can only be found afterwards: what is open must be what the path means without one."""
    descriptor = os.open(path, _OPEN)
    try:
        is_same = os.path.samestat(os.fstat(descriptor), os.lstat(path))
        if not is_same or os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _names_in(folder: Path) -> list[str]:
    """The visible files of a folder, in the order of their names; a part of very many."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in islice(entries, MAX_COMPARED) if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(one_line(name, PATH_CHARACTERS) for name in found if not name.startswith("."))


def _shown(path: str) -> str:
    return one_line(path, PATH_CHARACTERS)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


# Roots: what the client has open


async def _roots(ctx: ToolContext) -> list[Path]:
    """The folders that the client offers; empty if it offers none, or does not respond soon."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.roots is None:
        return []
    if ctx.protocol_version is not None and is_version_at_least(ctx.protocol_version, ASKS_BY_RESULT):
        # Roots are deprecated there, but a client that declares them is asked: it knows where its user works.
        if ctx.input_responses is None:
            raise ClientAsked(InputRequiredResult(input_requests={ROOTS: ListRootsRequest()}))
        response: object = ctx.input_responses.get(ROOTS)
    else:
        response = await _requested(ctx)
    uris = [str(root.uri) for root in response.roots] if isinstance(response, ListRootsResult) else []
    return [path for path in map(_path_of, uris) if path is not None]


async def _requested(ctx: ToolContext) -> ListRootsResult | None:
    session = ctx.session
    if not session.can_send_request:
        return None
    with anyio.move_on_after(ROOTS_SECONDS), contextlib.suppress(MCPError, ValidationError):
        found: ListRootsResult = await session.send_request(ListRootsRequest(), ListRootsResult)
        return found
    return None


def _path_of(uri: str) -> Path | None:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.hostname not in (None, "localhost"):
        return None
    path = Path(url2pathname(parts.path))
    return path if path.is_absolute() else None


def _is_usable_root(root: Path) -> bool:
    """Whether a root is the place of some work. One that holds the whole home directory says nothing, nor `/`."""
    home, real = home_directory(), Path(os.path.realpath(root))
    is_hidden = any(part.startswith(".") for part in real.parts)
    return (
        not is_hidden
        and real != Path(real.anchor)
        and (home is None or not Path(os.path.realpath(home)).is_relative_to(real))
    )
