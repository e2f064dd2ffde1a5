"""The body of a response, decompressed in bounded pieces, so that a gzip bomb costs neither memory nor time.

httpx decompresses a whole network read in one step, which may be a thousand times its size for each encoding.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

import anyio.lowlevel

from deeporigin_mcp.errors import PlatformError

if TYPE_CHECKING:
    import httpx

ACCEPT_ENCODING = "gzip, deflate"
"""Sent as Accept-Encoding; a response with any other encoding is refused unread."""
MAX_ENCODINGS = 3
MAX_PIECE_BYTES = 64 * 1024


async def decoded(
    response: httpx.Response, what: str, *, max_bytes: int | None, max_encodings: int = MAX_ENCODINGS
) -> AsyncIterator[bytes]:
    """Yield the decoded body in pieces of at most 64 KiB; other tasks run between any two of them.

    Args:
        response: sent with `stream=True` and not read yet.
        what: the request in words, for messages.
        max_bytes: limit for the body after each encoding; None means no limit.
        max_encodings: how many nested encodings are allowed.

    Raises:
        PlatformError: the body is larger, or has an unsupported encoding.
        httpx.DecodingError: the body does not match its Content-Encoding.
    """
    names = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    names = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    if len(names) > max_encodings or {*names} - {"gzip", "deflate"}:
        raise PlatformError(
            f"Unsupported content encoding {', '.join(names)[:80]!r} in the response to: {what}. "
            f"Valid: {ACCEPT_ENCODING}.",
            next_step="A proxy may have encoded it. Tell the operator.",
            code="unsupported_encoding",
        )
    layers = [_Layer(name, what, max_bytes) for name in reversed(names)]
    size = 0
    stream = response.stream
    assert isinstance(stream, AsyncIterable)  # noqa: S101 (that of an asynchronous client is)
    async for chunk in stream:
        pieces: Iterable[bytes] = (chunk,)
        for layer in layers:
            pieces = layer.opened(pieces)
        for piece in pieces:
            size += len(piece)
            if max_bytes is not None and size > max_bytes:
                raise _too_large(what, max_bytes)
            if piece:
                yield piece
            await anyio.lowlevel.checkpoint()


class _Layer:
    """One encoding. It yields pieces on demand, so that no layer holds more than one."""

    def __init__(self, name: str, what: str, max_bytes: int | None) -> None:
        self._what = what
        self._max_bytes = max_bytes
        self._size = 0
        self._start = b""
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16) if name == "gzip" else None

    def opened(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            rest = self._begun(piece)
            while self._inflater is not None and not self._inflater.eof:
                found = self._inflated(rest)
                rest = self._inflater.unconsumed_tail
                self._size += len(found)
                if self._max_bytes is not None and self._size > self._max_bytes:
                    raise _too_large(self._what, self._max_bytes)
                # Also an empty piece: the caller lets other tasks run between pieces.
                yield found
                if not rest and len(found) < MAX_PIECE_BYTES:
                    break

    def _begun(self, piece: bytes) -> bytes:
        """What there is to inflate. The first two bytes tell zlib from raw deflate; both are called deflate."""
        if self._inflater is not None:
            return piece
        self._start += piece
        if len(self._start) < 2:
            return b""
        has_header = self._start[0] & 15 == zlib.DEFLATED and int.from_bytes(self._start[:2], "big") % 31 == 0
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        return self._start

    def _inflated(self, rest: bytes) -> bytes:
        import httpx

        assert self._inflater is not None  # noqa: S101 (made by `_begun`)
        try:
            return self._inflater.decompress(rest, MAX_PIECE_BYTES)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error


def _too_large(what: str, max_bytes: int) -> PlatformError:
    return PlatformError(
        f"The response to {what} is larger than {max_bytes // 2**20} MiB and was not read.",
        next_step="Request fewer rows.",
        code="response_too_large",
    )
