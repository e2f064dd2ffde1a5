"""The content of a file while it is uploaded or downloaded: piece by piece, its size and its checksum.

A thread writes and hashes beside the network, so that neither waits for the other.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import anyio
from anyio.to_thread import run_sync

from deeporigin_mcp.errors import ArgumentError, CredentialError, DeepOriginError, NetworkError, RestrictionError
from deeporigin_mcp.platform.clients.local_files import local_errors
from deeporigin_mcp.platform.clients.paging import gather
from deeporigin_mcp.platform.records.files import described_file, md5_in
from deeporigin_mcp.platform.transport.decompression import decoded
from deeporigin_mcp.platform.transport.responses import AGAIN

if TYPE_CHECKING:
    import httpx

PIECE_BYTES = 512 * 1024
"""Read from or written to a disk in one step."""
PIECES_BEHIND = 2
"""So far may a disk and a checksum fall behind the network."""


@dataclass(frozen=True)
class Transfer:
    """A file that was uploaded or downloaded."""

    remote_path: str
    size: int
    """Bytes."""
    checksum_verified: bool
    """Whether the store's MD5 was compared; the size always is."""
    local_path: Path | None = None


class WorkerThread:
    """Work in a thread beside a transfer, piece by piece, in order. A checksum takes as long as the network.

    Use it as a context; `finish` waits for all of it, and raises what failed.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._thread is not None:
            with anyio.CancelScope(shield=True):
                await run_sync(lambda thread: thread.shutdown(cancel_futures=True), self._thread)

    async def add(self, work: Callable[[], None]) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
        self._pending.append(self._thread.submit(work))
        if len(self._pending) > PIECES_BEHIND:
            await run_sync(self._pending.popleft().result)

    async def finish(self, last: Callable[[], None]) -> None:
        """Do the last piece, which needs no thread of its own if it is the only one."""
        if self._thread is None:
            await run_sync(last)
            return
        await self.add(last)
        while self._pending:
            await run_sync(self._pending.popleft().result)


class Checksum:
    """Size and MD5 of what went through a transfer."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.md5(usedforsecurity=False)

    def add(self, piece: bytes | bytearray) -> None:
        self._hash.update(piece)

    def agrees(self, etag: str) -> bool | None:
        """Whether an ETag is the MD5 of the content; None if it is no MD5."""
        stated = md5_in(etag)
        return stated == self.text if stated else None

    @property
    def text(self) -> str:
        return self._hash.hexdigest()


class Download:
    """A file being downloaded, over several connections if need be."""

    def __init__(self, file: IO[bytes], path: str, max_bytes: int | None) -> None:
        self.md5 = Checksum()
        self.etag = ""
        self._file = file
        self._path = path
        self._max_bytes = max_bytes

    @property
    def size(self) -> int:
        """Bytes that are in the file."""
        return self.md5.size

    def headers(self) -> Mapping[str, str]:
        # Without an ETag nothing shows whether it is still the same file.
        if not self.size or not self.etag:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.etag}

    async def restart(self) -> None:
        self.md5, self.etag = Checksum(), ""
        await run_sync(self._empty)

    def _empty(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    async def read(self, response: httpx.Response, what: str) -> None:
        headers = response.headers
        if response.status_code != 206:
            await self.restart()
        elif not headers.get("content-range", "").startswith(f"bytes {self.size}-"):
            raise NetworkError(f"The file store sent another part than requested: {what}.", code="wrong_range")
        # A weak ETag ("W/…") does not promise equal bytes.
        etag = headers.get("etag", self.etag)
        self.etag = "" if etag.startswith("W/") or headers.get("content-encoding") else etag
        stated = described_file(self._path, headers).size
        expected = None if stated is None else self.size + stated
        self._check_size(expected)
        received, buffer = self.size, bytearray()
        async with WorkerThread() as worker:
            async for piece in decoded(response, what, max_bytes=None):
                buffer += piece
                received += len(piece)
                if len(buffer) >= PIECE_BYTES:
                    self._check_size(received)
                    await worker.add(partial(self._write, buffer))
                    buffer = bytearray()
            self._check_size(received)
            await worker.finish(partial(self._write, buffer, flush=True))
        if expected is not None and self.size != expected:
            raise NetworkError(
                f"The connection was lost during: {what} ({self.size:,} of {expected:,} bytes).",
                next_step=AGAIN,
                code="connection_lost",
            )

    def _write(self, buffer: bytearray, *, flush: bool = False) -> None:
        with local_errors(self._path.rpartition("/")[2]):
            self._file.write(buffer)
            if flush:
                self._file.flush()
        if md5_in(self.etag):
            self.md5.add(buffer)
        self.md5.size += len(buffer)

    def _check_size(self, size: int | None) -> None:
        if self._max_bytes is not None and size is not None and size > self._max_bytes:
            raise ArgumentError(
                f"{self._path[:200]!r} is larger than the limit of {self._max_bytes:,} bytes and was not downloaded.",
                next_step="Raise the limit, or get a signed link to it.",
                code="file_too_large",
            )


async def pieces_of(file: IO[bytes], size: int, md5: Checksum, worker: WorkerThread) -> AsyncIterator[bytes]:
    """The content of a file, whose size was stated."""

    def read() -> bytes:
        with local_errors(str(getattr(file, "name", "")).rpartition(os.sep)[2]):
            return file.read(PIECE_BYTES)

    while piece := await run_sync(read):
        md5.size += len(piece)
        if md5.size > size:
            break
        if size > PIECE_BYTES:
            await worker.add(partial(md5.add, piece))
        else:
            # Not worth a thread.
            md5.add(piece)
        yield piece
    if md5.size != size:
        raise ArgumentError(
            "The file changed while it was uploaded.", next_step="Upload it again.", code="file_changed"
        )
    await worker.finish(partial(md5.add, b""))


async def outcomes_of(
    count: int, one: Callable[[int], Awaitable[Transfer]], concurrency: int
) -> list[Transfer | DeepOriginError]:
    """The outcome of every transfer, a few at a time."""
    outcomes: dict[int, Transfer | DeepOriginError] = {}
    numbers = iter(range(count))

    async def work(_: int) -> None:
        for number in numbers:
            try:
                outcomes[number] = await one(number)
            except (RestrictionError, CredentialError):
                raise
            except DeepOriginError as error:
                outcomes[number] = error

    await gather(work, range(min(concurrency, count)))
    return [outcomes[number] for number in range(count)]
