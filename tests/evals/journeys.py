"""What chemists do from end to end: molecules in, runs, files out (the ten usual journeys)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.simulator.model.molecules import helix_pdb, written_sdf
from tests.evals.solver import Solver
from tests.evals.task import Answer, Judge, Mistake, Task
from tests.support.history import (
    ADMET,
    ASPIRIN,
    CAFFEINE,
    DAY,
    DOCKING,
    IBUPROFEN,
    NICOTINE,
    PARACETAMOL,
    POCKET_FINDER,
    PROTEIN,
    docking,
)

HITS = {"hit-1": "CCOc1ccc(cc1)C(=O)N", "hit-2": "CC(C)NC(=O)c1ccccc1", "hit-3": "Cn1cnc2c1c(=O)n(C)c(=O)n2C"}
SERIES = {"one": "Cc1ccccc1O", "two": "CCc1ccccc1O", "three": "CCCc1ccccc1O"}
LIBRARY = [f"{'C' * (number // 5 + 1)}{'FNOSI'[number % 5]}" for number in range(120)]
MODEL = helix_pdb()
PREPARED = "08DEPR0TE1N01"
"""The prepared one of the proteins named "toy kinase", as the simulated organisation has them."""
RBFE = "deeporigin.rbfe"
ABFE = "deeporigin.abfe-end-to-end"
PREP = "deeporigin.protein-prep"
DRACO = "deeporigin.draco"
I_APPROVE = "I am here to approve prices."


def _sdf(molecules: dict[str, str]) -> str:
    return "".join(written_sdf(smiles, name, (0.0, 0.0, 0.0), {}) for name, smiles in molecules.items())


def _docked(platform: Platform, name: str, days_ago: int, *smiles: str) -> str:
    """A docking of ligands that the platform has, as every client that imports them first leaves it; its id."""
    ligands = [{"id": platform.seed_entity("ligands", smiles=text), "smiles": text} for text in smiles]
    return platform.seed_run(DOCKING, {**docking(*smiles), "ligands": ligands}, ago_seconds=days_ago * DAY, name=name)


def _inputs(platform: Platform, tool_key: str) -> list[dict[str, Any]]:
    """The inputs of the runs of a tool that were started."""
    runs = (platform.executions[name] for name in platform.confirms)
    return [run.inputs for run in runs if run.tool["key"] == tool_key]


async def _tools(solver: Solver, query: str) -> None:
    """Learn the keys of the tools, as a model does."""
    await solver.read("find_platform_tools", query=query)


async def _imported(solver: Solver, kind: str, **source: Any) -> dict[str, Any]:
    return await solver.read("import_molecules", kind=kind, **source)


async def _waited(solver: Solver, tool: str, **arguments: Any) -> dict[str, Any]:
    """A call that waits for a run, made again as long as it says so."""
    found = await solver.read(tool, **arguments)
    while found.get("next_step", "").endswith("waits on."):
        found = await solver.follow(found["next_step"])
    return found


async def _started(solver: Solver, tool_key: str, inputs: dict[str, Any], *, start: bool = False) -> str:
    """Price a run and have it started, by the operator's automatic limit or by the person; its id."""
    more = {"start": True} if start else {}
    run = await solver.read("create_execution", tool_key=tool_key, inputs=inputs, **more)
    execution_id = str(run["execution_id"])
    if run["status"] == "Quoted":
        price = run["quoted_price"]
        waiting = {"expected_price": price, "wait_seconds": 45}
        await solver.read("confirm_execution", execution_id=execution_id, **waiting)
    return execution_id


def _sdf_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.sdf") if path.parent != folder)


# 1. Dock ligands into a structure


def _nothing_there(platform: Platform) -> Judge:
    platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY, name="yesterday")

    def judge(answer: Answer) -> Iterator[str]:
        runs = _inputs(platform, DOCKING)
        if len(runs) != 1 or len(runs[0]["ligands"]) != len(HITS):
            yield "one docking of the three hits was to run"
        elif "center" not in runs[0]["pocket"] or not _inputs(platform, POCKET_FINDER):
            yield "its pocket was to be one that was found"
        if answer.text("best") not in HITS:
            yield f"the best is one of {', '.join(HITS)}, told was {answer.text('best')!r}"

    return judge


def _three_poses(folder: Path) -> Iterator[str]:
    poses = [path.read_text(encoding="utf-8") for path in _sdf_files(folder)]
    if sum(text.count("$$$$") for text in poses) < len(HITS):
        yield "the best pose of each hit was to be saved"


async def _dock(solver: Solver, *, start: bool = False) -> dict[str, Any]:
    await _tools(solver, "find pockets, dock ligands")
    protein = await _imported(solver, "protein", path="hbx2_model.pdb")
    ligands = await _imported(solver, "ligands", path="first_hits.sdf")
    finding = await _started(solver, POCKET_FINDER, {"protein": protein["as_input"]}, start=start)
    pocket = (await _waited(solver, "find_molecules", kind="pocket", execution_id=finding))["molecules"][0]["as_input"]
    inputs = {"protein": protein["as_input"], "pocket": pocket, "ligands": ligands["as_input"]}
    docking_id = await _started(solver, DOCKING, inputs, start=start)
    saved = await _waited(solver, "download_files", execution_id=docking_id, what="best_poses")
    return {"best": next(row["name"] for row in saved["files"] if row["name"].startswith("01_"))[3:-4]}


async def _dock_within_limit(solver: Solver) -> dict[str, Any]:
    return await _dock(solver, start=True)


async def _dock_without_saving(solver: Solver) -> dict[str, Any]:
    await _imported(solver, "protein", path="hbx2_model.pdb")
    await _imported(solver, "ligands", path="first_hits.sdf")
    return {"best": "hit-1"}


DOCK_MY_HITS = Task(
    id="dock-my-hits",
    prompt=f"Dock first_hits.sdf into hbx2_model.pdb and give me the best poses as SDF. Which hit is best? {I_APPROVE}",
    answer_form='{"best": "name of the hit"}',
    files={"hbx2_model.pdb": MODEL, "first_hits.sdf": _sdf(HITS)},
    arrange=_nothing_there,
    reference=_dock,
    on_disk=_three_poses,
    person="yes",
    questions=2,
    creates=4,
    starts=2,
    mistakes=(Mistake("stops after the import", _dock_without_saving),),
)


DOCK_WITHIN_LIMIT = replace(
    DOCK_MY_HITS,
    id="dock-within-limit",
    prompt="Dock first_hits.sdf into hbx2_model.pdb and give me the best poses as SDF. Which hit is best? It may cost "
    "up to 15 USD.",
    reference=_dock_within_limit,
    environment={"DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "15"},
    person="absent",
)


# 2. Pockets


def _pockets_wanted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        runs = _inputs(platform, POCKET_FINDER)
        if [run.get("pocket_count") for run in runs] != [2]:
            yield "one search for two pockets was to run"
        if not answer.number("volume"):
            yield "the volume of the best one is missing"

    return judge


def _pocket_file(folder: Path) -> Iterator[str]:
    if not [path for path in folder.rglob("*.pdb") if path.parent != folder]:
        yield "the pockets were to be saved"


async def _pockets(solver: Solver) -> dict[str, Any]:
    await _tools(solver, "find pockets")
    protein = await _imported(solver, "protein", path="model.pdb")
    finding = await _started(solver, POCKET_FINDER, {"protein": protein["as_input"], "pocket_count": 2})
    pockets = (await _waited(solver, "find_molecules", kind="pocket", execution_id=finding))["molecules"]
    await solver.read("download_files", execution_id=finding, what="pocket")
    return {"volume": pockets[0]["volume_cubic_angstrom"]}


async def _pockets_guessed(solver: Solver) -> dict[str, Any]:
    await _imported(solver, "protein", path="model.pdb")
    return {"volume": 500.0}


POCKETS = Task(
    id="pockets-of-my-model",
    prompt=f"Find the two best pockets of model.pdb, save them, and tell me the best one's volume. {I_APPROVE}",
    answer_form='{"volume": 0.0}',
    files={"model.pdb": MODEL},
    arrange=_pockets_wanted,
    reference=_pockets,
    on_disk=_pocket_file,
    person="yes",
    creates=2,
    starts=1,
    mistakes=(Mistake("makes a volume up", _pockets_guessed),),
)


# 3. Properties of a list


def _admet_wanted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        runs = _inputs(platform, ADMET)
        if len(runs) != 1 or runs[0].get("ligands_count") != len(LIBRARY):
            yield "one prediction for all 120 molecules was to run"
        if answer.number("molecules") != len(LIBRARY):
            yield "120 molecules were in the list"

    return judge


async def _admet_of_list(solver: Solver) -> dict[str, Any]:
    await _tools(solver, "ADMET")
    ligands = await _imported(solver, "ligands", path="library.csv")
    listed = {"ligands_file": ligands["ligands_file"], "ligands_count": ligands["ligands_count"]}
    await _started(solver, ADMET, {**listed, "properties": ["herg", "ames"]})
    return {"molecules": ligands["imported"]}


async def _admet_of_some(solver: Solver) -> dict[str, Any]:
    ligands = await _imported(solver, "ligands", smiles=LIBRARY[:3])
    await _started(solver, ADMET, {"ligands": ligands["as_input"], "properties": ["herg", "ames"]})
    return {"molecules": len(LIBRARY)}


ADMET_OF_MY_LIST = Task(
    id="admet-of-my-list",
    prompt=f"Predict hERG and AMES for all molecules of library.csv. {I_APPROVE}",
    answer_form='{"molecules": 0}',
    files={"library.csv": "SMILES,Name\n" + "".join(f"{one},m{n}\n" for n, one in enumerate(LIBRARY, 1))},
    arrange=_admet_wanted,
    reference=_admet_of_list,
    person="yes",
    creates=2,
    starts=1,
    mistakes=(Mistake("takes a part of the list", _admet_of_some),),
)


# 5. Relative free energies of a series


def _series_quoted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        quotes = [platform.executions[name] for name in platform.creates]
        quotes = [run for run in quotes if run.tool["key"] == RBFE]
        files = [ligand.get("file_path") for run in quotes for ligand in run.inputs["ligands"]]
        if len(quotes) != 1 or len(files) != len(SERIES) or not all(files):
            yield "one quote for the three ligands with their files was wanted"
        elif abs((answer.number("usd") or 0) - sum(item.total for item in quotes[0].items)) > 0.01:
            yield f"the price is another than {answer.number('usd')}"

    return judge


async def _series(solver: Solver) -> dict[str, Any]:
    await _tools(solver, "relative free energy")
    protein = await _imported(solver, "protein", path="model.pdb")
    ligands = await _imported(solver, "ligands", path="series.sdf")
    inputs = {"protein": protein["as_input"], "ligands": ligands["as_file_input"]}
    quote = await solver.read("create_execution", tool_key=RBFE, inputs=inputs)
    return {"usd": quote["quoted_price"]}


async def _series_unpriced(solver: Solver) -> dict[str, Any]:
    await _imported(solver, "ligands", path="series.sdf")
    return {"usd": 0.0}


PRICE_OF_MY_SERIES = Task(
    id="price-of-my-series",
    prompt="What would relative free energies (RBFE) of series.sdf in model.pdb cost? Do not start it.",
    answer_form='{"usd": 0.0}',
    files={"model.pdb": MODEL, "series.sdf": _sdf(SERIES)},
    arrange=_series_quoted,
    reference=_series,
    creates=3,
    mistakes=(Mistake("guesses the price", _series_unpriced),),
)


# 4. Absolute free energy of a pose that is there


def _docked_before(platform: Platform) -> Judge:
    platform.seed_entity("proteins", id=PROTEIN["id"], file_path=PROTEIN["file_path"], protein_name="BRD4")
    run = _docked(platform, "painkillers", 1, ASPIRIN, IBUPROFEN, NICOTINE)
    _docked(platform, "painkillers, first try", 2, PARACETAMOL)
    rows = [data for kind, data in platform.executions[run].found()]
    best = max(rows, key=lambda data: data["pose_score"])

    def judge(answer: Answer) -> Iterator[str]:
        quotes = [platform.executions[name] for name in platform.creates]
        poses = [quote.inputs["pose1"]["file_path"] for quote in quotes if quote.tool["key"] == ABFE]
        if poses != [best["file_path"]]:
            yield f"the pose is {best['file_path']}, quoted was {poses}"
        if not answer.number("usd"):
            yield "the price is missing"

    return judge


async def _abfe(solver: Solver, *, of_first_try: bool = False) -> dict[str, Any]:
    await _tools(solver, "absolute free energy")
    rows = await solver.rows(tool_key=DOCKING)
    run = next(row for row in rows if (row["name"] != "painkillers") is of_first_try)["execution_id"]
    pose = (await solver.read("find_molecules", kind="pose", execution_id=run, limit=1))["molecules"][0]
    details = await solver.read("get_execution", execution_id=run, detail="detailed")
    inputs = {"protein": details["inputs"]["protein"], "pose1": pose["as_input"]}
    quote = await solver.read("create_execution", tool_key=ABFE, inputs=inputs)
    return {"usd": quote["quoted_price"]}


async def _abfe_of_first_try(solver: Solver) -> dict[str, Any]:
    return await _abfe(solver, of_first_try=True)


FREE_ENERGY_OF_BEST_POSE = Task(
    id="free-energy-of-best-pose",
    prompt="What would an absolute free energy (ABFE) of the best-scored pose of my docking 'painkillers' cost?",
    answer_form='{"usd": 0.0}',
    arrange=_docked_before,
    reference=_abfe,
    creates=1,
    mistakes=(Mistake("takes a pose of another run", _abfe_of_first_try),),
)


# 6. A prepared protein


def _preparation_wanted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        runs = {name: platform.executions[name].inputs for name in platform.creates}
        prepared = [name for name, inputs in runs.items() if inputs.get("action") == "prepare"]
        if [platform.status(name) for name in prepared] != ["Completed"]:
            yield "one preparation was to run"
        if not answer.text("file").endswith(".pdb"):
            yield "the name of the file is missing"

    return judge


def _prepared_file(folder: Path) -> Iterator[str]:
    if not [path for path in folder.rglob("*.pdb") if path.parent != folder]:
        yield "the prepared structure was to be saved"


async def _recommended(solver: Solver) -> tuple[dict[str, Any], dict[str, Any]]:
    await _tools(solver, "prepare a protein")
    protein = (await _imported(solver, "protein", path="model.pdb"))["as_input"]
    inputs = {"action": "recommend", "protein": protein}
    advice = await solver.read("create_execution", tool_key=PREP, inputs=inputs, sync=True, start=True)
    return protein, advice["outputs"]["recommendation"]


async def _prepare(solver: Solver) -> dict[str, Any]:
    protein, advice = await _recommended(solver)
    selection = {
        "source_sha256": advice["source_sha256"],
        "analyzer_version": advice["analyzer_version"],
        "decisions": {part["id"]: part["recommendation"] for part in advice["components"]},
    }
    inputs = {"action": "prepare", "protein": protein, "selection": selection}
    execution_id = await _started(solver, PREP, inputs, start=True)
    saved = await _waited(solver, "download_files", execution_id=execution_id)
    return {"file": next(row["name"] for row in saved["files"] if row["name"].endswith(".pdb"))}


async def _only_recommended(solver: Solver) -> dict[str, Any]:
    await _recommended(solver)
    return {"file": "model.pdb"}


PREPARE_MY_MODEL = Task(
    id="prepare-my-model",
    prompt=f"Prepare model.pdb for docking as the platform recommends, and save the prepared structure. {I_APPROVE}",
    answer_form='{"file": "name of the saved file"}',
    files={"model.pdb": MODEL},
    arrange=_preparation_wanted,
    reference=_prepare,
    on_disk=_prepared_file,
    creates=3,
    starts=2,
    mistakes=(Mistake("stops at the recommendation", _only_recommended),),
)


# 7. What a colleague prepared


def _kinase_there(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        quotes = [platform.executions[name].inputs for name in platform.creates]
        if len(quotes) != 1 or quotes[0]["protein"].get("id") != answer.text("protein_id"):
            yield "one quote with the prepared protein was wanted"
        elif quotes[0]["protein"]["id"] != PREPARED:
            yield f"the prepared protein is {PREPARED}"

    return judge


async def _with_prepared(solver: Solver, *, prepared: bool) -> dict[str, Any]:
    await _tools(solver, "find pockets")
    rows = (await solver.read("find_molecules", kind="protein", query="kinase"))["molecules"]
    row = next(row for row in rows if bool(row.get("prepared")) is prepared)
    quote = await solver.read("create_execution", tool_key=POCKET_FINDER, inputs={"protein": row["as_input"]})
    return {"protein_id": row["as_input"]["id"], "usd": quote["quoted_price"]}


async def _prepared_one(solver: Solver) -> dict[str, Any]:
    return await _with_prepared(solver, prepared=True)


async def _unprepared_one(solver: Solver) -> dict[str, Any]:
    return await _with_prepared(solver, prepared=False)


POCKETS_OF_A_COLLEAGUES_PROTEIN = Task(
    id="pockets-of-a-colleagues-protein",
    prompt="A colleague prepared the toy kinase. What would it cost to find its pockets? Do not start it.",
    answer_form='{"protein_id": "…", "usd": 0.0}',
    arrange=_kinase_there,
    reference=_prepared_one,
    creates=1,
    mistakes=(Mistake("takes the unprepared one of the same name", _unprepared_one),),
)


# 8. A PDB entry


def _entry_wanted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        quotes = [platform.executions[name] for name in platform.creates]
        found = [run.inputs["protein"] for run in quotes if run.tool["key"] == POCKET_FINDER]
        if len(found) != 1 or found[0].get("id") != answer.text("protein_id"):
            yield "one quote for the imported entry was wanted"
        elif not found[0].get("file_path", "").startswith("entities/proteins/"):
            yield "the entry was to be imported"

    return judge


async def _entry(solver: Solver) -> dict[str, Any]:
    await _tools(solver, "find pockets")
    protein = (await _imported(solver, "protein", pdb_id="1IEP"))["as_input"]
    quote = await solver.read("create_execution", tool_key=POCKET_FINDER, inputs={"protein": protein})
    return {"protein_id": protein["id"], "usd": quote["quoted_price"]}


async def _entry_unpriced(solver: Solver) -> dict[str, Any]:
    protein = (await _imported(solver, "protein", pdb_id="1IEP"))["as_input"]
    return {"protein_id": protein["id"], "usd": 10.0}


POCKETS_OF_AN_ENTRY = Task(
    id="pockets-of-an-entry",
    prompt="What would it cost to find the pockets of the PDB entry 1IEP? Do not start it.",
    answer_form='{"protein_id": "…", "usd": 0.0}',
    arrange=_entry_wanted,
    reference=_entry,
    creates=2,
    mistakes=(Mistake("guesses the price", _entry_unpriced),),
)


# 9. Poses of an earlier run


def _docked_last_week(platform: Platform) -> Judge:
    _docked(platform, "round one", 6, ASPIRIN, IBUPROFEN, NICOTINE, CAFFEINE)

    def judge(answer: Answer) -> Iterator[str]:
        if answer.number("poses") != 4:
            yield f"it has the best poses of 4 ligands, told were {answer.number('poses')}"

    return judge


def _one_sdf(folder: Path) -> Iterator[str]:
    if not any(path.read_text(encoding="utf-8").count("$$$$") == 4 for path in _sdf_files(folder)):
        yield "one SDF with the four best poses was wanted"


async def _export(solver: Solver, *, combine: bool = True) -> dict[str, Any]:
    run = next(row for row in await solver.rows(tool_key=DOCKING) if row["name"] == "round one")
    saved = await solver.read("download_files", execution_id=run["execution_id"], what="best_poses", combine=combine)
    return {"poses": sum(row["name"][:2].isdigit() for row in saved["files"])}


async def _export_apart(solver: Solver) -> dict[str, Any]:
    return await _export(solver, combine=False)


EXPORT_POSES = Task(
    id="export-poses",
    prompt="Save the best pose of each ligand of last week's docking 'round one' as one SDF. How many are there?",
    answer_form='{"poses": 0}',
    arrange=_docked_last_week,
    reference=_export,
    on_disk=_one_sdf,
    mistakes=(Mistake("saves them as single files", _export_apart),),
)


# 10. A file in, a table out


def _patent_wanted(platform: Platform) -> Judge:
    def judge(answer: Answer) -> Iterator[str]:
        runs = _inputs(platform, DRACO)
        if len(runs) != 1:
            yield "one reading of the patent was to run"
        if not answer.text("uploaded_to"):
            yield "where the patent is on the platform is missing"

    return judge


async def _patent(solver: Solver) -> dict[str, Any]:
    await _tools(solver, "read a patent")
    sent = await solver.read("upload_file", path="patent.pdf", destination="patent/patent.pdf")
    execution_id = await _started(solver, DRACO, {"input_file": sent["path"]})
    await _waited(solver, "download_files", execution_id=execution_id, combine=True)
    return {"uploaded_to": sent["path"]}


async def _patent_not_read(solver: Solver) -> dict[str, Any]:
    sent = await solver.read("upload_file", path="patent.pdf", destination="patent/patent.pdf")
    return {"uploaded_to": sent["path"]}


def _table(folder: Path) -> Iterator[str]:
    if not [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]:
        yield "what was found was to be saved"


READ_A_PATENT = Task(
    id="read-a-patent",
    prompt=f"Extract the molecules of patent.pdf and save what was found. {I_APPROVE}",
    answer_form='{"uploaded_to": "path on the platform"}',
    files={"patent.pdf": "%PDF-1.4\n%%EOF\n"},
    arrange=_patent_wanted,
    reference=_patent,
    on_disk=_table,
    person="yes",
    creates=1,
    starts=1,
    mistakes=(Mistake("uploads it only", _patent_not_read),),
)

TASKS = (
    DOCK_MY_HITS,
    DOCK_WITHIN_LIMIT,
    POCKETS,
    ADMET_OF_MY_LIST,
    FREE_ENERGY_OF_BEST_POSE,
    PRICE_OF_MY_SERIES,
    PREPARE_MY_MODEL,
    POCKETS_OF_A_COLLEAGUES_PROTEIN,
    POCKETS_OF_AN_ENTRY,
    EXPORT_POSES,
    READ_A_PATENT,
)
