"""Files in: whole, sent again from their start, and nothing is overwritten."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    PlatformError,
)
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients.transfers import Transfer
from tests.support.fake_time import FakeTime
from tests.support.file_store import (
    BIG,
    SDF,
    FileStore,
    uploaded,
)
from tests.support.recording import Reply, Request, with_code

pytestmark = pytest.mark.anyio


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


async def test_many_uploads_have_their_outcomes_too(client: DeepOriginClient, files: FileStore) -> None:
    found = await client.files.upload_many([(io.BytesIO(SDF), "a"), (io.BytesIO(b"x"), "b/../c"), (io.BytesIO(), "d")])
    assert [type(outcome) for outcome in found] == [Transfer, ArgumentError, Transfer]
    assert sorted(files.files) == ["a", "d"]


async def test_a_name_of_the_local_file_cannot_break_the_form(client: DeepOriginClient, files: FileStore) -> None:
    await client.files.upload(io.BytesIO(b"x"), "a", name='é"\r\nX: y', overwrite=True)
    assert uploaded(files.platform.requests[0]) == b"x"
    assert 'filename="é%22%0D%0AX: y"' in files.platform.requests[0].content.decode()
