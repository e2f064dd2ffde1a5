"""Whose ends have to be told (DEEPORIGIN_MCP_NOTIFY), in the ledger's file, so that none is told of twice.

A run is entered in the transaction that enters its approval. The process that follows it owns its row; what a process
has left that ended is taken up by the next one with the same setting. An attempt is counted before it is made, so that
a process that is killed in the middle of one cannot repeat it for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from deeporigin_mcp.tools.approvals.processes import PROCESS, is_alive, this_process

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

PAUSES_SECONDS = (2.0, 15.0, 60.0, 300.0)
"""Between the attempts."""
MAX_ATTEMPTS = len(PAUSES_SECONDS) + 1
MAX_TAKEN_UP = 200
KEPT_SECONDS = 90 * 24 * 3600.0
FREE = ""
"""In the place of a process: nobody follows the run."""

_TABLE = """
CREATE TABLE IF NOT EXISTS notices (
    platform TEXT NOT NULL, organisation TEXT NOT NULL, execution TEXT NOT NULL COLLATE NOCASE,
    receiver TEXT NOT NULL, process TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (platform, organisation, execution)
)
"""
_EXPECT = """
INSERT INTO notices (platform, organisation, execution, receiver, process, state, attempts, at)
VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?)
ON CONFLICT (platform, organisation, execution) DO UPDATE SET
    receiver = excluded.receiver, process = excluded.process, at = excluded.at
WHERE state = 'waiting'
"""
_LEFT = (
    "SELECT execution, process, at FROM notices WHERE platform = ? AND organisation = ? AND receiver = ?"
    " AND state = 'waiting' AND attempts < ? ORDER BY at DESC"
)
_FORGET = (
    "DELETE FROM notices WHERE platform = ? AND organisation = ? AND execution = ? AND process = ?"
    " AND state = 'waiting'"
)
_GIVE = (
    "UPDATE notices SET process = ? WHERE platform = ? AND organisation = ? AND execution = ? AND process = ?"
    " AND state = 'waiting'"
)
_BEGIN = (
    "UPDATE notices SET attempts = attempts + 1, at = ? WHERE platform = ? AND organisation = ? AND execution = ?"
    " AND process = ? AND state = 'waiting' AND attempts < ?"
)
_SETTLE = "UPDATE notices SET state = ? WHERE platform = ? AND organisation = ? AND execution = ?"

Place = tuple[str, str]
"""Platform and organisation."""


class Transaction(Protocol):
    """Does something as one transaction of the ledger's file; None for a file that does not exist."""

    def __call__(self, work: Callable[[sqlite3.Connection | None], T], /) -> Awaitable[T]: ...


def expect(database: sqlite3.Connection, place: Place, execution_id: str, receiver: str, now: float) -> None:
    """Enter a run that is about to start, or was started: its end has to be told, unless it was."""
    database.execute(_TABLE)
    database.execute(_EXPECT, (*place, execution_id, receiver, this_process(), now))


def forget(database: sqlite3.Connection, place: Place, execution_id: str) -> None:
    """Remove a run that was not started after all."""
    database.execute(_TABLE)
    database.execute(_FORGET, (*place, execution_id, this_process()))


class Notices:
    """The rows of one receiver in one organisation.

    Raises, from every method:
        SpendingLimitError: the ledger cannot be written.
    """

    def __init__(self, transaction: Transaction, place: Place, receiver: str) -> None:
        self._transaction = transaction
        self._place = place
        self._receiver = receiver

    async def take_up(self, now: float) -> list[str]:
        """The runs, newest first, that nobody follows any more; this process owns them now."""

        def take_up(database: sqlite3.Connection | None) -> list[str]:
            if database is None:
                return []
            database.execute(_TABLE)
            database.execute("DELETE FROM notices WHERE at < ?", (now - KEPT_SECONDS,))
            rows = database.execute(_LEFT, (*self._place, self._receiver, MAX_ATTEMPTS)).fetchall()
            left = [(str(name), str(owner)) for name, owner, at in rows if _is_left(owner, now - at)][:MAX_TAKEN_UP]
            database.executemany(_GIVE, [(this_process(), *self._place, *row) for row in left])
            return [name for name, _ in left]

        return await self._transaction(take_up)

    async def release(self, execution_ids: Sequence[str]) -> None:
        """Let others take up these runs, which this process does not follow any more."""

        def release(database: sqlite3.Connection | None) -> None:
            if database is not None:
                mine = [(FREE, *self._place, name, this_process()) for name in execution_ids]
                database.executemany(_GIVE, mine)

        await self._transaction(release)

    async def begin(self, execution_id: str, now: float) -> bool:
        """Count one attempt to tell; False if it was told, another process does it, or there were too many."""

        def begin(database: sqlite3.Connection | None) -> bool:
            if database is None:
                return False
            mine = (*self._place, execution_id, this_process())
            done = database.execute(_BEGIN, (now, *mine, MAX_ATTEMPTS))
            return done.rowcount == 1

        return await self._transaction(begin)

    async def settle(self, execution_id: str, state: Literal["told", "failed"]) -> None:
        """Write down that it was told, or could not be: neither is tried again."""

        def settle(database: sqlite3.Connection | None) -> None:
            if database is not None:
                database.execute(_SETTLE, (state, *self._place, execution_id))

        await self._transaction(settle)


def _is_left(process: str, age_seconds: float) -> bool:
    return not PROCESS.fullmatch(process) or not is_alive(process, age_seconds)
