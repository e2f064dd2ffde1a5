"""Followers: what they hear, and what is asked of the platform on their behalf."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.abc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import DeepOriginError, InvalidRequestError, NetworkError, NotFoundError, PlatformError
from deeporigin_mcp.platform.records.status import KNOWN, TERMINAL
from deeporigin_mcp.platform.waiting.engine import MAX_REFUSALS
from deeporigin_mcp.platform.waiting.followers import (
    GATHER_SECONDS,
    POLL_SECONDS,
    QUOTE_SECONDS,
    UNREADABLE_SECONDS,
    Followers,
)
from tests.platform.waiting.stage import Stage
from tests.support.fake_time import FakeTime
from tests.support.recording import execution

pytestmark = pytest.mark.anyio


def running(percent: int) -> dict[str, Any]:
    return execution("Running", "e", projectId="p-1", progressReport={"complete": percent})


def stage(**steps: list[Any]) -> Stage:
    return Stage(FakeTime(), **steps)


class Ear:
    """A follower that notes when it was told, and what the platform said last."""

    def __init__(self, platform: Stage, name: str = "e") -> None:
        self.heard: list[tuple[float, Any]] = []
        self._platform = platform
        self._name = name

    def __call__(self) -> None:
        self.heard.append((self._platform.time.now, self._platform.steps[self._name][0]))


@contextlib.asynccontextmanager
async def followers_of(platform: Stage) -> AsyncIterator[Followers]:
    """Followers whose watch must end by itself, in time that is not real."""
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            yield Followers(platform, platform.time.timing, tasks)


async def asked_often(platform: Stage, times: int) -> None:
    """Wait until the platform was asked so many times more."""
    target = len(platform.asked) + times
    while len(platform.asked) < target:
        await anyio.lowlevel.checkpoint()


async def test_followers_are_called_for_each_change_and_the_end_and_then_nothing_is_polled() -> None:
    platform = stage(e=["Created", "Created", running(10), running(10), running(60), "Completed"])
    heard: list[int] = []
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: heard.append(len(platform.asked)))
    assert heard == [3, 5, 6]
    assert len(platform.asked) == 6
    assert platform.following == 0


async def test_followers_are_called_for_the_first_state_only_if_it_is_an_end() -> None:
    platform = stage(e=["Running", "Completed"], f=["Failed"])
    heard: list[str] = []
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: heard.append("e"))
        followers.follow("f", lambda: heard.append("f"))
    assert heard == ["f", "e"]


async def test_all_followers_share_one_watch() -> None:
    names = [f"e{number}" for number in range(8)]
    platform = stage(**{name: ["Running", "Running", "Running", "Completed"] for name in names})
    heard: list[str] = []
    async with followers_of(platform) as followers:
        for name in names:
            for _ in range(3):
                followers.follow(name, lambda name=name: heard.append(name))  # type: ignore[misc]
    assert sorted(heard) == sorted(names * 3)
    assert len(platform.asked) == 8 * 4
    assert platform.followed == [("p-1", names)]


async def test_pauses_grow_to_the_interval() -> None:
    platform = stage(e=["Running"] * 30 + ["Completed"])
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: None)
    moments = [moment for moment, _ in platform.asked]
    assert moments[0] == GATHER_SECONDS
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert max(pauses) == POLL_SECONDS
    assert pauses[-10:] == [POLL_SECONDS] * 10


async def test_whoever_stops_is_not_called_again_and_the_others_are() -> None:
    platform = stage(e=["Running", "Queued", "Running", "Completed"])
    mine, others = Ear(platform), Ear(platform)
    async with followers_of(platform) as followers:
        stop = followers.follow("e", mine)
        followers.follow("e", others)
        await asked_often(platform, 2)
        told = len(mine.heard)
        stop()
        stop()
    assert len(mine.heard) == told <= 1
    assert len(others.heard) == 3


async def test_when_nobody_follows_nothing_is_asked_and_no_stream_is_open() -> None:
    platform = stage(e=["Running"], f=["Running"])
    async with followers_of(platform) as followers:
        stops = [followers.follow(name, lambda: None) for name in "ef"]
        await asked_often(platform, 4)
        assert platform.following == 1
        for stop in stops:
            stop()
        asked = len(platform.asked)
    assert len(platform.asked) == asked
    assert platform.following == 0


async def test_one_that_nobody_follows_any_more_is_not_asked_for_while_others_are() -> None:
    platform = stage(e=["Running"], f=["Running"])
    async with followers_of(platform) as followers:
        stop_e, stop_f = (followers.follow(name, lambda: None) for name in "ef")
        await asked_often(platform, 4)
        stop_e()
        before = len(platform.asked)
        await asked_often(platform, 6)
        assert {name for _, name in platform.asked[before:]} == {"f"}
        stop_f()


async def test_a_newcomer_joins_the_watch_that_runs() -> None:
    platform = stage(e=["Running"] * 12 + ["Completed"], f=["Running", "Running", "Failed"])
    heard: list[str] = []
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: heard.append("e"))
        await asked_often(platform, 5)
        followers.follow("f", lambda: heard.append("f"))
    assert heard == ["f", "e"]


async def test_a_newcomer_hears_of_an_end_that_others_know() -> None:
    platform = stage(e=["Completed"], f=["Running"])
    first, second = Ear(platform), Ear(platform)
    async with followers_of(platform) as followers:
        stop = followers.follow("f", lambda: None)
        followers.follow("e", first)
        while not first.heard:
            await anyio.lowlevel.checkpoint()
        followers.follow("e", second)
        while not second.heard:
            await anyio.lowlevel.checkpoint()
        stop()
    assert len(second.heard) == 1


async def test_following_begins_anew_after_everything_was_over() -> None:
    platform = stage(e=["Completed"])
    ear = Ear(platform)
    async with followers_of(platform) as followers:
        followers.follow("e", ear)()
        stop = followers.follow("e", ear)
        while not ear.heard:
            await anyio.lowlevel.checkpoint()
        stop()
        platform.steps["e"] = ["Running", "Cancelled"]
        followers.follow("e", ear)
    assert [state for _, state in ear.heard] == ["Completed", "Cancelled"]


async def test_followers_of_what_cannot_be_read_are_called_once_and_it_is_not_polled_again() -> None:
    platform = stage(e=["Running", NotFoundError("gone")], f=["Running"] * 12 + ["Completed"])
    heard: list[str] = []
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: heard.append("e"))
        followers.follow("f", lambda: heard.append("f"))
    assert heard == ["e", "f"]
    assert sum(name == "e" for _, name in platform.asked) == 1 + MAX_REFUSALS


async def test_a_short_failure_is_no_news_and_no_end() -> None:
    down = [PlatformError("down"), NetworkError("lost")] * 2
    platform = stage(e=["Running", *down, "Running", NotFoundError("for a moment"), "Running", "Completed"])
    ear = Ear(platform)
    async with followers_of(platform) as followers:
        followers.follow("e", ear)
    assert [state for _, state in ear.heard] == ["Completed"]


async def test_a_long_outage_is_news_and_so_is_its_end() -> None:
    down = PlatformError("down")
    platform = stage(e=["Running", *[down] * 20, running(40), "Completed"])
    ear = Ear(platform)
    async with followers_of(platform) as followers:
        followers.follow("e", ear)
    (began, still), (ended, _), (_, last) = ear.heard
    assert still is down
    assert UNREADABLE_SECONDS <= began <= UNREADABLE_SECONDS + 2 * POLL_SECONDS < ended
    assert last == "Completed"


async def test_a_platform_that_was_down_from_the_beginning_is_news_when_it_is_back() -> None:
    down = NetworkError("lost")
    platform = stage(e=[*[down] * 8, running(10), "Completed"])
    ear = Ear(platform)
    async with followers_of(platform) as followers:
        followers.follow("e", ear)
    assert len(ear.heard) == 2


async def test_a_quote_is_polled_rarely_until_somebody_confirms_it() -> None:
    platform = stage(e=["Quoted"] * 4 + ["Running", "Completed"])
    ear = Ear(platform)
    async with followers_of(platform) as followers:
        followers.follow("e", ear)
    quoted = [moment for moment, _ in platform.asked][:5]
    assert all(later - earlier >= QUOTE_SECONDS for earlier, later in itertools.pairwise(quoted))
    assert len(ear.heard) == 2


async def test_a_quote_is_polled_again_while_others_run() -> None:
    platform = stage(e=["Quoted", "Quoted", "Completed"], f=["Running"] * 60 + ["Completed"])
    heard: list[str] = []
    async with followers_of(platform) as followers:
        followers.follow("e", lambda: heard.append("e"))
        followers.follow("f", lambda: heard.append("f"))
    assert heard == ["e", "f"]
    looks = [moment for moment, name in platform.asked if name == "e"]
    assert len(looks) == 3
    assert all(QUOTE_SECONDS <= later - earlier < 2 * QUOTE_SECONDS for earlier, later in itertools.pairwise(looks))


async def test_a_fault_of_ours_ends_the_following_and_not_the_server(caplog: pytest.LogCaptureFixture) -> None:
    platform = stage(e=[RuntimeError("secret")])
    ear = Ear(platform)
    with caplog.at_level(logging.ERROR):
        async with followers_of(platform) as followers:
            followers.follow("e", ear)
    assert len(ear.heard) == 1
    assert caplog.messages == ["following executions failed: RuntimeError"]


LOOKS = st.one_of(
    st.sampled_from(KNOWN),
    st.integers(0, 100).map(running),
    st.sampled_from([PlatformError("x"), NetworkError("y")]),
)
ENDS = st.sampled_from([*sorted(TERMINAL), NotFoundError("gone"), InvalidRequestError("no")])


@given(life=st.lists(LOOKS, max_size=12).filter(lambda life: not TERMINAL & {str(step) for step in life}), end=ENDS)
def test_whoever_reads_at_each_update_knows_the_last_state(life: list[Any], end: str | DeepOriginError) -> None:
    """The law of news that is a level: between two updates nothing worth reading was missed."""

    async def follow() -> None:
        platform = stage(e=[*life, end])
        known: list[Any] = []
        poll = platform.poll

        async def remember(execution_id: str) -> dict[str, Any]:
            latest.clear()
            latest.append(platform.steps[execution_id][0])
            return await poll(execution_id)

        latest: list[Any] = []
        platform.poll = remember  # type: ignore[method-assign]
        async with followers_of(platform) as followers:
            followers.follow("e", lambda: known.append(latest[0]))
        assert known[-1] == end
        assert len(known) <= len(life) + 1

    anyio.run(follow)
