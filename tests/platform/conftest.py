"""Async tests run on asyncio; nothing in the environment of the test run reaches the client under test."""

from collections.abc import AsyncIterator

import pytest

from tests.platform.fake_time import FakeTime
from tests.platform.recording import Recorder, recording

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Recorder]:
    """A platform that answers what the test tells it to, and remembers what it was asked."""
    async with recording() as recorder:
        yield recorder
