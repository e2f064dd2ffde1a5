"""One line for each call, which says what it did and nothing of what it was about."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver.context import Context

from deeporigin_mcp.tools.protocol import tool as surface
from deeporigin_mcp.tools.runtime.call_log import logged
from deeporigin_mcp.tools.runtime.state import ServerState, state_of
from tests.support.bench import ERAS, Agent, Bench, agent_of, bench_token, docking
from tests.support.people import Person, agent_with, quoted
from tests.support.task_client import TakesTasks, handle_of

pytestmark = pytest.mark.anyio

Lines = Callable[[], list[dict[str, Any]]]
VERSIONS = {"legacy": "2025-11-25", "auto": "2026-07-28"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.DEBUG)

    def read() -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == "deeporigin_mcp.calls"]
        return [{"level": record.levelname, **json.loads(record.getMessage())} for record in records]

    return read


@pytest.mark.parametrize("mode", ERAS)
async def test_a_call_is_one_line_with_what_it_cost(bench: Bench, mode: str, lines: Lines) -> None:
    name = bench.seeded("Running")
    async with agent_of(bench.server(), mode=mode) as agent:
        answer = await agent.call("get_execution", {"execution_id": name})
    (line,) = lines()
    assert line.pop("duration_ms") >= 0
    assert line.pop("client").startswith("mcp ")
    # There only if tracing is on, as it stays in a process where test_tracing.py has switched it on.
    line.pop("trace_id", None)
    assert line == {
        "level": "INFO",
        "tool": "get_execution",
        "outcome": "ok",
        "platform_requests": 1,
        "answer_bytes": len(answer.text.encode()),
        "protocol": VERSIONS[mode],
    }


async def test_retries_count_and_the_requests_that_failed_are_named(agent: Agent, bench: Bench, lines: Lines) -> None:
    name = bench.seeded("Running")
    bench.fault("GET */executions/* status=503 times=2")
    bench.fault("GET */executions/* reset times=1")
    await agent.read("get_execution", execution_id=name)
    (line,) = lines()
    assert (line["outcome"], line["level"]) == ("ok", "INFO")
    assert (line["platform_requests"], line["failed_requests"]) == (4, 3)
    assert line["request_ids"] == ["simulated-000001", "simulated-000002"]


@pytest.mark.parametrize(
    ("effect", "outcome", "level", "error"),
    [
        ("status=400", "refused", "INFO", "InvalidRequestError"),
        ("status=401", "refused", "INFO", "CredentialError"),
        ("status=404", "refused", "INFO", "NotFoundError"),
        ("status=429", "failed", "WARNING", "RateLimitError"),
        ("status=502 html", "failed", "WARNING", "PlatformError"),
        ("reset", "failed", "WARNING", "NetworkError"),
    ],
)
async def test_the_outcome_and_the_level_tell_a_refusal_from_a_failure(
    agent: Agent, bench: Bench, lines: Lines, effect: str, outcome: str, level: str, error: str
) -> None:
    bench.fault(f"GET */executions {effect}")
    message = await agent.refused("list_executions")
    (line,) = lines()
    assert (line["outcome"], line["level"], line["error"]) == (outcome, level, error)
    assert line["answer_bytes"] == len(message.encode())
    assert line["failed_requests"] == line["platform_requests"]
    assert effect == "reset" or f"(request id {line['request_ids'][-1]})" in message


async def test_a_platform_without_responses_shows_at_the_usual_level(agent: Agent, bench: Bench, lines: Lines) -> None:
    bench.fault("* * status=503")
    await agent.read("wait_executions", execution_ids=["3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"], timeout_seconds=0)
    (line,) = lines()
    assert (line["outcome"], line["level"]) == ("ok", "WARNING")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_execution", {"id": "x"}),
        ("get_execution", {}),
        ("list_executions", {"order": "shoe size"}),
        ("list_executions", {"page_size": "SECRETCC"}),
    ],
)
async def test_refused_arguments_are_a_line_without_them(
    agent: Agent, lines: Lines, tool: str, arguments: dict[str, Any]
) -> None:
    await agent.refused(tool, **arguments)
    (line,) = lines()
    assert (line["tool"], line["outcome"], line["error"]) == (tool, "refused", "ArgumentError")
    assert (line["level"], line["platform_requests"]) == ("INFO", 0)


async def test_a_call_that_times_out_is_logged_as_that(
    agent: Agent, bench: Bench, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "CALL_SECONDS", 0.05)
    bench.fault("GET */executions delay=1000 times=1")
    await agent.refused("list_executions")
    (line,) = lines()
    assert (line["outcome"], line["level"]) == ("gave_up", "WARNING")


async def test_an_elicitation_is_logged_as_asked(bench: Bench, lines: Lines) -> None:
    name = quoted(bench, 5)
    async with agent_with(bench.server(), Person()) as agent:
        await agent.read("confirm_execution", execution_id=name)
    assert [line["outcome"] for line in lines()] == ["asked", "ok"]


async def test_calls_at_the_same_time_count_each_for_itself(agent: Agent, bench: Bench, lines: Lines) -> None:
    names = bench.platform.seed_executions(count=8, status="Running")

    async def read(name: str) -> None:
        await agent.read("get_execution", execution_id=name)

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(read, name)
        tasks.start_soon(agent.client.call_tool, "get_workspace", {})
    counts = sorted((line["tool"], line["platform_requests"]) for line in lines())
    assert counts[:8] == [("get_execution", 1)] * 8
    assert counts[8][0] == "get_workspace"
    assert sum(count for _, count in counts) == sum(client.requests_sent for client in bench.clients)
    assert counts[8][1] > 5


async def test_a_poll_of_a_task_is_a_line_too(bench: Bench, lines: Lines) -> None:
    name = bench.seeded("Running")
    async with Client(bench.server(), extensions=[TakesTasks()]) as client:
        await handle_of(client, "wait_executions", {"execution_ids": [name]})
    (line,) = lines()
    assert (line["task"], line["outcome"], line["platform_requests"]) == ("wait_executions", "ok", 1)
    assert line["answer_bytes"] > 20


async def test_no_line_tells_what_a_call_was_about(bench: Bench, lines: Lines) -> None:
    async with bench.agent(auto_approve_up_to=1) as agent:
        found = await agent.read("create_execution", **docking("CCCCCCCCCC"), name="Secret target", start=True)
        name = found["execution_id"]
        await agent.follow_to_the_end(found["next_step"])
        await agent.refused("get_execution", execution_id="0ASECRET00001")
    told = json.dumps(lines())
    assert len(lines()) >= 3
    for secret in (name, "CCCCCCCCCC", "Secret", "0ASECRET00001", bench_token(), "deeporigin.docking"):
        assert secret not in told


@pytest.mark.parametrize(("text", "length"), [("some text", 9), ("µM", 3), ("\ud800", 1)])
async def test_a_resource_is_logged_by_its_template(bench: Bench, lines: Lines, text: str, length: int) -> None:
    server = bench.server()
    template = "deeporigin://executions/{execution_id}"

    async def read(execution_id: str, ctx: Context[ServerState, Any]) -> str:
        with logged("resource", template, ctx.request_context) as call:
            await state_of(ctx).client.executions.get(execution_id)
            call.responded(text)
            return "read"

    server.resource(template)(read)
    name = bench.seeded()
    async with agent_of(server) as agent:
        await agent.client.read_resource(f"deeporigin://executions/{name}")
    (line,) = lines()
    assert (line["resource"], line["outcome"], line["platform_requests"]) == (template, "ok", 1)
    assert line["answer_bytes"] == length
