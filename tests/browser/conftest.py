"""A Chromium for each test: its event loop ends with the test, and nothing of one reaches the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.browser.chromium import running_chromium


@pytest.fixture
async def chromium(anyio_backend: str) -> AsyncIterator[Any]:
    """Playwright's `Browser`."""
    async with running_chromium() as browser:
        yield browser
