"""Small molecules and structures as files: SMILES and SDF read and written, PDB text made up.

Enough chemistry to give every molecule valid atoms and bonds and to recognise it in another spelling; stereochemistry
is not kept. The platform's canonical SMILES is RDKit's: it is computed where RDKit is installed, else the text stays.
"""

import importlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deeporigin_mcp.simulator.model.identifiers import digest, fraction

Point = tuple[float, float, float]

MOST_ATOMS = 999
"""What a V2000 block can number."""

_WEIGHTS = {
    "H": 1.008,
    "B": 10.81,
    "C": 12.011,
    "N": 14.007,
    "O": 15.999,
    "F": 18.998,
    "Na": 22.99,
    "Si": 28.086,
    "P": 30.974,
    "S": 32.06,
    "Cl": 35.45,
    "K": 39.098,
    "Se": 78.97,
    "Br": 79.904,
    "I": 126.904,
}
_VALENCES = {"B": (3,), "C": (4,), "N": (3, 5), "O": (2,), "P": (3, 5), "S": (2, 4, 6)}
_VALENCES |= dict.fromkeys(("F", "Cl", "Br", "I"), (1,))
_ORDERS = {"-": 1, "/": 1, "\\": 1, "=": 2, "#": 3, "$": 4, ":": 4}
AROMATIC = 4
"""Bond order of an aromatic bond, as SDF numbers it."""

_TOKEN = re.compile(
    r"\[\d*(?P<symbol>[A-Z][a-z]?|se|as|[bcnops]|\*)(?:@{1,2}(?:[A-Z]{2}\d+)?)?(?P<hydrogens>H\d*)?"
    r"(?P<charge>[+-]+\d*)?(?::\d+)?\]"
    r"|(?P<plain>Cl|Br|[BCNOPSFI]|[bcnops]|\*)|(?P<ring>%\d\d|\d)|(?P<bond>[-=#$:/\\])|(?P<mark>[().])"
)


class UnreadableError(ValueError):
    """A molecule or a file that cannot be read; the message says why."""


@dataclass(slots=True)
class Atom:
    """One atom; `hydrogens` counts those without an entry of their own, None for the usual number."""

    symbol: str
    charge: int = 0
    hydrogens: int | None = None
    aromatic: bool = False


@dataclass(slots=True)
class Molecule:
    """Atoms, and bonds as {(first, second): order}."""

    atoms: list[Atom] = field(default_factory=list)
    bonds: dict[tuple[int, int], int] = field(default_factory=dict)

    def neighbours(self, index: int) -> list[tuple[int, int]]:
        """(atom, order) of each bond of an atom."""
        return [(a if b == index else b, order) for (a, b), order in self.bonds.items() if index in (a, b)]

    def all_neighbours(self) -> list[list[tuple[int, int]]]:
        """The same of each atom, in one pass over the bonds."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.atoms]
        for (a, b), order in self.bonds.items():
            found[a].append((b, order))
            found[b].append((a, order))
        return found

    def hydrogens(self, index: int, bonds: list[tuple[int, int]] | None = None) -> int:
        """How many hydrogens an atom carries beside those that are atoms themselves.

        Args:
            bonds: its neighbours, where they are known already.
        """
        atom, bonds = self.atoms[index], self.neighbours(index) if bonds is None else bonds
        if atom.hydrogens is not None:
            return atom.hydrogens
        used = sum(1 if atom.aromatic and order == AROMATIC else order for _, order in bonds)
        if atom.aromatic:
            return max(0, 3 - used) if atom.symbol == "C" else 0
        charge = -abs(atom.charge) if atom.symbol in {"B", "C"} else atom.charge
        return next((n + charge - used for n in _VALENCES.get(atom.symbol, ()) if n + charge >= used), 0)

    @property
    def charge(self) -> int:
        """The formal charge."""
        return sum(atom.charge for atom in self.atoms)

    @property
    def weight(self) -> float:
        """Molecular weight; unusual elements count as 100."""
        hydrogens = sum(self.hydrogens(index, bonds) for index, bonds in enumerate(self.all_neighbours()))
        return round(hydrogens * _WEIGHTS["H"] + sum(_WEIGHTS.get(atom.symbol, 100.0) for atom in self.atoms), 3)

    def key(self) -> str:
        """The same text for every spelling of a molecule, Kekulé or aromatic."""
        bonds = self.all_neighbours()
        around = [[n for n, _ in each] for each in bonds]
        heavy = [n for n, atom in enumerate(self.atoms) if atom.symbol != "H" or len(self.atoms) == 1]
        colours = {}
        for n in heavy:
            hydrogens = self.hydrogens(n, bonds[n]) + sum(self.atoms[other].symbol == "H" for other in around[n])
            colours[n] = digest(self.atoms[n].symbol, self.atoms[n].charge, hydrogens)
        for _ in range(8):
            colours = {
                n: digest(colours[n], *sorted(colours[other] for other in around[n] if other in colours)) for n in heavy
            }
        return f"{digest(*sorted(colours.values())):016x}"


@lru_cache(4096)
def read_smiles(text: str) -> Molecule:
    """The molecule of a SMILES. Do not change what it returns.

    Raises:
        UnreadableError: Not a SMILES that this reader knows.
    """
    molecule, last, order = Molecule(), -1, 0
    branches: list[int] = []
    rings: dict[str, tuple[int, int]] = {}
    position = 0
    while token := _TOKEN.match(text, position):
        position = token.end()
        symbol = token["symbol"] or token["plain"]
        if symbol:
            atom = Atom(symbol.capitalize(), aromatic=symbol[0].islower())
            if token["plain"] is None:
                given, signs = token["hydrogens"], token["charge"] or ""
                atom.hydrogens = int(given[1:] or 1) if given else 0
                size = int(signs.lstrip("+-") or len(signs))
                atom.charge = -size if signs.startswith("-") else size
            molecule.atoms.append(atom)
            new = len(molecule.atoms) - 1
            if last >= 0:
                molecule.bonds[last, new] = order or _usual(molecule, last, new)
            last, order = new, 0
        elif token["bond"]:
            order = _ORDERS[token["bond"]]
        elif token["ring"] and last >= 0:
            opened = rings.pop(token["ring"], None)
            if opened is None:
                rings[token["ring"]] = (last, order)
            elif opened[0] == last or (opened[0], last) in molecule.bonds:
                raise UnreadableError(f"ring {token['ring']} joins an atom twice")
            else:
                molecule.bonds[opened[0], last] = order or opened[1] or _usual(molecule, opened[0], last)
            order = 0
        elif token["mark"] == "(" and last >= 0:
            branches.append(last)
        elif token["mark"] == ")" and branches:
            last = branches.pop()
        elif token["mark"] == ".":
            last = -1
        else:
            break
    else:
        if position == len(text) and molecule.atoms and not rings and not branches:
            return molecule
    raise UnreadableError(f"cannot read SMILES {text!r} at character {position + 1}")


def _usual(molecule: Molecule, first: int, second: int) -> int:
    return AROMATIC if molecule.atoms[first].aromatic and molecule.atoms[second].aromatic else 1


def canonical(text: str) -> str:
    """RDKit's canonical SMILES where it is installed; otherwise, and for what it cannot read, the text."""
    try:
        chemistry: Any = importlib.import_module("rdkit.Chem")
    except ImportError:
        return text
    molecule = chemistry.MolFromSmiles(text)
    return text if molecule is None else str(chemistry.MolToSmiles(molecule))


def written_smiles(molecule: Molecule) -> str:
    """A SMILES of a molecule, not canonical, without hydrogens that need no mention."""
    heavy = [n for n, atom in enumerate(molecule.atoms) if atom.symbol != "H"]
    order_of: dict[int, int] = {}
    tree: dict[int, list[tuple[int, int]]] = {n: [] for n in heavy}
    closures: dict[int, list[str]] = {n: [] for n in heavy}

    def visit(atom: int, parent: int) -> None:
        order_of[atom] = len(order_of)
        for other, order in molecule.neighbours(atom):
            if other == parent or other not in tree:
                continue
            if other not in order_of:
                tree[atom].append((other, order))
                visit(other, atom)
            elif order_of[other] < order_of[atom]:
                number = sum(map(len, closures.values())) // 2 + 1
                closures[other].append(f"{number}" if number < 10 else f"%{number:02d}")
                closures[atom].append({2: "=", 3: "#"}.get(order, "") + closures[other][-1])

    def text(atom: int) -> str:
        parts = [{2: "=", 3: "#"}.get(order, "") + text(other) for other, order in tree[atom]]
        branches = [f"({part})" for part in parts[:-1]]
        return _symbol(molecule, atom) + "".join(closures[atom]) + "".join([*branches, *parts[-1:]])

    fragments = []
    for start in heavy:
        if start not in order_of:
            visit(start, -1)
            fragments.append(text(start))
    return ".".join(fragments)


def _symbol(molecule: Molecule, index: int) -> str:
    atom = molecule.atoms[index]
    name = atom.symbol.lower() if atom.aromatic else atom.symbol
    explicit = sum(molecule.atoms[other].symbol == "H" for other, _ in molecule.neighbours(index))
    bare_nitrogen = atom.aromatic and atom.symbol != "C" and explicit
    if atom.symbol in _VALENCES and not atom.charge and not bare_nitrogen:
        return name
    count = molecule.hydrogens(index) + explicit
    sign = f"{atom.charge:+d}" if atom.charge else ""
    return f"[{name}{'H' if count else ''}{count if count > 1 else ''}{sign}]"


def read_sdf(text: str) -> list[str]:
    """The records of an SDF, each without its final `$$$$`."""
    records = re.split(r"^\$\$\$\$[^\n]*\n?", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    return [record for record in records if record.strip()]


def read_record(record: str) -> tuple[str, Molecule]:
    """Title and molecule of one V2000 record.

    Raises:
        UnreadableError: No such record.
    """
    lines = record.split("\n")
    try:
        counts = lines[3]
        atoms, bonds = int(counts[:3]), int(counts[3:6])
        molecule = Molecule([Atom(line[31:34].strip()) for line in lines[4 : 4 + atoms]])
        for line in lines[4 + atoms : 4 + atoms + bonds]:
            first, second, order = int(line[:3]) - 1, int(line[3:6]) - 1, int(line[6:9])
            molecule.bonds[first, second] = order
            if order == AROMATIC:
                molecule.atoms[first].aromatic = molecule.atoms[second].aromatic = True
        for line in lines[4 + atoms + bonds :]:
            if line.startswith("M  CHG"):
                numbers = list(map(int, line.split()[3:]))
                for index, charge in zip(numbers[::2], numbers[1::2], strict=True):
                    molecule.atoms[index - 1].charge = charge
    except (IndexError, ValueError) as error:
        raise UnreadableError("the record is not in V2000 format") from error
    if len(molecule.atoms) != atoms or not all(atom.symbol for atom in molecule.atoms) or not atoms:
        raise UnreadableError("the record has no readable atoms")
    return lines[0].strip(), molecule


def written_sdf(smiles: str, title: str, centre: Iterable[float], fields: Mapping[str, object]) -> str:
    """One record for a molecule around a point, its hydrogens implicit."""
    molecule = read_smiles(smiles)
    atoms, bonds = molecule.atoms, _kekule(molecule)
    if len(atoms) > MOST_ATOMS:
        raise UnreadableError(f"{len(atoms)} atoms are more than {MOST_ATOMS}")
    middle = tuple(centre)
    lines = [title, "     simulated      3D", "", f"{len(atoms):3d}{len(bonds):3d}  0  0  0  0  0  0  0  0999 V2000"]
    for atom, point in zip(atoms, _layout(smiles), strict=True):
        x, y, z = (part + shift for part, shift in zip(point, middle, strict=True))
        lines.append(f"{x:10.4f}{y:10.4f}{z:10.4f} {atom.symbol:<3} 0  0  0  0  0  0  0  0  0  0  0  0")
    lines += [f"{a + 1:3d}{b + 1:3d}{order:3d}  0" for (a, b), order in bonds.items()]
    lines += [f"M  CHG  1{n + 1:4d}{atom.charge:4d}" for n, atom in enumerate(atoms) if atom.charge]
    lines.append("M  END")
    for name, value in fields.items():
        lines += [f">  <{name}>", f"{value}", ""]
    return "\n".join([*lines, "$$$$", ""])


def _kekule(molecule: Molecule) -> dict[tuple[int, int], int]:
    """The bonds with single and double ones in place of aromatic ones."""
    free = {n for n, atom in enumerate(molecule.atoms) if atom.aromatic and _wants_double(molecule, n)}
    doubled: set[tuple[int, int]] = set()

    def pair() -> bool:
        if not free:
            return True
        choices = {n: [m for m, order in molecule.neighbours(n) if order == AROMATIC and m in free] for n in free}
        atom = min(free, key=lambda n: len(choices[n]))
        for other in choices[atom]:
            free.difference_update((atom, other))
            doubled.update(((atom, other), (other, atom)))
            if pair():
                return True
            free.update((atom, other))
            doubled.difference_update(((atom, other), (other, atom)))
        return False

    if not pair():
        raise UnreadableError("the aromatic rings have no Kekulé form")
    return {
        bond: (2 if bond in doubled else 1) if order == AROMATIC else order for bond, order in molecule.bonds.items()
    }


def _wants_double(molecule: Molecule, index: int) -> bool:
    atom, bonds = molecule.atoms[index], molecule.neighbours(index)
    if atom.symbol == "C":
        return not atom.charge and all(order != 2 for _, order in bonds)
    if atom.symbol in {"N", "P"}:
        return atom.charge > 0 or (not atom.charge and len(bonds) == 2 and not atom.hydrogens)
    return atom.charge > 0


@lru_cache(4096)
def _layout(smiles: str) -> tuple[Point, ...]:
    """A place for each atom: bonded ones about 1.5 angstrom apart, others at least 2.3."""
    molecule = read_smiles(smiles)
    count = len(molecule.atoms)
    points = [[3.0 * fraction(smiles, n, axis) for axis in "xyz"] for n in range(count)]
    for step in range(60 if count <= 80 else 5):
        for first in range(count):
            for second in range(first + 1, count):
                bonded = (first, second) in molecule.bonds or (second, first) in molecule.bonds
                gap = [b - a for a, b in zip(points[first], points[second], strict=True)]
                distance = math.hypot(*gap) or 0.01
                if not bonded and distance >= 2.3:
                    continue
                push = (distance - (1.5 if bonded else 2.3)) / distance * (0.5 if step > 30 or bonded else 0.2)
                for axis in range(3):
                    points[first][axis] += push * gap[axis] * 0.5
                    points[second][axis] -= push * gap[axis] * 0.5
    middle = [sum(column) / count for column in zip(*points, strict=True)]
    return tuple((x - middle[0], y - middle[1], z - middle[2]) for x, y, z in points)


_BACKBONE = (("N", 1.55, -28, -0.9), ("CA", 2.28, 0, 0.0), ("C", 1.66, 27, 1.1), ("O", 2.0, 32, 2.3))
"""Radius, angle and height of the atoms of a residue in an ideal helix."""


def helix_pdb(residues: int = 24) -> str:
    """A PDB file of a helix of alanine, as a stand-in for any protein."""
    points = (
        (name, residue, _on_helix(radius, angle + 100 * residue, height + 1.5 * residue))
        for residue in range(residues)
        for name, radius, angle, height in _BACKBONE
    )
    return "\n".join(["HEADER    SIMULATED HELIX", *_atom_lines("ATOM", "ALA", points), "TER", "END", ""])


def alpha_carbons(content: bytes) -> list[Point]:
    """Where the alpha carbons of a PDB file are; none if it is none."""
    lines = [line for line in content.decode("latin-1").splitlines() if line[:6] == "ATOM  " and line[12:16] == " CA "]
    try:
        found = [(float(line[30:38]), float(line[38:46]), float(line[46:54])) for line in lines]
    except ValueError:
        return []
    return [point for point in found if all(map(math.isfinite, point))]


def pocket_pdb(centre: Iterable[float], volume: float) -> str:
    """A PDB file of the atoms that line a pocket: a shell around its centre."""
    middle, radius, count = tuple(centre), (0.75 * volume / math.pi) ** (1 / 3), 24
    points = []
    for index in range(count):
        height = 1 - 2 * (index + 0.5) / count
        x, y, z = _on_helix(radius * math.sqrt(1 - height * height), 137.5 * index, radius * height)
        points.append(("CA", index, (x + middle[0], y + middle[1], z + middle[2])))
    return "\n".join(["HEADER    SIMULATED POCKET", *_atom_lines("ATOM", "ALA", points), "END", ""])


def _on_helix(radius: float, degrees: float, height: float) -> Point:
    return radius * math.cos(math.radians(degrees)), radius * math.sin(math.radians(degrees)), height


def _atom_lines(record: str, residue: str, points: Iterable[tuple[str, int, Point]]) -> list[str]:
    return [
        f"{record:<6}{serial:5d}  {name:<3} {residue} A{number + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
        f"          {name[0]:>2}"
        for serial, (name, number, (x, y, z)) in enumerate(points, 1)
    ]
