"""One Chromium for all tests, and for each test a profile of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.browser.chromium import running_chromium


@pytest.fixture(scope="session")
async def chromium(anyio_backend: str) -> AsyncIterator[Any]:
    """Playwright's `Browser`."""
    async with running_chromium() as browser:
        yield browser
