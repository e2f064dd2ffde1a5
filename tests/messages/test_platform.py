"""What the platform's client says when a request fails: each message of `deeporigin_mcp/platform/`, once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.platform import DeepOriginClient, ListQuery, RetryPolicy
from deeporigin_mcp.platform.transport import requests
from deeporigin_mcp.platform.waiting.observer import dirty_filters
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.fake_time import FakeTime
from tests.support.recording import Reply, execution, recording, settings_for

pytestmark = [
    pytest.mark.anyio,
    # httpx leaves the socket of a SOCKS proxy that refuses to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

Call = Callable[[DeepOriginClient], Awaitable[Any]]
ONCE = RetryPolicy(attempts=1)
REASON = {"message": "The reason of the platform"}
STATUSES = (400, 401, 403, 404, 407, 408, 409, 422, 429, 500, 503)
PROXY = "http://user:secret@127.0.0.1"


def get(client: DeepOriginClient) -> Awaitable[Any]:
    return client.executions.get("e-1")


def create(**data: Any) -> Call:
    body = {"clusterId": "c-1", **data}
    return lambda client: client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=body)


def confirm(client: DeepOriginClient) -> Awaitable[Any]:
    return client.executions.confirm("e-1")


async def error_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except DeepOriginError as error:
        return message_of(error)
    raise AssertionError("no error")


async def said(call: Call, *replies: Any, timeout_seconds: float = 20.0, **values: Any) -> str:
    """What a call says when the platform sends these replies."""
    async with recording() as server:
        server.answer(*replies)
        settings = settings_for(server.url, **values)
        async with DeepOriginClient(
            settings, timing=FakeTime().timing, retry=ONCE, timeout_seconds=timeout_seconds
        ) as client:
            return await error_of(call(client))


async def said_of(failure: Exception) -> str:
    """What is said of a failure of httpx that no local server can cause."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    settings = settings_for("http://127.0.0.1:1")
    async with DeepOriginClient(
        settings, timing=FakeTime().timing, retry=ONCE, http=httpx.MockTransport(fail)
    ) as client:
        return await error_of(get(client))


async def error_responses() -> dict[str, str]:
    messages = {f"HTTP {status}": await said(get, Reply(REASON, status=status)) for status in STATUSES}
    messages["HTTP 429 with Retry-After"] = await said(get, Reply(status=429, headers={"retry-after": "7"}))
    messages["an HTML page"] = await said(get, Reply(b"<html>Bad gateway</html>", status=502))
    messages["a redirect"] = await said(get, Reply(status=302, headers={"location": "https://elsewhere.example"}))
    refusal = {"errors": [{"code": "MASON.TOOL_EXECUTION.TIER_LIMIT_EXCEEDED", "title": "Plan limit reached"}]}
    messages["a refusal by plan"] = await said(confirm, Reply(refusal, status=403))
    messages["a refusal without a text"] = await said(create(), {"executionId": "e-1", "purchase_approved": False})
    return messages


async def unusable_responses(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    messages = {
        "not JSON": await said(get, Reply(b"<html>odd</html>")),
        "cut off": await said(get, Reply(b'{"executionId": "e-1", "sta')),
        "not an object": await said(get, [1]),
        "not a list": await said(lambda client: client.projects.list(), {"data": 7}),
        "another execution": await said(get, execution(execution_id="e-2")),
        "an unsupported encoding": await said(get, Reply(b"x", headers={"content-encoding": "br"})),
    }
    monkeypatch.setattr(requests, "MAX_BODY_BYTES", 2**20)
    monkeypatch.setattr(requests, "MAX_VALUES", 1000)
    messages["too large"] = await said(get, Reply(b" " * 2**21))
    messages["too many values"] = await said(get, Reply(b"[" + b"1," * 2000 + b"1]"))

    async def endless() -> Any:
        yield b"data: " + b"x" * 2**19

    messages["an event without an end"] = await error_of(anext(dirty_filters(endless())))
    return messages


async def executions() -> dict[str, str]:
    lost = Reply(fault="close")
    wait = {"timeout": 0.0, "poll_interval": 5.0}
    return {
        "create: lost response": await said(create(), lost),
        "create: response without an id": await said(create(), {"status": "Quoted"}),
        "create: another execution": await said(create(), execution("Quoted", tool={"key": "another"})),
        "create: no cluster": await said(
            lambda client: client.executions.create(tool_key="t", tool_version="1", data={}), {"data": []}
        ),
        "create: visibility": await said(create(visibility="secret")),
        "create: another project": await said(create(projectId="proj_2")),
        "create: no project": await said(create(), project_id=""),
        "create: not JSON": await said(create(inputs={"x": float("nan")})),
        "confirm: lost response, unreadable state": await said(confirm, lost, Reply(status=500)),
        "confirm: accepted, unreadable state": await said(confirm, Reply(b""), Reply(status=404)),
        "get: empty id": await said(lambda client: client.executions.get(" ")),
        "get: dots": await said(lambda client: client.executions.get("..")),
        "get: characters that an id cannot have": await said(lambda client: client.executions.get("\ud800")),
        "list: page": await said(lambda client: client.listing.page(ListQuery(), page=-1)),
        "list: page size": await said(lambda client: client.listing.page(ListQuery(), page_size=10_001)),
        "wait: no ids": await said(lambda client: client.executions.wait([])),
        "wait: empty id": await said(lambda client: client.executions.wait(["e-1", ""])),
        "wait: interval": await said(lambda client: client.executions.wait("e-1", poll_interval=0)),
        "wait: timeout": await said(lambda client: client.executions.wait("e-1", timeout=float("nan"))),
        "wait: time is up": await said(lambda client: client.executions.wait("e-1", **wait), execution()),
        "wait: time is up, unreadable": await said(
            lambda client: client.executions.wait("e-1", **wait), Reply(status=503)
        ),
    }


async def proxied(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> str:
    with monkeypatch.context() as patch:
        patch.setenv(variable, url)
        async with DeepOriginClient(
            settings_for("https://platform.example"), timing=FakeTime().timing, retry=ONCE
        ) as client:
            return await error_of(get(client))


async def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)
    messages = {
        "connection lost": await said(get, Reply(fault="close")),
        "no response": await said(get, Reply(fault="hang"), timeout_seconds=0.4),
        "no connection in time": await said_of(httpx.ConnectTimeout("")),
        "refused": await said_of(httpx.ConnectError("All connection attempts failed")),
        "unknown host name": await said_of(httpx.ConnectError("[Errno -2] Name or service not known")),
        "untrusted certificate": await said_of(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]")),
        "no TLS": await said_of(httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER]")),
        "proxy: unreachable": await proxied(monkeypatch, "HTTPS_PROXY", f"{PROXY}:9"),
    }
    replies = {
        "proxy: credentials": (b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", "HTTPS_PROXY", PROXY),
        "proxy: no credentials": (b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", "HTTPS_PROXY", "http://127.0.0.1"),
        "proxy: forbidden": (b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", "HTTPS_PROXY", PROXY),
        "proxy: not SOCKS": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "ALL_PROXY", "socks5://127.0.0.1"),
    }
    for case, (reply, variable, url) in replies.items():

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes = reply) -> None:
            await reader.read(1000)
            writer.write(content)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        messages[case] = await proxied(monkeypatch, variable, f"{url}:{port}")
        server.close()
    gc.collect()
    return messages


async def test_messages_of_the_platforms_client(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**await error_responses(), **await network(monkeypatch), **await executions()}
    assert_as_agreed("platform", {**found, **await unusable_responses(monkeypatch)})
