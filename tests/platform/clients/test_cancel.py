"""Cancelling: what is over stays as it is, and a race with the end of a run is no failure."""

import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    CredentialError,
    DeepOriginError,
    InvalidRequestError,
    NotFoundError,
    StateConflictError,
)
from tests.support.fake_time import FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", ["Created", "Queued", "Running", "Suspended", "DataIngesting", None, "SomethingNew"])
async def test_what_is_not_over_is_cancelled(server: Recorder, status: str | None) -> None:
    server.answer(execution(status), execution("Cancelled"))
    async with client_for(server) as client:
        await client.executions.cancel("e-1")
    assert [request.method for request in server.requests] == ["GET", "PATCH"]


@pytest.mark.parametrize("status", ["Completed", "Succeeded", "Failed", "Cancelled", "Quoted", "InsufficientFunds"])
async def test_what_is_over_or_quoted_is_left_alone(server: Recorder, status: str) -> None:
    server.answer(execution(status))
    async with client_for(server) as client:
        await client.executions.cancel("e-1")
    assert [request.method for request in server.requests] == ["GET"]


async def test_a_quote_is_cancelled_only_where_that_is_asked_for(server: Recorder) -> None:
    server.answer(execution("Quoted"), execution("Cancelled"))
    async with client_for(server) as client:
        await client.executions.cancel("e-1", even_quoted=True)
    assert [request.method for request in server.requests] == ["GET", "PATCH"]


@pytest.mark.parametrize("refusal", [409, 400])
@pytest.mark.parametrize("status", ["Completed", "Failed", "Cancelled"])
async def test_a_run_that_ends_just_before_its_cancellation_is_fine(
    server: Recorder, refusal: int, status: str
) -> None:
    server.answer(execution(), Reply(status=refusal), execution(status))
    async with client_for(server) as client:
        await client.executions.cancel("e-1")
    assert [request.method for request in server.requests] == ["GET", "PATCH", "GET"]


@pytest.mark.parametrize(("refusal", "kind"), [(409, StateConflictError), (400, InvalidRequestError)])
async def test_a_refused_cancellation_of_what_goes_on_is_reported(
    server: Recorder, refusal: int, kind: type[ArgumentError]
) -> None:
    server.answer(execution(), Reply(status=refusal), execution())
    async with client_for(server) as client:
        with pytest.raises(kind):
            await client.executions.cancel("e-1")


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (403, CredentialError)])
async def test_a_cancellation_without_right_or_id_is_reported(
    server: Recorder, status: int, kind: type[DeepOriginError]
) -> None:
    server.answer(execution(), Reply(status=status))
    async with client_for(server) as client:
        with pytest.raises(kind):
            await client.executions.cancel("e-1")


async def test_a_lost_cancellation_is_repeated(server: Recorder, time: FakeTime) -> None:
    server.answer(execution(), Reply(fault="reset"), Reply(status=409), execution("Cancelled"))
    async with client_for(server, time.timing) as client:
        await client.executions.cancel("e-1")
    assert [request.method for request in server.requests] == ["GET", "PATCH", "PATCH", "GET"]
