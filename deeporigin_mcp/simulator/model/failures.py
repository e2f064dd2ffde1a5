"""Reasons for which a run fails, decided from its inputs alone: no chemistry toolkit, no chance.

* A ligand whose SMILES cannot be read, or which holds a metal, fails. A run is `Completed` while at least one other
  ligand works (its log names those that failed; ADMET reports each as an `admetfailure` row), else `Failed`.
* A run with an input file that does not exist ends `Failed` (see `state.files`).
* An input file whose name holds `failing` makes any run `Failed`, one that holds `missing` `FailedQuotation`.
* A search box longer than 80 angstrom on any side cannot be priced: `FailedQuotation`.
"""

import re
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import CONSTRAINED_DOCKING, DOCKING

METALS = frozenset(
    {"Al", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Ga", "Mo", "Ru", "Rh", "Pd", "Ag", "Cd"}
    | {"Sn", "Gd", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb"}
)
"""Elements without force-field parameters; the ions of common salts have some."""

LARGEST_BOX_ANGSTROM = 80.0
"""A longer side of the search box cannot be priced."""

_ATOM = re.compile(r"\[(\d*)([A-Za-z][a-z]?)[^\]]*\]")
_BONDS_AND_ATOMS = re.compile(r"(?:Cl|Br|[BCNOPSFIbcnops*]|[-=#$:/\\.()%0-9@+H~])*")


def ligand_problem(smiles: object) -> str | None:
    """Why a ligand cannot be processed, None when it can."""
    if not isinstance(smiles, str) or not smiles.strip():
        return "the SMILES is empty"
    unreadable = _syntax_problem(smiles)
    if unreadable is not None:
        return f"cannot read SMILES {smiles!r}: {unreadable}"
    for _, element in _ATOM.findall(smiles):
        symbol = element if element in METALS else element[:1]
        if symbol in METALS:
            return f"no force-field parameters for {symbol}"
    return None


def _syntax_problem(smiles: str) -> str | None:
    if smiles.count("[") != smiles.count("]"):
        return "unbalanced brackets"
    bare = re.sub(r"\[[^\[\]]*\]", "", smiles)
    if "[" in bare or "]" in bare:
        return "unbalanced brackets"
    depth = 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
    if depth != 0:
        return "unbalanced parentheses"
    if not _BONDS_AND_ATOMS.fullmatch(bare):
        return "unknown symbol"
    rings = re.findall(r"%(\d\d)|(\d)", bare)
    open_rings: set[int] = set()
    for two, one in rings:
        open_rings ^= {int(two or one)}
    return f"ring {min(open_rings)} is not closed" if open_rings else None


def failed_ligands(inputs: dict[str, Any]) -> dict[int, str]:
    """The reason per index of `inputs.ligands`, for those that fail. Ligands given only as files pass."""
    problems = {}
    for index, ligand in enumerate(inputs.get("ligands") or []):
        if "smiles" in ligand or "file_path" not in ligand:
            problem = ligand_problem(ligand.get("smiles"))
            if problem is not None:
                problems[index] = problem
    return problems


def run_failure(inputs: dict[str, Any]) -> str | None:
    """Why a whole run ends `Failed`, None when it completes."""
    for path in input_paths(inputs):
        if "failing" in path:
            return f"input file cannot be processed: {path}"
    ligand = inputs.get("ligand")
    if isinstance(ligand, dict) and "smiles" in ligand:
        return ligand_problem(ligand["smiles"])
    failed = failed_ligands(inputs)
    if failed and len(failed) == len(inputs["ligands"]):
        first = min(failed)
        return f"no ligand could be processed; ligand {first + 1}: {failed[first]}"
    return None


def quotation_failure(key: str, inputs: dict[str, Any]) -> str | None:
    """Why a run cannot be priced, None when it can."""
    if key in {DOCKING, CONSTRAINED_DOCKING}:
        longest = max(inputs["pocket"][f"box_size_{axis}"] for axis in "xyz")
        if longest > LARGEST_BOX_ANGSTROM:
            return f"a search box of {longest:g} angstrom is above the {LARGEST_BOX_ANGSTROM:g} that can be priced"
    for path in input_paths(inputs):
        if "missing" in path:
            return f"input file not found: {path}"
    return None


def input_paths(value: object, name: str = "") -> Iterator[str]:
    """The paths of files in a run's inputs."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from input_paths(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from input_paths(part, name)
    elif isinstance(value, str) and (name.endswith(("file_path", "_file", "_path")) or name == "key"):
        yield value
