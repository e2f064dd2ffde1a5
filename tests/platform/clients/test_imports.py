"""Molecules in: staged unchanged, imported once, found again after a cut, joined to the input, failures explained."""

import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    InvalidRequestError,
    OutcomeUnknownError,
    PlatformError,
    RestrictionError,
)
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.clients import imports
from deeporigin_mcp.platform.clients.import_records import LigandInput, by_record
from tests.support.fake_time import FakeTime
from tests.support.file_store import FileStore
from tests.support.recording import SESSION, Recorder, Reply, Request, client_for, recording, with_code

pytestmark = pytest.mark.anyio

PDB = b"REMARK  99 DO_PREPARED\nATOM      1  CA  ALA A   1\n"
ID = "00000001-2222-4333-8444-555555555555"
ROWS = [LigandInput("CCO", "ethanol"), LigandInput("CCN"), LigandInput("CCC", tags={"batch": "a"})]


class Platform(FileStore):
    """Files, and an import tool whose run goes through the given states, one a poll."""

    def __init__(self, platform: Recorder, store: Recorder) -> None:
        super().__init__(platform, store)
        self.states: list[dict[str, Any]] = [{"status": "Completed"}]
        self.created: list[dict[str, Any]] = []
        self.created_reply: Reply | None = None
        self.ingestion: list[dict[str, Any]] = []
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def dto(self) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        tool = {"key": "deeporigin.import-dataset", "version": "3.0.2"}
        body = self.created[-1]
        return {"executionId": ID, "tool": tool, "session": SESSION, "userInputs": body["inputs"], **state}

    def _reply(self, request: Request) -> Reply:
        if request.path.startswith("/files/") or request.path.startswith("/bucket/"):
            return super()._reply(request)
        if request.path.endswith("/clusters"):
            return Reply({"data": [{"id": "cl-1"}]})
        if request.method == "POST" and request.path.startswith("/tools/"):
            self.created.append(request.body)
            return self.created_reply or Reply(self.dto())
        if request.method == "GET" and request.path.startswith("/tools/"):
            if request.path.endswith("/executions"):
                return Reply({"data": [self.dto()] if self.created else [], "count": len(self.created)})
            return Reply(self.dto())
        if request.path.endswith("/executions/search"):
            rows = self.ingestion[:1]
            self.ingestion = self.ingestion[1:] or rows
            return Reply({"data": [row for row in rows if row], "meta": {}})
        found = re.fullmatch(r"/data-platform/acme/([\w-]+)/search", request.path)
        return Reply({"data": self.tables.get(found[1], []) if found else [], "meta": {}})


@pytest.fixture
async def platform(server: Recorder) -> AsyncIterator[Platform]:
    async with recording() as elsewhere:
        yield Platform(server, elsewhere)


@pytest.fixture
async def client(platform: Platform, time: FakeTime) -> AsyncIterator[DeepOriginClient]:
    async with client_for(platform.platform, time.timing) as client:
        yield client


def completed(**outputs: Any) -> dict[str, Any]:
    return {"status": "Completed", "jobOutputs": outputs}


async def staged(client: DeepOriginClient) -> str:
    return await client.imports.stage(io.BytesIO(PDB), ".pdb", name="toy.pdb")


async def test_a_file_is_staged_unchanged_under_a_fresh_name(client: DeepOriginClient, platform: Platform) -> None:
    first, second = await staged(client), await staged(client)
    assert first != second
    assert re.fullmatch(r"imports/staging/[0-9a-f]{32}\.pdb", first)
    assert platform.files[first] == PDB


@pytest.mark.parametrize("row", [{"protein_id": "08P", "created": True}, {"id": "08P", "disposition": "reused"}])
async def test_a_protein_is_imported(client: DeepOriginClient, platform: Platform, row: dict[str, Any]) -> None:
    platform.states = [completed(proteins=[{**row, "file_path": "entities/proteins/5f.pdb"}])]
    path = await staged(client)
    found = await client.imports.protein(path, name="toy", pdb_id="1ABC")
    assert found.is_completed
    assert found.proteins[0].as_input == {"id": "08P", "file_path": "entities/proteins/5f.pdb"}
    sent = platform.created[0]
    assert sent["inputs"] == {"process_pdb": True, "file_path": path, "protein_name": "toy", "pdb_id": "1ABC"}
    assert (sent["sync"], sent["visibility"], sent["approveAmount"]) == (True, "hidden", 0)


@pytest.mark.parametrize("reason", ["No ATOM records", {"code": "X", "message": "No ATOM records."}])
async def test_a_failed_import_says_why(client: DeepOriginClient, platform: Platform, reason: Any) -> None:
    platform.states = [{"status": "Failed", "statusReason": reason}]
    with pytest.raises(InvalidRequestError, check=with_code("import_failed")) as raised:
        await client.imports.protein(await staged(client))
    assert "No ATOM records" in str(raised.value)
    assert ID in str(raised.value)


async def test_a_completed_import_without_a_protein_is_an_error(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [completed(proteins=[{"file_path": "entities/proteins/5f.pdb"}])]
    with pytest.raises(PlatformError, check=with_code("import_incomplete")):
        await client.imports.protein(await staged(client))


async def test_an_import_with_a_price_waits_to_be_confirmed(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [{"status": "Quoted", "quotationResult": {"totalPrice": 1}}]
    found = await client.imports.ligands(ROWS)
    assert (found.execution.status, found.ligands, found.is_completed) == ("Quoted", [], False)
    platform.states = [completed(ligands=[{"id": "L0", "record_index": 0}])]
    later = await client.imports.outcome(ID, 3)
    assert later.missing == [1, 2]


async def test_rows_are_joined_by_their_record(client: DeepOriginClient, platform: Platform) -> None:
    rows = [{"id": "L2", "record_index": 2}, {"id": "L0", "record_index": "0"}, {"id": "L9", "record_index": 9}]
    platform.states = [completed(ligands=rows)]
    found = await client.imports.ligands(ROWS)
    assert [row.id if row else None for row in found.ligands] == ["L0", None, "L2"]
    assert found.missing == [1]
    path = platform.created[0]["inputs"]["file_path"]
    assert platform.files[path] == b'smiles,name,tags\r\nCCO,ethanol,\r\nCCN,,\r\nCCC,,"{""batch"": ""a""}"\r\n'


@pytest.mark.parametrize(
    ("rows", "count", "expected"),
    [
        ([{"id": "a"}, {"id": "b"}], 2, ["a", "b"]),
        ([{"id": "a"}], 2, ["a", None]),
        ([{"id": "a"}, {"id": "b"}], 0, ["a", "b"]),
        ([{"id": "b", "record_index": 7}, {"id": "a", "record_index": 0}], 0, ["a", "b"]),
        ([{"id": "a", "record_index": 1}, {"id": "b"}], 2, [None, "a"]),
        ([{"id": "a", "record_index": 0}, {"id": "b", "record_index": 0}], 1, ["a"]),
        ([{"id": None, "record_index": 0}], 1, [None]),
        ([], 1, [None]),
    ],
)
def test_rows_are_joined_by_position_only_if_none_has_a_record(
    rows: list[dict[str, Any]], count: int, expected: list[str | None]
) -> None:
    assert [row["id"] if row else None for row in by_record(rows, count)] == expected


async def test_five_hundred_ligands_take_three_requests(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [completed(ligands=[{"id": f"L{n}", "record_index": n} for n in range(500)])]
    found = await client.imports.ligands([LigandInput("C" * (n + 1)) for n in range(500)])
    assert found.missing == []
    assert [line.split()[0] for line in platform.platform.lines] == ["PUT", "GET", "POST"]


@pytest.mark.parametrize("cut", [Reply(fault="close"), Reply(b"<html>504</html>", 504), Reply({})])
async def test_an_import_whose_response_is_lost_is_found_by_its_file_and_waited_for(
    client: DeepOriginClient, platform: Platform, cut: Reply
) -> None:
    platform.created_reply = cut
    platform.states = [{"status": "Running"}, {"status": "Running"}, completed(proteins=[{"id": "08P"}])]
    found = await client.imports.protein(await staged(client))
    assert found.proteins[0].id == "08P"
    assert len(platform.created) == 1


async def test_an_import_that_is_not_found_again_has_no_known_outcome(
    client: DeepOriginClient, platform: Platform
) -> None:
    path = await staged(client)

    def spoil(request: Request, reply: Reply) -> Reply:
        if request.path.startswith("/tools/") and not request.path.endswith("/clusters"):
            return Reply(fault="close") if request.method == "POST" else Reply({"data": [], "count": 0})
        return reply

    platform.spoil = spoil
    with pytest.raises(OutcomeUnknownError):
        await client.imports.protein(path)
    assert len(platform.created) == 1
    # It may still be read.
    assert path in platform.files


async def test_another_import_of_the_session_is_not_taken_for_it(client: DeepOriginClient, platform: Platform) -> None:
    path = await staged(client)
    platform.created_reply = Reply(fault="close")
    platform.states = [{**completed(proteins=[{"id": "08X"}]), "userInputs": {"file_path": "imports/staging/x.pdb"}}]
    with pytest.raises(OutcomeUnknownError):
        await client.imports.protein(path)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"message": "No"}, 400), InvalidRequestError),
        (Reply({"code": "LICENSE.FEATURE_NOT_LICENSED", "message": "No"}, 403), RestrictionError),
    ],
)
async def test_a_refused_import_leaves_no_staged_file(
    client: DeepOriginClient, platform: Platform, reply: Reply, kind: type[DeepOriginError]
) -> None:
    platform.created_reply = reply
    with pytest.raises(kind):
        await client.imports.ligands(ROWS)
    assert platform.files == {}
    path = await staged(client)
    with pytest.raises(kind):
        await client.imports.protein(path)
    # The caller may correct the call and use it again.
    assert [*platform.files] == [path]
    await client.imports.discard(path)
    await client.imports.discard(path)
    assert platform.files == {}
    with pytest.raises(ArgumentError, check=with_code("invalid_path")):
        await client.imports.discard("mine/a.pdb")


async def test_a_staged_file_is_not_deleted_for_longer_than_a_moment(
    client: DeepOriginClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await staged(client)
    monkeypatch.setattr(imports, "DISCARD_SECONDS", 0.05)
    platform.spoil = lambda request, reply: Reply(fault="hang") if request.method == "DELETE" else reply
    with anyio.fail_after(20, shield=True):
        await client.imports.discard(path)


async def test_an_import_that_outlasts_the_time_is_read_later(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [{"status": "Running"}]
    found = await client.imports.protein(await staged(client), timeout_seconds=20)
    assert found.execution.status == "Running"
    platform.states = [{"status": "Running"}, completed(proteins=[{"id": "08P"}])]
    later = await client.imports.outcome(ID, timeout_seconds=20)
    assert (later.proteins[0].id, later.staged_path) == ("08P", found.staged_path)


async def test_a_project_is_needed_and_stamped(platform: Platform, time: FakeTime) -> None:
    async with client_for(platform.platform, time.timing, project_id="") as client:
        path = await staged(client)
        with pytest.raises(ArgumentError, check=with_code("no_project")):
            await client.imports.protein(path)
        platform.platform.requests.clear()
        with pytest.raises(ArgumentError, check=with_code("no_project")):
            await client.imports.ligands(ROWS)
        assert platform.platform.requests == []
        platform.states = [completed(proteins=[{"id": "08P"}])]
        await client.imports.protein(path, project_id="p-7")
    assert [body["projectId"] for body in platform.created] == ["p-7"]


# More than 500: a workflow


@pytest.fixture
def many(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr("deeporigin_mcp.platform.clients.imports.SERVED_ROWS", 2)
    platform.states = [{"status": "Created"}, {"status": "Running"}, {"status": "Completed"}]
    platform.ingestion = [{}, {"id": "0E", "status": "DataIngesting"}, {"id": "0E", "status": "Completed"}]
    ligands = [{"id": f"L-{smiles}", "canonical_smiles": smiles} for smiles in ("CCC", "CCN", "CCO")]
    platform.tables = {
        "execution_subjects": [{"entity_canonical_id": row["id"]} for row in ligands],
        "ligands": ligands,
    }
    return platform


async def test_a_workflow_import_is_waited_for_until_its_ligands_have_ids(
    client: DeepOriginClient, many: Platform
) -> None:
    found = await client.imports.ligands(ROWS)
    assert [row.id if row else None for row in found.ligands] == ["L-CCO", "L-CCN", "L-CCC"]
    assert many.created[0]["sync"] is False
    assert many.created[0]["inputs"]["csv_path"] == found.staged_path


async def test_ligands_that_are_no_subjects_are_looked_up_by_smiles(client: DeepOriginClient, many: Platform) -> None:
    del many.tables["execution_subjects"]
    many.tables["ligands"] = many.tables["ligands"][:2]
    found = await client.imports.ligands(ROWS)
    assert [row.id if row else None for row in found.ligands] == [None, "L-CCN", "L-CCC"]
    assert found.missing == [0]


async def test_a_run_that_never_appears_there_is_given_up_after_two_minutes(
    client: DeepOriginClient, many: Platform, time: FakeTime
) -> None:
    many.ingestion = []
    found = await client.imports.ligands(ROWS)
    assert found.missing == []
    assert 120 <= time.now < 135


async def test_ingestion_that_outlasts_the_time_is_said(client: DeepOriginClient, many: Platform) -> None:
    many.ingestion = [{"id": "0E", "status": "DataIngesting"}]
    found = await client.imports.ligands(ROWS, timeout_seconds=30)
    assert (found.is_completed, found.is_ingested) == (True, False)
    many.ingestion = [{"id": "0E", "status": "Succeeded"}]
    later = await client.imports.outcome(ID, smiles=[row.smiles for row in ROWS], timeout_seconds=30)
    assert later.is_ingested
    assert [row.id if row else None for row in later.ligands] == ["L-CCO", "L-CCN", "L-CCC"]


async def test_a_failed_ingestion_is_a_failed_import(client: DeepOriginClient, many: Platform) -> None:
    many.ingestion = [{"id": "0E", "status": "Failed"}]
    with pytest.raises(InvalidRequestError, check=with_code("import_failed")):
        await client.imports.ligands(ROWS)


async def test_a_failed_workflow_is_a_failed_import(client: DeepOriginClient, many: Platform) -> None:
    many.states = [{"status": "Created"}, {"status": "Failed", "statusReason": "row 2"}]
    with pytest.raises(InvalidRequestError, check=with_code("import_failed")):
        await client.imports.ligands(ROWS)


# SDF


async def test_an_sdf_gives_ligands_with_files(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [completed(ligands=[{"id": "L", "mol_file": "entities/ligands/a.sdf", "record_index": 0}])]
    found = await client.imports.sdf("imports/staging/a.sdf", 2, tags={"batch": "a"})
    assert [row.as_file_input if row else None for row in found.ligands] == [
        {"id": "L", "file_path": "entities/ligands/a.sdf"},
        None,
    ]
    assert platform.created[0]["inputs"]["tags"] == {"batch": "a"}


async def test_poses_get_their_ids_from_the_results(client: DeepOriginClient, platform: Platform) -> None:
    record = "imports/staging/a.sdf#record-"
    poses = [{"file_path": f"{record}{n}", "ligand_id": f"L{n}", "record_index": n} for n in (1, 0, 2)]
    platform.states = [completed(poses=poses, ligands=[{"id": f"L{n}", "record_index": n} for n in range(3)])]
    platform.ingestion = [{"id": "0E", "status": "Completed"}]
    platform.tables["result-explorer"] = [
        {"id": "P1", "data": {"file_path": f"{record}1", "ligand_id": "L1"}},
        {"id": "P0", "data": {"record_index": 0, "ligand_id": "L0"}},
    ]
    found = await client.imports.poses("imports/staging/a.sdf", 3, protein_id="08P")
    assert [pose.id if pose else None for pose in found.poses] == ["P0", "P1", ""]
    assert found.poses[1] is not None
    assert found.poses[1].as_input == {"id": "P1", "file_path": f"{record}1"}
    with pytest.raises(ArgumentError):
        await client.imports.poses("imports/staging/a.sdf", 3, protein_id=" ")


async def test_poses_that_are_not_ingested_in_time_are_said(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [completed(poses=[{"file_path": "a.sdf#record-0", "record_index": 0}])]
    platform.ingestion = [{"id": "0E", "status": "DataIngesting"}]
    found = await client.imports.poses("imports/staging/a.sdf", 1, protein_id="08P", timeout_seconds=10)
    assert not found.is_ingested
    assert json.dumps([pose.raw["record_index"] if pose else None for pose in found.poses]) == "[0]"


async def test_outputs_may_come_as_a_list(client: DeepOriginClient, platform: Platform) -> None:
    platform.states = [{"status": "Succeeded", "jobOutputs": [{"proteins": [{"id": "08P"}]}, {"other": 1}]}]
    assert (await client.imports.protein(await staged(client))).proteins[0].id == "08P"


async def test_nothing_is_nothing_to_import(client: DeepOriginClient, platform: Platform) -> None:
    with pytest.raises(ArgumentError):
        await client.imports.ligands([])
    assert platform.platform.requests == []
