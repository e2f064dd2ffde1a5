"""Prepared systems and binding free energies."""

from collections.abc import Iterator

from deeporigin_mcp.simulator.catalogue import free_energy
from deeporigin_mcp.simulator.findings.rows import Finder, Found, Row, number
from deeporigin_mcp.simulator.prices import pair_count
from deeporigin_mcp.simulator.progress import free_energy_terms


def _system(execution: str, inputs: Row) -> Iterator[Found]:
    folder = f"tool-runs/{execution}/system"
    yield (
        "preparedsystem",
        {
            "protein_id": inputs["protein"].get("id"),
            "ligand1_id": inputs["pose1"].get("id"),
            "ligand2_id": (inputs.get("pose2") or {}).get("id"),
            "binding_xml_file_path": f"{folder}/binding.xml",
            "solvation_xml_ligand_file_path": f"{folder}/solvation.xml",
            "system_pdb_file_path": f"{folder}/system.pdb",
            "solute_pdb_file_path": f"{folder}/solute.pdb",
            "padding": inputs["padding"],
            "retain_waters": inputs["retain_waters"],
            "protonate_protein": inputs["protonate_protein"],
            # The platform writes a small h in results and a capital one in inputs (quirk 32).
            "add_h_atoms": inputs["add_H_atoms"],
        },
    )


def _abfe(execution: str, inputs: Row) -> Iterator[Found]:
    prepared = inputs.get("prepared_system") or {}
    terms = free_energy_terms(execution)
    yield (
        "abferesult",
        {
            "protein_id": (inputs.get("protein") or {}).get("id") or prepared.get("protein_id"),
            "ligand1_id": (inputs.get("pose1") or {}).get("id") or prepared.get("ligand1_id"),
            "dG": terms["Total"],
            "std": terms["Std"],
            "unit": "kcal/mol",
            "terms": terms,
            "overlap_file_path": f"tool-runs/{execution}/overlap.png",
        },
    )


def edges(inputs: Row) -> list[tuple[object, object]]:
    """Pairs of ligand or pose ids that a network joins."""
    if "pairs" in inputs:
        return [(pair["pose1"].get("id"), pair["pose2"].get("id")) for pair in inputs["pairs"]]
    if "prepared_systems" in inputs:
        return [(system.get("ligand1_id"), system.get("ligand2_id")) for system in inputs["prepared_systems"]]
    names = [ligand.get("id") for ligand in inputs["ligands"]]
    star = inputs.get("network_type") == "star"
    return [(names[0 if star else n], names[(n + 1) % len(names)]) for n in range(pair_count(inputs))]


def _rbfe(execution: str, inputs: Row) -> Iterator[Found]:
    for first, second in edges(inputs):
        total = number(-3, 3, execution, first, second)
        yield (
            "rbferesult",
            {
                "protein_id": (inputs.get("protein") or {}).get("id"),
                "ligand1_id": first,
                "ligand2_id": second,
                "ddG": {"total": total, "std": number(0.1, 0.6, execution, "std", first), "unit": "kcal/mol"},
            },
        )


FINDERS: dict[str, Finder] = {
    free_energy.SYSTEM_PREP: _system,
    free_energy.ABFE: _abfe,
    free_energy.RBFE: _rbfe,
}
