"""Reading the results of a run as a chemist does: by name, with units, one row of each ligand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ASPIRIN,
    CAFFEINE,
    DAY,
    DOCKING,
    HOUR,
    IBUPROFEN,
    NICOTINE,
    PARACETAMOL,
    POCKET,
    PROTEIN,
    docking,
)

TOLERANCE = 0.0005
DRUGS = {
    "aspirin": ASPIRIN,
    "caffeine": CAFFEINE,
    "ibuprofen": IBUPROFEN,
    "nicotine": NICOTINE,
    "paracetamol": PARACETAMOL,
}
LIBRARY = {f"LIB-{number:03d}": "C" * number + "O" for number in range(1, 121)}

Poses = dict[str, list[dict[str, Any]]]


def _docked(platform: Platform, ligands: dict[str, str], name: str) -> Poses:
    """A finished docking of ligands that are stored by name; the poses of each."""
    ids = {platform.seed_entity("ligands", name=ligand, smiles=smiles): ligand for ligand, smiles in ligands.items()}
    listed = [{"id": ligand_id, "smiles": ligands[ligand]} for ligand_id, ligand in ids.items()]
    # More than 100 are given as a file.
    path = f"docking/ligand-lists/{len(listed)}.json"
    platform.add_file(path, json.dumps(listed).encode())
    given = {"ligands": listed} if len(listed) <= 100 else {"ligands_file": path, "ligands_count": len(listed)}
    inputs = {"protein": PROTEIN, "pocket": POCKET, "effort": 1, "sync": False}
    run = platform.seed_run(DOCKING, inputs | given, ago_seconds=DAY, name=name)
    platform.seed_run(DOCKING, docking(CAFFEINE), ago_seconds=HOUR, name="something else")
    poses: Poses = {ligand: [] for ligand in ligands}
    for _, data in platform.executions[run].found():
        poses[ids[data["ligand_id"]]].append(data)
    return poses


async def _results(solver: Solver, name: str, **arguments: Any) -> dict[str, Any]:
    (run,) = await solver.rows(name_contains=name)
    return await solver.read("get_execution_results", execution_id=run["execution_id"], **arguments)


# The three that bind best


def _five_drugs(platform: Platform) -> Judge:
    poses = _docked(platform, DRUGS, "painkillers")
    energies = {name: min(pose["binding_energy"] for pose in found) for name, found in poses.items()}
    best = sorted(energies, key=lambda name: energies[name])[:3]
    rows = sorted((pose["binding_energy"], name) for name, found in poses.items() for pose in found)
    assert [name for _, name in rows[:3]] != best, "the three best poses have to be of fewer than three ligands"

    def judge(answer: Answer) -> Iterator[str]:
        if answer.texts("names") != best:
            yield f"they are {best}, told were {answer.texts('names')}"
        told = answer.entries("energies")
        if len(told) != 3 or any(
            not isinstance(one, float) or abs(one - energies[name]) > TOLERANCE
            for one, name in zip(told, best, strict=True)
        ):
            yield f"their energies are {[energies[name] for name in best]}, told were {told}"
        if answer.text("unit").replace(" ", "") != "kcal/mol":
            yield f"the unit is kcal/mol, told was {answer.text('unit')!r}"

    return judge


async def _strongest(solver: Solver, **arguments: Any) -> dict[str, Any]:
    columns = ["name", "binding_energy"]
    found = await _results(solver, "painkillers", columns=columns, limit=3, **arguments)
    (energy,) = (column for column in found["columns"] if column["column"] == "binding_energy")
    return {
        "names": [row["name"] for row in found["rows"]],
        "energies": [row["binding_energy"] for row in found["rows"]],
        "unit": energy["unit"],
    }


async def _best_of_each(solver: Solver) -> dict[str, Any]:
    return await _strongest(solver, best_per="ligand_id", order="binding_energy asc")


async def _three_poses(solver: Solver) -> dict[str, Any]:
    return await _strongest(solver, order="binding_energy asc")


async def _weakest(solver: Solver) -> dict[str, Any]:
    return await _strongest(solver, best_per="ligand_id", order="binding_energy desc")


async def _scores_for_energies(solver: Solver) -> dict[str, Any]:
    found = await _results(solver, "painkillers", columns=["name", "pose_score"], best_per="ligand_id", limit=3)
    scores = [row["pose_score"] for row in found["rows"]]
    return {"names": [row["name"] for row in found["rows"]], "energies": scores, "unit": "kcal/mol"}


THREE_STRONGEST = Task(
    id="three-strongest",
    prompt="Which three ligands of my docking 'painkillers' bind best by binding energy? Their names, the energies and "
    "the unit of these, the best first.",
    answer_form='{"names": ["…"], "energies": [0.0], "unit": "…"}',
    arrange=_five_drugs,
    reference=_best_of_each,
    mistakes=(
        Mistake("takes the three best poses, two of one ligand", _three_poses),
        Mistake("takes the highest energies", _weakest),
        Mistake("takes pose scores for energies", _scores_for_energies),
    ),
)


# The best pose of each of 120 ligands


def _library(platform: Platform) -> Judge:
    poses = _docked(platform, LIBRARY, "library plate 1")
    scores = {name: max(pose["pose_score"] for pose in found) for name, found in poses.items()}

    def judge(answer: Answer) -> Iterator[str]:
        told = answer.numbers("scores")
        wrong = [name for name, score in scores.items() if abs(told.get(name, -99.0) - score) > TOLERANCE]
        if wrong or len(told) != len(scores):
            yield f"{len(wrong)} of {len(scores)} scores are wrong or missing, such as that of {wrong[:1]}"

    return judge


async def _in_one_answer(solver: Solver) -> dict[str, Any]:
    columns = ["name", "pose_score"]
    found = await _results(solver, "library plate 1", columns=columns, best_per="ligand_id", limit=200)
    assert not found["has_more"]
    return {"scores": {row["name"]: row["pose_score"] for row in found["rows"]}}


async def _first_page(solver: Solver) -> dict[str, Any]:
    found = await _results(solver, "library plate 1", columns=["name", "pose_score"], best_per="ligand_id")
    return {"scores": {row["name"]: row["pose_score"] for row in found["rows"]}}


async def _best_poses_of_all(solver: Solver) -> dict[str, Any]:
    columns = ["name", "pose_score"]
    found = await _results(solver, "library plate 1", columns=columns, order="pose_score desc", limit=120)
    return {"scores": {row["name"]: row["pose_score"] for row in found["rows"]}}


BEST_OF_A_LIBRARY = Task(
    id="best-of-a-library",
    prompt="I need the pose score of the best pose of each of the 120 ligands of the docking 'library plate 1', by "
    "ligand name.",
    answer_form='{"scores": {"NAME": 0.0}}',
    arrange=_library,
    reference=_in_one_answer,
    mistakes=(
        Mistake("takes what fits into a first page", _first_page),
        Mistake("takes the 120 best poses", _best_poses_of_all),
    ),
)

TASKS = (THREE_STRONGEST, BEST_OF_A_LIBRARY)
