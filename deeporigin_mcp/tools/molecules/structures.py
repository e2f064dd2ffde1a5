"""What a structure file holds (PDB, PDBQT, mmCIF), told before it is uploaded unchanged.

Read line by line, and not judged by a chemistry toolkit: a file that the platform can use must not be refused here.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from deeporigin_mcp.platform.records.sanitizing import word

SUFFIXES = (".pdb", ".ent", ".pdbqt", ".cif", ".mmcif")
_CIF = (".cif", ".mmcif")
MAX_LINES = 5_000_000
LINE_BYTES = 4_096
MAX_SHOWN = 50
"""Chains, het codes and gaps that are named."""
WIDEST_STEP = 4.5
"""Å between the C-alphas of neighbours (3.8), with some tolerance; a jump in numbering without it is no gap."""

WATERS = frozenset({"HOH", "WAT", "DOD", "H2O", "TIP", "TIP3", "SOL", "SPC"})
_AMINO = frozenset(
    re.findall(
        r"\w+",
        "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL "
        "MSE SEC PYL SEP TPO PTR CSO CME HYP MLY KCX ACE NME NMA NH2 "
        "ASH GLH LYN ARN CYX CYM HID HIE HIP HSD HSE HSP",
    )
)
"""Residues of proteins: the standard ones, common modified ones, and other names that programs give them."""
_NUCLEIC = frozenset({"A", "C", "G", "U", "I", "DA", "DC", "DG", "DT", "DI", "DU"})
_BACKBONE = frozenset({"N", "CA", "C"})

_TOKEN = re.compile(r"""'((?:[^']|'(?=\S))*)'(?=\s|$)|"((?:[^"]|"(?=\S))*)"(?=\s|$)|(\S+)""")

Point = tuple[float, float, float]
_ARCHIVES = (
    (b"\x1f\x8b", "is compressed with gzip: unpack it first"),
    (b"PK\x03\x04", "is a ZIP file: unpack it first"),
)


class _Atom(NamedTuple):
    model: str
    chain: str
    number: str
    """Of the residue, with its insertion code."""
    residue: str
    name: str
    point: Point | None


@dataclass(frozen=True)
class Structure:
    """What a structure file holds; all but `models` is of its first model.

    Attributes:
        chains: ids of the chains with protein or nucleic acid.
        residues: of protein and nucleic acid.
        ligands: het codes of everything else, without water.
        waters: molecules of water.
        gaps: residues that are missing in a chain, such as `A 45-52`.
        is_ca_trace: whether the protein has C-alpha atoms only.
        is_prepared: whether it has the stamp of the platform's protein preparation.
        problem: why it cannot be used, as the rest of a sentence about the file; None if it can.
        notes: what is unusual, in the same form.
    """

    atoms: int = 0
    chains: tuple[str, ...] = ()
    residues: int = 0
    ligands: tuple[str, ...] = ()
    waters: int = 0
    gaps: tuple[str, ...] = ()
    is_ca_trace: bool = False
    models: int = 0
    is_prepared: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()


def check_structure(content: IO[bytes], suffix: str) -> Structure:
    """Read a structure from the current position.

    Args:
        suffix: of the file's name, such as `.pdb`; it decides how the platform reads it.
    """
    first = content.readline(LINE_BYTES)
    for start, problem in _ARCHIVES:
        if first.startswith(start):
            return Structure(problem=problem)
    lines = _lines(first, content)
    suffix = suffix.lower()
    if suffix not in SUFFIXES:
        return Structure(problem=f"has the suffix {word(suffix) or 'none'!r}; valid: {', '.join(SUFFIXES)}")
    reading = _Reading()
    atoms = _cif_atoms(lines, reading) if suffix in _CIF else _pdb_atoms(lines, reading)
    found = _Content()
    for atom in atoms:
        found.add(atom)
    return found.structure(reading, suffix)


@dataclass
class _Reading:
    """What lines other than atoms say."""

    is_prepared: bool = False
    models: int = 0
    looks_like: str = ""
    """Another kind of file than the suffix says."""
    lines: int = 0


@dataclass
class _Residue:
    chain: str
    number: str
    name: str
    atoms: set[str] = field(default_factory=set)
    ca: Point | None = None

    @property
    def is_water(self) -> bool:
        return self.name in WATERS

    @property
    def is_polymer(self) -> bool:
        if self.name in _AMINO or self.name in _NUCLEIC:
            return True
        # A modified residue has a name of its own, and the backbone of the others.
        return self.atoms >= _BACKBONE or {"P", "C1'"} <= self.atoms

    @property
    def has_protein(self) -> bool:
        return self.name in _AMINO or "CA" in self.atoms


class _Content:
    """The residues of the first model."""

    def __init__(self) -> None:
        self._atoms = 0
        self._with_points = 0
        self._models: dict[str, None] = {}
        self._residues: dict[tuple[str, str, str], _Residue] = {}

    def add(self, atom: _Atom) -> None:
        self._models[atom.model] = None
        if len(self._models) > 1:
            return
        self._atoms += 1
        self._with_points += atom.point is not None
        key = (atom.chain, atom.number, atom.residue)
        residue = self._residues.get(key) or self._residues.setdefault(key, _Residue(*key))
        residue.atoms.add(atom.name)
        if atom.name == "CA" and residue.ca is None:
            residue.ca = atom.point

    def structure(self, reading: _Reading, suffix: str) -> Structure:
        polymer = [one for one in self._residues.values() if not one.is_water and one.is_polymer]
        others = [one for one in self._residues.values() if not one.is_water and not one.is_polymer]
        protein = [one for one in polymer if one.has_protein]
        is_ca_trace = bool(protein) and all(one.atoms == {"CA"} for one in protein)
        models = max(len(self._models), reading.models)
        found = Structure(
            atoms=self._atoms,
            chains=_shown(one.chain or "-" for one in polymer),
            residues=len(polymer),
            ligands=_shown(one.name for one in others),
            waters=sum(one.is_water for one in self._residues.values()),
            gaps=tuple(itertools.islice(_gaps(protein), MAX_SHOWN)),
            is_ca_trace=is_ca_trace,
            models=models,
            is_prepared=reading.is_prepared,
            problem=self._problem(reading, suffix),
        )
        return found if found.problem else _with_notes(found, reading)

    def _problem(self, reading: _Reading, suffix: str) -> str | None:
        if self._atoms and self._with_points:
            return None
        if reading.looks_like:
            return f"is {reading.looks_like}, although its name ends in {suffix}"
        return "has no readable coordinates" if self._atoms else "has no atoms"


def _with_notes(found: Structure, reading: _Reading) -> Structure:
    notes = []
    if found.is_ca_trace:
        notes.append("is a C-alpha trace: docking and pocket finding need all atoms")
    elif not found.residues:
        notes.append("has no protein or nucleic acid")
    if found.models > 1:
        notes.append(f"has {found.models:,} models")
    if found.gaps:
        notes.append(f"has {len(found.gaps)} {'gap' if len(found.gaps) == 1 else 'gaps'}: {', '.join(found.gaps[:5])}")
    if reading.lines >= MAX_LINES:
        notes.append(f"was checked up to line {MAX_LINES:,}")
    return Structure(**{**vars(found), "notes": tuple(notes)})


def _shown(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(word, itertools.islice(dict.fromkeys(names), MAX_SHOWN)))


def _gaps(protein: Iterable[_Residue]) -> Iterator[str]:
    """Jumps in the numbers of a chain's residues, where the neighbours are not bonded to each other."""
    before: dict[str, _Residue] = {}
    for residue in protein:
        last = before.get(residue.chain)
        before[residue.chain] = residue
        if last is None:
            continue
        start, end = _number(last.number), _number(residue.number)
        if start is None or end is None or end <= start + 1:
            continue
        if last.ca is not None and residue.ca is not None and math.dist(last.ca, residue.ca) <= WIDEST_STEP:
            continue
        missing = f"{start + 1}-{end - 1}" if end > start + 2 else f"{start + 1}"
        yield f"{word(residue.chain)} {missing}".strip()


def _number(text: str) -> int | None:
    digits = re.match(r"-?\d{1,9}", text)
    return int(digits[0]) if digits else None


def _lines(first: bytes, content: IO[bytes]) -> Iterator[str]:
    yield first.decode("latin-1").removeprefix("\xef\xbb\xbf")
    for line in itertools.islice(iter(lambda: content.readline(LINE_BYTES), b""), MAX_LINES - 1):
        yield line.decode("latin-1")


_PDB_COLUMNS = (slice(21, 22), slice(22, 27), slice(17, 20), slice(12, 16))
"""Of chain, number with insertion code, residue and atom."""


def _pdb_atoms(lines: Iterator[str], reading: _Reading) -> Iterator[_Atom]:
    model, has_atoms = "1", False
    for line in lines:
        reading.lines += 1
        record = line[:6].rstrip()
        if record in ("ATOM", "HETATM"):
            has_atoms = True
            chain, number, residue, name = (line[at].strip() for at in _PDB_COLUMNS)
            yield _Atom(model, chain, number, residue, name, _point(line[30:38], line[38:46], line[46:54]))
        elif record == "MODEL":
            reading.models += 1
            model = str(reading.models)
        elif record == "REMARK" and not has_atoms:
            reading.is_prepared |= line.split()[1:3] == ["99", "DO_PREPARED"]
        elif not has_atoms and not reading.looks_like:
            reading.looks_like = _kind_of(line)


def _kind_of(line: str) -> str:
    """Which other kind of file begins with, or has, this line."""
    start = line.strip().lower()
    if start.startswith(("data_", "_atom_site.", "loop_")):
        return "mmCIF"
    if start.startswith(("<!doctype", "<html", "<?xml")):
        return "HTML or XML"
    if "v2000" in start or "v3000" in start or start.startswith("@<tripos>"):
        return "an SDF or MOL2 file"
    return ""


def _cif_atoms(lines: Iterator[str], reading: _Reading) -> Iterator[_Atom]:
    columns: list[str] = []
    values: list[str] = []
    in_text = False
    for line in lines:
        reading.lines += 1
        if line.startswith(";"):
            # A text of several lines, in which anything may stand.
            in_text = not in_text
            continue
        text = line.strip()
        if in_text or not text:
            continue
        if text.startswith("_atom_site."):
            if values:
                columns, values = [], []
            columns.append(text.split()[0].removeprefix("_atom_site.").lower())
        elif text.startswith(("#", "_", "loop_", "data_")):
            columns, values = [], []
            reading.is_prepared |= [part.strip("\"'") for part in text.split()[:2]] == [
                "_deeporigin.prepared",
                "DO_PREPARED",
            ]
        elif columns:
            values += [one or two or bare for one, two, bare in _TOKEN.findall(text)]
            while len(values) >= len(columns):
                yield _cif_atom(dict(zip(columns, values, strict=False)))
                del values[: len(columns)]
        elif not reading.looks_like and text.startswith(("HEADER", "ATOM  ", "HETATM")):
            reading.looks_like = "PDB"
        elif not reading.looks_like:
            reading.looks_like = _kind_of(text)


def _cif_atom(row: dict[str, str]) -> _Atom:
    """Author's ids, as PDB files have them, else the archive's own."""

    def known(*names: str) -> str:
        return next((row[name] for name in names if row.get(name, ".") not in (".", "?")), "")

    return _Atom(
        model=known("pdbx_pdb_model_num"),
        chain=known("auth_asym_id", "label_asym_id"),
        number=known("auth_seq_id", "label_seq_id") + known("pdbx_pdb_ins_code"),
        residue=known("auth_comp_id", "label_comp_id"),
        name=known("auth_atom_id", "label_atom_id"),
        point=_point(known("cartn_x"), known("cartn_y"), known("cartn_z")),
    )


def _point(*texts: str) -> Point | None:
    try:
        x, y, z = map(float, texts)
    except ValueError:
        return None
    return (x, y, z) if math.isfinite(x + y + z) else None
