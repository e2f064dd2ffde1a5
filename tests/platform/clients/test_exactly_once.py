"""Creating, confirming and cancelling under every fault: nothing happens twice, and no outcome is guessed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeporigin_mcp.errors import (
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform import DeepOriginClient
from tests.support.fake_time import FakeTime
from tests.support.recording import (
    Recorder,
    Reply,
    Request,
    client_for,
    execution,
    recording,
    refusing,
    settings_for,
    with_code,
)

pytestmark = pytest.mark.anyio

DATA = {"inputs": {"effort": 1}, "clusterId": "cl-1", "approveAmount": -1}
LOST = [
    Reply(fault="reset"),
    Reply(fault="close"),
    Reply(fault="garbage"),
    Reply(body=execution(), fault="half"),
    Reply(status=500),
    Reply(status=502, body=b"<html>"),
    Reply(status=503),
    Reply(status=504, body=b"<html>"),
    Reply(status=408),
    Reply(body=b"<html>"),
    Reply(body=b""),
    Reply(body=b"null"),
    Reply(body=[execution()]),
]
"""Answers that leave open whether the platform did the work."""
REFUSED = [
    Reply(status=400),
    Reply(status=401),
    Reply(status=404),
    Reply(status=409),
    Reply(status=429, headers={"retry-after": "1"}),
    Reply(status=302, headers={"location": "/"}),
    Reply(status=403, body={"errors": [{"code": "LICENSE.FEATURE_NOT_LICENSED"}]}),
    Reply(status=503, body={"code": "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED"}),
]


class Quoting:
    """A platform with one quoted execution. Each request takes the next fault; None answers truly."""

    def __init__(self, faults: list[tuple[Reply | None, bool]]) -> None:
        self.faults = list(faults)
        self.status = "Quoted"
        self.created = 0
        self.confirmed = 0
        self.told: list[tuple[str, str | None]] = []

    def answer(self, request: Request) -> Reply:
        if "/sse/" in request.path:
            return Reply(status=404)
        fault, works = self.faults.pop(0) if self.faults else (None, True)
        true = self._work(request) if fault is None or (works and request.method != "GET") else fault
        reply = true if fault is None else fault
        readable = isinstance(reply.body, dict) and reply.fault is None
        self.told.append((request.method, reply.body.get("status") if readable else None))
        return reply

    def _work(self, request: Request) -> Reply:
        if request.method == "POST":
            self.created += 1
        elif request.path.endswith(":confirm"):
            if self.status != "Quoted":
                return Reply(status=409, body={"message": "not Quoted"})
            self.confirmed += 1
            self.status = "Running"
        return Reply(execution(self.status))


# Creating


@pytest.mark.parametrize("reply", LOST, ids=lambda reply: f"{reply.status} {reply.fault or reply.content[:8]!r}")
async def test_a_creation_is_sent_once_and_a_lost_response_is_reported_as_unknown(
    server: Recorder, time: FakeTime, reply: Reply
) -> None:
    server.answer(reply)
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)
    assert server.lines == ["POST /tools/acme/tools/deeporigin.docking/1/executions"]
    assert caught.value.outcome == "unknown"
    assert time.sleeps == []


@pytest.mark.parametrize("reply", REFUSED, ids=lambda reply: str(reply.status))
async def test_a_refused_creation_is_sent_once_and_reported_as_refused(
    server: Recorder, time: FakeTime, reply: Reply
) -> None:
    server.answer(reply)
    async with client_for(server, time.timing) as client:
        with pytest.raises(DeepOriginError) as caught:
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert len(server.requests) == 1


async def test_a_creation_that_takes_too_long_is_unknown(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="hang"))
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA, timeout=0.5)
    assert len(server.requests) == 1


async def test_a_creation_that_found_nobody_was_certainly_not_sent(time: FakeTime) -> None:
    with refusing() as gone:
        async with DeepOriginClient(settings_for(gone), timing=time.timing) as client:
            with pytest.raises(NetworkError) as caught:
                await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)
            assert client.requests_sent == 1
    assert caught.value.nothing_sent


@pytest.mark.parametrize("body", [{}, {"executionId": None}, {"executionId": 7, "status": "Created"}])
async def test_a_creation_that_names_no_execution_is_unknown(server: Recorder, body: dict[str, Any]) -> None:
    server.answer(body)
    async with client_for(server) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)


async def test_a_lost_request_for_clusters_creates_nothing_and_is_repeated(server: Recorder, time: FakeTime) -> None:
    clusters = {"data": [{"id": None}, {"id": "cl-7"}, {"id": "cl-8"}], "pagination": {"count": 3}}
    server.answer(Reply(fault="reset"), clusters, execution("Created"))
    async with client_for(server, time.timing) as client:
        await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data={})
        await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data={})
    assert [request.method for request in server.requests] == ["GET", "GET", "POST", "POST"]
    assert {request.body["clusterId"] for request in server.requests[2:]} == {"cl-7"}


async def test_without_a_cluster_nothing_is_created(server: Recorder) -> None:
    server.answer({"data": [], "pagination": {"count": 0}})
    async with client_for(server) as client:
        with pytest.raises(DeepOriginError, check=with_code("no_cluster")):
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data={})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "dto",
    [
        execution("InsufficientFunds", statusReason={"message": "Balance too low", "actionRequest": "Add funds"}),
        execution("Failed", statusReason={"code": "CREDITS_TX.PREPARE.INSUFFICIENT", "message": "Balance too low"}),
    ],
)
async def test_an_execution_that_was_refused_for_money_is_an_error_that_holds_it(
    server: Recorder, dto: dict[str, Any]
) -> None:
    server.answer(dto)
    async with client_for(server) as client:
        for call in (
            client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA),
            client.executions.confirm("e-1"),
        ):
            with pytest.raises(RestrictionError, match="Balance too low") as caught:
                await call
            assert caught.value.execution == dto


async def test_a_failed_quotation_is_a_response_and_no_error(server: Recorder) -> None:
    server.answer(execution("FailedQuotation"))
    async with client_for(server) as client:
        dto = await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)
    assert dto["status"] == "FailedQuotation"


faults = st.tuples(st.sampled_from([None, *LOST]), st.booleans()) | st.tuples(
    st.sampled_from(REFUSED), st.just(value=False)
)


@settings(max_examples=60)
@given(schedule=st.lists(faults, max_size=6))
async def test_under_any_faults_a_creation_is_sent_once_and_never_guessed(
    schedule: list[tuple[Reply | None, bool]],
) -> None:
    platform = Quoting(schedule)
    async with recording() as server:
        server.handler = platform.answer
        async with client_for(server, FakeTime().timing) as client:
            try:
                await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=DATA)
                outcome = "created"
            except OutcomeUnknownError:
                outcome = "unknown"
            except DeepOriginError:
                outcome = "refused"
    assert [request.method for request in server.requests] == ["POST"]
    assert outcome == "unknown" or platform.created == (outcome == "created")


# Confirming


@pytest.mark.parametrize("reply", LOST, ids=lambda reply: f"{reply.status} {reply.fault or reply.content[:8]!r}")
async def test_a_confirmation_that_took_effect_is_not_repeated_when_its_response_is_lost(
    server: Recorder, time: FakeTime, reply: Reply
) -> None:
    platform = Quoting([(reply, True)])
    server.handler = platform.answer
    async with client_for(server, time.timing) as client:
        assert (await client.executions.confirm("e-1"))["status"] == "Running"
    assert platform.confirmed == 1
    assert [request.method for request in server.requests] == ["PATCH", "GET"]


async def test_a_confirmation_that_did_not_arrive_is_sent_a_second_time(server: Recorder, time: FakeTime) -> None:
    platform = Quoting([(Reply(status=503), False)])
    server.handler = platform.answer
    async with client_for(server, time.timing) as client:
        assert (await client.executions.confirm("e-1"))["status"] == "Running"
    assert platform.confirmed == 1
    assert [request.method for request in server.requests] == ["PATCH", "GET", "PATCH"]


async def test_without_retry_a_lost_confirmation_is_reported_as_unknown(server: Recorder, time: FakeTime) -> None:
    server.handler = Quoting([(Reply(status=503), False)]).answer
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.confirm("e-1", retry=False)
    assert [request.method for request in server.requests] == ["PATCH", "GET"]


@pytest.mark.parametrize(
    "look", [Reply(status=401), Reply(status=404), Reply(status=400), Reply(status=500), Reply([])]
)
async def test_a_confirmation_is_not_repeated_while_the_state_is_unknown(
    server: Recorder, time: FakeTime, look: Reply
) -> None:
    server.answer(Reply(fault="reset"), look)
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.confirm("e-1")
    assert [request.method for request in server.requests].count("PATCH") == 1


async def test_a_first_confirmation_that_arrives_late_is_no_conflict(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="reset"), execution("Quoted"), Reply(status=409), execution("Running"))
    async with client_for(server, time.timing) as client:
        assert (await client.executions.confirm("e-1"))["status"] == "Running"
    assert [request.method for request in server.requests] == ["PATCH", "GET", "PATCH", "GET"]


async def test_a_second_lost_response_is_reported_as_unknown(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="reset"), execution("Quoted"), Reply(fault="reset"))
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.confirm("e-1")
    assert len(server.requests) == 3


async def test_an_accepted_confirmation_whose_state_cannot_be_read_is_unknown(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(b""), Reply(status=404))
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.executions.confirm("e-1")


async def test_a_confirmation_of_what_is_not_quoted_is_a_conflict(server: Recorder) -> None:
    server.answer(Reply(status=409, body={"message": "Execution is not in Quoted state"}))
    async with client_for(server) as client:
        with pytest.raises(StateConflictError):
            await client.executions.confirm("e-1")
    assert len(server.requests) == 1


@settings(max_examples=80)
@given(schedule=st.lists(faults, max_size=5), retry=st.booleans())
async def test_under_any_faults_a_confirmation_takes_effect_once_and_is_never_guessed(
    schedule: list[tuple[Reply | None, bool]], retry: bool
) -> None:
    platform = Quoting(schedule)
    async with recording() as server:
        server.handler = platform.answer
        async with client_for(server, FakeTime().timing) as client:
            try:
                outcome = (await client.executions.confirm("e-1", retry=retry))["status"]
            except OutcomeUnknownError:
                outcome = "unknown"
            except DeepOriginError:
                outcome = "refused"
    assert platform.confirmed <= 1
    assert {"Running": 1, "refused": 0, "Quoted": 0, "unknown": platform.confirmed}[outcome] == platform.confirmed
    patches = [index for index, (method, _) in enumerate(platform.told) if method == "PATCH"]
    assert len(patches) <= (2 if retry else 1)
    if len(patches) == 2:
        assert platform.told[patches[1] - 1] == ("GET", "Quoted")


async def test_a_rate_limit_on_a_confirmation_is_reported_and_nothing_is_repeated(server: Recorder) -> None:
    server.answer(Reply(status=429, headers={"retry-after": "3"}))
    async with client_for(server) as client:
        with pytest.raises(RateLimitError):
            await client.executions.confirm("e-1")
    assert len(server.requests) == 1
