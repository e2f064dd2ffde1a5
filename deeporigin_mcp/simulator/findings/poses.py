"""Poses and pockets."""

from collections.abc import Iterator

from deeporigin_mcp.simulator.catalogue import structure
from deeporigin_mcp.simulator.findings.rows import Finder, Found, Row, number, working_ligands
from deeporigin_mcp.simulator.identifiers import friendly_of

POSES_PER_LIGAND = 3


def _poses(execution: str, inputs: Row) -> Iterator[Found]:
    protein = inputs.get("protein") or {}
    for ligand in working_ligands(inputs):
        name = ligand.get("id") or ligand.get("smiles")
        energy = number(-11.5, -4.5, "energy", protein.get("id"), name)
        for rank in range(POSES_PER_LIGAND):
            identifier = friendly_of("0A", execution, name, rank)
            yield (
                "pose",
                {
                    "id": identifier,
                    "ligand_id": ligand.get("id"),
                    "protein_id": protein.get("id"),
                    "pocket_id": (inputs.get("pocket") or {}).get("id"),
                    "smiles": ligand.get("smiles"),
                    "file_path": f"tool-runs/{execution}/poses/{identifier}.sdf",
                    "binding_energy": round(energy + 0.7 * rank, 3),
                    "pose_score": round(number(0.55, 0.98, "score", name) / (1 + 0.3 * rank), 4),
                    "rank": rank + 1,
                    "best_pose": rank == 0,
                    "effort": inputs.get("effort", 1),
                },
            )


def pockets(execution: str, inputs: Row) -> Iterator[Found]:
    """As many pockets as were asked for; one in the modes that define it."""
    protein = inputs.get("protein") or {}
    wanted = int(inputs.get("pocket_count") or 1) if inputs.get("mode", "auto-find") == "auto-find" else 1
    for index in range(wanted):
        identifier = friendly_of("0A", execution, "pocket", index)
        sides = [number(14, 26, identifier, axis) for axis in "xyz"]
        yield (
            "pocket",
            {
                "id": identifier,
                "protein_id": protein.get("id"),
                "file_path": f"tool-runs/{execution}/pockets/pocket_{index + 1}.pdb",
                "center": [number(-30, 30, identifier, "centre", axis) for axis in "xyz"],
                "box": {**{f"box_size_{a}": s for a, s in zip("xyz", sides, strict=True)}, "rotation_deg": [0.0] * 3},
                "volume": number(150, 900, identifier, "volume") / (index + 1),
                "total_sasa": number(200, 800, identifier, "sasa"),
                "polar_sasa": number(80, 300, identifier, "polar"),
                "drugability_score": number(0.2, 0.95, identifier, "score"),
                "pocket_count": inputs.get("pocket_count"),
                "pocket_min_size": inputs.get("pocket_min_size"),
            },
        )


FINDERS: dict[str, Finder] = {
    structure.DOCKING: _poses,
    structure.CONSTRAINED_DOCKING: _poses,
    structure.POCKET_FINDER: pockets,
}
