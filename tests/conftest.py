"""What tests of all rooms share: asyncio, an environment without the developer's credentials, a platform to talk to."""

from __future__ import annotations

import functools
import gc
import json
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.support.bench import Agent, Bench
    from tests.support.browser import Browser

# How long an example takes to make is a matter of the machine.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run of CI: what chance finds is found on a developer's machine.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

SLOWEST = (
    "evals/test_official_journeys.py",
    "evals/test_runner.py",
    "faults/test_killed.py",
    "http/test_isolation.py",
    "http/test_serving.py",
    "http/test_swelling.py",
    "http/test_workers.py",
    "test_cli.py",
    "test_demo.py",
    "test_docs.py",
    "test_examples.py",
    "test_notify.py",
    "test_packaging.py",
    "test_readme.py",
    "test_simulator_command.py",
    "test_stdio.py",
    "test_stdio_subscriptions.py",
    "test_wait.py",
    "tools/approvals/test_audit.py",
    "tools/approvals/test_ledger.py",
    "tools/executions/test_list_executions.py",
    "tools/protocol/test_toolsets.py",
    "tools/responses/test_size_limit.py",
    "tools/spending/test_raw_answers.py",
)
"""Tests that take seconds or wait for processes: run first, so that none of them is left to one worker at the end."""

FOREIGN = ("DO_", "DEEPORIGIN_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_")
"""Beginnings of variables that must not reach a test, in any case."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: not item.path.relative_to(here).as_posix().startswith(SLOWEST))


def pytest_collection_finish() -> None:
    # Modules and tests stay to the end: no garbage collection needs to look at them again.
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Reports go from process to process, which takes no halves of characters; some tests log them."""
    return _whole((yield))


def _whole(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {key: _whole(value) for key, value in data.items()}
    return type(data)(map(_whole, data)) if isinstance(data, list | tuple) else data


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def _empty_home() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        yield home


@pytest.fixture(autouse=True)
def _nothing_of_the_developer(monkeypatch: pytest.MonkeyPatch, _empty_home: str) -> None:
    """No test reads the credentials or files of whoever runs it, nor the ledger of another test."""
    for name in [*os.environ]:
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, _empty_home)
    monkeypatch.setenv("XDG_STATE_HOME", f"{_empty_home}/{uuid.uuid4()}")


@pytest.fixture
def built(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pages as `scripts/apps` would have built them, as far as a client without a browser sees them."""
    from deeporigin_mcp.apps import pages

    folder = tmp_path_factory.mktemp("built")
    for name in ("results", "card", "monitor"):
        html = f'<!doctype html><title>{name}</title><script type="application/json" id="data">null</script><p>after'
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    monkeypatch.setattr(pages, "BUILT", folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _the_sdk_thinks_once() -> Iterator[None]:
    """What the SDK works out anew for each server and client is the same in all: 25 ms of processor time in most tests.

    A client checks the output schema of each tool that it calls, and a server makes the schema of each template.
    """
    from mcp.server.mcpserver.resources import ResourceTemplate

    check, valid = Draft202012Validator.check_schema, set[str]()

    def check_once(schema: Any) -> None:
        if (text := json.dumps(schema)) not in valid:
            check(schema)
            valid.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", check_once)
        patch.setattr(ResourceTemplate, "from_function", functools.cache(ResourceTemplate.from_function))
        yield


@pytest.fixture(scope="module")
def module_bench() -> Iterator[Bench]:
    """The bench on which the tests of a module marked `one_bench` take turns."""
    from tests.support.bench import running_bench

    with running_bench() as found:
        yield found


@pytest.fixture(scope="module")
async def module_agent(module_bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    """The agent of a module marked `one_bench`."""
    async with module_bench.agent() as found:
        yield found


@pytest.fixture
def own_bench() -> Iterator[Bench]:
    """The bench of one test; ask for `bench`."""
    from tests.support.bench import running_bench

    with running_bench() as found:
        yield found


@pytest.fixture
async def own_agent(bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    """The agent of one test; ask for `agent`."""
    async with bench.agent() as found:
        yield found


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Bench:
    """A simulated platform whose time passes only where somebody sleeps, and servers in front of it."""
    found: Bench = request.getfixturevalue(f"{_whose(request)}_bench")
    return found


@pytest.fixture
def agent(request: pytest.FixtureRequest) -> Agent:
    """An MCP client of a server with the default settings."""
    found: Agent = request.getfixturevalue(f"{_whose(request)}_agent")
    return found


def _whose(request: pytest.FixtureRequest) -> str:
    return "module" if request.node.get_closest_marker("one_bench") else "own"


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The browser and the runtime directory of the user of this process."""
    from tests.support.browser import Browser

    found = Browser.made(tmp_path)
    for name, value in found.variables().items():
        monkeypatch.setenv(name, value)
    yield found
    os.close(found.pipe)
