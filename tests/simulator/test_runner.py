"""Serving: in a thread, in a process of its own, and the ways in which that ends."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from deeporigin_mcp.simulator import ManualClock, Platform, ScaledClock, parse_fault, running_simulator, serve
from deeporigin_mcp.simulator.model.clock import instant_of, stamp
from deeporigin_mcp.simulator.runner import _Server, bind
from tests.support.api import DOCKING, Api, Background, docking_inputs

SERVER = """
import sys
from deeporigin_mcp.simulator import Platform, serve
serve(Platform(), host="127.0.0.1", port=int(sys.argv[1]), on_ready=lambda url: print(url, flush=True))
"""


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    before = set(threading.enumerate())
    with running_simulator() as simulator:
        port = int(simulator.base_url.rpartition(":")[2])
        assert httpx.get(f"{simulator.base_url}/health").status_code == 200
        assert isinstance(simulator.platform.clock, ScaledClock)
    # Threads of earlier tests may have come to their end meanwhile.
    assert set(threading.enumerate()) <= before
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_one_platform_can_be_served_again(platform: Platform) -> None:
    platform.seed_executions()
    for _ in range(2):
        with running_simulator(platform) as simulator:
            api = Api(simulator.base_url)
            with api.http:
                assert api.listed()["count"] == 1


def test_a_blocked_create_does_not_hold_up_the_stop(clock: ManualClock, platform: Platform) -> None:
    with running_simulator(platform) as simulator:
        api = Api(simulator.base_url)

        def lost() -> bool:
            try:
                api.create(DOCKING, inputs=docking_inputs(sync=True))
            except httpx.TransportError:
                return True
            return False

        call = Background(lost)
        assert clock.wait_for_waiters(1)
    assert call.result() is True
    api.http.close()


def test_a_connection_of_the_last_moment_is_closed_too(clock: ManualClock, platform: Platform) -> None:
    platform.faults.append(parse_fault("GET * delay=1000"))

    async def main() -> bytes:
        started, stop = asyncio.Event(), asyncio.Event()
        with bind("127.0.0.1", 0) as listener:
            serving = asyncio.create_task(_Server(platform, listener).run(stop, started.set))
            await started.wait()
            _, asking = await asyncio.open_connection(*listener.getsockname())
            asking.write(b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n")
            # While a request is open the loop goes round, and what was accepted meanwhile gets its transport.
            await asyncio.to_thread(clock.wait_for_waiters, 1)
            with socket.create_connection(listener.getsockname()) as late:
                # It is accepted in this round of the loop, and the stop is noticed in the next one.
                await asyncio.sleep(0)
                stop.set()
                await serving
                late.setblocking(False)
                answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(late, 1), 20)
            asking.close()
            return answer

    assert asyncio.run(main()) == b""


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"), running_simulator(port=port):
            pass
        with pytest.raises(OSError, match="cannot listen"):
            serve(Platform(), port=port)


def test_it_listens_on_ipv6_too() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with running_simulator(host="::1") as simulator:
        assert httpx.get(f"{simulator.base_url}/health").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert httpx.get(f"{url}/health").status_code == 200
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_a_scaled_clock_runs_faster_than_real_time() -> None:
    clock = ScaledClock(10_000)
    start = clock.now()
    while clock.now() - start < timedelta(seconds=30):
        pass
    assert clock.wall_now() - start < timedelta(seconds=30)
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(0)


def test_a_sped_up_platform_finishes_blocking_runs_quickly() -> None:
    with running_simulator(Platform(clock=ScaledClock(5000))) as simulator:
        api = Api(simulator.base_url)
        with api.http:
            assert api.create(DOCKING, inputs=docking_inputs(sync=True)).json()["status"] == "Completed"


def test_a_manual_clock_only_moves_forward() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance_to(datetime(2025, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.advance(60) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(-1)
    assert clock.wait_for_waiters(1, timeout_seconds=0.01) is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-07", "2026-05-07T00:00:00.000Z"),
        ("2026-05-07T10:00:00+02:00", "2026-05-07T08:00:00.000Z"),
        ("2026-05-07T10:00:00.1234Z", "2026-05-07T10:00:00.123Z"),
    ],
)
def test_instants_are_read_in_utc(text: str, expected: str) -> None:
    instant = instant_of(text)
    assert instant is not None
    assert stamp(instant) == expected
    assert instant_of("soon") is None
    assert instant_of(5) is None


def test_responses_are_dated_once_by_the_platforms_own_clock(clock: ManualClock, platform: Platform) -> None:
    with running_simulator(platform) as simulator:
        clock.advance(86_400)
        dates = httpx.get(f"{simulator.base_url}/health").headers.get_list("date")
    assert dates == [f"{clock.now():%a, %d %b %Y %H:%M:%S} GMT"]
