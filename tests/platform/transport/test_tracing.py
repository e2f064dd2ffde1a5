"""Every error names the request that it is about, and what is sent is counted for the work that it belongs to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import (
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    PlatformError,
    RateLimitError,
    RestrictionError,
)
from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.transport.tracing import MAX_FAILED_IDS, count_requests
from tests.support.fake_time import FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution

pytestmark = pytest.mark.anyio

DENIED = {"executionId": "e-1", "status": "InsufficientFunds", "statusReason": {"message": "No money"}}


def named(number: int, **values: Any) -> Reply:
    return Reply(headers={"x-request-id": f"r-{number}"}, **values)


async def error_of(client: DeepOriginClient, call: str = "get") -> DeepOriginError:
    data = {"inputs": {}, "clusterId": "c-1"}
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: client.executions.get("e-1"),
        "list": client.executions.list,
        "confirm": lambda: client.executions.confirm("e-1"),
        "create": lambda: client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=data),
    }
    with pytest.raises(DeepOriginError) as caught:
        await calls[call]()
    return caught.value


async def test_the_last_attempt_is_the_one_that_is_named(server: Recorder, time: FakeTime) -> None:
    server.answer(*(named(number, status=503) for number in (1, 2, 3, 4)))
    async with client_for(server, time.timing) as client:
        with count_requests() as traffic:
            error = await error_of(client)
    assert (type(error), error.http_status, error.request_id) == (PlatformError, 503, "r-4")
    assert (traffic.sent, traffic.failed, traffic.broken) == (4, 4, 4)
    assert traffic.failed_ids == ["r-1", "r-2", "r-3", "r-4"]


async def test_a_last_attempt_without_a_response_is_not_named_after_an_earlier_one(
    server: Recorder, time: FakeTime
) -> None:
    server.answer(named(1, status=503), Reply(fault="reset"))
    async with client_for(server, time.timing) as client:
        error = await error_of(client)
    assert (type(error), error.request_id) == (NetworkError, None)


@pytest.mark.parametrize(
    ("call", "reply", "kind"),
    [
        ("get", named(7, fault="half", body=execution()), NetworkError),
        ("get", named(7, body=b"{oops"), PlatformError),
        ("get", named(7, body=[1]), PlatformError),
        ("list", named(7, body={"data": "none"}), PlatformError),
        ("get", named(7, status=429), RateLimitError),
        ("get", named(7, status=302), PlatformError),
        ("create", named(7, body={"no": "id"}), OutcomeUnknownError),
        ("create", named(7, status=502), OutcomeUnknownError),
        ("create", named(7, body=DENIED), RestrictionError),
        ("create", named(7, status=403, body={"is_approved": False}), RestrictionError),
        ("confirm", named(7, body=DENIED), RestrictionError),
    ],
)
async def test_whatever_is_wrong_with_a_response_its_id_is_kept(
    server: Recorder, time: FakeTime, call: str, reply: Reply, kind: type[DeepOriginError]
) -> None:
    server.answer(reply)
    async with client_for(server, time.timing) as client:
        error = await error_of(client, call)
    assert (type(error), error.request_id) == (kind, "r-7")


async def test_concurrent_work_is_counted_apart(server: Recorder, time: FakeTime) -> None:
    server.answer(named(1, body=execution()))
    counts: dict[int, int] = {}
    async with client_for(server, time.timing) as client:

        async def work(number: int) -> None:
            with count_requests() as traffic:
                async with anyio.create_task_group() as tasks:
                    for _ in range(number):
                        tasks.start_soon(client.executions.get, "e-1")
            counts[number] = traffic.sent
            assert (traffic.failed, traffic.failed_ids) == (0, [])

        async with anyio.create_task_group() as tasks:
            for number in range(1, 6):
                tasks.start_soon(work, number)
        assert counts == {number: number for number in range(1, 6)}
        assert client.requests_sent == sum(counts.values())


async def test_the_ids_that_are_kept_are_few_and_the_latest(server: Recorder, time: FakeTime) -> None:
    server.answer(*(named(number, status=404) for number in range(1, 31)))
    async with client_for(server, time.timing) as client:
        with count_requests() as traffic:
            for _ in range(30):
                await error_of(client)
    assert (traffic.sent, traffic.failed, traffic.broken) == (30, 30, 0)
    assert traffic.failed_ids == [f"r-{number}" for number in range(31 - MAX_FAILED_IDS, 31)]
