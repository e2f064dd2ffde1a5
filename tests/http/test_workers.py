"""Two processes behind one address: no request needs the process that served the one before it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from tests.support.bench import ERAS, SESSION, Bench, docking, running_bench
from tests.support.people import Person, quoted
from tests.support.questions import answer, ask
from tests.support.site import ADA, EVE
from tests.support.task_client import MODERN, TakesTasks, get_task, handle_of
from tests.support.waiting_server import started
from tests.support.workers import FACTORY, Balancer, Worker, balancer, workers

pytestmark = pytest.mark.anyio

BOTH = {0, 1}
CALL = "tools/call"


@dataclass
class Cluster:
    """Two workers and their common address."""

    bench: Bench
    workers: list[Worker]
    front: Balancer

    @contextlib.asynccontextmanager
    async def client(
        self, headers: dict[str, str] = ADA, *, mode: str = "auto", person: Person | None = None, **values: Any
    ) -> AsyncIterator[Client]:
        reply = person.reply if person is not None else None
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(
                streamable_http_client(f"{self.front.base_url}/mcp", http_client=http),
                mode=mode,
                elicitation_callback=reply,
                **values,
            ) as client,
        ):
            yield client

    async def read(self, client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
        found = await client.call_tool(tool, arguments)
        assert isinstance(found, CallToolResult)
        assert not found.is_error, found.content
        content: dict[str, Any] = found.structured_content
        return content


@contextlib.asynccontextmanager
async def running_cluster(home: Path, **values: Any) -> AsyncIterator[Cluster]:
    with running_bench() as bench:
        # The workers live in real time.
        bench.clock.advance_to(datetime.now(UTC))
        with workers(2, home, bench.base_url, **values) as found:
            async with balancer(found) as front:
                yield Cluster(bench, found, front)


@pytest.fixture(scope="module")
async def shared(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A cluster for those who do it no harm."""
    async with running_cluster(tmp_path_factory.mktemp("home")) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    shared.front.served.clear()
    return shared


async def everything_works(cluster: Cluster) -> None:
    bench = cluster.bench
    before = len(bench.platform.creates)
    for mode in ERAS:
        cluster.front.served.clear()
        async with cluster.client(mode=mode) as client:
            # Plain calls.
            workspaces = [await cluster.read(client, "get_workspace") for _ in range(2)]
            for workspace in workspaces:
                # A second may pass from one to the other.
                del workspace["time"]
            assert workspaces[0] == workspaces[1]
            assert workspaces[0]["session"] == SESSION
            # The same key, given to the other worker, finds the execution of the first.
            same = docking() | {"idempotency_key": f"key-{mode}"}
            made = [await cluster.read(client, "create_execution", **same) for _ in range(2)]
            assert made[0]["execution_id"] == made[1]["execution_id"]
            assert "nothing new was created" in made[1]["next_step"]
            # A wait, and going on with it.
            name = await started(bench)
            waits = [
                await cluster.read(client, "wait_executions", execution_ids=[name], timeout_seconds=0) for _ in range(2)
            ]
            assert [wait["all_done"] for wait in waits] == [False, False]
            bench.clock.advance(3600)
            assert (await cluster.read(client, "wait_executions", execution_ids=[name]))["all_done"]
        assert cluster.front.workers_of(CALL) == BOTH
    assert len(bench.platform.creates) - before == 2 * len(ERAS)


async def test_two_workers_are_one_server(cluster: Cluster) -> None:
    await everything_works(cluster)


async def test_two_workers_of_another_asgi_server_are_one_too(tmp_path: Path) -> None:
    async with running_cluster(tmp_path, command=FACTORY) as cluster:
        await everything_works(cluster)


async def test_an_elicitation_is_answered_to_the_other_worker(cluster: Cluster) -> None:
    names = [quoted(cluster.bench, 5) for _ in range(3)]
    person = Person()
    async with cluster.client(person=person) as client:
        for name in names:
            cluster.front.served.clear()
            confirmed = await client.call_tool("confirm_execution", {"execution_id": name, "wait_seconds": 0})
            assert not confirmed.is_error, confirmed.content
            rounds = [number for number, method in cluster.front.served if method == CALL]
            assert sorted(rounds) == [0, 1]
    assert len(person.questions) == 3
    assert cluster.bench.platform.confirms[-3:] == names


async def test_an_answer_is_its_callers_on_the_other_worker_too(cluster: Cluster) -> None:
    name = quoted(cluster.bench, 5)
    async with cluster.client(person=Person()) as ada, cluster.client(EVE, person=Person()) as eve:
        asked = await ask(ada, name)
        for _ in range(2):
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await answer(eve, name, asked)
        assert cluster.front.workers_of(CALL) == BOTH
        assert name not in cluster.bench.platform.confirms
        assert '"Created"' in (await answer(ada, name, asked)).model_dump_json()


async def test_a_task_of_one_worker_is_polled_at_the_other(cluster: Cluster) -> None:
    name = await started(cluster.bench)

    async def pass_by(milliseconds: int) -> None:
        cluster.bench.clock.advance(milliseconds / 1000)

    taker = TakesTasks(pass_by)
    async with cluster.client(mode=MODERN, extensions=[taker]) as client:
        done = await client.call_tool("wait_executions", {"execution_ids": [name], "poll_interval_seconds": 30})
    assert cluster.front.workers_of("tasks/get") == BOTH
    assert (done.structured_content or {})["all_done"] is True
    assert len({(state.task_id, state.created_at) for state in taker.states}) == 1


async def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path) -> None:
    began = anyio.Event()
    failures: list[Exception] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        began.set()

    async with running_cluster(tmp_path) as cluster:
        name, other = await started(cluster.bench), quoted(cluster.bench, 5)
        async with cluster.client(mode=MODERN, extensions=[TakesTasks()]) as client:
            task = await handle_of(client, "wait_executions", {"execution_ids": [name]})
        async with cluster.client(person=Person()) as client, anyio.create_task_group() as tasks:
            await client.list_tools()
            asked = await ask(client, other)

            async def wait() -> None:
                arguments = {"execution_ids": [name]}
                try:
                    await client.call_tool("wait_executions", arguments, progress_callback=progress)
                except (MCPError, httpx2.HTTPError) as failure:
                    failures.append(failure)

            tasks.start_soon(wait)
            await began.wait()
            (number,) = [served for served, method in cluster.front.served if method == CALL][-1:]
            dead, alive = cluster.workers[number], cluster.workers[1 - number]
            dead.process.send_signal(signal.SIGKILL)
            await dead.ended()
        async with cluster.client(mode=MODERN, person=Person(), extensions=[TakesTasks()]) as client:
            # What the dead one had promised, the other keeps.
            assert '"Created"' in (await answer(client, other, asked)).model_dump_json()
            cluster.bench.clock.advance(3600)
            for _ in range(3):
                look = await cluster.read(client, "wait_executions", execution_ids=[name], timeout_seconds=0)
                assert look["all_done"]
            assert (await get_task(client.session, task.task_id)).status == "completed"
        assert alive.process.poll() is None
    assert len(failures) == 1


async def test_a_worker_that_stops_loses_no_call(tmp_path: Path) -> None:
    waits: list[dict[str, Any]] = []
    began = [anyio.Event(), anyio.Event()]

    async with running_cluster(tmp_path) as cluster, anyio.create_task_group() as tasks:
        name = await started(cluster.bench)

        async def wait(event: anyio.Event) -> None:
            async def progress(progress: float, total: float | None, message: str | None) -> None:
                event.set()

            async with cluster.client() as client:
                await client.list_tools()
                found = await client.call_tool("wait_executions", {"execution_ids": [name]}, progress_callback=progress)
                waits.append(found.structured_content or {})

        for event in began:
            tasks.start_soon(wait, event)
            await event.wait()
        cluster.workers[0].process.send_signal(signal.SIGTERM)
        await cluster.workers[0].until_it_takes_no_more()
        async with cluster.client() as client:
            for _ in range(4):
                await cluster.read(client, "list_executions")
        cluster.bench.clock.advance(3600)
        assert (await cluster.workers[0].ended())[0] == 0
    assert [wait["all_done"] for wait in waits] == [True, True]


async def test_a_budget_is_kept_by_both_workers(tmp_path: Path) -> None:
    async with (
        running_cluster(tmp_path, DEEPORIGIN_MCP_BUDGET="10") as cluster,
        cluster.client(person=Person()) as client,
    ):
        names = [quoted(cluster.bench, 4, session=SESSION) for _ in range(4)]
        refused = [
            bool((await client.call_tool("confirm_execution", {"execution_id": name, "wait_seconds": 0})).is_error)
            for name in names
        ]
        assert cluster.front.workers_of(CALL) == BOTH
        assert refused == [False, False, True, True]
        assert cluster.bench.platform.confirms == names[:2]


async def test_at_the_same_moment_both_workers_keep_one_budget_and_send_one_confirmation(tmp_path: Path) -> None:
    limits = {"DEEPORIGIN_MCP_BUDGET": "10", "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "10"}
    async with running_cluster(tmp_path, **limits) as cluster, contextlib.AsyncExitStack() as stack:
        # Nobody's session: the platform's record of ours shows none of them.
        names = [quoted(cluster.bench, 4, session="theirs") for _ in range(5)]
        clients = []
        for worker in cluster.workers:
            cluster.front = await stack.enter_async_context(balancer([worker]))
            clients.append(await stack.enter_async_context(cluster.client()))
        async with anyio.create_task_group() as tasks:
            for name in names:
                for client in clients:
                    tasks.start_soon(client.call_tool, "confirm_execution", {"execution_id": name, "wait_seconds": 0})
        assert len(cluster.bench.platform.confirms) == len(cluster.bench.sent("PATCH", ":confirm")) == 2
        spending = [(await cluster.read(client, "get_workspace"))["spending"]["spent"] for client in clients]
        assert spending == [8, 8]


async def test_a_worker_that_is_killed_while_it_confirms_takes_its_spending_with_it_to_nobody(tmp_path: Path) -> None:
    limits = {"DEEPORIGIN_MCP_BUDGET": "5", "DEEPORIGIN_MCP_AUTO_APPROVE_UP_TO": "5"}
    async with running_cluster(tmp_path, **limits) as cluster:
        sent, other = quoted(cluster.bench, 4, session=SESSION), quoted(cluster.bench, 4, session=SESSION)
        cluster.bench.fault("PATCH *:confirm delay=30 times=1")
        async with anyio.create_task_group() as tasks:

            async def confirm() -> None:
                with contextlib.suppress(Exception):
                    async with cluster.client() as client:
                        await client.call_tool("confirm_execution", {"execution_id": sent, "wait_seconds": 0})

            tasks.start_soon(confirm)
            async with cluster.client() as client:
                while not cluster.bench.platform.faults[0].fired:
                    await cluster.read(client, "get_execution", execution_id=other)
            for worker in cluster.workers:
                worker.process.kill()
                await worker.ended()
            tasks.cancel_scope.cancel()
        with workers(1, tmp_path, cluster.bench.base_url, **limits) as again:
            async with balancer(again) as front:
                cluster.front = front
                async with cluster.client() as client:
                    refused = await client.call_tool("confirm_execution", {"execution_id": other, "wait_seconds": 0})
                    assert refused.is_error
                    assert (await cluster.read(client, "get_workspace"))["spending"]["left"] == 1
        assert cluster.bench.platform.status(other) == "Quoted"
