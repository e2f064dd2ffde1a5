"""Whose state is kept, how many, and for how long."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import anyio
import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import MCPError
from mcp_types import INTERNAL_ERROR
from starlette.datastructures import Headers

from deeporigin_mcp.errors import BusyError, NetworkError
from deeporigin_mcp.http import known_callers
from deeporigin_mcp.http.callers import (
    CONNECTED_SECONDS,
    IDLE_SECONDS,
    SWEEP_SECONDS,
    CallerLimits,
    CallerPool,
    _digest,
    _token,
)
from deeporigin_mcp.platform import DeepOriginClient, ListQuery, Timing
from deeporigin_mcp.platform.transport.retry import RetryPolicy
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import TOKEN_HEADER
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from deeporigin_mcp.tools.catalogue.definitions import definitions_of
from deeporigin_mcp.tools.runtime.state import BackgroundWork, ServerState
from tests.support.bench import ERAS, PROJECT, Bench
from tests.support.recording import Reply, Request, recording
from tests.support.site import ADA, EVE, Site, credentials, on_a_port, operator, request, routing, running_site, token
from tests.support.task_client import MODERN, TakesTasks, get_task, handle_of

pytestmark = pytest.mark.anyio

OPERATOR = Settings()


class Hours:
    """A clock that moves only by `pass_by`, and wakes whoever sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._moved = anyio.Event()

    @property
    def timing(self) -> Timing:
        return Timing(wall=lambda: 1e9, monotonic=lambda: self.seconds, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            await self._moved.wait()

    async def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
        await anyio.wait_all_tasks_blocked()


class Watched(DeepOriginClient):
    """A client that knows whether it was closed."""

    is_closed = False

    async def __aexit__(self, *raised: Any) -> None:
        await super().__aexit__(*raised)
        self.is_closed = True


def watched(settings: Settings) -> DeepOriginClient:
    return Watched(settings)


def is_closed(state: ServerState) -> bool:
    assert isinstance(state.client, Watched)
    return state.client.is_closed


@contextlib.asynccontextmanager
async def open_pool(hours: Hours | None = None, **limits: int) -> AsyncIterator[CallerPool]:
    timing = (hours or Hours()).timing
    pool = CallerPool(OPERATOR, connect=watched, timing=timing, limits=CallerLimits(**limits))
    async with pool.open(AuditLog(None)):
        yield pool


def caller(org: str = "deeporigin", who: str = "ada", project: str = "") -> Settings:
    return OPERATOR.for_caller(token(org, who), org, project)


def meet(pool: CallerPool, settings: Settings) -> None:
    """As the platform's serving a request with this token."""
    pool._known.add(pool._caller(_token(settings)))


@contextlib.contextmanager
def busy(code: str) -> Iterator[None]:
    """A request beyond the limit of this code."""
    with pytest.raises(BusyError) as caught:
        yield
    assert (caught.value.code, caught.value.outcome) == (code, "nothing_changed")


def knows(pool: CallerPool, name: str) -> bool:
    return name in pool._known


async def used(pool: CallerPool, settings: Settings) -> ServerState:
    """A caller's state, after a request with it that the platform has served."""
    async with pool.state_for(settings) as state:
        assert state.uses >= 1
        assert state.settings == settings
        meet(pool, settings)
        return state


async def test_a_caller_finds_its_own_state_again_and_nobody_elses() -> None:
    callers = [caller(), caller("acme"), caller(who="bob"), caller(project="p"), caller(project="q")]
    async with open_pool() as pool:
        first = [await used(pool, settings) for settings in callers]
        again = [await used(pool, settings) for settings in callers]
        assert [id(state) for state in first] == [id(state) for state in again]
        assert len({id(state) for state in first}) == len(pool) == len(callers)
        assert len({id(state.client) for state in first}) == len(callers)
    assert all(is_closed(state) for state in first)


async def test_only_callers_of_one_organisation_share_what_their_budget_is_counted_by() -> None:
    async with open_pool() as pool:
        ada, bob, eve = [await used(pool, settings) for settings in (caller(), caller(who="bob"), caller("acme"))]
    assert ada.scope == bob.scope
    assert eve.scope != ada.scope
    assert ada.creations is not bob.creations
    assert ada.creating is not bob.creating


async def test_a_state_that_nobody_uses_is_closed_after_a_while() -> None:
    hours = Hours()
    async with open_pool(hours) as pool:
        await hours.pass_by(0)
        idle = await used(pool, caller())
        await hours.pass_by(IDLE_SECONDS - SWEEP_SECONDS)
        recent = await used(pool, caller("acme"))
        assert not is_closed(idle)
        async with pool.state_for(caller(who="bob")) as busy:
            meet(pool, caller(who="bob"))
            await hours.pass_by(SWEEP_SECONDS)
            assert (is_closed(idle), is_closed(recent), is_closed(busy)) == (True, False, False)
            await hours.pass_by(10 * IDLE_SECONDS)
            assert (is_closed(recent), is_closed(busy)) == (True, False)
        await hours.pass_by(SWEEP_SECONDS)
        assert not is_closed(busy)
        await hours.pass_by(IDLE_SECONDS)
        assert is_closed(busy)
        assert len(pool) == 0
        assert not is_closed(await used(pool, caller()))


async def test_a_state_that_nobody_uses_has_no_connections_until_its_next_request() -> None:
    hours = Hours()
    async with recording() as platform:
        platform.answer({"data": [], "count": 0})
        settings = Settings(base_url=platform.url).for_caller(token("acme"), "acme")

        async def one_request() -> tuple[ServerState, int]:
            """The state that it used, and how many connections there were then."""
            async with pool.state_for(settings) as state:
                await state.client.listing.page(ListQuery(), 0, 1)
                return state, platform.open_connections

        pool = CallerPool(settings, timing=hours.timing)
        async with pool.open(AuditLog(None)):
            await hours.pass_by(0)
            before = await one_request()
            async with pool.state_for(settings):
                await hours.pass_by(CONNECTED_SECONDS)
            await hours.pass_by(SWEEP_SECONDS)
            assert platform.open_connections == before[1]
            await hours.pass_by(CONNECTED_SECONDS)
            with anyio.fail_after(10):
                while platform.open_connections:
                    await anyio.lowlevel.checkpoint()
            assert await one_request() == before


async def test_an_unused_state_takes_little_memory_whatever_the_platform_has_sent() -> None:
    bytes_each = 100_000
    hours = Hours()
    fields = {f"field {number}": {"type": "string"} for number in range(50)}
    inputs = {"ligands": [{"id": f"ligand {number}", "smiles": "CCO"} for number in range(50)]}
    definitions = [{"key": f"a.tool-{number}", "version": "1", "inputs": fields} for number in range(100)]
    rows = [{"executionId": f"e-{number}", "name": "a", "userInputs": inputs} for number in range(100)]

    def reply(asked: Request) -> Reply:
        return Reply(definitions if asked.path.endswith("/definitions") else {"data": rows, "count": len(rows)})

    async def use(who: int) -> None:
        settings = operator.for_caller(token("acme", str(who)), "acme")
        meet(pool, settings)
        async with pool.state_for(settings) as state:
            assert len(await definitions_of(state)) == len((await state.recent.read()).names) == 100

    async with recording() as platform:
        platform.handler = reply
        operator = Settings(base_url=platform.url)
        pool = CallerPool(operator, timing=hours.timing)
        async with pool.open(AuditLog(None)):
            await use(0)
            tracemalloc.start()
            try:
                for who in range(1, 21):
                    await use(who)
                platform.requests.clear()
                await hours.pass_by(CONNECTED_SECONDS)
                gc.collect()
                assert tracemalloc.get_traced_memory()[0] <= 20 * bytes_each
            finally:
                tracemalloc.stop()
            assert len(pool) == 21


async def test_the_one_used_longest_ago_makes_room() -> None:
    async with open_pool(states=2) as pool:
        one, two = [await used(pool, settings) for settings in (caller(), caller("acme"))]
        assert await used(pool, caller()) is one
        await used(pool, caller(who="bob"))
        await anyio.wait_all_tasks_blocked()
        assert (is_closed(one), is_closed(two), len(pool)) == (False, True, 2)


async def test_no_state_in_use_is_closed_and_one_more_caller_is_refused() -> None:
    async with open_pool(states=2) as pool, pool.state_for(caller()) as one:
        async with pool.state_for(caller("acme")) as two:
            with busy("too_many_callers"):
                await used(pool, caller(who="bob"))
            assert await used(pool, caller()) is one
            assert not is_closed(one)
        await used(pool, caller(who="bob"))
        await anyio.wait_all_tasks_blocked()
        assert (is_closed(one), is_closed(two)) == (False, True)


async def test_one_caller_cannot_take_everything() -> None:
    async with open_pool(calls_each=2) as pool, pool.state_for(caller()), pool.state_for(caller()):
        with busy("too_many_calls"):
            await used(pool, caller())
        await used(pool, caller(who="bob"))


@pytest.mark.parametrize("outcome", [None, ValueError("no")])
async def test_work_in_the_background_keeps_its_state_until_it_ends(outcome: Exception | None) -> None:
    end = anyio.Event()

    async def work() -> str:
        await end.wait()
        if outcome is not None:
            raise outcome
        return "done"

    async with open_pool(states=1) as pool:
        task = BackgroundWork(work)
        async with pool.state_for(caller()) as state:
            assert await task.result(state, 0) == (False, None)
        with busy("too_many_callers"):
            await used(pool, caller("acme"))
        assert not is_closed(state)
        end.set()
        await anyio.wait_all_tasks_blocked()
        assert state.uses == 0
        await used(pool, caller("acme"))
        await anyio.wait_all_tasks_blocked()
        assert is_closed(state)


@pytest.mark.parametrize("settings", [OPERATOR, OPERATOR.for_caller("", "", problem="no"), caller("")])
async def test_who_cannot_call_takes_no_place(settings: Settings) -> None:
    async with open_pool(states=1) as pool:
        async with pool.state_for(settings) as nobody:
            assert len(pool) == 0
            assert not is_closed(nobody)
        await anyio.wait_all_tasks_blocked()
        assert is_closed(nobody)


async def test_all_without_credentials_together_have_the_limit_of_one_caller() -> None:
    nobody = OPERATOR.for_caller("", "")
    async with open_pool(calls_each=2) as pool:
        for _ in range(3):
            async with pool.state_for(nobody), pool.state_for(caller("")):
                with busy("too_many_calls"):
                    await used(pool, nobody)
                await used(pool, caller())


def adas(org: str, project: str) -> Settings:
    """One token of Ada's, with whatever organisation and project."""
    return OPERATOR.for_caller(token("deeporigin", "ada"), org, project)


async def test_one_token_is_one_caller_whatever_organisations_and_projects_it_names() -> None:
    async with (
        open_pool(states_each=2, calls_each=3) as pool,
        pool.state_for(adas("deeporigin", "p")) as one,
        pool.state_for(caller("acme", project="q")),
    ):
        async with pool.state_for(adas("other", "q")):
            with busy("too_many_projects"):
                await used(pool, adas("other", "r"))
            async with pool.state_for(adas("deeporigin", "p")):
                with busy("too_many_calls"):
                    await used(pool, adas("deeporigin", "p"))
        # One of its own makes room, and nobody else's.
        await used(pool, adas("other", "r"))
        assert not is_closed(one)
        assert len(pool) == 3


async def test_inventing_projects_takes_nobodys_place() -> None:
    async with open_pool(states=4, states_each=2, unknown_calls=3) as pool:
        for number in range(20):
            await used(pool, caller(project=f"p{number}"))
        assert len(pool) == 2
        async with contextlib.AsyncExitStack() as held:
            for number in range(20):
                with contextlib.suppress(BusyError):
                    await held.enter_async_context(pool.state_for(caller(project=f"p{number}")))
            await used(pool, caller(who="bob"))


async def test_made_up_tokens_keep_nobody_out_whom_the_platform_knows() -> None:
    async with open_pool(unknown_calls=2, queue_seconds=0) as pool:
        await used(pool, caller())
        async with pool.state_for(caller(who="x")), pool.state_for(caller(who="y")):
            with busy("queue_full"):
                await used(pool, caller(who="z"))
            await used(pool, caller())
            await used(pool, caller(project="p"))
        await used(pool, caller(who="z"))
    assert not pool._known._holders


async def test_unknown_callers_queue_and_are_served() -> None:
    served: list[str] = []
    go_on = anyio.Event()

    async def holds() -> None:
        async with pool.state_for(caller(who="x")):
            await go_on.wait()

    async def waits(who: str) -> None:
        async with pool.state_for(caller(who=who)):
            served.append(who)

    async with open_pool(unknown_calls=1) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(holds)
        await anyio.wait_all_tasks_blocked()
        for who in ("ada", "bob", "eve"):
            tasks.start_soon(waits, who)
            await anyio.wait_all_tasks_blocked()
        assert served == []
        # The place is free as soon as its holder is known, however long its call lasts.
        meet(pool, caller(who="x"))
        await anyio.wait_all_tasks_blocked()
        assert served == ["ada", "bob", "eve"]
        go_on.set()
    assert not pool._known._holders


async def test_a_caller_that_becomes_known_waits_no_longer() -> None:
    served = anyio.Event()

    async def waits() -> None:
        async with pool.state_for(caller()):
            served.set()

    async with (
        open_pool(unknown_calls=1) as pool,
        pool.state_for(caller(who="x")),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(waits)
        await anyio.wait_all_tasks_blocked()
        assert not served.is_set()
        meet(pool, caller())
        await anyio.wait_all_tasks_blocked()
        assert served.is_set()
        assert len(pool._known._holders) == 1


async def test_nothing_is_kept_of_a_caller_whom_the_platform_has_not_served() -> None:
    async with open_pool() as pool:
        known = await used(pool, caller())
        for number in range(3):
            settings = caller(who=f"made up {number}")
            async with pool.state_for(settings) as unknown:
                async with pool.state_for(settings) as same:
                    assert same is unknown
                await anyio.wait_all_tasks_blocked()
                assert not is_closed(unknown)
            await anyio.wait_all_tasks_blocked()
            assert (is_closed(known), is_closed(unknown)) == (False, True)
        assert len(pool) == 1


async def test_only_so_many_callers_are_remembered_as_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_callers, "MAX_KNOWN", 2)
    async with open_pool() as pool:
        for who in ("ada", "bob", "ada", "eve"):
            meet(pool, caller(who=who))
        known = [knows(pool, pool._caller(token("deeporigin", who))) for who in ("ada", "bob", "eve")]
    assert known == [True, False, True]


@pytest.mark.parametrize(
    ("fault", "is_known"),
    [(None, True), ("GET */executions status=401", False), ("GET */executions status=403", False)]
    + [(f"GET */executions {fault}", False) for fault in ("status=500", "status=404", "reset", "status=302")],
)
async def test_a_caller_is_known_once_the_platform_has_served_it(
    bench: Bench, fault: str | None, is_known: bool
) -> None:
    if fault:
        bench.fault(fault)
    async with running_site(bench) as site:
        name, has_been_served = site.pool.caller_of(Headers(ADA))
        assert (knows(site.pool, name), has_been_served()) == (False, False)
        async with site.client(ADA) as client:
            await client.call_tool("list_executions", {})
        assert (knows(site.pool, name), has_been_served()) == (is_known, is_known)
        assert not knows(site.pool, "")
        assert site.pool.caller_of(Headers({}))[0] == ""


@pytest.mark.parametrize("pasted", ["Bearer {}", '"{}"', "authorization: bearer  {}", " '{}', "])
async def test_a_known_caller_is_known_however_its_token_was_pasted(bench: Bench, pasted: str) -> None:
    headers = {**ADA, TOKEN_HEADER: pasted.format(ADA[TOKEN_HEADER])}
    async with running_site(bench) as site:
        async with site.client(headers) as client:
            await client.call_tool("list_executions", {})
        name, is_known = site.pool.caller_of(Headers(headers))
        assert (name, is_known()) == (site.pool.caller_of(Headers(ADA))[0], True)


LISTEN = "subscriptions/listen"
WANTED = {"notifications": {"toolsListChanged": True}}


async def listened(site: Site, headers: dict[str, str]) -> str:
    async with site.http(routing(LISTEN) | headers) as http:
        with anyio.fail_after(20):
            return (await http.post("/mcp", json=request(LISTEN, WANTED))).text


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "X-Do-Auth-Token"),
        ({"X-Do-Auth-Token": "no token"}, "X-Do-Auth-Token"),
        ({**ADA, "X-Do-Org-Key": "o" * 999}, "X-Do-Org-Key"),
    ],
)
async def test_there_is_no_stream_without_credentials(bench: Bench, headers: dict[str, str], named: str) -> None:
    async with running_site(bench, limits=CallerLimits(calls_each=2)) as site:
        for _ in range(5):
            assert named in await listened(site, headers)
        assert (site.pool._calls_without_credentials, site.pool._streams) == (0, {})


@pytest.mark.parametrize("fault", ["status=500", "reset", "status=404"])
async def test_there_is_no_stream_while_nobody_can_say_whose_it_is(bench: Bench, fault: str) -> None:
    bench.fault(f"GET */executions {fault}")
    async with running_site(bench) as site:
        assert '"error"' in await listened(site, ADA)
        assert site.pool._streams == {}


async def test_one_caller_has_so_many_streams_and_can_call_beside_them(bench: Bench) -> None:
    async with (
        running_site(bench, limits=CallerLimits(streams_each=2)) as site,
        on_a_port(site.app) as address,
        httpx2.AsyncClient(base_url=address, timeout=60, headers=routing(LISTEN) | ADA) as http,
        http.stream("POST", "/mcp", json=request(LISTEN, WANTED)) as one,
        http.stream("POST", "/mcp", json=request(LISTEN, WANTED), headers={"X-Do-Project-Id": "other"}) as two,
    ):
        # Kept, for a reader that is forgotten closes its stream.
        readers = [stream.aiter_text() for stream in (one, two)]
        for reader in readers:
            assert "acknowledged" in await anext(reader)
        refused = await http.post("/mcp", json=request(LISTEN, WANTED))
        assert f'"code":{INTERNAL_ERROR}' in refused.text
        async with site.agent(ADA) as agent:
            await agent.read("list_executions")
        async with http.stream("POST", "/mcp", json=request(LISTEN, WANTED), headers=credentials(who="bob")) as bobs:
            assert "acknowledged" in await anext(bobs.aiter_text())
    assert site.pool._streams == {}


async def test_two_first_requests_of_one_caller_at_once_open_one_state() -> None:
    found: list[ServerState] = []

    async def use() -> None:
        found.append(await used(pool, caller()))

    async with open_pool() as pool, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(use)
    assert len({id(state) for state in found}) == 1


class BreaksOnClosing(httpx.AsyncBaseTransport):
    """Connections that cannot be closed."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away", request=request)

    async def aclose(self) -> None:
        raise OSError("secret words")


async def test_a_state_that_takes_long_to_open_holds_nobody_else_up_and_counts() -> None:
    may_open = anyio.Event()

    class Slow(DeepOriginClient):
        async def __aenter__(self) -> Self:
            if self.settings.project_id == "slow":
                await may_open.wait()
            return await super().__aenter__()

    pool = CallerPool(OPERATOR, connect=Slow, timing=Hours().timing, limits=CallerLimits(states=3, states_each=2))
    meet(pool, caller())
    meet(pool, caller(who="eve"))
    async with pool.open(AuditLog(None)), anyio.create_task_group() as tasks:
        tasks.start_soon(used, pool, caller(project="slow"))
        await anyio.wait_all_tasks_blocked()
        async with pool.state_for(caller()), pool.state_for(caller(who="eve")):
            with busy("too_many_projects"):
                await used(pool, caller(project="third"))
            with busy("too_many_callers"):
                await used(pool, caller(who="bob"))
            assert len(pool) == 2
            may_open.set()
    assert len(pool) == 0


async def test_a_state_that_fails_ends_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    def connect(settings: Settings) -> DeepOriginClient:
        return DeepOriginClient(settings, http=BreaksOnClosing(), retry=RetryPolicy(attempts=1))

    pool = CallerPool(OPERATOR, connect=connect, timing=Hours().timing)
    async with pool.open(AuditLog(None)):
        for settings in (caller(), caller("acme"), caller()):
            async with pool.state_for(settings) as state:
                with pytest.raises(NetworkError):
                    await state.client.projects.list()
            await anyio.wait_all_tasks_blocked()
        assert len(pool) == 0
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_state_whose_connections_cannot_be_closed_is_not_given_out_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hours = Hours()
    breaking = DeepOriginClient(caller(), http=BreaksOnClosing(), retry=RetryPolicy(attempts=1))
    pool = CallerPool(OPERATOR, connect=lambda _: breaking, timing=hours.timing)
    async with pool.open(AuditLog(None)):
        await hours.pass_by(0)
        state = await used(pool, caller())
        with pytest.raises(NetworkError):
            await state.client.projects.list()
        await hours.pass_by(CONNECTED_SECONDS)
        assert len(pool) == 0
        assert await used(pool, caller()) is not state
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_state_whose_work_breaks_is_not_given_out_again() -> None:
    async def breaks() -> None:
        raise ValueError

    async with open_pool() as pool:
        other = await used(pool, caller("acme"))
        broken = await used(pool, caller())
        broken.tasks.start_soon(breaks)
        with anyio.fail_after(10):
            while len(pool) > 1:
                await anyio.lowlevel.checkpoint()
        assert is_closed(broken)
        assert await used(pool, caller()) is not broken
        assert await used(pool, caller("acme")) is other


names = st.text(max_size=6)


@given(st.tuples(names, names, names), st.tuples(names, names, names))
def test_two_callers_have_one_name_only_if_they_are_one(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    key = b"k" * 32
    same = _digest(OPERATOR.for_caller(*one), key) == _digest(OPERATOR.for_caller(*other), key)
    assert same == (one == other)
    assert _digest(OPERATOR.for_caller(*one), key) != _digest(OPERATOR.for_caller(*one), b"o" * 32)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_model_reads_that_the_server_is_busy_and_nothing_was_done(bench: Bench, mode: str) -> None:
    async with running_site(bench, limits=CallerLimits(states=1)) as site:
        async with site.pool.state_for(operator(bench).for_caller(*EVE.values())), site.agent(ADA, mode=mode) as agent:
            assert await agent.error("list_executions") == ("too_many_callers", "nothing_changed")
        async with site.agent(ADA, mode=mode) as agent:
            await agent.read("list_executions")


async def test_a_program_gets_a_protocol_error_while_the_server_is_busy(bench: Bench) -> None:
    name = bench.seeded()
    async with (
        running_site(bench, limits=CallerLimits(calls_each=1)) as site,
        site.client(ADA, mode=MODERN, extensions=[TakesTasks()]) as client,
    ):
        handle = await handle_of(client, "wait_executions", {"execution_ids": [name]})
        async with site.pool.state_for(operator(bench).for_caller(*ADA.values())):
            with pytest.raises(MCPError) as caught:
                await get_task(client.session, handle.task_id)
            assert caught.value.error.code == INTERNAL_ERROR
        assert (await get_task(client.session, handle.task_id)).status == "working"


async def test_what_is_the_same_for_everybody_opens_nothing(bench: Bench) -> None:
    async with running_site(bench) as site:
        for mode in ERAS:
            async with site.client(credentials(project=PROJECT), mode=mode) as client:
                for ask in (client.list_tools, client.list_prompts, client.list_resource_templates):
                    await ask()
        assert len(site.pool) == 0
        assert len(bench.clients) == 1


async def test_each_caller_gets_a_list_of_its_own_executions(bench: Bench) -> None:
    ours = bench.platform.seed_executions(org="deeporigin", name="of ada")[0]
    theirs = bench.platform.seed_executions(org="acme", name="of eve")[0]
    listed = {}
    async with running_site(bench) as site:
        for who, headers in (("ada", ADA), ("eve", EVE), ("nobody", {})):
            async with site.client(headers) as client:
                listed[who] = [one.uri.rpartition("/")[2] for one in (await client.list_resources()).resources]
    assert listed == {"ada": [ours], "eve": [theirs], "nobody": []}


async def test_a_call_that_is_cancelled_lets_its_state_go(bench: Bench) -> None:
    name = bench.seeded("Quoted")
    call = anyio.CancelScope()
    asked: list[str] = []

    class Leaving(DeepOriginClient):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings, timing=bench.time.timing)
            self.executions.get = self.never  # type: ignore[method-assign]

        async def never(self, execution_id: str, **_: Any) -> Any:
            asked.append(execution_id)
            call.cancel()
            await anyio.sleep_forever()

    async with running_site(bench, connect=Leaving) as site, site.client(ADA) as client:
        with call:
            await client.call_tool("get_execution", {"execution_id": name})
        await anyio.wait_all_tasks_blocked()
        assert len(site.pool) == 0
    assert asked == [name]
