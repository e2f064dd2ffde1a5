"""What the platform's client says about molecules and files: each message once."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.fake_time import FakeTime
from tests.support.file_store import DENIED, NO_SUCH_KEY, SIGNATURE, FileStore
from tests.support.recording import Reply, Request, client_for, execution, recording

pytestmark = pytest.mark.anyio

Call = Callable[[DeepOriginClient], Awaitable[Any]]
ONCE = RetryPolicy(attempts=1)
TOOL = {"key": "deeporigin.import-dataset", "version": "3.0.2"}


async def error_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except DeepOriginError as error:
        return message_of(error)
    raise AssertionError("no error")


async def said(call: Call, *replies: Any) -> str:
    """What a call says when the platform sends these replies."""
    async with recording() as server:
        server.answer(*replies or [{}])
        async with client_for(server, FakeTime().timing, retry=ONCE) as client:
            return await error_of(call(client))


async def said_of_files(call: Call, spoil: Callable[[Request, Reply], Reply] | None = None) -> str:
    """What a call says when there is one file, and the replies are spoilt."""
    async with recording() as server, recording() as elsewhere:
        store = FileStore(server, elsewhere)
        store.files["a.sdf"] = b"ab"
        store.spoil = spoil or store.spoil
        async with client_for(server, FakeTime().timing, retry=ONCE) as client:
            return await error_of(call(client))


def in_store(reply: Reply) -> Callable[[Request, Reply], Reply]:
    return lambda request, usual: reply if request.path.startswith("/bucket/") else usual


def upload(path: str = "b.sdf", **options: Any) -> Call:
    return lambda client: client.files.upload(io.BytesIO(b"ab"), path, **options)


def download(path: str = "a.sdf", **options: Any) -> Call:
    return lambda client: client.files.download(path, io.BytesIO(), **options)


async def paths() -> dict[str, str]:
    return {
        "path: up": await said(download("a/../b")),
        "path: control character": await said(download("a\x00b")),
        "path: a folder": await said(download("a/")),
        "path: a name that others cannot read": await said(upload("a#b")),
        "path: the platform's": await said(upload("entities/ligands/a.sdf")),
    }


async def transfers(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "there").write_bytes(b"")
    random = iter(range(10))

    class Shorter(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size)[1:]

    def other_size(request: Request, reply: Reply) -> Reply:
        return Reply(headers={"content-length": "7"}) if request.method == "HEAD" else Reply({})

    def to(name: str) -> Call:
        return lambda client: client.files.download("a.sdf", tmp_path / name)

    def damaged(request: Request, reply: Reply) -> Reply:
        in_bucket = request.path.startswith("/bucket/")
        return Reply(b"%d" % next(random), headers=reply.headers) if in_bucket else reply

    refused = {
        "store: no such file": Reply(NO_SUCH_KEY, 404),
        "store: denied": Reply(DENIED, 403),
        "store: too large": Reply(b"<Error><Code>EntityTooLarge</Code></Error>", 400),
        "store: refused": Reply(b"", 400),
        "store: failed": Reply(b"<Error><Code>SlowDown</Code></Error>", 503),
        "store: cut off": Reply(b"abcdef", fault="half"),
    }
    messages = {name: await said_of_files(download(), in_store(reply)) for name, reply in refused.items()}
    return {
        **messages,
        "link: none": await said(download(), {"url": None}),
        "stat: no such file": await said_of_files(lambda client: client.files.stat("b.sdf")),
        "delete: nothing": await said_of_files(lambda client: client.files.delete("b.sdf")),
        "list: repeats itself": await said(
            lambda client: client.files.list("runs"), {"data": [{"Key": "a"}], "continuationToken": "x"}
        ),
        "upload: exists": await said_of_files(upload("a.sdf")),
        "upload: changed": await said_of_files(
            lambda client: client.files.upload(Shorter(b"abc"), "b.sdf", overwrite=True)
        ),
        "upload: incomplete": await said_of_files(upload(overwrite=True), other_size),
        "upload: no local file": await said_of_files(
            lambda client: client.files.upload(tmp_path / "none", "b.sdf", overwrite=True)
        ),
        "download: exists": await said_of_files(to("there")),
        "download: too large": await said_of_files(download(max_bytes=1)),
        "download: damaged": await said_of_files(download(), damaged),
        "fetch: invalid URL": await said(lambda client: client.files.fetch_from_url("file:///a", "a.pdb")),
        "fetch: nothing": await said_of_files(
            lambda client: client.files.fetch_from_url("https://a.example/b", "b.pdb"),
            lambda request, reply: Reply(headers={"content-length": "0"}) if request.method == "HEAD" else reply,
        ),
    }


async def rows() -> dict[str, str]:
    page = {"data": [{"id": "1"}], "meta": {"nextCursor": "x"}}
    ligand = {"smiles": "CCO"}

    def create(client: DeepOriginClient) -> Awaitable[Any]:
        return client.entities.create("ligands", ligand)

    return {
        "search: limit": await said(lambda client: client.entities.search("ligands", limit=0)),
        "search: repeats itself": await said(lambda client: client.entities.all("ligands"), page),
        "results: repeat themselves": await said(
            lambda client: client.results.all(lambda cursor, _: client.results.poses(cursor=cursor)), page
        ),
        "create: exists": await said(create, Reply({"message": "Duplicate key"}, 409)),
        "create: lost": await said(create, Reply(fault="close"), {"data": []}),
        "create: no SMILES": await said(lambda client: client.entities.create("ligands", {})),
        "update: nothing": await said(lambda client: client.entities.update("ligands", "L", {})),
        "delete: no row": await said(lambda client: client.entities.delete("ligands", "L"), {"deleted": 0}),
    }


async def imports() -> dict[str, str]:
    clusters = {"data": [{"id": "cl-1"}]}

    def protein(client: DeepOriginClient) -> Awaitable[Any]:
        return client.imports.protein("imports/staging/a.pdb")

    failed = execution("Failed", tool=TOOL, statusReason="No atoms.")
    process: dict[str, Any] = {"userInputs": {"process_pdb": True}, "jobOutputs": {"proteins": []}}
    return {
        "import: failed": await said(protein, clusters, failed),
        "import: cancelled": await said(protein, clusters, execution("Cancelled", tool=TOOL)),
        "import: no protein": await said(protein, clusters, execution("Completed", tool=TOOL, **process)),
        "import: lost": await said(protein, clusters, Reply(fault="close"), {"data": [], "count": 0}),
        "import: no staged file": await said(lambda client: client.imports.discard("mine/a.pdb")),
        "import: no ligands": await said(lambda client: client.imports.ligands([])),
        "import: poses without a protein": await said(
            lambda client: client.imports.poses("imports/staging/a.sdf", 1, protein_id="")
        ),
    }


async def test_messages_about_molecules_and_files(tmp_path: Path) -> None:
    found = {**await paths(), **await transfers(tmp_path), **await rows(), **await imports()}
    assert not any(SIGNATURE in message for message in found.values())
    assert_as_agreed("platform_molecules", found)
