"""A client that cancels its call at any moment: what was sent goes on, is done once, and is on record."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import Platform, make_token, running_simulator
from deeporigin_mcp.tools.executions import create_execution
from tests.faults import proxy as faults
from tests.faults.calls import (
    CONFIRM,
    CREATION,
    LIST,
    OF_A_CONFIRMATION,
    OF_A_CREATION,
    OF_A_CREATION_WITH_A_START,
    PROJECT,
    places,
)
from tests.faults.proxy import MOMENTS, FaultProxy, Moment, Place, fault_proxy
from tests.support.errors import error_of

pytestmark = pytest.mark.anyio

ONCE_SENT = ("the confirmation", "the state")
"""Where a confirmation was sent already, and goes on whoever is gone."""


class Bench:
    """A platform behind a proxy that can hold one request back."""

    def __init__(self, platform: Platform, proxy: FaultProxy, caplog: pytest.LogCaptureFixture) -> None:
        self.platform = platform
        self.proxy = proxy
        self._log = caplog
        self._reached = threading.Event()
        self._released = threading.Event()

    def hold(self, place: Place, moment: Moment) -> None:
        def wait() -> None:
            self._reached.set()
            self._released.wait(20)

        self.proxy.cut(place, moment, wait)

    def release(self) -> None:
        self._released.set()
        self.proxy.heal()

    def quoted(self) -> str:
        return self.platform.seed_executions(status="Quoted", project_id=PROJECT)[0]

    @asynccontextmanager
    async def agent(self, **values: Any) -> AsyncIterator[Client]:
        settings = Settings.model_validate(
            {
                "token": make_token(),
                "org_key": "deeporigin",
                "project_id": PROJECT,
                "base_url": self.proxy.base_url,
                "session": "cancelling",
                "auto_approve_up_to": 1000,
                **values,
            }
        )
        async with Client(create_server(settings, connect=DeepOriginClient)) as client:
            yield client

    async def cancelled_at_the_held_request(self, client: Client, tool: str, arguments: dict[str, Any]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, tool, arguments)
            await until(self._reached.is_set)
            tasks.cancel_scope.cancel()
        await until(lambda: [line["outcome"] for line in self.lines("calls")] == ["cancelled"])

    def lines(self, log: str) -> list[dict[str, Any]]:
        records = [record for record in self._log.records if record.name == f"deeporigin_mcp.{log}"]
        return [json.loads(record.getMessage()) for record in records]

    def decisions(self, name: str) -> list[str]:
        return [line["decision"] for line in self.lines("audit") if line["execution_id"] == name]


async def until(holds: Any) -> None:
    with anyio.fail_after(20):
        while not holds():
            await anyio.lowlevel.checkpoint()


@pytest.fixture
def bench(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # The wait for a run's end would be one in real time, and the runs here do not end.
    monkeypatch.setattr(create_execution, "ENDED_SECONDS", 0)
    caplog.set_level(logging.INFO, "deeporigin_mcp")
    platform = Platform()
    with running_simulator(platform) as simulator, fault_proxy(simulator.base_url) as proxy:
        made = Bench(platform, proxy, caplog)
        yield made
        made.release()


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


async def read(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured content of a success."""
    result = await called(client, tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content or {}


async def test_the_places_are_all_the_requests_of_a_call(bench: Bench) -> None:
    for tool, arguments, known in (
        ("create_execution", CREATION, OF_A_CREATION),
        ("create_execution", {**CREATION, "idempotency_key": "another", "start": True}, OF_A_CREATION_WITH_A_START),
        ("confirm_execution", {"execution_id": bench.quoted(), "wait_seconds": 0}, OF_A_CONFIRMATION),
    ):
        async with bench.agent(budget=1000) as client:
            bench.proxy.seen.clear()
            await read(client, tool, arguments)
        # What follows waits for the run's end.
        assert places(bench.proxy.seen, known)[: len(known)] == [*known]


@pytest.mark.parametrize("place", OF_A_CONFIRMATION)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_confirmation_cancelled_anywhere_starts_once_and_only_on_record(
    bench: Bench, moment: Moment, place: str
) -> None:
    name = bench.quoted()
    async with bench.agent(budget=1000) as client:
        bench.hold(OF_A_CONFIRMATION[place], moment)
        await bench.cancelled_at_the_held_request(
            client, "confirm_execution", {"execution_id": name, "wait_seconds": 0}
        )
        bench.release()
        was_sent = place in ONCE_SENT
        if was_sent:
            await until(lambda: bench.platform.confirms)
        assert bench.decisions(name) == ["approved"] * was_sent

        again = await called(client, "confirm_execution", {"execution_id": name, "wait_seconds": 0})

    assert bench.platform.confirms == [name]
    assert bool(again.is_error) is was_sent
    assert not was_sent or error_of(again) == ("not_quoted", "nothing_started")
    assert bench.decisions(name) == (["approved"] if not was_sent else ["approved", "refused"])


async def test_a_confirmation_that_is_refused_after_its_call_was_cancelled_gives_the_budget_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    name = bench.quoted()
    async with bench.agent() as client:
        price = (await read(client, "get_execution", {"execution_id": name}))["quoted_price"]
    caplog.clear()
    refusal = faults.problem("403 Forbidden", is_approved=False, detail="No money")
    released = threading.Event()
    reached = threading.Event()

    def refuse_late(socket: Any) -> None:
        reached.set()
        released.wait(20)
        refusal(socket)

    async with bench.agent(budget=price) as client:
        bench.proxy.break_with(CONFIRM, refuse_late)
        bench._reached = reached
        await bench.cancelled_at_the_held_request(
            client, "confirm_execution", {"execution_id": name, "wait_seconds": 0}
        )
        assert bench.decisions(name) == ["approved"]
        released.set()
        await until(lambda: len(bench.lines("calls")) == 2)
        assert bench.decisions(name) == ["approved", "not started"]
        late = bench.lines("calls")[1]
        assert (late["tool"], late["after_call"], late["outcome"]) == ("confirm_execution", True, "refused")
        assert (late["error"], late["request_ids"]) == ("RestrictionError", [faults.REQUEST_ID])

        bench.proxy.heal()
        other = bench.quoted()
        await read(client, "confirm_execution", {"execution_id": other, "wait_seconds": 0})

    assert bench.platform.confirms == [other]


@pytest.mark.parametrize("place", OF_A_CREATION)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_creation_cancelled_anywhere_and_asked_for_again_happens_once(
    bench: Bench, moment: Moment, place: str
) -> None:
    async with bench.agent() as client:
        bench.hold(OF_A_CREATION[place], moment)
        await bench.cancelled_at_the_held_request(client, "create_execution", CREATION)
        bench.release()
        found = await read(client, "create_execution", CREATION)
    (made,) = bench.platform.creates
    assert found["execution_id"] == made


@pytest.mark.parametrize("place", OF_A_CREATION_WITH_A_START)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_creation_with_a_start_cancelled_anywhere_and_asked_for_again_starts_once(
    bench: Bench, moment: Moment, place: str
) -> None:
    arguments = {**CREATION, "start": True}
    async with bench.agent(budget=1000) as client:
        bench.hold(OF_A_CREATION_WITH_A_START[place], moment)
        await bench.cancelled_at_the_held_request(client, "create_execution", arguments)
        bench.release()
        if place in ONCE_SENT:
            await until(lambda: bench.platform.confirms)
        found = await read(client, "create_execution", arguments)
    (made,) = bench.platform.creates
    assert found["execution_id"] == made
    assert bench.platform.confirms == [made]
    assert bench.decisions(made) == ["approved"]


async def test_a_creation_that_ends_while_its_key_is_looked_for_is_not_sent_again(bench: Bench) -> None:
    async with bench.agent() as client:
        bench.hold(OF_A_CREATION["the creation"], MOMENTS[0])
        await bench.cancelled_at_the_held_request(client, "create_execution", CREATION)

        def end_the_creation() -> None:
            # The list was read before the creation, and its answer arrives after that.
            bench.release()
            while len(bench.lines("calls")) < 2:
                threading.Event().wait(0.001)

        bench.proxy.cut(Place(LIST), MOMENTS[1], end_the_creation)
        found = await read(client, "create_execution", CREATION)
    (made,) = bench.platform.creates
    assert found["execution_id"] == made
