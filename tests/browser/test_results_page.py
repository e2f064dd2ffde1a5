"""The results page in a real browser, opened from the disk."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.accessibility import problems_of
from tests.browser.chromium import PATIENCE_MS
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
from tests.support.brd4 import FAILED, LIGANDS, example, run_of_brd4
from tests.support.run_files import FilesOfRuns

pytestmark = pytest.mark.anyio

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


def many(count: int) -> Iterator[dict[str, Any]]:
    smiles = [smiles for _, smiles, *_ in LIGANDS.values()]
    for number in range(count):
        yield {"name": f"ligand {number}", "smiles": smiles[number % len(smiles)], "values": [number % 997 / 100]}


def changed(path: Path, html: str) -> None:
    path.write_text(html, encoding="utf-8")


async def test_the_best_pose_is_seen_in_its_pocket_when_the_page_opens(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        assert (await names(page))[0] == "crotyl"
        assert await page.inner_text("#pose-title") == "crotyl in BRD4 BD1"
        # Asn140 binds the acetyl-lysine mimic in every bromodomain.
        assert "ASN 140" in await page.inner_text("#pose-text")
        await drawn(page)
        assert "kcal/mol" in await page.inner_text("thead")


async def test_another_row_shows_another_pose(chromium: Any, report: Path) -> None:
    async with opened(chromium, report) as page:
        before = await drawn(page)
        await page.click("tbody tr:has-text('n-butyl')")
        assert await page.inner_text("#pose-title") == "n-butyl in BRD4 BD1"
        await drawn(page, lambda picture: picture != before)
        await page.keyboard.press("ArrowDown")
        assert await page.inner_text("#pose-title") != "n-butyl in BRD4 BD1"


async def test_on_a_phone_a_keyboard_opens_a_pose_and_is_where_the_pose_is(chromium: Any, report: Path) -> None:
    async with opened(chromium, report, "phone") as page:
        await page.locator("tbody .pick").first.focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        assert await page.inner_text("#pose-title") == "n-butyl in BRD4 BD1"
        assert await page.evaluate("document.activeElement.id") == "tab-pose"
        await page.keyboard.press("ArrowLeft")
        assert await page.is_visible("#scroll")


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
            await drawn(page, lambda picture: colours(picture) > 20, "#chart")
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
        await page.wait_for_selector("tbody tr[data-at='9999'] svg")
        assert await page.locator("tbody tr").count() < 60
        await page.locator("tbody tr[data-at='9999'] .pick").focus()
        await page.keyboard.press("Home")
        await page.wait_for_selector("tbody tr[data-at='0'][aria-current='true']")
        await page.click("thead button:has-text('Score')")
        assert (await names(page))[0] == "ligand 996"


BROKEN_WORDS = """[...document.querySelectorAll(".sort span")].filter(({ firstChild }) => {
  const range = document.createRange();
  return [...firstChild.data.matchAll(/[^\\s-]+/g)].some(({ 0: word, index }) => {
    range.setStart(firstChild, index);
    range.setEnd(firstChild, index + word.length);
    return range.getClientRects().length > 1;
  });
}).map((span) => span.textContent)"""


# Its policy forbids what Playwright does for waiting.
SCROLLED_TO_END = """new Promise((done) => {
  const part = document.getElementById("facts");
  const isAtEnd = () => part.scrollTop > 0 && part.scrollTop + part.clientHeight >= part.scrollHeight - 1;
  const look = () => (isAtEnd() ? done() : requestAnimationFrame(look));
  look();
})"""


def wide(count: int = 8) -> dict[str, Any]:
    """More columns than a window has room for, some with long words."""
    labels = ["Position", "Druggability", "Ames mutagenicity probability", *(f"Value {n}" for n in range(count - 3))]
    values = [0.5, 0.25, *range(1, count - 1)]
    return data([{"name": "a", "values": values}], [column(f"c{n}", label=each) for n, each in enumerate(labels)])


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_head_breaks_no_word_and_the_name_stays_in_sight(chromium: Any, tmp_path: Path, screen: str) -> None:
    async with opened(chromium, written(tmp_path, wide()), screen) as page:
        assert await page.evaluate(BROKEN_WORDS) == []
        await page.evaluate("document.getElementById('scroll').scrollLeft = 1e6")
        assert await page.evaluate("document.getElementById('scroll').scrollLeft") > 100
        for each in ("thead th.name", "tbody th.name"):
            assert await page.evaluate(f"document.querySelector('{each}').getBoundingClientRect().x") == 0


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_head_says_in_every_size_which_values_are_better_and_what_they_are(
    chromium: Any, report: Path, screen: str
) -> None:
    async with opened(chromium, report, screen) as page:
        head = page.locator("thead button:has-text('Binding energy')")
        assert await head.locator("small").all_inner_texts() == ["kcal/mol", "lower is better"]
        assert await head.get_attribute("title") == "estimated, not measured"


@pytest.mark.parametrize("screen", SCREENS)
async def test_what_is_told_of_a_run_can_be_read_whole(chromium: Any, tmp_path: Path, screen: str) -> None:
    long = "very " * 40
    facts = [[f"Fact {n}", f"{long}long"] for n in range(9)]
    content = data([*many(1)], run={"id": "r", "name": f"A {long}long run", "file": "r", "facts": facts})
    async with opened(chromium, written(tmp_path, content), screen) as page:
        assert await page.get_attribute("h1", "title") == f"A {long}long run"
        last = page.locator(".fact").last
        assert await last.get_attribute("title") == f"{long}long"
        await page.focus("#facts")
        await page.keyboard.press("End")
        await page.evaluate(SCROLLED_TO_END)
        assert await problems_of(page) == []


async def test_bars_are_called_the_best_only_where_it_is_known_what_is_better(chromium: Any, tmp_path: Path) -> None:
    columns = [column("volume", unit="Å³"), column("energy", better="lower"), column("note")]
    rows = [{"name": f"pocket {n}", "values": [n / 10, -n / 10, "a"]} for n in range(70)]
    async with opened(chromium, written(tmp_path, data(rows, columns))) as page:
        for label, order in (("Volume (Å³)", "highest"), ("Energy", "best")):
            await page.select_option("#y", label=label)
            assert await page.get_attribute("#chart", "aria-label") == f"Bars of {label}, {order} 60 of 70 rows"


async def test_where_nothing_is_a_number_the_chart_says_so(chromium: Any, tmp_path: Path) -> None:
    async with opened(chromium, written(tmp_path, data([{"name": "a", "values": ["x"]}]))) as page:
        await page.wait_for_selector("#chart-text:has-text('no numbers')")
        assert not await page.is_visible("#axes")


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
    await page.wait_for_selector("body[data-state='shown']", timeout=PATIENCE_MS)
    assert await page.evaluate("window.pwned") is None
    await context.close()


async def test_without_webgl_the_page_says_so_and_the_table_stays(chromium: Any, report: Path) -> None:
    async with opened(chromium, report, script=NO_WEBGL) as page:
        assert "no WebGL" in await page.inner_text("#no-pose")
        assert "crotyl" in await names(page)
        assert await page.locator("tbody svg").count() > 2


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
        await look_at_each_view(page, "results", screen, theme)
