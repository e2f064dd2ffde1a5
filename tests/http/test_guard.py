"""What is refused before it is parsed: by method, host, origin, size, time and number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from deeporigin_mcp.http.bodies import MAX_BODY_BYTES
from deeporigin_mcp.http.guard import Guard
from deeporigin_mcp.http.names import Names
from tests.support.bench import Bench
from tests.support.site import ADA, BASE_URL, Site, request, routing, running_site

pytestmark = pytest.mark.anyio

LIST = "tools/list"
NAMED: dict[str, Any] = {
    "allowed_hosts": ("mcp.example.org", "10.0.0.7:8000", "[fd00::7]"),
    "allowed_origins": ("https://chat.example.org",),
}


async def post(site: Site, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
    async with site.http(routing(LIST)) as http:
        return await http.post("/mcp", **({"json": request(LIST)} | more), headers=headers)


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
async def test_only_post_is_served(site: Site, method: str) -> None:
    async with site.http() as http:
        answer = await http.request(method, "/mcp", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8321", 200),
        ("localhost:1", 200),
        ("[::1]:8321", 200),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8321", 421),
        ("mcp.example.org", 421),
        ("", 421),
    ],
)
async def test_by_default_only_this_machine_is_called(site: Site, host: str, status: int) -> None:
    assert (await post(site, {"Host": host})).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mcp.example.org", 200),
        ("mcp.example.org:8443", 200),
        ("10.0.0.7:8000", 200),
        ("10.0.0.7:8001", 421),
        ("10.0.0.7", 421),
        ("[fd00::7]:8321", 200),
        ("127.0.0.1:8321", 421),
        ("evil.example.org", 421),
    ],
)
async def test_hosts_that_are_named_are_all_that_count(bench: Bench, host: str, status: int) -> None:
    async with running_site(bench, **NAMED) as site:
        assert (await post(site, {"Host": host})).status_code == status


@pytest.mark.parametrize(
    ("named", "origin", "status"),
    [
        (False, "http://localhost:6274", 200),
        (False, "http://127.0.0.1", 200),
        (False, "http://evil.example", 403),
        (False, "null", 403),
        (True, "https://chat.example.org", 200),
        (True, "http://chat.example.org", 403),
        (True, "https://chat.example.org.evil.example", 403),
        (True, "https://chat.example.org:444", 403),
        (True, "http://localhost:6274", 403),
    ],
)
async def test_a_web_page_may_call_only_from_an_allowed_origin(
    bench: Bench, named: bool, origin: str, status: int
) -> None:
    async with running_site(bench, **(NAMED if named else {})) as site:
        host = {"Host": "mcp.example.org"} if named else {}
        answer = await post(site, {**host, "Origin": origin})
        wanted = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-do-auth-token",
        }
        async with site.http(host) as http:
            asked = await http.options("/mcp", headers=wanted)
    assert answer.status_code == status
    for response in (answer, asked):
        assert response.headers.get("access-control-allow-origin") == (origin if status == 200 else None)
    assert asked.status_code == (200 if status == 200 else 400)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large_is_not_read_to_its_end(site: Site, declared: bool) -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(64):
            read += 2**20
            yield b" " * 2**20

    content: Any = b" " * (MAX_BODY_BYTES + 1) if declared else pieces()
    answer = await post(site, json=None, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert read <= MAX_BODY_BYTES + 2 * 2**20


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"jsonrpc":"2.0"}', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 400),
        (b"{}", {"Accept": "text/html"}, 406),
        (b"{}", {"MCP-Protocol-Version": "1999-01-01"}, 400),
        (b"{}", {"MCP-Protocol-Version": "2025-11-25"}, 400),
    ],
)
async def test_an_invalid_request_is_refused_and_harms_nothing(
    site: Site, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await post(site, json=None, content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert (await post(site)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_come_under_any_name(site: Site, path: str) -> None:
    async with site.http({}) as http:
        answer = await http.get(path, headers={"Host": "10.1.2.3:8321"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        site.app.state.is_stopping = True
        stopping = await http.get(path, headers={"Host": "10.1.2.3:8321"})
    assert stopping.status_code == (503 if path == "/readyz" else 200)


async def test_no_other_address_exists(site: Site) -> None:
    async with site.http() as http:
        for path in ("/", "/docs", "/mcp//", "/mcp/x", "/healthz/x"):
            assert (await http.post(path, json={})).status_code == 404


async def test_the_same_holds_below_another_application(site: Site) -> None:
    outer = Starlette(routes=[Mount("/science", site.app)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=outer), base_url=BASE_URL) as http:
        assert (await http.post("/science/mcp", json=request(LIST), headers=routing(LIST))).status_code == 200
        # Without the guard this would open a stream that nothing ends.
        with anyio.fail_after(10):
            answer = await http.get("/science/mcp", headers={"Accept": "text/event-stream"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert (await http.get("/science/healthz")).status_code == 200


SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/mcp",
    "headers": [(b"host", b"localhost")],
    "query_string": b"",
    "http_version": "1.1",
}


async def served(guard: Guard, receive: Receive, scope: Scope = SCOPE) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    return sent


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def reader(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    sent = await served(Guard(reader, "/mcp", Names(), body_seconds=0), never)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_once_the_body_is_there_the_response_may_take_its_time() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"{}", "more_body": False}]
    left = anyio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        left.set()
        return {"type": "http.disconnect"}

    async def waits_for_the_client(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    await served(Guard(waits_for_the_client, "/mcp", Names(), body_seconds=60), receive)
    assert left.is_set()


async def test_one_request_too_many_is_refused_with_retry_after() -> None:
    guard = Guard(reader, "/mcp", Names(), max_requests=1)
    answers: list[int] = []
    begun, go_on = anyio.Event(), anyio.Event()

    async def slow() -> Message:
        begun.set()
        await go_on.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def first() -> None:
        answers.append((await served(guard, slow))[0]["status"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await begun.wait()
        refused = await served(guard, never)
        # Probes are no calls.
        probe = await served(guard, slow_probe, {**SCOPE, "path": "/healthz", "method": "GET"})
        go_on.set()
    assert refused[0]["status"] == 503
    assert (b"retry-after", b"1") in refused[0]["headers"]
    assert (probe[0]["status"], answers) == (200, [200])
    go_on.set()
    assert (await served(guard, slow))[0]["status"] == 200


async def slow_probe() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_a_failing_request_gives_its_place_back() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    guard = Guard(broken, "/mcp", Names(), max_requests=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await served(guard, slow_probe)


def test_the_application_is_one_that_any_server_runs(site: Site) -> None:
    assert isinstance(site.app, Starlette)
    assert set(ADA) == {"X-Do-Auth-Token", "X-Do-Org-Key", "X-Do-Project-Id"}
