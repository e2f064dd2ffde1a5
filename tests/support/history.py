"""What a drug-discovery team's past is made of: inputs of runs, and how long ago they were."""

from __future__ import annotations

from typing import Any

from deeporigin_mcp.simulator import Platform

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR

DOCKING = "deeporigin.docking"
ABFE = "deeporigin.abfe-end-to-end"
RBFE = "deeporigin.rbfe"
ADMET = "deeporigin.admet-properties"
MOLPROPS = "deeporigin.mol-props-combined"
POCKET_FINDER = "deeporigin.pocket-finder"

PROTEIN = {"id": "08BRD4PR0TE1N", "file_path": "entities/proteins/brd4.pdb"}
POCKET = {"center": [12.1, 4.6, -7.3], "box_size_x": 20.0, "box_size_y": 20.0, "box_size_z": 20.0}

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1cnc2c1c(=O)n(C)c(=O)n2C"
IBUPROFEN = "CC(C)Cc1ccc(cc1)C(C)C(=O)O"
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
NICOTINE = "CN1CCCC1c1cccnc1"
CISPLATIN = "N[Pt](N)(Cl)Cl"
OXALIPLATIN = "O=C1O[Pt](N)(N)OC1=O"
METAL_WORDS = ("force-field", "force field", "metal", "platin", "parameters for Pt")
"""What an explanation of a failure by platinum may say."""
UNREADABLE = "CC(=O)Oc1ccccc1C(=O"
"""A parenthesis is missing."""


def docking(*smiles: str, effort: int = 1) -> dict[str, Any]:
    """Inputs of a docking run in the background; 0.20 USD per ligand."""
    ligands = [{"smiles": text} for text in smiles]
    return {"protein": PROTEIN, "pocket": POCKET, "ligands": ligands, "effort": effort, "sync": False}


def library_docking(count: int, *, effort: int = 1) -> dict[str, Any]:
    """Inputs of a docking run over a file of ligands."""
    source = {"ligands_file": "entities/ligands/library.csv", "ligands_count": count}
    return {"protein": PROTEIN, "pocket": POCKET, "effort": effort, "sync": False, **source}


def abfe(ligand: str, **legs: dict[str, Any]) -> dict[str, Any]:
    """Inputs of an absolute binding free energy of a docked pose; four hours and more than 90 USD."""
    return {"protein": PROTEIN, "pose1": {"id": "0A" + ligand.upper()[:11], "file_path": f"poses/{ligand}.sdf"}, **legs}


def admet(*smiles: str) -> dict[str, Any]:
    """Inputs of an ADMET prediction; 0.05 USD per ligand."""
    return {"ligands": [{"smiles": text} for text in smiles], "properties": ["herg", "ames"]}


def molprops(*smiles: str) -> dict[str, Any]:
    """Inputs of molecular properties; free."""
    return {"ligands": [{"smiles": text} for text in smiles]}


def price_of(platform: Platform, execution_id: str) -> float:
    """What was quoted for an execution, USD."""
    return sum(item.total for item in platform.executions[execution_id].items)
