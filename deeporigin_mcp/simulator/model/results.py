"""What a completed run found: rows of the result explorer, and `jobOutputs` of served runs.

Values are numbers derived from the inputs by a digest: believable in size, the same on every read, and meaningless.
Poses, pockets and properties are computed here; the rows of the other tools are templates in `catalogue.json`:

| in a template | meaning |
|---|---|
| `"per"` | `"ligands"`: a row for each that works; `"edges"`: for each pair of a network; a number: so many rows |
| `"when": {name: value}` | only if that input is the value, or a list that holds it |
| `"$inputs.padding"`, `"$item.id"` | an input, or a part of the ligand or pair; null when absent |
| `"{execution}"`, `"{index}"` | inside text: the execution's id, the row's number |
| `{"between": [low, high]}` | a number |
| `{"id": "08"}` | an id with this prefix |

Shapes: platform-facts 7 (last column) and 1.16.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from deeporigin_mcp.simulator.model.catalogue import (
    ADMET,
    CONSTRAINED_DOCKING,
    DOCKING,
    MOLPROPS,
    POCKET_FINDER,
    Definition,
)
from deeporigin_mcp.simulator.model.failures import failed_ligands
from deeporigin_mcp.simulator.model.identifiers import fraction, friendly_of
from deeporigin_mcp.simulator.model.prices import pair_count

Row = dict[str, Any]
Result = tuple[str, Row]
"""A result type, lower case, and the row's data."""

MOST_FILE_LIGANDS = 500
"""Ligands of a file without a list that get results; a larger file still costs and takes what its count says."""
POSES_PER_LIGAND = 3
OUTWARD_ANGSTROM = 4.0
"""How far a pocket's middle is from the atom that it is at: its pose touches that residue and is not inside of it."""
_PROPERTY_RANGES = {
    "fraction_csp3": (0, 1),
    "logd": (-1, 5),
    "logp": (-1, 6),
    "logs": (-7, 0),
    "molecular_weight": (120, 560),
    "sa_score": (1, 6),
    "tpsa": (10, 140),
}
_REGRESSIONS = frozenset({"caco2", "clearance", "half_life", "ppb", "solubility"})


def number(low: float, high: float, *parts: object) -> float:
    """A stable number in a range, derived from the parts."""
    return round(low + (high - low) * fraction(*parts), 3)


def results_of(definition: Definition, execution: str, inputs: Row) -> list[Result]:
    """Every result of a completed run, in order."""
    compute = _COMPUTED.get(definition.key)
    if compute is not None:
        return list(compute(execution, inputs))
    return [row for template in definition.results for row in _filled_in(template, execution, inputs)]


def job_outputs(definition: Definition, results: list[Result]) -> Any:
    """`jobOutputs` of a served run: mostly an object; a list of one for protonation (quirk 13)."""

    def rows(shape: Any) -> Any:
        if isinstance(shape, dict):
            outputs = {name: rows(part) for name, part in shape.items()}
            return {name: part for name, part in outputs.items() if part is not None}
        if isinstance(shape, list):
            return [data for kind, data in results if kind == shape[0]]
        return next((data for kind, data in results if kind == shape), None)

    return rows(definition.job_outputs)


def _ligands(inputs: Row) -> list[Row]:
    """Ligands given inline or read from a list file; for those of a file that is none, alkanes in their place."""
    if "ligands_file" in inputs and "ligands" not in inputs:
        path, count = inputs["ligands_file"], min(inputs["ligands_count"], MOST_FILE_LIGANDS)
        return [{"id": friendly_of("08", path, index), "smiles": "C" * (index % 20 + 1)} for index in range(count)]
    return list(inputs.get("ligands") or [])


def _working_ligands(inputs: Row) -> list[Row]:
    failed = failed_ligands(inputs)
    return [ligand for index, ligand in enumerate(_ligands(inputs)) if index not in failed]


def _edges(inputs: Row) -> list[Row]:
    """The pairs of an RBFE network, each with both ids."""
    if "prepared_systems" in inputs:
        return list(inputs["prepared_systems"])
    if "pairs" in inputs:
        ids = [(pair["pose1"].get("id"), pair["pose2"].get("id")) for pair in inputs["pairs"]]
    else:
        names = [ligand.get("id") for ligand in inputs["ligands"]]
        ids = [(names[n], names[(n + 1) % len(names)]) for n in range(pair_count(inputs))]
    return [{"ligand1_id": first, "ligand2_id": second} for first, second in ids]


def _filled_in(template: Row, execution: str, inputs: Row) -> Iterator[Result]:
    for name, wanted in template.get("when", {}).items():
        given = inputs.get(name)
        if wanted != given and not (isinstance(given, list) and wanted in given):
            return
    per = template.get("per", 1)
    sources: dict[Any, Callable[[Row], list[Row]]] = {"ligands": _working_ligands, "edges": _edges}
    items = sources[per](inputs) if per in sources else [{}] * per
    for index, item in enumerate(items):
        scope = {"inputs": inputs, "item": item, "execution": execution, "index": index + 1}
        yield template["type"], _value(template["data"], scope, "")


def _value(template: Any, scope: Row, name: str) -> Any:
    match template:
        case {"between": [low, high]}:
            return number(low, high, name, scope["execution"], scope["index"])
        case {"id": prefix} if len(template) == 1:
            return friendly_of(prefix, scope["execution"], scope["index"])
        case dict():
            return {key: _value(part, scope, key) for key, part in template.items()}
        case list():
            return [_value(part, scope, name) for part in template]
        case str() if template.startswith("$"):
            value: Any = scope
            for key in template[1:].split("."):
                value = value.get(key) if isinstance(value, dict) else None
            return value
        case str():
            return template.replace("{execution}", scope["execution"]).replace("{index}", str(scope["index"]))
    return template


def _poses(execution: str, inputs: Row) -> Iterator[Result]:
    protein = inputs["protein"].get("id")
    for ligand in _working_ligands(inputs):
        name = ligand.get("id") or ligand.get("smiles")
        energy = number(-11.5, -4.5, "energy", protein, name)
        for rank in range(POSES_PER_LIGAND):
            identifier = friendly_of("0A", execution, name, rank)
            yield (
                "pose",
                {
                    "id": identifier,
                    "ligand_id": ligand.get("id"),
                    "protein_id": protein,
                    "pocket_id": inputs["pocket"].get("id"),
                    "smiles": ligand.get("smiles"),
                    "file_path": f"tool-runs/{execution}/poses/{identifier}.sdf",
                    "binding_energy": round(energy + 0.7 * rank, 3),
                    "pose_score": round(number(0.55, 0.98, "score", name) / (1 + 0.3 * rank), 4),
                    "rank": rank + 1,
                    "best_pose": rank == 0,
                    "effort": inputs.get("effort", 1),
                },
            )


def _pockets(execution: str, inputs: Row) -> Iterator[Result]:
    """As many pockets as were asked for; one in the modes that define it."""
    wanted = int(inputs.get("pocket_count") or 1) if inputs.get("mode", "auto-find") == "auto-find" else 1
    for index in range(wanted):
        identifier = friendly_of("0A", execution, "pocket", index)
        box = {f"box_size_{axis}": number(14, 26, identifier, axis) for axis in "xyz"}
        yield (
            "pocket",
            {
                "id": identifier,
                "protein_id": inputs["protein"].get("id"),
                "file_path": f"tool-runs/{execution}/pockets/pocket_{index + 1}.pdb",
                "center": _centre(identifier, inputs.get("atoms")),
                "box": {**box, "rotation_deg": [0.0] * 3},
                "volume": number(150, 900, identifier, "volume") / (index + 1),
                "total_sasa": number(200, 800, identifier, "sasa"),
                "polar_sasa": number(80, 300, identifier, "polar"),
                "drugability_score": number(0.2, 0.95, identifier, "score"),
                "pocket_count": inputs.get("pocket_count"),
                "pocket_min_size": inputs.get("pocket_min_size"),
            },
        )


def _centre(identifier: str, atoms: Sequence[Sequence[float]] | None) -> list[float]:
    """The middle of a pocket: at an atom of the protein, a little further out; anywhere if no atom is known."""
    if not atoms:
        return [number(-30, 30, identifier, "centre", axis) for axis in "xyz"]
    atom = atoms[int(fraction(identifier, "centre") * len(atoms))]
    outward = [part - sum(column) / len(atoms) for part, column in zip(atom, zip(*atoms, strict=True), strict=True)]
    length = math.hypot(*outward) or 1.0
    return [round(part + OUTWARD_ANGSTROM * step / length, 3) for part, step in zip(atom, outward, strict=True)]


def _molprops(execution: str, inputs: Row) -> Iterator[Result]:  # noqa: ARG001
    for ligand in _working_ligands(inputs):
        smiles = ligand["smiles"]
        values = {
            name: number(*_PROPERTY_RANGES[name], name, smiles)
            if name in _PROPERTY_RANGES
            else int(number(0, 8, name, smiles))
            for name in inputs["molprops"]
        }
        yield "molprop", {"ligand_id": ligand.get("id"), "smiles": smiles, **values}


def _admet(execution: str, inputs: Row) -> Iterator[Result]:  # noqa: ARG001
    failed = failed_ligands(inputs)
    for index, ligand in enumerate(_ligands(inputs)):
        base = {"ligand_id": ligand.get("id"), "smiles": ligand["smiles"], "method": inputs["method"]}
        if index in failed:
            yield "admetfailure", {**base, "properties": inputs["properties"], "reason": failed[index]}
            continue
        values = {
            f"{name}_{'regression' if name in _REGRESSIONS else 'classification'}": number(0, 1, name, ligand["smiles"])
            for name in inputs["properties"]
        }
        yield "admetproperty", {**base, **values}


_COMPUTED: dict[str, Callable[[str, Row], Iterator[Result]]] = {
    DOCKING: _poses,
    CONSTRAINED_DOCKING: _poses,
    POCKET_FINDER: _pockets,
    MOLPROPS: _molprops,
    ADMET: _admet,
}
