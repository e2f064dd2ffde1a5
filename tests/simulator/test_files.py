"""Files, signed links and imports: what the official client does not show."""

import math
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from deeporigin_mcp.simulator.model.molecules import helix_pdb
from tests.support.api import DOCKING, POCKETS, PROJECT, Api, docking_inputs, finish

IMPORT = "deeporigin.import-dataset"


def link(api: Api, path: str, *, upload: bool = False) -> str:
    query = {"upload": "true"} if upload else {}
    return str(api.http.get(f"/files/{api.org}/signedUrl/{path}", params=query).json()["url"])


def store(method: str, url: str, **kwargs: Any) -> httpx.Response:
    """A request of anybody who has a link: no token."""
    return httpx.request(method, url, verify=False, **kwargs)


def imported(api: Api, path: str, **inputs: Any) -> dict[str, Any]:
    """The DTO of a blocking import."""
    body = {"inputs": {"file_path": path, **inputs}, "sync": True, "visibility": "hidden"}
    response = api.create(IMPORT, "3", **body)
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.fixture
def source() -> Iterator[str]:
    """A web server that has one file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/1abc.pdb" else 404)
            self.end_headers()
            self.wfile.write(b"ATOM")

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_signed_link_reads_a_file_or_a_range_of_it(api: Api, platform: Platform) -> None:
    platform.add_file("data/a.txt", b"0123456789")
    url = link(api, "data/a.txt")
    assert store("GET", url).content == b"0123456789"
    part = store("GET", url, headers={"Range": "bytes=4-6"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"456", "bytes 4-6/10")
    assert store("GET", url, headers={"Range": "bytes=7-"}).content == b"789"
    assert store("GET", url, headers={"Range": "bytes=-2"}).content == b"89"
    assert store("GET", url, headers={"Range": "bytes=10-"}).status_code == 416


def test_the_store_answers_errors_in_xml(api: Api, clock: ManualClock, platform: Platform) -> None:
    platform.add_file("a.txt", b"a")
    missing, url = store("GET", link(api, "gone.txt")), link(api, "a.txt")
    assert (missing.status_code, "<Code>NoSuchKey</Code>" in missing.text) == (404, True)
    for changed in (url.replace("a.txt", "b.txt"), url[:-1], url.partition("?")[0]):
        forged = store("GET", changed)
        assert (forged.status_code, "SignatureDoesNotMatch" in forged.text) == (403, True)
    assert store("PUT", url, content=b"x").status_code == 403
    clock.advance(timedelta(days=1, seconds=1).total_seconds())
    expired = store("GET", url)
    assert (expired.status_code, "Request has expired" in expired.text) == (403, True)


def test_a_link_to_write_wants_a_length_and_takes_none(api: Api, platform: Platform) -> None:
    url = link(api, "up/empty.txt", upload=True)
    assert store("PUT", url, content=iter([b"x"])).status_code == 501
    assert store("PUT", url, content=b"").status_code == 200
    assert api.http.head("/files/deeporigin/up/empty.txt").headers["content-length"] == "0"


def test_a_leading_slash_misses_the_route(api: Api) -> None:
    assert api.http.get("/files/deeporigin/signedUrl//a.txt").status_code == 404


def test_the_server_fetches_from_loopback_only(api: Api, source: str) -> None:
    path = "/files/deeporigin/imports/1abc.pdb"
    assert api.http.post(path, json={"url": f"{source}/1abc.pdb"}).json()["key"] == "imports/1abc.pdb"
    assert api.http.get(path).content == b"ATOM"
    for url in (f"{source}/gone.pdb", "https://files.rcsb.org/download/1abc.pdb", "file:///etc/passwd", None):
        assert api.http.post(path, json={"url": url}).status_code == 400


def test_every_file_that_a_result_names_exists(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("CCO", "c1ccccc1O"), approveAmount=10)
    folder = f"/files/deeporigin/directory/tool-runs/{execution}/"
    assert api.http.get(folder, params={"recursive": "true"}).json() == {"data": [], "continuationToken": None}
    finish(clock, platform, execution)
    listed = {row["Key"]: row["Size"] for row in api.http.get(folder, params={"recursive": "true"}).json()["data"]}
    rows = api.found("result-explorer", filter={"compute_job_id": {"eq": execution}})
    assert listed.keys() == {row["data"]["file_path"] for row in rows}
    for path, size in listed.items():
        content = api.http.get(f"/files/deeporigin/{path}").text
        assert len(content) == size
        assert all(word in content for word in ("V2000", "<POSE SCORE>", "$$$$"))
    gone = next(iter(listed))
    assert api.http.delete(f"/files/deeporigin/{gone}").json() is True
    assert api.http.get(f"/files/deeporigin/{gone}").status_code == 404


def test_a_list_file_is_read(api: Api, clock: ManualClock, platform: Platform) -> None:
    platform.add_file("docking/ligand-lists/x.json", b'[{"id": "08A", "smiles": "CCO"}, {"smiles": "C1CC"}]')
    inputs = {**docking_inputs(), "ligands_file": "docking/ligand-lists/x.json", "ligands_count": 2}
    del inputs["ligands"]
    execution = api.started(DOCKING, inputs=inputs, approveAmount=10)
    finish(clock, platform, execution)
    poses = api.found("result-explorer", filter={"best_pose": {"eq": True}})
    assert [row["data"]["ligand_id"] for row in poses] == ["08A"]
    warnings = api.found("user_logs", filter={"execution_id": execution, "log_level": "warning"})
    assert [row["message"][:9] for row in warnings] == ["Ligand 2:"]


def test_pockets_are_at_atoms_of_the_protein_that_was_brought_in(
    api: Api, clock: ManualClock, platform: Platform
) -> None:
    turn = math.tau / 30
    atoms = [(310 + 20 * math.cos(turn * number), 20 * math.sin(turn * number) - 120, 55.0) for number in range(30)]
    lines = [
        f"ATOM  {number:5d}  CA  GLY A{number:4d}    {atom[0]:8.3f}{atom[1]:8.3f}{atom[2]:8.3f}  1.00  0.00           C"
        for number, atom in enumerate(atoms, 1)
    ]
    platform.add_file("mine.pdb", "\n".join(lines).encode())
    inputs = {"protein": {"id": "08TARGETPR001", "file_path": "mine.pdb"}, "pocket_count": 4, "sync": False}
    finish(clock, platform, api.started(POCKETS, inputs=inputs, approveAmount=100))
    centres = [row["data"]["center"] for row in api.found("result-explorer", filter={})]
    assert [min(math.dist(centre, atom) for atom in atoms) for centre in centres] == pytest.approx([4.0] * 4, abs=0.01)
    assert len({tuple(centre) for centre in centres}) > 1


def test_another_organisation_does_not_find_the_files_of_a_run(
    api: Api, acme: Api, clock: ManualClock, platform: Platform
) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs("CCO"), approveAmount=10)
    finish(clock, platform, execution)
    path = api.found("result-explorer", filter={})[0]["data"]["file_path"]
    assert acme.http.get(f"/files/acme/{path}").status_code == 404
    assert acme.http.get("/files/acme/directory/tool-runs/", params={"recursive": "true"}).json()["data"] == []


def test_a_run_on_a_file_that_does_not_exist_costs_and_fails(api: Api, clock: ManualClock, platform: Platform) -> None:
    inputs = docking_inputs("CCO", protein={"id": "x", "file_path": "C:\\Users\\me\\model.pdb"})
    execution = api.started(DOCKING, inputs=inputs, approveAmount=10)
    finish(clock, platform, execution)
    dto = api.get(execution)
    assert (dto["status"], dto["billingTransaction"]["totalCost"]) == ("Failed", 0.2)
    assert "C:\\Users\\me\\model.pdb" in dto["statusReason"]["message"]


@pytest.mark.parametrize(
    ("content", "inputs", "reason"),
    [
        (None, {"process_csv": True}, "not found"),
        (b"HEADER only", {"process_pdb": True}, "no atoms"),
        (b"name\nx\n", {"process_csv": True}, "no column smiles"),
        (b"smiles\nnot_one\n", {"process_csv": True}, "none of 1 records"),
        (b"smiles\n" + b"CCO\n" * 501, {"process_csv": True}, "501 records"),
        (b"", {"process_sdf": True}, "none of 0 records"),
        (b"\xff\xfe", {"process_sdf": True}, "UTF-8"),
    ],
)
def test_an_import_that_fails_answers_200_with_a_reason_and_no_rows(
    api: Api,
    automatic: ManualClock,
    platform: Platform,
    content: bytes | None,
    inputs: dict[str, Any],
    reason: str,
) -> None:
    if content is not None:
        platform.add_file("imports/staging/x.dat", content)
    before = {table: len(rows) for table, rows in platform.organisations["deeporigin"].entities.items()}
    dto = imported(api, "imports/staging/x.dat", **inputs)
    assert (dto["status"], dto["jobOutputs"]) == ("Failed", None)
    assert reason in dto["statusReason"]
    after = {table: len(rows) for table, rows in platform.organisations["deeporigin"].entities.items()}
    assert after == before


def test_rows_of_an_import_are_out_of_order_and_bad_records_are_in_the_log(
    api: Api, automatic: ManualClock, platform: Platform
) -> None:
    platform.add_file("x.csv", b'smiles,name,tags\r\nOCCO,a,\r\nC1CC,b,\r\nOCCN,c,"{""batch"": 1}"\r\n')
    dto = imported(api, "x.csv", process_csv=True)
    assert [row["record_index"] for row in dto["jobOutputs"]["ligands"]] == [2, 0]
    automatic.advance(5)
    warnings = api.found("user_logs", filter={"execution_id": dto["executionId"], "log_level": "warning"})
    assert [row["message"][:9] for row in warnings] == ["Ligand 2:"]
    (row,) = api.found("ligands", filter={"name": "c"})
    assert (row["tags"]["batch"], row["project_id"]) == (1, PROJECT)


def test_a_prepared_structure_is_known_by_its_stamp(api: Api, automatic: ManualClock, platform: Platform) -> None:
    platform.add_file("x.pdb", b"REMARK  99 DO_PREPARED\n" + helix_pdb().encode())
    (row,) = imported(api, "x.pdb", process_pdb=True, pdb_id="1ABC")["jobOutputs"]["proteins"]
    assert row["created"] is True
    automatic.advance(5)
    (found,) = api.found("proteins", filter={"state": "prepared", "pdb_id": "1ABC"})
    assert found["id"] == row["protein_id"]


def test_a_preparation_makes_a_protein_of_its_own(api: Api, clock: ManualClock, platform: Platform) -> None:
    (source,) = api.found("proteins", filter={"id": "08DEPR0TE1N00"})
    protein = {"id": source["id"], "file_path": source["file_path"]}
    selection = {"source_sha256": "0" * 64, "decisions": {}}
    inputs = {"action": "prepare", "protein": protein, "selection": selection}
    finish(clock, platform, api.started("deeporigin.protein-prep", inputs=inputs, approveAmount=10))
    (row,) = api.found("result-explorer", filter={"result_type": {"eq": "preparedprotein"}})
    made = api.http.get(f"/data-platform/deeporigin/proteins/{row['data']['id']}").json()
    assert (made["state"], made["protein_name"]) == ("prepared", source["protein_name"])
    assert (made["origin_entity_id"], made["file_path"]) == (source["id"], row["data"]["file_path"])
    assert b"DO_PREPARED" in api.http.get(f"/files/deeporigin/{made['file_path']}").content


def test_an_import_may_be_quoted_first(api: Api, automatic: ManualClock, platform: Platform) -> None:
    platform.add_file("x.csv", b"smiles\r\nOCCO\r\n")
    inputs = {"file_path": "x.csv", "process_csv": True}
    quote = api.create(IMPORT, "3", inputs=inputs, sync=True, approveAmount=-1).json()
    assert (quote["status"], quote["jobOutputs"]) == ("Quoted", None)
    done = api.act(quote["executionId"], "confirm").json()
    assert (done["status"], len(done["jobOutputs"]["ligands"])) == ("Completed", 1)


def test_the_rows_of_an_import_can_be_read_after_it_is_ingested(
    api: Api, automatic: ManualClock, platform: Platform
) -> None:
    platform.add_file("x.csv", b"smiles\r\nOCCO\r\n")
    (row,) = imported(api, "x.csv", process_csv=True)["jobOutputs"]["ligands"]
    path = f"/data-platform/deeporigin/ligands/{row['id']}"
    assert api.http.get(path).status_code == 404
    automatic.advance(platform.ingestion_lag_seconds)
    assert api.http.get(path).json()["smiles"] == "OCCO"


LIGAND = "/data-platform/deeporigin/ligands/08DEL1GAND000"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/data-platform/deeporigin/ligands", {}, 400, "set"),
        ("POST", "/data-platform/deeporigin/ligands", {"set": {"name": "x"}}, 400, "set.smiles"),
        ("POST", "/data-platform/deeporigin/ligands", {"set": {"smiles": "C1CC"}}, 400, "set.smiles"),
        ("POST", "/data-platform/deeporigin/ligands", {"set": {"smiles": "C", "colour": "red"}}, 400, "colour"),
        (
            "POST",
            "/data-platform/deeporigin/ligands",
            {"set": {"smiles": "C", "project_id": "x"}},
            400,
            "set.project_id",
        ),
        ("POST", "/data-platform/deeporigin/ligands", {"set": {"smiles": "C"}, "returning": ["red"]}, 400, "red"),
        ("POST", "/data-platform/deeporigin/ligands/batch/create", {}, 400, "rows"),
        ("POST", "/data-platform/deeporigin/poses", {"set": {}}, 404, None),
        ("PATCH", LIGAND, {"set": {}}, 400, "set"),
        ("PATCH", LIGAND, {"set": {"version": 9}}, 400, "version"),
        ("PATCH", LIGAND, {"set": {"origin_kind": "x"}}, 400, "origin_kind"),
        ("PATCH", "/data-platform/deeporigin/ligands/batch/update", {"updates": 1}, 400, "updates"),
        ("DELETE", "/data-platform/deeporigin/ligands/nope", None, 404, None),
        ("GET", "/files/deeporigin/directory/a?max-keys=0", None, 400, "max-keys"),
        ("GET", "/files/deeporigin/directory/a?continuation-token=A", None, 400, "continuation-token"),
        ("GET", "/files/deeporigin/signedUrl/", None, 404, None),
        ("GET", "/files/protected/nothing", None, 404, None),
        ("PUT", "/files/deeporigin/a.txt", {}, 400, "file"),
    ],
)
def test_a_bad_request_is_refused_and_changes_nothing(
    api: Api, platform: Platform, method: str, path: str, body: dict[str, Any] | None, status: int, field: str | None
) -> None:
    organisation = platform.organisations["deeporigin"]
    before = (repr(organisation.entities), set(organisation.files))
    response = api.http.request(method, path, json=body)
    assert response.status_code == status, response.text
    assert [error["field"] for error in response.json().get("errors", [])] == [field] * (field is not None)
    assert (repr(organisation.entities), set(organisation.files)) == before
