"""Where molecules come from: a local file, a PDB entry, an address, or the text of a call, as one open file."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from urllib.parse import unquote, urlsplit

from deeporigin_mcp.errors import ArgumentError, InvalidRequestError, NotFoundError, PlatformError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.runtime.state import ToolContext, state_of

if TYPE_CHECKING:
    from deeporigin_mcp.platform.clients.imports import Suffix

Kind = Literal["protein", "ligands", "poses"]
Format = Literal["pdb", "cif", "pdbqt", "csv", "smi", "sdf"]

SOURCES: Mapping[Kind, tuple[str, ...]] = {
    "protein": ("path", "pdb_id", "url", "text", "execution_id"),
    "ligands": ("path", "smiles", "url", "text", "execution_id"),
    "poses": ("path", "url", "text", "execution_id"),
}
FORMATS: Mapping[Kind, tuple[Format, ...]] = {
    "protein": ("pdb", "cif", "pdbqt"),
    "ligands": ("csv", "smi", "sdf"),
    "poses": ("sdf",),
}
SUFFIXES: Mapping[str, Format] = {
    ".pdb": "pdb",
    ".ent": "pdb",
    ".cif": "cif",
    ".mmcif": "cif",
    ".pdbqt": "pdbqt",
    ".csv": "csv",
    ".tsv": "csv",
    ".smi": "smi",
    ".smiles": "smi",
    ".txt": "smi",
    ".sdf": "sdf",
    ".sd": "sdf",
    ".mol": "sdf",
}
MAX_TEXT_BYTES = 64 * 1024
MAX_FETCHED_BYTES = 50_000_000
"""Of a file that the platform fetched, and that is read back to be checked."""
IN_MEMORY_BYTES = 4_000_000
PDB_FILES = "https://files.rcsb.org/download/"

_PDB_ID = re.compile(r"[1-9][a-z0-9]{3}|pdb_[a-z0-9]{8}")
_PUBLIC_NAME = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?")
_PRIVATE_NAME = re.compile(r"(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|localdomain)$")


@dataclass(frozen=True)
class Source:
    """Molecules, as a file that is open and can seek.

    Attributes:
        stem: of its name, without the suffix; empty for a text.
        staged_path: where it is on the platform already; empty where it still has to go there.
    """

    file: IO[bytes]
    format: Format
    shown: str
    stem: str = ""
    staged_path: str = ""


def chosen_source(kind: Kind, given: Mapping[str, Any], *, is_local: bool) -> str:
    """The name of the one source that is given.

    Raises:
        ArgumentError: none or several are, or one that does not fit the kind.
    """
    valid = [name for name in SOURCES[kind] if is_local or name != "path"]
    shown = f"{', '.join(valid[:-1])} or {valid[-1]}"
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"has {', '.join(named)}" if named else "has no source"
        raise ArgumentError(f"The call {what}. Valid for kind {kind}: exactly one of {shown}.")
    (name,) = named
    if name not in valid:
        raise ArgumentError(f"{name} does not fit kind {kind}. Valid: {shown}.")
    return name


def pdb_entry(pdb_id: str) -> str:
    """A PDB id as its rows have it, in upper case.

    Raises:
        ArgumentError: it is none.
    """
    if not _PDB_ID.fullmatch(pdb_id.strip().lower()):
        raise ArgumentError(f"Invalid pdb_id {one_line(pdb_id, 40)!r}. Valid: four characters such as 1IEP.")
    return pdb_id.strip().upper()


@contextlib.asynccontextmanager
async def opened(
    ctx: ToolContext, kind: Kind, name: str, value: str, given_format: Format | None
) -> AsyncIterator[Source]:
    """Open a source; what the platform fetches is read back, as it is checked here.

    Raises:
        ArgumentError: it cannot be read, or has another format than the kind needs.
    """
    client = state_of(ctx).client
    match name:
        case "path":
            format_ = _format(kind, value, given_format)
            from deeporigin_mcp.tools.files.folders import folders_of

            folders = await folders_of(ctx, value)
            with folders.open(value) as local:
                yield Source(local.file, format_, one_line(local.name, 100), PurePosixPath(local.name).stem)
        case "text":
            content = value.encode("utf-8", "replace")
            if len(content) > MAX_TEXT_BYTES:
                raise ArgumentError(
                    f"text has {len(content):,} bytes. Valid: at most {MAX_TEXT_BYTES:,}.",
                    next_step="Import it from another source.",
                    code="file_too_large",
                )
            yield Source(io.BytesIO(content), _format(kind, "", given_format), "text")
        case "url" if "://" not in value:
            format_ = _format(kind, value, given_format)
            path = (await client.files.stat(value.strip())).path
            async with read_back(client, path, format_) as source:
                # It is staged like any other file: by its staged path an import is found again.
                yield replace(source, staged_path="", stem=PurePosixPath(path).stem)
        case "url":
            url = _public(value)
            path = unquote(urlsplit(url).path)
            format_ = _format(kind, path, given_format)
            host = one_line(urlsplit(url).hostname or "", 60)
            with spooled() as file:
                staged = await _fetched(client, url, format_, file)
                yield Source(file, format_, f"the file from {host}", PurePosixPath(path).stem, staged)
        case _:
            with spooled() as file:
                yield await _entry(client, pdb_entry(value), file)


def _format(kind: Kind, path: str, given: Format | None) -> Format:
    """The format that is given, else that of the suffix."""
    found = given or SUFFIXES.get(PurePosixPath(path.strip().lower()).suffix)
    if found in FORMATS[kind]:
        return found
    valid = ", ".join(FORMATS[kind])
    if path and given is None:
        suffix = one_line(PurePosixPath(path).suffix, 20) or "no suffix"
        suffixes = ", ".join(suffix for suffix, of in SUFFIXES.items() if of in FORMATS[kind])
        raise ArgumentError(
            f"{one_line(PurePosixPath(path).name, 100)!r} has {suffix}, which does not fit kind {kind}. "
            f"Valid: {suffixes}; or give the format ({valid})."
        )
    what = f"Invalid format {given!r}" if given else "Missing format"
    raise ArgumentError(f"{what} for kind {kind}. Valid: {valid}.")


def _public(url: str) -> str:
    """The address, if it may be that of a public server.

    Raises:
        ArgumentError: `invalid_url`.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").rstrip(".").lower()
        is_public = parts.scheme == "https" and "@" not in parts.netloc and parts.port in (None, 443)
    except ValueError:
        host, is_public = "", False
    if not is_public or not _is_public_host(host):
        raise ArgumentError(
            f"Invalid url {one_line(url, 100)!r}. Valid: https://host/path on a public server, or a platform path.",
            code="invalid_url",
        )
    return url.strip()


def _is_public_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(_PUBLIC_NAME.fullmatch(host)) and not _PRIVATE_NAME.search(host)


async def _entry(client: DeepOriginClient, pdb_id: str, file: IO[bytes]) -> Source:
    """An entry of the PDB; the largest ones are there as mmCIF only."""
    formats: tuple[Format, ...] = ("cif",) if pdb_id.startswith("PDB_") else ("pdb", "cif")
    for format_ in formats:
        url = f"{PDB_FILES}{pdb_id.lower()}.{format_}"
        try:
            staged = await _fetched(client, url, format_, file)
        except (InvalidRequestError, NotFoundError, PlatformError) as error:
            if error.code == "file_too_large" or (isinstance(error, PlatformError) and error.code != "fetched_nothing"):
                raise
            continue
        if _looks_like_entry(file):
            return Source(file, format_, pdb_id, pdb_id, staged)
        await client.imports.discard(staged)
    raise NotFoundError(
        f"The platform could not fetch the PDB entry {pdb_id} from files.rcsb.org.",
        next_step="Check the id; or have the user download the file and import it from there.",
        code="file_not_found",
    )


def _looks_like_entry(file: IO[bytes]) -> bool:
    """Whether it is a structure, and no page that says that there is none."""
    start = file.read(2_000).lstrip().lower()
    file.seek(0)
    return bool(start) and not start.startswith((b"<", b"{"))


async def _fetched(client: DeepOriginClient, url: str, format_: Format, file: IO[bytes]) -> str:
    """Have the platform fetch a file and read it back; returns its staged path."""
    path = client.imports.fresh_path(cast("Suffix", f".{format_}"))
    await client.files.fetch_from_url(url, path)
    try:
        await client.files.download(path, file, max_bytes=MAX_FETCHED_BYTES)
    except ArgumentError:
        await client.imports.discard(path)
        raise
    file.seek(0)
    return path


@contextlib.contextmanager
def spooled() -> Iterator[IO[bytes]]:
    """A temporary file, in memory while it is small."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        yield file


@contextlib.asynccontextmanager
async def read_back(client: DeepOriginClient, path: str, format_: Format) -> AsyncIterator[Source]:
    """Open a file of the platform.

    Raises:
        NotFoundError: it is not there any more.
    """
    with spooled() as file:
        await client.files.download(path, file, max_bytes=MAX_FETCHED_BYTES)
        file.seek(0)
        yield Source(file, format_, one_line(PurePosixPath(path).name, 100), staged_path=path)
