"""What is there already: which compounds of a list, and the best poses of a run, by the user's own names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeporigin_mcp.simulator import Platform
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import ASPIRIN, CAFFEINE, DAY, DOCKING, IBUPROFEN, NICOTINE, PARACETAMOL, docking

ETHER = "CCOc1ccccc1"
LIST = f"""name,smiles
QX-1,OC(=O)c1ccccc1OC(C)=O
QX-2,{ETHER}
QX-3,{IBUPROFEN}
QX-4,CCCCCCCN
QX-5,CC(C)CCF
QX-6,FCCCl
"""
"""The first is aspirin in another spelling."""
KNOWN = {"QX-1", "QX-2"}


# Which of them do we have?


def _some_known(platform: Platform) -> Judge:
    for smiles, name in ((ASPIRIN, "ASA"), (ETHER, "phenetole")):
        platform.seed_entity("ligands", smiles=smiles, canonical_smiles=smiles, name=name)
    platform.seed_entity(
        "ligands", smiles=IBUPROFEN, canonical_smiles=IBUPROFEN, name="IBU", project_id="09DEMAGPCR002"
    )

    def judge(answer: Answer) -> Iterator[str]:
        if set(answer.texts("known")) != KNOWN:
            yield f"known are {sorted(KNOWN)}, told was {answer.texts('known')}"

    return judge


async def _check_the_list(solver: Solver) -> dict[str, Any]:
    checked = await solver.read("import_molecules", kind="ligands", path="candidates.csv", check_only=True)
    return {"known": re.findall(r"row \d+ \(([\w-]+)\) as ", " ".join(checked["notes"]))}


async def _register_them(solver: Solver) -> dict[str, Any]:
    await solver.read("import_molecules", kind="ligands", path="candidates.csv")
    return {"known": sorted(KNOWN)}


async def _wherever_they_are(solver: Solver) -> dict[str, Any]:
    rows = [line.split(",") for line in LIST.splitlines()[1:]]
    found = {name: await solver.read("find_molecules", kind="ligand", smiles=smiles) for name, smiles in rows}
    return {"known": [name for name, answer in found.items() if answer["molecules"]]}


async def _compare_the_letters(solver: Solver) -> dict[str, Any]:
    await solver.read("find_molecules", kind="ligand", limit=100)
    return {"known": ["QX-2"]}


WHICH_DO_WE_HAVE = Task(
    id="which-do-we-have",
    prompt="Which of the compounds in candidates.csv does our project have already? Do not register anything.",
    answer_form='{"known": ["name in my list"]}',
    files={"candidates.csv": LIST},
    arrange=_some_known,
    reference=_check_the_list,
    mistakes=(
        Mistake("registers them to see", _register_them),
        Mistake("counts those of other projects", _wherever_they_are),
        Mistake("compares the letters of SMILES", _compare_the_letters),
    ),
)


# The best poses in one file


DOCKED = (ASPIRIN, CAFFEINE, IBUPROFEN, NICOTINE, PARACETAMOL, ETHER, "NCc1ccccc1", "CCCCCCCN")
WANTED = 3


def _docked(platform: Platform) -> Judge:
    ligands = [
        {"id": platform.seed_entity("ligands", name=f"ZT-{number}", smiles=smiles), "smiles": smiles}
        for number, smiles in enumerate(DOCKED, 1)
    ]
    run = platform.seed_run(DOCKING, {**docking(), "ligands": ligands}, ago_seconds=DAY, name="ZT set")
    names = {ligand["id"]: f"ZT-{number}" for number, ligand in enumerate(ligands, 1)}

    def judge(answer: Answer) -> Iterator[str]:
        rows = [data for _, data in platform.executions[run].found()]
        scores = {names[row["ligand_id"]]: row["pose_score"] for row in rows if row["best_pose"]}
        best = sorted(scores, key=lambda name: -scores[name])[:WANTED]
        if answer.texts("best_first") != best:
            yield f"the best are {best}, told was {answer.texts('best_first')}"

    return judge


def _three_in_one_file(folder: Path) -> Iterator[str]:
    records = [path.read_text(encoding="utf-8").split("$$$$\n")[:-1] for path in folder.rglob("combined*.sdf")]
    if [len(each) for each in records] != [WANTED]:
        yield f"one file with {WANTED} poses was to be saved"
    elif not all(
        record.startswith("ZT-") and re.search("<pose.score>", record, re.IGNORECASE) for record in records[0]
    ):
        yield "each pose was to have its name and its score"


async def _best_of(solver: Solver) -> tuple[str, list[dict[str, Any]]]:
    (row,) = await solver.rows(name_contains="ZT set")
    run = row["execution_id"]
    found = await solver.read(
        "get_execution_results",
        execution_id=run,
        best_per="ligand_id",
        order="pose_score desc",
        columns=["pose_score", "file_path"],
        limit=WANTED,
    )
    return run, found["rows"]


async def _chosen(solver: Solver) -> dict[str, Any]:
    run, rows = await _best_of(solver)
    paths = [row["file_path"] for row in rows]
    await solver.read("download_files", execution_id=run, paths=paths, combine=True)
    return {"best_first": [row["name"] for row in rows]}


async def _by_paths_alone(solver: Solver) -> dict[str, Any]:
    _, rows = await _best_of(solver)
    await solver.read("download_files", paths=[row["file_path"] for row in rows], combine=True)
    return {"best_first": [row["name"] for row in rows]}


async def _everything(solver: Solver) -> dict[str, Any]:
    run, rows = await _best_of(solver)
    await solver.read("download_files", execution_id=run, what="best_poses", combine=True)
    return {"best_first": [row["name"] for row in rows]}


THREE_BEST_POSES = Task(
    id="three-best-poses",
    prompt="Save the best poses of the three best compounds of 'ZT set' (by pose score, one pose each) as one SDF in "
    "which each has my name for it and its score. Which compounds are they?",
    answer_form='{"best_first": ["name"]}',
    arrange=_docked,
    reference=_chosen,
    on_disk=_three_in_one_file,
    mistakes=(
        Mistake("saves files without names", _by_paths_alone),
        Mistake("saves all of them", _everything),
    ),
)

TASKS = (WHICH_DO_WE_HAVE, THREE_BEST_POSES)
