"""The record of a run as a file: what it says of the run and of its files, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp import __version__
from deeporigin_mcp.tools.files import record
from tests.support.bench import PROJECT, Agent, Bench
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = pytest.mark.anyio

RUN = "tool-runs/e"
LIGANDS = [{"id": "L1", "name": "one"}, {"id": "L2", "name": "two"}]
INPUTS = {"protein": {"id": "P", "file_path": "entities/proteins/p.pdb"}, "ligands": LIGANDS}


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    found = FilesOfRuns(bench)
    found.put(**{f"{RUN}/a.sdf": sdf("L1", 1), "entities/proteins/p.pdb": "END\n"})
    return found


async def written(agent: Agent, folder: Path, run: str) -> dict[str, Any]:
    found = await agent.read("download_files", execution_id=run, what="record")
    (row,) = found["files"]
    content: dict[str, Any] = json.loads(only(folder, row["name"]).read_text(encoding="utf-8"))
    return content


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(f"*/{pattern}")
    return path


async def test_it_says_who_ran_what_where_and_what_came_of_it(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    name = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), userInputs=INPUTS, name="Pilot")
    dto = bench.platform.executions[name].stored
    async with bench.agent(files=(tmp_path,)) as agent:
        found = await written(agent, tmp_path, name)
        shown = (await agent.read("get_execution", execution_id=name, detail="record"))["record"]
    assert (found["inputs"], found["tool_version"]) == (INPUTS, dto["tool"]["version"])
    assert (found["created_by"], found["created_by_id"]) == ("Ada Simulated", dto["createdBy"])
    assert (found["project"], found["project_id"]) == ("Kinase pilot", PROJECT)
    assert (found["recorded_with"], found["simulated"]) == (f"deeporigin-mcp {__version__}", True)
    assert (found["requested"], found["returned"], found["missing"][0]["name"]) == (2, 1, "two")
    # The tool shows the same, without what belongs to the files.
    assert shown.items() <= found.items()


async def test_its_files_have_size_and_checksums(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    gone = pose("L2", 0.8, f"{RUN}/gone.sdf")
    name = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), gone, userInputs=INPUTS)
    content = platform.content(f"{RUN}/a.sdf")
    async with bench.agent(files=(tmp_path,)) as agent:
        before = await written(agent, tmp_path, name)
        await agent.read("download_files", execution_id=name, what="best_poses")
        after = await written(agent, tmp_path, name)
    plain = {"path": f"{RUN}/a.sdf", "size": len(content), "md5": hashlib.md5(content).hexdigest()}
    assert before["result_files"][0] == plain
    assert after["result_files"][0].pop("local").endswith("/01_one.sdf")
    assert after["result_files"][0] == {**plain, "sha256": hashlib.sha256(content).hexdigest()}
    assert {*after["result_files"][1]} == {"path", "problem"}
    assert [file["path"] for file in after["input_files"]] == ["entities/proteins/p.pdb"]


async def test_what_was_downloaded_is_hashed_up_to_a_limit_and_through_no_link(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"))
    async with bench.agent(files=(tmp_path,)) as agent:
        await agent.read("download_files", execution_id=name)
        monkeypatch.setattr(record, "MAX_HASHED_BYTES", 10)
        assert "sha256" not in (await written(agent, tmp_path, name))["result_files"][0]
        monkeypatch.undo()
        path = only(tmp_path, "01_L1.sdf")
        path.rename(tmp_path / "elsewhere.sdf")
        path.symlink_to(tmp_path / "elsewhere.sdf")
        assert "sha256" not in (await written(agent, tmp_path, name))["result_files"][0]


async def test_the_same_again_writes_nothing(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    name = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"), userInputs=INPUTS)
    async with bench.agent(files=(tmp_path,)) as agent:
        assert await written(agent, tmp_path, name) == await written(agent, tmp_path, name)
    assert only(tmp_path, "*").name == "record.json"


@pytest.mark.parametrize("status", ["Quoted", "Running", "Failed"])
async def test_a_run_that_has_no_result_has_a_record_at_once(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, status: str
) -> None:
    async with bench.agent(files=(tmp_path,)) as agent:
        found = await written(agent, tmp_path, platform.run(status=status))
    assert found["status"] == status
    assert "result_files" not in found
    assert bench.time.slept == []
