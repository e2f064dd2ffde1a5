"""The results page inside of a client that shows apps: a sandboxed frame with the strictest policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from PIL import Image

from deeporigin_mcp.tools.files import read_results_files, read_results_page, shown_runs
from tests.browser.accessibility import problems_of
from tests.browser.app_host import AppHost, hosted
from tests.browser.pictures import take
from tests.browser.results import colours, drawn
from tests.support.bench import Bench
from tests.support.brd4 import FAILED, LIGANDS, PROTEIN_FILE, example, run_of_brd4
from tests.support.hosts import host_of
from tests.support.run_files import FilesOfRuns, pose

pytestmark = pytest.mark.anyio

RESULTS = "ui://deeporigin/results"
FILES = "read_results_files"
MARKUP = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\u2028\"'<b>&amp;"
NO_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : real.call(this, kind, ...rest);
};
"""


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    return FilesOfRuns(bench)


@asynccontextmanager
async def shown(chromium: Any, bench: Bench, run: str, *, until: str = "shown", **host: Any) -> AsyncIterator[AppHost]:
    """The page of a run, after the model's call."""
    async with host_of(bench) as client, hosted(chromium, client, RESULTS, **host) as app:
        await app.call("get_execution_results", execution_id=run)
        await app.frame.wait_for_selector(f"body[data-state='{until}']")
        yield app


async def names(app: AppHost) -> list[str]:
    found: list[str] = await app.frame.locator("tbody .pick").all_inner_texts()
    return found


def fetched(app: AppHost) -> list[list[str]]:
    """The files that each call asked for."""
    return [arguments["files"] for tool, arguments in app.asked if tool == FILES]


async def test_the_rows_are_there_before_any_pose_is_fetched(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    async with shown(chromium, bench, run_of_brd4(platform)) as app:
        assert (await names(app))[:2] == ["crotyl", "n-butyl"]
        assert "kcal/mol" in await app.text("thead")
        assert "8 of 9 ligands" in await app.text("#notes")
        assert await app.frame.locator("tbody svg").count() > 2
        assert await app.frame.is_visible("#simulated")
        assert [tool for tool, _ in app.asked] == ["read_results_page"]
        await app.frame.evaluate("document.getElementById('scroll').scrollTop = 1e6")
        await app.until("tr.missing", FAILED[2])


async def test_a_pose_is_fetched_when_it_is_looked_at_and_the_next_ones_come_along(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), screen="full") as app:
        await app.until("#pose-text", "ASN 140")
        assert await app.text("#pose-title") == "crotyl in BRD4 BD1"
        await drawn(app.frame)
        calls = len(fetched(app))
        await app.click("#after")
        await app.until("#pose-title", "n-butyl")
        await drawn(app.frame)
        await app.click("#before")
        await app.until("#pose-title", "crotyl")
        assert len(fetched(app)) == calls
        # Of the protein each part once.
        assert [files[0] for files in fetched(app)].count("protein") == calls - 1


async def test_poses_are_seen_inline_one_after_the_other(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), screen="inline") as app:
        await app.click("tbody tr:has-text('allyl')")
        await app.until("#pose-title", "allyl in BRD4 BD1")
        await app.until("#pose-text", "ASN 140")
        before = await drawn(app.frame)
        await app.click("#after")
        await app.until("#pose-title", "1-butenyl")
        await app.until("#pose-text", "ASN 140")
        await drawn(app.frame, lambda picture: picture != before)


async def test_a_page_in_a_conversation_is_not_higher_than_one_may_be(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), screen="inline") as app:
        sizes = [each["height"] for each in await app.messages("ui/notifications/size-changed")]
        assert sizes[-1] == 500
        assert max(sizes) <= 500
        # The table is of use at that height.
        room = await app.frame.evaluate("document.getElementById('scroll').clientHeight")
        assert room >= 280
        await app.click("#wide")
        await app.until("#wide", "Leave full screen")
        assert await app.messages("ui/request-display-mode") == [{"mode": "fullscreen"}]
        assert len(await app.messages("ui/notifications/size-changed")) == len(sizes)


async def test_ten_thousand_rows_come_in_parts_and_scroll(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    smiles = [smiles for _, smiles, *_ in LIGANDS.values()]
    run = platform.run(
        *(
            pose(f"L{n}", n / 1e4, f"tool-runs/e/{n}.sdf", smiles=smiles[n % len(smiles)], ligand_name=f"ligand {n}")
            for n in range(10_000)
        )
    )
    async with shown(chromium, bench, run, screen="inline") as app:
        await app.until("#count", "10,000 rows")
        assert await app.frame.get_attribute("#table", "aria-rowcount") == "10001"
        assert (await names(app))[0] == "ligand 9999"
        await app.frame.evaluate("document.getElementById('scroll').scrollTop = 1e9")
        await app.frame.wait_for_selector("tbody tr[data-at='9999'] svg")
        assert await app.frame.locator("tbody tr").count() < 60
        assert (await names(app))[-1] == "ligand 0"
        assert fetched(app) == []


async def test_rows_that_cannot_be_loaded_are_said_and_loaded_again(
    chromium: Any, bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_results_page, "PAGE_CHARACTERS", 1_500)
    # Each part is read anew, as by another worker, and the model's call and the first part come through.
    monkeypatch.setattr(shown_runs, "MAX_KEPT", 0)
    run = run_of_brd4(platform)
    bench.fault(f"GET */executions/{run} status=403 skip=2 times=1")
    async with shown(chromium, bench, run) as app:
        await app.until("#notes", "could be loaded")
        assert "more are coming" in await app.text("#count")
        assert not await app.frame.is_visible("#csv")
        await app.click("#again")
        await app.until("#count", "17 rows")
        assert await app.frame.is_visible("#csv")
        assert "could be loaded" not in await app.text("#notes")


async def test_a_run_that_goes_on_can_be_looked_at_again(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    run = run_of_brd4(platform, status="Running")
    async with shown(chromium, bench, run) as app:
        await app.until("#notes", "Running")
        rows = bench.platform.executions[run].own_results
        assert rows
        rows.pop(0)
        await app.click("#again")
        await app.until("#count", "15 rows")


async def test_what_went_wrong_is_said(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    async with host_of(bench) as client, hosted(chromium, client, RESULTS) as app:
        await app.until("#notes", "Waiting for the results")
        await app.call("get_execution_results", execution_id="3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11")
        await app.until("#notes", "Unknown execution_id")
        assert await app.frame.get_attribute("body", "data-state") == "failed"
    async with host_of(bench) as client, hosted(chromium, client, RESULTS) as app:
        await app.notify("tool-cancelled", {"reason": "user"})
        await app.until("#notes", "cancelled")
    async with host_of(bench) as client, hosted(chromium, client, RESULTS, without=("serverTools",)) as app:
        await app.call("get_execution_results", execution_id=run_of_brd4(platform))
        await app.until("#notes", "not carried")
    async with shown(chromium, bench, platform.run(), until="empty") as app:
        assert "The run has no results" in await app.text("tbody")


async def test_a_result_alone_is_enough(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    async with host_of(bench) as client, hosted(chromium, client, RESULTS) as app:
        await app.result(await client.call_tool("get_execution_results", {"execution_id": run_of_brd4(platform)}))
        await app.until("tbody", "crotyl")


async def test_a_pose_that_is_gone_says_so_and_the_others_stay(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    platform.put(**{"tool-runs/e/b.sdf": example("brd-3.sdf")})
    run = platform.run(pose("L1", 0.9, "tool-runs/e/gone.sdf"), pose("L2", 0.4, "tool-runs/e/b.sdf"), userInputs={})
    async with shown(chromium, bench, run, screen="full") as app:
        await app.until("#no-pose", "No 3D structure")
        await app.click("#after")
        await app.until("#pose-text", "The structure of the protein is not in this page")
        await drawn(app.frame, lambda picture: colours(picture) > 100)


async def test_files_are_saved_by_the_host(
    chromium: Any, bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_results_files, "TEXT_CHARACTERS", 20_000)
    async with shown(chromium, bench, run_of_brd4(platform)) as app:
        await app.click("#csv")
        await app.click("#sdf")
        await app.page.wait_for_function("host.seen.filter((each) => each.method === 'ui/download-file').length === 2")
        (csv,), (sdf,) = [each["contents"] for each in await app.messages("ui/download-file")]
        assert csv["resource"]["uri"].endswith("/BRD4_N-alkyl_series.csv")
        assert csv["resource"]["text"].count("\r\n") == 2 * len(LIGANDS) + 2
        assert sdf["resource"]["text"].count("$$$$\n") == 2 * len(LIGANDS)
        assert "\n".join(example("brd-4.sdf").splitlines()[3:10]) in sdf["resource"]["text"]


async def test_where_the_host_saves_nothing_the_page_says_what_does(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), without=("downloadFile",)) as app:
        await app.click("#csv")
        await app.until("#notes", "download_files")


async def test_what_the_platform_says_never_becomes_markup(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    platform.put(
        **{
            "tool-runs/e/a.sdf": MARKUP,
            "tool-runs/e/b.sdf": example("brd-2.sdf").replace("cmpd", MARKUP),
            PROTEIN_FILE: example("brd.pdb").replace("ASN", "<b>") + MARKUP,
        }
    )
    facts = {"ligand_name": MARKUP, "smiles": MARKUP, MARKUP: MARKUP, "unit": MARKUP}
    run = platform.run(
        pose("L2", 0.9, "tool-runs/e/b.sdf", **facts),
        pose(MARKUP, 0.8, "tool-runs/e/a.sdf", **facts),
        {"ligand_id": "L3", "smiles": MARKUP, "reason": MARKUP},
        name=MARKUP,
        userInputs={"protein": {"file_path": PROTEIN_FILE, "name": MARKUP}, "ligands": [{"id": "L3", "name": MARKUP}]},
    )
    async with shown(chromium, bench, run, screen="full") as app:
        await app.until("#pose-text", "Residues")
        for line in range(2):
            await app.click(f"tbody tr[data-at='{line}']")
        await app.until("#no-pose", "cannot be read")
        await app.click("#tab-chart")
        assert await app.frame.evaluate("window.pwned") is None
        assert await app.frame.locator("img[src=x], b b").count() == 0
        assert "<script>" in await app.text("h1")


async def test_without_webgl_the_page_says_so_and_the_table_stays(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    async with host_of(bench) as client, hosted(chromium, client, RESULTS, screen="full", script=NO_WEBGL) as app:
        await app.call("get_execution_results", execution_id=run_of_brd4(platform))
        await app.until("#no-pose", "no WebGL")
        assert "crotyl" in await names(app)
        assert fetched(app) == []


async def test_the_hosts_colours_and_theme_are_the_pages(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), screen="full", theme="light") as app:
        await app.until("#pose-text", "ASN 140")
        assert await app.frame.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 253, 245)"
        light = await drawn(app.frame)
        await app.notify("host-context-changed", {"theme": "dark"})
        await app.holds("document.documentElement.dataset.theme === 'dark'")
        await drawn(app.frame, lambda picture: picture != light)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["inline", "phone", "full"])
async def test_it_is_accessible_in_every_theme_and_size(
    chromium: Any, bench: Bench, platform: FilesOfRuns, screen: str, theme: str
) -> None:
    async with shown(chromium, bench, run_of_brd4(platform), screen=screen, theme=theme) as app:
        for view in ("table", "pose", "chart"):
            if not await app.frame.is_visible(f"#tab-{view}"):
                continue
            await app.click(f"#tab-{view}")
            if view == "pose":
                await app.until("#pose-text", "ASN 140")
            assert await problems_of(app.frame) == []
            await take(app.page, f"results-host-{view}-{screen}-{theme}")
        assert await app.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_pocket_and_a_prepared_protein_are_drawn_as_what_they_are(
    chromium: Any, bench: Bench, platform: FilesOfRuns
) -> None:
    atoms = [line for line in example("brd.pdb").splitlines() if line.startswith("ATOM")]
    # Two places at the surface, 15 Å and more from each other.
    pockets = {"tool-runs/e/1.pdb": atoms[:120], "tool-runs/e/2.pdb": atoms[-120:]}
    platform.put(**{path: "\n".join(lines) + "\nEND\n" for path, lines in pockets.items()})
    platform.put(**{PROTEIN_FILE: example("brd.pdb"), "tool-runs/e/prepared.pdb": example("brd.pdb")})
    run = platform.run(
        *({"file_path": path, "volume": 412.5 - n, "drugability_score": 0.8} for n, path in enumerate(pockets)),
        {"file_path": "tool-runs/e/prepared.pdb", "name": "prepared"},
        userInputs={"protein": {"file_path": PROTEIN_FILE, "name": "BRD4"}},
    )
    async with shown(chromium, bench, run, screen="full") as app:
        seen = list[Image.Image]()
        for line, kind in enumerate(("Pocket", "Pocket", "Structure")):
            await app.click(f"tbody tr[data-at='{line}']")
            await app.frame.wait_for_selector(f"#viewer[aria-label^='{kind} of']:not(.off)")
            seen.append(await drawn(app.frame, lambda picture: colours(picture) > 300 and picture not in seen))


def as_cif(pdb: str) -> str:
    """The atoms of a PDB file as mmCIF."""
    heads = "group_PDB id type_symbol label_atom_id label_comp_id label_asym_id label_seq_id Cartn_x Cartn_y Cartn_z"
    lines = ["data_brd", "loop_", *(f"_atom_site.{name}" for name in f"{heads} auth_asym_id auth_seq_id".split())]
    for line in pdb.splitlines():
        if line.startswith(("ATOM", "HETATM")):
            name, residue, chain, number = (
                line[12:16].strip(),
                line[17:20].strip(),
                line[21].strip() or "A",
                line[22:26],
            )
            cells = [line[:6], line[6:11], line[76:78].strip() or name[0], f'"{name}"', residue, chain, number]
            lines.append(" ".join(map(str.strip, [*cells, line[30:38], line[38:46], line[46:54], chain, number])))
    return "\n".join([*lines, "#", ""])


async def test_a_protein_in_mmcif_holds_the_poses_as_well(chromium: Any, bench: Bench, platform: FilesOfRuns) -> None:
    path = "entities/proteins/brd4.cif"
    platform.put(**{path: as_cif(example("brd.pdb")), "tool-runs/e/a.sdf": example("brd-4.sdf")})
    protein = {"file_path": path, "name": "BRD4"}
    run = platform.run(pose("L1", 0.9, "tool-runs/e/a.sdf"), userInputs={"protein": protein})
    async with shown(chromium, bench, run, screen="full") as app:
        await app.until("#pose-text", "ASN 140")
        await drawn(app.frame)
        await take(app.page, "results-mmcif")
