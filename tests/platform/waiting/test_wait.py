"""`client.executions.wait`: the official client's meaning, over HTTP, without waiting in real time."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    NotFoundError,
    RestrictionError,
    WaitTimeoutError,
)
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting import engine
from tests.support.fake_time import START, FakeTime
from tests.support.recording import Recorder, Reply, Request, client_for, execution, refusing, settings_for, token

pytestmark = pytest.mark.anyio


class Lives:
    """A platform of executions; each takes its next step, a status or a whole reply, when it is asked for."""

    def __init__(self, **lives: Iterable[Any]) -> None:
        self.steps: dict[str, Iterator[Any]] = {name: iter(steps) for name, steps in lives.items()}
        self.last: dict[str, Any] = {}

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/sse/"):
            return Reply(status=404)
        name = request.path.rpartition("/")[2]
        if name == "executions":
            return Reply({"data": [], "count": 0})
        if name not in self.steps:
            return Reply(status=404, body={"message": "Execution not found"})
        step = self.last[name] = next(self.steps[name], self.last.get(name))
        return step if isinstance(step, Reply) else Reply(execution(step, name))


def looks(server: Recorder) -> list[str]:
    """The ids that were asked for, in order."""
    names = [request.path.rpartition("/")[2] for request in server.requests if "/sse/" not in request.path]
    return [name for name in names if name != "executions"]


async def test_a_run_is_polled_until_it_is_over(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(e=["Created", "Queued", "Running", "Completed"]).answer
    async with client_for(server, time.timing) as client:
        assert await client.executions.wait("e") == [execution("Completed", "e")]
    assert looks(server) == ["e"] * 4
    assert time.sleeps == [5.0, 5.0, 5.0]


async def test_the_interval_is_kept_and_spread_a_little(server: Recorder) -> None:
    time = FakeTime(chance=0.0)
    server.handler = Lives(e=["Running", "Running", "Completed"]).answer
    async with client_for(server, time.timing) as client:
        await client.executions.wait("e", poll_interval=10)
    assert time.sleeps == [8.0, 8.0]


async def test_many_runs_come_back_in_the_order_asked_for(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(a=["Running", "Running", "Failed"], b=["Completed"], c=["Running", "Cancelled"]).answer
    async with client_for(server, time.timing) as client:
        found = await client.executions.wait(["c", "a", "b"], poll_interval=2)
    assert [(dto["executionId"], dto["status"]) for dto in found] == [
        ("c", "Cancelled"),
        ("a", "Failed"),
        ("b", "Completed"),
    ]
    assert sorted(looks(server)) == ["a", "a", "a", "b", "c", "c"]


async def test_a_run_named_twice_is_asked_for_once(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(a=["Running", "Completed"]).answer
    async with client_for(server, time.timing) as client:
        found = await client.executions.wait(["a", "a"])
    assert [dto["status"] for dto in found] == ["Completed", "Completed"]
    assert looks(server) == ["a", "a"]


@pytest.mark.parametrize("status", ["Quoted", "Succeeded", "Failed", "Cancelled", "FailedQuotation"])
async def test_every_end_ends_the_wait_and_so_does_a_quote(server: Recorder, time: FakeTime, status: str) -> None:
    server.handler = Lives(e=[status]).answer
    async with client_for(server, time.timing) as client:
        assert [dto["status"] for dto in await client.executions.wait("e")] == [status]
    assert time.sleeps == []


@pytest.mark.parametrize("status", ["DataIngesting", "Suspended", "SomethingNew", None])
async def test_an_unknown_status_does_not(server: Recorder, time: FakeTime, status: str | None) -> None:
    server.handler = Lives(e=[status, "Completed"]).answer
    async with client_for(server, time.timing) as client:
        await client.executions.wait("e")
    assert len(looks(server)) == 2


@pytest.mark.parametrize("timeout", [0, 0.0, -1.0])
async def test_a_wait_of_no_time_polls_once(server: Recorder, time: FakeTime, timeout: float) -> None:
    server.handler = Lives(e=["Running"], done=["Completed"]).answer
    async with client_for(server, time.timing) as client:
        assert await client.executions.wait("done", timeout=timeout)
        with pytest.raises(WaitTimeoutError) as caught:
            await client.executions.wait(["e", "done"], timeout=timeout)
    assert isinstance(caught.value, TimeoutError)
    assert sorted(looks(server)) == ["done", "done", "e"]
    assert time.sleeps == []


async def test_time_that_runs_out_is_not_overslept(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(e=["Running"]).answer
    async with client_for(server, time.timing) as client:
        with pytest.raises(WaitTimeoutError):
            await client.executions.wait("e", timeout=12.0)
    assert time.now == 12.0


@pytest.mark.parametrize("names", [["e"], ["a", "b", "c", "d"]])
async def test_the_last_poll_is_at_the_deadline(server: Recorder, time: FakeTime, names: list[str]) -> None:
    server.handler = Lives(**{name: ["Running", "Completed"] for name in names}).answer
    async with client_for(server, time.timing) as client:
        found = await client.executions.wait(names, poll_interval=100, timeout=12)
    assert {dto["status"] for dto in found} == {"Completed"}
    assert time.now == 12.0


async def test_time_that_runs_out_in_an_outage_says_what_could_not_be_read(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(e=["Running", Reply(status=503)]).answer
    async with client_for(server, time.timing) as client:
        with pytest.raises(WaitTimeoutError, match=r"e.*HTTP 503"):
            await client.executions.wait("e", timeout=30.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_in_the_middle_is_raised_only_if_it_stays(
    server: Recorder, time: FakeTime, status: int
) -> None:
    refusal = Reply(status=status)
    server.handler = Lives(e=["Running", refusal, refusal, "Running", refusal, "Completed"]).answer
    async with client_for(server, time.timing) as client:
        assert (await client.executions.wait("e"))[0]["status"] == "Completed"
        server.handler = Lives(e=["Running", *[refusal] * engine.MAX_REFUSALS, "Completed"]).answer
        with pytest.raises(DeepOriginError, check=lambda error: error.http_status == status):
            await client.executions.wait("e")


@pytest.mark.parametrize(
    ("executions", "options"),
    [
        ([], {}),
        ("", {}),
        (["e", " "], {}),
        ("e", {"poll_interval": 0}),
        ("e", {"poll_interval": -1.0}),
        ("e", {"poll_interval": float("nan")}),
        ("e", {"poll_interval": float("inf")}),
        ("e", {"timeout": float("nan")}),
    ],
)
async def test_a_wait_that_cannot_work_is_refused_offline(
    server: Recorder, executions: Any, options: dict[str, float]
) -> None:
    async with client_for(server) as client:
        with pytest.raises(ArgumentError) as caught:
            await client.executions.wait(executions, **options)
    assert isinstance(caught.value, ValueError)
    assert server.requests == []


# Failures


PASSING = [
    Reply(status=500),
    Reply(status=503, body=b"<html>"),
    Reply(fault="reset"),
    Reply(body=b"<html>"),
    Reply(status=408),
    Reply([]),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda reply: f"{reply.status} {reply.fault or reply.content[:6]!r}")
async def test_a_failure_that_may_pass_does_not_end_the_wait(server: Recorder, time: FakeTime, fault: Reply) -> None:
    server.handler = Lives(e=["Running", fault, fault, "Completed"]).answer
    async with client_for(server, time.timing) as client:
        assert (await client.executions.wait("e"))[0]["status"] == "Completed"
    assert looks(server) == ["e"] * 4


async def test_an_unreachable_platform_is_waited_for_until_time_is_up(time: FakeTime) -> None:
    with refusing() as gone:
        async with DeepOriginClient(settings_for(gone), timing=time.timing) as client:
            with pytest.raises(WaitTimeoutError):
                await client.executions.wait("e", timeout=60.0)
    assert time.now == 60.0


async def test_a_rate_limit_pauses_all_polls(server: Recorder, time: FakeTime) -> None:
    limited = Reply(status=429, headers={"retry-after": "30"})
    server.handler = Lives(e=["Running", limited, "Completed"]).answer
    async with client_for(server, time.timing) as client:
        await client.executions.wait("e")
    assert time.now >= 5 + 30


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(status=404), NotFoundError), (Reply(status=403), CredentialError), (Reply(status=400), ArgumentError)],
)
async def test_a_failure_that_cannot_pass_ends_the_wait_at_once(
    server: Recorder, time: FakeTime, reply: Reply, kind: type[DeepOriginError]
) -> None:
    server.handler = Lives(a=itertools.repeat("Running"), gone=[reply]).answer
    async with client_for(server, time.timing) as client:
        with pytest.raises(kind):
            await client.executions.wait("gone")
        with pytest.raises(kind):
            await client.executions.wait(["a", "gone"])
    assert time.now < 10


async def test_a_token_that_expires_ends_the_wait(server: Recorder, time: FakeTime) -> None:
    server.handler = Lives(e=["Running"]).answer
    async with client_for(server, time.timing, token=token(exp=START + 12)) as client:
        with pytest.raises(CredentialError):
            await client.executions.wait(["e", "e"])
    assert len(looks(server)) == 3


@pytest.mark.parametrize(
    "dto",
    [
        execution("InsufficientFunds", "e", statusReason={"message": "Balance too low"}),
        execution("Failed", "e", statusReason={"code": "LICENSE.FEATURE_NOT_LICENSED", "message": "Balance too low"}),
    ],
)
async def test_a_refusal_for_money_is_an_error_for_one_id_and_a_result_in_a_list(
    server: Recorder, time: FakeTime, dto: dict[str, Any]
) -> None:
    server.handler = Lives(e=[Reply(dto)]).answer
    async with client_for(server, time.timing) as client:
        with pytest.raises(RestrictionError, match="Balance too low"):
            await client.executions.wait("e")
        assert await client.executions.wait(["e"]) == [dto]


async def test_a_platform_whose_list_fails_is_asked_one_by_one(server: Recorder, time: FakeTime) -> None:
    lives = Lives(**{name: ["Running", "Running", "Completed"] for name in "abcd"})
    for broken in (Reply(status=500), Reply(status=400), Reply(fault="reset"), Reply({"odd": 1})):
        lives = Lives(**{name: ["Running", "Running", "Completed"] for name in "abcd"})
        server.handler = lambda request, lives=lives, broken=broken: (  # type: ignore[misc]
            broken if request.path.endswith("/tools/executions") else lives.answer(request)
        )
        async with client_for(server, time.timing) as client:
            found = await client.executions.wait([*"abcd"], timeout=120.0)
        assert {dto["status"] for dto in found} == {"Completed"}


# Bounds


async def test_polls_are_concurrent_but_only_a_few_at_a_time(server: Recorder, time: FakeTime) -> None:
    names = [f"e{number}" for number in range(60)]
    lives = Lives(**{name: ["Completed"] for name in names})
    full = anyio.Event()

    async def slowly(request: Request) -> Reply:
        if request.path.endswith("/executions"):
            return lives.answer(request)
        if server.open_requests >= engine.MAX_CONCURRENT_POLLS:
            full.set()
        with anyio.move_on_after(20):
            await full.wait()
        return lives.answer(request)

    server.handler = slowly
    async with client_for(server, time.timing) as client:
        found = await client.executions.wait(names)
    assert [dto["executionId"] for dto in found] == names
    assert server.most_open_requests == engine.MAX_CONCURRENT_POLLS


async def test_a_poll_that_hangs_is_cut_off_when_time_is_up(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_POLL_SECONDS", 0.1)
    monkeypatch.setattr(engine, "LAST_POLL_SECONDS", 0.1)
    server.answer(Reply(fault="hang"))
    async with client_for(server) as client:
        with anyio.fail_after(20), pytest.raises(WaitTimeoutError):
            await client.executions.wait("e", timeout=0.1)
        server.handler = Lives(e=["Completed"]).answer
        assert await client.executions.wait("e")


async def test_a_cancelled_wait_leaves_nothing_behind(server: Recorder) -> None:
    asked = anyio.Event()

    async def hang(_: Request) -> Reply:
        asked.set()
        return Reply(fault="hang")

    server.handler = hang
    async with client_for(server) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.executions.wait, ["a", "b", "c"])
            await asked.wait()
            tasks.cancel_scope.cancel()
        sent = client.requests_sent
        await anyio.lowlevel.checkpoint()
        server.handler = Lives(e=["Completed"]).answer
        assert (await client.executions.get("e"))["status"] == "Completed"
        assert client.requests_sent == sent + 1
