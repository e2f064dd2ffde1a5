"""A platform with files, and a client of it."""

from collections.abc import AsyncIterator

import pytest

from deeporigin_mcp.platform import DeepOriginClient
from tests.support.fake_time import FakeTime
from tests.support.file_store import FileStore
from tests.support.recording import Recorder, client_for, recording


@pytest.fixture
async def files(server: Recorder) -> AsyncIterator[FileStore]:
    async with recording() as elsewhere:
        yield FileStore(server, elsewhere)


@pytest.fixture
async def client(files: FileStore, time: FakeTime) -> AsyncIterator[DeepOriginClient]:
    async with client_for(files.platform, time.timing) as client:
        yield client
