"""What a structure file holds is known before it is uploaded."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.simulator.model.molecules import helix_pdb
from deeporigin_mcp.tools.molecules import structures
from deeporigin_mcp.tools.molecules.structures import Structure, check_structure


def atom(name: str, residue: str, number: int | str, *, chain: str = "A", at: float = 0.0, record: str = "ATOM") -> str:
    place = f"{number:>4} " if isinstance(number, int) else f"{number:>5}"
    return f"{record:<6}{1:>5} {name:^4} {residue:>3} {chain}{place}   {at:8.3f}{0:8.3f}{0:8.3f}  1.00  0.00\n"


def residues(first: int, last: int, *, chain: str = "A", names: tuple[str, ...] = ("N", "CA", "C", "O")) -> str:
    return "".join(
        atom(name, "ALA", number, chain=chain, at=3.8 * number) for number in range(first, last + 1) for name in names
    )


def het(residue: str, number: int, name: str = "C1") -> str:
    return atom(name, residue, number, record="HETATM")


def checked(text: str, suffix: str = ".pdb") -> Structure:
    return check_structure(io.BytesIO(text.encode()), suffix)


CIF_COLUMNS = (
    *("group_PDB", "id", "label_atom_id", "label_comp_id", "label_asym_id", "label_seq_id", "auth_asym_id"),
    *("auth_seq_id", "auth_comp_id", "Cartn_x", "Cartn_y", "Cartn_z", "pdbx_PDB_model_num"),
)


def as_cif(pdb: str, *, before: str = "") -> str:
    rows, model = [], "1"
    for line in pdb.splitlines():
        if line.startswith("MODEL"):
            model = line.split()[1]
        if line.startswith(("ATOM", "HETATM")):
            name = f'"{line[12:16].strip()}"'
            chain, number, residue = line[21], line[22:27].strip(), line[17:20].strip()
            point = " ".join(line[start : start + 8].strip() for start in (30, 38, 46))
            rows.append(f"{line[:6]} 1 {name} {residue} Z . {chain} {number} {residue} {point} {model}")
    columns = "\n".join(f"_atom_site.{column}" for column in CIF_COLUMNS)
    return f"data_test\n#\n{before}loop_\n{columns}\n" + "\n".join(rows) + "\n#\n_other.thing 1\n"


WHOLE = (
    residues(1, 10)
    + residues(14, 20)
    + atom("N", "MSE", 21, record="HETATM", at=3.8 * 21)
    + atom("CA", "MSE", 21, record="HETATM", at=3.8 * 21)
    + residues(5, 6, chain="B")
    + het("LIG", 101)
    + het("LIG", 101, "C2")
    + het("ZN", 102, "ZN")
    + het("CA", 103, "CA")
    + "".join(het("HOH", 200 + number, "O") for number in range(3))
)
FOUND = Structure(
    atoms=len(WHOLE.splitlines()),
    chains=("A", "B"),
    residues=20,
    ligands=("LIG", "ZN", "CA"),
    waters=3,
    gaps=("A 11-13",),
    models=1,
    notes=("has 1 gap: A 11-13",),
)


@pytest.mark.parametrize("suffix", [".pdb", ".PDB", ".ent", ".pdbqt"])
def test_chains_ligands_waters_and_gaps_of_a_pdb_are_found(suffix: str) -> None:
    assert checked(f"HEADER    X\n{WHOLE}TER\nEND\n", suffix) == FOUND


@pytest.mark.parametrize("suffix", [".cif", ".mmcif"])
def test_an_mmcif_says_the_same(suffix: str) -> None:
    assert checked(as_cif(WHOLE), suffix) == replace(FOUND, models=1)


def test_text_of_an_mmcif_is_not_taken_for_atoms() -> None:
    before = "_struct.title\n;loop_\n_atom_site.id\nATOM 1\n;\nloop_\n_a.b\n_a.c\n'it's' \"x y\"\n"
    assert checked(as_cif(WHOLE, before=before), ".cif") == FOUND


def test_the_first_of_several_models_is_described() -> None:
    text = f"MODEL        1\n{residues(1, 5)}ENDMDL\nMODEL        2\n{residues(1, 9)}ENDMDL\n"
    for found in (checked(text), checked(as_cif(text), ".cif")):
        assert (found.models, found.residues, found.atoms) == (2, 5, 20)
        assert found.notes == ("has 2 models",)


def test_a_c_alpha_trace_is_told() -> None:
    found = checked(residues(1, 30, names=("CA",)) + het("HOH", 50, "O"))
    assert found.is_ca_trace
    assert found.problem is None
    assert not checked(residues(1, 30, names=("CA",)) + residues(31, 31)).is_ca_trace


def test_numbers_that_jump_without_a_gap_are_no_gap() -> None:
    """As in structures that are numbered after a related protein."""
    jump = residues(1, 3) + "".join(atom(name, "GLY", 7, at=3.8 * 4) for name in ("N", "CA", "C", "O"))
    assert checked(jump).gaps == ()
    assert checked(residues(1, 3) + residues(5, 6) + residues(9, 9)).gaps == ("A 4", "A 7-8")


@pytest.mark.parametrize(
    ("text", "suffix", "is_prepared"),
    [
        (f"REMARK  99 DO_PREPARED\n{WHOLE}", ".pdb", True),
        (f"HEADER\nREMARK 99  DO_PREPARED and more\n{WHOLE}", ".pdb", True),
        (f"{WHOLE}REMARK  99 DO_PREPARED\n", ".pdb", False),
        (as_cif(WHOLE, before="_deeporigin.prepared     DO_PREPARED\n#\n"), ".cif", True),
        (as_cif(WHOLE, before="_deeporigin.prepared     'DO_PREPARED'\n#\n"), ".cif", True),
        (as_cif(WHOLE, before="# REMARK  99 DO_PREPARED\n"), ".cif", False),
    ],
)
def test_the_stamp_of_a_preparation_is_seen_as_the_official_client_sees_it(
    text: str, suffix: str, is_prepared: bool, tmp_path: pytest.TempPathFactory
) -> None:
    from pathlib import Path

    from deeporigin.drug_discovery.structures.prepared_protein_stamp import has_prepared_protein_stamp

    path = Path(str(tmp_path)) / f"a{suffix}"
    path.write_text(text)
    assert checked(text, suffix).is_prepared is is_prepared is has_prepared_protein_stamp(path)


@pytest.mark.parametrize(
    ("content", "suffix", "problem"),
    [
        (b"", ".pdb", "has no atoms"),
        (b"HEADER only\nEND\n", ".pdb", "has no atoms"),
        (as_cif("").encode(), ".cif", "has no atoms"),
        (b"\x1f\x8b\x08\x00", ".pdb", "is compressed with gzip: unpack it first"),
        (b"PK\x03\x04", ".pdb", "is a ZIP file: unpack it first"),
        (as_cif(WHOLE).encode(), ".pdb", "is mmCIF, although its name ends in .pdb"),
        (WHOLE.encode(), ".cif", "is PDB, although its name ends in .cif"),
        (b"<!DOCTYPE html><title>404</title>", ".pdb", "is HTML or XML, although its name ends in .pdb"),
        (b"\n\n\n  1  0  0 V2000\n", ".pdb", "is an SDF or MOL2 file, although its name ends in .pdb"),
        (b"ATOM      1  CA  ALA A   1      x.xxx   y.yyy   z.zzz\n", ".pdb", "has no readable coordinates"),
        (WHOLE.encode(), ".xyz", "has the suffix '.xyz'; valid: .pdb, .ent, .pdbqt, .cif, .mmcif"),
    ],
)
def test_what_is_no_structure_is_a_problem(content: bytes, suffix: str, problem: str) -> None:
    assert check_structure(io.BytesIO(content), suffix).problem == problem


def test_a_ligand_alone_is_told() -> None:
    found = checked(het("UNK", 1) + het("UNK", 1, "C2"), ".pdbqt")
    assert (found.ligands, found.residues, found.problem) == (("UNK",), 0, None)
    assert found.notes == ("has no protein or nucleic acid",)


def test_the_simulators_structure_has_no_problem() -> None:
    found = checked(helix_pdb())
    assert found.residues > 5
    assert (found.problem, found.notes) == (None, ())


def test_a_file_without_end_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structures, "MAX_LINES", 8)
    found = checked(residues(1, 9))
    assert (found.residues, found.notes) == (2, ("was checked up to line 8",))


@given(st.binary(max_size=300), st.sampled_from(structures.SUFFIXES))
def test_no_bytes_break_the_reader(content: bytes, suffix: str) -> None:
    check_structure(io.BytesIO(content), suffix)
    check_structure(io.BytesIO(as_cif(WHOLE)[:300].encode() + content), suffix)
    check_structure(io.BytesIO(b"ATOM  " + content), suffix)
