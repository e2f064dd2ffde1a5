"""Proteins, ligands, poses and pockets in every shape that the platform gives them."""

from typing import Any

import pytest

from deeporigin_mcp.platform.records.entities import Ligand, Pocket, Pose, Protein, Row, index, mean_of_atoms, number

JUNK: list[Any] = [None, 7, True, [], {}, [1], {"a": 1}, "", float("nan")]


def pocket(**data: Any) -> Pocket:
    return Pocket({"id": "0AP", "data": {"pocket_center": [1, 2.5, 3], **data}})


FLAT = {"box_size_x": 10, "box_size_y": 11.5, "box_size_z": "12"}
NESTED = {"box_size_x": 20, "box_size_y": 21, "box_size_z": 22}


def test_a_ligand_goes_into_inputs_by_id_and_canonical_smiles() -> None:
    ligand = Ligand({"id": "08GAND0000001", "smiles": "OCC", "canonical_smiles": "CCO", "molecular_weight": "46.07"})
    assert ligand.as_input == {"id": "08GAND0000001", "smiles": "CCO"}
    assert ligand.molecular_weight == 46.07
    assert ligand.as_file_input is None
    with_file = Ligand({"id": "L", "smiles": "OCC", "mol_file": "entities/ligands/a.sdf"})
    assert with_file.as_input == {"id": "L", "smiles": "OCC"}
    assert with_file.as_file_input == {"id": "L", "file_path": "entities/ligands/a.sdf"}


def test_a_protein_is_named_as_the_official_client_names_it() -> None:
    row = {"id": "08PR", "gene_symbol": "EGFR", "pdb_id": "1ABC", "protein_name": "toy kinase"}
    names = []
    for field in ("protein_name", "pdb_id", "gene_symbol", "id"):
        names.append(Protein(row).name)
        del row[field]
    assert names == ["toy kinase", "1ABC", "EGFR", "08PR"]


def test_a_protein_of_an_import_may_have_its_id_under_another_name() -> None:
    row = Protein({"protein_id": "08PR", "file_path": "/seeded/a.pdb", "name": "toy", "created": True})
    assert row.as_input == {"id": "08PR", "file_path": "/seeded/a.pdb"}
    assert row.name == "toy"
    assert Protein({"id": "08PR", "file_path": None}).as_input is None
    assert Protein({"state": "Prepared"}).is_prepared
    assert not Protein({"state": "unprocessed"}).is_prepared


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pose_is_read_from_a_row_or_from_outputs(wrapped: bool) -> None:
    data = {"file_path": "tool-runs/e/a.sdf", "ligand_id": "L", "pose_score": 0.9, "best_pose": True, "smiles": "CCO"}
    pose = Pose({"id": "0A", "data": data} if wrapped else {"id": "0A", **data})
    assert pose.as_input == {"id": "0A", "file_path": "tool-runs/e/a.sdf"}
    assert (pose.score, pose.is_best, pose.is_scored, pose.smiles) == (0.9, True, True, "CCO")


def test_a_reference_or_registered_pose_has_no_score() -> None:
    assert not Pose({"data": {"file_path": "a.sdf#record-1", "origin": "registered"}}).is_scored


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FLAT, [10, 11.5, 12]),
        ({**FLAT, "box": NESTED}, [20, 21, 22]),
        ({**FLAT, "box": {**NESTED, "box_size_z": 0}}, [10, 11.5, 12]),
        ({**FLAT, "box_size_y": None, "volume": 64}, [8, 8, 8]),
        ({"volume": 64}, [8, 8, 8]),
        ({"volume": -1}, None),
        ({"box_size_x": float("inf"), "box_size_y": 1, "box_size_z": 1}, None),
    ],
)
def test_a_pocket_has_the_box_that_docking_takes(data: dict[str, Any], expected: list[float] | None) -> None:
    assert pocket(**data).box == (pytest.approx(expected) if expected else None)


def test_a_pocket_goes_into_docking_as_it_is() -> None:
    assert pocket(**FLAT).as_input == {
        "box_size_x": 10,
        "box_size_y": 11.5,
        "box_size_z": 12,
        "center": [1, 2.5, 3],
        "id": "0AP",
    }
    rotated = {**NESTED, "rotation_deg": [0, 90, 0]}
    assert (pocket(box=rotated).as_input or {})["rotation_deg"] == [0, 90, 0]
    assert "rotation_deg" not in (pocket(box={**NESTED, "rotation_deg": [0, 0, 0]}).as_input or {})
    # A flat box is never rotated.
    assert "rotation_deg" not in (pocket(**FLAT, box={"rotation_deg": [0, 90, 0]}).as_input or {})


def test_a_pocket_of_outputs_has_its_center_under_another_name_or_in_its_file() -> None:
    assert (Pocket({"center": [4, 5, 6], "volume": 64}).as_input or {})["center"] == [4, 5, 6]
    nowhere = Pocket({"volume": 64})
    assert nowhere.as_input is None
    pdb = "\n".join(f"ATOM      1  CA  ALA A   1    {x:8.3f}{x + 1:8.3f}{x + 2:8.3f}  1.00  0.00" for x in (1, 3))
    center = mean_of_atoms(f"HEADER\n{pdb}\nATOM  broken\nEND")
    assert center == [2, 3, 4]
    assert (nowhere.input_at(center) or {})["center"] == [2, 3, 4]
    assert mean_of_atoms("END") is None


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("kind", [Ligand, Protein, Pose, Pocket])
def test_malformed_fields_are_missing_ones(kind: type[Row], junk: Any) -> None:
    names = ["id", "protein_id", "name", "smiles", "file_path", "mol_file", "tags", "state", "box", "volume", "center"]
    for raw in (dict.fromkeys(names, junk), {"id": junk, "data": dict.fromkeys(names, junk)}):
        row = kind(raw)
        for name in dir(row):
            getattr(row, name)
        assert getattr(row, "as_input", None) is None


def test_numbers_and_indexes_are_read_from_text_too() -> None:
    assert [number(value) for value in (1, "2.5", "x", True, None, float("inf"))] == [1, 2.5, None, None, None, None]
    assert [index(value) for value in (0, 3.0, "4", -1, 1.5, None)] == [0, 3, 4, None, None, None]
