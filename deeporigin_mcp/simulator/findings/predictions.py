"""Molecular properties, protonation states, ADMET endpoints, sites of metabolism."""

from collections.abc import Iterator

from deeporigin_mcp.simulator.catalogue import properties
from deeporigin_mcp.simulator.chemistry import failed_ligands
from deeporigin_mcp.simulator.findings.rows import Finder, Found, Row, ligands_of, number, working_ligands
from deeporigin_mcp.simulator.identifiers import fraction

_RANGES = {
    "fraction_csp3": (0, 1),
    "logd": (-1, 5),
    "logp": (-1, 6),
    "logs": (-7, 0),
    "molecular_weight": (120, 560),
    "sa_score": (1, 6),
    "tpsa": (10, 140),
}
_REGRESSIONS = frozenset({"caco2", "clearance", "half_life", "ppb", "solubility"})


def _molprops(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    for ligand in working_ligands(inputs):
        smiles = ligand["smiles"]
        data: Row = {"ligand_id": ligand.get("id"), "smiles": smiles}
        for name in inputs["molprops"]:
            if name in _RANGES:
                data[name] = number(*_RANGES[name], name, smiles)
            else:
                data[name] = int(fraction(name, smiles) * (2 if name == "pains" else 8))
        yield "molprop", data


def _protonation(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    smiles = inputs["ligand"]["smiles"]
    major = round(60 + 39 * fraction(smiles, inputs["pH"]), 2)
    yield (
        "protonationstate",
        {
            "ligand_id": inputs["ligand"].get("id"),
            "smiles": smiles,
            "pH": inputs["pH"],
            "filter_percentage": inputs["filter_percentage"],
            "protonation_states": {
                "smiles_list": [smiles, f"{smiles}.[H+]"],
                "concentration_list": [major, round(100 - major, 2)],
            },
        },
    )


def _admet(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    failed = failed_ligands(inputs)
    for index, ligand in enumerate(ligands_of(inputs)):
        base = {"ligand_id": ligand.get("id"), "smiles": ligand["smiles"], "method": inputs["method"]}
        if index in failed:
            yield "admetfailure", {**base, "properties": inputs["properties"], "reason": failed[index]}
            continue
        values = {
            f"{name}_{'regression' if name in _REGRESSIONS else 'classification'}": number(0, 1, name, ligand["smiles"])
            for name in inputs["properties"]
        }
        yield "admetproperty", {**base, **values}


def _metabolism(execution: str, inputs: Row) -> Iterator[Found]:  # noqa: ARG001
    for ligand in working_ligands(inputs):
        base = {"ligand_id": ligand.get("id"), "smiles": ligand["smiles"]}
        yield "metabolismmolecule", {**base, "max_probability": number(0.2, 0.95, "som", ligand["smiles"])}


FINDERS: dict[str, Finder] = {
    properties.MOLPROPS: _molprops,
    properties.PROTONATION: _protonation,
    properties.ADMET: _admet,
    properties.METABOLISM: _metabolism,
}
