"""Every tool against every way in which one of its requests can go wrong.

An answer names the cause, what was done, and what to call; the call that it names works once the fault is over.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr

from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy, Timing
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import ManualClock, Platform, make_token, running_simulator
from deeporigin_mcp.tools.executions import idempotency
from deeporigin_mcp.tools.spending import approval
from tests.faults import proxy as faults
from tests.faults.calls import CONFIRM, CREATE, CREATION, LIST, OF_A_CREATION, PROJECT, READ
from tests.faults.proxy import Answer, FaultProxy, fault_proxy
from tests.support.errors import ErrorFacts, error_of
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio

TOKEN = make_token(orgs=["deeporigin"])
PATIENT_SECONDS, SHORT_SECONDS, SHORT_CALL_SECONDS = 20.0, 2.0, 1.0
"""How long the client waits for an answer and a tool for its outcome; short only where none comes.

The first is for the requests beside that one, too, and the second ends before it, so that a request goes on.
"""
MOST_ATTEMPTS = 2
LONGEST_PAUSES_SECONDS = 40
MOST_CHARACTERS = 1500

RESTRICTION = {"code": "LICENSE.FEATURE_NOT_LICENSED", "title": "Not in your plan", "action_request": "Extend it"}

HTTP_FAULTS: dict[str, Answer] = {
    "reset": faults.reset,
    "read timeout": faults.silence,
    "half a body": faults.half_a_body,
    "slow drip": faults.slow_drip,
    "empty body": faults.http("200 OK"),
    "invalid JSON": faults.http("200 OK", b"{oops"),
    "wrong shape": faults.http("200 OK", b'"a text"'),
    "a 10 MB body": faults.http("200 OK", b'"' + b"x" * 10_000_000 + b'"'),
    "redirect": faults.http("302 Found", b"", "Location: http://127.0.0.1:9/elsewhere"),
    **{
        status: faults.problem(status)
        for status in (
            "400 Bad Request",
            "401 Unauthorized",
            "403 Forbidden",
            "404 Not Found",
            "408 Request Timeout",
            "409 Conflict",
            "422 Unprocessable Content",
            "500 Internal Server Error",
            "503 Service Unavailable",
            "504 Gateway Timeout",
        )
    },
    "429 seconds": faults.problem("429 Too Many Requests", "Retry-After: 3"),
    "429 date": faults.problem("429 Too Many Requests", faults.retry_date(5, time.time())),
    "502 HTML": faults.page("502 Bad Gateway"),
    "restriction in errors": faults.problem("403 Forbidden", errors=[RESTRICTION]),
    "restriction at the top": faults.problem("402 Payment Required", **RESTRICTION),
    "restriction as a denial": faults.problem("403 Forbidden", is_approved=False, detail="Not in your plan"),
}
ADDRESS_FAULTS = {
    "connection refused": "http://127.0.0.1:9",
    "DNS failure": "http://platform.invalid",
}

CODES = {
    **dict.fromkeys(("reset", "half a body"), "connection_lost"),
    **dict.fromkeys(("read timeout", "slow drip"), "response_timeout"),
    **dict.fromkeys(("empty body", "wrong shape", "a 10 MB body"), "invalid_response"),
    "invalid JSON": "invalid_json",
    "redirect": "redirect",
    **dict.fromkeys(("400 Bad Request", "422 Unprocessable Content"), "invalid_request"),
    **dict.fromkeys(("401 Unauthorized", "403 Forbidden"), "credentials"),
    "404 Not Found": "not_found",
    "409 Conflict": "state_conflict",
    **dict.fromkeys(("429 seconds", "429 date"), "rate_limited"),
    **dict.fromkeys(("restriction in errors", "restriction at the top", "restriction as a denial"), "restricted"),
}
"""The code of the error, by fault, unless the outcome is unknown; otherwise the platform has failed."""


async def _never(seconds: float) -> None:
    await anyio.sleep_forever()


@dataclass
class Bench:
    """One server before one proxy before one simulator."""

    platform: Platform
    proxy: FaultProxy
    paused: list[float] = field(default_factory=list)
    timeout_seconds: float = PATIENT_SECONDS

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        await anyio.lowlevel.checkpoint()

    def client(self, settings: Settings) -> DeepOriginClient:
        elapsed = Timing(
            sleep=self.pause,
            background_sleep=_never,
            monotonic=lambda: time.monotonic() + sum(self.paused),
            chance=lambda: 0.5,
        )
        return DeepOriginClient(
            settings, timing=elapsed, timeout_seconds=self.timeout_seconds, retry=RetryPolicy(attempts=MOST_ATTEMPTS)
        )

    def settings(self, base_url: str) -> Settings:
        return Settings(
            token=SecretStr(TOKEN),
            org_key="deeporigin",
            project_id=PROJECT,
            base_url=base_url,
            session="matrix",
            auto_approve_up_to=100,
            budget=Decimal(1_000_000),
        )


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    platform = Platform(clock=ManualClock())
    with running_simulator(platform) as simulator, fault_proxy(simulator.base_url) as proxy:
        yield Bench(platform, proxy)


@pytest.fixture(autouse=True)
def _bounds(bench: Bench, request: pytest.FixtureRequest, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_patient = fault in HTTP_FAULTS and fault not in ENDLESS
    bench.timeout_seconds = PATIENT_SECONDS if is_patient else SHORT_SECONDS
    # Elsewhere the request's own timeout comes first, on a slow machine too.
    place = request.node.callspec.params.get("place", "")
    goes_on = not is_patient and place in GOES_ON
    for module in (idempotency, approval):
        monkeypatch.setattr(module, "MAX_CALL_SECONDS", SHORT_CALL_SECONDS if goes_on else PATIENT_SECONDS)


@pytest.fixture
async def agent(bench: Bench) -> AsyncIterator[Client]:
    bench.proxy.heal()
    bench.paused.clear()
    server = create_server(bench.settings(bench.proxy.base_url), connect=bench.client)
    async with Client(server) as client:
        yield client


def quoted(bench: Bench) -> str:
    return bench.platform.seed_executions(status="Quoted", project_id=PROJECT)[0]


def running(bench: Bench) -> str:
    return bench.platform.seed_executions(status="Running", project_id=PROJECT)[0]


PLACES = {
    "list_executions": LIST.rstrip("?"),
    "search_executions": "POST /data-platform/deeporigin/executions/search",
    "get_execution": READ,
    "create_execution": CREATE,
    "confirm_execution": CONFIRM,
    "cancel_execution": ":cancel",
    "wait_executions": READ,
    "find_platform_tools": "GET /tools/protected/tools/definitions",
    "describe_platform_tool": OF_A_CREATION["the tool"].target,
    "list_files": "GET /files/deeporigin/directory/",
    "summarize_spending": LIST.rstrip("?"),
    "get_workspace": "POST /data-platform/deeporigin/projects/search",
    # What comes before a creation and a confirmation
    "create_execution: the tool": OF_A_CREATION["the tool"].target,
    "create_execution: the key": OF_A_CREATION["the key"].target,
    "create_execution: the cluster": OF_A_CREATION["the cluster"].target,
    "confirm_execution: the quote": READ,
    "confirm_execution: what is spent": LIST,
}
"""A tool, and which of its requests goes wrong: the one that its answer is about, or another."""
TOOLS = [place for place in PLACES if ":" not in place]
ENDLESS = ("read timeout", "slow drip")
GOES_ON = ("create_execution", "confirm_execution")
"""What is still being sent when its call has to return."""
SENT_ONCE = {"create_execution", "confirm_execution", "wait_executions"}
NOTHING = {"create_execution": "nothing_created", "confirm_execution": "nothing_started"}


def arguments(tool: str, bench: Bench) -> dict[str, Any]:
    match tool:
        case "get_execution" | "cancel_execution":
            return {"execution_id": running(bench)}
        case "confirm_execution":
            return {"execution_id": quoted(bench)}
        case "create_execution":
            return {**CREATION, "idempotency_key": f"k{time.time_ns()}"}
        case "wait_executions":
            return {"execution_ids": [running(bench)], "timeout_seconds": 0}
        case "describe_platform_tool":
            return {"tool_key": "deeporigin.docking"}
        case _:
            return {}


async def read(agent: Client, tool: str, given: dict[str, Any]) -> tuple[ErrorFacts | None, str]:
    """The code and the outcome of an error, or None for a result; and what a model may read."""
    result = await agent.call_tool(tool, given)
    assert isinstance(result, CallToolResult)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    error = error_of(result) if result.is_error else None
    return error, text + json.dumps(result.structured_content or {})


def assert_explained(place: str, fault: str, error: ErrorFacts | None, text: str) -> None:
    assert (error is None) <= (place in PARTIAL), (place, fault, text)
    assert error is None or error.code in (CODES.get(fault, "platform_failed"), "outcome_unknown")
    assert error is None or (error.code == "outcome_unknown") <= (error.outcome == "unknown"), text
    assert (faults.REQUEST_ID in text) is ((place, fault) not in UNNAMED and fault not in UNANSWERED), text
    for secret in (TOKEN, TOKEN.split(".")[1], "Traceback", "site-packages", "deeporigin_mcp/", "Error executing tool"):
        assert secret not in text
    assert error is None or len(text) < MOST_CHARACTERS


def assert_says_what_to_call(tool: str, given: dict[str, Any], error: ErrorFacts | None, text: str) -> None:
    assert error
    assert error.outcome in (NOTHING[tool], "unknown"), text
    if error.code == "restricted":
        return
    if tool == "create_execution":
        assert f'idempotency_key="{given["idempotency_key"]}"' in text
        return
    calls = calls_in(text, ("get_execution", "confirm_execution"))
    if error.outcome == "unknown":
        assert calls[0] == ("get_execution", given)
    # The price may be named too.
    confirms = [given.items() <= arguments.items() for name, arguments in calls if name == "confirm_execution"]
    assert confirms == [True] or "list_executions" in text, text


def assert_logged_well(place: str, fault: str, is_error: bool, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "deeporigin_mcp.calls"]
    assert line["tool"] == place.partition(":")[0]
    assert (line["outcome"] in ("refused", "failed")) is is_error
    assert line["platform_requests"] >= 1
    went_on = place in GOES_ON and fault in ENDLESS
    # The response to a cancellation is not read.
    is_failure = not went_on and not (place == "cancel_execution" and (place, fault) in UNHARMED)
    assert bool(line.get("failed_requests")) is is_failure
    assert (faults.REQUEST_ID in line.get("request_ids", ())) is (is_failure and fault not in UNANSWERED)
    assert TOKEN not in caplog.text


UNHARMED = {
    # The versions are known from the catalogue, so the newest is asked for by its number.
    ("describe_platform_tool", "404 Not Found"): "deeporigin.docking",
    ("create_execution: the tool", "404 Not Found"): "execution_id",
    # The response to a cancellation is not needed: the state is read afterwards, and it says what is true.
    **{("cancel_execution", fault): "Running" for fault in ("empty body", "wrong shape", "a 10 MB body")},
}
UNANSWERED = ("reset", "read timeout")
UNNAMED = {
    # A call that ends before the answer does cannot name it.
    ("create_execution", "slow drip"),
    ("confirm_execution", "slow drip"),
    # The response to a confirmation counts for nothing, and what is returned is the state that was read afterwards.
    *(("confirm_execution", fault) for fault in ("empty body", "wrong shape", "a 10 MB body")),
}
PARTIAL = ("wait_executions", "get_workspace")
"""Tools that answer with what they could learn, and name what they could not."""


@pytest.mark.parametrize("fault", HTTP_FAULTS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_fault_is_explained_bounded_and_over_when_it_is_over(
    place: str,
    fault: str,
    bench: Bench,
    agent: Client,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "deeporigin_mcp.calls")
    tool, _, other = place.partition(": ")
    given = arguments(tool, bench)
    creates, confirms = len(bench.platform.creates), len(bench.platform.confirms)
    bench.proxy.break_with(PLACES[place], HTTP_FAULTS[fault])

    error, text = await read(agent, tool, given)
    is_error = error is not None

    assert 1 <= bench.proxy.hits <= (1 if place in SENT_ONCE else MOST_ATTEMPTS)
    assert sum(bench.paused) <= LONGEST_PAUSES_SECONDS
    assert_logged_well(place, fault, is_error, caplog)
    if (place, fault) in UNHARMED:
        assert not is_error
        assert UNHARMED[place, fault] in text
        if other:
            return
    else:
        assert_explained(place, fault, error, text)
        if tool in NOTHING:
            assert_says_what_to_call(tool, given, error, text)
    assert len(bench.platform.creates) == creates
    assert len(bench.platform.confirms) == confirms

    bench.proxy.heal()
    if other and fault in ENDLESS:
        # Whether the call is still at it when it is made again is a matter of time.
        return
    if tool in NOTHING:
        monkeypatch.setattr(idempotency, "MAX_CALL_SECONDS", PATIENT_SECONDS)
    if place == "create_execution" and fault in ENDLESS:
        # That creation is still under way: the same key joins it, and only another one is sent.
        error, text = await read(agent, tool, given)
        assert error == ("outcome_unknown", "unknown")
        given["idempotency_key"] += " another"
    error, text = await read(agent, tool, given)
    assert error is None, text
    assert len(bench.platform.creates) == creates + (tool == "create_execution")
    assert len(bench.platform.confirms) == confirms + (tool == "confirm_execution")


@pytest.mark.parametrize("fault", [*ADDRESS_FAULTS, "TLS failure"])
@pytest.mark.parametrize("tool", TOOLS)
async def test_a_platform_that_cannot_be_reached_is_explained(tool: str, fault: str, bench: Bench) -> None:
    tls = bench.proxy.base_url.replace("http:", "https:")
    bench.paused.clear()
    server = create_server(bench.settings(ADDRESS_FAULTS.get(fault, tls)), connect=bench.client)
    given = arguments(tool, bench)
    async with Client(server) as agent:
        error, text = await read(agent, tool, given)
    assert error is not None or tool in PARTIAL
    assert error is None or error.code in ("unreachable", "connect_timeout", "tls_failed", "connection_lost"), text
    assert TOKEN not in text
    assert sum(bench.paused) <= LONGEST_PAUSES_SECONDS * 5  # the workspace asks five things side by side
    if tool in NOTHING:
        assert error is not None
        assert error.outcome == NOTHING[tool]
        assert_says_what_to_call(tool, given, error, text)


@pytest.mark.parametrize("fault", ["as the platform says"])
@pytest.mark.parametrize("status", ["400 Bad Request", "409 Conflict", "503 Service Unavailable", "403 Forbidden"])
@pytest.mark.parametrize("tool", NOTHING)
async def test_what_the_platform_says_of_it_does_not_stand_for_the_outcome(
    tool: str, status: str, fault: str, bench: Bench, agent: Client
) -> None:
    said = "Nothing was created and it is not started; Nothing was started"
    given = arguments(tool, bench)
    for content in ({"message": said}, {"code": "LICENSE.FEATURE_NOT_LICENSED", "title": said}):
        bench.proxy.break_with(PLACES[tool], faults.problem(status, **content))
        error, _ = await read(agent, tool, given)
        is_unknown = status.startswith("503") and "message" in content
        assert error
        assert error.outcome == ("unknown" if is_unknown else NOTHING[tool])
