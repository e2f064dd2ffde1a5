"""From the result of a run to its page: written by the server, and drawn by Chromium.

    python -m benchmarks.pages

Written: `download_files(what="report")` over stdio, against the official client, which fetches the same poses and makes
no page. Drawn: from the address to the first pose in its pocket, against a bare page that has 3Dmol.js, that pose and
that protein, and nothing else. Where there is no Chromium, only the writing is measured, and it says so.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Sample, Table, interleaved
from benchmarks.files import SUBSTITUENTS
from benchmarks.platforms import PROJECT, official, variables
from benchmarks.processes import StdioServer, in_process_of_its_own
from benchmarks.servers import OURS, commands
from deeporigin_mcp.apps import pages
from deeporigin_mcp.simulator import Platform, running_simulator
from deeporigin_mcp.simulator.state.entities import add_row
from deeporigin_mcp.simulator.state.files import put_file
from tests.browser import runner
from tests.browser.chromium import FLAGS, executable
from tests.support import built_pages
from tests.support.brd4 import example
from tests.support.node import CannotRunError

SIZES = (1, 100, 10_000)
MOST_POSES = 1_000
"""So many poses a page has at most."""
WRITTEN_AIMS = {1: None, 100: 1.0, 10_000: 1.0}
"""A page of one row needs as many requests as a larger one, which the official client has no part of."""
DRAWN_AIM = 3.0
"""The page has a table, 2D structures, residues and names beside what the bare one draws."""
HERE = Path(sys.executable).parent
PROTEIN, PROTEIN_FILE = "08PR0TE1N0000", "entities/proteins/brd4.pdb"
DRAWN, BARE = "drawn", "bare"
SECONDS = 120_000
BARE_PAGE = """<!doctype html><meta charset="utf-8"><style>#viewer { position: fixed; inset: 0 }</style>
<div id="viewer"></div>
<script>%s</script><script>
const {pose, protein} = %s;
const viewer = $3Dmol.createViewer("viewer", {backgroundColor: "white"});
viewer.addModel(protein, "pdb").setStyle({}, {cartoon: {}});
viewer.addModel(pose, "sdf").setStyle({}, {stick: {}});
viewer.zoomTo({model: 1});
viewer.render();
document.body.dataset.state = "shown";
</script>"""


def smiles(number: int) -> str:
    """Different SMILES: a chain between two substituents."""
    first, second = SUBSTITUENTS[number % 20], SUBSTITUENTS[number // 20 % 20]
    return f"C({first}){'C' * (number // 400 + 1)}{second}"


@contextlib.contextmanager
def platform() -> Iterator[tuple[str, dict[int, str]]]:
    """A simulator with a docking run of each size: its address, and the runs' ids by size."""
    made = Platform(seed=1)
    organisation = made.organisations["deeporigin"]
    put_file(made, organisation, PROTEIN_FILE, example("brd.pdb").encode())
    values = {"protein_name": "BRD4 BD1", "file_path": PROTEIN_FILE}
    add_row(made, organisation, "proteins", PROJECT, values, "ada", made.clock.now(), identifier=PROTEIN)
    runs = {}
    for size in SIZES:
        ligands = [{"id": f"08L{size:05d}{number:05d}", "smiles": smiles(number)} for number in range(size)]
        inputs = {"protein": {"id": PROTEIN, "file_path": PROTEIN_FILE}, "ligands": ligands}
        [name] = made.seed_executions(overrides={"userInputs": inputs, "jobOutputs": None})
        run = made.executions[name]
        run.definition = None
        run.own_results = [_row(name, number, ligand) for number, ligand in enumerate(ligands)]
        for row in run.own_results:
            put_file(made, organisation, row["data"]["file_path"], example("brd-4.sdf").encode())
        runs[size] = name
    with running_simulator(made) as simulator:
        yield simulator.base_url, runs


def _row(run: str, number: int, ligand: Mapping[str, str]) -> dict[str, Any]:
    data = {
        "ligand_id": ligand["id"],
        "smiles": ligand["smiles"],
        "protein_id": PROTEIN,
        "file_path": pose_path(run, number),
        "best_pose": True,
        "binding_energy": -9 + number % 997 / 200,
        "pose_score": 0.9 - number % 991 / 2000,
    }
    about = {"tool_key": "deeporigin.docking", "tool_version": "4.2.0", "compute_job_id": run, "project_id": PROJECT}
    return {"id": f"0A{number:011d}", "result_type": "pose", "data": data, **about}


def pose_path(run: str, number: int) -> str:
    return f"tool-runs/{run}/poses/{number}.sdf"


# Written


def write(server: StdioServer, run: str, folder: Path, kept: dict[str, Path]) -> dict[str, float]:
    """Seconds until the page is on the disk."""
    started = time.perf_counter()
    name = f"{run[:8]}_{time.monotonic_ns()}"
    arguments = {"execution_id": run, "what": "report", "folder": name}
    while not (answer := server.call("download_files", arguments)["structuredContent"])["files"]:
        # A call lasts no longer than 50 s; the next one waits on.
        assert answer["has_more"], answer
    seconds = time.perf_counter() - started
    kept[run] = folder / name / answer["files"][0]["name"]
    return {"seconds": seconds}


def fetch(base_url: str, run: str, count: int, folder: Path) -> dict[str, float]:
    """Seconds until the official client has the same poses and the protein."""
    # Its progress bar would be between the rows of the table.
    os.environ["TQDM_DISABLE"] = "1"
    client = official(base_url)
    targets = {pose_path(run, number): str(folder / f"{number}.sdf") for number in range(count)}
    started = time.perf_counter()
    client.files.download_many(files={**targets, PROTEIN_FILE: str(folder / "protein.pdb")})
    seconds = time.perf_counter() - started
    assert len([*folder.iterdir()]) == count + 1
    return {"seconds": seconds}


def measure_writing(table: Table, repeats: int, folder: Path) -> dict[int, Path]:
    """The pages, by size."""
    kept: dict[str, Path] = {}
    with platform() as (base_url, runs):
        given = {**variables(base_url), "DEEPORIGIN_MCP_FILES": str(folder)}
        with StdioServer(commands(HERE)[OURS], **given) as server:
            server.initialize()
            for size, run in runs.items():
                poses = min(size, MOST_POSES)
                theirs = functools.partial(
                    in_process_of_its_own, "benchmarks.pages", "--fetch", base_url, run, str(poses)
                )
                sides: dict[str, Callable[[], Mapping[str, float]]] = {
                    OURS: functools.partial(write, server, run, folder, kept),
                    BARE: theirs,
                }
                # The official client needs a minute for a thousand files.
                found = interleaved(sides, repeats if poses < MOST_POSES else 1)
                what = f"{size:,} rows and {poses:,} poses written as a page, against the official client's files alone"
                compare(table, what, found[OURS]["seconds"], found[BARE]["seconds"], WRITTEN_AIMS[size])
        return {size: kept[run] for size, run in runs.items()}


# Drawn


def measure_drawing(table: Table, repeats: int, written: Mapping[int, Path]) -> None:
    """Raises CannotRunError: there is no Chromium, or no driver of it."""
    if executable() is None:
        raise CannotRunError("there is no Chromium on this machine; scripts/browser installs it")
    sys.path.insert(0, runner.prepared())
    importlib.invalidate_caches()
    from playwright.sync_api import sync_playwright

    bare = written[SIZES[0]].with_name("bare.html")
    library = (built_pages.packages_folder() / built_pages.PAGES["results"].libraries[0]).read_text(encoding="utf-8")
    data = json.dumps({"pose": example("brd-4.sdf"), "protein": example("brd.pdb")})
    bare.write_text(BARE_PAGE % (library.replace("</script", r"\x3c/script"), data), encoding="utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=[*FLAGS])
        measurements = {BARE: functools.partial(draw, browser, bare)}
        measurements |= {f"{size:,} rows": functools.partial(draw, browser, path) for size, path in written.items()}
        found = interleaved(measurements, repeats)
        browser.close()
    for name, values in found.items():
        if name != BARE:
            what = f"the page of {name} drawn, against 3Dmol.js alone"
            compare(table, what, values[DRAWN], found[BARE][DRAWN], DRAWN_AIM)


def draw(browser: Any, path: Path) -> dict[str, float]:
    """Seconds from the address to what the page shows first."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-state='shown']", state="attached", timeout=SECONDS)
    seconds = time.perf_counter() - started
    context.close()
    return {DRAWN: seconds}


def compare(table: Table, what: str, ours: Sample, theirs: Sample, aim: float | None) -> None:
    ratio = ours.median / theirs.median
    measured = f"{ours.told('ms', 1e3)} against {theirs.told('ms', 1e3)}: {ratio:.2f} times"
    if aim is None:
        table.add(what, measured)
    else:
        table.add(what, measured, f"≤ {aim:.2f} times", ratio <= aim)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--fetch", nargs=3, metavar=("BASE_URL", "RUN", "COUNT"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if options.fetch:
            base_url, run, count = options.fetch
            print(json.dumps(fetch(base_url, run, int(count), Path(place))))
            return 0
        table = Table("Pages")
        if not pages.is_built():
            table.note("Not measured: the pages are not built (`scripts/apps`).")
            return 0
        written = measure_writing(table, options.repeats, Path(place))
        try:
            measure_drawing(table, options.repeats, written)
        except CannotRunError as error:
            table.note(f"Drawing was not measured: {error}.")
    return table.exit_code


if __name__ == "__main__":
    sys.exit(main())
