"""Content encodings: what is read, what is refused, and that neither memory nor time is the sender's choice."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import NetworkError, PlatformError
from deeporigin_mcp.platform import RetryPolicy
from deeporigin_mcp.platform.transport import requests
from deeporigin_mcp.platform.transport.decompression import MAX_PIECE_BYTES, decoded
from tests.support.recording import Recorder, Reply, client_for, execution, with_code

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1)
TEXT = json.dumps(execution()).encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def flushed_often(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(data[i : i + 7]) + packer.flush(zlib.Z_FULL_FLUSH) for i in range(0, len(data), 7))


READABLE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "in capitals": ("GZip", gzip.compress),
    "by its old name": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "gzip in deflate": ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
    "deflate in gzip": ("deflate,gzip", lambda data: gzip.compress(raw_deflate(data))),
    "gzip twice": ("gzip, identity, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "with rubbish behind it": ("gzip", lambda data: gzip.compress(data) + b"\0\0rubbish"),
    "cut into blocks": ("gzip", flushed_often),
}


@pytest.mark.parametrize(("encoding", "pack"), READABLE.values(), ids=READABLE)
async def test_every_encoding_that_is_asked_for_is_read(
    server: Recorder, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    server.answer(Reply(pack(TEXT), headers={"content-encoding": encoding}))
    async with client_for(server) as client:
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "compress", "gzip, gzip, gzip, gzip", "x" * 999])
async def test_other_encodings_are_refused_by_name_and_unread(server: Recorder, encoding: str) -> None:
    server.answer(Reply(TEXT, headers={"content-encoding": encoding}))
    async with client_for(server, retry=ONCE) as client:
        with pytest.raises(PlatformError) as caught:
            await client.executions.get("e-1")
    assert caught.value.code == "unsupported_encoding"
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
async def test_a_body_that_does_not_match_its_content_encoding_is_an_error(server: Recorder, encoding: str) -> None:
    server.answer(Reply(TEXT, headers={"content-encoding": encoding}))
    async with client_for(server, retry=ONCE) as client:
        with pytest.raises(NetworkError, check=with_code("connection_lost")):
            await client.executions.get("e-1")


@pytest.mark.parametrize("cut", [1, 10, 30, -1])
async def test_a_compressed_response_that_is_cut_off_is_an_error(server: Recorder, cut: int) -> None:
    server.answer(Reply(gzip.compress(TEXT)[:cut] if cut > 0 else gzip.compress(TEXT[:-1]), headers=GZIP))
    async with client_for(server, retry=ONCE) as client:
        with pytest.raises(PlatformError):
            await client.executions.get("e-1")


GZIP = {"content-encoding": "gzip"}
BLANKS = b" " * 2**25
EMPTY_BLOCKS = flushed_often(b" " * 7) + b"\0\0\0\xff\xff" * 2**22
BOMBS: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(BLANKS)),
    "deflate": ("deflate", zlib.compress(BLANKS)),
    "raw deflate": ("deflate", raw_deflate(BLANKS)),
    "gzip twice": ("gzip, gzip", gzip.compress(gzip.compress(BLANKS))),
    "three times": ("gzip, deflate, gzip", gzip.compress(zlib.compress(gzip.compress(BLANKS)))),
    "within, nothing": ("gzip, gzip", gzip.compress(EMPTY_BLOCKS)),
    "behind a good one": ("gzip, gzip", gzip.compress(gzip.compress(TEXT) + BLANKS)),
}


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(("encoding", "bomb"), BOMBS.values(), ids=BOMBS)
async def test_a_body_that_swells_is_refused_before_it_fills_the_memory(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, encoding: str, bomb: bytes, status: int
) -> None:
    monkeypatch.setattr(requests, "MAX_BODY_BYTES", 2**20)
    server.answer(Reply(bomb, status=status, headers={"content-encoding": encoding}))
    async with client_for(server, retry=ONCE) as client:
        tracemalloc.start()
        with pytest.raises(PlatformError, check=with_code("response_too_large")):
            await client.executions.get("e-1")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"1,", b'{"a":1},'])
@pytest.mark.parametrize("status", [200, 500])
async def test_a_response_of_too_many_values_is_not_parsed(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, unit: bytes, status: int
) -> None:
    monkeypatch.setattr(requests, "MAX_VALUES", 10_000)
    large = TEXT[:-1] + b', "extra": [' + unit * 1_000 + b"0]}"
    server.answer(Reply(b"[" + unit * 10_000 + b"0]", status=status), Reply(large))
    async with client_for(server, retry=ONCE) as client:
        with pytest.raises(PlatformError, check=with_code("response_too_large")):
            await client.executions.get("e-1")
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"


async def test_others_have_their_turn_while_a_large_response_is_read(server: Recorder) -> None:
    server.answer(Reply(gzip.compress(TEXT + BLANKS), headers=GZIP))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with client_for(server) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"
        tasks.cancel_scope.cancel()
    assert turns >= len(BLANKS) // MAX_PIECE_BYTES


class Answer:
    """As much of a response as is read here."""

    def __init__(self, encoding: str, chunks: list[bytes]) -> None:
        self.headers = {"content-encoding": encoding}
        self.stream = self._sent(chunks)

    @staticmethod
    async def _sent(chunks: list[bytes]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk


@given(data=st.binary(max_size=200), step=st.integers(1, 50), kind=st.sampled_from([*READABLE]))
async def test_it_does_not_matter_where_the_network_cuts(data: bytes, step: int, kind: str) -> None:
    encoding, pack = READABLE[kind]
    packed = pack(data)
    answer: Any = Answer(encoding, [packed[i : i + step] for i in range(0, len(packed), step)])
    assert b"".join([piece async for piece in decoded(answer, "read", max_bytes=None)]) == data
