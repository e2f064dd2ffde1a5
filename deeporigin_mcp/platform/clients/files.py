"""Files of the organisation: listed, uploaded and downloaded in pieces (molecules-and-files 7).

No file is held in memory. A transfer that was cut goes on where it stopped if the store allows it, and begins anew if
not. Size and checksum are compared afterwards.
"""

from __future__ import annotations

import builtins
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio.to_thread import run_sync

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    PlatformError,
)
from deeporigin_mcp.platform.clients.local_files import Source, Target, new_file_in_thread, opened
from deeporigin_mcp.platform.clients.paging import Cursors
from deeporigin_mcp.platform.clients.transfers import (
    PIECE_BYTES,
    Checksum,
    Download,
    Transfer,
    WorkerThread,
    outcomes_of,
    pieces_of,
)
from deeporigin_mcp.platform.records.files import RemoteFile, described_file, listed_file
from deeporigin_mcp.platform.records.values import Json, as_object, text
from deeporigin_mcp.platform.transport.decompression import decoded
from deeporigin_mcp.platform.transport.http_errors import decoded_body
from deeporigin_mcp.platform.transport.remote_paths import PROTECTED, address, cleaned, file_path, writable_path
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import AGAIN, expect_list, rows_of
from deeporigin_mcp.platform.transport.scope import Scope
from deeporigin_mcp.platform.transport.signed_links import SignedLink

if TYPE_CHECKING:
    import httpx

DIRECT_UPLOAD_BYTES = 16 * 1024 * 1024
"""A larger file goes to the file store by a signed link: the gateway would first have to take all of it."""
SILENCE_SECONDS = 120.0
"""The longest pause between two pieces of a transfer."""
LINK_SECONDS = 30.0
FETCH_SECONDS = 60.0
CONCURRENT_TRANSFERS = 20
MAX_LISTED = 100_000


class Files:
    """`client.files`. Paths are those of the platform, relative to the organisation, such as `tool-runs/e-1/a.sdf`.

    All methods raise `ArgumentError` with the code `invalid_path` for a path with `..`, and others that cannot be.
    """

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope
        self._etag_is_md5 = True

    # What is there

    async def page(
        self,
        path: str = "",
        *,
        recursive: bool = True,
        last_count: int | None = None,
        continuation_token: str | None = None,
        delimiter: str | None = None,
        max_keys: int | None = None,
        prefix: str | None = None,
    ) -> Json:
        """One page of a folder: `{"data": [{Key, Size, ETag, LastModified}, …], "continuationToken": text or None}`.

        An unknown folder is an empty one.

        Args:
            recursive: also what is in its folders; else files and folders of this level.
            max_keys: rows per page, at most 1000.
            continuation_token: of the page before.
        """
        given = {
            "recursive": "true" if recursive else None,
            "last-count": last_count,
            "continuation-token": continuation_token,
            "delimiter": delimiter,
            "max-keys": max_keys,
            "prefix": prefix,
        }
        folder = cleaned(path)
        what = f"list files in {folder or 'the top folder'}"
        response = expect_list(
            await self._transport.send(
                "GET",
                address(self._scope, folder, "directory"),
                what=what,
                params={name: value for name, value in given.items() if value is not None},
            ),
            what,
        )
        holder = as_object(response)
        token = text(holder.get("continuation_token")) or text(holder.get("continuationToken"))
        return {"data": rows_of(response), "continuationToken": token or None}

    async def list(
        self, path: str = "", *, recursive: bool = True, limit: int = MAX_LISTED, **options: Any
    ) -> list[RemoteFile]:
        """All files of a folder, up to `limit`; page after page.

        Args:
            options: as for `page`.
        """
        found: dict[str, RemoteFile] = {}
        token: str | None = None
        tokens = Cursors(f"the folder {cleaned(path)[:200]!r}")
        while len(found) < limit:
            before = len(found)
            page = await self.page(path, recursive=recursive, continuation_token=token, **options)
            found.update((row.path, row) for row in map(listed_file, page["data"]) if row.path)
            token = tokens.next(page["continuationToken"], has_new=len(found) > before)
            if token is None:
                break
        return [*found.values()][:limit]

    async def stat(self, path: str) -> RemoteFile:
        """Size, ETag and date of one file, without its content.

        Raises:
            NotFoundError: there is no such file; code `file_not_found`.
        """
        wanted = file_path(path)
        try:
            headers = await self._transport.head(address(self._scope, wanted), what=f"look up the file {wanted}")
        except NotFoundError as error:
            raise NotFoundError(
                f"The platform has no file {wanted[:200]!r}.",
                next_step="Check the path: list the folder.",
                http_status=404,
                request_id=error.request_id,
                code="file_not_found",
            ) from None
        return described_file(wanted, headers)

    async def exists(self, path: str) -> bool:
        """Whether there is such a file: one HEAD request, and a listing if that is forbidden."""
        try:
            await self.stat(path)
        except NotFoundError:
            return False
        except CredentialError as error:
            if error.http_status != 403:
                raise
            # A store may give 403 for a file that does not exist.
            wanted = file_path(path)
            folder = wanted.rpartition("/")[0]
            return any(row.path == wanted for row in await self.list(f"{folder}/", recursive=False))
        return True

    async def signed_link(self, path: str, *, upload: bool = False) -> SignedLink:
        """A link with which anyone can read the file, or write it, for 24 h. A secret: never log it.

        There may be a link to a file that does not exist.
        """
        wanted = writable_path(path) if upload else file_path(path)
        response = await self._transport.send(
            "GET",
            address(self._scope, wanted, "signedUrl"),
            what=f"get a signed link to {wanted}",
            params={"upload": "true"} if upload else None,
            timeout_seconds=LINK_SECONDS,
        )
        return self._transport.link_in(response)

    # In

    async def upload(
        self,
        source: Source,
        path: str,
        *,
        name: str | None = None,
        overwrite: bool = False,
        direct: bool | None = None,
    ) -> Transfer:
        """Upload a file as it is, in pieces.

        Args:
            path: where to. What is there is left alone, unless `overwrite`.
            name: the local name that the platform is given; None: the source's.
            direct: through the gateway, or by a signed link; None: by the size.

        Raises:
            ArgumentError: `invalid_path`, `path_reserved`, `file_exists`, or `file_changed` while it was read.
            PlatformError: `upload_incomplete`, if the platform then has another size.
        """
        target = writable_path(path)
        if not overwrite and await self.exists(target):
            raise ArgumentError(
                f"The platform already has a file {target[:200]!r}, and it was left as it is.",
                next_step="Choose another path.",
                code="file_exists",
            )
        with opened(source) as file:
            size = await run_sync(file.seek, 0, os.SEEK_END)
            by_gateway = size <= DIRECT_UPLOAD_BYTES if direct is None else direct
            shown = name or (source.name if isinstance(source, Path) else target.rpartition("/")[2])
            return await self._upload(file, size, target, shown if by_gateway else None)

    async def _upload(self, file: IO[bytes], size: int, target: str, form_name: str | None) -> Transfer:
        """Upload through the gateway, as a form that names the file so, or by a signed link."""
        etag, md5 = "", Checksum()
        what = f"upload {target}"

        async def once() -> bool:
            nonlocal etag, md5
            md5 = Checksum()
            await run_sync(file.seek, 0)
            async with WorkerThread() as worker:
                content = pieces_of(file, size, md5, worker)
                if form_name is None:
                    etag = await self._put_by_link(target, what, content, size)
                else:
                    etag = await self._put_as_form(target, what, content, size, form_name)
            return True

        await self._transport.retried(once, budget_seconds=float("inf"))
        # Equal MD5s prove it; else the size has to do.
        verified = md5.agrees(etag) is True
        if not verified and (stored := (await self.stat(target)).size) not in (None, size):
            raise PlatformError(
                f"The platform has {stored:,} bytes of {target[:200]!r} after an upload of {size:,} bytes.",
                next_step="Upload it again to another path.",
                code="upload_incomplete",
            )
        return Transfer(target, size, verified)

    async def _put_by_link(self, target: str, what: str, content: AsyncIterator[bytes], size: int) -> str:
        """Upload to the file store itself; returns the ETag."""
        link = await self.signed_link(target, upload=True)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        async with self._transport.open(
            "PUT", link, what=what, headers=headers, content=content, silence_seconds=SILENCE_SECONDS
        ) as response:
            return str(response.headers.get("etag", ""))

    async def _put_as_form(self, target: str, what: str, content: AsyncIterator[bytes], size: int, name: str) -> str:
        """Upload through the gateway, as a form with one file; returns the ETag."""
        boundary = secrets.token_hex(16)
        quoted = name.translate({ord('"'): "%22", **{code: f"%{code:02X}" for code in range(0x20)}})
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode("utf-8", "replace")
        tail = f"\r\n--{boundary}--\r\n".encode()

        async def form() -> AsyncIterator[bytes]:
            yield head
            async for piece in content:
                yield piece
            yield tail

        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
        }
        async with self._transport.open(
            "PUT",
            address(self._scope, target),
            what=what,
            headers=headers,
            content=form(),
            silence_seconds=SILENCE_SECONDS,
        ) as response:
            body = await _small_json(response, what)
        return text(body.get("eTag")) or text(body.get("etag"))

    async def upload_many(
        self,
        files: Sequence[tuple[Source, str]],
        *,
        overwrite: bool = False,
        concurrency: int = CONCURRENT_TRANSFERS,
    ) -> builtins.list[Transfer | DeepOriginError]:
        """Upload files concurrently; the outcome of each, in their order.

        Raises:
            RestrictionError, CredentialError: they concern all files; the rest is not sent.
        """

        async def one(number: int) -> Transfer:
            source, path = files[number]
            return await self.upload(source, path, overwrite=overwrite)

        return await outcomes_of(len(files), one, concurrency)

    async def fetch_from_url(self, source_url: str, path: str) -> RemoteFile:
        """Have the platform fetch a public address and store it; no byte passes through here.

        Raises:
            ArgumentError: `invalid_url`, `invalid_path`, `path_reserved`.
            InvalidRequestError: the platform could not fetch it.
            PlatformError: `fetched_nothing`, if the stored file is empty.
        """
        target = writable_path(path)
        try:
            parts = urlsplit(source_url)
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        except ValueError:
            is_usable = False
        if not is_usable:
            raise ArgumentError(
                "Invalid URL to fetch a file from. Valid: https://host/path, without a user name.", code="invalid_url"
            )
        await self._transport.send(
            "POST",
            address(self._scope, target),
            what=f"fetch a file to {target}",
            body={"url": source_url},
            timeout_seconds=FETCH_SECONDS,
        )
        stored = await self.stat(target)
        if stored.size == 0:
            raise PlatformError(
                f"The platform fetched an empty file from {parts.hostname}.",
                next_step="Check the URL.",
                code="fetched_nothing",
            )
        return stored

    # Out

    async def download(self, path: str, target: Target, *, max_bytes: int | None = None) -> Transfer:
        """Download a file in pieces. Nothing is overwritten, and a failure leaves no file behind.

        Args:
            path: `#record-<n>` is cut off: the file with all its records arrives.
            target: a path gets a file at the end only; an open file is written from its start.
            max_bytes: a larger file is refused.

        Raises:
            NotFoundError: `file_not_found`.
            ArgumentError: `file_exists` (the local one), `file_too_large`.
            PlatformError: `signed_link_refused`, `checksum_mismatch`.
        """
        wanted = file_path(path)
        if not isinstance(target, Path):
            return await self._download(wanted, target, max_bytes)
        async with new_file_in_thread(target) as file:
            done = await self._download(wanted, file, max_bytes)
        return replace(done, local_path=target)

    async def _download(self, path: str, file: IO[bytes], max_bytes: int | None) -> Transfer:
        download = Download(file, path, max_bytes)
        what = f"download {path}"

        async def once() -> bool:
            # The platform's own files have no signed links.
            link = address(self._scope, path) if path.startswith(PROTECTED) else await self.signed_link(path)
            before = download.size
            try:
                # Compressed, it could neither be continued nor compared with its checksum.
                headers = {"Accept-Encoding": "identity", **download.headers()}
                async with self._transport.open(
                    "GET", link, what=what, headers=headers, silence_seconds=SILENCE_SECONDS
                ) as response:
                    await download.read(response, what)
            except NetworkError:
                if not download.headers() or download.size - before < PIECE_BYTES:
                    raise
                return False
            except InvalidRequestError as error:
                if error.http_status != 416 or before == 0:
                    raise
                # It became shorter meanwhile.
                await download.restart()
                return False
            return True

        seen = ""
        while True:
            await self._transport.retried(once, budget_seconds=float("inf"))
            agrees = download.md5.agrees(download.etag) if self._etag_is_md5 else None
            if agrees is False and seen == download.md5.text:
                # The same bytes twice: this store's ETags are no MD5 (it encrypts with keys of its own).
                self._etag_is_md5, agrees = False, None
            if agrees is not False:
                return Transfer(path, download.size, agrees is True)
            if seen:
                raise PlatformError(
                    f"The checksum of {path[:200]!r} is wrong, and two downloads differ.",
                    next_step=AGAIN,
                    code="checksum_mismatch",
                )
            seen = download.md5.text
            await download.restart()

    async def download_many(
        self,
        files: Sequence[tuple[str, Target]],
        *,
        max_bytes: int | None = None,
        concurrency: int = CONCURRENT_TRANSFERS,
    ) -> builtins.list[Transfer | DeepOriginError]:
        """Download files concurrently; the outcome of each, in their order. Raises as `upload_many` does.

        Args:
            max_bytes: for each file.
        """

        async def one(number: int) -> Transfer:
            path, target = files[number]
            return await self.download(path, target, max_bytes=max_bytes)

        return await outcomes_of(len(files), one, concurrency)

    async def delete(self, path: str) -> None:
        """Delete one file for good. Folders are not deleted.

        Raises:
            NotFoundError: `file_not_found`: the platform says that it deleted nothing.
        """
        target = writable_path(path)
        what = f"delete the file {target}"
        if await self._transport.send("DELETE", address(self._scope, target), what=what) is not True:
            raise NotFoundError(
                f"The platform deleted nothing: {target[:200]!r}.",
                next_step="Check the path: list the folder.",
                code="file_not_found",
            )


async def _small_json(response: httpx.Response, what: str) -> Json:
    content = bytearray()
    async for piece in decoded(response, what, max_bytes=64 * 1024):
        content += piece
    return as_object(decoded_body(bytes(content)))
