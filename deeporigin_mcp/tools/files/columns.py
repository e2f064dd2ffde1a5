"""What the columns of results mean: words for them, their units, and which values are better."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """`place` orders columns, least first; `unit` and `better` (lower, higher) are empty where they are not known."""

    label: str
    unit: str = ""
    better: str = ""
    place: int = 50


KNOWN = {
    "binding_energy": Column("Binding energy", "kcal/mol", "lower", 1),
    "pose_score": Column("Pose score", "", "higher", 2),
    "rank": Column("Rank", place=3),
    "pose_rank": Column("Pose of ligand", place=4),
    "dG": Column("ΔG", "kcal/mol", "lower", 1),
    "ddG.total": Column("ΔΔG", "kcal/mol", "lower", 1),
    "std": Column("Standard deviation", "kcal/mol", place=2),
    "ddG.std": Column("Standard deviation", "kcal/mol", place=2),
    "drugability_score": Column("Druggability", "", "higher", 1),
    "volume": Column("Volume", "Å³", place=2),
    "total_sasa": Column("SASA", "Å²", place=3),
    "polar_sasa": Column("Polar SASA", "Å²", place=4),
    "molecular_weight": Column("Molecular weight", "g/mol", place=5),
    "tpsa": Column("TPSA", "Å²", place=6),
    "logp": Column("logP", place=7),
    "logd": Column("logD", place=8),
    "logs": Column("logS", "log mol/L", place=9),
    "fraction_csp3": Column("Fraction sp³", place=10),
    "hbond_donor_count": Column("H-bond donors", place=11),
    "hbond_acceptor_count": Column("H-bond acceptors", place=12),
    "rotatable_bond_count": Column("Rotatable bonds", place=13),
    "sa_score": Column("SA score", "1 to 10", "lower", 14),
    "resolution": Column("Resolution", "Å", "lower", 5),
    "pains": Column("PAINS", place=15),
}


def column_of(name: str) -> Column:
    """The words for a column; of an unknown one its name, readable."""
    if name in KNOWN:
        return KNOWN[name]
    label = name.replace("_", " ").replace(".", " ").strip()
    return Column(f"{label[:1].upper()}{label[1:]}" or name)
