"""The results page in a browser: how tests open it, fill it and look at it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from deeporigin_mcp.apps.pages import page_with
from tests.browser.accessibility import problems_of
from tests.browser.chromium import PATIENCE_MS
from tests.browser.pictures import take

SCREENS = {"desktop": (1280, 800), "phone": (390, 844), "inline": (1280, 500)}
MARKUP = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\u2028\"'<b>&amp;"


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


async def look_at_each_view(page: Any, kind: str, screen: str, theme: str) -> None:
    """Each view that is there is accessible, and the page fits the window."""
    for view in ("table", "pose", "chart"):
        if not await page.is_visible(f"#tab-{view}"):
            continue
        await page.click(f"#tab-{view}")
        assert await problems_of(page) == []
        await take(page, f"{kind}-{view}-{screen}-{theme}")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@asynccontextmanager
async def opened(
    chromium: Any, path: Path, screen: str = "desktop", theme: str = "light", script: str = ""
) -> AsyncIterator[Any]:
    """The page in a window; when it is left, nothing went wrong in it and it asked for nothing but itself."""
    width, height = SCREENS[screen]
    context = await chromium.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
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


def text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "page.html"
    path.write_bytes(page_with(content))
    return path


async def names(page: Any) -> list[str]:
    found: list[str] = await page.locator("tbody .pick").all_inner_texts()
    return found


def colours(picture: Image.Image) -> int:
    """How many there are in it: hundreds in a drawn molecule, a few in nothing."""
    return len(set(picture.get_flattened_data()))


async def drawn(
    page: Any, is_drawn: Callable[[Image.Image], bool] = lambda picture: colours(picture) > 500, part: str = "#viewer"
) -> Image.Image:
    """What this part of the page or frame looks like, when it is what is meant: software that draws is a frame late."""
    for _ in range(40):
        picture = Image.open(io.BytesIO(await page.locator(part).screenshot())).convert("RGB")
        if is_drawn(picture):
            return picture
    raise AssertionError(f"{part} does not show what is meant")
