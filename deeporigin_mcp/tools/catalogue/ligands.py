"""The ligands in a run's inputs, read by RDKit where it is installed. The inputs themselves stay as they are."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.tools.molecules import chemistry
from deeporigin_mcp.tools.molecules.chemistry import CheckedSmiles
from deeporigin_mcp.tools.molecules.smiles import SUPPORTED_ELEMENTS, elements_of

DRUG_LIKE = frozenset({"deeporigin.docking", "deeporigin.constrained-docking", "deeporigin.admet-properties"})
"""Tools that have no parameters for other elements than those of drug-like ligands, and would charge for the try."""
PLACEHOLDER = "*"
"""An open attachment point."""
USUAL_IONS = frozenset({"Li", "Na", "K", "Mg", "Ca"})
"""Elements of counter-ions of drugs."""
MAY_FAIL = "It may get no result, but is part of the price."
MAX_CHECKED = 2_000
CHECK_SECONDS = 5.0
MAX_NAMED = 5
SHOWN_CHARACTERS = 80
WITHOUT_RDKIT = "Chemistry not checked: this server runs without RDKit (install deeporigin-mcp[chem])."


@dataclass
class Ligands:
    """What was found: `canonical` SMILES by path, and lines with the path of each ligand."""

    canonical: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_ligands(texts: Mapping[str, str], tool_key: str) -> Ligands:
    """Read SMILES whose text is valid.

    What cannot be read is a problem; an unsupported element is one if no other ligand is left to compute.

    Args:
        texts: by the path of their field.
        tool_key: decides whether an element can be a problem.
    """
    found = Ligands()
    if not texts:
        return found
    if not chemistry.is_available():
        found.warnings.append(WITHOUT_RDKIT)
    checked: dict[str, CheckedSmiles] = {}
    until = time.monotonic() + CHECK_SECONDS
    for path, text in texts.items():
        if len(checked) == MAX_CHECKED or time.monotonic() > until:
            found.warnings.append(f"Chemistry checked of the first {len(checked):,} of {len(texts):,} ligands only.")
            break
        checked[path] = chemistry.check_smiles(text)
    unusual: list[str] = []
    doubtful: list[str] = []
    for path, one in checked.items():
        found.canonical[path] = one.smiles
        shown = one_line(json.dumps(one.given[:SHOWN_CHARACTERS]), SHOWN_CHARACTERS)
        if one.problem is not None:
            line = f"{path}: {shown} {one.problem}"
            if one.elements and tool_key in DRUG_LIKE and one.elements != (PLACEHOLDER,):
                doubtful.append(line)
            elif one.elements or one.is_readable_elsewhere:
                found.warnings.append(f"{line}. {MAY_FAIL}")
            else:
                found.problems.append(line)
        elif one.dropped:
            line = f"{path} is a salt ({one.dropped} beside {one_line(one.smiles, SHOWN_CHARACTERS)})"
            if elements_of(one.dropped) - SUPPORTED_ELEMENTS.keys() - USUAL_IONS:
                # What is sent has the metal, whether or not the platform drops it.
                found.warnings.append(f"{line}. {MAY_FAIL}")
            else:
                unusual.append(line)
        else:
            notes = (note for note in one.notes if not note.startswith("written as"))
            unusual += [f"{path} {'is ' if note.startswith('a ') else ''}{note}" for note in notes]
    if found.problems or len(doubtful) == len(texts):
        found.problems += doubtful
    else:
        found.warnings += [f"{line}. {MAY_FAIL}" for line in doubtful]
    if unusual:
        more = f" and {len(unusual) - MAX_NAMED} more" if len(unusual) > MAX_NAMED else ""
        found.warnings.append(f"Sent as given: {'; '.join(unusual[:MAX_NAMED])}{more}.")
    return found
