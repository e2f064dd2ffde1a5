"""Two runs side by side on the results page: from data of both, or by choosing the other run's page."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.app_host import hosted
from tests.browser.results import (
    MARKUP,
    SCREENS,
    colours,
    column,
    data,
    drawn,
    look_at_each_view,
    names,
    opened,
    text_of,
    written,
)
from tests.support.bench import Bench
from tests.support.brd4 import FAILED, example, run_of_brd4
from tests.support.hosts import host_of
from tests.support.run_files import FilesOfRuns

pytestmark = pytest.mark.anyio

HEADS = "thead th"
MINUS, NONE = "\u2212", "\u2013"


@pytest.fixture
async def pages(bench: Bench, tmp_path: Path) -> tuple[Path, Path]:
    """The pages of two docking runs: the second's poses are 1 Å aside, and one ligand is not in it."""
    platform = FilesOfRuns(bench)
    runs = {
        "first": run_of_brd4(platform),
        "second": run_of_brd4(platform, change=1.0, without=[9], name="Repeat"),
    }
    async with bench.agent(files=(tmp_path,)) as agent:
        for folder, run in runs.items():
            await agent.read("download_files", execution_id=run, what="report", folder=folder)
    return tmp_path / "first/results.html", tmp_path / "second/results.html"


async def compared(page: Any, path: Path) -> None:
    await page.set_input_files("#other", path)
    await page.wait_for_selector("body[data-state='shown'] #which-label:not([hidden])", state="attached")


async def cells(page: Any, name: str) -> list[str]:
    found: list[str] = await page.locator(f"tbody tr:has(.pick:text-is('{name}')) td").all_inner_texts()
    return found


async def test_the_page_of_another_run_puts_its_values_beside_the_others(
    chromium: Any, pages: tuple[Path, Path]
) -> None:
    one, two = pages
    async with opened(chromium, one) as page:
        await compared(page, two)
        assert await page.inner_text("h1") == "BRD4 N-alkyl series and Repeat"
        heads = [text.replace("\n", " ") for text in await page.locator(HEADS).all_inner_texts()]
        assert heads[2:5] == [
            "Run 1: Binding energy kcal/mol lower is better",
            "Run 2: Binding energy kcal/mol lower is better",
            f"2 {MINUS} 1: Binding energy kcal/mol",
        ]
        assert (await cells(page, "crotyl"))[1:4] == [f"{MINUS}8.694", f"{MINUS}7.694", "+1.000"]
        # A row a molecule, whatever the number of its poses.
        assert await page.inner_text("#count") == "9 rows"
        await page.evaluate("document.getElementById('scroll').scrollTop = 1e6")
        assert (await names(page))[-2:] == ["methoxyethyl", FAILED[0]]
        assert (await cells(page, "methoxyethyl"))[1:4] == [f"{MINUS}7.688", NONE, NONE]
        assert "only in run 1" in await page.locator("tbody tr:has(.pick:text-is('methoxyethyl')) th").inner_text()
        assert "In both 7 molecules" in await page.inner_text("#facts")
        assert f"run 1: {FAILED[2]}; run 2: {FAILED[2]}" in await page.locator("tr.missing").inner_text()


async def test_both_poses_are_seen_and_how_far_they_are_apart(chromium: Any, pages: tuple[Path, Path]) -> None:
    one, two = pages
    async with opened(chromium, one) as page:
        alone = await drawn(page)
        await compared(page, two)
        assert await page.inner_text("#pose-title") == "crotyl in BRD4 BD1"
        assert "RMSD of the heavy atoms 1.00 Å" in await page.inner_text("#pose-text")
        await drawn(page, lambda picture: picture != alone)
        await page.select_option("#which", label="run 2")
        assert "RMSD" not in await page.inner_text("#pose-text")
        await drawn(page)
        # The other run has no pose of this one.
        await page.fill("#words", "only in run 1")
        await page.click("tbody tr[data-at='0']")
        assert "No 3D structure of methoxyethyl" in await page.inner_text("#no-pose")


async def test_a_pose_in_another_place_is_in_sight_too(chromium: Any, bench: Bench, tmp_path: Path) -> None:
    platform = FilesOfRuns(bench)
    one, two = run_of_brd4(platform), run_of_brd4(platform, change=30.0)
    async with bench.agent(files=(tmp_path,)) as agent:
        for name, run in {"one": one, "two": two}.items():
            await agent.read("download_files", execution_id=run, what="report", folder=name)
    async with opened(chromium, tmp_path / "one/results.html") as page:
        await compared(page, tmp_path / "two/results.html")
        assert "RMSD of the heavy atoms 30.00 Å" in await page.inner_text("#pose-text")
        await drawn(page, lambda picture: magenta(picture) > 100)
        await page.click("#reset")
        await drawn(page, lambda picture: magenta(picture) > 100)


def magenta(picture: Image.Image) -> int:
    """How many points of the view have the colour of run 2."""
    red, green, blue = (band.tobytes() for band in picture.split())
    return sum(min(r, b) > g + 25 for r, g, b in zip(red, green, blue, strict=True))


async def test_the_chart_is_run_2_against_run_1(chromium: Any, pages: tuple[Path, Path]) -> None:
    one, two = pages
    async with opened(chromium, one) as page:
        await compared(page, two)
        await page.click("#tab-chart")
        said = await page.get_attribute("#chart", "aria-label")
        assert said == "Scatter of Run 2: Binding energy (kcal/mol) against Run 1: Binding energy (kcal/mol), 7 points"
        await drawn(page, lambda picture: colours(picture) > 20, "#chart")


async def test_both_runs_are_saved_as_csv_and_sdf(chromium: Any, pages: tuple[Path, Path]) -> None:
    one, two = pages
    async with opened(chromium, one) as page:
        await compared(page, two)
        saved = {}
        for kind in ("csv", "sdf"):
            async with page.expect_download() as waiting:
                await page.click(f"#{kind}")
            saved[kind] = text_of(await (await waiting.value).path())
        [first, *_] = csv.DictReader(saved["csv"].splitlines())
        wanted = {"binding_energy_1": "-8.694", "binding_energy_2": "-7.694", "binding_energy_difference": "1"}
        assert {name: first[name] for name in wanted} == wanted
        records = saved["sdf"].split("$$$$\n")
        # Seven with two poses, one with one, and what follows the last mark.
        assert len(records) == 7 * 2 + 1 + 1
        assert [">  <run>\n1\n" in records[0], ">  <run>\n2\n" in records[1]] == [True, True]


async def test_a_host_shows_two_runs_side_by_side_too(chromium: Any, bench: Bench, tmp_path: Path) -> None:
    platform = FilesOfRuns(bench)
    run, other = run_of_brd4(platform), run_of_brd4(platform, change=1.0, name="Repeat")
    async with bench.agent(files=(tmp_path,)) as agent:
        await agent.read("download_files", execution_id=other, what="report", folder="second")
    async with host_of(bench) as client, hosted(chromium, client, "ui://deeporigin/results") as app:
        await app.call("get_execution_results", execution_id=run)
        await app.frame.wait_for_selector("body[data-state='shown']")
        await compared(app.frame, tmp_path / "second/results.html")
        assert (await cells(app.frame, "crotyl"))[1:4] == [f"{MINUS}8.694", f"{MINUS}7.694", "+1.000"]
        # The host's poses are fetched when they are looked at, the other run's are in its page.
        await app.click("#tab-pose")
        await app.frame.wait_for_selector("#pose-text:has-text('RMSD of the heavy atoms 1.00 Å')")


def both(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    return {**one, "other": two}


async def test_molecules_match_by_id_then_by_canonical_smiles(chromium: Any, tmp_path: Path) -> None:
    one = data([
        {"name": "by id", "ligand": "L1", "smiles": "CC(=O)O", "values": [1.0]},
        {"name": "by canonical form", "ligand": "L2", "smiles": "OCC", "key": "CCO", "values": [2.0]},
        {"name": "by text", "smiles": "not a molecule", "values": [3.0]},
        {"name": "by name", "values": [4.0]},
        {"name": "alone", "ligand": "L5", "smiles": "CCN", "values": [5.0]},
        {"name": "failed in 2", "ligand": "L6", "smiles": "CCF", "values": [6.0]},
    ])  # fmt: skip
    two = data([
        {"name": "worse pose", "ligand": "L1", "smiles": "CC([O-])=O", "best": False, "values": [0.0]},
        {"name": "renamed", "ligand": "L1", "smiles": "CC([O-])=O", "best": True, "values": [1.5]},
        {"name": "same", "ligand": "M2", "smiles": "C(C)O", "key": "CCO", "values": [2.5]},
        {"name": "text", "smiles": "not a molecule", "values": [3.5]},
        {"name": "by name", "values": [4.5]},
        {"name": "alone", "ligand": "M5", "smiles": "CCCl", "values": [5.5]},
        {"name": "failed in 2", "smiles": "CCF", "reason": "no charge", "values": [None]},
    ])  # fmt: skip
    async with opened(chromium, written(tmp_path, both(one, two))) as page:
        found = {name: (await cells(page, name))[1:] for name in await names(page)}
        wanted = ["by id", "by canonical form", "by text", "by name", "alone", "failed in 2", "alone"]
        assert await names(page) == wanted
        await page.fill("#words", "run 2: no charge")
        assert (await cells(page, "failed in 2"))[1:] == ["6.000", NONE, NONE]
    paired = ("by id", "by canonical form", "by text", "by name")
    assert [found[name] for name in paired] == [[f"{n}.000", f"{n}.500", "+0.500"] for n in (1, 2, 3, 4)]


async def test_what_is_equal_is_one_column_and_units_are_not_mixed(chromium: Any, tmp_path: Path) -> None:
    def run(unit: str, value: float) -> dict[str, Any]:
        columns = [column("weight"), column("energy", unit=unit), column("note"), column(f"of_{unit}")]
        rows = [
            {"name": name, "values": [46.07 + place, value + place, name, 1.0 + place]}
            for place, name in enumerate("ab")
        ]
        return data(rows, columns)

    async with opened(chromium, written(tmp_path, both(run("kcal", 1.0), run("kJ", 4.184)))) as page:
        heads = [text.replace("\n", " ") for text in await page.locator(HEADS).all_inner_texts()]
        assert heads == [
            "Name",
            "Weight",
            "Run 1: Energy kcal",
            "Run 2: Energy kJ",
            "Note",
            "Run 1: Of_kcal",
            "Run 2: Of_kj",
        ]


async def test_poses_in_different_structures_are_not_laid_over_each_other(chromium: Any, tmp_path: Path) -> None:
    def run(protein: str) -> dict[str, Any]:
        shapes = [{"format": "sdf", "text": example("brd-4.sdf")}]
        structure = {"name": protein, "format": "pdb", "text": example("brd.pdb") + f"REMARK {protein}\n"}
        return data([{"name": "a", "ligand": "L", "shape": 0, "values": [1.0]}], shapes=shapes, protein=structure)

    async with opened(chromium, written(tmp_path, both(run("apo"), run("holo")))) as page:
        assert await page.locator("#which option").all_inner_texts() == ["run 1", "run 2"]
        assert await page.inner_text("#pose-title") == "a in apo"
        await page.select_option("#which", label="run 2")
        assert await page.inner_text("#pose-title") == "a in holo"
        assert "ASN 140" in await page.inner_text("#pose-text")


@pytest.mark.parametrize(
    "content",
    ["", "<html>no data", '<script type="application/json" id="data">{"rows":3}</script>', "null", "[" * 9_999],
)
async def test_a_file_that_is_no_such_page_is_named_and_the_page_stays(
    chromium: Any, tmp_path: Path, content: str
) -> None:
    (tmp_path / "<b>other.html").write_text(content, encoding="utf-8")
    async with opened(chromium, written(tmp_path, data([{"name": "stays", "values": [1]}]))) as page:
        await page.set_input_files("#other", tmp_path / "<b>other.html")
        await page.wait_for_selector("#notes p")
        assert (await page.inner_text("#notes")).startswith("<b>other.html cannot be compared")
        assert await names(page) == ["stays"]


async def test_what_another_page_says_never_becomes_markup(chromium: Any, tmp_path: Path) -> None:
    hostile = data(
        [dict.fromkeys(("name", "smiles", "note", "key"), MARKUP)
         | {"ligand": ligand, "shape": 0, "values": [MARKUP, 1.0]}
         for ligand in ("L1", MARKUP, "__proto__", "constructor")]
        + [{"name": MARKUP, "reason": MARKUP, "ligand": "L2", "values": [None, None]}],
        [column("x", label=MARKUP, unit=MARKUP, better=MARKUP), column("__proto__", label=MARKUP, unit=MARKUP)],
        run={"id": MARKUP, "name": MARKUP, "file": "x", "facts": [[MARKUP, MARKUP]]},
        notes=[MARKUP],
        shapes=[{"format": "sdf", "text": MARKUP}],
        protein={"name": MARKUP, "format": "pdb", "text": MARKUP},
    )  # fmt: skip
    mine = data(
        [{"name": "a", "ligand": "L1", "values": [2.0]}, {"name": "b", "ligand": "L2", "values": [1.0]}], [column("x")]
    )
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other", hostile)
    async with opened(chromium, written(tmp_path, mine)) as page:
        await compared(page, other)
        for line in range(await page.locator("tbody tr[data-at]").count()):
            await page.click(f"tbody tr[data-at='{line}']")
        await page.click("#tab-chart")
        await page.hover("#chart")
        assert await page.evaluate("window.pwned") is None
        assert await page.locator("img[src=x], b b, h1 b").count() == 0
        assert await page.locator("body script").count() == 4
        assert MARKUP.replace("\u2028", "") in (await page.inner_text("h1")).replace("\u2028", "")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_it_is_accessible_in_every_theme_and_size(
    chromium: Any, pages: tuple[Path, Path], screen: str, theme: str
) -> None:
    one, two = pages
    async with opened(chromium, one, screen, theme) as page:
        await compared(page, two)
        assert await page.evaluate("document.activeElement.id") == "compare"
        await look_at_each_view(page, "comparison", screen, theme)
