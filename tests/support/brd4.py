"""A docking run of BRD4 that looks as a real one does: the official client's example structure and poses."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from importlib import resources
from typing import Any

from tests.support.run_files import FilesOfRuns, pose

LIGANDS = {
    2: ("methyl", "CN(C)C(=O)c1cccc(-c2cn(C)c(=O)c3[nH]ccc23)c1", -7.412, 0.6121),
    3: ("allyl", "C=CCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -8.365, 0.7432),
    4: ("crotyl", "C/C=C/Cn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -8.694, 0.7918),
    5: ("1-butenyl", "C=CCCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -8.213, 0.7006),
    6: ("ethyl", "CCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -7.905, 0.6717),
    7: ("n-propyl", "CCCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -8.102, 0.6893),
    8: ("n-butyl", "CCCCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -8.551, 0.7655),
    9: ("methoxyethyl", "COCCn1cc(-c2cccc(C(=O)N(C)C)c2)c2cc[nH]c2c1=O", -7.688, 0.6402),
}
FAILED = ("cisplatin", "N[Pt](N)(Cl)Cl", "Element Pt has no docking parameters")
PROTEIN_FILE = "entities/proteins/brd4.pdb"


def example(name: str) -> str:
    """A file that the official client brings along."""
    return (resources.files("deeporigin") / "data" / "brd" / name).read_text(encoding="utf-8")


def moved(sdf: str, angstrom: float) -> str:
    """The same pose further along the x axis."""
    return re.sub(
        r"^ *(-?\d+\.\d{4})(?=(?: *-?\d+\.\d{4}){2} )",
        lambda found: f"{float(found[1]) + angstrom:10.4f}",
        sdf,
        flags=re.MULTILINE,
    )


def drawn(pdb: str) -> str:
    """What a page holds of a structure: no hydrogens."""
    return "".join(line for line in pdb.splitlines(keepends=True) if line[76:78].strip() != "H")


def run_of_brd4(platform: FilesOfRuns, *, change: float = 0.0, without: Collection[int] = (), **dto: Any) -> str:
    """Eight ligands with two poses each, and one that could not be docked.

    Args:
        change: by how much energies (kcal/mol) and places (Å) differ from those of the run without one.
        without: numbers of ligands that are left out.
    """
    rows = []
    docked = {number: ligand for number, ligand in LIGANDS.items() if number not in without}
    platform.put(**{PROTEIN_FILE: example("brd.pdb")})
    platform.add("proteins", "08BRD4PR0TE1N", protein_name="BRD4 BD1", file_path=PROTEIN_FILE)
    for number, (name, smiles, energy, score) in docked.items():
        ligand = f"08L1GAND{number:05d}"
        platform.add("ligands", ligand, smiles=smiles, canonical_smiles=smiles, name=name)
        for rank in (1, 2):
            path = f"tool-runs/brd4{change or ''}/{ligand}_{rank}.sdf"
            platform.put(**{path: moved(example(f"brd-{number}.sdf"), change)})
            data = {"binding_energy": round(energy + change + 0.6 * (rank - 1), 3), "rank": rank, "smiles": smiles}
            ids = {"protein_id": "08BRD4PR0TE1N", "id": f"0AP0SE{number:04d}{rank:03d}", "effort": 3}
            rows.append(pose(ligand, round(score / rank, 4), path, **ids, **data) | {"best_pose": rank == 1})
    ligands = [{"id": f"08L1GAND{number:05d}", "smiles": smiles} for number, (_, smiles, *_) in docked.items()]
    failed, smiles, reason = FAILED
    platform.add("ligands", "08L1GAND00010", smiles=smiles, canonical_smiles=smiles, name=failed)
    rows.append({"ligand_id": "08L1GAND00010", "smiles": smiles, "reason": reason})
    inputs = {
        "ligands": [*ligands, {"id": "08L1GAND00010", "smiles": smiles}],
        "protein": {"id": "08BRD4PR0TE1N", "file_path": PROTEIN_FILE},
        "effort": 3,
    }
    return platform.run(*json.loads(json.dumps(rows)), **{"name": "BRD4 N-alkyl series", "userInputs": inputs, **dto})
