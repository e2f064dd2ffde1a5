"""A SMILES is read as the official client reads it, and what cannot be docked is known before a price."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.tools.molecules import chemistry
from deeporigin_mcp.tools.molecules.chemistry import CheckedSmiles, check_smiles, duplicates, read_sdf
from deeporigin_mcp.tools.molecules.smiles import unsupported_elements

MOLECULES = (
    "CCO",
    "c1ccccc1O",
    "C1=CC=CC=C1O",
    "OC(=O)c1ccccc1OC(C)=O",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "F/C=C/F",
    "F/C=C\\F",
    "CC(=O)[O-].[Na+]",
    "[Na+].CC(=O)[O-]",
    "CN.Cl",
    "CCN.O.O.Cl",
    "[NH3+]CC.[Cl-]",
    "CC(=O)O.CCN",
    "OC(=O)C(F)(F)F.c1ccncc1",
    "C1.C1",
    "N.N.Cl[Pt]Cl",
    "[Pt](Cl)(Cl)(N)N",
    "OB(O)c1ccccc1",
    "C[Si](C)(C)C",
    "C[Se]C",
    "c1cc[se]c1",
    "[2H]C([2H])O",
    "[H]OC",
    "[13CH4]",
    "C*",
    "[Na+].[Cl-]",
    "[H][H]",
    "CC[N+](C)(C)C.[I-]",
    "O=[N+]([O-])c1ccccc1",
    "c1ccc2[nH]ccc2c1",
    "CC(=O)[O-].CC(=O)[O-].[Ca+2]",
    "O=S(=O)(O)c1ccccc1",
    "C1CCCCC1",
    "N#Cc1ccccc1",
    "CP(=O)(O)O",
)
UNREADABLE = ("C(C)(C)(C)(C)C", "c1cccc1", "CN(C)(C)(C)C", "[Xx]C", "CCO>>CC=O", "F[F]F")


@pytest.fixture(autouse=True)
def _rdkit_again() -> Iterator[None]:
    yield
    chemistry._rdkit.cache_clear()


@pytest.fixture
def without_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in `sys.modules` makes an import fail as that of a missing package does."""
    chemistry._rdkit.cache_clear()
    for name in ("rdkit", "rdkit.Chem"):
        monkeypatch.setitem(__import__("sys").modules, name, None)


def official(smiles: str) -> Any:
    from deeporigin.drug_discovery import Ligand

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Ligand.from_smiles(smiles)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_a_smiles_becomes_what_the_official_client_would_send(smiles: str) -> None:
    theirs = official(smiles)
    ours = check_smiles(f" {smiles}\n")
    assert ours.smiles == theirs.canonical_smiles
    assert [*ours.elements] == theirs.unsupported_atom_symbols()
    assert (ours.problem is None) is not theirs.has_unsupported_atoms()


@given(st.lists(st.sampled_from(MOLECULES), min_size=1, max_size=4), st.lists(st.integers(0, 200), max_size=3))
def test_any_mixture_and_any_spelling_becomes_what_the_official_client_would_send(
    parts: list[str], starts: list[int]
) -> None:
    from rdkit import Chem

    whole = ".".join(part for part in parts if part != "C1.C1")
    if not whole:
        return
    molecule = Chem.MolFromSmiles(whole)
    spellings = {whole, *(Chem.MolToSmiles(molecule, rootedAtAtom=at % molecule.GetNumAtoms()) for at in starts)}
    expected = official(whole).canonical_smiles
    assert {check_smiles(one).smiles for one in spellings} == {expected}


@given(st.lists(st.sampled_from(MOLECULES), min_size=1, max_size=4))
@example(["C1.C1", "N.N.Cl[Pt]Cl"])
@example(["C1.[Na+].C%01", "[Pt]"])
def test_elements_are_the_same_without_rdkit(parts: list[str]) -> None:
    whole = ".".join(parts)
    assert unsupported_elements(whole) == check_smiles(whole).elements


@pytest.mark.parametrize("smiles", UNREADABLE)
def test_what_the_official_client_cannot_read_is_a_problem(smiles: str) -> None:
    with pytest.raises(Exception, match="Cannot create Ligand"):
        official(smiles)
    assert check_smiles(smiles).problem


def test_the_reason_is_rdkits_own(capfd: pytest.CaptureFixture[str]) -> None:
    problem = check_smiles("CN(C)(C)(C)C").problem
    assert problem is not None
    assert problem.startswith("is not a SMILES that RDKit can read: Explicit valence for atom # 1 N, 5")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("smiles", "notes"),
    {
        "CCO": (),
        "OCC": ("written as CCO",),
        "[Na+].CC(=O)[O-]": ("counter-ion [Na+] dropped",),
        "OCC[NH3+].[Cl-]": ("counter-ion [Cl-] dropped", "written as [NH3+]CCO"),
        "CCN.O.O.Cl": ("counter-ion Cl, 2 O dropped",),
        "CC(=O)O.CCN": ("a mixture of 2 organic parts",),
        "N.N.Cl[Pt]Cl": ("written as N.N.[Cl][Pt][Cl]",),
    }.items(),
)
def test_what_is_changed_is_noted(smiles: str, notes: tuple[str, ...]) -> None:
    assert check_smiles(smiles).notes == notes


def test_duplicates_are_those_of_the_same_canonical_form() -> None:
    checked = [check_smiles(one) for one in ("CCO", "c1ccccc1", "OCC", "CCO.[Na+]", "C1=CC=CC=C1", "C(", "C(")]
    assert duplicates(checked) == {2: 0, 3: 0, 4: 1}


def test_a_very_long_smiles_is_left_to_the_platform() -> None:
    long = "C" * (chemistry.MAX_CHECKED_CHARACTERS + 1)
    assert check_smiles(long) == CheckedSmiles(
        long, long, None, ("is longer than 1,000 characters, so its chemistry was not checked",)
    )


@pytest.mark.usefixtures("without_rdkit")
def test_without_rdkit_text_and_elements_are_checked() -> None:
    assert not chemistry.is_available()
    assert check_smiles(" OCC ") == CheckedSmiles(" OCC ", "OCC")
    assert check_smiles("c1cccc1").problem is None
    assert check_smiles("c1ccccc").problem == "does not close ring 1"
    assert check_smiles("OB(O)c1ccccc1").problem == "has B; supported: H, C, N, O, F, P, S, Cl, Br, I"
    assert check_smiles("[Na+].CC(=O)[O-]").problem is None
    assert duplicates([check_smiles(one) for one in ("CCO", "OCC", "CCO ")]) == {2: 0}


ETHANOL = """\
ethanol

  a comment
  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 C   0  0
    2.0000    1.4000    0.0000 O   0  0
  1  2  1  0
  2  3  1  0
M  END
> <SCORE>
1.5

$$$$
"""
BROKEN = "broken\n\n\n  9  9  0  0\nnonsense\nM  END\n$$$$\n"


def sdf(*records: str) -> io.BytesIO:
    return io.BytesIO("".join(records).encode())


def test_records_of_an_sdf_are_read_in_order() -> None:
    salt = ETHANOL.replace("  3  2", "  3  1").replace("  2  3  1  0\n", "").replace("ethanol", "hydrate")
    windows = ETHANOL.replace("\n", "\r\n")
    bromide = ETHANOL.replace(" O   0", " Pt  0").replace("ethanol", "metal")
    found = read_sdf(sdf(ETHANOL, BROKEN, salt, windows, bromide, ETHANOL.replace("$$$$\n", "")))
    assert [(one.number, one.name, one.smiles) for one in found] == [
        (0, "ethanol", "CCO"),
        (1, "broken", ""),
        (2, "hydrate", "CC"),
        (3, "ethanol", "CCO"),
        (4, "metal", "C[CH2][Pt]"),
        (5, "ethanol", "CCO"),
    ]
    assert [one.problem for one in found] == [
        None,
        "is not a record that RDKit can read",
        None,
        None,
        "has Pt; supported: H, C, N, O, F, P, S, Cl, Br, I",
        None,
    ]
    assert found[2].notes == ("counter-ion O dropped",)
    assert duplicates(found) == {3: 0, 5: 0}


def test_a_record_without_atoms_and_one_that_is_too_long_are_problems() -> None:
    empty = "none\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n$$$$\n"
    long = ETHANOL.replace("1.5", "x" * chemistry.MAX_RECORD_BYTES)
    assert [one.problem for one in read_sdf(sdf(empty, long, ETHANOL))] == [
        "has no atoms",
        "is a record of more than 1,000,000 bytes",
        None,
    ]


def test_too_many_records_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemistry, "MAX_SDF_RECORDS", 2)
    assert len(read_sdf(sdf(ETHANOL, ETHANOL))) == 2
    with pytest.raises(ArgumentError) as refused:
        read_sdf(sdf(ETHANOL, ETHANOL, ETHANOL))
    assert refused.value.code == "file_too_large"


def test_an_empty_sdf_has_no_records() -> None:
    assert read_sdf(sdf("")) == read_sdf(sdf("\n \n")) == []


@pytest.mark.usefixtures("without_rdkit")
def test_without_rdkit_records_are_counted_and_named() -> None:
    assert [(one.name, one.smiles, one.problem) for one in read_sdf(sdf(ETHANOL, BROKEN))] == [
        ("ethanol", "", None),
        ("broken", "", None),
    ]


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    read_sdf(io.BytesIO(content))
    read_sdf(io.BytesIO(content + ETHANOL.encode() + content))


@given(st.text(alphabet="CNOc1()[]=#+-@HBrPt.*%0:/\\", max_size=40))
def test_no_text_breaks_the_check(text: str) -> None:
    checked = check_smiles(text)
    if checked.problem is None:
        assert check_smiles(checked.smiles).smiles == checked.smiles


def test_what_ends_a_record_ends_it_at_the_start_of_a_line_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemistry, "MAX_RECORD_BYTES", 8)
    content = b"one\n" + b"x" * 8 + b"$$$$ is no end here\n$$$$\ntwo\n$$$$\n"
    assert [one.name for one in read_sdf(io.BytesIO(content))] == ["one", "two"]
    assert [*chemistry.lines_in_pieces(io.BytesIO(content))][-1] == (b"$$$$\n", True)
