"""The official client with its chemistry, unchanged, drives the simulator: from files to poses and back to files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from deeporigin.drug_discovery import Docking, Ligand, LigandSet, PocketFinder, PoseSet, Protein
from deeporigin.drug_discovery import import_dataset_sync as official_imports
from deeporigin.exceptions import DeepOriginException
from deeporigin.platform.client import DeepOriginClient
from rdkit import Chem

from deeporigin_mcp.simulator import ManualClock, Platform
from deeporigin_mcp.simulator.model.molecules import helix_pdb, written_sdf
from tests.support.api import finish

SMILES = ["CCO", "Cc1ccc(cc1)S(N)(=O)=O", "c1ccc2[nH]ccc2c1"]

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("automatic", "chemistry"),
]


@pytest.fixture
def chemistry(clock: ManualClock, official: DeepOriginClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated time for imports; `official` is the client that the classes find by themselves."""
    simulated = SimpleNamespace(sleep=clock.advance, monotonic=lambda: clock.now().timestamp())
    monkeypatch.setattr(official_imports, "time", simulated)


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    path = tmp_path / "helix.pdb"
    path.write_text(helix_pdb())
    return path


def sdf(folder: Path, *smiles: str) -> Path:
    path = folder / "three.sdf"
    path.write_text("".join(written_sdf(text, f"mol {n}", (0, 0, 0), {}) for n, text in enumerate(smiles)))
    return path


def synced(structure: Path, client: DeepOriginClient, **kwargs: Any) -> Protein:
    protein = Protein.from_file(structure)
    protein.sync(client=client, **kwargs)
    return protein


def test_a_protein_is_made_once_and_then_reused(
    official: DeepOriginClient, structure: Path, clock: ManualClock, platform: Platform
) -> None:
    first, second = synced(structure, official), synced(structure, official)
    assert (first.id, first.remote_path) == (second.id, second.remote_path)
    clock.advance(5)
    assert official.files.stat(first.remote_path)["content-length"] == str(structure.stat().st_size)
    assert Protein.from_id(first.id, client=official).name == "helix"
    assert [platform.executions[key].stored["visibility"] for key in platform.creates] == ["hidden", "hidden"]


def test_a_deleted_protein_is_reused_and_cannot_be_read(
    official: DeepOriginClient, structure: Path, clock: ManualClock
) -> None:
    first = synced(structure, official)
    clock.advance(5)
    official.entities.delete(entity="proteins", entity_id=first.id)
    assert synced(structure, official).id == first.id
    with pytest.raises(DeepOriginException):
        official.entities.get_protein(first.id)


def test_ligands_of_a_csv_and_other_spellings_of_them_are_the_same_rows(
    official: DeepOriginClient, tmp_path: Path
) -> None:
    path = tmp_path / "ligands.csv"
    path.write_text("smiles,Name\n" + "".join(f"{text},mol {n}\n" for n, text in enumerate(SMILES)))
    ligands = LigandSet.from_csv(path)
    ligands.sync(client=official)
    again = LigandSet.from_sdf(sdf(tmp_path, *SMILES))
    again.sync(client=official)
    assert [ligand.id for ligand in again] == [ligand.id for ligand in ligands]
    assert len({ligand.id for ligand in ligands}) == 3
    other = Ligand.from_smiles("OCC")
    other.sync(client=official)
    assert other.id == ligands[0].id


def test_ligands_of_an_sdf_have_a_file_each(official: DeepOriginClient, tmp_path: Path, clock: ManualClock) -> None:
    ligands = LigandSet.from_sdf(sdf(tmp_path, "CCCCO", "CCCCN"))
    ligands.sync(client=official)
    clock.advance(5)
    rows = official.entities.get_ligands([ligand.id for ligand in ligands])
    files = {row["mol_file"] for row in rows}
    assert len(files) == 2
    for path in files:
        text = Path(official.files.download(path)).read_text()
        assert Chem.MolFromMolBlock(text) is not None


def test_more_than_500_smiles_go_through_the_workflow(
    official: DeepOriginClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ligands = LigandSet.from_smiles(["C" * length for length in range(1, 25)])
    monkeypatch.setattr(official_imports, "MAX_SERVED_FILE_LIGAND_RECORDS", 20)
    ligands.sync(client=official)
    assert len({ligand.id for ligand in ligands}) == 24


def test_poses_of_an_sdf_belong_to_a_protein(official: DeepOriginClient, structure: Path, tmp_path: Path) -> None:
    protein = synced(structure, official)
    poses = PoseSet.from_sdf(sdf(tmp_path, "CCO", "CCN"), protein_id=protein.id)
    poses.sync(client=official)
    assert len({pose.id for pose in poses}) == 2
    assert all("#record-" in pose.remote_path for pose in poses)


def test_from_files_to_poses_on_disk(
    official: DeepOriginClient, structure: Path, clock: ManualClock, platform: Platform
) -> None:
    protein = synced(structure, official)
    ligands = LigandSet.from_smiles(SMILES)
    ligands.sync(client=official)
    finder = PocketFinder(protein=protein, client=official)
    (pocket,) = finder.run(approve_amount=10)
    docking = Docking(protein=protein, pocket=pocket, ligands=ligands, client=official)
    docking.start(approve_amount=10)
    finish(clock, platform, platform.creates[-1])
    poses = docking.get_poses()
    assert len(poses) == 3
    read = [Chem.MolFromMolFile(pose.local_path) for pose in poses]
    assert {Chem.MolToSmiles(molecule) for molecule in read} == {
        Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in SMILES
    }
    path = Path(official.files.download(platform.executions[platform.creates[-2]].found()[0][1]["file_path"]))
    assert Chem.MolFromPDBBlock(path.read_text(), sanitize=False).GetNumAtoms() > 10
