"""Time that does not pass, and a platform that answers what the test tells it to."""

from collections.abc import AsyncIterator

import pytest

from tests.platform.fake_time import FakeTime
from tests.platform.recording import Recorder, recording


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder
