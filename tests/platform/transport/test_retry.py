"""When a request is sent again, and after which pause."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import (
    DeepOriginError,
    NetworkError,
    PlatformError,
    RateLimitError,
    RestrictionError,
    StateConflictError,
)
from deeporigin_mcp.platform import RetryPolicy
from deeporigin_mcp.platform.transport.retry import retry_after_seconds
from tests.support.fake_time import START, FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_passing_failure_is_overcome(server: Recorder, time: FakeTime, status: int) -> None:
    server.answer(Reply(status=status), Reply(status=status), execution())
    async with client_for(server, time.timing) as client:
        assert (await client.executions.get("e-1"))["status"] == "Running"
        assert client.requests_sent == 3
    assert time.sleeps == [1.0, 2.0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_after_four_attempts_the_last_failure_is_reported(server: Recorder, time: FakeTime, status: int) -> None:
    server.answer(Reply(status=status, body={"message": "Busy"}))
    async with client_for(server, time.timing) as client:
        with pytest.raises(PlatformError if status >= 500 else RateLimitError):
            await client.executions.get("e-1")
    assert len(server.requests) == 4
    assert time.sleeps == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 425, 501, 505])
async def test_other_failures_are_not_repeated(server: Recorder, time: FakeTime, status: int) -> None:
    server.answer(Reply(status=status))
    async with client_for(server, time.timing) as client:
        with pytest.raises(DeepOriginError) as caught:
            await client.executions.get("e-1")
    assert caught.value.http_status == status
    assert (len(server.requests), time.sleeps) == (1, [])
    assert isinstance(caught.value, StateConflictError) == (status == 409)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_for_money_is_not_repeated_whatever_its_status(
    server: Recorder, time: FakeTime, status: int
) -> None:
    server.answer(Reply(status=status, body={"purchase_approved": False, "purchase_approval_comment": "No"}))
    async with client_for(server, time.timing) as client:
        with pytest.raises(RestrictionError):
            await client.executions.search()
    assert len(server.requests) == 1


async def test_searches_are_repeated_although_they_are_posts(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(status=500), {"data": [], "meta": {}})
    async with client_for(server, time.timing) as client:
        assert await client.executions.search() == {"data": [], "meta": {}}
    assert [request.content for request in server.requests] == [b'{"filter":{"props":[]}}'] * 2


async def test_a_broken_connection_is_overcome(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="reset"), Reply(fault="close"), Reply(body={"a": 1}, fault="half"), execution())
    async with client_for(server, time.timing) as client:
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"
    assert time.sleeps == [1.0, 2.0, 4.0]


# Pauses


@pytest.mark.parametrize(("chance", "sleeps"), [(0.0, [0.5, 1.0, 2.0]), (0.5, [0.75, 1.5, 3.0])])
async def test_pauses_are_spread_over_their_upper_half(server: Recorder, chance: float, sleeps: list[float]) -> None:
    time = FakeTime(chance=chance)
    server.answer(Reply(status=500))
    async with client_for(server, time.timing) as client:
        with pytest.raises(PlatformError):
            await client.executions.get("e-1")
    assert time.sleeps == sleeps


@given(attempt=st.integers(1, 40), chance=st.floats(0, 1, exclude_max=True), asked=st.none() | st.floats(0, 1e6))
def test_a_pause_is_bounded_and_never_shorter_than_asked_for(attempt: int, chance: float, asked: float | None) -> None:
    policy = RetryPolicy()
    pause = policy.pause(attempt, FakeTime(chance=chance).timing, asked)
    full = min(2.0 ** (attempt - 1), 60.0)
    assert max(full / 2, asked or 0) <= pause <= max(full, asked or 0)


async def test_a_pause_that_the_platform_asks_for_is_kept(server: Recorder, time: FakeTime) -> None:
    date = format_datetime(datetime.fromtimestamp(START + 7 + 12, UTC), usegmt=True)
    server.answer(
        Reply(status=429, headers={"retry-after": "7"}), Reply(status=503, headers={"retry-after": date}), execution()
    )
    async with client_for(server, time.timing) as client:
        await client.executions.get("e-1")
    assert time.sleeps == [7.0, 12.0]


async def test_a_pause_beyond_the_budget_ends_the_retries(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(status=429, headers={"retry-after": "120"}))
    async with client_for(server, time.timing) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.executions.get("e-1")
    assert caught.value.retry_after_seconds == 120.0
    assert (len(server.requests), time.sleeps) == (1, [])


async def test_slow_failures_use_the_budget_up(server: Recorder, time: FakeTime) -> None:
    def slowly(_: object) -> Reply:
        time.advance(14)
        return Reply(status=503)

    server.handler = slowly
    async with client_for(server, time.timing) as client:
        with pytest.raises(PlatformError):
            await client.executions.get("e-1")
    # 14 s, 1 s pause, 14 s; another pause of 2 s would end after 30 s.
    assert (len(server.requests), time.now) == (2, 29.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("999999999999", 999999999.0),
        (format_datetime(datetime.fromtimestamp(START + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(START - 90, UTC), usegmt=True), 0.0),
        ("Thu, 09 Oct 2025 08:53:30 -0000", 10.0),
        ("Thu, 09 Oct 2025 10:53:30 +0200", 10.0),
        ("", None),
        ("-7", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("٣", None),
        ("Thu, 09 Oct 99999 08:53:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": value}, FakeTime().timing) == seconds


@given(
    value=st.text(st.characters(max_codepoint=255), max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]\d+")
)
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    seconds = retry_after_seconds({"retry-after": value}, FakeTime().timing)
    assert seconds is None or seconds >= 0


async def test_a_policy_of_one_attempt_never_repeats(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="reset"))
    async with client_for(server, time.timing, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(NetworkError):
            await client.executions.get("e-1")
    assert len(server.requests) == 1
