"""Molecular properties, protonation, ADMET and metabolism.

Failures: protonation of an unreadable SMILES or of a metal is `Failed`; the others leave such a ligand out
(ADMET reports it as an `admetfailure` row) and are `Failed` only when no ligand is left.
"""

from deeporigin_mcp.simulator.catalogue.definition import Definition
from deeporigin_mcp.simulator.catalogue.shapes import (
    LIGAND_FILE,
    Schema,
    boolean,
    choice,
    inputs,
    integer,
    ligand,
    ligand_source,
    ligands,
    number,
    objects,
    text,
)

MOLPROPS = "deeporigin.mol-props-combined"
PROTONATION = "deeporigin.mol-props-protonation"
ADMET = "deeporigin.admet-properties"
METABOLISM = "deeporigin.metabolism"

PROPERTY_NAMES = {
    "fraction_csp3": "Fraction of sp3 carbons",
    "hbond_acceptor_count": "Hydrogen-bond acceptors",
    "hbond_donor_count": "Hydrogen-bond donors",
    "logd": "logD",
    "logp": "logP",
    "logs": "logS",
    "molecular_weight": "Molecular weight",
    "pains": "PAINS alerts",
    "rotatable_bond_count": "Rotatable bonds",
    "rule_of_5_violations": "Rule-of-five violations",
    "sa_score": "Synthetic accessibility",
    "tpsa": "Polar surface area",
}
ADMET_NAMES = {
    "ames": "AMES mutagenicity",
    "bbb": "Blood-brain barrier",
    "caco2": "Caco-2 permeability",
    "clearance": "Hepatic clearance",
    "cyp2d6": "CYP2D6 inhibition",
    "cyp3a4": "CYP3A4 inhibition",
    "dili": "Liver injury",
    "half_life": "Half-life",
    "herg": "hERG inhibition",
    "ppb": "Plasma protein binding",
    "solubility": "Aqueous solubility",
}


def _subset(title: str, names: dict[str, str], **extra: object) -> Schema:
    return {
        "type": "array",
        "x-display-name": title,
        "items": {"type": "string", "enum": list(names), "x-enum-display-names": list(names.values())},
        "minItems": 1,
        "uniqueItems": True,
        **extra,
    }


def _molprops(version: str) -> Definition:
    return Definition(
        key=MOLPROPS,
        version=version,
        name="Molecular properties",
        description="Computes physicochemical properties of small molecules.",
        inputs=inputs(
            {
                "ligands": ligands("smiles", most=1000),
                "molprops": _subset("Properties", PROPERTY_NAMES, default=list(PROPERTY_NAMES)),
            },
            "ligands",
        ),
    )


_PROTONATION = inputs(
    {
        "ligand": ligand("smiles"),
        "pH": number("pH", default=7.4, minimum=0, maximum=14),
        "filter_percentage": number("Smallest share reported (%)", default=1.0, minimum=0, maximum=100),
    },
    "ligand",
)
_ADMET = inputs(
    {
        "method": choice("Model", {"togo": "Togo", "maplight": "MapLight"}, default="togo"),
        "properties": _subset("Properties", ADMET_NAMES),
        "recompute": boolean("Compute again what is known", default=False),
        "batchSize": integer("Ligands per batch", minimum=50),
        "ligands": ligands("smiles"),
        "project": objects({"id": text("Project id")}, "id", **{"x-display-name": "Whole project"}),
        **LIGAND_FILE,
    },
    "properties",
    oneOf=ligand_source("project"),
)
_METABOLISM = inputs(
    {
        "ligands": ligands("smiles"),
        "force": boolean("Compute again what is known", default=False),
        **LIGAND_FILE,
    },
    oneOf=ligand_source(),
)

DEFINITIONS = (
    _molprops("1.9.0"),
    _molprops("2.0.3"),
    Definition(
        key=PROTONATION,
        version="1.3.0",
        name="Protonation states",
        description="Enumerates the protonation states of a molecule at a pH, with their shares.",
        inputs=_PROTONATION,
    ),
    Definition(
        key=ADMET,
        version="2.1.0",
        name="ADMET properties",
        description="Predicts absorption, distribution, metabolism, excretion and toxicity endpoints.",
        inputs=_ADMET,
        steps=("split", "predict", "merge"),
    ),
    Definition(
        key=METABOLISM,
        version="1.0.4",
        name="Sites of metabolism",
        description="Predicts which atoms of a molecule cytochromes attack.",
        inputs=_METABOLISM,
        steps=("predict",),
    ),
)
