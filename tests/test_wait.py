"""`deeporigin-mcp wait`: a real process that ends when runs on a simulated platform are over."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.platform import DeepOriginClient
from tests.support.bench import Bench, bench_token, docking, running_bench
from tests.support.people import quotation
from tests.support.processes import COMMAND, TIMEOUT_SECONDS, environment

ALL_COMPLETED, NOT_COMPLETED, USAGE, NOT_OVER = range(4)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        # The command lives in real time.
        found.clock.advance_to(datetime.now(UTC))
        yield found


def begun(bench: Bench, home: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    usual = {"DO_AUTH_TOKEN": bench_token(), "DO_ORG_KEY": "deeporigin", "DO_BASE_URL": bench.base_url}
    return subprocess.Popen(
        [*COMMAND, "wait", *arguments],
        env=environment(home, **(usual | variables)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Its exit code, and its lines; it must not complain."""
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert errors == ""
    assert bench_token() not in output
    return process.returncode, output.splitlines()


def waited(bench: Bench, home: Path, *arguments: str, **variables: str) -> tuple[int, list[str]]:
    return ended(begun(bench, home, *arguments, **variables))


def running(bench: Bench, **values: Any) -> str:
    """A run that goes on until the clock is moved."""

    async def start() -> str:
        async with DeepOriginClient(bench.settings()) as client:
            arguments = docking()
            body = {"inputs": {**arguments["inputs"], "sync": False}, "approveAmount": -1, **values}
            made = await client.executions.create(tool_key=arguments["tool_key"], tool_version="latest", data=body)
            await client.executions.confirm(made["executionId"])
            return str(made["executionId"])

    return anyio.run(start)


def test_it_ends_with_the_run_and_says_what_it_cost(bench: Bench, tmp_path: Path) -> None:
    name = running(bench, name="BRD4 pilot")
    process = begun(bench, tmp_path, name)
    assert bench.clock.wait_for_waiters(timeout_seconds=TIMEOUT_SECONDS), "it follows the events"
    assert process.poll() is None
    bench.clock.advance(3600)
    code, lines = ended(process)
    assert code == ALL_COMPLETED
    assert lines == [f'{name}  Completed  "BRD4 pilot"  0.20 USD', "1 of 1 over: 1 Completed, 0.20 USD."]


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "InsufficientFunds"])
def test_a_run_that_did_not_complete_is_another_exit_code(bench: Bench, tmp_path: Path, status: str) -> None:
    names = [bench.seeded("Completed"), bench.seeded(status)]
    code, lines = waited(bench, tmp_path, *names)
    assert code == NOT_COMPLETED
    assert sorted(line.split()[:2] for line in lines[:2]) == sorted(
        [name, word] for name, word in zip(names, ("Completed", status), strict=True)
    )
    assert len(lines) == 3


def test_what_is_held_for_a_cancelled_run_is_not_called_its_cost(bench: Bench, tmp_path: Path) -> None:
    names = [bench.seeded("Completed"), bench.seeded("Cancelled"), bench.seeded("Cancelled")]
    bench.platform.executions[names[2]].stored["billingTransaction"]["status"] = "Refunded"
    _, lines = waited(bench, tmp_path, *names)
    assert [line.rpartition('"  ')[2].partition("  ")[0] for line in lines[:3]] == [
        "0.40 USD", "0.40 USD reserved", "0.40 USD refunded"
    ]  # fmt: skip
    assert lines[3] == "3 of 3 over: 1 Completed, 2 Cancelled, 0.40 USD, 0.40 USD reserved, 0.40 USD refunded."


def test_time_up_is_an_exit_code_of_its_own_and_names_what_goes_on(bench: Bench, tmp_path: Path) -> None:
    over, going_on = bench.seeded("Completed"), bench.seeded("Running")
    code, lines = waited(bench, tmp_path, over, going_on, "--timeout-seconds", "0")
    assert code == NOT_OVER
    assert [line.split()[0] for line in lines] == [over, "1"]
    assert f"{going_on} Running" in lines[-1]


def test_a_quote_is_not_waited_for_and_is_not_over(bench: Bench, tmp_path: Path) -> None:
    name = bench.raw(status="Quoted", quotationResult=quotation(5))
    code, lines = waited(bench, tmp_path, name)
    assert code == NOT_OVER
    assert (name in lines[0], "5.00 USD" in lines[0]) == (True, True)


def test_any_ends_with_the_first_that_is_over_and_a_quote_is_none(bench: Bench, tmp_path: Path) -> None:
    quote, over, going_on = bench.raw(status="Quoted"), bench.seeded("Completed"), bench.seeded("Running")
    code, lines = waited(bench, tmp_path, "--any", quote, over, going_on)
    assert code == ALL_COMPLETED
    assert lines[0].split()[:2] == [quote, "Quoted"] or lines[1].split()[:2] == [quote, "Quoted"]
    code, _ = waited(bench, tmp_path, "--any", quote, going_on, "--timeout-seconds", "0")
    assert code == NOT_OVER


def test_a_session_s_unfinished_runs_are_waited_for(bench: Bench, tmp_path: Path) -> None:
    mine = bench.raw(status="Running", session="s-mine")
    bench.raw(status="Running", session="s-other")
    bench.raw(status="Completed", session="s-mine")
    bench.raw(status="Quoted", session="s-mine")
    for arguments in (("--session", "s-mine"), ("--session",)):
        variables = {"DEEPORIGIN_MCP_SESSION": "s-mine"}
        code, lines = waited(bench, tmp_path, "--timeout-seconds", "0", *arguments, **variables)
        assert code == NOT_OVER
        assert f"0 of 1 over. Not over: {mine} Running." in lines[-1]
    code, lines = waited(bench, tmp_path, "--session", "s-nobody")
    assert (code, len(lines)) == (ALL_COMPLETED, 1)


def test_what_cannot_be_read_is_said_with_its_reason_and_the_others_are_waited_for(
    bench: Bench, tmp_path: Path
) -> None:
    over = bench.seeded("Completed")
    code, lines = waited(bench, tmp_path, "nonsense", over)
    assert code == NOT_COMPLETED
    assert {line.split()[0] for line in lines[:2]} == {"nonsense", over}


def test_a_platform_that_fails_for_a_while_does_not_end_it(bench: Bench, tmp_path: Path) -> None:
    over = bench.seeded("Completed")
    bench.fault(f"GET */executions/{over} status=503 times=2")
    assert waited(bench, tmp_path, over)[0] == ALL_COMPLETED
    bench.heal()


def test_an_interrupt_ends_it_without_a_traceback(bench: Bench, tmp_path: Path) -> None:
    process = begun(bench, tmp_path, running(bench))
    assert bench.clock.wait_for_waiters(timeout_seconds=TIMEOUT_SECONDS)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (128 + signal.SIGINT, [])


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ((), {}),
        (("--session",), {}),
        (("x", "--timeout-seconds", "-1"), {}),
        (("x",), {"DO_AUTH_TOKEN": ""}),
        (("x",), {"DEEPORIGIN_MCP_BUDGET": "ten"}),
    ],
    ids=str,
)
def test_what_cannot_be_waited_for_is_a_usage_error(
    bench: Bench, tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    process = begun(bench, tmp_path, *arguments, **variables)
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, output) == (USAGE, "")
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("deeporigin-mcp")
