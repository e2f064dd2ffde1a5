"""All pages of a list: concurrently, in order, losing and repeating nothing.

Pages are numbered, so rows that arrive while the pages are read shift all later ones. A row that shifts onto a
later page is seen twice, which is mended by its id. It would be missed where a page was answered before the page
in front of it. The total that every answer carries gives this away: if it changed, the pages are read once more
one after the other, which can repeat rows at the seams but cannot step over any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import anyio

from deeporigin_mcp.platform.wire import Json, rows_of, total_of

MAX_CONCURRENT_PAGES = 8

FetchPage = Callable[[int], Awaitable[Any]]
"""Page number, from 0 → the platform's answer in any envelope."""


async def all_rows(fetch: FetchPage, page_size: int, *, key: str = "executionId") -> list[Json]:
    """Every row that existed when the reading began, once, in the platform's order.

    Args:
        fetch: reads one page of at most `page_size` rows.
        page_size: rows asked for per page; a platform that gives fewer is followed.
        key: the field that identifies a row; rows without it are all kept.
    """
    first = await fetch(0)
    rows, total = rows_of(first), total_of(first)
    if isinstance(first, list) or not rows or (total is not None and total <= len(rows)):
        return _distinct(rows, key)
    if total is None:
        return _distinct(rows, key) if len(rows) < page_size else await _in_sequence(fetch, first, key)

    pages = -(-total // len(rows))
    answers: dict[int, Any] = {0: first}
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT_PAGES)

    async def read(page: int) -> None:
        async with limiter:
            answers[page] = await fetch(page)

    await gather(read, range(1, pages))
    found = [row for page in range(pages) for row in rows_of(answers[page])]
    unchanged = all(total_of(answer) in (total, None) for answer in answers.values())
    if unchanged and len(found) >= total:
        return _distinct(found, key)
    return await _in_sequence(fetch, await fetch(0), key)


async def gather(work: Callable[[int], Coroutine[Any, Any, None]], items: Iterable[int]) -> None:
    """Run `work` for all items at once; the first error cancels the rest and is raised as itself."""
    try:
        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(work, item)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _in_sequence(fetch: FetchPage, first: Any, key: str) -> list[Json]:
    """Page after page up to the last one, by the newest total; without a total, until nothing new comes."""
    page_length = len(rows_of(first))
    rows = rows_of(first)
    page = 0
    more = bool(rows)
    while more:
        page += 1
        answer = await fetch(page)
        found, total = rows_of(answer), total_of(answer)
        known = len(rows)
        rows = _distinct(rows + found, key)
        if total is None:
            more = len(found) >= page_length and len(rows) > known
        else:
            more = bool(found) and (page + 1) * page_length < total
    return rows


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
