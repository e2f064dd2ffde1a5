"""What the columns of results mean: words for them, their units, and which values are better."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

UNIT_CHARACTERS = 40


class Column(NamedTuple):
    """What is known of a column; what is not known is empty. `better`: lower or higher; `place` orders, least first."""

    label: str
    unit: str = ""
    better: str = ""
    place: int = 50
    range: str = ""
    meaning: str = ""


KNOWN = {
    "pose_score": Column("Pose score", "", "higher", 2, meaning="ranks poses; not an energy"),
    "binding_energy": Column("Binding energy", "kcal/mol", "lower", 1, meaning="estimated, not measured"),
    "position": Column("Position", place=3, meaning="in this list, best first"),
    "rank": Column("Rank", place=4),
    "dG": Column("ΔG", "kcal/mol", "lower", 1, meaning="binding free energy"),
    # No value is the better one: the sign depends on the ligand that is subtracted.
    "ddG.total": Column(
        "ΔΔG", "kcal/mol", place=1, meaning="relative binding free energy; which ligand less which is not documented"
    ),
    "std": Column("Standard deviation", "kcal/mol", place=2),
    "ddG.std": Column("Standard deviation", "kcal/mol", place=2, meaning="standard deviation"),
    "drugability_score": Column("Druggability", "", "higher", 1, meaning="druggability of the pocket"),
    "volume": Column("Volume", "Å³", place=2),
    "total_sasa": Column("SASA", "Å²", place=3, meaning="solvent-accessible surface"),
    "polar_sasa": Column("Polar SASA", "Å²", place=4, meaning="polar part of the surface"),
    "apolar_sasa": Column("Apolar SASA", "Å²", meaning="apolar part of the surface"),
    "molecular_weight": Column("Molecular weight", "g/mol", place=5),
    "tpsa": Column("TPSA", "Å²", place=6, meaning="topological polar surface"),
    "logp": Column("logP", place=7, meaning="octanol/water, log10"),
    "logd": Column("logD", place=8, meaning="octanol/water, log10; pH not documented"),
    "logs": Column("logS", "log mol/L", place=9, meaning="solubility in water"),
    "fraction_csp3": Column("Fraction sp³", place=10, range="0 to 1"),
    "hbond_donor_count": Column("H-bond donors", place=11),
    "hbond_acceptor_count": Column("H-bond acceptors", place=12),
    "rotatable_bond_count": Column("Rotatable bonds", place=13),
    "sa_score": Column("SA score", "", "lower", 14, "1 to 10", "hard to synthesise: 10"),
    "resolution": Column("Resolution", "Å", "lower", 5),
    "pains": Column("PAINS", place=15, meaning="assay interference; flag or count is not documented"),
    "effort": Column("Effort", meaning="input of the run"),
    "pocket_count": Column("Pocket count", meaning="input of the run"),
    "pocket_min_size": Column("Pocket min size", meaning="input of the run"),
    "box_size_x": Column("Box size x", "Å"),
    "box_size_y": Column("Box size y", "Å"),
    "box_size_z": Column("Box size z", "Å"),
    **{f"box.box_size_{axis}": Column(f"Box size {axis}", "Å") for axis in "xyz"},
}
"""Of several columns with a direction the first one says which row is the best, where nobody says by which."""

_BY_LOWER_CASE = {name.lower(): column for name, column in KNOWN.items()}


def column_of(name: str) -> Column:
    """The words for a column; of an unknown one its name, readable."""
    if found := KNOWN.get(name) or _BY_LOWER_CASE.get(name.lower()):
        return found
    label = _in_words(name)
    return Column(f"{label[:1].upper()}{label[1:]}" or name)


def flat(values: Mapping[str, Any], without: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The columns of a row and their values; the fields of an object are columns too, such as `ddG.total`."""
    for name, value in values.items():
        if name in without:
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{field}", inner) for field, inner in value.items())
        else:
            yield name, value


def is_documented(name: str, column: Column) -> bool:
    """Whether more is known of a column than its name says."""
    facts = (column.unit, column.better, column.range, column.meaning)
    return any(facts) or column.label.lower() != _in_words(name).lower()


def _in_words(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").strip()
