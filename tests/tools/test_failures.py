"""Every failure reaches the model as words it can act on, and the next call works."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import anyio
import pytest

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol import tool as surface
from tests.support.bench import ERAS, Agent, Bench, agent_of, bench_token, docking
from tests.support.recording import Reply, recording, settings_for

pytestmark = pytest.mark.anyio


async def test_a_failure_that_passes_is_not_seen(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Completed")
    bench.fault("GET */executions* status=503 times=3")
    assert (await agent.read("get_execution", execution_id=name))["status"] == "Completed"
    bench.fault("GET */executions* reset times=2")
    assert (await agent.read("list_executions"))["count"] == 1


BODIES: list[tuple[int, Any, str]] = [
    (400, {"message": "Validation failed", "errors": [{"field": "a.b", "reason": "required"}]}, "a.b: required"),
    (400, {"statusCode": 400, "message": "Bad id", "error": "Bad Request"}, "It says: Bad id."),
    (422, {"errors": [{"title": "Too long", "source": {"pointer": "/data/name"}}]}, "/data/name: Too long"),
    (422, {"detail": [{"type": "missing", "loc": ["body", "x"], "msg": "Field required"}]}, "body.x: Field required"),
    (409, {"code": "CRMQ.RESOURCE_LEDGER.ORG_QUOTA_EXCEEDED", "message": "Quota exceeded"}, "Quota exceeded"),
    (403, {"statusCode": 403, "message": "Forbidden resource"}, "Forbidden resource"),
    (403, {"errors": [{"code": "LICENSE.FEATURE_NOT_LICENSED", "title": "Not licensed", "action_request": "Buy it"}]},
     "Not licensed. Buy it."),
    (501, b"Not built\nyet", "Not built yet"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "words"), BODIES)
async def test_the_platforms_own_words_and_the_id_of_the_request_reach_the_model(
    status: int, body: Any, words: str
) -> None:
    name = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"
    async with recording() as platform:
        platform.answer(Reply(body, status, {"x-request-id": "req-7"}))
        async with agent_of(create_server(settings_for(platform.url))) as agent:
            for tool, arguments in (
                ("list_executions", {}),
                ("search_executions", {}),
                ("get_execution", {"execution_id": name}),
                ("cancel_execution", {"execution_id": name}),
                ("find_platform_tools", {}),
                ("describe_platform_tool", {"tool_key": "deeporigin.docking"}),
            ):
                message = await agent.refused(tool, **arguments)
                assert words in message, tool
                assert "req-7" in message, tool


async def test_a_refusal_that_says_more_than_the_platform_keeps_the_id_of_the_request() -> None:
    async with recording() as platform:
        platform.answer(Reply({"message": "Not found"}, 404, {"x-request-id": "req-7"}))
        async with agent_of(create_server(settings_for(platform.url))) as agent:
            for given in ("0AF3K9Q2W7T5M", "nope", "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"):
                for tool in ("get_execution", "cancel_execution", "confirm_execution"):
                    assert "req-7" in await agent.refused(tool, execution_id=given)
                assert "req-7" in await agent.refused("get_execution", execution_id=given, source="data_platform")


@pytest.mark.parametrize("mode", ERAS)
async def test_a_bug_of_this_server_is_reported_as_one_and_logged_in_one_line_without_values(
    bench: Bench, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError(f"secret {bench_token()} in a folder")

    def connect(settings: Settings) -> DeepOriginClient:
        client = DeepOriginClient(settings, timing=bench.time.timing)
        client.listing = cast("Any", Broken())
        return client

    caplog.set_level(logging.DEBUG)
    async with agent_of(bench.server(connect), mode=mode) as agent:
        answer = await agent.call("list_executions", {})
        assert answer.error == ("internal", None)
        assert "secret" not in answer.text
        assert (await agent.read("find_platform_tools"))["count"] > 10
    crashes = [record for record in caplog.records if "crashed" in record.getMessage()]
    assert [(record.name, record.levelname) for record in crashes] == [("deeporigin_mcp.calls", "ERROR")]
    line = json.loads(crashes[0].getMessage())
    assert (line["tool"], line["outcome"], line["error"]) == ("list_executions", "crashed", "ZeroDivisionError")
    assert line["place"].startswith("deeporigin_mcp.tools.executions.listed, line ")
    assert not [record for record in caplog.records if record.exc_info]
    assert bench_token() not in caplog.text


async def test_no_log_line_holds_the_token_or_inputs(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "deeporigin_mcp")
    async with bench.agent(auto_approve_up_to=1, log_level="DEBUG") as agent:
        found = await agent.read("create_execution", **docking("CCSECRETCC".replace("SECRET", "CCCCCC")), start=True)
        await agent.follow_to_the_end(found["next_step"])
        await agent.refused("get_execution", execution_id="nope")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("deeporigin_mcp"))
    assert bench_token() not in ours
    assert "CCCCCCCCCC" not in ours


@pytest.mark.parametrize(
    ("tool", "outcome"),
    [
        ("list_executions", "nothing_changed"),
        ("cancel_execution", "unknown"),
    ],
)
async def test_no_call_lasts_longer_than_clients_bear(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch, tool: str, outcome: str
) -> None:
    monkeypatch.setattr(surface, "CALL_SECONDS", 0.05)
    name = bench.seeded("Running")
    bench.fault("* */executions* delay=1000 times=1")
    found = await agent.error(tool, **({"execution_id": name} if tool == "cancel_execution" else {}))
    assert found == ("timed_out", outcome)


async def test_each_of_many_concurrent_calls_gets_its_own_result(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=30, status=["Completed", "Failed"])
    found: dict[str, str] = {}

    async def read(name: str) -> None:
        found[name] = (await agent.read("get_execution", execution_id=name))["execution_id"]

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(read, name)
    assert found == {name: name for name in names}


async def test_a_tool_that_does_not_exist_is_an_error_of_the_protocol_or_text(agent: Agent) -> None:
    answer = await agent.client.call_tool("delete_everything", {})
    assert answer.is_error


async def test_a_cancellation_in_a_conflict_changes_nothing(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    bench.fault("PATCH *:cancel status=409")
    assert await agent.error("cancel_execution", execution_id=name) == ("state_conflict", "nothing_changed")


async def test_a_cancellation_that_does_not_take_effect_leads_to_waiting(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    bench.fault("PATCH *:cancel status=200")
    found = await agent.read("cancel_execution", execution_id=name)
    assert found["status"] == "Running"
    assert (await agent.follow(found["next_step"]))["pending"] == [name]
