"""Answers to questions that any worker can open, in the ledger's file: each counts once, and a no reaches them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from deeporigin_mcp.tools.approvals.notices import Place

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

REMEMBERED_SECONDS = 24 * 3600.0
"""Far longer than a question may be answered."""

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    platform TEXT NOT NULL, organisation TEXT NOT NULL, id TEXT NOT NULL, declined TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (platform, organisation, id)
)
"""
_USE = "INSERT OR IGNORE INTO answers (platform, organisation, id, declined, at) VALUES (?, ?, ?, ?, ?)"
_TAKE_NO = "UPDATE answers SET declined = '' WHERE platform = ? AND organisation = ? AND declined = ? AND at > ?"


class Transaction(Protocol):
    """Does something as one transaction of the ledger's file."""

    def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]: ...


class Answers:
    """Those of one organisation. Times are Unix seconds, by a clock that all workers share.

    Raises, from every method:
        SpendingLimitError: the ledger cannot be written.
    """

    def __init__(self, transaction: Transaction, place: Place) -> None:
        self._transaction = transaction
        self._place = place

    async def use(self, question_id: str, *, declined: str = "", now: float) -> bool:
        """Use up an answer; False if that was done before, by whichever worker.

        Args:
            declined: of a no, what it was about, for the worker that still waits for it.
        """

        def use(database: sqlite3.Connection) -> bool:
            database.execute(_TABLE)
            database.execute("DELETE FROM answers WHERE at < ?", (now - REMEMBERED_SECONDS,))
            return database.execute(_USE, (*self._place, question_id, declined, now)).rowcount == 1

        return await self._transaction(use)

    async def take_no(self, declined: str, *, since: float) -> bool:
        """Whether a person has said no to this since then, and no call has been told yet."""

        def take_no(database: sqlite3.Connection) -> bool:
            database.execute(_TABLE)
            return database.execute(_TAKE_NO, (*self._place, declined, since)).rowcount > 0

        return await self._transaction(take_no)
