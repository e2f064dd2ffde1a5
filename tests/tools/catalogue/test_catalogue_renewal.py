"""The list of platform tools is kept for minutes and renewed in the background; no call waits for a renewal."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.clients.tools import CATALOGUE_KEPT_SECONDS, CATALOGUE_PAUSE_SECONDS, CATALOGUE_SECONDS
from tests.support.bench import Agent, Bench, docking

pytestmark = pytest.mark.anyio

LIST = "/tools/protected/tools/definitions"


def lists(bench: Bench) -> int:
    return bench.sent("GET").count(LIST)


async def until_listed(bench: Bench, count: int) -> None:
    """Until the platform has been asked so often and the client has read the answer."""
    with anyio.fail_after(20):
        while lists(bench) < count or bench.clients[-1].tools._refreshing.locked():
            await checkpoint()


async def keys(agent: Agent) -> set[str]:
    return {row["tool_key"] for row in (await agent.read("find_platform_tools", limit=100))["tools"]}


def add_tool(bench: Bench) -> None:
    """The platform gets a new tool."""
    known = bench.platform.catalogue.definitions
    known.append(dataclasses.replace(known[0], key="acme.new-tool", version="1.0.0"))


async def test_a_fresh_list_is_asked_for_once(agent: Agent, bench: Bench) -> None:
    for _ in range(3):
        await keys(agent)
        await bench.time.timing.sleep(CATALOGUE_SECONDS / 4)
    assert lists(bench) == 1


async def test_a_tool_that_was_described_is_not_asked_for_again_by_its_quote(agent: Agent, bench: Bench) -> None:
    asked = "/tools/protected/tools/deeporigin.docking/latest/definitions"
    for _ in range(2):
        await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
        await agent.read("create_execution", **docking("CCO"))
    assert bench.sent("GET").count(asked) == 1
    await bench.time.timing.sleep(CATALOGUE_SECONDS)
    await agent.read("create_execution", **docking("CCO"))
    assert bench.sent("GET").count(asked) == 2


async def test_first_calls_at_the_same_time_share_one_request(agent: Agent, bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(keys, agent)
    assert lists(bench) == 1


async def test_first_calls_at_the_same_time_share_one_failure(bench: Bench) -> None:
    client = bench.connect(bench.settings())
    bench.fault(f"GET {LIST} status=500")
    failures: list[PlatformError] = []

    async def ask() -> None:
        with pytest.raises(PlatformError) as raised:
            await client.tools.catalogue()
        failures.append(raised.value)

    async with client, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask)
    assert len(failures) == 8
    assert lists(bench) == 4, "one request and its three repetitions"


async def test_a_stale_list_is_used_at_once_while_one_request_renews_it(agent: Agent, bench: Bench) -> None:
    before = await keys(agent)
    add_tool(bench)
    await bench.time.timing.sleep(CATALOGUE_SECONDS)
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(keys, agent)
    assert await keys(agent) >= before
    await until_listed(bench, 2)
    assert await keys(agent) == {*before, "acme.new-tool"}
    assert lists(bench) == 2


async def test_a_renewal_that_hangs_holds_nobody_up(agent: Agent, bench: Bench) -> None:
    before = await keys(agent)
    await bench.time.timing.sleep(CATALOGUE_SECONDS)
    bench.fault(f"GET {LIST} delay=1000")
    for _ in range(3):
        assert await keys(agent) == before
    assert lists(bench) <= 2


async def test_a_failing_renewal_keeps_the_old_list_for_a_bounded_time(
    agent: Agent, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    before = await keys(agent)
    bench.fault(f"GET {LIST} status=401")
    await bench.time.timing.sleep(CATALOGUE_SECONDS)
    assert await keys(agent) == before
    await until_listed(bench, 2)
    assert await keys(agent) == before
    assert lists(bench) == 2, "not asked again at once"
    await bench.time.timing.sleep(CATALOGUE_PAUSE_SECONDS)
    assert await keys(agent) == before
    await until_listed(bench, 3)
    assert "could not be renewed: CredentialError" in caplog.text
    await bench.time.timing.sleep(CATALOGUE_KEPT_SECONDS)
    assert (await agent.error("find_platform_tools")).code == "credentials"
    bench.heal()
    assert await keys(agent) == before


async def test_a_bug_in_a_renewal_ends_neither_the_server_nor_the_list(
    agent: Agent, bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await keys(agent)

    async def broken() -> list[Any]:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(bench.clients[-1].tools, "list", broken)
    caplog.set_level(logging.WARNING)
    await bench.time.timing.sleep(CATALOGUE_SECONDS)
    assert await keys(agent) == before
    await checkpoint()
    assert await keys(agent) == before
    assert "secret" not in caplog.text


async def test_a_caller_that_gives_up_leaves_the_list_to_the_next(bench: Bench) -> None:
    client = bench.connect(bench.settings())
    bench.fault(f"GET {LIST} delay=1000 times=1")
    async with client, anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as given_up:
            given_up.start_soon(client.tools.catalogue)
            while not bench.platform.faults[0].fired:
                await checkpoint()
            given_up.cancel_scope.cancel()
        tasks.start_soon(client.tools.catalogue)
        assert await client.tools.catalogue()
    assert lists(bench) == 1, "the one that was given up is not on record"
