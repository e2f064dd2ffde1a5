"""What files there are, by which paths, and links that stay secret."""

import io
import itertools
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    NotFoundError,
    PlatformError,
)
from deeporigin_mcp.platform import DeepOriginClient
from tests.support.file_store import (
    SDF,
    SIGNATURE,
    FileStore,
)
from tests.support.recording import Reply, settings_for, with_code

pytestmark = pytest.mark.anyio


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


# Links


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
