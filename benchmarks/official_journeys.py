"""The ten journeys in the official client's own words, as a chemist would write them in a notebook.

Each function is given the official client and the user's folder, does what the task of the same name in
`tests/evals/journeys.py` asks for, and returns the answer that its judge wants. A price is shown before it is
confirmed, as the tasks want it: the person who runs the cell is the one who approves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from deeporigin.drug_discovery import (
    ABFE,
    RBFE,
    Admet,
    Docking,
    LigandSet,
    Patent,
    PocketFinder,
    PoseSet,
    Protein,
    ProteinPrep,
)
from deeporigin.platform.client import DeepOriginClient

Job = Callable[[DeepOriginClient, Path], dict[str, Any]]


def dock_my_hits(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    protein = Protein.from_file(folder / "hbx2_model.pdb")
    protein.sync(client=client)
    ligands = LigandSet.from_sdf(folder / "first_hits.sdf")
    ligands.sync(client=client)
    finder = PocketFinder(protein, client=client)
    finder.run(quote=True)
    print(f"pockets: {finder.estimate} USD")
    finder.confirm()
    pocket = finder.get_results()[0]
    docking = Docking(protein=protein, pocket=pocket, ligands=ligands, client=client)
    docking.start(quote=True)
    docking.sync()
    print(f"docking: {docking.estimate} USD")
    docking.confirm()
    docking.wait()
    poses = docking.get_poses()
    (folder / "poses").mkdir()
    poses.to_sdf(str(folder / "poses" / "best_poses.sdf"))
    best = max(poses, key=lambda pose: pose.pose_score)
    return {"best": next(ligand.name for ligand in ligands if ligand.id == best.ligand_id)}


def pockets_of_my_model(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    protein = Protein.from_file(folder / "model.pdb")
    protein.sync(client=client)
    finder = PocketFinder(protein, pocket_count=2, client=client)
    finder.run(quote=True)
    print(f"{finder.estimate} USD")
    finder.confirm()
    pockets = finder.get_results()
    for pocket in pockets:
        client.files.download(pocket.remote_path, download_to_dir=folder / "pockets")
    return {"volume": max(pockets, key=lambda pocket: pocket.drugability_score).volume}


def admet_of_my_list(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    ligands = LigandSet.from_csv(folder / "library.csv")
    ligands.sync(client=client)
    admet = Admet(ligands=ligands, client=client)
    admet.properties = ["herg", "ames"]
    admet.start(quote=True)
    print(f"{admet.estimate} USD")
    admet.confirm()
    admet.wait()
    return {"molecules": len(ligands)}


def free_energy_of_best_pose(client: DeepOriginClient, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    runs = client.executions.list(tool_key=Docking.tool_key, project_id=client.project_id, fetch_all_pages=True)
    run = next(run for run in runs["data"] if run["name"] == "painkillers")
    poses = PoseSet.from_result(execution_id=run["executionId"], best_pose=True, client=client)
    best = max(poses, key=lambda pose: pose.pose_score)
    protein = Protein.from_id(run["userInputs"]["protein"]["id"], download=False, client=client)
    abfe = ABFE(protein=protein, pose=best, client=client)
    abfe.start(quote=True)
    return {"usd": abfe.estimate}


def price_of_my_series(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    protein = Protein.from_file(folder / "model.pdb")
    protein.sync(client=client)
    ligands = LigandSet.from_sdf(folder / "series.sdf")
    ligands.sync(client=client)
    rbfe = RBFE(protein=protein, ligands=ligands, client=client)
    rbfe.start(quote=True)
    return {"usd": rbfe.estimate}


def prepare_my_model(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    protein = Protein.from_file(folder / "model.pdb")
    protein.sync(client=client)
    preparation = ProteinPrep(protein, client=client)
    preparation.recommend()
    prepared = preparation.run()
    saved = client.files.download(prepared.remote_path, download_to_dir=folder / "prepared")
    return {"file": Path(saved).name}


def pockets_of_a_colleagues_protein(client: DeepOriginClient, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    wanted = {"protein_name": {"icontains": "kinase"}, "state": "prepared", "project_id": client.project_id}
    row = client.entities.search("proteins", filter_dict=wanted)["data"][0]
    protein = Protein.from_id(row["id"], download=False, client=client)
    finder = PocketFinder(protein, client=client)
    finder.run(quote=True)
    return {"protein_id": protein.id, "usd": finder.estimate}


def pockets_of_an_entry(client: DeepOriginClient, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    # `Protein.from_pdb_id` fetches from rcsb.org by itself; so that nothing outside is asked, the platform fetches.
    staged = f"imports/staging/{uuid4().hex}.pdb"
    client.files.upload_from_url(staged, source_url="https://files.rcsb.org/download/1iep.pdb")
    inputs = {"process_pdb": True, "file_path": staged, "protein_name": "1IEP", "pdb_id": "1IEP"}
    data = {"inputs": inputs, "outputs": {}, "metadata": {}, "sync": True}
    imported = client.executions.create(
        tool_key="deeporigin.import-dataset", tool_version="3", data=data, visibility="hidden"
    )
    protein = Protein.from_id(imported["jobOutputs"]["proteins"][0]["protein_id"], download=False, client=client)
    finder = PocketFinder(protein, client=client)
    finder.run(quote=True)
    return {"protein_id": protein.id, "usd": finder.estimate}


def export_poses(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    runs = client.executions.list(tool_key=Docking.tool_key, project_id=client.project_id, fetch_all_pages=True)
    run = next(run for run in runs["data"] if run["name"] == "round one")
    poses = PoseSet.from_result(execution_id=run["executionId"], best_pose=True, client=client)
    poses.download(client=client)
    (folder / "poses").mkdir()
    poses.to_sdf(str(folder / "poses" / "best_poses.sdf"))
    return {"poses": len(poses)}


def read_a_patent(client: DeepOriginClient, folder: Path) -> dict[str, Any]:
    patent = Patent(folder / "patent.pdf", client=client)
    patent.start(quote=True)
    print(f"{patent.estimate} USD")
    patent.confirm()
    patent.wait()
    (folder / "found").mkdir()
    patent.get_results().to_csv(folder / "found" / "molecules.csv")
    return {"uploaded_to": patent.remote_pdf_path}


JOURNEYS: dict[str, Job] = {
    "dock-my-hits": dock_my_hits,
    "pockets-of-my-model": pockets_of_my_model,
    "admet-of-my-list": admet_of_my_list,
    "free-energy-of-best-pose": free_energy_of_best_pose,
    "price-of-my-series": price_of_my_series,
    "prepare-my-model": prepare_my_model,
    "pockets-of-a-colleagues-protein": pockets_of_a_colleagues_protein,
    "pockets-of-an-entry": pockets_of_an_entry,
    "export-poses": export_poses,
    "read-a-patent": read_a_patent,
}
"""By the name of the task."""


def written_lines(job: Job) -> int:
    """The lines of a function that a person writes: neither blank nor comment. Its imports are not among them."""
    lines = (line.strip() for line in inspect.getsource(job).splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)
