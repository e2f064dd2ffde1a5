"""Small molecules before they are sent: readable, of supported elements, without counter-ions, each once.

With RDKit (the extra `chem`) a SMILES is read and written anew as the official client does it; without it only the
text is checked. RDKit takes a moment to import and to work: call these functions in a thread (`runtime.threads`).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.molecules.smiles import SUPPORTED_ELEMENTS, smiles_problem, unsupported_elements
from deeporigin_mcp.tools.runtime.threads import stop_if_abandoned

MAX_CHECKED_CHARACTERS = 1_000
"""Of a SMILES that RDKit reads. It computes without letting anything else run, and for longer the larger it is."""
MAX_SDF_RECORDS = 10_000
MAX_RECORD_BYTES = 1_000_000
NAME_CHARACTERS = 200
REASON_CHARACTERS = 200
_END = b"$$$$"
_NOT_CHECKED = f"is longer than {MAX_CHECKED_CHARACTERS:,} characters, so its chemistry was not checked"


@dataclass(frozen=True)
class CheckedSmiles:
    """A SMILES as it was given and as it is to be sent.

    Attributes:
        smiles: canonical, of the salt's organic part; without RDKit the given text.
        problem: why it cannot be used, as the rest of a sentence about it; None if it can.
        notes: what was changed or is unusual.
        elements: those that are not supported; then they are the problem.
        dropped: counter-ions that `smiles` lacks.
        is_readable_elsewhere: only its notation is loose, so that another toolkit may read it.
    """

    given: str
    smiles: str
    problem: str | None = None
    notes: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    dropped: str = ""
    is_readable_elsewhere: bool = False


@dataclass(frozen=True)
class SdfRecord:
    """A molecule of an SDF file.

    Attributes:
        number: from 0.
        name: its title line.
        smiles: as in `CheckedSmiles`; empty without RDKit, or if it cannot be read.
    """

    number: int
    name: str
    smiles: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()


def is_available() -> bool:
    """Whether RDKit is installed. The first call imports it."""
    return _rdkit() is not None


def check_smiles(given: str) -> CheckedSmiles:
    """Read a SMILES, and write it as the platform wants it."""
    text = given.strip()
    if (problem := smiles_problem(text)) is not None:
        return CheckedSmiles(given, text, problem)
    chem = _rdkit()
    if chem is None:
        elements = unsupported_elements(text)
        return CheckedSmiles(given, text, _element_problem(elements), (), elements)
    if len(text) > MAX_CHECKED_CHARACTERS:
        return CheckedSmiles(given, text, None, (_NOT_CHECKED,))
    molecule = chem.MolFromSmiles(text)
    if molecule is None:
        unsanitized = chem.MolFromSmiles(text, sanitize=False)
        problem = _unreadable("a SMILES", chem, unsanitized)
        return CheckedSmiles(given, text, problem, is_readable_elsewhere=_is_loose_notation(chem, unsanitized))
    parent = _parent_of(chem, molecule)
    notes = parent.notes
    if parent.smiles not in (text, *text.split(".")):
        notes = (*notes, f"written as {parent.smiles}")
    problem = _element_problem(parent.elements)
    return CheckedSmiles(given, parent.smiles, problem, notes, parent.elements, parent.dropped)


def read_sdf(content: IO[bytes]) -> list[SdfRecord]:
    """The records of an SDF file, in order; unreadable ones with their problem. Reads from the current position.

    Without RDKit they are only counted and named.

    Raises:
        ArgumentError: `file_too_large`, if there are too many.
    """
    records: list[SdfRecord] = []
    for number, block in enumerate(_blocks(content)):
        stop_if_abandoned()
        if number == MAX_SDF_RECORDS:
            raise ArgumentError(
                f"The SDF has more than {MAX_SDF_RECORDS:,} records.",
                next_step="Split it into several files.",
                code="file_too_large",
            )
        records.append(_record(number, block))
    return records


def duplicates(checked: Sequence[CheckedSmiles | SdfRecord]) -> dict[int, int]:
    """Which of them are the same molecule as an earlier one: its index → that of the first."""
    first: dict[str, int] = {}
    found = {}
    for index, one in enumerate(checked):
        if one.smiles and one.problem is None and first.setdefault(one.smiles, index) != index:
            found[index] = first[one.smiles]
    return found


@functools.cache
def _rdkit() -> Any:
    """`rdkit.Chem`, silent; None if it is not installed, or cannot run here."""
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        return None
    # Else it writes to stderr about every molecule that it cannot read.
    rdBase.DisableLog("rdApp.*")
    return Chem


class _Parent(NamedTuple):
    smiles: str
    notes: tuple[str, ...]
    elements: tuple[str, ...]
    dropped: str


def _parent_of(chem: Any, molecule: Any) -> _Parent:
    """What the official client keeps of a molecule.

    It keeps the only part that has carbon, with its charge; where several have, or none, it keeps all.
    """
    notes: tuple[str, ...] = ()
    dropped = ""
    parts = chem.GetMolFrags(molecule, asMols=True)
    if len(parts) > 1:
        organic = [part for part in parts if any(atom.GetAtomicNum() == 6 for atom in part.GetAtoms())]
        if len(organic) == 1:
            molecule = organic[0]
            counts = Counter(chem.MolToSmiles(part) for part in parts if part is not molecule)
            dropped = ", ".join(
                f"{count} {smiles}" if count > 1 else smiles for smiles, count in sorted(counts.items())
            )
            notes = (f"counter-ion {dropped} dropped",)
        elif organic:
            notes = (f"a mixture of {len(organic)} organic parts",)
    symbols = {atom.GetSymbol() for atom in molecule.GetAtoms()}
    elements = tuple(sorted(symbols - SUPPORTED_ELEMENTS.keys()))
    return _Parent(chem.MolToSmiles(chem.RemoveHs(molecule)), notes, elements, dropped)


def _element_problem(elements: Sequence[str]) -> str | None:
    if not elements:
        return None
    return f"has {', '.join(elements)}; supported: {', '.join(SUPPORTED_ELEMENTS)}"


def _unreadable(what: str, chem: Any, unsanitized: Any) -> str:
    """The problem of what RDKit cannot read, with its own reason where it has one."""
    reasons = chem.DetectChemistryProblems(unsanitized) if unsanitized is not None else ()
    reason = f": {one_line(reasons[0].Message(), REASON_CHARACTERS)}" if reasons else ""
    return f"is not {what} that RDKit can read{reason}"


def _is_loose_notation(chem: Any, unsanitized: Any) -> bool:
    """Whether an aromatic atom has four neighbours: some programs write a whole fused ring in lower case."""
    reasons = chem.DetectChemistryProblems(unsanitized) if unsanitized is not None else ()
    is_only_aromaticity = bool(reasons) and all(reason.GetType() == "KekulizeException" for reason in reasons)
    return is_only_aromaticity and any(atom.GetIsAromatic() and atom.GetDegree() > 3 for atom in unsanitized.GetAtoms())


def _record(number: int, block: bytes) -> SdfRecord:
    text = block.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    name = one_line(text.partition("\n")[0].strip(), NAME_CHARACTERS)
    if len(block) > MAX_RECORD_BYTES:
        return SdfRecord(number, name, problem=f"is a record of more than {MAX_RECORD_BYTES:,} bytes")
    chem = _rdkit()
    if chem is None:
        return SdfRecord(number, name)
    molecule = chem.MolFromMolBlock(text, removeHs=False)
    if molecule is None:
        unsanitized = chem.MolFromMolBlock(text, sanitize=False, removeHs=False)
        return SdfRecord(number, name, problem=_unreadable("a record", chem, unsanitized))
    if not molecule.GetNumAtoms():
        return SdfRecord(number, name, problem="has no atoms")
    parent = _parent_of(chem, molecule)
    return SdfRecord(number, name, parent.smiles, _element_problem(parent.elements), parent.notes)


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    """The records of an SDF file, cut where they are too long. The last one may lack its end."""
    lines: list[bytes] = []
    size = 0
    for line, begins in lines_in_pieces(content):
        if begins and line.startswith(_END):
            yield b"".join(lines)
            lines, size = [], 0
        elif size <= MAX_RECORD_BYTES:
            lines.append(line)
            size += len(line)
    if any(line.strip() for line in lines):
        yield b"".join(lines)


def lines_in_pieces(content: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file, and whether each begins as a line: one that is too long for the memory comes in pieces."""
    begins = True
    while line := content.readline(MAX_RECORD_BYTES):
        yield line, begins
        begins = line.endswith(b"\n")
