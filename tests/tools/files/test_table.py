"""All rows of a run as one CSV: every row and column, units where they are known, and who has no result."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.files import download_files as tool
from deeporigin_mcp.tools.files import table
from tests.support.bench import Bench
from tests.support.brd4 import FAILED, LIGANDS, run_of_brd4
from tests.support.run_files import FilesOfRuns, pose

pytestmark = pytest.mark.anyio


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    return FilesOfRuns(bench)


async def made(bench: Bench, root: Path, run: str, **arguments: Any) -> dict[str, Any]:
    async with bench.agent(files=(root,)) as agent:
        return await agent.read("download_files", execution_id=run, what="table", **arguments)


def rows_of(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    (path,) = folder.glob(f"*/{name}")
    return [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.*"))


async def test_it_has_all_rows_by_name_and_fetches_no_file(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    found = await made(bench, tmp_path, run_of_brd4(platform))
    rows = rows_of(tmp_path)
    assert [row["name"] for row in found["files"]] == ["results.csv"]
    results = [row for row in rows if not row["missing"]]
    assert len(results) == 2 * len(LIGANDS)
    assert (results[0]["molecule"], results[0]["binding_energy (kcal/mol)"]) == ("crotyl", "-8.694")
    assert {"pose_score", "position", "rank", "ligand_id", "smiles", "platform_path", "best_pose"} <= {*results[0]}
    assert platform.fetched() == []


async def test_a_ligand_without_a_result_is_a_row_with_its_reason(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    found = await made(bench, tmp_path, run_of_brd4(platform))
    last = rows_of(tmp_path)[-1]
    assert (last["molecule"], last["smiles"], last["missing"]) == FAILED
    assert (found["requested"], found["returned"]) == (9, 8)


async def test_objects_have_a_column_a_part_and_the_unit_that_their_rows_name(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    rows = [
        {"edge": name, "ddG": {"total": total, "unit": "kJ/mol"}, "volume": 3.5, "poses": [1, 2]}
        for name, total in (("a", 1.5), ("b", -0.5))
    ]
    await made(bench, tmp_path, platform.run(*rows))
    assert rows_of(tmp_path)[1] == {
        "edge": "b",
        "ddG.total (kJ/mol)": "-0.5",
        "ddG.unit": "kJ/mol",
        "volume (A^3)": "3.5",
        "poses": "[1,2]",
    }


@pytest.mark.parametrize(
    ("units", "header"),
    [(("kJ/mol",) * 2, "dG (kJ/mol)"), (("kJ/mol", "kcal/mol"), "dG (see unit)"), ((), "dG (kcal/mol)")],
)
async def test_a_unit_in_the_rows_own_column_is_that_of_their_energies_alone(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, units: tuple[str, ...], header: str
) -> None:
    rows = [{"dG": -1.5, "volume": 3.5, "count": 2, **({"unit": units[at]} if units else {})} for at in range(2)]
    await made(bench, tmp_path, platform.run(*rows))
    assert {header, "volume (A^3)", "count"} <= rows_of(tmp_path)[0].keys()


async def test_the_tools_own_unit_counts_more_than_the_usual_one(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    schema = {"properties": {"binding_energy": {"type": "number", "unit": "kJ/mol"}}}
    definitions = bench.platform.catalogue.definitions
    definitions[:] = [replace(one, outputs=schema) for one in definitions]
    await made(bench, tmp_path, run_of_brd4(platform))
    assert "binding_energy (kJ/mol)" in rows_of(tmp_path)[0]


async def test_a_row_that_names_several_files_is_one_row(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    row = {"logp": 1.5, "plot": "r/a.svg", "report_html": "r/a.html"}
    await made(bench, tmp_path, platform.run(row, {"logp": 1.5}, {"logp": 1.5}))
    assert [row["platform_path"] for row in rows_of(tmp_path)] == ["r/a.svg; r/a.html", "", ""]


@pytest.mark.parametrize("bad", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "＝1+1"])  # noqa: RUF001
async def test_a_spreadsheet_takes_nothing_in_it_for_a_formula(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, bad: str
) -> None:
    run = platform.run(pose("", -0.5, "", ligand_name=bad, smiles=bad, **{bad: bad}), name=bad)
    await made(bench, tmp_path, run)
    cells = [cell for row in rows_of(tmp_path) for pair in row.items() for cell in pair]
    assert [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@", "＝"))] == ["-0.5"]  # noqa: RUF001


async def test_a_second_call_writes_nothing_and_other_content_is_left_alone(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = run_of_brd4(platform)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/results.csv").write_text("mine", encoding="utf-8")
    first = await made(bench, tmp_path, run, folder="mine")
    assert first["files"][0]["name"] == "results_2.csv"
    assert (await made(bench, tmp_path, run, folder="mine"))["files"] == first["files"]
    assert files_in(tmp_path) == ["results.csv", "results_2.csv"]
    assert (tmp_path / "mine/results.csv").read_text(encoding="utf-8") == "mine"


async def test_a_part_is_not_taken_for_the_whole(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "RUN_SECONDS", 0.0)
    running = await made(bench, tmp_path / "a", platform.run({"logp": 1.5}, status="Running"))
    monkeypatch.setattr(table, "MAX_ROWS", 1)
    cut = await made(bench, tmp_path / "b", platform.run({"logp": 1.5}, {"logp": 2.5}))
    for found in (running, cut):
        assert found["files"][0]["name"] == "results_incomplete.csv"
        assert found["next_step"]


async def test_a_run_without_rows_has_no_table(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    found = await made(bench, tmp_path, platform.run())
    assert (found["count"], bool(found["next_step"]), files_in(tmp_path)) == (0, True, [])


@pytest.mark.parametrize("what", ["table", "record"])
async def test_a_server_over_http_names_the_call_that_reads_the_same(
    bench: Bench, platform: FilesOfRuns, what: str
) -> None:
    async with bench.agent(places=IN_HEADERS) as agent:
        run = platform.run({"logp": 1.5})
        text = await agent.refused("download_files", execution_id=run, what=what)
        assert await agent.follow(text)
