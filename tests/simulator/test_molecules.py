"""The simulator's own SMILES and SDF, with RDKit as the judge."""

import sys

import pytest
from rdkit import Chem

from deeporigin_mcp.simulator.model.molecules import (
    UnreadableError,
    canonical,
    helix_pdb,
    read_record,
    read_sdf,
    read_smiles,
    written_sdf,
    written_smiles,
)

SMILES = [
    *("CCO", "c1ccccc1O", "c1cc[nH]c1", "O=c1[nH]cnc2[nH]cnc12", "CC(=O)[O-].[Na+]", "C[N+](C)(C)C", "C[n+]1ccccc1"),
    *("Cc1ccc(S(=O)(=O)N)cc1", "N#Cc1ccc2ncccc2c1", "O=[N+]([O-])c1ccccc1", "C1CC2CCC1C2", "OP(=O)(O)O", "CS(C)=O"),
    *("c1ccc2c(c1)[nH]c1ccccc12", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "c1csc(-c2ccccc2)n1", "Clc1ccccc1Br", "C%12CCC%12"),
    "c1ccc2c3ccccc3c3ccccc3c2c1",
]


def by_rdkit(smiles: str) -> str:
    molecule = Chem.MolFromSmiles(smiles)
    assert molecule is not None, smiles
    return Chem.MolToSmiles(molecule, isomericSmiles=False)


@pytest.mark.parametrize("smiles", SMILES)
def test_a_molecule_stays_itself_through_sdf_and_back(smiles: str) -> None:
    (record,) = read_sdf(written_sdf(smiles, "title", (1.0, 2.0, 3.0), {"POSE SCORE": 0.9}))
    seen = Chem.MolFromMolBlock(record)
    assert Chem.MolToSmiles(seen, isomericSmiles=False) == by_rdkit(smiles)
    title, molecule = read_record(record)
    assert title == "title"
    assert by_rdkit(written_smiles(molecule)) == by_rdkit(smiles)
    assert molecule.key() == read_smiles(smiles).key()


@pytest.mark.parametrize("smiles", SMILES)
def test_the_key_of_a_molecule_does_not_depend_on_its_spelling(smiles: str) -> None:
    with_hydrogens = Chem.MolToMolBlock(Chem.AddHs(Chem.MolFromSmiles(smiles)))
    for other in (by_rdkit(smiles), Chem.MolToSmiles(Chem.MolFromSmiles(smiles), kekuleSmiles=False, doRandom=True)):
        assert read_smiles(other).key() == read_smiles(smiles).key()
    assert read_record(with_hydrogens)[1].key() == read_smiles(smiles).key()
    assert read_smiles(smiles).key() != read_smiles(f"C.{smiles}").key()


@pytest.mark.parametrize("smiles", ["", "not_one", "C1CC", "C(", "C)", "C11", "c1cccc1", "C C", "[Xx"])
def test_what_is_no_molecule_is_refused(smiles: str) -> None:
    with pytest.raises(UnreadableError):
        written_sdf(smiles, "", (0, 0, 0), {})


@pytest.mark.parametrize(
    "record", ["", "a\n\n\n  1  0  0  0  0            999 V3000\n", "a\nb\nc\n  2  1  0 V2000\n", "x"]
)
def test_what_is_no_record_is_refused(record: str) -> None:
    with pytest.raises(UnreadableError):
        read_record(record)


def test_the_stand_in_for_a_protein_is_read() -> None:
    protein = Chem.MolFromPDBBlock(helix_pdb())
    assert protein.GetNumAtoms() == protein.GetNumBonds() + 1 == 96


def test_canonical_smiles_are_rdkits_or_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canonical("OCC") == "CCO"
    assert canonical("c1cccc1") == "c1cccc1"
    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)
    assert canonical("OCC") == "OCC"
