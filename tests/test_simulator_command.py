"""`deeporigin-mcp simulator` as a process of its own."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from deeporigin_mcp.simulator import make_token
from tests.support.processes import ORGANISATION, SimulatorProcess, run_program, simulator_process

PROJECT = "09DEMAKNASE01"
CLUSTER = "1f6f2c58-31c1-4a55-9a51-000000000001"
EXECUTIONS = f"/tools/{ORGANISATION}/tools/executions"


def http(simulator: SimulatorProcess) -> httpx.Client:
    # verify=False spares the reading of certificates that plain HTTP never needs.
    headers = {"Authorization": f"Bearer {make_token()}"}
    return httpx.Client(base_url=simulator.base_url, headers=headers, verify=False, timeout=60)


def create(simulator: SimulatorProcess, **body: Any) -> dict[str, Any]:
    path = f"/tools/{ORGANISATION}/tools/deeporigin.mol-props-combined/latest/executions"
    stamped = {"projectId": PROJECT, "clusterId": CLUSTER, "inputs": {"ligands": [{"smiles": "CCO"}]}, **body}
    with http(simulator) as client:
        answer = client.post(path, json=stamped)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_it_says_on_stderr_where_it_is_and_how_to_use_it(tmp_path: Path) -> None:
    with simulator_process(tmp_path, "--speed", "90") as simulator:
        url = simulator.base_url
        assert (
            simulator.ready_line
            == f"Deep Origin simulator on {url} at speed 90; use it with DO_ENV=local DO_BASE_URL={url}"
        )
        assert httpx.get(f"{url}/health", verify=False).json() == {"status": "ok"}
        assert simulator.stop(signal.SIGTERM) == ""


def test_the_program_finds_it_by_the_official_variables(tmp_path: Path) -> None:
    with simulator_process(tmp_path) as simulator:
        variables = {
            "DO_BASE_URL": simulator.base_url,
            "DO_AUTH_TOKEN": make_token(),
            "DO_ORG_KEY": ORGANISATION,
            "DO_PROJECT_ID": PROJECT,
        }
        done = run_program("doctor", home=tmp_path, variables=variables)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f": {simulator.base_url} (from DO_BASE_URL)" in done.stdout


def test_the_same_seed_gives_the_same_ids(tmp_path: Path) -> None:
    def ids(seed: str) -> list[str]:
        with simulator_process(tmp_path, "--seed", seed) as simulator:
            return [create(simulator)["executionId"] for _ in range(3)]

    first = ids("7")
    assert ids("7") == first
    assert not set(ids("8")) & set(first)


def test_a_fast_platform_finishes_a_blocking_run_at_once(tmp_path: Path) -> None:
    with simulator_process(tmp_path, "--speed", "50000") as simulator:
        assert create(simulator, sync=True)["status"] == "Completed"


def test_a_slow_platform_leaves_a_run_unfinished(tmp_path: Path) -> None:
    with simulator_process(tmp_path, "--speed", "0.01") as simulator:
        assert create(simulator, sync=False)["status"] not in ("Completed", "Failed")


def test_faults_strike_as_their_rules_say(tmp_path: Path) -> None:
    rules = ("--fault", "GET */executions status=503 html times=1", "--fault", "GET */executions status=429 times=1")
    with simulator_process(tmp_path, *rules) as simulator, http(simulator) as client:
        answers = [client.get(EXECUTIONS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 429, 200]
    assert answers[0].headers["content-type"] == "text/html"


def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_program("simulator", "--port", str(port), home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"deeporigin-mcp: cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port.\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_although_a_client_is_listening(number: signal.Signals, tmp_path: Path) -> None:
    with simulator_process(tmp_path) as simulator, http(simulator) as client:
        with client.stream("GET", f"/sse/{ORGANISATION}/stream/{PROJECT}") as stream:
            assert stream.status_code == 200
            assert simulator.stop(number) == ""
        assert simulator.process.returncode == 0
