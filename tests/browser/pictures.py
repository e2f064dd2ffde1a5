"""Pictures of pages for the documents."""

from __future__ import annotations

import os
from typing import Any

from tests.support.node import ROOT

IMAGES = ROOT / "docs" / "images"


async def take(page: Any, name: str) -> None:
    """Look at the page; with `UPDATE_SCREENSHOTS=1` also keep what is seen, in `docs/images`."""
    picture = await page.screenshot()
    assert len(picture) > 1_000
    if os.environ.get("UPDATE_SCREENSHOTS"):
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(picture)
