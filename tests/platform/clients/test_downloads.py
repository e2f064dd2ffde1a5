"""Files out: whole, resumed after a cut, under their name only at the end; no link is shown."""

import io
import logging
import os
import traceback
import tracemalloc
from collections.abc import AsyncIterator
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
from deeporigin_mcp.platform.clients.transfers import Transfer
from tests.support.file_store import (
    BIG,
    DENIED,
    SDF,
    FileStore,
    cut,
    failing,
    failing_at_gateway,
    names_in,
)
from tests.support.recording import Reply, Request, settings_for, with_code

pytestmark = pytest.mark.anyio


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
