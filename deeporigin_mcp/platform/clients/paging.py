"""All pages of a list: concurrently, in order, losing and repeating nothing.

Pages are numbered, so rows that arrive while the pages are read shift all later ones. A row that shifts onto a
later page is read twice and dropped by its id. It would be missed if a page was read before the page in front of it.
The total in every response reveals this: if it changed, or one response lacks it, the pages are read again one after
the other, which can repeat rows but cannot skip any.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import anyio

from deeporigin_mcp.errors import PlatformError
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.responses import AGAIN, rows_of, total_of

MAX_CONCURRENT_PAGES = 16
MAX_EMPTY_PAGES = 20
"""In a row, of a list that is read by cursors."""

FetchPage = Callable[[int], Awaitable[Any]]
"""Page number, from 0 → the platform's response in any envelope."""


async def all_rows(fetch: FetchPage, *, key: str = "executionId") -> list[Json]:
    """Every row that existed when the reading began, once, in the platform's order.

    Args:
        fetch: reads one page. A platform that gives fewer rows than asked for is followed.
        key: the field that identifies a row; rows without it are all kept.
    """
    first = await fetch(0)
    rows, total = rows_of(first), total_of(first)
    if not rows or (total is not None and total <= len(rows)):
        return _distinct(rows, key)
    if total is not None:
        found = await _at_once(fetch, first, total, key)
        if found is not None:
            return found
        first = await fetch(0)
    return await _in_sequence(fetch, first, key)


async def gather(work: Callable[[int], Coroutine[Any, Any, None]], items: Iterable[int]) -> None:
    """Run `work` for all items at once; the first error cancels the rest and is raised as itself."""
    try:
        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(work, item)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _at_once(fetch: FetchPage, first: Any, total: int, key: str) -> list[Json] | None:
    """All pages, a few at a time; None if rows moved between the responses, so that some may be missing."""
    page_length = len(rows_of(first))
    numbers = iter(range(1, -(-total // page_length)))
    responses: dict[int, Any] = {0: first}
    ended = False

    async def read(_: int) -> None:
        nonlocal ended
        for page in numbers:
            responses[page] = await fetch(page)
            # The platform's total may be far too high, or it may ignore page numbers.
            ended = ended or not _has_new(rows_of(responses[page]), rows_of(first), key)
            if ended:
                return

    await gather(read, range(MAX_CONCURRENT_PAGES))
    found = _distinct([row for page in sorted(responses) for row in rows_of(responses[page])], key)
    unchanged = all(total_of(response) == total for response in responses.values())
    return found if unchanged and len(found) >= total else None


async def _in_sequence(fetch: FetchPage, first: Any, key: str) -> list[Json]:
    """Page after page, up to the newest total if there is one, else up to an empty page."""
    page_length = len(rows_of(first))
    rows = _distinct(rows_of(first), key)
    page = 0
    while True:
        page += 1
        response = await fetch(page)
        found, total = rows_of(response), total_of(response)
        if not found:
            return rows
        if not _has_new(found, rows, key) and not _has_new(found, rows_of(await fetch(0)), key):
            # The platform ignores page numbers: had rows only shifted, these would not be the first page as well.
            return rows
        rows = _distinct(rows + found, key)
        if total is not None and (page + 1) * page_length >= total:
            return rows


def _has_new(found: list[Json], known: list[Json], key: str) -> bool:
    """Whether some row is not among the known ones."""
    identities = {_identity(row, key) for row in known}
    return any(_identity(row, key) not in identities for row in found)


def _identity(row: Json, key: str) -> str:
    identity = row.get(key)
    return identity if isinstance(identity, str) else json.dumps(row, sort_keys=True)


def _distinct(rows: list[Json], key: str) -> list[Json]:
    seen: set[str] = set()
    kept: list[Json] = []
    for row in rows:
        identity = row.get(key)
        if not isinstance(identity, str):
            kept.append(row)
        elif identity not in seen:
            kept.append(row)
            seen.add(identity)
    return kept


class Cursors:
    """The cursors of a reading, each once. A filter may leave pages empty, but only few of them in a row."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[str] = set()
        self._empty = 0

    def next(self, cursor: str | None, *, has_new: bool) -> str | None:
        """The cursor of the next page; None at the end.

        Raises:
            PlatformError: the pages would never end.
        """
        self._empty = 0 if has_new else self._empty + 1
        if cursor is not None and (cursor in self._seen or self._empty > MAX_EMPTY_PAGES):
            raise PlatformError(
                f"The pages of {self._what} do not end: they repeat themselves or are empty.",
                next_step=AGAIN,
                code="invalid_response",
            )
        if cursor is not None:
            self._seen.add(cursor)
        return cursor
