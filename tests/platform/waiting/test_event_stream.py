"""The event stream: which executions to look at again, through every interruption."""

import gzip
import itertools
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting import observer
from tests.support.arbitrary import json_values
from tests.support.fake_time import START, FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution, token, with_code

pytestmark = pytest.mark.anyio


def frame(*filters: str, kind: str = "filters.dirty") -> bytes:
    return b"data: " + json.dumps({"type": kind, "filters": filters, "flushedAt": 1}).encode() + b"\n\n"


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(*chunks: bytes) -> list[list[str]]:
    return [filters async for filters in observer.dirty_filters(pieces(*chunks))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (frame("a") + frame("b", "c"), [["a"], ["b", "c"]]),
        (b"retry: 3000\n\n: heartbeat\n\n" + frame("a"), [["a"]]),
        (frame("a").replace(b"\n", b"\r\n"), [["a"]]),
        (b'event: x\nid: 7\ndata: {"type": "filters.dirty",\ndata:"filters": ["a"]}\n\n', [["a"]]),
        (frame("a", kind="other"), []),
        (frame(), []),
        (b"data: {\n\ndata: 7\n\ndata: []\n\ndata\n\n" + frame("a"), [["a"]]),
        (b'data: {"type": "filters.dirty", "filters": "a"}\n\n', []),
        (b'data: {"type": "filters.dirty", "filters": ["a", 7, null]}\n\n', [["a"]]),
        (b"data: " + b"[" * 20_000 + b"\n\n" + frame("a"), [["a"]]),
        (frame("a")[:-1], []),
        (frame("a").rstrip(), []),
        (b"", []),
        (b"data: \xff\xfe\n\n" + frame("a"), [["a"]]),
    ],
)
async def test_frames_name_the_filters_that_changed(text: bytes, found: list[list[str]]) -> None:
    assert await read(text) == found


frames = st.sampled_from([frame("a"), frame("b", "ä"), b": heartbeat\n\n", frame("x", kind="y"), b"data: {\r\n\r\n"])


@given(sent=st.lists(frames | st.binary(max_size=10), max_size=6), cuts=st.lists(st.integers(0, 400), max_size=8))
async def test_it_does_not_matter_where_the_network_cuts_the_stream(sent: list[bytes], cuts: list[int]) -> None:
    text = b"".join(sent)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert await read(*chunks) == await read(text)


@given(value=json_values)
async def test_no_frame_makes_the_reading_fail(value: Any) -> None:
    assert await read(b"data: " + json.dumps(value).encode() + b"\n\n") in ([], [[]]) or isinstance(value, dict)


ENDLESS = {
    "one line": [b"x" * 100_000] * 4,
    "lines of data": [b"data: x\n" * 10_000] * 4,
    "empty lines of data": [b"data:\n" * 20_000] * 4,
    "other fields": [b"id: 7\n" * 20_000] * 4,
    "comments": [b":\n" * 50_000] * 4,
    "one piece": [b"data: x\r\n" * 50_000],
}


@pytest.mark.parametrize("chunks", ENDLESS.values(), ids=ENDLESS)
async def test_a_frame_without_an_end_is_not_kept(chunks: list[bytes]) -> None:
    with pytest.raises(PlatformError, check=with_code("response_too_large")):
        await read(*chunks)


async def test_however_many_frames_come_none_of_them_is_too_long() -> None:
    assert await read(*[frame("a")] * 20_000) == [["a"]] * 20_000


# Following


class Follower:
    """Follows ids until the platform refuses for good, and notes what it was told."""

    def __init__(self) -> None:
        self.opened = 0
        self.dirty: list[list[str]] = []

    def on_open(self) -> None:
        self.opened += 1

    async def follow(self, client: DeepOriginClient, *ids: str) -> None:
        await client.observer.follow("proj_1", ids, self.on_open, self.dirty.append)


OVER = Reply(status=404)


def stream(*chunks: bytes) -> Reply:
    return Reply(stream=lambda: pieces(*chunks))


async def test_one_execution_is_followed_as_the_official_client_does(server: Recorder, time: FakeTime) -> None:
    server.answer(stream(frame("execution"), frame("unasked")), OVER)
    follower = Follower()
    async with client_for(server, time.timing) as client:
        await follower.follow(client, "e-1")
    assert server.lines[0] == "GET /sse/acme/stream/proj_1?filter=execution%3Dexecution%3Ae-1"
    assert (follower.opened, follower.dirty) == (1, [["e-1"]])


async def test_many_executions_share_one_stream(server: Recorder, time: FakeTime) -> None:
    server.answer(stream(frame("e1", "e0"), frame("e2")), OVER)
    follower = Follower()
    async with client_for(server, time.timing) as client:
        await follower.follow(client, "a", "b", "c")
    query = "filter=e0%3Dexecution%3Aa&filter=e1%3Dexecution%3Ab&filter=e2%3Dexecution%3Ac"
    assert server.lines[0] == f"GET /sse/acme/stream/proj_1?{query}"
    assert follower.dirty == [["b", "a"], ["c"]]


INTERRUPTIONS = [
    stream(),
    stream(b": heartbeat\n\n", b"data: {"),
    Reply(status=409),
    Reply(status=429),
    Reply(status=500),
    Reply(status=503, body=b"<html>"),
    Reply(fault="reset"),
    Reply(fault="garbage"),
    Reply(body=b"data: x", fault="half"),
    stream(*[b"data: x\n" * 50_000] * 2),
    Reply(body=b"data: x", headers={"content-encoding": "br"}),
    Reply(body=b"data: x", headers={"content-encoding": "gzip"}),
    Reply(body=gzip.compress(gzip.compress(frame("execution"))), headers={"content-encoding": "gzip, gzip"}),
]


@pytest.mark.parametrize("interruption", INTERRUPTIONS, ids=lambda r: f"{r.status} {r.fault or r.stream}"[:12])
async def test_an_interrupted_stream_is_opened_again(server: Recorder, time: FakeTime, interruption: Reply) -> None:
    server.answer(interruption, stream(frame("execution")), OVER)
    follower = Follower()
    async with client_for(server, time.timing) as client:
        await follower.follow(client, "e-1")
    assert follower.dirty == [["e-1"]]
    assert len(server.requests) == 3
    assert time.sleeps == [1.0, 2.0]


async def test_a_compressed_stream_is_read_piece_by_piece(server: Recorder, time: FakeTime) -> None:
    packed = gzip.compress(frame("execution") + b"\n" * 2**19 + frame("execution"))
    server.answer(Reply(packed, headers={"content-encoding": "gzip"}), OVER)
    follower = Follower()
    async with client_for(server, time.timing) as client:
        tracemalloc.start()
        await follower.follow(client, "e-1")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert follower.dirty == [["e-1"], ["e-1"]]
    # The empty lines of one piece and what they are split into, not half a million of them.
    assert peak < 2**23


async def test_pauses_between_streams_double_up_to_half_a_minute(server: Recorder, time: FakeTime) -> None:
    server.answer(*[Reply(status=503)] * 8, OVER)
    async with client_for(server, time.timing) as client:
        await Follower().follow(client, "e-1")
    assert time.sleeps == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


async def test_after_a_good_stream_the_pauses_begin_anew(server: Recorder, time: FakeTime) -> None:
    async def good() -> AsyncIterator[bytes]:
        yield b": heartbeat\n\n"
        time.advance(31)

    server.answer(Reply(status=503), Reply(status=503), Reply(stream=good), OVER)
    async with client_for(server, time.timing) as client:
        await Follower().follow(client, "e-1")
    assert time.sleeps == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_for_good_ends_the_following(server: Recorder, time: FakeTime, status: int) -> None:
    server.answer(Reply(status=status))
    async with client_for(server, time.timing) as client:
        await Follower().follow(client, "e-1")
    assert (len(server.requests), time.sleeps) == (1, [])


async def test_an_expired_token_ends_the_following(server: Recorder, time: FakeTime) -> None:
    async with client_for(server, time.timing, token=token(exp=START - 1)) as client:
        await Follower().follow(client, "e-1")
    assert server.requests == []


async def test_an_event_wakes_a_wait_before_its_timer(server: Recorder) -> None:
    states = iter(["Running", "Completed"])

    async def tell() -> AsyncIterator[bytes]:
        yield frame("execution")
        await anyio.sleep_forever()

    def answer(request: Any) -> Reply:
        if request.path.startswith("/sse/"):
            return Reply(stream=tell)
        return Reply(execution(next(states), projectId="proj_1"))

    server.handler = answer
    async with client_for(server) as client:
        with anyio.fail_after(20):
            assert (await client.executions.wait("e-1", poll_interval=1000.0))[0]["status"] == "Completed"
