"""What the server says over HTTP: to clients, to their users, and to its operator."""

from __future__ import annotations

import contextlib
import logging
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import CallToolResult
from starlette.datastructures import Headers
from starlette.types import ASGIApp

from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.http import create_app, serve
from deeporigin_mcp.http.bodies import MAX_BODY_BYTES, Bodies
from deeporigin_mcp.http.callers import CallerLimits, CallerPool
from deeporigin_mcp.http.credentials import caller_settings
from deeporigin_mcp.http.guard import Guard
from deeporigin_mcp.http.names import Names
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.bench import ACME_PROJECT, FREE, Bench
from tests.support.questions import text_of
from tests.support.site import ADA, BASE_URL, credentials, running_site, token

pytestmark = pytest.mark.anyio

OPERATOR = Settings(places=IN_HEADERS)
STATE_KEYS = {"DEEPORIGIN_MCP_STATE_KEYS": "k" * 32}


async def nothing(*_: Any) -> None:
    """The application behind the guard, which these requests do not reach."""


async def refusal(app: ASGIApp, method: str = "POST", **request: Any) -> str:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE_URL) as http:
        response = await http.request(method, "/mcp", **request)
    headers = [f"{name}: {response.headers[name]}" for name in ("allow", "retry-after") if name in response.headers]
    return "\n".join([f"HTTP {response.status_code}", *headers, response.text])


async def arriving() -> Any:
    """A body whose end does not come."""
    yield b"{"
    await anyio.sleep_forever()


async def test_refusals_over_http(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(nothing, "/mcp", Names())
    said = {
        "host": await refusal(guard, headers={"Host": "mcp.example.org"}),
        "origin": await refusal(guard, headers={"Origin": "https://chat.example.org"}),
        "method": await refusal(guard, "GET"),
        "length": await refusal(guard, content=b"{}", headers={"Content-Length": "many"}),
        "large body": await refusal(guard, content=b" " * (MAX_BODY_BYTES + 1)),
        "late body": await refusal(Guard(nothing, "/mcp", Names(), body_seconds=0), content=arriving()),
        "many bodies": await refusal(Guard(nothing, "/mcp", Names(), bodies=Bodies(max_held_bytes=1)), content=b"{}"),
        "many requests": await refusal(Guard(nothing, "/mcp", Names(), max_requests=0), content=b"{}"),
    }

    for case, headers in {
        "token that is not one": [*ADA.items(), ("X-Do-Auth-Token", "abc")][1:],
        "two organisations": [*ADA.items(), ("X-Do-Org-Key", "acme")],
        "long token": [("X-Do-Auth-Token", "t" * 8193)],
        "project with an accent": [*ADA.items(), ("X-Do-Project-Id", "\u00e9")][-1:],
    }.items():
        given = SimpleNamespace(headers=Headers(raw=[(k.lower().encode(), v.encode("latin-1")) for k, v in headers]))
        with pytest.raises(DeepOriginError) as caught:
            caller_settings(OPERATOR, given).require_token()
        said[case] = message_of(caught.value)

    for case, limits, busy, one_more in (
        ("callers", {"states": 1}, "ada", "eve"),
        ("calls of one caller", {"calls_each": 1}, "ada", "ada"),
        ("calls without credentials", {"calls_each": 1}, "", ""),
        ("projects of one caller", {"states_each": 1}, "ada", "ada/p"),
        ("unknown callers", {"unknown_calls": 1, "queue_seconds": 0}, "ada", "eve"),
    ):
        pool = CallerPool(OPERATOR, limits=CallerLimits(**limits))
        async with pool.open(AuditLog(None)), pool.state_for(settings_of(busy)):
            with pytest.raises(DeepOriginError) as caught:
                async with pool.state_for(settings_of(one_more)):
                    pass
        said[f"too many {case}"] = message_of(caught.value)

    for case, variables in {
        "credentials of the operator": STATE_KEYS | {"DO_AUTH_TOKEN": "x", "DO_ORG_KEY": "acme"},
        "no state keys": {},
        "budget without a session": STATE_KEYS | {"DEEPORIGIN_MCP_BUDGET": "5"},
    }.items():
        caplog.clear()
        create_app(Settings.load_for_http(variables))
        said[case] = "\n".join(f"log: {each.message}" for each in caplog.records if each.levelno >= logging.WARNING)
    with pytest.raises(DeepOriginError) as caught:
        serve(OPERATOR, host="0.0.0.0", port=0, on_ready=print)
    said["no host names"] = message_of(caught.value)
    assert_as_agreed("http", said)


def settings_of(caller: str) -> Settings:
    who, _, project = caller.partition("/")
    return OPERATOR.for_caller(token("deeporigin", who) if who else "", "deeporigin", project)


async def test_messages_to_callers_over_http(bench: Bench) -> None:
    said = {}
    cases: dict[str, tuple[dict[str, str], str, dict[str, Any], str]] = {
        "organisation of another token": (ADA | {"X-Do-Org-Key": "acme"}, "list_executions", {}, ""),
        "refused token": (ADA, "list_executions", {}, "GET */executions status=401"),
        "no project": (credentials(), "create_execution", FREE, ""),
        "another project": (ADA, "create_execution", FREE | {"project_id": ACME_PROJECT}, ""),
    }
    for case, (headers, tool, arguments, fault) in cases.items():
        with contextlib.ExitStack() as stack:
            if fault:
                bench.fault(fault)
                stack.callback(bench.heal)
            async with running_site(bench) as site, site.client(headers) as client:
                result = await client.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        said[case] = text_of(result).replace(bench.base_url, "http://127.0.0.1:4931")
    assert_as_agreed("http_callers", said)
