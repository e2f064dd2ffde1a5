"""What leaves over HTTP can be read by every client, and holds no token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deeporigin_mcp.platform.records.sanitizing import HARMFUL
from tests.support.bench import PROJECT, Bench
from tests.support.site import ADA, Site, on_a_port, request, routing

pytestmark = pytest.mark.anyio

SECRET = ADA["X-Do-Auth-Token"]
WIRE = "a\u2028b\u2029c\u0085d\u202e\ufeff"
LEGACY = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


def odd_run(bench: Bench) -> str:

    return bench.raw(
        status="Completed",
        projectId=PROJECT,
        name=f"{WIRE} {SECRET}",
        userInputs={WIRE: f"Bearer {SECRET}"},
        jobOutputs={"text": [WIRE, "half \ud800", SECRET[30:90]], "number": 10**400},
    )


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_execution", {"detail": "detailed"}),
        ("get_execution_results", {}),
        ("wait_executions", {"timeout_seconds": 0}),
    ],
)
async def test_a_response_is_whole_on_one_line_and_without_the_callers_token(
    site: Site, bench: Bench, era: str, tool: str, arguments: dict[str, Any]
) -> None:
    name = odd_run(bench)
    given = arguments | ({"execution_ids": [name]} if tool == "wait_executions" else {"execution_id": name})
    body = request("tools/call", {"name": tool, "arguments": given})
    headers = routing("tools/call", tool)
    if era == "legacy":
        body["params"].pop("_meta")
        headers = LEGACY
    async with on_a_port(site.app) as address, site.http(ADA, address) as http:
        answer = await http.post("/mcp", json=body, headers=headers)
    assert answer.status_code == 200
    text = answer.content.decode()
    document = next(line.removeprefix("data: ") for line in text.splitlines() if "jsonrpc" in line)
    assert not HARMFUL.search(document)
    found = json.loads(document)["result"]
    assert not found.get("isError")
    if tool == "get_execution_results":
        assert found["structuredContent"]["outputs"]["text"] == [WIRE, "half \ufffd", "[secret]"]
    assert "[secret]" in document
    for piece in (SECRET, SECRET[30:90], SECRET[-40:]):
        assert piece not in text


async def test_a_resource_and_a_refusal_pass_the_same_gate(site: Site, bench: Bench) -> None:
    name = odd_run(bench)

    uri = f"deeporigin://executions/{name}"
    asked = [
        (request("resources/read", {"uri": uri}), routing("resources/read", uri)),
        (
            request("tools/call", {"name": "get_execution", "arguments": {"execution_id": SECRET}}),
            routing("tools/call", "get_execution"),
        ),
        (request("resources/read", {"uri": f"deeporigin://x/{SECRET}"}), routing("resources/read")),
    ]
    async with site.http() as http:
        for body, headers in asked:
            answer = await http.post("/mcp", json=body, headers=headers)
            assert SECRET[40:80] not in answer.text
            assert not HARMFUL.search(answer.text.replace("\r", "").replace("\n", ""))
            if "content-length" in answer.headers:
                assert int(answer.headers["content-length"]) == len(answer.content)


async def test_half_a_character_in_a_request_is_refused_and_not_left_without_a_response(site: Site) -> None:
    body = json.dumps(request("tools/call", {"name": "find_platform_tools", "arguments": {"query": "dock \ud83d"}}))
    headers = routing("tools/call", "find_platform_tools") | {"Content-Type": "application/json"}
    async with site.http() as http:
        answer = await http.post("/mcp", content=body, headers=headers)
    assert answer.status_code in (200, 400)
    assert answer.json()["jsonrpc"] == "2.0"
