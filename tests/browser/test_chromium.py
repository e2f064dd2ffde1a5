"""The browser of these tests speaks to this machine only."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.chromium import FOREIGN_SITE

pytestmark = pytest.mark.anyio


async def test_it_opens_no_connection_that_leaves_this_machine(chromium: Any) -> None:
    page = await chromium.new_page()
    for address in ("https://example.com", "http://192.0.2.1:9", f"http://{FOREIGN_SITE}:9"):
        with pytest.raises(Exception, match=r"net::ERR"):
            await page.goto(address, timeout=3000)
    await page.close()
