"""Files in and out: whole, resumed after a cut, never overwritten; links stay secret and the token stays at home."""

import io
import itertools
import logging
import os
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    PlatformError,
    RestrictionError,
)
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients.files import Transfer
from tests.support.fake_time import FakeTime
from tests.support.file_store import DENIED, SIGNATURE, FileStore, uploaded
from tests.support.recording import Recorder, Reply, Request, client_for, recording, settings_for, with_code

pytestmark = pytest.mark.anyio

SDF = b"pose\n  1  0\n$$$$\n" * 1000
BIG = bytes(range(256)) * 24_000
"""Six MB: twelve pieces."""


@pytest.fixture
async def files(server: Recorder) -> AsyncIterator[FileStore]:
    async with recording() as elsewhere:
        yield FileStore(server, elsewhere)


@pytest.fixture
async def client(files: FileStore, time: FakeTime) -> AsyncIterator[DeepOriginClient]:
    async with client_for(files.platform, time.timing) as client:
        yield client


def failing(times: int, spoilt: Callable[[Reply], Reply], method: str = "GET") -> Callable[[Request, Reply], Reply]:
    """Spoil so many replies of the file store."""
    left = [times]

    def spoil(request: Request, reply: Reply) -> Reply:
        if not request.path.startswith("/bucket/") or request.method != method or not left[0]:
            return reply
        left[0] -= 1
        return spoilt(reply)

    return spoil


def failing_at_gateway(spoilt: Callable[[Reply], Reply]) -> Callable[[Request, Reply], Reply]:
    """Spoil the gateway's first reply."""
    left = [1]
    return lambda _, reply: spoilt(reply) if left and left.pop() else reply


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut(reply: Reply) -> Reply:
    return replace(reply, fault="half")


# In


async def test_an_upload_arrives_as_it_is_and_its_checksum_is_compared(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    source = tmp_path / "a.sdf"
    source.write_bytes(SDF)
    done = await client.files.upload(source, "imports/a.sdf")
    assert files.files["imports/a.sdf"] == SDF
    assert (done.size, done.checksum_verified) == (len(SDF), True)
    assert files.platform.lines == ["HEAD /files/acme/imports/a.sdf", "PUT /files/acme/imports/a.sdf"]


@pytest.mark.parametrize("direct", [True, False])
async def test_an_empty_file_is_uploaded_with_its_length(
    client: DeepOriginClient, files: FileStore, direct: bool
) -> None:
    done = await client.files.upload(io.BytesIO(), "a.txt", direct=direct)
    assert (done.size, files.files["a.txt"]) == (0, b"")
    puts = [request for request in files.platform.requests + files.store.requests if request.method == "PUT"]
    assert "content-length" in puts[0].headers


async def test_a_large_file_goes_to_the_store_by_a_link_without_the_token(
    client: DeepOriginClient, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeporigin_mcp.platform.clients.files.DIRECT_UPLOAD_BYTES", 1000)
    done = await client.files.upload(io.BytesIO(BIG), "big.bin")
    assert files.files["big.bin"] == BIG
    assert done.checksum_verified
    assert "authorization" not in files.store.requests[0].headers


async def test_without_a_checksum_the_size_is_compared(client: DeepOriginClient, files: FileStore) -> None:
    files.has_etags = False
    done = await client.files.upload(io.BytesIO(SDF), "a.sdf", overwrite=True)
    assert not done.checksum_verified
    assert [request.method for request in files.platform.requests] == ["PUT", "HEAD"]

    def lose(request: Request, reply: Reply) -> Reply:
        if request.method == "HEAD":
            return replace(reply, headers={**reply.headers, "content-length": "7"})
        return reply

    files.spoil = lose
    with pytest.raises(PlatformError, check=with_code("upload_incomplete")):
        await client.files.upload(io.BytesIO(SDF), "b.sdf", overwrite=True)


async def test_an_existing_file_is_not_overwritten(client: DeepOriginClient, files: FileStore) -> None:
    files.files["a.sdf"] = b"of a colleague"
    with pytest.raises(ArgumentError, check=with_code("file_exists")):
        await client.files.upload(io.BytesIO(SDF), "a.sdf")
    assert files.files["a.sdf"] == b"of a colleague"


@pytest.mark.parametrize("direct", [True, False])
async def test_a_failed_upload_is_sent_again_from_its_start(
    client: DeepOriginClient, files: FileStore, time: FakeTime, direct: bool
) -> None:
    left = [2]

    def busy(request: Request, reply: Reply) -> Reply:
        if request.method == "PUT" and left[0]:
            left[0] -= 1
            return Reply(status=503)
        return reply

    files.spoil = busy
    await client.files.upload(io.BytesIO(SDF), "a.sdf", overwrite=True, direct=direct)
    assert files.files["a.sdf"] == SDF
    assert len(time.sleeps) == 2


async def test_a_file_that_changes_while_it_is_uploaded_is_an_error(client: DeepOriginClient) -> None:
    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size)[:-1]

    with pytest.raises(ArgumentError, check=with_code("file_changed")):
        await client.files.upload(Shrinking(SDF), "a.sdf", overwrite=True)


async def test_a_local_file_that_cannot_be_read_is_named_without_its_folder(
    client: DeepOriginClient, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, check=with_code("local_file_failed")) as raised:
        await client.files.upload(tmp_path / "none.sdf", "a.sdf")
    assert str(tmp_path) not in str(raised.value)


async def test_the_platform_fetches_a_url_and_the_size_is_looked_up(client: DeepOriginClient, files: FileStore) -> None:
    stored = await client.files.fetch_from_url("https://example.org/1abc.pdb", "imports/1abc.pdb")
    assert stored.size == len(b"fetched")
    assert files.platform.requests[0].body == {"url": "https://example.org/1abc.pdb"}
    for url in ("file:///etc/passwd", "https://user:pw@example.org/x", "https://", "http://[", "data:x"):
        with pytest.raises(ArgumentError, check=with_code("invalid_url")):
            await client.files.fetch_from_url(url, "imports/x.pdb")
    files.spoil = lambda request, reply: reply if request.method == "POST" else Reply(headers={"content-length": "0"})
    with pytest.raises(PlatformError, check=with_code("fetched_nothing")):
        await client.files.fetch_from_url("https://example.org/1abc.pdb", "imports/2.pdb")


# Out


async def test_a_download_is_whole_and_gets_its_name_at_the_end(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["tool-runs/e-1/a.sdf"] = BIG
    done = await client.files.download("/tool-runs//e-1/a.sdf", tmp_path / "run" / "a.sdf")
    assert (tmp_path / "run" / "a.sdf").read_bytes() == BIG
    assert (done.size, done.checksum_verified) == (len(BIG), True)
    assert names_in(tmp_path / "run") == ["a.sdf"]
    assert "authorization" not in files.store.requests[0].headers
    assert files.store.requests[0].headers["accept-encoding"] == "identity"


async def test_a_cut_download_goes_on_where_it_stopped(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["a.bin"] = BIG
    files.spoil = failing(2, cut)
    done = await client.files.download("a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BIG
    assert done.checksum_verified
    starts = [int(request.headers.get("range", "bytes=0-")[6:-1]) for request in files.store.requests]
    assert starts[0] == 0 < starts[1] < starts[2]
    assert files.store.requests[1].headers["if-range"] == files.etag("a.bin")


@pytest.mark.parametrize("lacks", ["ranges", "etags"])
async def test_without_ranges_a_cut_download_begins_anew(
    client: DeepOriginClient, files: FileStore, tmp_path: Path, lacks: str
) -> None:
    files.files["a.bin"] = BIG
    files.takes_ranges, files.has_etags = lacks != "ranges", lacks != "etags"
    files.spoil = failing(2, cut)
    await client.files.download("a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BIG


async def test_a_file_that_changed_between_two_parts_is_read_anew(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["a.bin"] = BIG
    changed = BIG[::-1]

    def change(reply: Reply) -> Reply:
        files.files["a.bin"] = changed
        return cut(reply)

    files.spoil = failing(1, change)
    await client.files.download("a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == changed


async def test_a_download_that_is_always_cut_ends_and_leaves_nothing(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["a.bin"] = SDF
    files.spoil = failing(1000, cut)
    with pytest.raises(NetworkError):
        await client.files.download("a.bin", tmp_path / "a.bin")
    assert names_in(tmp_path) == []
    assert len(files.store.requests) == 4


async def test_a_damaged_file_is_read_again(client: DeepOriginClient, files: FileStore, tmp_path: Path) -> None:
    files.files["a.bin"] = SDF
    noise = iter(range(100))
    files.spoil = failing(1, lambda reply: replace(reply, body=SDF[:-1] + b"?"))
    done = await client.files.download("a.bin", tmp_path / "a.bin")
    assert done.checksum_verified
    files.spoil = failing(100, lambda reply: replace(reply, body=SDF[:-2] + f"{next(noise):02}".encode()))
    with pytest.raises(PlatformError, check=with_code("checksum_mismatch")):
        await client.files.download("a.bin", tmp_path / "b.bin")
    assert names_in(tmp_path) == ["a.bin"]


async def test_etags_that_are_no_md5_are_found_out_once(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["a.bin"] = SDF
    files.spoil = failing(1000, lambda reply: replace(reply, headers={**reply.headers, "etag": f'"{"ab" * 16}"'}))
    for number in range(3):
        done = await client.files.download("a.bin", tmp_path / str(number))
        assert not done.checksum_verified
    assert len(files.store.requests) == 4


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reply(b"<Error><Code>NoSuchKey</Code></Error>", 404), NotFoundError, "file_not_found"),
        (Reply(DENIED, 403), PlatformError, "signed_link_refused"),
        (Reply(b"<Error><Code>EntityTooLarge</Code></Error>", 400), InvalidRequestError, "file_too_large"),
        (Reply(b"", 400), InvalidRequestError, "file_refused"),
        (Reply(b"", 302, {"location": "https://elsewhere.example"}), PlatformError, "platform_failed"),
    ],
)
async def test_a_refusal_of_the_store_is_final_and_shows_no_link(
    client: DeepOriginClient,
    files: FileStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
    kind: type[DeepOriginError],
    code: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    files.spoil = failing(100, lambda _: reply)
    with pytest.raises(kind, check=with_code(code)) as raised:
        await client.files.download("a.bin", tmp_path / "a.bin")
    assert len(files.store.requests) == 1
    shown = "".join(traceback.format_exception(raised.value, chain=True)) + repr(raised.value) + caplog.text
    assert "Signature" not in shown
    assert "HTTP Request: GET" in caplog.text


async def test_a_link_hides_itself(client: DeepOriginClient, files: FileStore) -> None:
    link = await client.files.signed_link("a.bin")
    assert SIGNATURE in link.reveal()
    assert SIGNATURE not in f"{link} {link!r}"


@pytest.mark.parametrize("url", [None, 7, "", "ftp://a/b", "https://", "http://user:pw@a/b", "https://u@a/b", "//a/b"])
async def test_a_link_that_could_leak_is_not_used(client: DeepOriginClient, files: FileStore, url: Any) -> None:
    files.spoil = lambda *_: Reply({"url": url})
    with pytest.raises(PlatformError, check=with_code("invalid_signed_link")):
        await client.files.signed_link("a.bin")


async def test_over_https_a_link_must_be_https(files: FileStore) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"url": "http://bucket.example/a"})

    settings = settings_for("https://platform.example")
    async with DeepOriginClient(settings, http=httpx.MockTransport(respond)) as client:
        with pytest.raises(PlatformError, check=with_code("invalid_signed_link")):
            await client.files.signed_link("a.bin")


async def test_a_transient_failure_of_the_store_gets_a_fresh_link(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["a.bin"] = SDF
    files.spoil = failing(2, lambda _: Reply(status=503))
    await client.files.download("a.bin", tmp_path / "a.bin")
    assert files.platform.lines == ["GET /files/acme/signedUrl/a.bin"] * 3


async def test_a_local_file_is_not_overwritten(client: DeepOriginClient, files: FileStore, tmp_path: Path) -> None:
    files.files["a.bin"] = SDF
    (tmp_path / "a.bin").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("a.bin", "link"):
        with pytest.raises(ArgumentError, check=with_code("file_exists")):
            await client.files.download("a.bin", tmp_path / name)

    def meanwhile(reply: Reply) -> Reply:
        (tmp_path / "b.bin").write_bytes(b"mine too")
        return reply

    files.spoil = failing(1, meanwhile)
    with pytest.raises(ArgumentError, check=with_code("file_exists")):
        await client.files.download("a.bin", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == b"mine too"
    assert names_in(tmp_path) == ["a.bin", "b.bin", "link"]


async def test_a_file_system_without_hard_links_will_do(
    client: DeepOriginClient, files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    files.files["a.bin"] = SDF
    await client.files.download("a.bin", tmp_path / "a.bin")
    assert names_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("states_length", [True, False])
async def test_a_file_above_the_limit_is_refused(
    client: DeepOriginClient, files: FileStore, tmp_path: Path, states_length: bool
) -> None:
    files.files["a.bin"] = BIG

    async def pieces() -> AsyncIterator[bytes]:
        yield BIG

    if not states_length:
        files.spoil = failing(1, lambda _: Reply(stream=pieces))
    with pytest.raises(ArgumentError, check=with_code("file_too_large")):
        await client.files.download("a.bin", tmp_path / "a.bin", max_bytes=5_000_000)
    assert names_in(tmp_path) == []


async def test_the_platforms_own_files_come_through_the_gateway(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files["protected/panels/a.pdb"] = SDF
    files.spoil = failing_at_gateway(cut)
    await client.files.download("protected/panels/a.pdb", tmp_path / "a.pdb")
    assert (tmp_path / "a.pdb").read_bytes() == SDF
    assert files.platform.lines == ["GET /files/protected/panels/a.pdb"] * 2
    assert files.platform.requests[0].headers["accept-encoding"] == "identity"


async def test_many_files_come_concurrently_and_each_has_its_outcome(
    client: DeepOriginClient, files: FileStore, tmp_path: Path
) -> None:
    files.files = {f"r/{number}.sdf": SDF + b"%d" % number for number in range(40)}
    wanted = [(f"r/{number}.sdf", tmp_path / f"{number}.sdf") for number in range(41)]
    all_open = anyio.Event()

    async def serve(request: Request) -> Reply:
        if files.store.open_requests == 8:
            all_open.set()
        await all_open.wait()
        return files.serve(request)

    files.store.handler = serve
    found = await client.files.download_many(wanted, concurrency=8)
    for number, outcome in enumerate(found[:40]):
        assert isinstance(outcome, Transfer)
        assert (tmp_path / f"{number}.sdf").read_bytes() == SDF + b"%d" % number
    assert isinstance(found[40], NotFoundError)
    assert files.store.most_open_requests == 8


async def test_many_uploads_have_their_outcomes_too(client: DeepOriginClient, files: FileStore) -> None:
    found = await client.files.upload_many([(io.BytesIO(SDF), "a"), (io.BytesIO(b"x"), "b/../c"), (io.BytesIO(), "d")])
    assert [type(outcome) for outcome in found] == [Transfer, ArgumentError, Transfer]
    assert sorted(files.files) == ["a", "d"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"code": "LICENSE.FEATURE_NOT_LICENSED", "message": "No"}, 403), RestrictionError),
        (Reply({"message": "who?"}, 401), CredentialError),
    ],
)
async def test_a_refusal_that_concerns_all_files_ends_them(
    client: DeepOriginClient, files: FileStore, tmp_path: Path, reply: Reply, kind: type[DeepOriginError]
) -> None:
    files.spoil = lambda *_: reply
    with pytest.raises(kind):
        await client.files.download_many([(f"{n}.sdf", tmp_path / str(n)) for n in range(100)], concurrency=2)
    assert len(files.platform.requests) <= 4
    assert names_in(tmp_path) == []


async def test_a_file_of_hundreds_of_megabytes_needs_little_memory(tmp_path: Path) -> None:
    size = 256 * 2**20

    class Flat(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "/signedUrl/" in request.url.path:
                return httpx.Response(200, json={"url": "https://bucket.example/a?s=1"})
            if request.method == "HEAD":
                return httpx.Response(200, headers={"content-length": str(size)})
            assert isinstance(request.stream, httpx.AsyncByteStream)
            if request.method == "PUT":
                self.taken = 0
                async for piece in request.stream:
                    self.taken += len(piece)
                return httpx.Response(200)
            return httpx.Response(200, headers={"content-length": str(size)}, stream=Zeros())

    class Zeros(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(size // 2**16):
                yield bytes(2**16)

    source = tmp_path / "big"
    with source.open("wb") as file:
        file.truncate(size)
    http = Flat()
    async with DeepOriginClient(settings_for("https://platform.example"), http=http) as client:
        tracemalloc.start()
        await client.files.upload(source, "big", overwrite=True)
        await client.files.download("big", tmp_path / "copy")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert http.taken == size
    assert (tmp_path / "copy").stat().st_size == size
    assert peak < 4 * 2**20


async def test_a_full_disk_is_said_and_leaves_nothing(client: DeepOriginClient, files: FileStore) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    class Broken(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    files.files["a.bin"] = BIG
    with pytest.raises(ArgumentError, check=with_code("local_file_failed")):
        await client.files.download("a.bin", Full())
    with pytest.raises(ArgumentError, check=with_code("local_file_failed")):
        await client.files.upload(Broken(SDF), "b.bin")
    assert [*files.files] == ["a.bin"]


async def test_a_cancelled_download_leaves_nothing(client: DeepOriginClient, files: FileStore, tmp_path: Path) -> None:
    files.files["a.bin"] = BIG

    async def pieces() -> AsyncIterator[bytes]:
        yield BIG
        scope.cancel()
        await anyio.sleep_forever()

    files.spoil = failing(1, lambda _: Reply(stream=pieces))
    with anyio.CancelScope() as scope:
        await client.files.download("a.bin", tmp_path / "a.bin")
    assert scope.cancelled_caught
    assert names_in(tmp_path) == []


async def test_a_refusal_by_the_store_is_named_for_its_support(client: DeepOriginClient, files: FileStore) -> None:
    files.spoil = failing(1, lambda _: Reply(DENIED, 403, {"x-amz-request-id": "R-1"}))
    with pytest.raises(PlatformError) as raised:
        await client.files.download("a.bin", io.BytesIO())
    assert raised.value.request_id == "R-1"


# What is there


async def test_a_listing_is_read_page_by_page(client: DeepOriginClient, files: FileStore) -> None:
    files.files = {f"r/{number}.sdf": b"x" * number for number in range(5)}
    found = await client.files.list("r/", max_keys=2)
    assert [(row.name, row.size) for row in found] == [(f"{number}.sdf", number) for number in range(5)]
    assert len(files.platform.requests) == 3
    assert [row.path for row in await client.files.list("/r/", limit=2)] == ["r/0.sdf", "r/1.sdf"]
    assert await client.files.list("nothing/here") == []


@pytest.mark.parametrize("key", ["continuationToken", "continuation_token"])
async def test_a_listing_that_repeats_itself_is_an_error(client: DeepOriginClient, files: FileStore, key: str) -> None:
    files.platform.handler = lambda _: Reply({"data": [{"Key": "a"}], key: "again"})
    with pytest.raises(PlatformError, check=with_code("invalid_response")):
        await client.files.list("r/")
    assert len(files.platform.requests) == 2


@pytest.mark.parametrize("rows", [[], [{"Key": "a"}]])
async def test_a_listing_that_never_ends_is_an_error(
    client: DeepOriginClient, files: FileStore, rows: list[dict[str, str]]
) -> None:
    tokens = itertools.count()
    files.platform.handler = lambda _: Reply({"data": rows, "continuationToken": str(next(tokens))})
    with anyio.fail_after(20), pytest.raises(PlatformError, check=with_code("invalid_response")):
        await client.files.list("r/")


async def test_a_file_is_looked_up_without_its_content(client: DeepOriginClient, files: FileStore) -> None:
    files.files["a.sdf"] = SDF
    found = await client.files.stat("a.sdf")
    assert (found.size, found.etag) == (len(SDF), files.etag("a.sdf"))
    assert await client.files.exists("a.sdf")
    assert not await client.files.exists("b.sdf")
    with pytest.raises(NotFoundError, check=with_code("file_not_found")):
        await client.files.stat("b.sdf")


@pytest.mark.parametrize("exists", [True, False])
async def test_a_forbidden_look_up_asks_the_listing(client: DeepOriginClient, files: FileStore, exists: bool) -> None:
    files.files = {"r/a.sdf": SDF, "r/b.sdf" if exists else "r/b.sdf.bak": SDF}
    files.spoil = lambda request, reply: Reply(status=403) if request.method == "HEAD" else reply
    assert await client.files.exists("r/b.sdf") is exists


async def test_a_deletion_that_deletes_nothing_says_so(client: DeepOriginClient, files: FileStore) -> None:
    files.files["a.sdf"] = SDF
    await client.files.delete("a.sdf")
    with pytest.raises(NotFoundError, check=with_code("file_not_found")):
        await client.files.delete("a.sdf")
    with pytest.raises(ArgumentError, check=with_code("invalid_path")):
        await client.files.delete("folder/")


# Paths


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("my/run #2.csv", "my/run%20%232.csv"),
        ("my/what?.csv", "my/what%3F.csv"),
        ("my/50%25 off.csv", "my/50%2525%20off.csv"),
        ("my/été+β.csv", "my/%C3%A9t%C3%A9+%CE%B2.csv"),
        ("/a//./b\\c.csv", "a/b/c.csv"),
        ("imports/staging/three.sdf#record-12", "imports/staging/three.sdf"),
    ],
)
async def test_a_path_is_encoded_segment_by_segment(
    client: DeepOriginClient, files: FileStore, path: str, sent: str
) -> None:
    await client.files.signed_link(path)
    assert files.platform.lines == [f"GET /files/acme/signedUrl/{sent}"]


@pytest.mark.parametrize(
    "path", ["../etc/passwd", "a/../b", "a\\..\\b", "a\x00b", "a\nb", "\ud800", "", "/", "a/", "x" * 2000]
)
async def test_a_path_that_cannot_be_is_refused_before_anything_is_sent(
    client: DeepOriginClient, files: FileStore, path: str, tmp_path: Path
) -> None:
    for call in (
        client.files.stat(path),
        client.files.download(path, tmp_path / "a"),
        client.files.upload(io.BytesIO(), path),
        client.files.delete(path),
        client.files.signed_link(path, upload=True),
        client.files.fetch_from_url("https://a.example/b", path),
    ):
        with pytest.raises(ArgumentError, check=with_code("invalid_path")):
            await call
    assert files.platform.requests == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("my/run #2.csv", "invalid_path"),
        ("my/what?.csv", "invalid_path"),
        ("50%.csv", "invalid_path"),
        ("a.sdf#record-1", "invalid_path"),
        ("entities/proteins/5fec.pdb", "path_reserved"),
        ("/entities//ligands/x.sdf", "path_reserved"),
        ("tool-runs/e-1/a.sdf", "path_reserved"),
        ("protected/panels/a.pdb", "path_reserved"),
    ],
)
async def test_names_that_others_cannot_read_and_canonical_files_are_not_written(
    client: DeepOriginClient, files: FileStore, path: str, code: str
) -> None:
    for call in (
        client.files.upload(io.BytesIO(), path, overwrite=True),
        client.files.delete(path),
        client.files.signed_link(path, upload=True),
        client.files.fetch_from_url("https://a.example/b", path),
    ):
        with pytest.raises(ArgumentError, check=with_code(code)):
            await call
    assert files.platform.requests == []


async def test_a_name_of_the_local_file_cannot_break_the_form(client: DeepOriginClient, files: FileStore) -> None:
    await client.files.upload(io.BytesIO(b"x"), "a", name='é"\r\nX: y', overwrite=True)
    assert uploaded(files.platform.requests[0]) == b"x"
    assert 'filename="é%22%0D%0AX: y"' in files.platform.requests[0].content.decode()
