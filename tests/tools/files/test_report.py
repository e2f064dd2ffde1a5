"""A run as one HTML page: what is in it, for whom it is written, and what it leaves alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp import logs, view
from deeporigin_mcp.apps import pages
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.files import download_files as tool
from deeporigin_mcp.tools.files import report
from tests.support.bench import PROJECT, Bench, bench_token
from tests.support.brd4 import FAILED, LIGANDS, drawn, example, run_of_brd4
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]

BEGIN = '<script type="application/json" id="data">'
RUN = "tool-runs/e"


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    return FilesOfRuns(bench)


def data_in(html: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(html.partition(BEGIN)[2].partition("</script>")[0])
    return found


def only(folder: Path) -> Path:
    (path,) = folder.glob("*/*.html")
    return path


def names_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.*"))


async def page_of(bench: Bench, folder: Path, run: str, **arguments: Any) -> dict[str, Any]:
    async with bench.agent(files=(folder,)) as agent:
        await agent.read("download_files", execution_id=run, what="report", **arguments)
    return data_in(only(folder).read_text(encoding="utf-8"))


async def test_it_holds_rows_poses_and_protein(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    data = await page_of(bench, tmp_path, run_of_brd4(platform))
    names = [column["name"] for column in data["columns"]]
    first = data["rows"][0]
    values = dict(zip(names, first["values"], strict=True))
    assert (first["name"], first["best"], values["binding_energy"], values["position"]) == ("crotyl", True, -8.694, 1)
    assert data["shapes"][first["shape"]]["text"] == example("brd-4.sdf").partition("M  END")[0] + "M  END\n"
    assert data["protein"] == {"name": "BRD4 BD1", "format": "pdb", "text": drawn(example("brd.pdb"))}
    assert len([row for row in data["rows"] if "reason" not in row]) == 2 * len(LIGANDS)


async def test_a_ligand_without_a_result_is_the_last_row_with_name_and_reason(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    data = await page_of(bench, tmp_path, run_of_brd4(platform))
    last = data["rows"][-1]
    assert (last["name"], last["smiles"], last["reason"]) == FAILED
    assert len(data["notes"]) == 1


async def test_columns_have_units_and_directions_where_these_are_known(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    data = await page_of(bench, tmp_path, run_of_brd4(platform))
    columns = {column["name"]: column for column in data["columns"]}
    assert (columns["binding_energy"]["unit"], columns["binding_energy"]["better"]) == ("kcal/mol", "lower")
    assert (columns["pose_score"]["unit"], columns["pose_score"]["better"]) == ("", "higher")
    # Ids, and what is the same in all rows, are for the CSV.
    assert {name for name, column in columns.items() if column["hidden"]} == {"protein_id", "effort", "position"}


async def test_a_unit_that_the_rows_name_is_the_columns(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    rows = [{"edge": name, "ddG": {"total": total, "unit": "kJ/mol"}, "gap": {"mean": total, "unit": "eV"}}
            for name, total in (("a", 1.5), ("b", -0.5))]  # fmt: skip
    data = await page_of(bench, tmp_path, platform.run(*rows))
    units = {column["name"]: column["unit"] for column in data["columns"] if not column["hidden"]}
    assert units == {"edge": "", "ddG.total": "kJ/mol", "gap.mean": "eV"}


async def test_a_smiles_that_is_not_canonical_comes_with_its_canonical_form(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    written = ("OCC", "CCO", "no molecule", "C" * 2_000 + "O")
    rows = [{"ligand_id": f"L{n}", "smiles": smiles, "logp": n} for n, smiles in enumerate(written)]
    data = await page_of(bench, tmp_path, platform.run(*rows))
    assert [row.get("key") for row in data["rows"]] == ["CCO", None, None, None]


async def test_without_rdkit_the_rows_have_their_smiles_only(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    data = await page_of(bench, tmp_path, platform.run({"ligand_id": "L", "smiles": "OCC", "logp": 1}))
    assert (data["rows"][0]["smiles"], "key" in data["rows"][0]) == ("OCC", False)


async def test_only_the_page_is_written_and_nothing_overwritten(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    run = run_of_brd4(platform)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "results.html").write_text("mine", encoding="utf-8")
    async with bench.agent(files=(tmp_path,)) as agent:
        first = await agent.read("download_files", execution_id=run, what="report", folder="mine")
        again = await agent.read("download_files", execution_id=run, what="report", folder="mine")
    assert first["files"] == again["files"]
    assert (first["files"][0]["name"], first["requested"], first["returned"]) == ("results_2.html", 9, 8)
    assert names_below(tmp_path) == ["results.html", "results_2.html"]
    assert (folder / "results.html").read_text(encoding="utf-8") == "mine"


async def test_a_pose_that_is_gone_leaves_its_row_with_a_note(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1)})
    rows = (pose("L1", 0.9, f"{RUN}/a.sdf"), pose("L2", 0.4, f"{RUN}/gone.sdf"))
    data = await page_of(bench, tmp_path, platform.run(*rows, userInputs={"ligands": [{"id": "L1"}, {"id": "L2"}]}))
    assert [(row["shape"], bool(row["note"])) for row in data["rows"]] == [(0, False), (None, True)]
    assert data["protein"] is None


async def test_of_many_poses_the_best_of_each_ligand_come_first(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_SHAPES", len(LIGANDS))
    data = await page_of(bench, tmp_path, run_of_brd4(platform))
    assert [row["best"] for row in data["rows"] if row.get("shape") is not None] == [True] * len(LIGANDS)
    assert len(data["notes"]) == 2
    assert len(platform.fetched()) == len(LIGANDS) + 1


async def test_a_run_that_goes_on_says_that_there_may_be_more(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "RUN_SECONDS", 0.0)
    data = await page_of(bench, tmp_path, run_of_brd4(platform, status="Running"))
    assert "Running" in data["notes"][0]


async def test_an_empty_run_has_a_page_too(bench: Bench, platform: FilesOfRuns, tmp_path: Path) -> None:
    data = await page_of(bench, tmp_path, platform.run())
    assert (data["rows"], data["columns"], data["shapes"]) == ([], [], [])


HOSTILE = "</script><script>alert(1)</script><!--\u2028\u2029&\x00"


async def test_what_the_platform_says_cannot_end_the_element_that_holds_it(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path
) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf(HOSTILE, 1)})
    run = platform.run(
        pose(HOSTILE, 0.9, f"{RUN}/a.sdf", ligand_name=HOSTILE, smiles=HOSTILE, **{HOSTILE: HOSTILE}), name=HOSTILE
    )
    data = await page_of(bench, tmp_path, run)
    html = only(tmp_path).read_text(encoding="utf-8")
    assert html.count("<script") == html.count("</script") == 1
    assert not {"\u2028", "\u2029", "\x00"} & {*html}
    assert "<script>" in data["rows"][0]["name"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_data_comes_out_as_it_went_in_and_is_inert(value: Any) -> None:
    html = pages.page_with({"value": value}).decode()
    assert data_in(html) == {"value": json.loads(json.dumps(value).encode("utf-8", "replace"))}
    assert html.count("<") == 6
    assert html.endswith("</script><p>after")


async def test_a_server_over_http_writes_no_page(bench: Bench, platform: FilesOfRuns) -> None:
    async with bench.agent(places=IN_HEADERS) as agent:
        error = await agent.error("download_files", execution_id=run_of_brd4(platform), what="report")
    assert error.code == "invalid_argument"


async def test_without_built_pages_the_call_says_so(
    bench: Bench, platform: FilesOfRuns, tmp_path: Path, built: Path
) -> None:
    (built / pages.RESULTS).unlink()
    async with bench.agent(files=(tmp_path,)) as agent:
        error = await agent.error("download_files", execution_id=run_of_brd4(platform), what="report")
    assert error.code == "not_built"


# deeporigin-mcp view


@pytest.fixture
def home(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    variables = {
        "HOME": str(tmp_path),
        "DO_AUTH_TOKEN": bench_token(),
        "DO_ORG_KEY": "deeporigin",
        "DO_PROJECT_ID": PROJECT,
        "DO_BASE_URL": bench.base_url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # Logging is the tests' own in this process.
    monkeypatch.setattr(logs, "configure_logging", lambda _: None)
    monkeypatch.setattr(view, "configure_logging", lambda _: None)
    return tmp_path


@pytest.mark.parametrize("opens", [True, False])
def test_view_writes_the_page_into_the_downloads_folder_and_opens_it(
    platform: FilesOfRuns,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opens: bool,
) -> None:
    seen = list[str]()

    def opened(address: str) -> bool:
        seen.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", opened)
    assert view.view(run_of_brd4(platform), folder=None, opens=opens) == 0
    path = only(home / "deeporigin")
    assert capsys.readouterr().out == f"{path}\n"
    assert data_in(path.read_text(encoding="utf-8"))["run"]["name"] == "BRD4 N-alkyl series"
    assert seen == ([path.as_uri()] if opens else [])


def test_view_of_two_runs_writes_both_into_one_page(
    platform: FilesOfRuns, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [run_of_brd4(platform), run_of_brd4(platform, change=0.5, name="Repeat")]
    assert view.view(*runs, folder=None, opens=False) == 0
    path = only(home / "deeporigin")
    assert (path.name, capsys.readouterr().out) == ("comparison.html", f"{path}\n")
    data = data_in(path.read_text(encoding="utf-8"))
    other = data["other"]
    assert [data["run"]["name"], other["run"]["name"]] == ["BRD4 N-alkyl series", "Repeat"]
    assert len(data["shapes"]) == len(other["shapes"]) == 2 * len(LIGANDS)
    # It is that of the first.
    assert other["protein"] is True


def test_view_of_two_runs_needs_both(platform: FilesOfRuns, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
    assert view.view(run_of_brd4(platform), unknown, folder=None, opens=False) == 1
    assert unknown in capsys.readouterr().err
    assert not (home / "deeporigin").exists()


def test_view_of_an_unknown_run_fails_without_a_stack(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view.view("3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11", folder=None, opens=False) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("deeporigin-mcp: Unknown execution_id")
    assert not (home / "deeporigin").exists()
