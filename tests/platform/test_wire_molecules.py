"""Requests about molecules and files equal the official client's, but for the numbered differences.

As in `test_wire.py`: once against the official client in the same test, once against requests recorded from it. In both
a few texts are made equal first: fresh names of 32 hex digits, boundaries of forms, app and session (difference 5), and
what every import sends beside (difference 19). Tables (difference 20) and event streams (difference 8) are left aside.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
import traceback
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import deeporigin
import pytest
from deeporigin.platform.client import DeepOriginClient as OfficialClient

import deeporigin_mcp.platform
from deeporigin_mcp.errors import ArgumentError, DeepOriginError, InvalidRequestError, NotFoundError, PlatformError
from deeporigin_mcp.platform import LigandInput
from deeporigin_mcp.platform.transport.signed_links import signed_link
from tests.platform.molecule_scenarios import SCENARIOS, Scenario
from tests.support.fake_time import FakeTime
from tests.support.file_store import FileStore, uploaded
from tests.support.recording import (
    ORG,
    SESSION,
    Recorder,
    Reply,
    Request,
    client_for,
    execution,
    recording,
    token,
    with_code,
)

pytestmark = pytest.mark.anyio

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "molecule_wire_reference.json").read_text())
DIFFERENCES = dict(re.findall(r"^(\d+)\. +(.+)[;.]$", str(deeporigin_mcp.platform.__doc__), re.MULTILINE))
FIRST = 14
"""The first difference that is about molecules and files."""
TOOL = {"key": "deeporigin.import-dataset", "version": "3.0.2"}
MODELS = {"models": [{"tableName": name} for name in ("ligands", "proteins", "execution_subjects")]}
HEX = re.compile(r"[0-9a-f]{32}")
NOT_COMPARED = {"host", "connection", "accept-encoding", "user-agent", "content-length"}

spec = importlib.util.spec_from_file_location(
    "import_dataset_sync", Path(deeporigin.__file__).parent / "drug_discovery" / "import_dataset_sync.py"
)
assert spec is not None
assert spec.loader is not None
# The package around it needs rdkit.
OFFICIAL_IMPORTS = importlib.util.module_from_spec(spec)
spec.loader.exec_module(OFFICIAL_IMPORTS)


def replay(server: Recorder, number: int) -> None:
    """Let the server give the recorded replies in their order."""
    replies = iter(REFERENCE[str(number)]["requests"])
    server.requests.clear()

    def serve(request: Request) -> Reply:
        if request.path.endswith("/meta/models"):
            return Reply(MODELS)
        if request.path.startswith("/sse/"):
            return Reply(status=403)
        recorded = next(replies, None)
        if recorded is None:
            return Reply({"message": "nothing more was recorded"}, 404)
        body, status, headers = recorded.get("reply"), recorded["status"], recorded.get("reply_headers", {})
        if request.method == "PUT" and status == 200:
            content = uploaded(request) if "multipart" in request.headers["content-type"] else request.content
            etag = hashlib.md5(content).hexdigest()
            return Reply({"eTag": etag}, headers={"etag": f'"{etag}"'})
        if isinstance(body, dict) and set(body) == {"bytes"}:
            return Reply(body["bytes"].encode(), status, headers)
        if isinstance(body, dict) and isinstance(body.get("data"), list) and body.get("meta"):
            # Long lists were cut when they were recorded.
            missing = body["meta"].get("count", 0) - len(body["data"])
            body = {**body, "data": [*body["data"], *[{}] * missing]}
        text = json.dumps(body).replace("http://127.0.0.1:PORT", server.url)
        return Reply(b"" if body is None else text.encode(), status, headers)

    server.handler = serve


def picture(request: Request) -> dict[str, Any]:
    """What is compared of a request."""
    content_type = request.headers.get("content-type")
    body: Any = request.content.decode() or None
    if content_type and "multipart" in content_type:
        boundary = content_type.partition("boundary=")[2]
        body, content_type = body.replace(boundary, "*"), "multipart/form-data; boundary=*"
        body = re.sub(r'filename="[^"]*\.csv"', 'filename="ligands.csv"', body)
    elif content_type == "application/json":
        body = _without_own_words(json.loads(body))
    return {
        "line": HEX.sub("<32hex>", request.line),
        "headers": sorted(set(request.headers) - NOT_COMPARED),
        "accept": request.headers["accept"],
        "content_type": content_type,
        "body": HEX.sub("<32hex>", body) if body else body,
    }


def _without_own_words(body: dict[str, Any]) -> str:
    """Difference 5 and 19 are in every creation."""
    if "inputs" in body:
        assert body.pop("approveAmount", 0) == 0
    return json.dumps(body).replace("python-client", "deeporigin-mcp").replace("<uuid4>", SESSION)


def recorded_picture(recorded: Mapping[str, Any]) -> dict[str, Any]:
    body = recorded.get("body")
    if isinstance(body, dict) and "part" in body:
        body = body["part"].get("text")
    elif isinstance(body, dict) and "raw" in body:
        body = body["raw"]
    elif body is not None:
        body = HEX.sub("<32hex>", _without_own_words(body))
    return {
        "line": recorded["line"],
        "headers": recorded["headers"],
        "accept": recorded.get("accept", "application/json"),
        "content_type": recorded.get("content_type"),
        "body": body,
    }


async def ours_of(server: Recorder, scenario: Scenario) -> tuple[list[Request], Any]:
    replay(server, scenario.number)
    outcome: Any = None
    async with client_for(server, FakeTime().timing, project_id=scenario.project_id) as client:
        try:
            outcome = await scenario.ours(client)
        except DeepOriginError as error:
            outcome = error
    return [request for request in server.requests if not request.path.startswith("/sse/")], outcome


async def official_of(server: Recorder, scenario: Scenario, folder: Path) -> tuple[list[Request], Any]:
    replay(server, scenario.number)

    def run() -> Any:
        with OfficialClient(
            base_url=server.url,
            token=token(),
            org_key=ORG,
            project_id=scenario.project_id or None,
            retry_backoff_factor=0.0,
            _app="deeporigin-mcp",
            _session=SESSION,
        ) as client:
            assert scenario.official is not None
            try:
                return scenario.official(client, OFFICIAL_IMPORTS, folder)
            except Exception as error:  # noqa: BLE001 - of many kinds; that there is one is what counts
                return error

    outcome = await anyio.to_thread.run_sync(run)
    return [request for request in server.requests if not request.path.endswith("/meta/models")], outcome


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The official client's pauses are real, and its project and home are of this machine."""
    for module in ("deeporigin.platform.files.time.sleep", "deeporigin.platform.executions.time.sleep"):
        monkeypatch.setattr(module, lambda _: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DO_PROJECT_ID", raising=False)


def named(scenario: Scenario) -> str:
    return f"{scenario.number} {REFERENCE[str(scenario.number)]['call'][:60]}"


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.official], ids=named)
async def test_requests_equal_those_of_the_official_client(
    server: Recorder, scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", scenario.served_rows)
    theirs, their_outcome = await official_of(server, scenario, tmp_path)
    ours, our_outcome = await ours_of(server, scenario)
    found = [picture(request) for request in ours], [picture(request) for request in theirs]
    if scenario.differs:
        assert found[0] != found[1]
        return
    assert found[0] == found[1]
    assert isinstance(our_outcome, Exception) == isinstance(their_outcome, Exception), (our_outcome, their_outcome)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
async def test_requests_equal_those_that_were_recorded(
    server: Recorder, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", scenario.served_rows)
    requests, outcome = await ours_of(server, scenario)
    reference = REFERENCE[str(scenario.number)]
    golden = [recorded_picture(recorded) for recorded in reference["requests"]]
    ours = [picture(request) for request in requests]
    for mine, theirs in zip(ours, golden, strict=False):
        if mine["content_type"] != "multipart/form-data; boundary=*":
            continue
        # Of larger files the reference has no content; of the form, its one part.
        content = mine["body"].partition("\r\n\r\n")[2].removesuffix("\r\n--*--\r\n")
        mine["body"] = content if theirs["body"] is not None and theirs["body"].startswith("smiles") else None
        theirs["body"] = theirs["body"] if mine["body"] is not None else None
    assert (ours == golden) is not bool(scenario.differs), (ours, golden)
    if not scenario.differs:
        assert isinstance(outcome, Exception) == reference["raises"], outcome


def test_every_recorded_request_is_compared() -> None:
    assert {*REFERENCE} == {str(scenario.number) for scenario in SCENARIOS}


# The differences, one by one


def test_each_difference_is_listed_once_and_tested() -> None:
    tested = {name.split("_")[2] for name in globals() if name.startswith("test_difference_")}
    assert {number for number in DIFFERENCES if int(number) >= FIRST} == tested
    assert {str(scenario.differs) for scenario in SCENARIOS if scenario.differs} <= tested


def scenario_of(number: int) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.number == number)


async def lines_of(server: Recorder, number: int) -> tuple[list[str], Any]:
    requests, outcome = await ours_of(server, scenario_of(number))
    return [HEX.sub("<32hex>", request.line) for request in requests], outcome


@pytest.fixture
async def files(server: Recorder) -> AsyncIterator[FileStore]:
    async with recording() as elsewhere:
        yield FileStore(server, elsewhere)


async def test_difference_14_paths_are_encoded_and_names_that_others_cannot_read_are_not_written(
    server: Recorder,
) -> None:
    lines, _ = await lines_of(server, 174)
    assert lines == ["GET /files/acme/signedUrl/data/z%20z+%25%23%3F.txt"]
    for number in (178, 179, 180, 181):
        lines, outcome = await lines_of(server, number)
        assert (lines, outcome.code) == ([], "invalid_path")
    lines, _ = await lines_of(server, 177)
    assert lines[0] == "GET /files/acme/signedUrl/imports/staging/three.sdf"


async def test_difference_15_the_platforms_files_and_existing_ones_are_not_overwritten(files: FileStore) -> None:
    files.files["mine/a.sdf"] = b"first"
    async with client_for(files.platform) as client:
        for path, code in (("entities/ligands/5f.sdf", "path_reserved"), ("mine/a.sdf", "file_exists")):
            with pytest.raises(ArgumentError, check=with_code(code)):
                await client.files.upload(io.BytesIO(b"second"), path)
    assert files.platform.lines == ["HEAD /files/acme/mine/a.sdf"]


async def test_difference_16_transfers_are_verified_and_resumed(files: FileStore) -> None:
    files.has_etags = False
    into = io.BytesIO()
    async with client_for(files.platform, FakeTime().timing) as client:
        await client.files.upload(io.BytesIO(b"ab" * 2_000_000), "a.sdf", overwrite=True)
        assert files.platform.lines[-1] == "HEAD /files/acme/a.sdf"
        files.has_etags = True
        cuts = iter([True, False])
        files.spoil = lambda request, reply: replace(
            reply, fault="half" if request.path.startswith("/bucket") and next(cuts) else None
        )
        assert (await client.files.download("a.sdf", into)).checksum_verified
    assert into.getvalue() == files.files["a.sdf"]
    assert "range" in files.store.requests[1].headers
    assert {request.headers["accept-encoding"] for request in files.store.requests} == {"identity"}


async def test_difference_17_a_refusal_by_the_store_is_final_and_shows_no_link(server: Recorder) -> None:
    for number, kind in ((203, NotFoundError), (194, PlatformError)):
        lines, outcome = await lines_of(server, number)
        assert len(lines) == 2
        assert isinstance(outcome, kind)
        assert "Signature" not in "".join(traceback.format_exception(outcome))


async def test_difference_18_a_creation_is_looked_up_and_not_repeated(server: Recorder) -> None:
    lines, _ = await lines_of(server, 44)
    assert lines.count("POST /data-platform/acme/ligands") == 1
    lines, _ = await lines_of(server, 72)
    assert sum(line.endswith("/3/executions") for line in lines) == 1
    assert sum(line.startswith("GET /tools/acme/tools/executions?") for line in lines) > 1


async def test_difference_19_an_import_that_failed_says_why_and_a_priced_one_waits(server: Recorder) -> None:
    async with client_for(server) as client:
        server.answer({"data": [{"id": "cl-1"}]}, execution("Failed", tool=TOOL, statusReason="No atoms"))
        with pytest.raises(InvalidRequestError, match="No atoms", check=with_code("import_failed")):
            await client.imports.protein("imports/staging/a.pdb")
        server.answer(execution("Quoted", tool=TOOL))
        found = await client.imports.protein("imports/staging/a.pdb")
    assert found.execution.status == "Quoted"
    assert [request.body["approveAmount"] for request in server.requests if request.method == "POST"] == [0, 0]


async def test_difference_20_tables_are_not_looked_up_first(server: Recorder) -> None:
    lines, _ = await lines_of(server, 3)
    assert lines == ["POST /data-platform/acme/ligands/search"]


async def test_difference_21_a_link_to_another_host_is_followed_without_the_token(files: FileStore) -> None:
    files.files["a.sdf"] = b"x"
    async with client_for(files.platform) as client:
        await client.files.download("a.sdf", io.BytesIO())
        assert [sorted(request.headers) for request in files.store.requests] == [
            ["accept", "accept-encoding", "connection", "host", "user-agent"]
        ]
    with pytest.raises(PlatformError, check=with_code("invalid_signed_link")):
        signed_link({"url": "http://bucket.example/a"}, "https://platform.example")
    assert signed_link({"url": "https://bucket.example/a?b"}, "https://platform.example").origin.endswith(".example")


async def test_difference_22_the_staged_file_of_a_refused_import_is_removed(server: Recorder) -> None:
    etag = hashlib.md5(b"smiles,name\r\nCCO,\r\n").hexdigest()
    server.answer({"eTag": etag}, {"data": [{"id": "cl-1"}]}, Reply({"message": "No"}, 400), True)
    async with client_for(server) as client:
        with pytest.raises(InvalidRequestError):
            await client.imports.ligands([LigandInput("CCO")])
    assert server.lines[-1] == server.lines[0].replace("PUT", "DELETE")


async def test_difference_23_ids_of_poses_are_read_by_one_search(server: Recorder) -> None:
    lines, found = await lines_of(server, 113)
    # Once to see whether there are rows at all, once for all ids.
    assert lines.count("POST /data-platform/acme/result-explorer/search") == 2
    assert [pose.ligand_id for pose in found.poses] == ["08GAND0000001", "08GAND0000002"]
