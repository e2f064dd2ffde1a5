"""The ledger of approvals: what it keeps over crashes, restarts and processes, and what happens where it cannot."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import SettingsError, SpendingLimitError, StateConflictError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.ledger import BudgetScope, Entry, Ledger, Limits, OverBudgetError, spent
from tests.support.bench import Bench
from tests.support.liars import Liar, lines_in, lying, named, record
from tests.support.people import quoted
from tests.support.processes import environment
from tests.support.recording import Reply

pytestmark = pytest.mark.anyio

SCOPE = BudgetScope("http://127.0.0.1:9", "acme", "s-1")


@pytest.fixture
async def liar(anyio_backend: str) -> AsyncIterator[Liar]:
    async with lying() as found:
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger(path, is_named=False)


def entry(number: int, usd: Any = 5) -> Entry:
    return Entry(named(number), "deeporigin.docking", "ada@example.org", "a test", Decimal(usd))


async def claim(ledger: Ledger, number: int, usd: Any = 5, *, budget: Any = None, scope: BudgetScope = SCOPE) -> bool:
    limits = Limits(None if budget is None else Decimal(budget))
    return await ledger.claim(scope, entry(number, usd), now=1000.0, limits=limits, record=[])


async def test_one_that_is_taken_away_from_a_running_server_is_not_begun_anew(ledger: Ledger, path: Path) -> None:
    await claim(ledger, 1, budget=8)
    await anyio.Path(path).unlink()
    limits = Limits(Decimal(8))
    for look in (
        lambda: claim(ledger, 2, budget=8),
        lambda: ledger.rows(SCOPE),
        lambda: ledger.require_within(SCOPE, limits, Decimal(5), named(2), record=[]),
    ):
        with pytest.raises(SpendingLimitError) as caught:
            await look()
        assert caught.value.code == "not_on_record"
    assert not await anyio.Path(path).exists()
    # A start of the server begins one: that is a person's decision.
    assert not await claim(Ledger(path, is_named=False), 2, budget=8)


async def test_what_ends_without_charge_is_given_back_to_all_sessions(ledger: Ledger) -> None:
    day = Limits(None, Decimal(8), 0.0)
    await claim(ledger, 1)
    other = SCOPE._replace(session="s-2")
    with pytest.raises(OverBudgetError):
        await ledger.require_within(other, day, Decimal(5), named(2), record=[])
    ended = Execution(record(named(1), "Failed", billingTransaction={"totalCost": 0}))
    await ledger.observe(other, [ended], now=1000.0)
    await ledger.require_within(other, day, Decimal(5), named(2), record=[])


# One decision is one transaction


async def test_of_many_claims_at_once_as_many_pass_as_the_budget_allows_and_one_for_each_quote(ledger: Ledger) -> None:
    passed: list[int] = []

    async def attempt(number: int) -> None:
        try:
            await claim(ledger, number, budget=20)
        except (OverBudgetError, StateConflictError):
            return
        passed.append(number)

    async with anyio.create_task_group() as tasks:
        for number in [*range(8), *range(8)]:
            tasks.start_soon(attempt, number)
    assert len(passed) == len(set(passed)) == 4
    assert spent(await ledger.rows(SCOPE), []) == 20


async def test_each_session_organisation_and_platform_has_its_own_budget(ledger: Ledger) -> None:
    await claim(ledger, 1, budget=5)
    for number, other in enumerate(
        [SCOPE._replace(session="s-2"), SCOPE._replace(organisation="b"), SCOPE._replace(platform="http://b")], 2
    ):
        await claim(ledger, number, budget=5, scope=other)
    with pytest.raises(OverBudgetError):
        await claim(ledger, 9, budget=5)


async def test_a_quote_that_is_being_confirmed_for_one_session_is_not_for_another(ledger: Ledger) -> None:
    await claim(ledger, 1)
    with pytest.raises(StateConflictError) as refused:
        await claim(ledger, 1, scope=SCOPE._replace(session="s-2"))
    assert refused.value.code == "being_confirmed"


@pytest.mark.parametrize(
    ("outcome", "counted", "again"), [("unknown", 5, True), ("not started", 0, False), ("sending", 5, None)]
)
async def test_what_a_settled_confirmation_counts_and_whether_it_may_be_sent_again(
    ledger: Ledger, outcome: Any, counted: int, again: bool | None
) -> None:
    await claim(ledger, 1)
    await ledger.settle(SCOPE, named(1), outcome, now=1001.0)
    assert spent(await ledger.rows(SCOPE), []) == counted
    if again is None:
        with pytest.raises(StateConflictError):
            await claim(ledger, 1)
    else:
        assert await claim(ledger, 1) is again


async def test_a_started_run_is_never_confirmed_again_though_it_is_shown_as_quoted(ledger: Ledger) -> None:
    await claim(ledger, 1)
    await ledger.observe(SCOPE, [Execution(record(named(1), "Running"))], now=1001.0)
    await ledger.observe(SCOPE, [Execution(record(named(1)))], now=1002.0)
    with pytest.raises(StateConflictError) as refused:
        await claim(ledger, 1)
    assert refused.value.code == "already_started"


@pytest.mark.parametrize("clock", [-1e9, 0.0, 1e9])
async def test_no_clock_opens_a_claim_of_a_process_that_lives(ledger: Ledger, clock: float) -> None:
    await claim(ledger, 1)
    with pytest.raises(StateConflictError):
        await ledger.claim(SCOPE, entry(1), now=clock, limits=Limits(), record=[])
    assert not (await ledger.rows(SCOPE))[0].is_left_behind(clock)


# The file


def open_descriptors() -> int:
    """How many files this process holds open, where the system tells."""
    told = Path("/proc/self/fd")
    return len([*told.iterdir()]) if told.exists() else 0


def modes_in(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def blocked_state_directory() -> Path:
    """The user's state directory, with a file in the place of this program's."""
    state = Path(os.environ["XDG_STATE_HOME"])
    state.mkdir()
    (state / "deeporigin-mcp").write_text("")
    return state


async def test_it_is_for_its_owner_only_in_write_ahead_mode_and_holds_nothing_open(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    before = open_descriptors()
    await claim(ledger, 1)
    assert modes_in(tmp_path) == {path.name: 0o600}
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {*modes_in(tmp_path).values()} == {0o600}
    database.close()
    assert open_descriptors() == before


async def test_one_that_machines_may_share_needs_no_shared_memory(path: Path, tmp_path: Path) -> None:
    await claim(Ledger(path, is_named=True), 1)
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.close()
    assert [*modes_in(tmp_path)] == [path.name]


def test_it_is_beside_the_audit_log_or_in_the_state_directory_or_where_the_operator_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    named_place = Settings.load({"DEEPORIGIN_MCP_LEDGER": str(tmp_path / "x" / ".." / "named")}, tmp_path)
    assert named_place.ledger == tmp_path / "x" / ".." / "named"
    for settings, found in [
        (Settings(), tmp_path / "state/deeporigin-mcp/ledger.sqlite3"),
        (Settings(audit_log=tmp_path / "a.jsonl"), tmp_path / "a.jsonl.ledger.sqlite3"),
    ]:
        Ledger.of(settings).open()
        assert found.is_file()
    assert not (tmp_path / "named").exists()


def spoiled(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Places that cannot hold a ledger, by what they are."""
    (tmp_path / "folder").mkdir()
    yield "a folder", tmp_path / "folder"
    yield "no folder for it", tmp_path / "missing" / "ledger"
    os.mkfifo(tmp_path / "pipe")
    yield "a pipe", tmp_path / "pipe"
    yield "a device", Path("/dev/null")
    (tmp_path / "text").write_text("not a database" * 100)
    yield "a text", tmp_path / "text"
    database = sqlite3.connect(tmp_path / "newer")
    database.execute("PRAGMA user_version = 99")
    database.close()
    yield "a newer one", tmp_path / "newer"


def test_one_that_cannot_be_written_stops_the_start_without_naming_its_place(tmp_path: Path) -> None:
    for kind, place in spoiled(tmp_path):
        with pytest.raises(SettingsError) as stopped:
            create_server(Settings(ledger=place))
        assert str(place) not in str(stopped.value), kind
        # Nothing can start where nothing can be confirmed.
        create_server(Settings(ledger=place, read_only=True))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("at", value) for value in ("yesterday", b"x")),
        *(("claim", value) for value in (b"x", "", f"here {10**40} 7")),
        *(("approved", value) for value in ("NaN", "-5", b"5")),
        *(("reported", b"5"), ("execution", b"\xff"), ("state", "free"), ("rule", b"x")),
    ],
)
async def test_a_row_that_nobody_can_read_frees_nothing_of_a_budget(
    ledger: Ledger, path: Path, column: str, value: Any
) -> None:
    await claim(ledger, 1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"UPDATE runs SET {column} = ?", (value,))
    with pytest.raises(SpendingLimitError) as refused:
        await claim(ledger, 2, budget=7)
    assert refused.value.code == "not_on_record"


async def test_a_claim_of_a_process_that_no_machine_can_have_is_left_behind(ledger: Ledger, path: Path) -> None:
    await claim(ledger, 1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        (mine,) = database.execute("SELECT claim FROM runs").fetchone()
        database.execute("UPDATE runs SET claim = ?", (f"{mine.split()[0]} {10**10 - 1} 7",))
    assert await claim(ledger, 1)


async def test_where_it_cannot_be_written_nothing_starts_and_everything_else_goes_on(bench: Bench) -> None:
    state = blocked_state_directory()
    free = quoted(bench, 0)
    async with bench.agent(auto_approve_up_to=5) as agent:
        answer = await agent.call("confirm_execution", {"execution_id": free, "wait_seconds": 0})
        assert answer.error == ("not_on_record", "nothing_started")
        assert str(state) not in answer.text
        found = await agent.read("create_execution", tool_key="acme.hello-test", inputs={"message": "hi"}, start=True)
        assert found["status"] == "Quoted"
        assert "DEEPORIGIN_MCP_LEDGER" in found["next_step"]
        await agent.read("get_workspace")
        await agent.read("cancel_execution", execution_id=bench.seeded("Running"))
        assert not bench.sent("PATCH", ":confirm")
        (state / "deeporigin-mcp").unlink()
        await agent.read("confirm_execution", execution_id=free, wait_seconds=0)
    assert bench.platform.confirms == [free]


async def test_a_ledger_lost_after_sending_does_not_hide_what_became_of_the_run(liar: Liar, path: Path) -> None:
    def spoil(name: str) -> Any:
        path.write_text("not a database" * 100)
        return record(name, "Running")

    liar.patch = spoil
    async with liar.agent(ledger=path, auto_approve_up_to=10) as agent:
        assert (await agent.read("confirm_execution", execution_id=named(1)))["status"] == "Running"
        assert await agent.error("confirm_execution", execution_id=named(2)) == ("not_on_record", "nothing_started")
    assert liar.confirmed == [named(1)]


async def test_a_second_use_in_one_process_takes_no_lock_from_the_first(ledger: Ledger, path: Path) -> None:
    # Closing any descriptor of a file ends all locks that its process has on it (POSIX), those of SQLite among them.
    await claim(ledger, 1)

    def seen_by_another_process() -> str:
        command = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT rule FROM runs'))"
        return subprocess.run(
            [sys.executable, "-c", command, str(path)], check=True, capture_output=True, text=True
        ).stdout.strip()

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.execute("SELECT * FROM runs").fetchall()
        ledger.open()
        assert seen_by_another_process() == "('a test',)"
        first.execute("UPDATE runs SET rule = 'kept'")
        assert seen_by_another_process() == "('kept',)"


async def test_one_that_another_process_holds_is_waited_for(ledger: Ledger, path: Path) -> None:
    ledger.open()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    is_answering = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(claim, ledger, 1)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            # The event loop answers others meanwhile.
            is_answering = True
        other.execute("COMMIT")
    other.close()
    assert is_answering
    assert [row.execution_id for row in await ledger.rows(SCOPE)] == [named(1)]


async def test_a_full_disk_starts_nothing(liar: Liar, path: Path) -> None:
    resource = pytest.importorskip("resource")
    async with liar.agent(ledger=path, auto_approve_up_to=10) as agent:
        await agent.read("confirm_execution", execution_id=named(1), wait_seconds=0)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        try:
            found = await agent.error("confirm_execution", execution_id=named(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert found == ("not_on_record", "nothing_started")
        await agent.read("confirm_execution", execution_id=named(2), wait_seconds=0)
    assert liar.confirmed == [named(1), named(2)]


# Processes that end


CLAIMER = """
import sys, asyncio
from decimal import Decimal
from pathlib import Path
from deeporigin_mcp.tools.approvals.ledger import Entry, Ledger, Limits, BudgetScope

async def main():
    entry = Entry(sys.argv[2], "tool", "user", "rule", Decimal(5))
    ledger, scope = Ledger(Path(sys.argv[1]), is_named=False), BudgetScope(*sys.argv[3:6])
    await ledger.claim(scope, entry, now=1000.0, limits=Limits(), record=[])
    print("claimed", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def claimed_by_a_process(path: Path, home: Path, name: str, scope: BudgetScope) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, str(path), name, *scope],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


async def test_the_claim_of_a_process_that_lives_holds_and_that_of_a_killed_one_counts_until_it_is_settled(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    process = claimed_by_a_process(path, tmp_path, named(1), SCOPE)
    try:
        with pytest.raises(StateConflictError):
            await claim(ledger, 1)
        with pytest.raises(OverBudgetError):
            await claim(ledger, 2, budget=9)
    finally:
        kill(process)
    with pytest.raises(OverBudgetError):
        await claim(ledger, 2, budget=9)
    assert await claim(ledger, 1, budget=9) is True


@pytest.mark.parametrize(
    ("became", "spends", "told"),
    [
        ("Running", 5, ("started", 5)),
        ("Completed", 5, ("started", 5)),
        ("InsufficientFunds", 0, ("not started", 5)),
        ("Cancelled", 0, ("not started", 5)),
        ("Quoted", 5, None),
    ],
)
async def test_what_a_killed_process_had_sent_is_settled_by_reading_it_back(
    liar: Liar, path: Path, tmp_path: Path, became: str, spends: int, told: tuple[str, int] | None
) -> None:
    log = tmp_path / "audit.jsonl"
    scope = BudgetScope(liar.url, "acme", "s-lies")
    kill(claimed_by_a_process(path, tmp_path, named(1), scope))
    liar.rows = lambda _: []
    liar.get = lambda name, started: record(name, became if name == named(1) and not started else "Quoted")
    async with liar.agent(ledger=path, audit_log=log, auto_approve_up_to=10, budget=9) as agent:
        assert (await agent.read("get_workspace"))["spending"]["spent"] == spends
        answer = await agent.call("confirm_execution", {"execution_id": named(2), "wait_seconds": 0})
        assert (answer.error == ("over_budget", "nothing_started")) is (spends > 0)
        await agent.read("get_workspace")
    found = [(line["decision"], line["price_usd"]) for line in lines_in(log) if line["execution_id"] == named(1)]
    assert found == ([] if told is None else [told])


async def test_what_cannot_be_read_back_now_counts_and_is_read_back_later(
    liar: Liar, path: Path, tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"
    kill(claimed_by_a_process(path, tmp_path, named(1), BudgetScope(liar.url, "acme", "s-lies")))
    async with liar.agent(ledger=path, audit_log=log) as agent:
        liar.get = lambda name, started: Reply(status=403)
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 5
        liar.get = lambda name, started: record(name, "Cancelled")
        for _ in range(2):
            assert (await agent.read("get_workspace"))["spending"]["spent"] == 0
    assert [line["decision"] for line in lines_in(log)] == ["not started"]


async def test_a_quote_whose_confirmation_was_lost_with_its_process_can_be_confirmed_again(
    liar: Liar, path: Path, tmp_path: Path
) -> None:
    kill(claimed_by_a_process(path, tmp_path, named(1), BudgetScope(liar.url, "acme", "s-lies")))
    async with liar.agent(ledger=path, auto_approve_up_to=10, budget=9) as agent:
        assert (await agent.read("confirm_execution", execution_id=named(1)))["status"] == "Running"
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 5
    assert liar.confirmed == [named(1)]


async def test_quotes_that_others_made_count_when_they_are_started_here(bench: Bench) -> None:
    names = [quoted(bench, 0.8, session=session) for session in ("theirs", None, "another's")]
    async with bench.agent(auto_approve_up_to=1, budget=1) as agent:
        await agent.read("confirm_execution", execution_id=names[0], wait_seconds=0)
    async with bench.agent(auto_approve_up_to=1, budget=1) as agent:
        for name in names[1:]:
            assert await agent.error("confirm_execution", execution_id=name) == ("over_budget", "nothing_started")
        assert (await agent.read("get_workspace"))["spending"]["left"] == 0.2
    assert bench.platform.confirms == names[:1]


async def test_two_servers_in_front_of_one_platform_send_one_confirmation(liar: Liar, path: Path) -> None:
    seen = threading.Event()

    def slow(name: str) -> Any:
        seen.set()
        return record(name, "Running")

    liar.patch = slow
    answers: list[bool] = []
    async with (
        liar.agent(ledger=path, auto_approve_up_to=10) as one,
        liar.agent(ledger=path, auto_approve_up_to=10) as two,
        anyio.create_task_group() as tasks,
    ):

        async def confirm(agent: Any) -> None:
            answers.append(
                (await agent.call("confirm_execution", {"execution_id": named(1), "wait_seconds": 0})).is_error
            )

        for agent in (one, two, one, two):
            tasks.start_soon(confirm, agent)
    assert liar.confirmed == [named(1)]
    assert sorted(answers) == [False, True, True, True]


async def test_a_refusal_to_write_is_the_operators_matter() -> None:
    with pytest.raises(SpendingLimitError) as refused:
        Ledger(None, is_named=False).open()
    assert refused.value.code == "not_on_record"
    assert await Ledger(None, is_named=False).rows(SCOPE) == []


@pytest.mark.parametrize(
    "damage", ["approved = 'x'", "approved = 'NaN'", "reported = ''", "state = 'x'", "claim = ''", "claim = 'a b c'"]
)
async def test_one_with_values_that_nobody_wrote_starts_nothing(liar: Liar, path: Path, damage: str) -> None:
    async with liar.agent(auto_approve_up_to=100, budget=100, ledger=path) as agent:
        await agent.read("confirm_execution", execution_id=named(1), wait_seconds=0)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(f"UPDATE runs SET {damage}")
        assert await agent.error("confirm_execution", execution_id=named(2)) == ("not_on_record", "nothing_started")
    assert liar.confirmed == [named(1)]
