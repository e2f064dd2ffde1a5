"""One file goes to the platform as it is: from the folders of this machine, from a text, or by a signed link."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ErrorData, ListRootsResult, Root
from pydantic import FileUrl

from deeporigin_mcp.tools.files import upload_file as uploading
from tests.support.bench import ERAS, Agent, Answer, Bench
from tests.support.file_store import FileStore
from tests.support.recording import Reply, recording
from tests.support.site import running_site

pytestmark = pytest.mark.anyio

SECRET = "-----BEGIN KEY-----"
CSV = "smiles\nCCO\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id").write_text(SECRET)
    (tmp_path / "deeporigin").mkdir()
    (tmp_path / "deeporigin" / "hits.csv").write_text(CSV)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "model.pdb").write_text("ATOM\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
async def agent(bench: Bench, home: Path) -> AsyncIterator[Agent]:
    async with bench.agent() as agent:
        yield agent


def stored(bench: Bench, path: str, org: str = "deeporigin") -> bytes | None:
    file = bench.platform.organisations[org].files.get(path)
    return None if file is None else file.content


async def test_a_file_arrives_unchanged_and_its_path_comes_back(bench: Bench, agent: Agent, home: Path) -> None:
    content = bytes(range(256)) * 3
    (home / "deeporigin" / "hits.bin").write_bytes(content)
    done = await agent.read("upload_file", path="hits.bin")
    assert done == {"path": "uploads/hits.bin", "status": "uploaded", "size": 768}
    assert stored(bench, "uploads/hits.bin") == content


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("screens/2026/first.csv", "screens/2026/first.csv"),
        ("screens/", "screens/hits.csv"),
        ("/screens//a.csv", "screens/a.csv"),
        ("", "uploads/hits.csv"),
    ],
)
async def test_it_goes_where_it_is_told(bench: Bench, agent: Agent, destination: str, path: str) -> None:
    assert (await agent.read("upload_file", path="~/deeporigin/hits.csv", destination=destination))["path"] == path
    assert stored(bench, path) == CSV.encode()


async def test_a_name_that_other_clients_would_cut_is_changed_unless_it_was_chosen(
    bench: Bench, agent: Agent, home: Path
) -> None:
    (home / "deeporigin" / "run #2 50%.csv").write_text(CSV)
    assert (await agent.read("upload_file", path="run #2 50%.csv"))["path"] == "uploads/run _2 50_.csv"
    found = await agent.error("upload_file", path="hits.csv", destination="run#2.csv")
    assert found.code == "invalid_path"


async def test_a_run_of_a_file_that_was_just_uploaded_does_not_look_it_up(bench: Bench, agent: Agent) -> None:
    done = await agent.read("upload_file", path="hits.csv", destination="patent/one.pdf")
    looked_up = len(bench.sent("HEAD"))
    quote = await agent.read("create_execution", tool_key="deeporigin.draco", inputs={"input_file": done["path"]})
    assert (quote["status"], len(bench.sent("HEAD"))) == ("Quoted", looked_up)


async def test_a_text_is_uploaded_too(bench: Bench, agent: Agent) -> None:
    done = await agent.read("upload_file", text=CSV, destination="lists/a.csv")
    assert (done["status"], stored(bench, "lists/a.csv")) == ("uploaded", CSV.encode())
    assert (await agent.error("upload_file", text="x" * 65_537, destination="b.csv")).code == "file_too_large"
    assert (await agent.error("upload_file", text="é" * 40_000, destination="b.csv")).code == "file_too_large"
    assert (await agent.read("upload_file", text="", destination="empty.txt"))["size"] == 0


@pytest.mark.parametrize(
    "arguments",
    [{}, {"text": CSV}, {"path": "hits.csv", "text": CSV, "destination": "a.csv"}, {"destination": "a.csv"}],
)
async def test_what_is_missing_or_given_twice_is_refused(bench: Bench, agent: Agent, arguments: dict[str, str]) -> None:
    found = await agent.error("upload_file", **arguments)
    assert (found.code, found.outcome) == ("invalid_argument", "nothing_changed")
    assert bench.sent("PUT") == []


async def test_the_same_file_again_is_there_already_and_another_one_is_refused(
    bench: Bench, agent: Agent, home: Path
) -> None:
    await agent.read("upload_file", path="hits.csv")
    again = await agent.read("upload_file", path="hits.csv")
    assert again == {"path": "uploads/hits.csv", "status": "already_there", "size": len(CSV)}
    for other in (CSV.replace("O", "N"), CSV + "CCN\n"):
        (home / "deeporigin" / "hits.csv").write_text(other)
        found = await agent.error("upload_file", path="hits.csv")
        assert (found.code, found.outcome) == ("file_exists", "nothing_changed")
    assert stored(bench, "uploads/hits.csv") == CSV.encode()
    assert len(bench.sent("PUT")) == 1


@pytest.mark.parametrize(
    "destination", ["entities/proteins/x.pdb", "tool-runs/e-1/a.sdf", "protected/x", "../x", "a/\n/b"]
)
async def test_what_only_the_platform_writes_is_refused(bench: Bench, agent: Agent, destination: str) -> None:
    assert (await agent.error("upload_file", path="hits.csv", destination=destination)).code in (
        "path_reserved",
        "invalid_path",
    )
    assert bench.sent("PUT") == []


@pytest.mark.parametrize("path", ["~/.ssh/id", "../.ssh/id", "link", "/etc/passwd", "~/deeporigin/../.ssh/id"])
async def test_a_model_that_a_log_talked_into_it_uploads_no_key(
    bench: Bench, agent: Agent, home: Path, path: str
) -> None:
    (home / "deeporigin" / "link").symlink_to(home / ".ssh" / "id")
    assert (await agent.error("upload_file", path=path)).code == "outside_folders"
    assert bench.sent("PUT") == []


async def test_a_read_only_server_does_not_offer_it(bench: Bench) -> None:
    async with bench.agent(read_only=True) as agent:
        assert "upload_file" not in agent.inputs
        assert "list_files" in agent.inputs


async def test_an_upload_that_outlasts_its_call_goes_on_and_the_same_call_tells_its_end(
    bench: Bench, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "WAIT_SECONDS", 0.0)
    started = await agent.read("upload_file", path="hits.csv", destination="a.csv")
    assert started["status"] == "uploading"
    monkeypatch.setattr(uploading, "WAIT_SECONDS", 40.0)
    assert (await agent.follow(started["next_step"]))["status"] in ("uploaded", "already_there")
    assert stored(bench, "a.csv") == CSV.encode()
    assert len(bench.sent("PUT")) == 1


async def test_two_calls_for_the_same_file_at_once_upload_it_once(bench: Bench, agent: Agent) -> None:
    async def upload() -> None:
        assert (await agent.read("upload_file", path="hits.csv"))["path"] == "uploads/hits.csv"

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(upload)
    assert len(bench.sent("PUT")) == 1


async def test_two_files_for_one_destination_at_once_do_not_overwrite_each_other(bench: Bench, agent: Agent) -> None:
    answers: list[Answer] = []

    async def upload(text: str) -> None:
        answers.append(await agent.call("upload_file", {"text": text, "destination": "a.csv"}))

    async with anyio.create_task_group() as tasks:
        for text in ("one", "two", "three"):
            tasks.start_soon(upload, text)
    assert [answer.is_error for answer in answers].count(False) == 1
    assert len(bench.sent("PUT")) == 1


async def test_a_failure_ends_an_upload_and_the_next_call_begins_anew(bench: Bench, agent: Agent) -> None:
    bench.fault("PUT /files/* status=400")
    assert (await agent.error("upload_file", path="hits.csv")).code == "invalid_request"
    bench.heal()
    assert (await agent.read("upload_file", path="hits.csv"))["status"] == "uploaded"


@pytest.mark.parametrize(
    "fault", ["reset times=1", "reset after=work times=1", "status=503 times=1", "half after=work times=1"]
)
async def test_a_lost_response_does_not_lose_the_file(bench: Bench, agent: Agent, fault: str) -> None:
    bench.fault(f"PUT /files/* {fault}")
    assert (await agent.read("upload_file", path="hits.csv"))["status"] == "uploaded"
    assert stored(bench, "uploads/hits.csv") == CSV.encode()


async def test_a_success_without_a_file_is_a_failure(home: Path, bench: Bench) -> None:
    async with recording() as platform:
        platform.handler = lambda request: Reply(b"", 404) if request.method == "HEAD" else Reply({})
        async with bench.agent(base_url=platform.url) as agent:
            assert (await agent.error("upload_file", path="hits.csv")).code == "upload_incomplete"


async def test_what_has_the_same_size_but_no_checksum_counts_as_another_file(home: Path, bench: Bench) -> None:
    async with recording() as platform, recording() as elsewhere:
        store = FileStore(platform, elsewhere)
        store.files["uploads/hits.csv"] = CSV.encode()
        store.has_etags = False
        async with bench.agent(base_url=platform.url) as agent:
            assert (await agent.error("upload_file", path="hits.csv")).code == "file_exists"


# The client's roots


async def roots_of(_: ClientRequestContext, uris: list[str]) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri=FileUrl(uri)) for uri in uris])


async def test_a_file_in_a_root_of_the_client_is_read_in_both_eras(bench: Bench, home: Path) -> None:
    asked = []

    async def list_roots(context: ClientRequestContext) -> ListRootsResult:
        asked.append(True)
        return await roots_of(context, [(home / "project").as_uri()])

    for number, era in enumerate(ERAS, 1):
        async with Client(bench.server(), mode=era, list_roots_callback=list_roots) as client:
            done = await client.call_tool("upload_file", {"path": "model.pdb", "destination": f"{era}.pdb"})
            assert not done.is_error, done
            assert len(asked) == number
            # What the operator's folder has needs no root.
            await client.call_tool("upload_file", {"path": "hits.csv"})
            assert len(asked) == number
            found = await client.call_tool("upload_file", {"path": str(home / ".ssh" / "id")})
            assert found.is_error
            asked.pop()
        assert stored(bench, f"{era}.pdb") == b"ATOM\n"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("root", ["home", "/", "http", "host", ".ssh", "none", "refused"])
async def test_a_root_that_says_nothing_opens_nothing(bench: Bench, home: Path, era: str, root: str) -> None:
    uris = {"home": home.as_uri(), "/": "file:///", "host": "file://server/share", ".ssh": (home / ".ssh").as_uri()}

    async def list_roots(context: ClientRequestContext) -> ListRootsResult | ErrorData:
        if root == "refused":
            return ErrorData(code=-32603, message="not now")
        return await roots_of(context, [uris[root]] if root in uris else [])

    async with Client(bench.server(), mode=era, list_roots_callback=list_roots) as client:
        for path in (home / "project" / "model.pdb", home / ".ssh" / "id"):
            try:
                answer = await client.call_tool("upload_file", {"path": str(path)})
            except MCPError:
                # A client of 2026-07-28 that declares roots and then refuses them has not called the tool.
                assert (era, root) == ("auto", "refused")
            else:
                assert answer.is_error
    assert bench.sent("PUT") == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_without_roots_is_not_asked(bench: Bench, home: Path, era: str) -> None:
    async with bench.agent(mode=era) as agent:
        assert (await agent.error("upload_file", path="model.pdb")).code == "local_file_not_found"


async def test_a_client_that_does_not_respond_delays_a_call_by_seconds_only(
    bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeporigin_mcp.tools.files.folders.ROOTS_SECONDS", 0.05)

    async def list_roots(context: ClientRequestContext) -> ListRootsResult:
        await anyio.sleep_forever()
        raise AssertionError

    async with Client(bench.server(), mode="legacy", list_roots_callback=list_roots) as client:
        answer = await client.call_tool("upload_file", {"path": "model.pdb"})
        assert answer.is_error


# Over HTTP


async def test_over_http_there_is_no_path_and_a_signed_link_takes_the_file(
    bench: Bench, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_site(bench) as site, site.agent() as agent:
        shown = {tool.name: tool.input_schema for tool in (await agent.client.list_tools()).tools}
        assert [*shown["upload_file"]["properties"]] == ["text", "destination"]
        refused = await agent.refused("upload_file", path=str(home / "deeporigin" / "hits.csv"))
        assert "path: unknown argument" in refused
        found = await agent.error("upload_file")
        assert found.code == "invalid_argument"
        # It names the store, which is this machine here.
        made = (await agent.call("upload_file", {"destination": "screens/big.sdf"})).content
        assert (made["status"], stored(bench, "screens/big.sdf")) == ("link_made", None)
        assert made["warning"]
        link = made["command"].rpartition(" ")[2].strip("'")
        async with httpx.AsyncClient() as client:
            sent = await client.put(link, content=b"$$$$\n", headers={"Content-Type": "application/octet-stream"})
        assert sent.status_code == 200
        assert stored(bench, "screens/big.sdf") == b"$$$$\n"
        assert (await agent.follow(made["next_step"]))["files"] == [{"path": "screens/big.sdf", "size": 5}]
        # No second link could overwrite it.
        assert (await agent.error("upload_file", destination="screens/big.sdf")).code == "file_exists"
        assert (await agent.read("upload_file", text=CSV, destination="a.csv"))["status"] == "uploaded"
    signature = link.rpartition("=")[2]
    assert len(signature) == 64
    # The simulator and the test's own client log it; the server and what it uses do not.
    ours = [record for record in caplog.records if record.name.startswith(("deeporigin_mcp", "mcp.server", "httpx"))]
    assert ours
    assert [record for record in ours if signature in record.getMessage()] == []


@pytest.mark.parametrize("part", ["'; rm -rf ~; '", "$(id)'", "a b", '"', "`id`", "\n"])
async def test_a_link_that_would_end_the_command_is_not_shown(bench: Bench, part: str) -> None:
    async with recording() as platform:
        store = FileStore(platform, platform)

        async with running_site(bench, base_url=platform.url) as site, site.agent() as agent:
            store.spoil = lambda request, reply: (
                type(reply)({"url": f"{platform.url}/bucket/x?{part}"}) if "signedUrl" in request.path else reply
            )
            found = await agent.call("upload_file", {"destination": "a.sdf"})
            assert found.error is not None
            assert found.error.code == "invalid_signed_link"
            assert part not in json.dumps(found.content) + found.text
