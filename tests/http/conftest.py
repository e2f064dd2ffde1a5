"""A running application for the tests over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.bench import Bench
from tests.support.site import Site, running_site


@pytest.fixture
async def site(bench: Bench, anyio_backend: str) -> AsyncIterator[Site]:
    async with running_site(bench) as found:
        yield found
