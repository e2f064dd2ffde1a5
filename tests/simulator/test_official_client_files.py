"""The official client, unchanged, drives the simulator: files and entity rows."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from deeporigin.exceptions import DeepOriginException
from deeporigin.platform import files as official_files
from deeporigin.platform.client import DeepOriginClient

from deeporigin_mcp.simulator import ManualClock, Platform, parse_fault
from tests.support.api import ACME_PROJECT, DOCKING, PROJECT, docking_inputs, finish


@pytest.fixture(autouse=True)
def file_time(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official_files, "time", SimpleNamespace(sleep=clock.advance))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three files in two folders; one is empty, one is binary and looks like a form."""
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n\x00\xff\r\n--x--\r\n')
    (folder / "sub" / "b.txt").write_text("bb")
    (folder / "empty.txt").touch()
    return folder


def test_an_upload_comes_back_byte_for_byte(official: DeepOriginClient, tree: Path, tmp_path: Path) -> None:
    official.files.upload(tree / "a.bin", "my/été +ß.bin")
    for direct in (True, False):
        got = official.files.download("my/été +ß.bin", local_path=tmp_path / f"{direct}.bin", direct=direct)
        assert Path(got).read_bytes() == (tree / "a.bin").read_bytes()


def test_a_tree_goes_up_through_signed_links_and_is_listed_page_by_page(
    official: DeepOriginClient, tree: Path, platform: Platform
) -> None:
    official.files.upload_tree(tree, "tree")
    keys = ["tree/a.bin", "tree/empty.txt", "tree/sub/b.txt"]
    assert official.files.list("tree") == official.files.list("/tree/", max_keys=1) == keys
    assert official.files.list("tree", recursive=False) == ["tree/a.bin", "tree/empty.txt", "tree/sub/"]
    assert official.files.list("", prefix="tree/sub") == ["tree/sub/b.txt"]
    assert official.files.list("nothing/here") == []
    assert [row["Size"] for row in official.files.list("tree", metadata=True)] == [63, 0, 2]
    pages = [target for _, target, _ in platform.requests if "/directory/tree/?" in target]
    assert len(pages) == 3


def test_it_stats_and_deletes(official: DeepOriginClient, tree: Path) -> None:
    official.files.upload_tree(tree, "tree")
    stat = official.files.stat("tree/sub/b.txt")
    assert (stat["content-length"], stat["etag"]) == ("2", '"21ad0bd836b90d08f4cf640b4c298e7c"')
    official.files.delete("tree/sub/b.txt")
    with pytest.raises(RuntimeError, match="Failed to delete"):
        official.files.delete("tree/sub/b.txt")
    with pytest.raises(DeepOriginException):
        official.files.stat("tree/sub/b.txt")
    official.files.delete("tree/")
    assert official.files.list("tree/") == []


def test_it_downloads_many_and_a_zip(official: DeepOriginClient, tree: Path) -> None:
    official.files.upload_tree(tree, "tree")
    got = official.files.download_many(files=["tree/a.bin", "tree/gone"], skip_errors=True)
    assert list(got) == ["tree/a.bin"]
    assert Path(official.files.download_zip("tree/")).read_bytes().startswith(b"PK")


def test_a_fault_hits_the_object_store_and_it_tries_again(
    official: DeepOriginClient, tree: Path, platform: Platform
) -> None:
    platform.faults = [parse_fault("PUT /store/* status=503 times=1"), parse_fault("GET /store/* half times=1")]
    official.files.upload_tree(tree / "a.bin", "one/")
    with official.files.download_stream("one/a.bin") as stream, pytest.raises(Exception, match="peer closed"):
        stream.read()
    assert Path(official.files.download("one/a.bin")).stat().st_size == 63
    assert [row[0] for row in platform.requests if row[1].startswith("/store/")] == ["PUT", "PUT", "GET", "GET"]


def test_the_platforms_own_files_are_read_by_everybody(official: DeepOriginClient) -> None:
    response = official._get("/files/protected/panels/vol1/receptor.pdb")
    assert response.content.startswith(b"HEADER")


def test_organisations_see_neither_each_others_files_nor_rows(
    official: DeepOriginClient, acme_official: DeepOriginClient, tree: Path, clock: ManualClock
) -> None:
    official.files.upload_tree(tree, "tree")
    made = official.entities.create_ligand(smiles="OCCO", project_id=PROJECT)["data"]["id"]
    clock.advance(5)
    assert acme_official.files.list("tree") == []
    with pytest.raises(DeepOriginException):
        acme_official.files.download("tree/a.bin", direct=True)
    with pytest.raises(DeepOriginException):
        acme_official.entities.get_ligand(made)
    assert acme_official.entities.get_ligands([made]) == []
    assert acme_official.entities.create_ligand(smiles="OCCO", project_id=ACME_PROJECT)["data"]["id"] != made


def test_a_new_row_is_read_only_after_a_while(official: DeepOriginClient, clock: ManualClock) -> None:
    made = official.entities.create_ligand(smiles="OCCO", project_id=PROJECT, name="glycol", tags={"batch": "a"})[
        "data"
    ]
    assert made["canonical_smiles"] == "OCCO"
    assert made["tags"] | {"batch": "a", "app": "python-client"} == made["tags"]
    with pytest.raises(DeepOriginException):
        official.entities.get_ligand(made["id"])
    assert official.entities.search_ligands(canonical_smiles="OCCO")["data"] == []
    clock.advance(5)
    assert official.entities.get_ligand(made["id"])["name"] == "glycol"
    assert len(official.entities.search_ligands(canonical_smiles="OCCO")["data"]) == 1


def test_a_structure_is_taken_once_a_project_and_stays_taken_when_deleted(
    official: DeepOriginClient, clock: ManualClock
) -> None:
    made = official.entities.create_ligand(smiles="OCCO", project_id=PROJECT)["data"]["id"]
    with pytest.raises(DeepOriginException, match=r"Key \(project_scope_key, canonical_smiles, variant_name_tag\)"):
        official.entities.create_ligand(smiles="C(O)CO", project_id=PROJECT)
    official.entities.create_ligand(smiles="OCCO", project_id=PROJECT, variant_name_tag="form-b")
    official.entities.create_ligand(smiles="OCCO")
    clock.advance(5)
    official.entities.delete(entity="ligands", entity_id=made)
    with pytest.raises(DeepOriginException):
        official.entities.get_ligand(made)
    with pytest.raises(DeepOriginException, match="already exists"):
        official.entities.create_ligand(smiles="OCCO", project_id=PROJECT)
    assert len(official.entities.search_ligands(canonical_smiles="OCCO")["data"]) == 2


def test_a_batch_with_a_duplicate_makes_nothing(official: DeepOriginClient, clock: ManualClock) -> None:
    rows = [{"smiles": "CCCCN", "name": "amine"}, {"smiles": "CCCCS"}]
    assert official.entities.batch_create_ligands(rows=rows)["meta"] == {"inserted": 2}
    with pytest.raises(DeepOriginException):
        official.entities.batch_create_ligands(rows=[{"smiles": "CCCCCC"}, {"smiles": "CCCCS"}])
    clock.advance(5)
    assert official.entities.search_ligands(canonical_smiles="CCCCCC")["data"] == []


def test_an_update_is_a_new_version_in_a_list(official: DeepOriginClient, clock: ManualClock) -> None:
    made = official.entities.create_protein(file_path="entities/proteins/x.pdb", protein_name="x")["data"]
    clock.advance(5)
    changed = official.entities.update_protein(made["id"], protein_name="new name")
    assert (changed["meta"], changed["data"][0]["version"]) == ({"affected": 1}, 2)
    updates = [{"id": made["id"], "set": {"state": "prepared"}}]
    many = official.entities.batch_update("proteins", updates=updates, returning=["id", "state", "version"])
    assert many["data"] == [{"id": made["id"], "state": "prepared", "version": 3}]
    found = official.entities.search(
        "proteins", filter_dict={"protein_name": {"icontains": "NEW"}, "state": "prepared"}
    )
    assert [row["id"] for row in found["data"]] == [made["id"]]
    with pytest.raises(DeepOriginException):
        official.entities.update_ligand("nope", name="x")


def test_entities_are_paged_by_cursor_and_by_offset(official: DeepOriginClient, clock: ManualClock) -> None:
    rows = [{"smiles": "C" * length, "name": f"alkane {length:03d}"} for length in range(3, 110)]
    # In parts: a client that has to wait for long sends a creation again, and is told that the ligands exist.
    for first in range(0, len(rows), 20):
        official.entities.batch_create("ligands", rows=rows[first : first + 20])
    clock.advance(5)
    found = official.entities.search_ligands(
        limit=None, offset=2, filter_dict={"name": {"icontains": "alkane"}}, sort={"name": "asc"}, select=["name"]
    )
    assert [row["name"] for row in found["data"]] == [row["name"] for row in rows[2:]]
    heavy = official.entities.search_ligands(min_molecular_weight=58, max_molecular_weight=59)["data"]
    assert [row["smiles"] for row in heavy] == ["CCCC"]
    with pytest.raises(DeepOriginException, match="Unknown columns"):
        official.entities.search_ligands(filter_dict={"colour": "red"})


def test_it_learns_which_molecules_a_run_touched(
    official: DeepOriginClient, clock: ManualClock, platform: Platform
) -> None:
    data = {"inputs": docking_inputs("CCO", "CCN"), "approveAmount": 500}
    execution = official.executions.create(tool_key=DOCKING, tool_version="4", data=data)["executionId"]
    finish(clock, platform, execution)
    wanted = {"execution_id": {"eq": platform.executions[execution].data_platform_id}, "entity_type": {"eq": "ligand"}}
    found = official.entities.search("execution_subjects", filter_dict=wanted)["data"]
    assert [row["entity_canonical_id"] for row in found] == ["08MADEUP00000", "08MADEUP00001"]
