"""Pictures of pages: `scripts/pictures` draws those of the documents, `take` looks at a page in a test.

A real client plays a whole job with the real server over stdio, on the simulator: it imports a structure and ligands,
finds pockets, docks, and asks for the page of the results. A person, which is this script, presses the button of the
approval page in a real Chromium. What the browsers show then is what is drawn. One thing is put in: the simulator
places atoms without a force field, so the poses are those that the official client brings as an example.
Exit codes: 0 drawn, 2 it could not be done.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deeporigin_mcp.simulator import Platform, ScaledClock, make_token, running_simulator
from deeporigin_mcp.simulator.state.files import put_file
from tests.browser.chromium import running_chromium
from tests.support.brd4 import LIGANDS, example
from tests.support.browser import Browser
from tests.support.node import ROOT, CannotRunError
from tests.support.processes import ORGANISATION, environment

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 780}
SHARPNESS = 1.5
"""Pixels of the picture for one of the page."""
MARGIN = 40
"""Around a part of a page, pixels of the page."""
MOST_BYTES = 250_000
"""Of a picture in the documents."""
SECONDS = 300.0
SPEED = 60.0
SCHEMES = {"": "light", "-dark": "dark"}
"""What a picture's name ends with → the scheme that it is drawn in."""


async def take(page: Any, name: str) -> None:
    """Look at the page; what is seen is kept in the folder that `SCREENSHOTS` names, for a person to judge."""
    folder = os.environ.get("SCREENSHOTS")
    # Playwright makes the folder.
    picture = await page.screenshot(**({"path": f"{folder}/{name}.png"} if folder else {}))
    assert len(picture) > 1_000


async def draw() -> None:
    """Play the job and draw its pages into `docs/images`."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        browser = Browser.made(folder)
        (folder / "BRD4_BD1.pdb").write_text(example("brd.pdb"), encoding="utf-8")
        platform = Platform(clock=ScaledClock(SPEED), seed=4)
        with running_simulator(platform) as simulator, anyio.fail_after(SECONDS):
            variables = {
                "DO_BASE_URL": simulator.base_url,
                "DO_AUTH_TOKEN": make_token(orgs=[ORGANISATION]),
                "DO_ORG_KEY": ORGANISATION,
                "DEEPORIGIN_MCP_FILES": place,
                "DEEPORIGIN_MCP_APPROVAL": "browser",
                "DEEPORIGIN_MCP_BUDGET": "20",
                **browser.variables(),
            }
            server = StdioServerParameters(
                command=sys.executable, args=["-m", "deeporigin_mcp"], env=environment(folder, **variables)
            )
            async with running_chromium() as chromium, Client(stdio_client(server)) as client:
                await Job(client, chromium, browser, platform).run()
                report = report_in(folder)
                for ending, scheme in SCHEMES.items():
                    async with shown(chromium, scheme) as page:
                        await page.goto(report.as_uri())
                        await page.wait_for_selector("body[data-state='shown']")
                        await page.check("#best")
                        await page.get_by_role("button", name="Binding energy").click()
                        await page.click("tbody tr[data-at='0']")
                        await keep(page, f"results{ending}")


def report_in(folder: Path) -> Path:
    (path,) = folder.glob("*/results.html")
    return path


class Job:
    """From a structure and SMILES to the page of the docked poses."""

    def __init__(self, client: Client, chromium: Any, browser: Browser, platform: Platform) -> None:
        self._client, self._chromium, self._browser, self._platform = client, chromium, browser, platform

    async def run(self) -> None:
        project = (await self._call("get_workspace"))["projects"][0]["project_id"]
        protein = await self._call("import_molecules", kind="protein", path="BRD4_BD1.pdb", project_id=project)
        smiles = [{"name": name, "smiles": text} for name, text, *_ in LIGANDS.values()]
        ligands = await self._call("import_molecules", kind="ligands", smiles=smiles, project_id=project)
        inputs = {"protein": protein["as_input"], "pocket_count": 1}
        pockets = await self._done("deeporigin.pocket-finder", "BRD4 pockets", project, inputs)
        pocket = (await self._molecules("pocket", pockets))[0]
        inputs = {"protein": protein["as_input"], "pocket": pocket["as_input"], "ligands": ligands["as_input"]}
        name = await self._done("deeporigin.docking", "BRD4 N-alkyl series", project, inputs, picture="approval")
        await self._molecules("pose", name)
        self._put_poses(name)
        await self._call("download_files", execution_id=name, what="report")

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._client.call_tool(tool, arguments)
        if result.is_error or not result.structured_content:
            raise CannotRunError(f"{tool}: {result.content}")
        return dict(result.structured_content)

    async def _done(self, tool: str, name: str, project: str, inputs: dict[str, Any], picture: str = "") -> str:
        """Price a run, approve it on the page that opens, and wait for its end; its id."""
        quote = await self._call("create_execution", tool_key=tool, name=name, project_id=project, inputs=inputs)
        asked = {"execution_id": quote["execution_id"], "expected_price": quote["quoted_price"], "wait_seconds": 0}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: self._call("confirm_execution", **asked))
            await self._approve(picture)
        while not (await self._call("wait_executions", execution_ids=[quote["execution_id"]]))["all_done"]:
            pass
        return str(quote["execution_id"])

    async def _approve(self, picture: str) -> None:
        address = await self._browser.opened()
        async with shown(self._chromium, "light") as page:
            await page.goto(address)
            await page.wait_for_url("http://127.0.0.1:*/**")
            for ending, scheme in SCHEMES.items() if picture else ():
                await page.emulate_media(color_scheme=scheme)
                await keep(page, f"{picture}{ending}", clip=await around(page, "main"))
            await page.get_by_role("button", name="Start").click()
            await page.wait_for_selector("main:not(:has(button))")

    async def _molecules(self, kind: str, execution: str) -> list[dict[str, Any]]:
        found = await self._call("find_molecules", kind=kind, execution_id=execution)
        if not found["molecules"]:
            raise CannotRunError(f"{execution} has no {kind}")
        return [*found["molecules"]]

    def _put_poses(self, execution: str) -> None:
        """The example's pose in place of each simulated one."""
        poses = {smiles: example(f"brd-{number}.sdf") for number, (_, smiles, *_) in LIGANDS.items()}
        organisation = self._platform.organisations[ORGANISATION]
        for _, row in self._platform.executions[execution].found():
            put_file(self._platform, organisation, row["file_path"], poses[row["smiles"]].encode())


@contextlib.asynccontextmanager
async def shown(chromium: Any, scheme: str) -> AsyncIterator[Any]:
    """A new window."""
    context = await chromium.new_context(viewport=SIZE, device_scale_factor=SHARPNESS, color_scheme=scheme)
    yield await context.new_page()
    await context.close()


async def around(page: Any, selector: str) -> dict[str, float]:
    """An element with a margin."""
    box = await page.locator(selector).bounding_box()
    x, y = box["x"] - MARGIN, box["y"] - MARGIN
    return {"x": x, "y": y, "width": box["width"] + 2 * MARGIN, "height": box["height"] + 2 * MARGIN}


async def keep(page: Any, name: str, clip: dict[str, float] | None = None) -> None:
    """What is seen, or a part of it, as a small file in `docs/images`."""
    picture = Image.open(io.BytesIO(await page.screenshot(clip=clip))).convert("RGB")
    target = IMAGES / f"{name}.png"
    # A palette in which colours of few pixels, such as those of sulfur, stay what they are.
    # By its heading a test sees whether the picture still shows what the page says.
    heading = PngInfo()
    heading.add_text("Title", await page.locator("h1").first.inner_text())
    picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=3).save(target, optimize=True, pnginfo=heading)
    size = target.stat().st_size
    if size > MOST_BYTES:
        raise CannotRunError(f"{target.name} has {size:,} bytes; it may have {MOST_BYTES:,}.")
    sys.stdout.write(f"{target.relative_to(ROOT)}: {size:,} bytes\n")


def main() -> int:
    from tests.browser import runner

    code = 0
    try:
        sys.path.insert(0, runner.prepared())
        importlib.invalidate_caches()
        IMAGES.mkdir(exist_ok=True)
        anyio.run(draw)
    except* CannotRunError as errors:
        sys.stdout.write(f"Could not be drawn: {errors.exceptions[0]}\n")
        code = 2
    return code


if __name__ == "__main__":
    sys.exit(main())
