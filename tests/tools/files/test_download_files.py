"""Files of runs on the user's disk: the right bytes under readable names, whole or not at all, never overwritten."""

from __future__ import annotations

import csv
import urllib.request
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.files import download_files as tool
from tests.support.api import docking_inputs
from tests.support.bench import Agent, Bench, docking
from tests.support.facts import calls_in
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = pytest.mark.anyio

RUN = "tool-runs/e"
ABSENT = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"


@pytest.fixture
async def agent(bench: Bench, tmp_path: Path) -> AsyncIterator[Agent]:
    async with bench.agent(files=(tmp_path,), auto_approve_up_to=100) as found:
        yield found


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    return FilesOfRuns(bench)


def on_disk(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def in_folder(root: Path) -> dict[str, str]:
    """The files of the only run there is, tables left out."""
    return {
        path.name: path.read_text() for path in sorted(root.glob("*/*")) if path.is_file() and path.suffix != ".csv"
    }


def table(root: Path, name: str = "index.csv") -> list[dict[str, str]]:
    (path,) = root.glob(f"*/{name}")
    return [*csv.DictReader(path.read_text().splitlines())]


async def completed(agent: Agent, *smiles: str) -> str:
    run = await agent.read("create_execution", **docking(*smiles), start=True)
    await agent.follow_to_the_end(run["next_step"])
    return str(run["execution_id"])


async def test_the_best_poses_of_a_run_are_files_with_the_platforms_bytes(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = await completed(agent, "CCO", "CCN", "c1ccccc1O")
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    rows = table(tmp_path)
    assert (found["count"], found["requested"], found["returned"], found["has_more"]) == (4, 3, 3, False)
    assert [row["position"] for row in rows] == ["1", "2", "3"]
    assert sorted((float(row["pose_score"]) for row in rows), reverse=True) == [float(r["pose_score"]) for r in rows]
    files = {Path(name).name: content for name, content in on_disk(tmp_path).items()}
    assert all(files[row["file"]] == platform.content(row["platform_path"]) for row in rows)
    assert {row["name"]: row["size"] for row in found["files"]} == {name: len(files[name]) for name in files}


async def test_a_second_call_fetches_nothing_and_says_so(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    run = await completed(agent, "CCO", "CCN")
    first = await agent.read("download_files", execution_id=run, combine=True)
    before, sent = on_disk(tmp_path), len(platform.fetched())
    second = await agent.read("download_files", execution_id=run, combine=True)
    assert on_disk(tmp_path) == before
    assert len(platform.fetched()) == sent
    # Whether its results are still being stored may change between the calls.
    assert second | {"next_step": ""} == {**first, "already_there": 6, "next_step": ""}


async def test_poses_are_joined_best_first_with_their_scores(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.add("ligands", "L1", smiles="CCO", name="ethanol")
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1), f"{RUN}/b.sdf": sdf("L2", 2)})
    run = platform.run(pose("L1", 0.4, f"{RUN}/a.sdf", binding_energy=-5), pose("L2", 0.9, f"{RUN}/b.sdf"))
    await agent.read("download_files", execution_id=run, what="best_poses", combine=True)
    files = in_folder(tmp_path)
    assert files["combined.sdf"] == (
        sdf("L2", 2, position=1, pose_score=0.9, ligand_id="L2")
        + sdf("ethanol", 1, position=2, pose_score=0.4, binding_energy=-5, ligand_id="L1", smiles="CCO")
    )
    assert [*files] == ["01_L2.sdf", "02_ethanol.sdf", "combined.sdf"]


async def test_of_a_run_only_some_files_keep_their_names_and_scores(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.add("ligands", "L1", smiles="CCO", name="ethanol")
    platform.put(**{f"{RUN}/{name}.sdf": sdf(name, 1) for name in "abc"})
    scores = {"a": ("L1", 0.4), "b": ("L2", 0.9), "c": ("L3", 0.7)}
    run = platform.run(*(pose(ligand, score, f"{RUN}/{name}.sdf") for name, (ligand, score) in scores.items()))
    log = f"tool-runs/{run}/log.txt"
    platform.put(**{log: "x"})
    wanted = [f"{RUN}/a.sdf", f"{RUN}/c.sdf", log]
    found = await agent.read("download_files", execution_id=run, paths=wanted, combine=True)
    # Nobody asked for the third ligand, so it is not missing.
    assert (found["count"], found.get("requested"), found.get("missing")) == (5, None, None)
    assert [*in_folder(tmp_path)] == ["01_L3.sdf", "02_ethanol.sdf", "combined.sdf", "log.txt"]
    rows = table(tmp_path)
    assert [(row["file"], row["position"], row["pose_score"]) for row in rows] == [
        ("01_L3.sdf", "1", "0.7"),
        ("02_ethanol.sdf", "2", "0.4"),
        ("log.txt", "", ""),
    ]
    assert in_folder(tmp_path)["combined.sdf"].count("pose_score") == 2


async def test_a_file_of_another_run_does_not_come_as_one_of_this_run(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/{name}.sdf": sdf(name, 1) for name in "ab"}, **{"entities/proteins/toy.pdb": "ATOM"})
    other = platform.run(pose("L2", 0.9, f"{RUN}/b.sdf"))
    inputs = {"protein": {"id": "08DEPR0TE1N00", "file_path": "entities/proteins/toy.pdb"}}
    run = platform.run(pose("L1", 0.4, f"{RUN}/a.sdf"), userInputs=inputs)
    refused = await agent.refused("download_files", execution_id=run, paths=[f"{RUN}/a.sdf", f"{RUN}/b.sdf"])
    assert calls_in(refused, agent.inputs) == [
        ("list_files", {"execution_id": run}),
        ("download_files", {"paths": [f"{RUN}/b.sdf"]}),
    ]
    assert [*in_folder(tmp_path)] == []
    own = await agent.read("download_files", execution_id=run, paths=[f"{RUN}/a.sdf", "entities/proteins/toy.pdb"])
    assert [row["name"] for row in own["files"]] == ["index.csv", "01_L1.sdf", "toy.pdb"]
    assert (await agent.read("download_files", execution_id=other, paths=[f"{RUN}/b.sdf"]))["count"] == 2


async def test_files_of_a_run_are_chosen_with_or_without_the_record_and_the_first_slash_of_their_paths(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1) + sdf("L2", 2), f"{RUN}/b.sdf": sdf("L3", 3)})
    run = platform.run(
        pose("L1", 0.5, f"/{RUN}/a.sdf#record-0"),
        pose("L2", 0.4, f"/{RUN}/a.sdf#record-1"),
        pose("L3", 0.3, f"/{RUN}/b.sdf"),
    )
    shown = [row["path"] for row in (await agent.read("list_files", execution_id=run))["files"]]
    for number, paths in enumerate([shown, [f"/{RUN}/a.sdf#record-1", f"{RUN}/b.sdf"]]):
        folder = f"chosen-{number}"
        found = await agent.read("download_files", execution_id=run, paths=paths, folder=folder, combine=True)
        assert found.get("missing") is None
        rows = [*csv.DictReader((tmp_path / folder / "index.csv").read_text().splitlines())]
        assert [row["pose_score"] for row in rows] == ["0.5", "0.4", "0.3"][number:]


async def test_a_local_file_with_another_content_is_left_alone(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    run = platform.run(pose("L1", 0.4, f"{RUN}/a.sdf"))
    folder = tmp_path / "mine"
    folder.mkdir()
    # As long as the one on the platform.
    (folder / "01_L1.sdf").write_text(sdf("L1", 2))
    found = await agent.read("download_files", execution_id=run, folder="mine")
    assert in_folder(tmp_path) == {"01_L1.sdf": sdf("L1", 2), "01_L1_2.sdf": sdf("L1", 1)}
    assert table(tmp_path)[0]["file"] == "01_L1_2.sdf"
    again = await agent.read("download_files", execution_id=run, folder="mine")
    assert (again["count"], again["already_there"]) == (found["count"], 1)
    assert len(in_folder(tmp_path)) == 2


async def test_a_link_in_the_folder_is_not_followed(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sdf"
    outside.write_text(sdf("L1", 1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/01_L1.sdf").symlink_to(outside)
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    run = platform.run(pose("L1", 0.4, f"{RUN}/a.sdf"))
    await agent.read("download_files", execution_id=run, folder="mine")
    assert table(tmp_path)[0]["file"] == "01_L1_2.sdf"
    assert outside.read_text() == sdf("L1", 1)


HOSTILE = ("../../../evil", "CON", ".hidden", "a/b", "x" * 500, "nul\x00\n", "Aspirin", "ASPIRIN", "=cmd()", "")


async def test_no_name_of_the_platform_leads_out_of_the_folder(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    inside = tmp_path / "allowed"
    rows = []
    for number, name in enumerate(HOSTILE):
        path = f"{RUN}/{number}.sdf"
        platform.put(**{path: sdf(str(number), number)})
        rows.append(pose("", 1 - number / 100, path, ligand_name=name, smiles=f"C{number}"))
    run = platform.run(*rows, name="../../up")
    async with platform.bench.agent(files=(inside,)) as own:
        found = await own.read("download_files", execution_id=run)
    assert found["count"] == len(HOSTILE) + 1
    files = on_disk(tmp_path)
    assert len({name.casefold() for name in files}) == len(HOSTILE) + 1
    assert all(name.startswith("allowed/") and name.count("/") == 2 for name in files)
    assert all(not Path(name).name.startswith(".") and len(Path(name).name) < 100 for name in files)
    assert [row["molecule"][:1] for row in table(inside) if "cmd" in row["molecule"]] == ["'"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../b.sdf", "", "/", "x\x00.sdf"])
async def test_a_path_that_cannot_be_is_missing_and_writes_nothing(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path, path: str
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    run = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), pose("L2", 0.4, path, smiles="CC"))
    await agent.read("download_files", execution_id=run, what="pose")
    assert in_folder(tmp_path) == {"01_L1.sdf": sdf("L1", 1)}


# Which record


async def test_poses_that_share_a_file_get_their_own_records(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    path = f"{RUN}/all.sdf"
    platform.put(**{path: sdf("L1", 1, pose_score=0.2) + sdf("L1", 2, pose_score=0.9) + sdf("L2", 3)})
    run = platform.run(*(pose(name, score, path) for name, score in (("L1", 0.9), ("L1", 0.2), ("L2", 0.5))))
    found = await agent.read("download_files", execution_id=run)
    assert in_folder(tmp_path) == {
        "01_L1.sdf": sdf("L1", 2, pose_score=0.9),
        "02_L2.sdf": sdf("L2", 3),
        "03_L1.sdf": sdf("L1", 1, pose_score=0.2),
        "all.sdf": platform.content(path).decode(),
    }
    assert "missing" not in found
    assert len(platform.fetched()) == 1
    assert await agent.read("download_files", execution_id=run) == {**found, "already_there": 1}


async def test_a_numbered_record_is_taken_from_its_file(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    path = "imports/staging/three.sdf"
    platform.put(**{path: sdf("a", 1) + sdf("b", 2) + sdf("c", 3)})
    run = platform.run(pose("L1", 0.5, f"/{path}#record-2"), pose("L2", 0.4, f"{path}#record-0"))
    await agent.read("download_files", execution_id=run)
    files = in_folder(tmp_path)
    assert (files["01_L1.sdf"], files["02_L2.sdf"]) == (sdf("c", 3), sdf("a", 1))
    assert len(platform.fetched()) == 1


async def test_a_row_whose_record_is_not_certain_gets_no_coordinates(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    path = f"{RUN}/all.sdf"
    platform.put(**{path: sdf("", 1) + sdf("", 2)})
    run = platform.run(
        pose("L1", 0.9, path), pose("L2", 0.2, path), userInputs={"ligands": [{"id": "L1"}, {"id": "L2"}]}
    )
    found = await agent.read("download_files", execution_id=run, combine=True)
    assert in_folder(tmp_path) == {"all.sdf": platform.content(path).decode()}
    assert (found["requested"], found["returned"]) == (2, 0)
    assert {row["name"] for row in found["missing"]} == {"L1", "L2"}
    assert [row.get("file", "") for row in table(tmp_path, "index_incomplete.csv")] == ["", ""]


async def test_poses_that_share_a_file_without_records_get_no_coordinates(agent: Agent, platform: FilesOfRuns) -> None:
    platform.put(**{f"{RUN}/all.pdb": "END\n"})
    run = platform.run(pose("L1", 0.9, f"{RUN}/all.pdb"), pose("L2", 0.2, f"{RUN}/all.pdb"), pose("L3", 0.1, ""))
    found = await agent.read("download_files", execution_id=run, what="pose")
    assert [row["name"] for row in found["missing"]][-3:] == ["L1", "L2", "L3"]
    assert [row["name"] for row in found["files"]] == ["index_incomplete.csv", "all.pdb"]


async def test_the_best_pose_in_a_file_of_all_poses_of_its_ligand_is_taken_out(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    path = f"{RUN}/L1.sdf"
    platform.put(**{path: sdf("L1", 1, **{"POSE SCORE": 0.2}) + sdf("L1", 2, **{"POSE SCORE": 0.9})})
    run = platform.run(pose("L1", 0.9, path))
    await agent.read("download_files", execution_id=run, what="best_poses", combine=True)
    assert table(tmp_path)[0]["file"] == "01_L1_pose.sdf"
    assert in_folder(tmp_path)["combined.sdf"].count("$$$$") == 1
    assert "    2.0000" in in_folder(tmp_path)["combined.sdf"]


# Where the files are named


async def test_best_poses_are_chosen_by_score_where_no_row_says_which(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/{n}.sdf": sdf(str(n), n) for n in range(3)})
    rows = [
        pose(name, score, f"{RUN}/{n}.sdf") for n, (name, score) in enumerate((("L1", 0.1), ("L1", 0.8), ("L2", 0.3)))
    ]
    for row in rows:
        del row["best_pose"]
    run = platform.run(*rows)
    await agent.read("download_files", execution_id=run, what="best_poses")
    assert in_folder(tmp_path) == {"01_L1.sdf": sdf("1", 1), "02_L2.sdf": sdf("2", 2)}


async def test_poses_are_found_in_the_outputs_before_their_rows_are_stored(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/{n}.sdf": sdf(str(n), n) for n in range(2)})
    poses = [pose("L1", 0.5, f"{RUN}/0.sdf"), pose("L1", 0.3, f"{RUN}/1.sdf", best_pose=False)]
    run = platform.run(jobOutputs={"poses": poses})
    await agent.read("download_files", execution_id=run, what="best_poses")
    assert in_folder(tmp_path) == {"01_L1.sdf": sdf("0", 0)}


async def test_a_prepared_protein_is_found_by_its_id_and_named(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    path = f"entities/proteins/prepared/{digest}.pdb"
    platform.put(**{path: "END\n"})
    platform.add("proteins", "P1", file_path=path, protein_name="BRD4 (bound)")
    run = platform.run({"id": "P1", "loops": 2})
    await agent.read("download_files", execution_id=run, what="pose")
    assert in_folder(tmp_path) == {"BRD4_(bound)_prepared.pdb": "END\n"}


async def test_all_of_a_run_includes_files_that_no_row_names(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = platform.run({"plot_file_path": "a/plot.png", "network_html": "<html>x</html>", "score": 1})
    own = f"tool-runs/{run}"
    platform.put(**{"a/plot.png": "png", "a/in.pdf": "pdf", f"{own}/x/run.log": "log", f"{own}/y/run.log": "other"})
    outputs = {"report": {"$provider": "ufa", "key": "a/in.pdf"}}
    platform.bench.platform.executions[run].stored["userOutputs"] = outputs
    found = await agent.read("download_files", execution_id=run)
    assert in_folder(tmp_path) == {"in.pdf": "pdf", "plot.png": "png", "run.log": "log", "run_2.log": "other"}
    assert found["count"] == 5


async def test_results_without_files_become_a_table(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    ligands = [{"id": "L1", "name": "aspirin", "smiles": "CCO"}, {"id": "L2", "name": "bad one", "smiles": "C"}]
    rows: list[dict[str, Any]] = [{"ligand_id": "L1", "logp": -1.5}, {"ligand_id": "L2", "reason": "no parameters"}]
    run = platform.run(*rows, userInputs={"ligands": ligands})
    found = await agent.read("download_files", execution_id=run, combine=True)
    first, _ = table(tmp_path, "results.csv")
    assert first == {"molecule": "aspirin", "ligand_id": "L1", "smiles": "CCO", "logp": "-1.5", "reason": ""}
    assert (found["requested"], found["returned"], found["missing"]) == (
        2,
        1,
        [{"name": "bad one", "reason": "no parameters"}],
    )


async def test_names_come_from_the_list_file_of_a_large_run(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    listed = '[{"id": "L1", "smiles": "CCO", "name": "ethanol"}, {"id": "L2", "smiles": "C", "name": "methane"}]'
    platform.put(**{"lists/1.json": listed, f"{RUN}/a.sdf": sdf("L1", 1)})
    inputs = {"ligands_file": "lists/1.json", "ligands_count": 2}
    run = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), userInputs=inputs)
    found = await agent.read("download_files", execution_id=run)
    assert [*in_folder(tmp_path)] == ["01_ethanol.sdf"]
    assert [row["name"] for row in found["missing"]] == ["methane"]


async def test_files_are_got_by_path_too(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    platform.put(**{"a/x.sdf": sdf("a", 1), "b/X.sdf": sdf("b", 2)})
    paths = ["a/x.sdf", "b/X.sdf", "a/x.sdf", "b/none.csv"]
    found = await agent.read("download_files", paths=paths, combine=True)
    assert in_folder(tmp_path) == {
        "combined_incomplete.sdf": sdf("a", 1) + sdf("b", 2),
        "x.sdf": sdf("a", 1),
        "X_2.sdf": sdf("b", 2),
    }
    assert (found["count"], [row["name"] for row in found["missing"]]) == (3, ["b/none.csv"])
    again = await agent.read("download_files", paths=paths, combine=True)
    assert (again["count"], again["already_there"]) == (3, 2)


async def test_a_file_of_the_platforms_own_needs_no_link(agent: Agent, tmp_path: Path) -> None:
    await agent.read("download_files", paths=["protected/panels/vol1/receptor.pdb"])
    assert in_folder(tmp_path)["receptor.pdb"].startswith("HEADER")


# What is not there


async def test_files_that_were_stored_while_it_was_asked_whether_they_are_come_with_the_same_call(
    agent: Agent, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = platform.bench
    monkeypatch.setattr(bench.platform, "ingestion_lag_seconds", 60)
    run = bench.platform.seed_run("deeporigin.docking", docking_inputs("CCO"), ago_seconds=0)
    while bench.platform.status(run) != "Completed":
        bench.clock.advance(1)
    async with bench.stored_meanwhile(60):
        found = await agent.read("download_files", execution_id=run)
    assert found["count"] == 4, "three poses and the table of them"


async def test_ligands_are_not_given_up_while_results_are_being_stored(agent: Agent, platform: FilesOfRuns) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    inputs = {"ligands": [{"id": "L1"}, {"id": "L2"}]}
    run = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), userInputs=inputs)
    # The data platform has no row of the run yet.
    platform.bench.fault("POST */executions/search status=503")
    found = await agent.read("download_files", execution_id=run)
    assert "being stored" in found["next_step"]
    platform.bench.heal()
    assert "being stored" not in (await agent.read("download_files", execution_id=run))["next_step"]


async def test_two_equal_calls_at_once_fetch_once(agent: Agent, platform: FilesOfRuns) -> None:
    run = await completed(agent, "CCO", "CCN")
    found = []

    async def call() -> None:
        found.append(await agent.read("download_files", execution_id=run, what="best_poses"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        tasks.start_soon(call)
    assert found[0] == found[1]
    assert len(platform.fetched()) == 2


async def test_a_file_that_is_gone_is_told_by_its_molecules_name(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    ligands = [{"id": "L1", "name": "one"}, {"id": "L2", "name": "two"}, {"id": "L3", "name": "three"}]
    rows = [pose("L1", 0.9, f"{RUN}/a.sdf"), pose("L2", 0.8, f"{RUN}/gone.sdf")]
    run = platform.run(*rows, userInputs={"ligands": ligands})
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    assert (found["requested"], found["returned"]) == (3, 1)
    assert [row["name"] for row in found["missing"]] == ["two", "three"]
    assert [*in_folder(tmp_path)] == ["01_one.sdf"]


async def test_a_file_that_failed_is_fetched_by_the_same_call_later(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = await completed(agent, "CCO", "CCN")
    platform.bench.fault("GET /store/* status=403 skip=1 times=1")
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    assert len(found["missing"]) == 1
    platform.bench.heal()
    sent = len(platform.fetched())
    assert found["files"][0]["name"] == "index_incomplete.csv"
    again = await agent.follow(found["next_step"])
    assert again["files"][0]["name"] == "index.csv"
    assert (again["returned"], again["already_there"], len(platform.fetched()) - sent) == (2, 1, 1)


async def test_a_connection_that_is_cut_leaves_no_half_file(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = await completed(agent, "CCO", "CCN")
    platform.bench.fault("GET /store/* half")
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    assert [path.rpartition("/")[2] for path in on_disk(tmp_path)] == ["index_incomplete.csv"]
    assert (found["returned"], len(found["missing"])) == (0, 2)
    platform.bench.heal()
    assert (await agent.follow(found["next_step"]))["returned"] == 2


@pytest.mark.parametrize("status", ["Running", "Failed", "Quoted", "Completed"])
async def test_a_run_without_files_says_what_to_do(agent: Agent, platform: FilesOfRuns, status: str) -> None:
    run = platform.run(status=status)
    found = await agent.read("download_files", execution_id=run)
    assert (found["count"], found["files"]) == (0, [])
    assert found["next_step"]


async def test_an_unknown_type_is_refused_with_those_there_are(agent: Agent, platform: FilesOfRuns) -> None:
    run = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"))
    assert "pose" in await agent.refused("download_files", execution_id=run, what="pockets")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"paths": []}, {"paths": ["a"], "what": "pose"}],
)
async def test_a_call_names_a_run_or_paths(agent: Agent, arguments: dict[str, Any]) -> None:
    assert (await agent.error("download_files", **arguments)).code == "invalid_argument"


async def test_an_unknown_run_is_not_found(agent: Agent) -> None:
    assert (await agent.error("download_files", execution_id=ABSENT)).code == "not_found"


# Time


async def test_two_downloads_into_one_folder_take_turns(agent: Agent, platform: FilesOfRuns, tmp_path: Path) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("a", 1), f"{RUN}/b.sdf": sdf("b", 2)})
    runs = [platform.run(pose("L1", 0.9, f"{RUN}/{name}.sdf")) for name in "ab"]
    async with anyio.create_task_group() as tasks:
        for run in runs:
            tasks.start_soon(partial(agent.read, "download_files", execution_id=run, folder="both"))
    assert sorted(in_folder(tmp_path).values()) == [sdf("a", 1), sdf("b", 2)]
    assert sorted(in_folder(tmp_path)) == ["01_L1.sdf", "01_L1_2.sdf"]


async def test_a_long_download_goes_on_and_the_same_call_waits_for_it(
    agent: Agent, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await completed(agent, "CCO", "CCN")
    monkeypatch.setattr(tool, "WAIT_SECONDS", 0.0)
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    assert found["has_more"]
    monkeypatch.undo()
    ended = await agent.follow(found["next_step"])
    assert (ended["has_more"], ended["returned"], len(in_folder(tmp_path))) == (False, 2, 2)
    assert len(platform.fetched()) == 2


async def test_a_download_that_outlasted_its_call_is_not_taken_for_one_of_the_ended_run(
    agent: Agent, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.platform.seed_run("deeporigin.docking", docking("CCO")["inputs"], ago_seconds=10)
    monkeypatch.setattr(tool, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(tool, "RUN_SECONDS", 0.0)
    assert (await agent.read("download_files", execution_id=run))["has_more"]
    monkeypatch.undo()
    found = await agent.read("download_files", execution_id=run)
    while "waits on" in found.get("next_step", ""):
        found = await agent.follow(found["next_step"])
    assert bench.platform.status(run) == "Completed"
    assert (found["requested"], found["returned"]) == (1, 1)
    assert in_folder(tmp_path)


# Over HTTP


@pytest.fixture
async def remote(bench: Bench) -> AsyncIterator[Agent]:
    async with bench.agent(places=IN_HEADERS, auto_approve_up_to=100) as found:
        yield found


async def linked(remote: Agent, **arguments: Any) -> dict[str, Any]:
    """What a remote server gives; `read` would object to the simulator's address in its links."""
    answer = await remote.call("download_files", arguments)
    assert not answer.is_error
    return answer.content


async def test_a_remote_server_gives_links_that_open_the_files(remote: Agent, platform: FilesOfRuns) -> None:
    run = await completed(remote, "CCO", "CCN")
    found = await linked(remote, execution_id=run, what="best_poses")
    assert (found["count"], found["requested"], found["returned"]) == (2, 2, 2)
    assert not platform.fetched()
    for row in found["files"]:
        response = await anyio.to_thread.run_sync(urllib.request.urlopen, row["link"])
        assert len(response.read()) == row["size"]
    assert "secret" in found["next_step"]


async def test_a_remote_server_gives_few_links_at_a_time(remote: Agent, platform: FilesOfRuns) -> None:
    paths = [f"a/{number}.csv" for number in range(30)]
    platform.put(**dict.fromkeys(paths, "x"))
    found = await linked(remote, paths=paths)
    assert (found["count"], found["pending"], found["has_more"]) == (10, 20, True)


async def test_a_remote_server_has_no_parameters_of_a_disk(remote: Agent) -> None:
    (shown,) = (each for each in (await remote.client.list_tools()).tools if each.name == "download_files")
    assert {*shown.input_schema["properties"]} == {"paths", "execution_id", "what"}
    assert (await remote.error("download_files", paths=["a"], folder="x")).code == "invalid_argument"


async def test_a_link_to_a_file_that_is_not_there_is_not_given(remote: Agent, platform: FilesOfRuns) -> None:
    platform.put(**{"a/x.csv": "x"})
    found = await linked(remote, paths=["a/x.csv", "a/none.csv"])
    assert ([row["name"] for row in found["files"]], [row["name"] for row in found["missing"]]) == (
        ["x.csv"],
        ["a/none.csv"],
    )


async def test_files_come_in_read_only_mode_too(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    platform.put(**{"a/x.csv": "x"})
    async with bench.agent(files=(tmp_path,), read_only=True) as agent:
        assert (await agent.read("download_files", paths=["a/x.csv"]))["count"] == 1


async def test_the_end_of_a_run_is_waited_for(agent: Agent, bench: Bench, tmp_path: Path) -> None:
    run = bench.platform.seed_run("deeporigin.docking", docking("CCO")["inputs"], ago_seconds=10)
    found = await agent.read("download_files", execution_id=run, what="best_poses")
    while "waits on" in found.get("next_step", ""):
        found = await agent.follow(found["next_step"])
    assert bench.platform.status(run) == "Completed"
    assert sorted(Path(name).suffix for name in on_disk(tmp_path)) == [".csv", ".sdf"]


async def test_a_remote_call_that_has_waited_for_its_run_does_not_wait_for_its_rows_too(
    remote: Agent, bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = platform.run()
    bench.fault("POST */executions/search status=503")
    monkeypatch.setattr(tool, "WAIT_SECONDS", 0.0)
    await linked(remote, execution_id=run)
    looks = len(bench.sent("POST", "/result-explorer/search"))
    monkeypatch.undo()
    await linked(remote, execution_id=run)
    assert len(bench.sent("POST", "/result-explorer/search")) - looks > looks
