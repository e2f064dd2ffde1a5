"""A simulator with a clock that only the tests move, spoken to over real HTTP."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from deeporigin import config as official_config
from deeporigin.platform import client as official_client
from deeporigin.platform import executions as official_executions
from deeporigin.platform.client import DeepOriginClient

from deeporigin_mcp.simulator import ManualClock, Platform, make_token, running_simulator
from tests.support.api import (
    ACME_PROJECT,
    PROJECT,
    Api,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def platform(clock: ManualClock) -> Platform:
    platform = Platform(clock=clock)
    for name in ("a.sdf", "b.sdf", "c.sdf", "library.json"):
        platform.add_file(name)
    platform.add_file("a.csv", b"smiles,name\nCCO,ethanol\n")
    return platform


@pytest.fixture
def base_url(platform: Platform) -> Iterator[str]:
    with running_simulator(platform) as simulator:
        yield simulator.base_url


@pytest.fixture
def api(base_url: str) -> Iterator[Api]:
    api = Api(base_url)
    with api.http:
        yield api


@pytest.fixture
def acme(base_url: str) -> Iterator[Api]:
    api = Api(base_url, "acme")
    with api.http:
        yield api


@pytest.fixture
def automatic(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The clock, now jumping to whatever instant a request waits for."""
    monkeypatch.setattr(clock, "_auto_advance", True)
    return clock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the official client, which writes there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DO_ENV", "DO_BASE_URL", "DO_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(official_config, "CONFIG_JSON_LOCATION", tmp_path / ".deeporigin" / "config.json")
    return tmp_path


@pytest.fixture(autouse=True)
def official_time(clock: ManualClock, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the official client the simulated time: its pauses move it. Forget its clients afterwards."""
    simulated = SimpleNamespace(
        sleep=clock.advance, monotonic=lambda: clock.now().timestamp(), time=lambda: clock.wall_now().timestamp()
    )
    monkeypatch.setattr(official_executions, "time", simulated)
    monkeypatch.setattr(official_client, "time", simulated)
    yield
    for client in list(DeepOriginClient._instances.values()):
        client.close()


@pytest.fixture
def official(base_url: str) -> DeepOriginClient:
    """The official client in the organisation deeporigin."""
    return DeepOriginClient(base_url=base_url, token=make_token(), org_key="deeporigin", project_id=PROJECT)


@pytest.fixture
def acme_official(base_url: str) -> DeepOriginClient:
    """The official client in the organisation acme."""
    return DeepOriginClient(base_url=base_url, token=make_token(), org_key="acme", project_id=ACME_PROJECT)
