"""Requests equal the official client's byte for byte, except for the numbered differences of `platform/__init__.py`.

Once against the official client itself, in the same test, and once against golden requests that were recorded from
its version 5.4.0. A scenario that differs names its number; each number has a test of its own.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from deeporigin.platform.client import DeepOriginClient as OfficialClient

import deeporigin_mcp.platform
from deeporigin_mcp import __version__
from deeporigin_mcp.errors import ArgumentError, DeepOriginError, OutcomeUnknownError, PlatformError, RestrictionError
from deeporigin_mcp.platform import DeepOriginClient, RetryPolicy
from deeporigin_mcp.platform.waiting.engine import watch
from tests.platform.scenarios import DOCKING, SCENARIOS, Scenario
from tests.support.fake_time import FakeTime
from tests.support.recording import (
    ORG,
    PROJECT,
    SESSION,
    Recorder,
    Reply,
    Request,
    client_for,
    execution,
    recording,
    settings_for,
    token,
    with_code,
)

pytestmark = pytest.mark.anyio

GOLDEN: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "wire_reference.json").read_text())
OURS = {"app": "deeporigin-mcp", "session": SESSION}
DIFFERENCES = dict(re.findall(r"^(\d+)\. +(.+)[;.]$", str(deeporigin_mcp.platform.__doc__), re.MULTILINE))


def picture(request: Request) -> dict[str, Any]:
    """What is compared of a request; the body with the order of its keys, as text."""
    return {
        "line": request.line,
        "headers": sorted(set(request.headers) - {"user-agent"}),
        "accept": request.headers.get("accept"),
        "content_type": request.headers.get("content-type"),
        "body": request.content.decode() or None,
    }


async def asked_by_us(server: Recorder, scenario: Scenario) -> tuple[list[dict[str, Any]], Any]:
    server.requests.clear()
    server.answer(*scenario.replies)
    outcome: Any = None
    async with client_for(server, FakeTime().timing) as client:
        try:
            outcome = await (scenario.ours or scenario.call)(client)
        except DeepOriginError as error:
            outcome = error
    return [picture(request) for request in server.requests], outcome


async def asked_by_official(server: Recorder, scenario: Scenario) -> tuple[list[dict[str, Any]], Any]:
    """The official client, with our app and session so that bodies can be equal to the byte."""
    server.requests.clear()
    server.answer(*scenario.replies)

    def run() -> Any:
        client = OfficialClient(
            base_url=server.url,
            token=token(),
            org_key=ORG,
            project_id=PROJECT,
            retry_backoff_factor=0.0,
            _app=OURS["app"],
            _session=SESSION,
        )
        with client:
            try:
                return scenario.call(client)
            except Exception as error:  # noqa: BLE001 - of many kinds; that there is one is what counts
                return error

    outcome = await anyio.to_thread.run_sync(run)
    return [picture(request) for request in server.requests], outcome


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_requests_equal_those_of_the_official_client(server: Recorder, scenario: Scenario) -> None:
    theirs, their_outcome = await asked_by_official(server, scenario)
    ours, our_outcome = await asked_by_us(server, scenario)
    if scenario.differs:
        assert ours != theirs
        return
    assert ours == theirs
    assert isinstance(our_outcome, Exception) == isinstance(their_outcome, Exception), (our_outcome, their_outcome)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_requests_equal_those_that_were_recorded(server: Recorder, scenario: Scenario) -> None:
    golden = [{**request, "body": _as_ours(request["body"])} for request in GOLDEN[scenario.name]]
    ours, _ = await asked_by_us(server, scenario)
    assert (ours == golden) is not bool(scenario.differs), (ours, golden)


def _as_ours(body: Any) -> str | None:
    """A recorded body as we would send it: difference 5 is in every creation."""
    if body is None:
        return None
    stamped = {name: OURS.get(name, value) for name, value in body.items()}
    return json.dumps(stamped, separators=(",", ":"))


def test_every_recorded_request_is_compared() -> None:
    assert set(GOLDEN) == {scenario.name for scenario in SCENARIOS}


# The official `projects.get` unpacks its search; ours hands the search's answer on.
HANDED_ON = [s for s in SCENARIOS if not s.differs and not s.name.startswith("projects.get")]


@pytest.mark.parametrize("scenario", HANDED_ON, ids=lambda scenario: scenario.name)
async def test_responses_are_returned_as_the_official_client_does(server: Recorder, scenario: Scenario) -> None:
    _, theirs = await asked_by_official(server, scenario)
    _, ours = await asked_by_us(server, scenario)
    if not isinstance(theirs, Exception):
        # Plain `list()` hands a bare list on in the official client; here it comes in the usual envelope.
        assert ours == ({"data": theirs, "count": len(theirs)} if "bare list" in scenario.name else theirs)


# The differences, one by one


def test_each_difference_is_listed_once_and_tested() -> None:
    tested = {name.split("_")[2] for name in globals() if name.startswith("test_difference_")}
    # Those from 14 on are about molecules and files (test_wire_molecules.py).
    assert {number for number in DIFFERENCES if int(number) < 14} == tested
    assert {str(scenario.differs) for scenario in SCENARIOS if scenario.differs} <= set(DIFFERENCES)


async def test_difference_1_ids_are_percent_encoded_and_refused_when_empty(server: Recorder) -> None:
    assert DIFFERENCES["1"].startswith("ids are percent-encoded")
    server.answer(execution(execution_id="a b/c?d#e"))
    async with client_for(server, org_key="a/b") as client:
        await client.executions.get("a b/c?d#e")
        with pytest.raises(ArgumentError):
            await client.executions.get("")
    assert server.lines == ["GET /tools/a%2Fb/tools/executions/a%20b%2Fc%3Fd%23e"]


@pytest.mark.parametrize("answered", ["e-2", "", None, "e-1\u200b", "\uff45-1", ["e-1"]])
async def test_difference_12_a_response_about_another_execution_is_an_error(server: Recorder, answered: Any) -> None:
    other = execution(execution_id=answered)
    server.answer(other)
    async with client_for(server, retry=RetryPolicy(attempts=1)) as client:
        for call in (client.executions.get("e-1"), client.executions.cancel("e-1")):
            with pytest.raises(PlatformError, check=with_code("wrong_execution")):
                await call
        assert [request.method for request in server.requests] == ["GET", "GET"]
        with pytest.raises(OutcomeUnknownError):
            await client.executions.confirm("e-1")
        server.answer(execution(), other)
        with pytest.raises(PlatformError, check=with_code("wrong_execution")):
            await client.executions.cancel("e-1")
        server.answer(other)
        found = await watch(client.observer, ["e-1"], poll_interval_seconds=5, timeout_seconds=0, timing=client.timing)
    assert (found.found, found.pending) == ({}, ["e-1"])
    assert "about another execution" in str(found.failed["e-1"])


async def test_an_id_in_the_other_case_is_the_same(server: Recorder) -> None:
    server.answer(execution(execution_id="3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"))
    async with client_for(server) as client:
        await client.executions.get(" 3F0C9A52-6F0E-4F0B-9A55-0D3B6E1C7A11 ")


@pytest.mark.parametrize(
    "other",
    [
        {"tool": {"key": "deeporigin.abfe-end-to-end", "version": "2"}},
        {"session": "somebody else's"},
        {"metadata": {"note": "another", "idempotency_key": "k-2"}},
    ],
)
async def test_the_outcome_of_a_creation_whose_response_is_another_execution_is_unknown(
    server: Recorder, other: dict[str, Any]
) -> None:
    data = {"clusterId": "c", "metadata": {"idempotency_key": "k-1"}}
    async with client_for(server) as client:
        server.answer(execution("Quoted", **other))
        with pytest.raises(OutcomeUnknownError):
            await client.executions.create(tool_key="deeporigin.docking", tool_version="4", data=data)
        server.answer(execution("Quoted", session=SESSION, metadata={"idempotency_key": "k-1", "more": 1}))
        await client.executions.create(tool_key="deeporigin.docking", tool_version="4", data=data)
    assert len(server.requests) == 2


@pytest.mark.parametrize("session", ["the Kinase  team: docking in the autumn of 2026", "\u00c9quipe  A", "s" * 300])
async def test_a_creation_is_recognised_whatever_session_and_metadata_it_has(server: Recorder, session: str) -> None:
    metadata = {"idempotency_key": "k-1", "seed": 2**64 - 1}
    server.answer(execution("Quoted", session=session, metadata=metadata))
    async with client_for(server, session=session) as client:
        created = await client.executions.create(
            tool_key="deeporigin.docking", tool_version="4", data={"clusterId": "c", "metadata": metadata}
        )
    assert created["status"] == "Quoted"


async def test_difference_2_pauses_follow_retry_after_and_chance(server: Recorder) -> None:
    server.answer(Reply(status=429, headers={"retry-after": "7"}), Reply(status=500), execution())
    time = FakeTime(chance=0.25)
    async with client_for(server, time.timing) as client:
        await client.executions.get("e-1")
    assert time.sleeps == [7.0, 1.25]


async def test_difference_3_after_a_lost_confirmation_the_execution_is_read_before_it_is_repeated(
    server: Recorder,
) -> None:
    server.answer(Reply(status=500), execution("Quoted"), execution())
    async with client_for(server) as client:
        await client.executions.confirm("e-1")
    assert [request.method for request in server.requests] == ["PATCH", "GET", "PATCH"]


async def test_difference_4_a_refusal_for_money_is_one_wherever_it_is(server: Recorder) -> None:
    refusal = {"code": "LICENSE.FEATURE_NOT_LICENSED", "message": "No"}
    server.answer(Reply(refusal, 403), Reply(refusal, 503), execution("InsufficientFunds"))
    async with client_for(server) as client:
        for call in (client.tools.list(), client.executions.search(), client.executions.confirm("e-1")):
            with pytest.raises(RestrictionError):
                await call
    assert len(server.requests) == 3


async def test_difference_5_creations_are_stamped_with_this_package_and_session(server: Recorder) -> None:
    async with client_for(server, session="s-9") as client:
        server.answer(execution())
        await client.executions.create(
            tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c", "session": "mine", "app": "mine"}
        )
    assert server.requests[0].body == {
        "clusterId": "c",
        "session": "s-9",
        "app": "deeporigin-mcp",
        "projectId": PROJECT,
    }
    assert server.requests[0].headers["user-agent"] == f"deeporigin-mcp/{__version__}"


async def test_difference_6_the_token_goes_to_the_base_urls_own_origin_only(server: Recorder) -> None:
    async with recording() as elsewhere:
        server.answer(Reply(status=307, headers={"location": elsewhere.url}))
        async with client_for(server) as client:
            with pytest.raises(DeepOriginError):
                await client.executions.list()
    assert (len(server.requests), elsewhere.requests) == (1, [])


async def test_difference_7_pages_are_read_to_the_last_even_without_a_total(server: Recorder) -> None:
    pages = [[execution(execution_id="e-1")], [execution(execution_id="e-2")], []]
    server.answer(*({"data": rows} for rows in pages))
    async with client_for(server) as client:
        found = await client.executions.list(fetch_all_pages=True)
    assert [row["executionId"] for row in found["data"]] == ["e-1", "e-2"]
    assert found["count"] == 2


async def test_difference_8_a_wait_asks_once_for_each_id_and_follows_the_stream(server: Recorder) -> None:
    replies = {
        "GET /tools/acme/tools/executions/a": iter(
            [execution("Running", "a", projectId=PROJECT), execution("Failed", "a")]
        )
    }

    followed = anyio.Event()

    async def answer(request: Request) -> Reply:
        if request.line not in replies:
            followed.set()
            return Reply(status=403)
        reply = next(replies[request.line])
        if reply["status"] == "Failed":
            # Time is faked, so that the last poll may come before the stream is asked for.
            await followed.wait()
        return Reply(reply)

    server.handler = answer
    async with client_for(server, FakeTime().timing) as client:
        await client.executions.wait(["a", "a"])
    assert server.lines.count("GET /tools/acme/tools/executions/a") == 2
    assert f"GET /sse/acme/stream/{PROJECT}?filter=execution%3Dexecution%3Aa" in server.lines


async def test_difference_13_a_single_refusal_does_not_end_a_wait(server: Recorder) -> None:
    server.answer(execution("Running"), Reply({"message": "for a moment"}, 404), execution("Completed"))
    async with client_for(server, FakeTime().timing) as client:
        assert (await client.executions.wait("e-1"))[0]["status"] == "Completed"
    assert [line for line in server.lines if "/sse/" not in line] == ["GET /tools/acme/tools/executions/e-1"] * 3


@pytest.mark.parametrize("arguments", [{"page": -1}, {"page_size": -1}, {"page_size": 10_001}])
async def test_difference_9_a_page_that_the_platform_would_refuse_is_not_asked_for(
    server: Recorder, arguments: dict[str, Any]
) -> None:
    async with client_for(server) as client:
        with pytest.raises(ArgumentError):
            await client.executions.list(**arguments)
    assert server.requests == []


async def test_difference_10_a_creation_may_name_the_project_that_the_client_lacks(server: Recorder) -> None:
    server.answer(execution())
    async with client_for(server, project_id="") as client:
        await client.executions.create(
            tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c", "projectId": " p-7 "}
        )
        with pytest.raises(ArgumentError, check=with_code("no_project")):
            await client.executions.create(
                tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c", "projectId": " "}
            )
    assert [request.body["projectId"] for request in server.requests] == ["p-7"]


async def test_difference_11_health_is_asked_without_the_token(server: Recorder) -> None:
    server.answer({"status": "ok"})
    async with client_for(server, token=None, org_key="") as client:
        assert set((await client.health()).values()) == {"ok"}
    assert all("authorization" not in request.headers for request in server.requests)


# What is refused before anything is sent


@pytest.mark.parametrize(
    "data",
    [
        {"projectId": "other"},
        {"projectId": 7},
        {"visibility": "secret"},
        {"visibility": ["hidden"]},
        {"visibility": ""},
    ],
)
async def test_a_creation_that_cannot_be_right_is_refused_offline_by_both(
    server: Recorder, data: dict[str, Any]
) -> None:
    scenario = Scenario("", lambda c: c.executions.create(tool_key=DOCKING, tool_version="4", data=data), [execution()])
    theirs, their_outcome = await asked_by_official(server, scenario)
    ours, our_outcome = await asked_by_us(server, scenario)
    assert ours == theirs == []
    assert isinstance(their_outcome, Exception)
    assert isinstance(our_outcome, ArgumentError)


async def test_the_callers_data_is_left_as_it_was(server: Recorder) -> None:
    data = {"inputs": {"a": 1}, "visibility": None, "clusterId": "c"}
    server.answer(execution())
    async with client_for(server) as client:
        await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=data)
    assert data == {"inputs": {"a": 1}, "visibility": None, "clusterId": "c"}


async def test_a_creation_may_take_ten_minutes_and_a_read_ten_seconds(server: Recorder) -> None:
    timeouts: list[Any] = []
    async with DeepOriginClient(settings_for(server.url)) as client:
        inner = client._transport._connections.platform().http

        async def note(request: Any) -> None:
            timeouts.append(request.extensions["timeout"]["read"])

        inner.event_hooks = {"request": [note]}
        with contextlib.suppress(DeepOriginError):
            server.answer(execution())
            await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c"})
            await client.executions.create(
                tool_key="deeporigin.docking", tool_version="1", data={"clusterId": "c"}, timeout=900
            )
            await client.executions.get("e-1")
            await client.executions.confirm("e-1")
            await client.executions.confirm("e-1", timeout=600)
    assert timeouts == [600.0, 900, 10.0, 10.0, 600]
