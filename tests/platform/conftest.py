"""Time that does not pass, and a platform that answers what the test tells it to."""

import functools
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.fake_time import FakeTime
from tests.support.recording import Recorder, recording


@pytest.fixture(scope="package", autouse=True)
def _one_tls_context() -> Iterator[None]:
    """Each client would load all root certificates anew; no test here speaks TLS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder
