"""Requests as clients and proxies send them: repeated headers, other `Accept`, a slash at the end."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from tests.support.bench import Bench
from tests.support.site import ADA, Site, on_a_port, request, routing
from tests.support.waiting_server import started

pytestmark = pytest.mark.anyio

LEGACY = "2025-11-25"
LISTED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CALL: dict[str, Any] = {"name": "list_executions", "arguments": {}}
CALLED = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}

Lines = list[tuple[str, str]]


async def sent(site: Site, body: dict[str, Any], headers: Lines, path: str = "/mcp") -> tuple[int, str, dict[str, Any]]:
    """Status, content type and JSON of the response to exactly these headers."""
    async with site.http({}) as http:
        http.headers.clear()
        answer = await http.post(path, json=body, headers=[("Host", "localhost"), *headers])
    kind, text = answer.headers.get("content-type", ""), answer.text
    data = next((line[5:] for line in text.splitlines()[::-1] if line.startswith("data:")), text)
    return answer.status_code, kind.partition(";")[0], json.loads(data) if data[:1] in (" ", "{") else {}


def twice(headers: dict[str, str], how: str) -> Lines:
    if how == "lines":
        return [*headers.items(), *headers.items()]
    return [(name, f"{value}{how}{value}") for name, value in headers.items()]


@pytest.mark.parametrize("how", [", ", ",", " ,  ", "lines"])
async def test_a_value_that_comes_twice_is_that_value(site: Site, how: str) -> None:
    ours = {**ADA, **routing("tools/call", "list_executions"), "Content-Type": "application/json"}
    status, _, answer = await sent(site, request("tools/call", CALL), twice(ours, how))
    assert (status, answer["result"]["isError"]) == (200, False)
    legacy = {**ADA, "MCP-Protocol-Version": LEGACY, "Content-Type": "application/json"}
    status, _, answer = await sent(site, CALLED, twice(legacy, how))
    assert (status, answer["result"]["isError"]) == (200, False)


async def test_a_value_that_comes_three_times_is_that_value(site: Site) -> None:
    status, _, _ = await sent(site, LISTED, [("MCP-Protocol-Version", f"{LEGACY}, {LEGACY}, {LEGACY}")])
    assert status == 200


@pytest.mark.parametrize(
    "value", [f"{LEGACY}, 2025-06-18", f"{LEGACY}, 2026-07-28", f"{LEGACY} {LEGACY}", f"{LEGACY},"]
)
async def test_two_different_values_are_refused(site: Site, value: str) -> None:
    status, _, answer = await sent(site, LISTED, [("MCP-Protocol-Version", value)])
    assert status == 400
    assert "error" in answer


async def test_two_tokens_are_refused(site: Site, bench: Bench) -> None:
    for name in ADA:
        headers = [*routing("tools/call", "list_executions").items(), *ADA.items(), (name, "other")]
        status, _, answer = await sent(site, request("tools/call", CALL), headers)
        assert (status, answer["result"]["isError"]) == (200, True)
        assert f"{name} appears 2 times" in answer["result"]["content"][0]["text"]
    assert bench.platform.requests == []


NO_EVENTS = ["application/json", "application/json;q=0.9, text/html", "APPLICATION/JSON", "application/*"]

ONLY_EVENTS = ["text/event-stream", "Text/Event-Stream; q=1", "text/*"]


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/json, text/*", *ONLY_EVENTS, *NO_EVENTS])
async def test_a_client_gets_what_it_reads(site: Site, accept: str | None) -> None:
    chosen: Lines = [] if accept is None else [("Accept", accept)]
    modern = [(name, value) for name, value in routing("tools/call", "list_executions").items() if name != "Accept"]
    for body, headers in ((request("tools/call", CALL), modern), (CALLED, []), (LISTED, [])):
        status, kind, answer = await sent(site, body, [*chosen, *headers, *ADA.items()])
        assert status == 200
        assert answer["id"] == 1
        assert "error" not in answer
        assert kind == "application/json" or accept not in NO_EVENTS


async def test_what_is_accepted_may_stand_in_two_lines(site: Site) -> None:
    for kinds in (("application/json", "text/event-stream"), ("text/event-stream", "application/json;q=0.5")):
        status, _, answer = await sent(site, LISTED, [("Accept", kind) for kind in kinds])
        assert (status, answer["id"]) == (200, 1)


@pytest.mark.parametrize(
    "kind", ["Application/JSON", "application/json; charset=UTF-8", "APPLICATION/JSON;charset=utf-8"]
)
async def test_the_case_of_a_content_type_does_not_matter(site: Site, kind: str) -> None:
    status, _, answer = await sent(site, LISTED, [("Content-Type", kind)])
    assert (status, answer["id"]) == (200, 1)


@pytest.mark.parametrize(
    "query",
    [b'"dock\\ud83d"', b'"\\udc00\\ud83d dock"', b'"dock \xff"', b'"dock \xed\xa0\xbd"'],
    ids=["half", "halves", "no utf-8", "half as bytes"],
)
async def test_a_call_with_half_a_character_gets_a_result(site: Site, query: bytes) -> None:
    body = (
        b'{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "find_platform_tools", "arguments": '
    )
    async with site.http(ADA) as http:
        for mark in (b"", b"\xef\xbb\xbf"):
            content = mark + body + b'{"query": ' + query + b"}}}"
            answer = await http.post("/mcp", content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 200
            assert '"isError":false' in answer.text


async def test_the_whole_address_is_a_path_too(site: Site) -> None:
    async with (
        on_a_port(site.app) as address,
        await anyio.connect_tcp("127.0.0.1", int(address.rsplit(":", 1)[1])) as one,
    ):
        for path in (f"{address}/mcp", f"{address.upper()}/mcp/?a=b"):
            lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
            body = json.dumps(LISTED)
            await one.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode())
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += await one.receive()
            assert received.startswith(b"HTTP/1.1 200 ")


async def test_who_reads_only_json_is_not_sent_the_progress_of_a_wait(site: Site, bench: Bench) -> None:
    name = await started(bench)
    arguments = {"execution_ids": [name], "timeout_seconds": 0}
    body = request("tools/call", {"name": "wait_executions", "arguments": arguments})
    body["params"]["_meta"]["progressToken"] = "p"
    headers = routing("tools/call", "wait_executions") | ADA | {"Accept": "application/json"}
    status, kind, answer = await sent(site, body, [*headers.items()])
    assert (status, kind) == (200, "application/json")
    assert answer["result"]["structuredContent"]["all_done"] is False


@pytest.mark.parametrize("accept", ["application/json", "text/html", "image/*, text/plain"])
async def test_a_stream_needs_a_reader_of_streams(site: Site, accept: str) -> None:
    listen = request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    headers = routing("subscriptions/listen") | ADA | {"Accept": accept}
    with anyio.fail_after(20):
        status, _, _ = await sent(site, listen, [*headers.items()])
    assert status == 406


async def test_a_slash_at_the_end_is_the_same_address(site: Site) -> None:
    for body, headers in ((request("tools/list"), routing("tools/list")), (LISTED, ADA)):
        status, _, answer = await sent(site, body, [*headers.items()], "/mcp/")
        assert status == 200
        assert answer["result"]["tools"]
    async with site.http() as http:
        assert (await http.get("/mcp/")).status_code == 405
        assert (await http.post("/mcp/", headers={"Host": "evil.example"})).status_code == 421
