"""Event streams: frames, heartbeats, the cap, and what ends them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, make_token, running_simulator
from tests.support.api import DOCKING, PROJECT, Api, docking_inputs


@contextmanager
def opened(api: Api, *filters: str, project: str = PROJECT) -> Iterator[Iterator[str]]:
    """The blocks of a stream, after its `retry` line."""
    params = httpx.QueryParams([("filter", text) for text in filters])
    with api.http.stream("GET", f"/sse/{api.org}/stream/{project}", params=params) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        blocks = _blocks(response.iter_lines())
        assert next(blocks) == "retry: 3000"
        yield blocks


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line:
            yield line


def frame(block: str) -> dict[str, object]:
    return dict(json.loads(block.removeprefix("data: ")))


def test_each_change_of_a_followed_run_makes_a_frame(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    with opened(api, f"mine=execution:{execution}", "other=execution:nobody", "odd=ligand:x") as blocks:
        clock.advance(0.5)
        first = frame(next(blocks))
        assert (first["type"], first["filters"]) == ("filters.dirty", ["mine"])
        assert first["flushedAt"] == int(clock.now().timestamp() * 1000)
        assert api.get(execution)["status"] == "Queued"
        clock.advance(1000)
        assert frame(next(blocks))["filters"] == ["mine"]
        assert api.get(execution)["status"] == "Completed"


def test_a_cancel_makes_a_frame_without_any_time_passing(api: Api, platform: Platform) -> None:
    (execution,) = platform.seed_executions(status="Running")
    with opened(api, f"a=execution:{execution}") as blocks:
        api.act(execution, "cancel")
        assert frame(next(blocks))["filters"] == ["a"]


def test_a_stream_is_bound_to_its_project(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    with opened(api, f"a=execution:{execution}", project="09DEMAGPCR002") as blocks:
        assert clock.wait_for_waiters(1)
        clock.advance(25)
        assert next(blocks) == ": heartbeat"


def test_a_quiet_stream_beats_every_25_seconds(api: Api, clock: ManualClock) -> None:
    with opened(api) as blocks:
        for _ in range(2):
            assert clock.wait_for_waiters(1)
            clock.advance(25)
            assert next(blocks) == ": heartbeat"


def test_nothing_is_replayed(api: Api, clock: ManualClock) -> None:
    execution = api.started(DOCKING, inputs=docking_inputs())
    clock.advance(1000)
    with opened(api, f"a=execution:{execution}") as blocks:
        assert clock.wait_for_waiters(1)
        clock.advance(25)
        assert next(blocks) == ": heartbeat"


def test_too_many_streams_of_one_user_are_a_conflict(base_url: str, platform: Platform) -> None:
    platform.streams_per_user = 1
    one, other = Api(base_url), Api(base_url, token=make_token(subject="someone-else"))
    url = f"/sse/deeporigin/stream/{PROJECT}"
    with one.http, other.http:
        with opened(one):
            assert one.http.get(url).status_code == 409
            with opened(other), opened(one, project="09DEMAGPCR002"):
                pass
        while platform.open_streams[(next(iter(platform.open_streams)))]:
            one.listed()
        with opened(one):
            pass


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sse/deeporigin/stream/09UNKN0WN0000", 404),
        ("/sse/deeporigin/stream/09ACMEPR0J001", 404),
        (f"/sse/deeporigin/stream/{PROJECT}?filter=nonsense", 400),
        (f"/sse/umbrella/stream/{PROJECT}", 403),
    ],
)
def test_streams_are_refused(api: Api, path: str, status: int) -> None:
    assert api.http.get(path).status_code == status


def test_a_stopping_server_ends_its_streams(platform: Platform) -> None:
    with running_simulator(platform) as simulator:
        api = Api(simulator.base_url)
        stack = opened(api)
        stack.__enter__()
        assert sum(platform.open_streams.values()) == 1
    assert sum(platform.open_streams.values()) == 0
    api.http.close()
