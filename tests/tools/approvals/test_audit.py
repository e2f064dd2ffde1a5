"""The record of decisions: one whole line each, on stderr and in the file, and nothing starts off the record."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import SettingsError
from tests.support.bench import ERAS, PROJECT, SESSION, Bench, bench_token, docking
from tests.support.people import CANCEL, DECLINE, NO, YES, Person, agent_with, quoted, reprice
from tests.support.processes import COMMAND, environment

pytestmark = pytest.mark.anyio

FIELDS = [
    "at",
    "decision",
    "execution_id",
    "tool",
    "price_usd",
    "project_id",
    "organization",
    "user",
    "session",
    "reason",
]
Lines = list[dict[str, Any]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lines_in(log: Path) -> Lines:
    text = log.read_bytes().decode("ascii")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def clear(log: Path, *, directory: bool = False) -> None:
    """Remove what is there, and put a directory in its place if so told: a file that cannot be written."""
    if log.is_dir():
        log.rmdir()
    else:
        log.unlink()
    if directory:
        log.mkdir()


def mode_of(log: Path) -> int:
    return stat.S_IMODE(log.stat().st_mode)


def decisions(lines: Lines) -> list[tuple[str, str]]:
    return [(line["execution_id"], line["decision"]) for line in lines]


async def test_a_start_is_one_line_with_who_what_how_much_and_why(bench: Bench, log: Path, audited: Lines) -> None:
    free, dear = quoted(bench, 0), quoted(bench, 5)
    async with agent_with(bench.server(audit_log=log), Person()) as agent:
        for name in (free, dear):
            await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    assert lines_in(log) == audited
    assert [list(line) for line in audited] == [FIELDS, FIELDS]
    assert audited[1] == {
        "at": "2026-10-05T09:00:00Z",
        "decision": "approved",
        "execution_id": dear,
        "tool": "deeporigin.docking@4.2.0",
        "price_usd": 5.0,
        "project_id": PROJECT,
        "organization": "deeporigin",
        "user": "ada@deeporigin.invalid",
        "session": SESSION,
        "reason": "yes by elicitation",
    }
    assert (audited[0]["price_usd"], audited[0]["reason"]) == (0.0, "the operator's automatic limit")


@pytest.mark.parametrize("mode", ERAS)
async def test_each_refusal_is_one_line(bench: Bench, log: Path, audited: Lines, mode: str) -> None:
    limits: dict[str, Any] = {"audit_log": log, "max_price": 20, "budget": 15, "auto_approve_up_to": 1}
    cases = [
        (quoted(bench, 5), NO, "declined"),
        (quoted(bench, 5), DECLINE, "not_approved"),
        (quoted(bench, 5), CANCEL, "not_approved"),
        (quoted(bench, 5), None, "nobody_to_ask"),
        (quoted(bench, 21), YES, "above_max_price"),
        (quoted(bench, 16), YES, "over_budget"),
        (quoted(bench, None), YES, "no_complete_price"),
        (quoted(bench, 5, status="Running"), YES, "not_quoted"),
        (quoted(bench, 0.5, tool={"key": "acme.other", "version": "1.0.0"}), YES, "tool_not_allowed"),
    ]
    server = bench.server(**limits, allowed_tool_keys=("deeporigin.*",))
    for name, reply, code in cases:
        async with agent_with(server, Person(reply), mode=mode) as agent:
            answer = await agent.call("confirm_execution", {"execution_id": name})
        assert answer.error == (code, "nothing_started")
        assert decisions(audited) == [(name, "refused")]
        assert answer.text.startswith(audited[0]["reason"])
        assert lines_in(log) == audited
        clear(log)
        audited.clear()
    name = quoted(bench, 0.5)
    async with agent_with(server, Person(), mode=mode) as agent:
        await agent.refused("confirm_execution", execution_id=name, expected_price=0.4)
    assert decisions(audited) == [(name, "refused")]


async def test_a_yes_that_came_too_late_is_a_refusal(bench: Bench, audited: Lines) -> None:
    name = quoted(bench, 5)
    person = Person(YES, lambda: reprice(bench, name, 6))
    async with agent_with(bench.server(), person, mode="legacy") as agent:
        await agent.refused("confirm_execution", execution_id=name)
    assert decisions(audited) == [(name, "refused")]


async def test_what_the_platform_did_not_start_or_may_have_started_is_a_second_line(
    bench: Bench, audited: Lines
) -> None:
    unpaid, lost = quoted(bench, 5), quoted(bench, 0.5)
    bench.platform.organisations["deeporigin"].balance = 1
    async with agent_with(bench.server(), Person()) as agent:
        await agent.refused("confirm_execution", execution_id=unpaid)
        bench.fault("PATCH *:confirm status=500 times=1")
        await agent.refused("confirm_execution", execution_id=lost)
    assert decisions(audited) == [
        (unpaid, "approved"),
        (unpaid, "not started"),
        (lost, "approved"),
        (lost, "unknown"),
    ]


async def test_no_inputs_names_or_secrets_are_in_it(bench: Bench, log: Path) -> None:
    secrets = ("k" * 40,)
    async with agent_with(bench.server(audit_log=log, state_keys=secrets), Person()) as agent:
        created = await agent.read("create_execution", **docking("CCOCCNCCS"), name="hush", metadata={"note": "hush"})
        await agent.read("confirm_execution", execution_id=created["execution_id"])
        await agent.refused("confirm_execution", execution_id=created["execution_id"])
    assert len(lines_in(log)) == 2
    text = json.dumps(lines_in(log))
    for secret in ("CCOCCNCCS", "hush", "k" * 40, bench_token(), *bench_token().split(".")):
        assert secret not in text


async def test_a_platform_that_repeats_the_token_in_short_pieces_puts_none_of_them_there(
    bench: Bench, log: Path
) -> None:
    pieces = [bench_token()[start : start + 39] for start in (10, 49, 88)]
    name = quoted(bench, 0.5, tool={"key": pieces[0], "version": pieces[1]}, projectId=pieces[2])
    async with agent_with(bench.server(audit_log=log, auto_approve_up_to=1), Person()) as agent:
        await agent.read("confirm_execution", execution_id=name)
    assert [line["execution_id"] for line in lines_in(log)] == [name]
    ledger = b"".join(path.read_bytes() for path in log.parent.iterdir() if "ledger" in path.name)
    written = json.dumps(lines_in(log)).encode() + ledger
    assert not any(piece.encode() in written for piece in pieces)


async def test_whatever_the_platform_says_stays_one_line_of_json(bench: Bench, log: Path, audited: Lines) -> None:
    hostile = 'a"}\n{"decision": "approved"\u2028\x1b[2J\ud800é'
    name = quoted(bench, 0.5, tool={"key": hostile, "version": hostile}, projectId=hostile)
    async with agent_with(bench.server(audit_log=log, auto_approve_up_to=1), Person()) as agent:
        await agent.read("confirm_execution", execution_id=name)
    assert decisions(lines_in(log)) == decisions(audited) == [(name, "approved")]
    assert not lines_in(log)[0]["tool"].isascii()


async def test_the_file_is_for_its_owner_only_and_is_appended_to(bench: Bench, log: Path) -> None:
    for count in (1, 2):
        async with agent_with(bench.server(audit_log=log), Person()) as agent:
            await agent.read("confirm_execution", execution_id=quoted(bench, 5))
        assert len(lines_in(log)) == count
    assert mode_of(log) == 0o600


@pytest.mark.parametrize("place", [".", "missing/audit.jsonl", "file/audit.jsonl", "n" * 300])
def test_a_file_that_cannot_be_written_stops_the_start(bench: Bench, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as stopped:
        bench.server(audit_log=tmp_path / place)
    assert str(tmp_path) not in str(stopped.value)


def test_the_process_ends_at_once_if_its_file_cannot_be_written(tmp_path: Path) -> None:
    variables = environment(tmp_path, DO_ENV="local", DEEPORIGIN_MCP_AUDIT_LOG=str(tmp_path))
    done = subprocess.run(COMMAND, env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True)
    assert done.returncode not in (0, None)
    assert "DEEPORIGIN_MCP_AUDIT_LOG" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


async def test_nothing_starts_once_the_file_cannot_be_written(bench: Bench, log: Path, audited: Lines) -> None:
    free, dear, late = (quoted(bench, price) for price in (0, 5, 5))
    async with agent_with(bench.server(audit_log=log, budget=6), Person()) as agent:
        clear(log, directory=True)
        for name in (free, dear):
            assert await agent.error("confirm_execution", execution_id=name) == ("not_on_record", "nothing_started")
        found = await agent.read("create_execution", tool_key="acme.hello-test", inputs={"message": "hi"}, start=True)
        assert found["status"] == "Quoted"
        assert "DEEPORIGIN_MCP_AUDIT_LOG" in found["next_step"]
        assert not bench.sent("PATCH")
        assert {line["decision"] for line in audited} == {"refused"}
        clear(log)
        await agent.read("confirm_execution", execution_id=late)
    assert bench.platform.confirms == [late]
    assert decisions(lines_in(log)) == [(late, "approved")]


async def test_a_file_lost_after_sending_does_not_hide_that_it_may_have_started(
    bench: Bench, log: Path, audited: Lines
) -> None:
    name = quoted(bench, 0.5)
    bench.fault("PATCH *:confirm delay=30 status=500 times=1")
    server = bench.server(audit_log=log, auto_approve_up_to=1)
    async with agent_with(server, Person()) as agent, anyio.create_task_group() as tasks:

        async def confirm() -> None:
            assert await agent.error("confirm_execution", execution_id=name) == ("outcome_unknown", "unknown")

        tasks.start_soon(confirm)
        for _ in range(200):
            if bench.platform.faults[0].fired:
                break
            await agent.read("get_execution", execution_id=name)
        clear(log, directory=True)
        bench.clock.advance(31)
    assert decisions(audited) == [(name, "approved"), (name, "unknown")]


WRITER = """
import sys
from pathlib import Path
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.audit_log import AuditLog

log, writer = AuditLog.checked(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.read()
for number in range(100):
    quote = Execution({"executionId": f"{writer}-{number}", "projectId": "P" * 3000})
    log.record(Settings(session=writer), quote, "approved", "reason " * 60, now=0)
"""


def test_several_processes_append_whole_lines(log: Path, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(log), str(number)],
            env=environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.close()
        assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    seen = [line["execution_id"] for line in lines_in(log)]
    assert sorted(seen) == sorted(f"{process}-{number}" for process in range(4) for number in range(100))
    # Each process wrote in its order.
    for process in range(4):
        own = [name for name in seen if name.startswith(f"{process}-")]
        assert own == [f"{process}-{number}" for number in range(100)]
