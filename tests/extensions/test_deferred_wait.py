"""`wait_executions` as a task, against a simulated platform over HTTP."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from deeporigin_mcp.simulator import make_token
from deeporigin_mcp.tools.executions.wait_executions import wait_executions
from deeporigin_mcp.tools.protocol.tasks import DeferredWait, task_extensions
from deeporigin_mcp.tools.protocol.tool import PlatformTool
from deeporigin_mcp.tools.runtime.state import ServerState
from tests.support.bench import Bench
from tests.support.task_client import MODERN, TakesTasks, call, cancel_task, get_task, handle_of
from tests.support.waiting_server import WAIT, Waiter, started, waiting_server

pytestmark = pytest.mark.anyio


def server(bench: Bench, **settings: Any) -> MCPServer[ServerState]:
    return waiting_server(bench.settings(**settings), bench.connect, lambda: bench.clock.now().timestamp())


def client(bench: Bench, **settings: Any) -> Client:
    return Client(server(bench, **settings), mode=MODERN, extensions=[TakesTasks()])


def text(answer: CallToolResult) -> str:
    assert isinstance(answer.content[0], TextContent)
    return answer.content[0].text


async def plain(bench: Bench, **arguments: Any) -> CallToolResult:
    async with Client(server(bench), mode=MODERN) as undeclared:
        return await undeclared.call_tool(WAIT, arguments)


async def test_a_wait_is_a_handle_at_once(bench: Bench) -> None:
    ids = [await started(bench), await started(bench, "CCO", "CCN")]
    before = bench.time.elapsed()
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": ids})
    assert bench.time.elapsed() == before
    assert (handle.status, handle.poll_interval_ms, handle.ttl_ms) == ("working", 5000, None)
    assert handle.status_message.startswith("0 of 2 over; ")
    assert handle.status_message.endswith("Cancelling this task stops no execution.")
    assert "\n" not in handle.status_message


async def test_a_wait_far_longer_than_a_call_ends_with_the_result_of_the_plain_tool(bench: Bench) -> None:
    ids = [await started(bench), await started(bench, *["CCO"] * 60)]
    waiter = Waiter(bench)
    async with Client(server(bench), mode=MODERN, extensions=[waiter]) as agent:
        answer = await agent.call_tool(WAIT, {"execution_ids": ids, "poll_interval_seconds": 7})
    assert sum(waiter.paused_ms) > 300_000
    assert set(waiter.paused_ms) == {7000}
    assert len({state.created_at for state in waiter.states}) == 1
    assert any("Running" in state.status_message and "%" in state.status_message for state in waiter.states)
    assert any(state.status_message.startswith("1 of 2 over") for state in waiter.states)
    assert [state.status for state in waiter.states][-2:] == ["working", "completed"]

    same = await plain(bench, execution_ids=ids)
    assert same.structured_content["all_done"] is True
    assert answer.structured_content["waited_seconds"] == pytest.approx(sum(waiter.paused_ms) / 1000)
    assert answer.structured_content | {"waited_seconds": 0} == same.structured_content | {"waited_seconds": 0}
    waited = f"waited_seconds: {answer.structured_content['waited_seconds']}"
    assert text(answer).replace(waited, "") == text(same).replace("waited_seconds: 0.0", "")
    assert not answer.is_error


async def test_any_ends_with_the_first(bench: Bench) -> None:
    ids = [await started(bench, *["CCO"] * 60), await started(bench)]
    waiter = Waiter(bench)
    async with Client(server(bench), mode=MODERN, extensions=[waiter]) as agent:
        answer = await agent.call_tool(WAIT, {"execution_ids": ids, "until": "any", "timeout_seconds": 30})
    found = answer.structured_content
    assert (found["all_done"], found["pending"]) == (False, ids[:1])
    assert [row["status"] for row in found["executions"]] == ["Running", "Completed"]
    assert found["next_step"].startswith(f'wait_executions(execution_ids=["{ids[0]}"])')


async def test_what_is_over_already_needs_no_task(bench: Bench) -> None:
    ids = [bench.seeded("Completed"), bench.seeded("Failed"), bench.seeded("Quoted")]
    async with client(bench) as agent:
        answer = await call(agent, WAIT, {"execution_ids": ids})
    assert isinstance(answer, CallToolResult)
    assert answer.structured_content == (await plain(bench, execution_ids=ids)).structured_content


async def test_a_wait_of_no_time_looks_once_and_needs_no_task(bench: Bench) -> None:
    async with client(bench) as agent:
        answer = await call(agent, WAIT, {"execution_ids": [bench.seeded("Running")], "timeout_seconds": 0})
    assert isinstance(answer, CallToolResult)
    assert answer.structured_content["all_done"] is False


async def test_a_restart_in_between_loses_nothing(bench: Bench) -> None:
    name = await started(bench)
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": [name]})
    bench.clock.advance(3600)
    async with client(bench) as agent:
        state = await get_task(agent.session, handle.task_id)
        again = await get_task(agent.session, handle.task_id)
    assert (state.status, state.created_at) == ("completed", handle.created_at)
    assert state.result == again.result
    assert state.result is not None
    assert state.result["structuredContent"]["waited_seconds"] == 3600
    assert state.result["structuredContent"]["executions"][0]["execution_id"] == name


@pytest.mark.parametrize(
    "settings",
    [
        {"token": make_token(subject="somebody-else", expires_in_seconds=20 * 365 * 24 * 3600)},
        {"org_key": "acme"},
        {"token": None},
    ],
    ids=["token", "organisation", "nobody"],
)
async def test_the_id_of_another_caller_is_unknown(bench: Bench, settings: dict[str, Any]) -> None:
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": [bench.seeded()]})
    asked = len(bench.platform.requests)
    async with client(bench, **settings) as stranger:
        for ask in (get_task, cancel_task):
            with pytest.raises(MCPError) as refusal:
                await ask(stranger.session, handle.task_id)
            assert refusal.value.code == -32602
    assert len(bench.platform.requests) == asked


async def test_nobody_is_told_how_to_sign_in_by_the_plain_call(bench: Bench) -> None:
    async with client(bench, token=None) as agent:
        answer = await call(agent, WAIT, {"execution_ids": [bench.seeded()]})
    assert isinstance(answer, CallToolResult)
    assert "DO_AUTH_TOKEN" in text(answer)


async def test_the_id_holds_nothing_but_the_call(bench: Bench) -> None:
    names = [bench.seeded(), bench.seeded()]
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": [f" {names[0]} ", names[1]], "timeout_seconds": 20})
    content = base64.urlsafe_b64decode(handle.task_id + "=" * (-len(handle.task_id) % 4))
    # A time of 6 bytes, 3 by chance, `until`, the interval, the ids, and a proof of 12.
    assert content[9:-12] == bytes([0, 40]) + b"".join(uuid.UUID(name).bytes for name in names)


async def test_the_id_of_a_usual_wait_is_short(bench: Bench) -> None:
    async with client(bench) as agent:
        one = await handle_of(agent, WAIT, {"execution_ids": [bench.seeded()]})
        many = await handle_of(agent, WAIT, {"execution_ids": [bench.seeded() for _ in range(10)]})
    assert len(one.task_id) == 52
    assert len(many.task_id) == 52 + 9 * 16 * 4 / 3


@given(
    st.lists(st.one_of(st.uuids().map(str), st.text(max_size=40)), min_size=1, max_size=5),
    st.sampled_from(["all", "any"]),
    st.integers(8, 240),
)
def test_a_wait_is_unpacked_as_it_was_packed(ids: list[str], until: str, eighths: int) -> None:
    wait = {"ids": ids, "until": until, "poll": eighths / 8}
    tool = DeferredWait(PlatformTool.of(wait_executions, title="", annotations=ToolAnnotations()))
    assert tool.unpacked(tool.packed(wait)) == wait


async def test_a_hundred_executions_fit_one_id(bench: Bench) -> None:
    names = bench.platform.seed_executions(count=100, status="Running")
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": names})
        sent = len(bench.platform.requests)
        assert (await get_task(agent.session, handle.task_id)).status == "working"
    assert len(bench.platform.requests) == sent + 1


@pytest.mark.parametrize("mode", [MODERN, "legacy"])
async def test_clients_without_tasks_wait_as_before(bench: Bench, mode: str) -> None:
    name = await started(bench)
    async with Client(server(bench), mode=mode) as agent:
        first = await agent.call_tool(WAIT, {"execution_ids": [name], "timeout_seconds": 20})
        assert first.structured_content["all_done"] is False
        assert first.structured_content["waited_seconds"] == pytest.approx(20, abs=1)
        second = await agent.call_tool(WAIT, {"execution_ids": [name], "timeout_seconds": 50})
        assert second.structured_content["executions"][0]["status"] == "Completed"


async def test_cancelling_ends_the_waiting_only(bench: Bench) -> None:
    name = await started(bench)
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": [name]})
        await cancel_task(agent.session, handle.task_id)
        # To whoever still asks, the truth is told.
        assert (await get_task(agent.session, handle.task_id)).status == "working"
        bench.clock.advance(600)
        state = await get_task(agent.session, handle.task_id)
    assert not bench.sent("PATCH", ":cancel")
    assert state.result is not None
    assert state.result["structuredContent"]["executions"][0]["status"] == "Completed"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"execution_ids": []},
        {"execution_ids": ["x"], "timeout_seconds": 51},
        {"execution_ids": ["x"], "until": "never"},
        {"execution_ids": ["x"], "poll_interval_seconds": None},
        {"execution_ids": ["x"], "interval": 5},
        {"execution_ids": "x"},
        {"execution_ids": ["x"] * 101},
        None,
    ],
)
async def test_arguments_that_are_not_valid_are_explained_as_ever(bench: Bench, arguments: Any) -> None:
    async with Client(server(bench), mode=MODERN) as undeclared:
        expected = await undeclared.call_tool(WAIT, arguments)
    async with client(bench) as agent:
        answer = await call(agent, WAIT, arguments)
    assert isinstance(answer, CallToolResult)
    assert answer.is_error
    assert text(answer) == text(expected)
    assert "wait_executions was not run" in text(answer)
    assert not bench.platform.requests


async def test_ids_given_as_json_text_are_understood_as_by_the_plain_tool(bench: Bench) -> None:
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": json.dumps([bench.seeded(), bench.seeded()])})
    assert handle.status_message.startswith("0 of 2 over")


async def test_an_id_that_cannot_be_read_is_a_row_of_the_result(bench: Bench) -> None:
    names = ["3b0c2f8e-0000-4000-8000-000000000000", await started(bench)]
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": names})
        assert handle.status_message.startswith("0 of 2 over; 1 cannot be read now")
        bench.clock.advance(600)
        state = await get_task(agent.session, handle.task_id)
    assert state.result is not None
    rows = state.result["structuredContent"]["executions"]
    assert "error" in rows[0]
    assert rows[1]["status"] == "Completed"


async def test_trouble_on_the_way_keeps_the_task_working(bench: Bench) -> None:
    names = [await started(bench), await started(bench)]
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": names})
        bench.fault("GET *executions* status=503")
        state = await get_task(agent.session, handle.task_id)
        assert state.status == "working"
        assert "2 cannot be read now" in state.status_message
        bench.heal()
        bench.fault("GET *executions* status=429 retry-after=20")
        state = await get_task(agent.session, handle.task_id)
        assert (state.status, state.poll_interval_ms) == ("working", 20_000)
        bench.heal()
        bench.clock.advance(600)
        assert (await get_task(agent.session, handle.task_id)).status == "completed"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_ends_a_task_only_if_it_stays(bench: Bench, status: int) -> None:
    name = bench.seeded("Running")
    async with client(bench) as agent:
        handle = await handle_of(agent, WAIT, {"execution_ids": [name]})
        bench.clock.advance(5)
        bench.fault(f"GET */executions/{name} status={status} times=2")
        assert (await get_task(agent.session, handle.task_id)).status == "working"
        bench.heal()
        bench.fault(f"GET */executions/{name} status={status}")
        state = await get_task(agent.session, handle.task_id)
    assert state.result is not None
    found = state.result["structuredContent"]
    assert (state.status, found["all_done"]) == ("completed", False)
    assert "error" in found["executions"][0]
    assert "1 could not be read" in found["next_step"]


async def test_a_server_without_the_tool_has_no_extension() -> None:
    assert task_extensions([]) == []
