"""The ledger of approvals: every run that was started here, and what it counts for (design 5).

A confirmation is written down before its request is sent and settled afterwards, in one SQLite file that all processes
of one user on one machine share. So neither kill -9, nor a restart, nor a platform whose lists lag or lie makes a
budget forget a run, and of two processes only one sends the confirmation. A run counts at the larger of what was
approved and what the platform reported, until the platform says that it ended without charge.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args

from anyio import to_thread

from deeporigin_mcp.errors import SettingsError, SpendingLimitError, StateConflictError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.platform.records.money import ZERO, added, amount, rounded, shown
from deeporigin_mcp.platform.records.sanitizing import one_line
from deeporigin_mcp.settings import Settings, state_directory
from deeporigin_mcp.tools.approvals import notices
from deeporigin_mcp.tools.approvals.processes import PROCESS, is_alive, this_process
from deeporigin_mcp.tools.responses import steps

if TYPE_CHECKING:
    # Imported where a file is opened: a server starts without it.
    import sqlite3

    from deeporigin_mcp.tools.approvals.answers import Answers

T = TypeVar("T")

SETTING = "DEEPORIGIN_MCP_LEDGER"
FILE_MODE = 0o600
VERSION = 1
BUSY_SECONDS = 10.0
"""How long a process waits for another one's transaction, which takes milliseconds."""
TEXT_CHARACTERS = 500

NEVER_STARTED = frozenset({"Quoted", "FailedQuotation", "InsufficientFunds"})
"""Statuses of executions that were never charged."""

RunState = Literal["sending", "unknown", "started", "not started", "uncharged"]
COUNTING: tuple[RunState, ...] = ("sending", "unknown", "started")

_CREATING = threading.Lock()

_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    platform TEXT NOT NULL, organisation TEXT NOT NULL, execution TEXT NOT NULL COLLATE NOCASE,
    session TEXT NOT NULL, user TEXT NOT NULL, tool TEXT NOT NULL, rule TEXT NOT NULL,
    approved TEXT, reported TEXT, state TEXT NOT NULL, claim TEXT NOT NULL, at REAL NOT NULL, settled_at REAL,
    PRIMARY KEY (platform, organisation, execution)
)
"""
_UPSERT = """
INSERT INTO runs (platform, organisation, execution, session, user, tool, rule, approved, reported, state, claim, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (platform, organisation, execution) DO UPDATE SET
    session = excluded.session, user = excluded.user, tool = excluded.tool, rule = excluded.rule,
    approved = coalesce(excluded.approved, approved), reported = coalesce(excluded.reported, reported),
    state = excluded.state, claim = excluded.claim, at = excluded.at, settled_at = NULL
"""


class _DamagedError(Exception):
    def __init__(self) -> None:
        super().__init__("it holds values that this server never writes")


class BudgetScope(NamedTuple):
    """What one budget is for: a session in an organisation of a platform."""

    platform: str
    organisation: str
    session: str


class Entry(NamedTuple):
    """Who let an execution start, by which rule and at which price; `approved` is None if nobody did."""

    execution_id: str
    tool: str
    user: str
    rule: str
    approved: Decimal | None


class Row(NamedTuple):
    """What the ledger knows of one run. Amounts are USD, `at` is Unix seconds."""

    execution_id: str
    approved: Decimal | None
    reported: Decimal | None
    rule: str
    state: RunState
    claim: str
    at: float

    @property
    def amount(self) -> Decimal:
        """What it counts for."""
        return max(self.approved or ZERO, self.reported or ZERO, ZERO) if self.state in COUNTING else ZERO

    def is_left_behind(self, now: float) -> bool:
        """Whether its outcome was never written down: its process ended, or could not read it."""
        return self.state == "unknown" or (self.state == "sending" and not is_alive(self.claim, now - self.at))


class Rise(NamedTuple):
    """A run that the platform reports at more than was approved or reported before."""

    execution: Execution
    amount: Decimal


class Limits(NamedTuple):
    """What may be started, in USD; None for no limit.

    `budget`: by the scope; `per_day`: by the organisation, since `day_began` (Unix seconds).
    """

    budget: Decimal | None = None
    per_day: Decimal | None = None
    day_began: float = 0.0


class OverBudgetError(SpendingLimitError):
    """One more run would exceed the budget, or what may be started in a day."""


def being_confirmed(execution_id: str) -> StateConflictError:
    """The refusal of a confirmation while another call sends one."""
    return StateConflictError(
        f"Execution {execution_id} is being confirmed by another call.",
        next_step=steps.call("get_execution", execution_id=execution_id) + " shows what became of it.",
        code="being_confirmed",
    )


def comparable(execution_id: str) -> str:
    """An id for comparisons: UUIDs may be written in either case."""
    return execution_id.casefold()


def was_started(execution: Execution) -> bool:
    """Whether an execution runs, ran, or was charged for, by what its record says."""
    if execution.started_at or (execution.cost or ZERO) > 0:
        return True
    # A quote can be cancelled as well; it has no start and no bill.
    return execution.status not in NEVER_STARTED and (execution.status != "Cancelled" or execution.cost is not None)


def reported_amount(execution: Execution) -> Decimal | None:
    """USD that the platform names for a run: the larger of its quote and its bill; None if it names neither."""
    return max((price for price in (execution.quoted_price, execution.cost) if price is not None), default=None)


def is_uncharged(execution: Execution) -> bool:
    """Whether the platform says of a run that it has ended and nothing was charged."""
    if not execution.is_terminal:
        return False
    return execution.billed == 0 if was_started(execution) else True


def spent(rows: Iterable[Row], record: Iterable[Execution], *, excluding: str = "") -> Decimal:
    """USD that a session has started: the ledger's runs and those of the platform's record, each at the larger amount.

    Args:
        excluding: an execution that does not count.
    """
    known = {*rows}
    over = {comparable(row.execution_id) for row in known if row.state == "uncharged"}
    amounts: dict[object, Decimal] = {}
    for execution in record:
        name = comparable(execution.execution_id)
        if was_started(execution) and not is_uncharged(execution) and name not in over:
            amounts[name or object()] = max(reported_amount(execution) or ZERO, ZERO)
    for row in known:
        name = comparable(row.execution_id)
        amounts[name] = max(amounts.get(name, ZERO), row.amount)
    amounts.pop(comparable(excluding), None)
    return added(amounts.values())


class Ledger:
    """One file; each call is one transaction in a thread, and keeps no file open afterwards.

    Args:
        path: None if there is no home directory to keep it in.
        is_named: the operator named the file, which may be on another machine.
        receiver: who has to be told when a run is over that is entered here; empty for nobody.
    """

    def __init__(self, path: Path | None, *, is_named: bool, receiver: str = "") -> None:
        self._path = path
        self._is_named = is_named
        self._receiver = receiver
        self._was_there = False

    @classmethod
    def of(cls, settings: Settings) -> Ledger:
        """The ledger of these settings: the file that the operator names, one beside the audit log, or one in the
        user's state directory."""
        receiver = settings.notify.digest if settings.notify else ""
        if settings.ledger is not None:
            return cls(settings.ledger, is_named=True, receiver=receiver)
        if settings.audit_log is not None:
            beside = settings.audit_log.with_name(f"{settings.audit_log.name}.ledger.sqlite3")
            return cls(beside, is_named=False, receiver=receiver)
        directory = state_directory()
        return cls(directory and directory / "ledger.sqlite3", is_named=False, receiver=receiver)

    @classmethod
    def checked(cls, settings: Settings) -> Ledger:
        """The same; a file that the operator named is opened.

        Raises:
            SettingsError: it cannot be written.
        """
        ledger = cls.of(settings)
        if settings.ledger is not None and not settings.read_only:
            try:
                ledger.open()
            except SpendingLimitError as error:
                raise SettingsError(str(error)) from None
        return ledger

    def open(self) -> None:
        """Make the file if there is none.

        Raises:
            SpendingLimitError: it cannot be written.
        """
        with self._transaction():
            pass

    async def claim(
        self, scope: BudgetScope, entry: Entry, *, now: float, limits: Limits, record: Sequence[Execution]
    ) -> bool:
        """Write down an approval whose confirmation is about to be sent, if nobody else sends one and the limits allow.

        Args:
            record: what the platform's own record shows of the scope.

        Returns:
            Whether an earlier confirmation of it was sent, and its outcome was never learned.

        Raises:
            StateConflictError: it is being confirmed, or was confirmed and started.
            OverBudgetError: it would exceed a limit.
            SpendingLimitError: it cannot be written down.
        """
        name, price = entry.execution_id, entry.approved or ZERO

        def claim(database: sqlite3.Connection) -> bool:
            row = _row(database, scope, name)
            if row is not None and row.state == "sending" and is_alive(row.claim, now - row.at):
                raise being_confirmed(name)
            if row is not None and row.approved is not None and row.state in ("started", "uncharged"):
                raise StateConflictError(
                    f"Execution {name} was started by an earlier confirmation and is not Quoted any more.",
                    next_step=steps.call("get_execution", execution_id=name) + " shows its state.",
                    code="already_started",
                )
            _require_within(database, scope, limits, price, name, record)
            _upsert(database, scope, entry, None, "sending", now)
            self._expect(database, scope, name, now)
            return row is not None and row.state in ("sending", "unknown")

        return await self._in_thread(claim)

    async def require_within(
        self,
        scope: BudgetScope,
        limits: Limits,
        price: Decimal,
        execution_id: str,
        *,
        record: Sequence[Execution],
    ) -> None:
        """Refuse what `claim` would refuse for a limit; nothing is written down.

        Raises:
            OverBudgetError: it would exceed a limit.
        """
        await self._if_there(lambda database: _require_within(database, scope, limits, price, execution_id, record))

    async def settle(self, scope: BudgetScope, execution_id: str, state: RunState, *, now: float) -> None:
        """Write down what became of a confirmation that was being sent."""

        def settle(database: sqlite3.Connection) -> None:
            row = _row(database, scope, execution_id)
            # What was observed meanwhile is known better.
            if row is not None and row.state == "sending":
                _update(database, scope, execution_id, state, None, now)
                if self._receiver and state == "not started":
                    notices.forget(database, scope[:2], execution_id)

        await self._in_thread(settle)

    async def observe(
        self, scope: BudgetScope, executions: Sequence[Execution], *, now: float, from_list: bool = False
    ) -> list[Rise]:
        """Write down what the platform says of these runs, as far as they are in the ledger.

        A confirmation that is under way stays under way while its execution is shown as quoted.

        Args:
            from_list: they are rows of a list, which may be late or wrong: these can make a run dearer, but not end it.
        """

        def observe(database: sqlite3.Connection) -> list[Rise]:
            rises = []
            for execution in executions:
                # In whichever session it was started: a day's limit counts them all.
                row = _row(database, scope, execution.execution_id)
                if row is None or (from_list and not was_started(execution)):
                    continue
                if from_list and row.state == "uncharged" and not (execution.billed or ZERO) > 0:
                    continue
                if execution.status == "Quoted" and not was_started(execution):
                    if row.is_left_behind(now):
                        _update(database, scope, row.execution_id, "unknown", row.reported, now)
                    continue
                amount = max(row.reported or ZERO, reported_amount(execution) or ZERO)
                state: RunState = "started"
                if is_uncharged(execution):
                    state = row.state if from_list else "uncharged"
                if state == "started" and amount > max(row.approved or ZERO, row.reported or ZERO):
                    rises.append(Rise(execution, amount))
                if (state, amount) != (row.state, row.reported):
                    _update(database, scope, row.execution_id, state, amount, now)
            return rises

        return await self._in_thread(observe)

    async def record(self, scope: BudgetScope, entry: Entry, execution: Execution, *, now: float) -> None:
        """Write down a run that the platform has started by itself."""
        amount = reported_amount(execution)

        def record(database: sqlite3.Connection) -> None:
            _upsert(database, scope, entry, amount, "started", now)
            self._expect(database, scope, entry.execution_id, now)

        await self._in_thread(record)

    async def rows(self, scope: BudgetScope) -> list[Row]:
        """The runs of a scope, the newest first; empty if there is no ledger yet."""
        return await self._if_there(lambda database: _rows(database, scope) if database else [])

    async def rows_since(self, scope: BudgetScope, began: float) -> list[Row]:
        """The runs of all sessions of the organisation that were approved after `began`, in Unix seconds."""
        return await self._if_there(lambda database: _rows_since(database, scope, began) if database else [])

    async def find(self, scope: BudgetScope, execution_id: str) -> Row | None:
        """What is known of an execution, in whichever session it was started."""
        return await self._in_thread(lambda database: _row(database, scope, execution_id))

    def answers(self, scope: BudgetScope) -> Answers:
        """Answers of people that all workers have to know of."""
        from deeporigin_mcp.tools.approvals.answers import Answers

        return Answers(self._in_thread, scope[:2])

    def notices(self, scope: BudgetScope) -> notices.Notices:
        """Whose ends have to be told."""
        return notices.Notices(self._if_there, scope[:2], self._receiver)

    def _expect(self, database: sqlite3.Connection, scope: BudgetScope, execution_id: str, now: float) -> None:
        if self._receiver:
            notices.expect(database, scope[:2], execution_id, self._receiver, now)

    async def _if_there(self, look: Callable[[sqlite3.Connection | None], T]) -> T:
        """Look into the file; into None if there is none yet, as looking makes none."""
        if self._path is None or not (self._was_there or self._path.exists()):
            return look(None)
        return await self._in_thread(look)

    async def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this as one transaction, beside the event loop."""

        def run() -> T:
            with self._transaction() as database:
                return work(database)

        return await to_thread.run_sync(run)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that excludes those of all other processes; rolled back if the block raises."""
        import sqlite3

        try:
            with contextlib.closing(self._connect()) as database:
                database.execute("BEGIN IMMEDIATE")
                try:
                    database.execute(_TABLE)
                    yield database
                except BaseException:
                    database.rollback()
                    raise
                database.commit()
                self._was_there = True
        except (OSError, sqlite3.Error, _DamagedError) as error:
            reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
            raise self._unusable(reason) from None

    def _connect(self) -> sqlite3.Connection:
        import sqlite3

        if self._path is None:
            raise self._unusable("there is no home directory to keep it in")
        if self._was_there and not self._path.exists():
            # A new one would have forgotten what counts against the limits.
            raise self._unusable("it was removed while this server was running, and a restart begins a new one")
        self._make_file(self._path)
        database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        # Write-ahead logs need shared memory, which processes on several machines do not have.
        mode = "delete" if self._is_named else "wal"
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise self._unusable("a newer version of this server has written it")
            if database.execute("PRAGMA journal_mode").fetchone() != (mode,):
                # Busy: another process is using it, in a mode that is as safe.
                with contextlib.suppress(sqlite3.OperationalError):
                    database.execute(f"PRAGMA journal_mode = {mode}")
            database.execute("PRAGMA synchronous = FULL")
            if version == 0:
                database.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            database.close()
            raise
        return database

    def _make_file(self, path: Path) -> None:
        """Make an ordinary file that only its owner may read; SQLite gives the files beside it the same mode."""
        if not self._is_named:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only SQLite opens an existing file: closing a descriptor of our own would end all locks of this process on it.
        with _CREATING, contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(0, "it is not an ordinary file")

    def _unusable(self, reason: str) -> SpendingLimitError:
        name = f"The ledger of approvals ({SETTING})" if self._is_named else "The ledger of approvals"
        return SpendingLimitError(
            f"{name} cannot be written: {reason}. What is not on record must not start. The operator of this MCP "
            f"server can name a file for it in {SETTING}.",
            code="not_on_record",
        )


def _require_within(
    database: sqlite3.Connection | None,
    scope: BudgetScope,
    limits: Limits,
    price: Decimal,
    execution_id: str,
    record: Iterable[Execution],
) -> None:
    """Refuse an execution at this price, in USD, if the other runs leave less of a limit; a free run needs none.

    Raises:
        OverBudgetError: they do.
    """
    if price <= 0:
        return
    if limits.budget is not None:
        used = spent(_rows(database, scope) if database else (), record, excluding=execution_id)
        if added([used, price]) > rounded(limits.budget):
            raise OverBudgetError(
                f"This session has started runs for {shown(used)} USD, and {shown(price)} USD more would "
                f"exceed its budget of {shown(limits.budget)} USD (DEEPORIGIN_MCP_BUDGET).",
                code="over_budget",
            )
    if limits.per_day is not None:
        used = spent(_rows_since(database, scope, limits.day_began) if database else (), (), excluding=execution_id)
        if added([used, price]) > rounded(limits.per_day):
            raise OverBudgetError(
                f"Runs for {shown(used)} USD were started here in the last 24 hours, and {shown(price)} USD more would "
                f"exceed {shown(limits.per_day)} USD (DEEPORIGIN_MCP_MAX_PER_DAY).",
                code="over_daily_limit",
            )


def _upsert(
    database: sqlite3.Connection,
    scope: BudgetScope,
    entry: Entry,
    reported: Decimal | None,
    state: RunState,
    now: float,
) -> None:
    texts = (entry.user, entry.tool, entry.rule)
    amounts = (None if usd is None else str(usd) for usd in (entry.approved, reported))
    values = (scope.platform, scope.organisation, entry.execution_id, scope.session)
    database.execute(
        _UPSERT, (*values, *(one_line(text, TEXT_CHARACTERS) for text in texts), *amounts, state, this_process(), now)
    )


def _update(
    database: sqlite3.Connection,
    scope: BudgetScope,
    execution_id: str,
    state: RunState,
    reported: Decimal | None,
    now: float,
) -> None:
    database.execute(
        "UPDATE runs SET state = ?, reported = coalesce(?, reported), settled_at = ?"
        " WHERE platform = ? AND organisation = ? AND execution = ?",
        (state, None if reported is None else str(reported), now, scope.platform, scope.organisation, execution_id),
    )


_COLUMNS = (
    "SELECT execution, approved, reported, rule, state, claim, at FROM runs WHERE platform = ? AND organisation = ?"
)


def _rows(database: sqlite3.Connection, scope: BudgetScope) -> list[Row]:
    found = database.execute(f"{_COLUMNS} AND session = ? ORDER BY at DESC", scope)
    return [_read(values) for values in found]


def _rows_since(database: sqlite3.Connection, scope: BudgetScope, began: float) -> list[Row]:
    # What a clock that was set back calls the future counts too.
    found = database.execute(f"{_COLUMNS} AND at > ?", (scope.platform, scope.organisation, began))
    return [_read(values) for values in found]


def _row(database: sqlite3.Connection, scope: BudgetScope, execution_id: str) -> Row | None:
    found = database.execute(f"{_COLUMNS} AND execution = ?", (scope.platform, scope.organisation, execution_id))
    return next((_read(values) for values in found), None)


def _read(values: tuple[Any, ...]) -> Row:
    execution_id, approved, reported, rule, state, claim, at = values
    is_text = all(isinstance(value, str) for value in (execution_id, rule, state, claim))
    if not is_text or not isinstance(at, float) or state not in get_args(RunState) or not PROCESS.fullmatch(claim):
        raise _DamagedError
    row = Row(execution_id, _usd(approved), _usd(reported), rule, state, claim, at)
    if row.approved is not None and row.approved < 0:
        raise _DamagedError
    return row


def _usd(text: str | None) -> Decimal | None:
    number = amount(text)
    if number is None and text is not None:
        # Taken for 0 it would free a part of the budget.
        raise _DamagedError
    return number
