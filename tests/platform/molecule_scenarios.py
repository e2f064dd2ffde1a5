"""Calls about molecules and files that this client and the official one are compared by.

The numbers are those of the reference in `molecule_wire_reference.json`: requests of the official client 5.4.0, and the
replies that it was given. `official` is given that client (`c`), its module `import_dataset_sync` (`m`) and a folder.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeporigin_mcp.platform import LigandInput
from tests.support.recording import PROJECT

RUN = "11111111-2222-4333-8444-555555555555"
POCKETS = "33333333-2222-4333-8444-555555555555"
P1, L1, L2 = "08PR0TE1N0001", "08GAND0000001", "08GAND0000002"
SMILES = ["CCO", "CCCCF", "CCCCCl"]
LIVE = {"deleted": False}
NEWEST = {"created_at": "desc"}


@dataclass(frozen=True)
class Scenario:
    """One call. `differs` is the number of the deliberate difference that changes its requests, 0 for none."""

    number: int
    ours: Callable[[Any], Any]
    official: Callable[[Any, Any, Path], Any] | None = None
    differs: int = 0
    project_id: str = PROJECT
    served_rows: int = 500
    """So many SMILES are imported without a workflow."""


def _search(number: int, entity: str, conditions: dict[str, Any] | None = None, **options: Any) -> Scenario:
    return Scenario(
        number,
        lambda c: c.entities.search(entity, conditions, **options),
        lambda c, m, d: c.entities.search(entity, filter_dict=conditions, **options),
    )


def _proteins(number: int, conditions: dict[str, Any], official: dict[str, Any], **options: Any) -> Scenario:
    return Scenario(
        number,
        lambda c: c.entities.search("proteins", {**LIVE, **conditions}, **{"limit": 100, **options}),
        lambda c, m, d: c.entities.search_proteins(**official, **options),
    )


def _ligands(
    number: int, conditions: dict[str, Any], official: dict[str, Any], limit: int | None = 100, **options: Any
) -> Scenario:
    return Scenario(
        number,
        lambda c: c.entities.all("ligands", conditions, limit=limit, **options),
        lambda c, m, d: c.entities.search_ligands(**official, limit=limit, **options),
    )


def _weight(low: float, high: float) -> list[dict[str, Any]]:
    return [
        {"column": "molecular_weight", "op": "gte", "value": low},
        {"column": "molecular_weight", "op": "lte", "value": high},
    ]


def _create(number: int, entity: Any, values: dict[str, Any], official: dict[str, Any], differs: int = 0) -> Scenario:
    return Scenario(
        number,
        lambda c: c.entities.create(entity, values),
        lambda c, m, d: getattr(c.entities, f"create_{entity[:-1]}")(**official),
        differs,
    )


def _update(number: int, entity: Any, entity_id: str, **values: Any) -> Scenario:
    return Scenario(
        number,
        lambda c: c.entities.update(entity, entity_id, values),
        lambda c, m, d: getattr(c.entities, f"update_{entity[:-1]}")(entity_id, **values),
    )


async def _in_turn(*calls: Any) -> Any:
    found = None
    for call in calls:
        found = await call
    return found


def _pages(search: Callable[..., Any], official: Callable[..., Any], cursor: str) -> dict[str, Any]:
    return {
        "ours": lambda c: _in_turn(search(c), search(c, cursor=cursor)),
        "official": lambda c, m, d: (official(c), official(c, cursor=cursor)),
    }


NAMED = {"name": {"icontains": "lig1"}}
THIOL = {"smiles": "CCS", "project_id": "proj_1", "name": "thiol", "mol_file": "entities/ligands/x.sdf"}
ORIGIN = {"kind": "enumerated", "entity_type": "ligand", "entity_id": L1}
EVERY = {
    "file_path": "entities/proteins/y.pdb",
    "state": "prepared",
    "preparation": {"added_hydrogens": True},
    "structure_hash": "sha256:0001",
    "project_id": "proj_1",
    "gene_symbol": "TOY1",
    "pdb_id": "1ABC",
    "uniprot_accession": "P00001",
    "fasta_sequence": "AGS",
    "protein_name": "toy",
    "protein_length": 3,
    "tags": {"batch": "a"},
}
SUBJECTS = {"execution_id": {"eq": "0EXEC00000001"}, "entity_type": {"eq": "ligand"}}
SEQUENCE = {"column": "fasta_sequence", "op": "eq", "value": "AGS"}

ENTITIES = [
    _search(3, "ligands", {"name": {"icontains": "LIG1"}, "project_id": "proj_1"}, select=["id", "name", "smiles"],
            sort=NEWEST, limit=5),
    _search(4, "ligands", {"props": [{"column": "name", "op": "icontains", "value": "lig"}]}, limit=3),
    _search(5, "ligands", {"deleted": True}),
    Scenario(6, **_pages(lambda c, **o: c.entities.search("ligands", limit=4, **o),
                         lambda c, **o: c.entities.search("ligands", limit=4, **o), "opaque-4")),
    _search(7, "execution_subjects", SUBJECTS, limit=50),
    Scenario(8, lambda c: c.entities.get("proteins", P1), lambda c, m, d: c.entities.get_protein(P1)),
    Scenario(9, lambda c: c.entities.get("ligands", L1), lambda c, m, d: c.entities.get_ligand(L1)),
    Scenario(10, lambda c: c.entities.get("ligands", "08GAND9999999"),
             lambda c, m, d: c.entities.get_ligand("08GAND9999999")),
    Scenario(12, lambda c: c.entities.get_many("ligands", [L2, L1, L2, "08GAND9999999"]),
             lambda c, m, d: c.entities.get_ligands([L2, L1, L2, "08GAND9999999"])),
    Scenario(13, lambda c: c.entities.get_many("ligands", []), lambda c, m, d: c.entities.get_ligands([])),
    _proteins(14, {}, {}),
    _proteins(15, {"pdb_id": "1ABC"}, {"pdb_id": "1ABC"}),
    _proteins(16, {"project_id": "proj_1"}, {"project_id": "proj_1"}),
    _proteins(18, {"props": [*_weight(300, 301), SEQUENCE]},
              {"sequence": "AGS", "min_molecular_weight": 300, "max_molecular_weight": 301}),
    _proteins(19, {}, {}, limit=1, offset=1, select=["id", "protein_name"], sort=NEWEST),
    _proteins(21, {}, {}, limit=None),
    Scenario(20, **_pages(lambda c, **o: c.entities.search("proteins", limit=2, **o),
                          lambda c, **o: c.entities.search_proteins(limit=2, **o), "opaque-2")),
    _search(22, "proteins", {"protein_name": {"icontains": "kinase"}}),
    _search(23, "proteins", {"state": "prepared", "project_id": "proj_1"}),
    _search(24, "proteins", {"no_such_column": 1}),
    _ligands(25, {}, {}),
    _ligands(26, {**LIVE, "smiles": "OCC"}, {"smiles": "OCC"}),
    _ligands(27, {**LIVE, "canonical_smiles": "CCO"}, {"canonical_smiles": "CCO"}),
    _ligands(28, {**LIVE, "props": [{"column": "canonical_smiles", "op": "in", "value": ["CCO", "CCN"]}]},
             {"smiles_list": ["CCO", "CCN"]}),
    Scenario(29, lambda c: c.entities.ligands_by_smiles([]), lambda c, m, d: c.entities.search_ligands(smiles_list=[])),
    _ligands(31, {"project_id": "proj_2"}, {"filter_dict": {"project_id": "proj_2"}}),
    _ligands(32, NAMED, {"filter_dict": NAMED}),
    _ligands(33, {"mol_file": "entities/ligands/lig1.sdf"}, {"filter_dict": {"mol_file": "entities/ligands/lig1.sdf"}}),
    _ligands(34, {**LIVE, "props": _weight(40, 60)}, {"min_molecular_weight": 40, "max_molecular_weight": 60}),
    _ligands(35, {}, {}, limit=3, offset=2, sort={"name": "asc"}, select=["id", "name"]),
    _ligands(36, {}, {}, limit=150, select=["id"]),
    _ligands(37, {}, {}, limit=None, offset=5, select=["id"]),
    _create(38, "ligands", {"smiles": "OCCO"}, {"smiles": "OCCO"}),
    _create(39, "ligands", {**THIOL, "tags": {"batch": "a"}, "molecular_weight": 62.1},
            {**THIOL, "tags": {"batch": "a"}, "molecular_weight": 62.1}),
    _create(40, "ligands", {"smiles": "CCO", "project_id": "proj_1"}, {"smiles": "CCO", "project_id": "proj_1"}),
    _create(41, "ligands", {"smiles": "CCO", "project_id": "proj_1", "variant_name_tag": "form-b"},
            {"smiles": "CCO", "project_id": "proj_1", "variant_name_tag": "form-b"}),
    _create(42, "ligands", {"smiles": "CCO"}, {"smiles": "CCO"}),
    _create(43, "ligands", {"smiles": "CCBr", **{f"origin_{name}": value for name, value in ORIGIN.items()}},
            {"smiles": "CCBr", "origin": ORIGIN}),
    _create(44, "ligands", {"smiles": "CCI"}, {"smiles": "CCI"}, differs=18),
    _update(49, "ligands", L2, name="renamed"),
    _update(50, "ligands", L2, tags={"k": "v"}),
    _update(51, "ligands", L2),
    _update(52, "proteins", P1, uniprot_accession="P00001", protein_name="new name"),
    Scenario(53, lambda c: c.entities.update("proteins", P1, {"state": "prepared"},
                                             returning=["id", "state", "version"]),
             lambda c, m, d: c.entities.update("proteins", P1, set_dict={"state": "prepared"},
                                               returning=["id", "state", "version"])),
    _update(54, "ligands", "nope", name="x"),
    _create(56, "proteins", {"file_path": "entities/proteins/x.pdb"}, {"file_path": "entities/proteins/x.pdb"}),
    _create(57, "proteins", {**EVERY, "origin_kind": "prepared_from", "origin_entity_type": "protein",
                             "origin_entity_id": P1},
            {**EVERY, "origin": {"kind": "prepared_from", "entity_type": "protein", "entity_id": P1}}),
    Scenario(58, lambda c: _in_turn(c.entities.delete("ligands", "08GAND0000010"),
                                    c.entities.get("ligands", "08GAND0000010")),
             lambda c, m, d: (c.entities.delete(entity="ligands", entity_id="08GAND0000010"),
                              c.entities.get_ligand("08GAND0000010"))),
]  # fmt: skip

BOTH = {"protein_id": P1, "ligand_id": [L1, L2]}
EXPERIMENTS = [{"toolId": "deeporigin.docking", "toolVersion": "4.0.1"}]
BY_SCORE = {"pose_score": "desc"}

RESULTS = [
    Scenario(126, lambda c: c.results.poses(compute_job_id=RUN),
             lambda c, m, d: c.results.get_poses(compute_job_id=RUN)),
    Scenario(127, lambda c: c.results.poses(compute_job_id=RUN, best_pose=True),
             lambda c, m, d: c.results.get_poses(compute_job_id=RUN, best_pose=True, limit=None)),
    Scenario(129, lambda c: c.results.page(result_type="pose", compute_job_id=RUN, sort=BY_SCORE, limit=2),
             lambda c, m, d: c.results.get(result_type="pose", compute_job_id=RUN, sort=BY_SCORE, limit=2)),
    Scenario(130, lambda c: c.results.all(
        lambda cursor, _: c.results.page(result_type="pose", compute_job_id=RUN, limit=2, cursor=cursor)),
             lambda c, m, d: c.results.get(result_type="pose", compute_job_id=RUN, page_size=2, limit=None)),
    Scenario(131, lambda c: c.results.poses(), lambda c, m, d: c.results.get_poses(),
             project_id=""),
    Scenario(132, lambda c: c.results.poses(row_id="0AP0SE0000001", limit=1),
             lambda c, m, d: c.results.get(result_type="pose", filter_dict={"id": {"eq": "0AP0SE0000001"}}, limit=1)),
    Scenario(145, lambda c: c.results.pockets(compute_job_id=POCKETS),
             lambda c, m, d: c.results.get_pockets(compute_job_id=POCKETS)),
    Scenario(147, lambda c: c.results.pockets(row_id="0AP0CK0000007"),
             lambda c, m, d: c.results.get_pockets(id="0AP0CK0000007")),
    Scenario(152, lambda c: c.results.with_ligands(experiments=EXPERIMENTS, conditions=NAMED, limit=2),
             lambda c, m, d: c.results.with_ligands(experiments=EXPERIMENTS, filter_dict=NAMED, limit=2)),
    Scenario(153, **_pages(lambda c, **o: c.results.with_ligands(limit=3, **o),
                           lambda c, **o: c.results.with_ligands(limit=3, **o), "opaque-3")),
]  # fmt: skip


def _upload(number: int, path: str, differs: int = 0, content: bytes = b"") -> Scenario:
    """Through the gateway, from a file with the name and content of the reference."""
    name = {185: "toyprot.pdb", 187: "empty.txt"}.get(number, "ligands.csv")

    def official(c: Any, m: Any, folder: Path) -> Any:
        (folder / name).write_bytes(content)
        return c.files.upload(str(folder / name), path)

    return Scenario(
        number,
        lambda c: c.files.upload(io.BytesIO(content), path, name=name, overwrite=True),
        official,
        differs,
    )


def _list(number: int, path: str, **options: Any) -> Scenario:
    return Scenario(number, lambda c: c.files.list(path, **options), lambda c, m, d: c.files.list(path, **options))


def _download(number: int, path: str, differs: int = 0, **options: Any) -> Scenario:
    def official(c: Any, m: Any, folder: Path) -> Any:
        return c.files.download(path, local_path=str(folder / "file"), **options)

    return Scenario(number, lambda c: c.files.download(path, io.BytesIO()), official, differs)


def _tree(number: int, names: dict[str, bytes], differs: int = 0) -> Scenario:
    """By signed links, the largest file first."""

    def official(c: Any, m: Any, folder: Path) -> Any:
        for name, content in names.items():
            (folder / "up" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "up" / name).write_bytes(content)
        return c.files.upload_tree(str(folder / "up"), "tree" if number == 192 else "one", max_workers=1)

    def ours(c: Any) -> Any:
        where = "tree" if number == 192 else "one"
        return _in_turn(
            *(
                c.files.upload(io.BytesIO(content), f"{where}/{name}", overwrite=True, direct=False)
                for name, content in names.items()
            )
        )

    return Scenario(number, ours, official, differs)


CSV = b"""SMILES,Name,ic50
CCO,ethanol,1.0
c1ccccc1O,phenol,2.5
not_a_smiles,bad,9
,empty,9
CC(=O)O,acetic acid,3
"""
MANY = ["my/toyprot.pdb", "tree/a.txt"]
URL = "https://example.org/1abc.pdb"
NOWHERE = "https://example.org/nope"
ABC = "imports/1abc.pdb"

FILES = [
    _list(163, "data/"),
    _list(164, "/data//sub"),
    _list(166, "data/", recursive=False, delimiter="/"),
    _list(167, "data/", max_keys=2),
    _list(168, "", prefix="data/sub", last_count=10),
    _list(169, "nothing/here"),
    _list(170, "a/../b"),
    _list(171, "data/"),
    Scenario(172, lambda c: c.files.signed_link("data/a.txt"), lambda c, m, d: c.files.signed_url("data/a.txt")),
    Scenario(173, lambda c: c.files.signed_link("/data/new.txt", upload=True),
             lambda c, m, d: c.files.signed_url("/data/new.txt", upload=True)),
    Scenario(174, lambda c: c.files.signed_link("data/z z+%#?.txt"),
             lambda c, m, d: c.files.signed_url("data/z z+%#?.txt"), differs=14),
    Scenario(175, lambda c: c.files.signed_link("data/a.txt"), lambda c, m, d: c.files.signed_url("data/a.txt")),
    Scenario(176, lambda c: c.files.signed_link("missing"), lambda c, m, d: c.files.signed_url("missing")),
    _download(177, "imports/staging/three.sdf#record-1"),
    _upload(178, "my/run #2.csv", 14),
    _upload(179, "my/what?.csv", 14),
    _upload(180, "my/50%25 off.csv", 14),
    _upload(181, "my/50% off.csv", 14),
    _upload(182, "my/\u00e9t\u00e9+\u03b1.csv"),
    _upload(183, "a/./b.csv"),
    _upload(184, "back\\slash.csv"),
    _upload(185, "my/toyprot.pdb"),
    _upload(186, "/my//space name.csv"),
    _upload(187, "my/empty.txt"),
    _upload(188, "my/x.csv"),
    _upload(189, "my/x.csv"),
    _tree(192, {"a.txt": b"aaaa", "sub/b.txt": b"bb", "empty.txt": b""}),
    _tree(193, {"ligands.csv": CSV}),
    _tree(194, {"ligands.csv": CSV}, 17),
    Scenario(195, lambda c: c.files.fetch_from_url(URL, ABC),
             lambda c, m, d: c.files.upload_from_url(ABC, source_url=URL), differs=16),
    Scenario(196, lambda c: c.files.fetch_from_url(NOWHERE, ABC),
             lambda c, m, d: c.files.upload_from_url(ABC, source_url=NOWHERE)),
    _download(197, "my/toyprot.pdb"),
    _download(203, "missing.sdf", 17),
    _download(205, "x"),
    _download(206, "my/toyprot.pdb"),
    _download(207, "../etc/passwd"),
    Scenario(210, lambda c: c.files.download_many([(path, io.BytesIO()) for path in MANY], concurrency=1),
             lambda c, m, d: c.files.download_many(files={path: str(d / path) for path in MANY}, max_workers=1)),
    _download(212, "my/toyprot.pdb"),
    Scenario(213, lambda c: c.files.stat("my/toyprot.pdb"), lambda c, m, d: c.files.stat("my/toyprot.pdb")),
    Scenario(214, lambda c: c.files.stat("missing"), lambda c, m, d: c.files.stat("missing")),
    Scenario(215, lambda c: c.files.delete("tree/a.txt"), lambda c, m, d: c.files.delete("tree/a.txt")),
    Scenario(216, lambda c: c.files.delete("tree/a.txt"), lambda c, m, d: c.files.delete("tree/a.txt")),
    Scenario(223, lambda c: c.files.download("protected/panels/vol1/receptor.pdb", io.BytesIO())),
]  # fmt: skip

STAMPED = b"REMARK  99 DO_PREPARED\nATOM\n"
SDF = b"a\n$$$$\nb\n$$$$\nc\n$$$$\n"


def _staged(c: Any, suffix: Any, content: bytes, name: str) -> Any:
    return c.imports.stage(io.BytesIO(content), suffix, name=name)


def _protein(
    number: int, suffix: str = ".pdb", file: str = "toyprot.pdb", differs: int = 0, name: str = "toyprot", **more: Any
) -> Scenario:
    async def ours(c: Any) -> Any:
        return await c.imports.protein(await _staged(c, suffix, STAMPED, file), name=name, **more)

    def official(c: Any, m: Any, folder: Path) -> Any:
        (folder / file).write_bytes(STAMPED)
        extra = {"protein_name": name, **more}
        path = m.stage_local_file(c, folder / file)
        return m.sync_process_pdb(client=c, project_id="proj_1", file_path=path, extra_inputs=extra)

    return Scenario(number, ours, official, differs)


def _csv(number: int, *rows: LigandInput, differs: int = 0) -> Scenario:
    fields = "smiles,name,tags\r\n" if any(row.tags for row in rows) else "smiles,name\r\n"
    tags = {True: ',"{""batch"": ""a""}"', False: ","} if "tags" in fields else {True: "", False: ""}
    text = fields + "".join(f"{row.smiles},{row.name}{tags[bool(row.tags)]}\r\n" for row in rows)

    def official(c: Any, m: Any, folder: Path) -> Any:
        (folder / "ligands.csv").write_bytes(text.encode())
        path = m.stage_local_file(c, folder / "ligands.csv")
        return m.sync_process_csv(client=c, project_id="proj_1", file_path=path)

    return Scenario(number, lambda c: c.imports.ligands(rows), official, differs)


async def _sdf(c: Any) -> Any:
    return await c.imports.sdf(await _staged(c, ".sdf", SDF, "three.sdf"), 3)


def _official_sdf(c: Any, m: Any, folder: Path) -> Any:
    (folder / "three.sdf").write_bytes(SDF)
    path = m.stage_local_file(c, folder / "three.sdf")
    return m.sync_process_sdf(client=c, project_id="proj_1", file_path=path)


def _official_workflow(c: Any, m: Any, folder: Path) -> Any:
    (folder / "ligands.csv").write_bytes(("smiles,name\r\n" + "".join(f"{one},\r\n" for one in SMILES)).encode())
    path = m.stage_local_file(c, folder / "ligands.csv")
    run, row = m.workflow_import_smiles_csv(client=c, project_id="proj_1", csv_path=path, poll_interval=0.001)
    ligands = [type("Ligand", (), {"canonical_smiles": one})() for one in SMILES]
    return m.hydrate_ligand_ids_after_import(c, ligands, compute_job_id=run, project_id="proj_1", dp_execution_row=row)


def _workflow(number: int) -> Scenario:
    return Scenario(
        number, lambda c: c.imports.ligands([LigandInput(one) for one in SMILES]), _official_workflow, served_rows=2
    )


async def _poses(c: Any) -> Any:
    return await c.imports.poses(await _staged(c, ".sdf", SDF, "poses.sdf"), 2, protein_id=P1)


def _official_poses(c: Any, m: Any, folder: Path) -> Any:
    (folder / "poses.sdf").write_bytes(SDF)
    path = m.stage_local_file(c, folder / "poses.sdf")
    found = m.sync_process_sdf(
        client=c, project_id="proj_1", file_path=path, register_poses=True, protein_id=P1, origin="registered"
    )
    m.wait_for_data_platform_ingestion(c, found["import_execution_id"], poll_interval=0.001, no_row_timeout=30)
    for pose in found["poses"]:
        conditions = {"ligand_id": {"eq": pose["ligand_id"]}, "compute_job_id": {"eq": found["import_execution_id"]}}
        c.results.get(result_type="pose", filter_dict=conditions)


IMPORTS = [
    _protein(59),
    _protein(62, name="My toy", pdb_id="1ABC", uniprot_accession="P00001", tags={"batch": "a"}),
    # Nothing but the class `Protein` of the official client sees that it failed, and that not why.
    Scenario(68, _protein(68).ours),
    _protein(69),
    _protein(70),
    _protein(71),
    _protein(72, differs=18),
    _protein(80, file="stamped.pdb", name="stamped"),
    _protein(81, ".cif", "toy.cif", name="toy"),
    _csv(86, LigandInput("CCO", "ethanol")),
    _csv(88, LigandInput("CCN"), LigandInput("CCC"), LigandInput("Oc1ccccc1")),
    _csv(89, LigandInput("CCCO", tags={"batch": "a"}), LigandInput("CCCN")),
    _csv(100, LigandInput("CCO"), LigandInput("CCO"), LigandInput("CCO")),
    Scenario(92, _sdf, _official_sdf),
    _workflow(104),
    _workflow(105),
    _workflow(107),
    Scenario(113, _poses, _official_poses, 19),
]  # fmt: skip

SCENARIOS = [*ENTITIES, *RESULTS, *FILES, *IMPORTS]
