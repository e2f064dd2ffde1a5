"""The extension with a tool that has nothing to do with Deep Origin."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.extension import advertise
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolRequestParams, CallToolResult, ErrorData, TextContent

from deeporigin_mcp.extensions import (
    Cancelled,
    DeferredTool,
    Failed,
    Finished,
    InputRequired,
    Outcome,
    RequestContext,
)
from tests.extensions.bakery import Clock, Oven, server
from tests.support.task_client import (
    MODERN,
    TASKS,
    TakesTasks,
    call,
    cancel_task,
    get_task,
    handle_of,
    update_task,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def oven() -> Oven:
    return Oven()


def client(served: MCPServer[Any], *, takes_tasks: bool = True, mode: str = MODERN) -> Client:
    return Client(served, mode=mode, extensions=[TakesTasks()] if takes_tasks else [])


def text(answer: object) -> str:
    assert isinstance(answer, CallToolResult)
    assert isinstance(answer.content[0], TextContent)
    return answer.content[0].text


async def test_a_declared_client_gets_a_handle_and_finds_the_task(oven: Oven, clock: Clock) -> None:
    async with client(server(oven, clock)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
        assert handle.model_dump(exclude={"meta", "task_id"}) == {
            "result_type": "task",
            "status": "working",
            "status_message": "rising",
            "created_at": "2025-10-09T08:53:20.250Z",
            "last_updated_at": "2025-10-09T08:53:20.250Z",
            "ttl_ms": None,
            "poll_interval_ms": 1500,
        }
        clock.now += 61.5
        state = await get_task(baker.session, handle.task_id)
        assert (state.status, state.status_message, state.poll_interval_ms) == ("working", "rising", 1500)
        assert (state.created_at, state.last_updated_at) == (handle.created_at, "2025-10-09T08:54:21.750Z")
        assert state.task_id == handle.task_id
        assert [(task.tool, task.payload, task.age_seconds) for task in oven.asked] == [
            ("bake", {"minutes": 40}, 0.0),
            ("bake", {"minutes": 40}, 61.5),
        ]


async def test_two_calls_alike_are_two_tasks(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        first = await handle_of(baker, "bake", {"minutes": 1})
        second = await handle_of(baker, "bake", {"minutes": 1})
        assert first.task_id != second.task_id


async def test_another_process_with_the_same_key_knows_the_task(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
    other = Oven()
    async with client(server(other)) as baker:
        assert (await get_task(baker.session, handle.task_id)).created_at == handle.created_at
    assert other.asked[0].payload == {"minutes": 40}


async def test_a_clock_set_back_makes_no_negative_ages(oven: Oven, clock: Clock) -> None:
    async with client(server(oven, clock)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
        clock.now -= 3600
        state = await get_task(baker.session, handle.task_id)
    assert (state.created_at, state.last_updated_at) == (handle.created_at, handle.created_at)
    assert oven.asked[-1].age_seconds == 0


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (
            Finished(CallToolResult(content=[TextContent(type="text", text="bread")])),
            {
                "status": "completed",
                "result": {
                    "resultType": "complete",
                    "content": [{"type": "text", "text": "bread"}],
                    "isError": False,
                },
            },
        ),
        (
            Finished(CallToolResult(content=[TextContent(type="text", text="burnt")], is_error=True), "burnt"),
            {
                "status": "completed",
                "statusMessage": "burnt",
                "result": {"resultType": "complete", "content": [{"type": "text", "text": "burnt"}], "isError": True},
            },
        ),
        (
            Failed(ErrorData(code=-32603, message="no power", data={"fuse": 3})),
            {
                "status": "failed",
                "statusMessage": "no power",
                "error": {"code": -32603, "message": "no power", "data": {"fuse": 3}},
            },
        ),
        (Cancelled("no longer hungry"), {"status": "cancelled", "statusMessage": "no longer hungry"}),
        (
            InputRequired({"crust": {"method": "elicitation/create", "params": {}}}, "dark or light?", 100),
            {
                "status": "input_required",
                "statusMessage": "dark or light?",
                "pollIntervalMs": 100,
                "inputRequests": {"crust": {"method": "elicitation/create", "params": {}}},
            },
        ),
    ],
)
async def test_each_state_has_its_own_fields(oven: Oven, outcome: Outcome, fields: dict[str, Any]) -> None:
    async with client(server(oven)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
        oven.outcome = outcome
        state = await get_task(baker.session, handle.task_id)
    common = {"meta", "task_id", "result_type", "created_at", "last_updated_at", "ttl_ms"}
    assert state.model_dump(by_alias=True, exclude=common, exclude_defaults=True) == fields
    assert state.ttl_ms is None


async def test_work_that_is_over_at_once_makes_no_task(oven: Oven) -> None:
    oven.outcome = Finished(CallToolResult(content=[TextContent(type="text", text="was in the freezer")]))
    async with client(server(oven)) as baker:
        assert text(await call(baker, "bake", {"minutes": 40})) == "was in the freezer"
        oven.outcome = Failed(ErrorData(code=-32603, message="no power"))
        with pytest.raises(MCPError, match="no power"):
            await call(baker, "bake", {"minutes": 40})


async def test_a_handle_holds_no_requests_for_input(oven: Oven) -> None:
    oven.outcome = InputRequired({"crust": {"method": "elicitation/create", "params": {}}})
    async with client(server(oven)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
    assert handle.status == "input_required"
    assert handle.model_extra == {}


async def test_answers_and_cancellations_reach_the_tool(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
        assert (await update_task(baker.session, handle.task_id, {"crust": {"action": "accept"}})).meta is not None
        await cancel_task(baker.session, handle.task_id)
    assert oven.answers == [{"crust": {"action": "accept"}}]
    assert oven.cancelled == [handle.task_id]


async def test_a_tool_need_not_care_for_answers_or_cancellations() -> None:
    class Kettle(Oven):
        update = DeferredTool.update
        cancel = DeferredTool.cancel

    async with client(server(Kettle())) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
        await update_task(baker.session, handle.task_id, {})
        await cancel_task(baker.session, handle.task_id)
        assert (await get_task(baker.session, handle.task_id)).status == "working"


@pytest.mark.parametrize("mode", [MODERN, "legacy"])
async def test_clients_that_did_not_declare_it_get_the_plain_call(oven: Oven, mode: str) -> None:
    async with client(server(oven), takes_tasks=False, mode=mode) as baker:
        assert text(await baker.call_tool("bake", {"minutes": 40})) == "baked for 40 minutes"
    assert not oven.asked


async def test_a_legacy_client_that_declares_it_gets_the_plain_call(oven: Oven) -> None:
    async with Client(server(oven), mode="legacy", extensions=[advertise(TASKS)]) as baker:
        assert text(await baker.call_tool("bake", {"minutes": 40})) == "baked for 40 minutes"
        with pytest.raises(MCPError) as refusal:
            await get_task(baker.session, "anything")
        assert refusal.value.code == -32601
    assert not oven.asked


async def test_other_tools_and_refused_arguments_are_plain_calls(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        assert text(await call(baker, "greet", {"name": "Ada"})) == "Hello, Ada!"
        answer = await call(baker, "bake", {"minutes": "many"})
        assert isinstance(answer, CallToolResult)
        assert answer.is_error
    assert not oven.asked


async def test_a_caller_without_a_key_gets_the_plain_call_and_knows_no_task(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
    async with client(server(oven, key=None)) as stranger:
        assert text(await call(stranger, "bake", {"minutes": 5})) == "baked for 5 minutes"
        with pytest.raises(MCPError) as refusal:
            await get_task(stranger.session, handle.task_id)
        assert refusal.value.code == -32602


async def test_arguments_too_long_for_an_id_are_a_plain_call() -> None:
    class Verbose(Oven):
        async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
            return {"recipe": [pow(7, n, 1_000_003) for n in range(2000)]}

    async with client(server(Verbose())) as baker:
        assert text(await call(baker, "bake", {"minutes": 5})) == "baked for 5 minutes"


async def test_a_tool_that_cannot_do_without_tasks_says_so(oven: Oven) -> None:
    oven.required = True
    async with client(server(oven), takes_tasks=False) as baker:
        with pytest.raises(MCPError) as refusal:
            await baker.call_tool("bake", {"minutes": 40})
    assert refusal.value.code == -32021
    assert refusal.value.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_the_methods_refuse_undeclared_clients(oven: Oven) -> None:
    served = server(oven)
    async with client(served) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
    asked = len(oven.asked)
    async with client(served, takes_tasks=False) as stranger:
        for ask in (get_task, cancel_task):
            with pytest.raises(MCPError) as refusal:
                await ask(stranger.session, handle.task_id)
            assert refusal.value.code == -32021
        with pytest.raises(MCPError) as refusal:
            await update_task(stranger.session, handle.task_id, {})
        assert refusal.value.code == -32021
    assert len(oven.asked) == asked
    assert not oven.cancelled


async def test_ids_of_others_and_made_up_ids_are_unknown(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        task_id = (await handle_of(baker, "bake", {"minutes": 40})).task_id
    for key, name in ((b"another caller's secret of 32 b..", "bake"), (b"k" * 32, "fry")):
        pan = Oven()
        pan.name = name
        async with client(server(pan, key=key)) as stranger:
            for unknown in (task_id, task_id[:-1], task_id.swapcase(), "", "nonsense", "☃", "A" * 100_000):
                for ask in (get_task, cancel_task):
                    with pytest.raises(MCPError) as refusal:
                        await ask(stranger.session, unknown)
                    assert refusal.value.code == -32602
            with pytest.raises(MCPError) as refusal:
                await update_task(stranger.session, task_id, {})
            assert refusal.value.code == -32602
        assert not pan.asked
        assert not pan.cancelled


async def test_an_id_changed_anywhere_or_written_in_another_way_is_unknown(oven: Oven) -> None:
    async with client(server(oven)) as baker:
        task_id = (await handle_of(baker, "bake", {"minutes": 40})).task_id
        changed = [
            task_id[:place] + ("A" if character != "A" else "B") + task_id[place + 1 :]
            for place, character in enumerate(task_id)
        ]
        # Base64 can write the same bytes in more than one way.
        for unknown in (*changed, f"{task_id}=", f"{task_id}==", f" {task_id}", f"{task_id}\n", f"{task_id}A"):
            with pytest.raises(MCPError) as refusal:
                await get_task(baker.session, unknown)
            assert refusal.value.code == -32602
    assert len(oven.asked) == 1


async def test_an_id_fits_a_header(oven: Oven) -> None:
    class Order(Oven):
        async def prepare(self, params: CallToolRequestParams, ctx: RequestContext) -> dict[str, Any] | None:
            return {"loaves": [str(uuid.UUID(int=pow(7, 97 + n, 2**127 - 1))) for n in range(100)]}

    async with client(server(Order())) as baker:
        handle = await handle_of(baker, "bake", {"minutes": 40})
    assert re.fullmatch(r"[A-Za-z0-9._-]{1000,4096}", handle.task_id)


async def test_the_extension_is_advertised(oven: Oven) -> None:
    async with client(server(oven), mode="auto") as baker:
        assert (baker.server_capabilities.extensions or {}).keys() == {TASKS}
