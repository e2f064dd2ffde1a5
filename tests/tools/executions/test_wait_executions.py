"""wait_executions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from mcp_types import CallToolResult

from deeporigin_mcp.platform import DeepOriginClient
from deeporigin_mcp.platform.waiting.engine import HEARTBEAT_SECONDS
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol import tool
from tests.support.bench import ERAS, SESSION, Agent, Bench, agent_of, docking
from tests.support.facts import calls_in

pytestmark = pytest.mark.anyio

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def started(bench: Bench, *smiles: str) -> str:
    async with bench.agent(auto_approve_up_to=100) as agent:
        quote = await agent.read("create_execution", **docking(*smiles))
        found = await agent.read("confirm_execution", execution_id=quote["execution_id"], wait_seconds=0)
    assert found["status"] == "Created"
    return str(found["execution_id"])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_wait_returns_when_all_are_over(bench: Bench, mode: str) -> None:
    short, long = await started(bench), await started(bench, *["CCO"] * 5)
    async with bench.agent(mode=mode) as agent:
        found = await agent.read("wait_executions", execution_ids=[short, long], timeout_seconds=50)
        assert not found["all_done"]
        found = await agent.follow(found["next_step"])
        assert (found["all_done"], found["pending"]) == (True, [])
        assert [row["status"] for row in found["executions"]] == ["Completed", "Completed"]
        assert (await agent.follow(found["next_step"]))["status"] == "Completed"


async def test_the_defaults_are_45_seconds_and_all(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    found = await agent.read("wait_executions", execution_ids=[name, bench.seeded("Completed")])
    assert found["waited_seconds"] == 45
    assert found["pending"] == [name]


async def test_any_returns_with_the_first_that_is_over(agent: Agent, bench: Bench) -> None:
    short, long = await started(bench), await started(bench, *["CCO"] * 50)
    found = await agent.read("wait_executions", execution_ids=[long, short], until="any", timeout_seconds=50)
    while not [row for row in found["executions"] if row["status"] == "Completed"]:
        found = await agent.read("wait_executions", execution_ids=[long, short], until="any", timeout_seconds=50)
    assert [row["status"] for row in found["executions"]] == ["Running", "Completed"]
    assert (found["all_done"], found["pending"]) == (False, [long])
    assert (await agent.follow_to_the_end(found["next_step"]))["executions"][0]["execution_id"] == long


async def test_rows_come_in_the_order_asked_for_with_duplicates(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=4, status=["Completed", "Failed", "Cancelled", "Succeeded"])
    asked = [names[2], names[0], f" {names[2]} ", names[3], names[1]]
    found = await agent.read("wait_executions", execution_ids=asked)
    assert [row["execution_id"] for row in found["executions"]] == [name.strip() for name in asked]
    assert [row["status"] for row in found["executions"]] == [
        "Cancelled",
        "Completed",
        "Cancelled",
        "Completed",
        "Failed",
    ]
    assert (found["all_done"], found["waited_seconds"]) == (True, 0)


async def test_a_wait_of_0_seconds_polls_once(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    found = await agent.read("wait_executions", execution_ids=[name], timeout_seconds=0)
    assert (found["waited_seconds"], found["pending"], bench.time.slept) == (0, [name], [])
    assert len(bench.sent("GET", name)) == 1


async def test_the_deadline_is_a_result_with_the_call_to_go_on_with(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=2, status=["Running", "Completed"])
    found = await agent.read("wait_executions", execution_ids=names, timeout_seconds=3)
    assert (found["all_done"], found["pending"], found["waited_seconds"]) == (False, [names[0]], 3)
    ((tool, arguments),) = calls_in(found["next_step"], agent.inputs)
    assert (tool, arguments) == ("wait_executions", {"execution_ids": [names[0]]}), (
        "a short wait must not become a loop"
    )


async def test_an_unknown_status_is_waited_for(agent: Agent, bench: Bench) -> None:
    name = bench.raw(status="Brooding")
    found = await agent.read("wait_executions", execution_ids=[name], timeout_seconds=2)
    assert (found["executions"][0]["status"], found["pending"]) == ("Brooding", [name])


async def test_quotes_are_not_waited_for_and_their_confirmation_is_named(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=2, status="Quoted")
    found = await agent.read("wait_executions", execution_ids=names)
    assert (found["all_done"], found["pending"], found["quoted"], found["waited_seconds"]) == (False, [], 2, 0)
    quote = {"execution_id": names[0], "expected_price": 0.4}
    assert calls_in(found["next_step"], agent.inputs) == [("confirm_execution", quote)]
    bare = bench.raw(status="Quoted", quotationResult=None)
    found = await agent.read("wait_executions", execution_ids=[bare])
    assert calls_in(found["next_step"], agent.inputs) == [("cancel_execution", {"execution_id": bare})]


async def test_an_id_that_cannot_be_read_is_a_row_and_hides_no_other(agent: Agent, bench: Bench) -> None:
    done = bench.seeded("Completed")
    foreign = bench.seeded("Running", org="acme")
    found = await agent.read("wait_executions", execution_ids=[UNKNOWN, done, " ", foreign])
    unknown, read, blank, other = found["executions"]
    assert all("status" not in row and row["error"] for row in (unknown, blank, other))
    assert (read["status"], found["all_done"], found["pending"]) == ("Completed", False, [])
    assert calls_in(found["next_step"], agent.inputs) == [("get_execution_results", {"execution_id": done})]


async def test_of_what_completed_and_what_failed_each_has_its_next_call(agent: Agent, bench: Bench) -> None:
    good, bad = bench.seeded("Completed"), bench.seeded("Failed")
    found = await agent.read("wait_executions", execution_ids=[bad, good], timeout_seconds=0)
    assert calls_in(found["next_step"], agent.inputs) == [
        ("get_execution_results", {"execution_id": good}),
        ("get_execution_logs", {"execution_id": bad}),
    ]


async def test_where_nothing_can_be_read_waiting_again_is_not_the_next_step(agent: Agent) -> None:
    found = await agent.read("wait_executions", execution_ids=[UNKNOWN])
    assert (found["all_done"], found["pending"], calls_in(found["next_step"], agent.inputs)) == (False, [], [])


async def test_a_transient_failure_does_not_end_a_wait(agent: Agent, bench: Bench) -> None:
    names = [bench.seeded("Completed"), await started(bench)]
    bench.clock.advance(20)
    bench.fault("GET */executions/* status=503 times=3")
    found = await agent.read("wait_executions", execution_ids=names, timeout_seconds=50)
    assert [row["status"] for row in found["executions"]] == ["Completed", "Completed"]


async def test_a_permanent_failure_is_the_error_of_its_row(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    bench.fault("GET */executions/* status=503")
    found = await agent.read("wait_executions", execution_ids=[name], timeout_seconds=5)
    assert (found["pending"], found["all_done"]) == ([name], False)
    assert "HTTP 503" in found["executions"][0]["error"]
    bench.heal()
    assert "error" not in (await agent.follow(found["next_step"]))["executions"][0]


async def test_a_hundred_executions_are_watched_with_few_requests(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=100, status="Running", session=SESSION)
    found = await agent.read("wait_executions", execution_ids=names, timeout_seconds=30)
    assert found["pending"] == names
    assert len(bench.platform.requests) < 40
    assert {*found["executions"][0]} == {"execution_id", "status"}, "full rows would be too much to read"
    ((_, arguments),) = calls_in(found["next_step"], agent.inputs)
    assert arguments["execution_ids"] == names


async def test_a_hundred_failures_have_short_messages(agent: Agent) -> None:
    found = await agent.read("wait_executions", execution_ids=[f"{UNKNOWN}{number}" for number in range(100)])
    assert all(row["error"] for row in found["executions"])


async def test_progress_grows_and_comes_at_least_every_ten_seconds(agent: Agent, bench: Bench) -> None:
    name = await started(bench, *["CCO"] * 3)
    quiet = bench.seeded("Running", name="Quiet one")
    bench.platform.requests.clear()
    heard: list[tuple[float, float | None, str | None]] = []
    at: list[float] = [bench.time.elapsed()]

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))
        at.append(bench.time.elapsed())

    answer = await agent.client.call_tool(
        "wait_executions",
        {"execution_ids": [name, quiet], "timeout_seconds": 49, "poll_interval_seconds": 30},
        progress_callback=hear,
    )
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error
    values = [progress for progress, _, _ in heard]
    assert all(later > earlier for earlier, later in itertools.pairwise(values))
    assert all(later - earlier <= HEARTBEAT_SECONDS + 0.5 for earlier, later in itertools.pairwise(at))
    assert all(total is not None and progress <= total for progress, total, _ in heard)
    messages = [message or "" for _, _, message in heard]
    assert "Quiet one: Running" in messages[0]


@pytest.mark.parametrize("mode", ERAS)
async def test_cancelling_a_wait_leaves_no_work_behind(bench: Bench, mode: str) -> None:
    name = bench.seeded("Running")
    bench.fault("GET */executions/* delay=1000")
    async with bench.agent(mode=mode) as agent:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(agent.client.call_tool, "wait_executions", {"execution_ids": [name]})
            await anyio.to_thread.run_sync(bench.clock.wait_for_waiters)
            tasks.cancel_scope.cancel()
        bench.heal()
        bench.clock.advance(2000)
        found = await agent.read("get_execution", execution_id=name)
        assert found["status"] == "Running"
        looks = len(bench.platform.requests)
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        assert len(bench.platform.requests) == looks
    assert not bench.platform.cancels


@dataclass
class Turn:
    """Something that happens to the platform in the middle of a wait."""

    bench: Bench
    at_seconds: float
    happens: Callable[[], None]

    async def reported(self, progress: float, total: float | None, message: str | None) -> None:
        """Called with each report of progress."""
        if self.at_seconds <= self.bench.time.elapsed() < float("inf"):
            self.at_seconds = float("inf")
            self.happens()

    async def during(self, agent: Agent, **arguments: Any) -> dict[str, Any]:
        answer = await agent.client.call_tool("wait_executions", arguments, progress_callback=self.reported)
        assert isinstance(answer, CallToolResult)
        assert not answer.is_error
        found: dict[str, Any] = answer.structured_content
        agent.outputs["wait_executions"].validate(found)
        return found


REFUSALS = {401: "DO_AUTH_TOKEN", 403: "403", 404: "404", 400: "400"}


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("count", [1, 4])
async def test_what_is_refused_in_the_middle_is_not_done(agent: Agent, bench: Bench, status: int, count: int) -> None:
    names = bench.platform.seed_executions(count=count, status="Running")
    turn = Turn(bench, 8, lambda: bench.fault(f"GET */executions* status={status}"))
    found = await turn.during(agent, execution_ids=names)
    assert (found["all_done"], found["pending"]) == (False, names)
    assert 9 <= found["waited_seconds"] < 45, "a refusal that stays ends the wait before its time"
    for row in found["executions"]:
        assert row["status"] == "Running"
        assert "2026-10-05T09:00:00Z" < row["last_seen_at"] < "2026-10-05T09:00:20Z"
        assert REFUSALS[status] in row["error"]
        assert row["last_seen_at"] in row["error"]


async def test_a_token_that_ends_in_the_middle_ends_the_wait_and_names_the_remedy(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=2, status=["Running", "Completed"])

    def expire() -> None:
        bench.time.token_ages_seconds = 30 * 365 * 24 * 3600

    found = await Turn(bench, 8, expire).during(agent, execution_ids=names)
    assert (found["all_done"], found["pending"]) == (False, names[:1])
    running, done = found["executions"]
    assert "token expired" in running["error"]
    assert "error" not in done
    assert "DO_AUTH_TOKEN" in found["next_step"]
    assert ("wait_executions", {"execution_ids": names[:1]}) in calls_in(found["next_step"], agent.inputs)


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_that_passes_does_not_end_the_wait(agent: Agent, bench: Bench, status: int) -> None:
    name = await started(bench, *["CCO"] * 3)
    turn = Turn(bench, 5, lambda: bench.fault(f"GET */executions/{name} status={status} times=2"))
    found = await turn.during(agent, execution_ids=[name], until="all")
    assert ("error" in found["executions"][0], found["all_done"]) == (
        False,
        found["executions"][0]["status"] != "Running",
    )
    assert found["waited_seconds"] > 20


@pytest.mark.parametrize("rule", ["status=503", "status=429 retry-after=600", "reset", "status=502"])
@pytest.mark.parametrize("count", [1, 4])
async def test_an_outage_is_reported_with_the_time_of_the_last_good_poll(
    agent: Agent, bench: Bench, rule: str, count: int
) -> None:
    names = bench.platform.seed_executions(count=count, status="Running")
    told: list[str] = []
    turn = Turn(bench, 8, lambda: bench.fault(f"GET */executions* {rule}"))

    async def reported(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")
        await turn.reported(progress, total, message)

    answer = await agent.client.call_tool("wait_executions", {"execution_ids": names}, progress_callback=reported)
    assert isinstance(answer, CallToolResult)
    found = answer.structured_content
    assert (found["all_done"], found["pending"], found["waited_seconds"]) == (False, names, 45)
    for row in found["executions"]:
        assert (row["status"], row["last_seen_at"] < "2026-10-05T09:00:20Z") == ("Running", True)
        assert row["last_seen_at"] in row["error"]
    assert f"{count} cannot" in told[-1]
    bench.heal()
    bench.clock.advance(600)
    again = await agent.follow(found["next_step"])
    assert not any("last_seen_at" in row for row in again["executions"])


@pytest.mark.parametrize("count", [1, 4])
async def test_where_the_time_of_a_call_is_over_it_returns_what_it_has_read(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(tool, "CALL_SECONDS", 1.5)
    names = bench.platform.seed_executions(count=count, status="Running")
    turn = Turn(bench, 0, lambda: bench.fault("GET */executions* delay=1000"))
    found = await turn.during(agent, execution_ids=names)
    assert (found["all_done"], found["pending"]) == (False, names)
    for row in found["executions"]:
        assert (row["status"], row["last_seen_at"][:17]) == ("Running", "2026-10-05T09:00:")
        assert row["last_seen_at"] in row["error"]
    bench.heal()
    bench.clock.advance(2000)
    again = await agent.follow(found["next_step"])
    assert [row["status"] for row in again["executions"]] == ["Running"] * count


async def test_a_wait_that_could_read_nothing_in_the_time_of_a_call_is_an_error(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "CALL_SECONDS", 0.05)
    name = bench.seeded("Running")
    bench.fault("GET */executions* delay=1000")
    assert await agent.error("wait_executions", execution_ids=[name]) == ("timed_out", "nothing_changed")


async def test_a_later_call_whose_time_is_over_does_not_return_what_a_wait_has_read(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = bench.seeded("Completed")
    await agent.read("wait_executions", execution_ids=[name])
    monkeypatch.setattr(tool, "CALL_SECONDS", 0.05)
    bench.fault("GET */executions* delay=1000")
    assert await agent.error("list_executions") == ("timed_out", "nothing_changed")


@pytest.mark.parametrize("seconds", [0, 2])
async def test_progress_is_read_as_well_only_where_the_last_poll_was_not_slow(bench: Bench, seconds: float) -> None:
    names = bench.platform.seed_executions(count=4, status="Running", tool_key="deeporigin.abfe-end-to-end")

    def monotonic() -> float:
        elapsed = bench.time.elapsed()
        return elapsed + seconds if elapsed >= 45 else elapsed

    def connect(settings: Settings) -> DeepOriginClient:
        return DeepOriginClient(settings, timing=bench.time.timing._replace(monotonic=monotonic))

    async with agent_of(bench.server(connect)) as agent:
        found = await agent.read("wait_executions", execution_ids=names)
    read = [name for name in names if bench.sent("GET", f"executions/{name}")]
    assert (found["waited_seconds"], read) == (45 + seconds, [] if seconds else names)


async def test_an_outage_that_is_over_leaves_no_trace(agent: Agent, bench: Bench) -> None:
    name = bench.seeded("Running")
    turn = Turn(bench, 8, lambda: bench.fault("GET */executions* status=503 times=3"))
    found = await turn.during(agent, execution_ids=[name])
    assert not {"error", "last_seen_at"} & found["executions"][0].keys()


async def test_an_expired_token_ends_the_wait_with_a_row_for_each(agent: Agent, bench: Bench) -> None:
    names = bench.platform.seed_executions(count=3, status="Running")
    bench.time.token_ages_seconds = 30 * 365 * 24 * 3600
    found = await agent.read("wait_executions", execution_ids=names)
    assert (found["pending"], found["waited_seconds"]) == ([], 0)
    assert all("token expired" in row["error"] for row in found["executions"])
    assert not found["all_done"]
