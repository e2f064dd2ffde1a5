"""What the network, a proxy or a caller can do to one request; and the next one works."""

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    PlatformError,
    RateLimitError,
)
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy
from deeporigin_mcp.platform.transport import requests
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.scope import segment
from tests.support.fake_time import START, FakeTime
from tests.support.recording import Recorder, Reply, client_for, execution, recording, refusing, settings_for, with_code

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1)
SHORT, PATIENT = 0.4, 20.0
"""Seconds of real time until a silent server is given up: where the test is about it, and where it is not."""


def patience(reply: Reply) -> float:
    return SHORT if reply.fault in ("hang", "drip") else PATIENT


def transport_for(server: Recorder, time: FakeTime, **values: Any) -> Transport:
    return Transport(
        settings_for(server.url, **values), timing=time.timing, policy=ONCE, user_agent="test", timeout_seconds=PATIENT
    )


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reply(fault="reset"), NetworkError, "connection_lost"),
        (Reply(fault="close"), NetworkError, "connection_lost"),
        (Reply(fault="garbage"), NetworkError, "connection_lost"),
        (Reply(body=execution(), fault="half"), NetworkError, "connection_lost"),
        (Reply(fault="hang"), NetworkError, "response_timeout"),
        (Reply(fault="drip"), NetworkError, "response_timeout"),
        (Reply(body=b"<html>odd</html>"), PlatformError, "invalid_json"),
        (Reply(body=b'{"executionId": "e-1", "sta'), PlatformError, "invalid_json"),
        (Reply(body=b"\xff\xfe\xfd"), PlatformError, "invalid_json"),
        (Reply(body=b'{"a":' * 5000), PlatformError, "invalid_json"),
        (Reply(body=b"[1]"), PlatformError, "invalid_response"),
        (Reply(body=b"null"), PlatformError, "invalid_response"),
        (Reply(body=b""), PlatformError, "invalid_response"),
        (Reply(body=b" \n"), PlatformError, "invalid_response"),
        (Reply(body=b"not gzip", headers={"content-encoding": "gzip"}), NetworkError, "connection_lost"),
        (Reply(status=302, headers={"location": "http://127.0.0.1:1/"}), PlatformError, "redirect"),
    ],
    ids=lambda value: getattr(value, "fault", None) or str(getattr(value, "body", ""))[:20] or None,
)
async def test_each_fault_has_its_own_error_and_the_next_call_works(
    server: Recorder, time: FakeTime, reply: Reply, kind: type[DeepOriginError], code: str
) -> None:
    server.answer(reply, execution())
    async with DeepOriginClient(
        settings_for(server.url), timing=time.timing, retry=ONCE, timeout_seconds=patience(reply)
    ) as client:
        with pytest.raises(kind, check=with_code(code)) as caught:
            await client.executions.get("e-1")
        assert caught.value.next_step
        assert str(caught.value).isprintable()
        assert server.url not in str(caught.value)
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"


async def test_the_error_of_a_refused_connection_says_that_nothing_was_sent(time: FakeTime) -> None:
    with refusing() as gone:
        async with DeepOriginClient(settings_for(gone), timing=time.timing) as client:
            with pytest.raises(NetworkError, check=with_code("unreachable")) as caught:
                await client.executions.get("e-1")
            assert client.requests_sent == 4
    assert caught.value.nothing_sent
    assert gone.removeprefix("http://") not in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "code", "nothing_sent"),
    [
        (httpx.ConnectTimeout("secret"), "connect_timeout", True),
        (httpx.PoolTimeout("secret"), "connect_timeout", True),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] secret"), "certificate_rejected", True),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "unreachable", True),
        (httpx.ConnectError("Temporary failure in name resolution"), "unreachable", True),
        (httpx.ConnectError("All connection attempts failed"), "unreachable", True),
        (httpx.ReadTimeout("secret"), "response_timeout", False),
        (httpx.WriteTimeout("secret"), "response_timeout", False),
        (httpx.WriteError("secret"), "connection_lost", False),
        (httpx.ProxyError("secret"), "connection_lost", False),
    ],
)
async def test_failures_below_http_are_named_without_their_own_text(
    time: FakeTime, raised: Exception, code: str, nothing_sent: bool
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise raised

    settings = settings_for("http://127.0.0.1:1")
    async with DeepOriginClient(settings, timing=time.timing, retry=ONCE, http=httpx.MockTransport(fail)) as client:
        with pytest.raises(NetworkError, check=with_code(code)) as caught:
            await client.executions.get("e-1")
    assert caught.value.nothing_sent is nothing_sent
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_an_oversized_response_is_not_read_to_its_end(
    server: Recorder, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MAX_BODY_BYTES", 2**20)
    big = b'{"a": "' + b"a" * 2**22 + b'"}'
    packed = Reply(body=gzip.compress(big), headers={"content-encoding": "gzip"})
    server.answer(Reply(body=big), packed, Reply(status=500, body=big), execution())
    async with client_for(server, time.timing, retry=ONCE) as client:
        for _ in range(3):
            with pytest.raises(PlatformError, check=with_code("response_too_large")):
                await client.executions.get("e-1")
        assert (await client.executions.get("e-1"))["executionId"] == "e-1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_never_carries_the_token_elsewhere(server: Recorder, time: FakeTime, status: int) -> None:
    async with recording() as elsewhere:
        server.answer(Reply(status=status, headers={"location": f"{elsewhere.url}/tools/acme/tools/executions/e-1"}))
        async with client_for(server, time.timing) as client:
            with pytest.raises(PlatformError, check=with_code("redirect")) as caught:
                await client.executions.get("e-1")
            with pytest.raises(PlatformError, check=with_code("redirect")):
                await client.executions.create(
                    tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "cl-1"}
                )
    assert elsewhere.requests == []
    assert len(server.requests) == 2
    assert caught.value.http_status == status


async def test_a_base_url_with_a_path_keeps_it(server: Recorder) -> None:
    server.answer(execution())
    async with DeepOriginClient(settings_for(server.url + "/gateway")) as client:
        await client.executions.get("e-1")
    assert server.lines == ["GET /gateway/tools/acme/tools/executions/e-1"]


async def test_a_rate_limit_tells_when_to_come_back(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(status=429, headers={"retry-after": "99", "x-request-id": "r-9"}))
    async with client_for(server, time.timing) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.tools.list()
    assert (caught.value.retry_after_seconds, caught.value.request_id) == (99.0, "r-9")


# Ids and values


@pytest.mark.parametrize("name", ["", "  ", ".", "..", " .. ", "\ud800"])
async def test_an_id_that_is_none_is_refused_before_anything_is_sent(server: Recorder, name: str) -> None:
    async with client_for(server) as client:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: client.executions.get(name),
            lambda: client.executions.confirm(name),
            lambda: client.executions.cancel(name),
            lambda: client.executions.from_data_platform(name),
            lambda: client.tools.get(tool_key=name, tool_version="1"),
            lambda: client.tools.get(tool_key="t", tool_version=name),
            lambda: client.executions.create(tool_key=name, tool_version="1", data={}),
        ]
        for call in calls:
            with pytest.raises(ArgumentError):
                await call()
    assert server.requests == []


@given(name=st.text(st.characters(), max_size=20))
def test_a_segment_is_one_segment_that_names_the_same_id(name: str) -> None:
    try:
        made = segment(name, "execution_id")
    except ArgumentError:
        return
    assert set(made).isdisjoint("/?#\\ ")
    assert httpx.URL(f"http://h/a/{made}/b").raw_path == f"/a/{made}/b".encode()
    assert httpx.URL(f"http://h/a/{made}").path == f"/a/{name.strip()}"


@pytest.mark.parametrize(
    "data",
    [
        {"inputs": {"x": float("nan")}},
        {"inputs": {"x": float("inf")}},
        {"inputs": {"x": object()}},
        {"inputs": {"x": "\ud800"}},
        {"inputs": {(1, 2): 3}},
    ],
)
async def test_inputs_that_are_no_json_are_the_callers_mistake(server: Recorder, data: dict[str, Any]) -> None:
    async with client_for(server) as client:
        with pytest.raises(ArgumentError, check=with_code("unsendable")):
            await client.executions.create(
                tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c", **data}
            )
        assert client.requests_sent == 0
    assert server.requests == []


@pytest.mark.parametrize("tool_key", ["x" * 100_000, "\ud800"])
async def test_a_filter_that_fits_in_no_address_is_the_callers_mistake(server: Recorder, tool_key: str) -> None:
    server.answer({"data": [], "count": 0})
    async with client_for(server) as client:
        if tool_key == "\ud800":
            await client.executions.list(tool_key=tool_key)
            assert json.loads(server.requests[0].params["filter"]) == {"tool": {"toolManifest": {"key": tool_key}}}
        else:
            with pytest.raises(ArgumentError, check=with_code("unsendable")):
                await client.executions.list(tool_key=tool_key)


async def test_an_id_with_line_ends_does_not_spread_over_the_message(server: Recorder) -> None:
    server.answer(Reply(status=404))
    async with client_for(server) as client:
        with pytest.raises(DeepOriginError) as caught:
            await client.executions.get("e\n1" + "x" * 1000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


# Streams


async def stream_of(sender: Transport, silence_seconds: float = PATIENT) -> list[bytes]:
    async with sender.stream(
        "/sse/acme/stream/p", what="follow", params=[("filter", "a=b")], silence_seconds=silence_seconds
    ) as answer:
        return [chunk async for chunk in answer]


async def test_a_stream_is_opened_with_the_token_and_its_own_accept(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(b": heartbeat\n\n"))
    sender = transport_for(server, time)
    assert b"".join(await stream_of(sender)) == b": heartbeat\n\n"
    await sender.aclose()
    assert server.lines == ["GET /sse/acme/stream/p?filter=a%3Db"]
    assert server.requests[0].headers["accept"] == "text/event-stream"
    assert server.requests[0].headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=409), ArgumentError),
        (Reply(status=503), PlatformError),
        (Reply(fault="reset"), NetworkError),
        (Reply(body=b"data: x", fault="half"), NetworkError),
        (Reply(fault="hang"), NetworkError),
    ],
)
async def test_a_stream_that_fails_raises_one_error(
    server: Recorder, time: FakeTime, reply: Reply, kind: type[DeepOriginError]
) -> None:
    server.answer(reply)
    sender = transport_for(server, time)
    with pytest.raises(kind):
        await stream_of(sender, patience(reply))
    await sender.aclose()
    assert (len(server.requests), time.sleeps) == (1, [])


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Thu, 09 Oct 2025 09:18:20 GMT", 1500),
        ("Thu, 09 Oct 2025 08:28:20 GMT", -1500),
        ("Thu, 09 Oct 2025 08:53:21 GMT", 0),
        ("yesterday", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 0),
        ("", 0),
    ],
)
async def test_the_time_is_the_platforms_own_as_far_as_it_tells(
    server: Recorder, time: FakeTime, date: str, seconds: float
) -> None:
    server.answer(Reply({"executionId": "e"}, headers={"date": date} if date else {}))
    async with client_for(server, time.timing) as client:
        assert client.now() == START
        await client.executions.get("e")
        time.advance(7)
        assert client.now() == START + 7 + seconds


async def test_a_response_that_nests_too_deeply_is_a_failure_of_the_platform(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(body=b'{"a":' * 50_000 + b"0" + b"}" * 50_000))
    async with client_for(server, time.timing) as client:
        with pytest.raises(PlatformError, check=with_code("invalid_json")):
            await client.executions.get("e")
