"""The wait engine by itself: what it asks, when it reports, and that nothing of it outlives it."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import CredentialError, NotFoundError, PlatformError, RateLimitError
from deeporigin_mcp.platform.waiting import engine
from deeporigin_mcp.platform.waiting.engine import WaitState, watch
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.executions.wait_executions import wait_view
from tests.platform.waiting.stage import Stage
from tests.support.fake_time import START, FakeTime
from tests.support.recording import execution

pytestmark = pytest.mark.anyio


async def watched(stage: Stage, ids: Sequence[str], **options: Any) -> WaitState:
    arguments: dict[str, Any] = {"poll_interval_seconds": 8.0, "timeout_seconds": 100.0, "timing": stage.time.timing}
    return await watch(stage, ids, **{**arguments, **options})


async def test_pauses_grow_to_the_interval() -> None:
    stage = Stage(FakeTime(), e=["Running"] * 7 + ["Completed"])
    state = await watched(stage, ["e"])
    assert [moment for moment, _ in stage.asked] == [0.0, 1.0, 2.5, 4.75, 8.125, 13.1875, 20.78125, 28.78125]
    assert state.waited_seconds == 28.78125


async def test_what_was_just_read_is_polled_after_the_first_pause() -> None:
    stage = Stage(FakeTime(), e=["Completed"])
    state = await watched(stage, ["e"], seen={"e": execution("Running", "e", projectId="p-1")})
    assert (stage.asked, stage.followed) == ([(1.0, "e")], [("p-1", ["e"])])
    assert state.found["e"]["status"] == "Completed"


async def test_any_ends_with_the_first_that_is_over() -> None:
    stage = Stage(FakeTime(), a=["Running"], b=["Running", "Failed"])
    state = await watched(stage, ["a", "b"], until="any")
    assert (state.pending, state.found["b"]["status"]) == (["a"], "Failed")


async def test_any_also_ends_with_one_that_cannot_be_read() -> None:
    gone = NotFoundError("gone")
    state = await watched(Stage(FakeTime(), a=["Running"], b=[gone]), ["a", "b"], until="any")
    assert (state.pending, state.failed) == (["a"], {"b": gone})


async def test_a_failure_hides_no_other_id_and_is_forgotten_when_it_passes() -> None:
    stage = Stage(
        FakeTime(), a=[PlatformError("x"), "Completed"], b=[NotFoundError("gone")], c=["Running", "Completed"]
    )
    state = await watched(stage, ["a", "b", "c"])
    assert {name: dto["status"] for name, dto in state.found.items()} == {"a": "Completed", "c": "Completed"}
    assert [*state.failed] == ["b"]
    assert state.is_done("all")


async def test_what_is_read_while_the_others_are_lost_is_not_lost() -> None:
    expired, released = CredentialError("expired"), anyio.Event()
    stage = Stage(FakeTime(), a=["Running", expired], b=[expired])
    poll = stage.poll

    async def late(execution_id: str) -> dict[str, Any]:
        if execution_id == "b":
            released.set()
        elif len(stage.asked) < 2:
            await released.wait()
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
        return await poll(execution_id)

    stage.poll = late  # type: ignore[method-assign]
    view = wait_view(await watched(stage, ["a", "b"]), Settings())
    assert not view.all_done
    assert [row.status for row in view.executions] == ["Running", None]
    assert all(row.error for row in view.executions)
    assert view.executions[0].last_seen_at


async def test_time_that_runs_out_leaves_the_latest_state() -> None:
    stage = Stage(FakeTime(), a=["Running"], b=[PlatformError("x")])
    state = await watched(stage, ["a", "b"], timeout_seconds=5.0)
    assert (state.pending, state.waited_seconds) == (["a", "b"], 5.0)
    assert state.found["a"]["status"] == "Running"
    assert isinstance(state.failed["b"], PlatformError)


async def test_the_last_known_state_is_not_taken_for_the_present_one_after_a_poll_without_a_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "LAST_POLL_SECONDS", 0.05)
    time = FakeTime()
    stage = Stage(time, a=["Running"], b=["Running"])
    poll = stage.poll

    async def stuck(execution_id: str) -> dict[str, Any]:
        if time.now >= 5.0 and execution_id == "b":
            await anyio.sleep_forever()
        return await poll(execution_id)

    stage.poll = stuck  # type: ignore[method-assign]
    with anyio.fail_after(20):
        state = await watched(stage, ["a", "b"], timeout_seconds=5.0, poll_interval_seconds=100.0)
    assert (state.unknown, state.pending) == (["b"], ["a", "b"])
    assert state.seen_at["b"] < START + 5.0 == state.seen_at["a"]


async def test_a_state_seen_in_a_list_is_as_good_as_one_that_was_read() -> None:
    names = [*"abcd"]
    stage = Stage(FakeTime(), **{name: [PlatformError("only the list works")] for name in names})
    stage.actives = [names, names, PlatformError("now it does not")]
    state = await watched(stage, names, timeout_seconds=30.0)
    assert state.unknown == names
    assert {*state.seen_at.values()} == {START + 1.0}


async def test_of_a_run_under_way_the_inputs_are_not_kept_and_at_its_end_all_of_it_is_there() -> None:
    given = {"userInputs": {"ligands": [{"smiles": "CCO"}] * 3}, "metadata": {"mine": 1}, "projectId": "p-1"}
    ended = execution("Completed", "a", **given, jobOutputs={"poses": []})
    stage = Stage(
        FakeTime(),
        a=[execution("Running", "a", **given, progressReport={"complete": 40}), ended],
        b=[execution("Running", "b", **given, createdAt="2026-10-05T08:00:00.000Z")],
    )
    state = await watched(stage, ["a", "b"], timeout_seconds=5.0)
    assert state.found["a"] == ended
    assert not {"userInputs", "metadata"} & state.found["b"].keys()
    assert (state.found["b"]["projectId"], state.found["b"]["createdAt"]) == ("p-1", "2026-10-05T08:00:00.000Z")
    assert stage.followed == [("p-1", ["a", "b"])]


# Many at once


async def test_one_request_for_all_active_ones_replaces_a_poll_of_each() -> None:
    names = [f"e{number}" for number in range(30)]
    stage = Stage(FakeTime(), **{name: ["Completed"] for name in names})
    stage.actives = [names, names, names[:2], []]
    await watched(stage, names)
    assert stage.listed <= 4
    assert len(stage.asked) == 30


async def test_a_list_that_is_not_taken_is_asked_for_once() -> None:
    stage = Stage(FakeTime(), **{name: ["Running", "Running", "Completed"] for name in "abcd"})
    await watched(stage, [*"abcd"])
    assert stage.listed == 1


async def test_while_the_platform_is_down_only_one_execution_is_polled() -> None:
    down = PlatformError("down")
    stage = Stage(
        FakeTime(), **{name: [down, down, "Completed"] if name == "a" else ["Completed"] for name in "abcdef"}
    )
    stage.actives = [down]
    await watched(stage, [*"abcdef"])
    assert [name for _, name in stage.asked][:3] == ["a", "a", "a"]
    assert len(stage.asked) == 8


async def test_a_rate_limit_of_the_list_holds_everything_back() -> None:
    stage = Stage(FakeTime(chance=0.0), **{name: ["Completed"] for name in "abc"})
    stage.actives = [RateLimitError("slow", retry_after_seconds=20.0), []]
    await watched(stage, [*"abc"])
    assert min(moment for moment, _ in stage.asked) >= 20.0


async def test_rate_limits_without_a_pause_of_their_own_double() -> None:
    limited = RateLimitError("slow")
    stage = Stage(FakeTime(chance=0.0), a=[limited, limited, limited, "Completed"])
    await watched(stage, ["a"])
    assert [moment for moment, _ in stage.asked] == [0.0, 2.0, 6.0, 14.0]


# Reports


async def test_each_change_is_reported_and_a_heartbeat_in_between() -> None:
    time = FakeTime()
    stage = Stage(time, e=["Created", "Running", "Running", "Completed"])
    told: list[tuple[float, str]] = []

    async def report(now: WaitState) -> None:
        told.append((time.now, now.found["e"]["status"]))

    await watched(stage, ["e"], poll_interval_seconds=30.0, first_pause_seconds=30.0, report=report)
    assert told[:5] == [(0.0, "Created"), (9.0, "Created"), (18.0, "Created"), (27.0, "Created"), (30.0, "Running")]
    assert told[-1] == (90.0, "Completed")
    assert all(later - earlier <= 10 for (earlier, _), (later, _) in itertools.pairwise(told))


async def test_a_change_of_percent_is_reported_at_most_once_a_second() -> None:
    time = FakeTime()
    steps = [execution("Running", "e", progressReport={"complete": number}) for number in range(40)]
    stage = Stage(time, e=[*steps, "Completed"])
    told: list[float] = []

    async def report(now: WaitState) -> None:
        told.append(time.now)

    await watched(stage, ["e"], poll_interval_seconds=0.25, first_pause_seconds=0.25, report=report)
    assert 9 <= len(told) <= 14
    assert told[-1] == time.now


async def test_an_error_of_the_report_is_raised_as_itself() -> None:
    class GoneError(Exception):
        pass

    async def report(now: WaitState) -> None:
        raise GoneError

    stage = Stage(FakeTime(), e=["Running"])
    with pytest.raises(GoneError):
        await watched(stage, ["e"], report=report)
    assert stage.following == 0


# Events


async def test_an_event_causes_a_poll_at_once() -> None:
    stage = Stage(FakeTime(stands=True), e=["Running", "Completed"])
    stage.events = lambda on_open, on_dirty: on_dirty(["e"])
    with anyio.fail_after(20):
        await watched(stage, ["e"], poll_interval_seconds=1000.0, first_pause_seconds=1000.0, timeout_seconds=None)
    assert stage.asked == [(0.0, "e"), (0.0, "e")]
    assert stage.following == 0


async def test_a_stream_that_opens_again_causes_a_poll() -> None:
    stage = Stage(FakeTime(stands=True), e=["Running", "Completed"])

    def events(on_open: Callable[[], None], on_dirty: Callable[[list[str]], None]) -> None:
        on_open()
        on_open()

    stage.events = events
    with anyio.fail_after(20):
        await watched(stage, ["e"], poll_interval_seconds=1000.0, first_pause_seconds=1000.0, timeout_seconds=None)
    assert len(stage.asked) == 2


async def test_streams_are_opened_for_each_project_and_only_a_few() -> None:
    steps = {f"e{n}": [execution("Running", f"e{n}", projectId=f"p-{n % 6}"), "Completed"] for n in range(12)}
    stage = Stage(FakeTime(), **steps)
    await watched(stage, [*steps])
    assert stage.followed == [(f"p-{n}", [f"e{n}", f"e{n + 6}"]) for n in range(4)]
    assert stage.following == 0


@pytest.mark.parametrize(("timeout", "streams"), [(1.0, 0), (3.0, 1)])
async def test_a_short_wait_opens_no_stream(timeout: float, streams: int) -> None:
    stage = Stage(FakeTime(), e=["Running"])
    await watched(stage, ["e"], timeout_seconds=timeout)
    assert len(stage.followed) == streams


async def test_endless_events_cause_a_limited_number_of_polls() -> None:
    time = FakeTime()
    stage = Stage(time, e=["Running"])
    told: list[Callable[[list[str]], None]] = []
    stage.events = lambda on_open, on_dirty: told.append(on_dirty)
    poll = stage.poll

    async def noisy(execution_id: str) -> dict[str, Any]:
        for on_dirty in told:
            on_dirty([execution_id])
        return await poll(execution_id)

    stage.poll = noisy  # type: ignore[method-assign]
    await watched(stage, ["e"], timeout_seconds=100.0)
    assert time.now == 100.0
    assert len(stage.asked) < 45
