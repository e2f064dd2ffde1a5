"""The results page in a real browser, opened from the disk."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deeporigin_mcp.apps.pages import page_with
from tests.browser.accessibility import problems_of
from tests.browser.pictures import take
from tests.support.bench import Bench
from tests.support.brd4 import FAILED, LIGANDS, example, run_of_brd4
from tests.support.run_files import FilesOfRuns

pytestmark = pytest.mark.anyio

SCREENS = {"desktop": (1280, 800), "phone": (390, 844), "inline": (1280, 500)}
SECONDS = 60_000
"""Milliseconds, far more than a page takes: drawing in 3D without a graphics processor is slow on a busy machine."""
MARKUP = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\u2028\"'<b>&amp;"
NO_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : real.call(this, kind, ...rest);
};
"""


@pytest.fixture
async def report(bench: Bench, tmp_path: Path) -> Path:
    """The page of a docking run, as `download_files` writes it."""
    run = run_of_brd4(FilesOfRuns(bench))
    async with bench.agent(files=(tmp_path,)) as agent:
        await agent.read("download_files", execution_id=run, what="report")
    return only(tmp_path)


def only(folder: Path) -> Path:
    (path,) = folder.glob("*/results.html")
    return path


def column(name: str, **about: Any) -> dict[str, Any]:
    return {"name": name, "label": name.capitalize(), "unit": "", "better": "", "hidden": False, **about}


def data(rows: list[dict[str, Any]], columns: list[dict[str, Any]] | None = None, **other: Any) -> dict[str, Any]:
    plain = {"ligand": "", "smiles": "", "shape": None, "note": ""}
    return {
        "run": {"id": "r", "name": "A run", "file": "a_run", "facts": [["Tool", "docking 4.2.0"]]},
        "notes": [],
        "columns": [column("score", better="higher")] if columns is None else columns,
        "rows": [plain | row for row in rows],
        "shapes": [],
        "protein": None,
        **other,
    }


def many(count: int) -> Iterator[dict[str, Any]]:
    smiles = [smiles for _, smiles, *_ in LIGANDS.values()]
    for number in range(count):
        yield {"name": f"ligand {number}", "smiles": smiles[number % len(smiles)], "values": [number % 997 / 100]}


@asynccontextmanager
async def opened(
    chromium: Any, path: Path, screen: str = "desktop", theme: str = "light", script: str = ""
) -> AsyncIterator[Any]:
    """The page in a window; when it is left, nothing went wrong in it and it asked for nothing but itself."""
    width, height = SCREENS[screen]
    context = await chromium.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = await context.new_page()
    page.set_default_timeout(SECONDS)
    wrong, asked = list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    if script:
        await page.add_init_script(script)
    await page.goto(path.as_uri())
    await page.wait_for_selector("body[data-state]")
    yield page
    assert [line for line in wrong if "GPU stall" not in line and "WebGL" not in line] == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    await context.close()


def changed(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8")


def text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "page.html"
    path.write_bytes(page_with(content))
    return path


async def names(page: Any) -> list[str]:
    found: list[str] = await page.locator("tbody .pick").all_inner_texts()
    return found


async def colours(page: Any, selector: str) -> int:
    """How many colours are seen in a part of the page."""
    picture = Image.open(io.BytesIO(await page.locator(selector).screenshot())).convert("RGB")
    return len(set(picture.get_flattened_data()))


async def test_the_best_pose_is_seen_in_its_pocket_when_the_page_opens(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        assert (await names(page))[0] == "crotyl"
        assert await page.inner_text("#pose-title") == "crotyl in BRD4 BD1"
        # Asn140 binds the acetyl-lysine mimic in every bromodomain.
        assert "ASN 140" in await page.inner_text("#pose-text")
        assert await colours(page, "#viewer") > 500
        assert "kcal/mol" in await page.inner_text("thead")


async def test_another_row_shows_another_pose(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        before = await page.locator("#viewer").screenshot()
        await page.click("tbody tr:has-text('n-butyl')")
        assert await page.inner_text("#pose-title") == "n-butyl in BRD4 BD1"
        assert await page.locator("#viewer").screenshot() != before
        await page.keyboard.press("ArrowDown")
        assert await page.inner_text("#pose-title") != "n-butyl in BRD4 BD1"


async def test_what_is_missing_is_the_last_row_and_says_why(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        assert "8 of 9 ligands" in await page.inner_text("#notes")
        for head in ("Binding energy", "Binding energy", "Name"):
            await page.click(f"thead button:has-text('{head}')")
            await page.evaluate("document.getElementById('scroll').scrollTop = 1e6")
            await page.wait_for_selector("tr.missing")
            last = page.locator("tbody tr[data-at]").last
            assert FAILED[0] in await last.inner_text()
            assert FAILED[2] in await last.inner_text()


async def test_rows_are_sorted_and_filtered(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        await page.click("thead button:has-text('Binding energy')")
        assert await page.get_attribute("th[data-key][aria-sort]", "aria-sort") == "ascending"
        await page.check("#best")
        assert await page.inner_text("#count") == "9 of 17 rows"
        await page.fill("#high", "-8.5")
        assert await names(page) == ["crotyl", "n-butyl"]
        await page.fill("#words", "nothing like this")
        assert "No row fits" in await page.inner_text("tbody")


async def test_the_chart_draws_two_chosen_columns(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        await page.click("#tab-chart")
        for across in ("Pose score", "Molecule (bars)"):
            await page.select_option("#x", label=across)
            assert await colours(page, "#chart") > 20
        assert "Binding energy (kcal/mol)" in (await page.get_attribute("#chart", "aria-label"))


async def test_the_rows_in_view_are_saved_as_csv_and_sdf(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        await page.check("#best")
        saved = {}
        for kind in ("csv", "sdf"):
            async with page.expect_download() as waiting:
                await page.click(f"#{kind}")
            download = await waiting.value
            assert download.suggested_filename == f"BRD4_N-alkyl_series.{kind}"
            saved[kind] = text_of(await download.path())
        rows = [*csv.DictReader(saved["csv"].splitlines())]
        assert [row["name"] for row in rows][:2] == ["crotyl", "n-butyl"]
        assert rows[0]["binding_energy"] == "-8.694"
        assert rows[-1]["note"] == FAILED[2]
        records = saved["sdf"].split("$$$$\n")
        assert len(records) == len(LIGANDS) + 1
        assert records[0].startswith("crotyl\n")
        assert ">  <binding_energy>\n-8.694\n" in records[0]
        assert records[0].splitlines()[3:10] == example("brd-4.sdf").splitlines()[3:10]


async def test_ten_thousand_rows_scroll(chromium: Any, tmp_path: Path) -> None:
    async with opened(chromium, written(tmp_path, data([*many(10_000)]))) as page:
        assert await page.get_attribute("#table", "aria-rowcount") == "10001"
        await page.evaluate("document.getElementById('scroll').scrollTop = 1e9")
        await page.wait_for_selector("tbody tr[data-at='9999'] img")
        assert await page.locator("tbody tr").count() < 60
        await page.locator("tbody tr[data-at='9999'] .pick").focus()
        await page.keyboard.press("Home")
        await page.wait_for_selector("tbody tr[data-at='0'][aria-current='true']")
        await page.click("thead button:has-text('Score')")
        assert (await names(page))[0] == "ligand 996"


async def test_what_the_platform_says_never_becomes_markup(chromium: Any, tmp_path: Path) -> None:
    hostile = data(
        [{"name": MARKUP, "ligand": MARKUP, "smiles": smiles, "shape": shape, "note": MARKUP, "values": [MARKUP, 1.0]}
         for smiles, shape in ((MARKUP, 0), ("C" * 5_000, 1), ("C1CC", None), ("[" * 200, None))]
        + [{"name": MARKUP, "reason": MARKUP, "smiles": MARKUP, "values": [None, None]}],
        [column(MARKUP, label=MARKUP, unit=MARKUP, better=MARKUP), column("y", label=MARKUP, unit=MARKUP)],
        run={"id": MARKUP, "name": MARKUP, "file": "x", "facts": [[MARKUP, MARKUP]]},
        notes=[MARKUP],
        shapes=[{"format": "sdf", "text": text} for text in (MARKUP, example("brd-2.sdf").replace("cmpd", MARKUP))],
        protein={"name": MARKUP, "format": "pdb", "text": example("brd.pdb").replace("ASN", "<b>") + MARKUP},
    )  # fmt: skip
    async with opened(chromium, written(tmp_path, hostile)) as page:
        assert await page.inner_text("h1") != ""
        for line in range(5):
            await page.click(f"tbody tr[data-at='{line}']")
        await page.check("#labels") if await page.is_visible("#labels") else None
        await page.click("#tab-chart")
        await page.hover("#chart")
        assert await page.evaluate("window.pwned") is None
        assert await page.locator("img[src=x], b b").count() == 0
        assert await page.locator("body script").count() == 4
        assert MARKUP.replace("\u2028", "") in (await page.inner_text("h1")).replace("\u2028", "")


async def test_the_policy_runs_no_other_script_and_connects_to_nothing(chromium: Any, tmp_path: Path) -> None:
    path = written(tmp_path, data([{"name": "a", "values": [1]}]))
    html = text_of(str(path))
    policy = html.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    changed(path, html.replace("</body>", "<script>window.pwned=1</script></body>"))
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(path.as_uri())
    await page.wait_for_selector("body[data-state='shown']", timeout=SECONDS)
    assert await page.evaluate("window.pwned") is None
    await context.close()


async def test_without_webgl_the_page_says_so_and_the_table_stays(chromium: Any, report: Path) -> None:
    async with opened(chromium, report, script=NO_WEBGL) as page:
        assert "no WebGL" in await page.inner_text("#no-pose")
        assert "crotyl" in await names(page)
        assert await page.locator("tbody img").count() > 2


@pytest.mark.parametrize(
    ("content", "state", "words"),
    [
        (data([]), "empty", "The run has no results"),
        (data([{"name": "only one", "values": [0.5]}]), "shown", "only one"),
        (data([{"name": "x" * 3_000, "smiles": "CCO", "values": [1e-9]}]), "shown", "xxx"),
        (None, "failed", "no data"),
        ({"rows": 1}, "failed", "cannot show"),
    ],
    ids=["empty", "one row", "long name", "no data", "broken"],
)
async def test_every_state_says_what_it_is(
    chromium: Any, tmp_path: Path, content: dict[str, Any] | None, state: str, words: str
) -> None:
    async with opened(chromium, written(tmp_path, content), "inline") as page:  # type: ignore[arg-type]
        assert await page.get_attribute("body", "data-state") == state
        assert words in await page.inner_text("body")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_it_is_accessible_in_every_theme_and_size(chromium: Any, report: Path, screen: str, theme: str) -> None:
    async with opened(chromium, report, screen, theme) as page:
        for view in ("table", "pose", "chart"):
            if not await page.is_visible(f"#tab-{view}"):
                continue
            await page.click(f"#tab-{view}")
            assert await problems_of(page) == []
            await take(page, f"results-{view}-{screen}-{theme}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
