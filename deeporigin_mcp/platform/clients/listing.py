"""Lists and searches of executions, with more filters than the official functions have (platform-facts 1.1, 1.8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import anyio

from deeporigin_mcp.platform.clients.paging import all_rows
from deeporigin_mcp.platform.records.queries import ListQuery, SearchQuery
from deeporigin_mcp.platform.records.values import Json
from deeporigin_mcp.platform.transport.requests import Transport
from deeporigin_mcp.platform.transport.responses import expect_list, in_envelope, rows_of, total_of
from deeporigin_mcp.platform.transport.scope import Scope

PAGE_ROWS = 1000
"""Of a page, where all are read."""


class Listing:
    """`client.listing`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def page(self, query: ListQuery, page: int | None = None, page_size: int | None = None) -> Json:
        """One page: `{"data": [DTO, …], "count": all that match}`."""
        response = await self._fetch(query, page, page_size)
        found = rows_of(response)
        total = total_of(response)
        if total is None:
            is_all = not page and (page_size is None or len(found) < page_size)
            # Without a total, only reading the pages shows whether there are more.
            total = len(found) if is_all else (await self.all(query, fields=()))["count"]
        return {"data": self._matching(query, found), "count": total}

    async def all(
        self,
        query: ListQuery,
        page_size: int | None = None,
        *,
        fields: Collection[str] | None = None,
        also: Callable[[Json], Json] = lambda _: {},
    ) -> Json:
        """All pages, read concurrently: `{"data": [DTO, …], "count": len(data)}`.

        Args:
            fields: keep only these of each DTO, beside its id and session. Inputs and outputs are most of its bytes.
            also: made of a whole DTO and kept with those fields.
        """
        size = PAGE_ROWS if page_size is None else page_size

        async def fetch(page: int) -> Any:
            response = await self._fetch(query, page, size)
            if fields is None:
                return response
            kept = {"executionId", "session", *fields}
            slim = [{**{key: row[key] for key in kept if key in row}, **also(row)} for row in rows_of(response)]
            return slim if isinstance(response, list) else {**response, "data": slim}

        rows = await all_rows(fetch)
        matching = self._matching(query, rows)
        return {"data": matching, "count": len(matching)}

    async def newest(
        self,
        query: ListQuery,
        most: int,
        *,
        fields: Collection[str],
        seconds: float = float("inf"),
        page_size: int = PAGE_ROWS,
    ) -> tuple[list[Json], bool]:
        """Up to `most` rows from the front of a list, and whether these are all; at most `most / page_size` requests.

        Args:
            fields: keep only these of each DTO, beside its id.
            seconds: how long it reads; then there may be no rows.
        """
        found: dict[str, Json] = {}
        with anyio.move_on_after(seconds):
            for page in range(-(-most // page_size)):
                response = await self._fetch(query, page, page_size)
                rows, total, before = rows_of(response), total_of(response), len(found)
                for row in rows:
                    found.setdefault(
                        json.dumps(row.get("executionId") or row),
                        {key: row[key] for key in ("executionId", *fields) if key in row},
                    )
                # A platform with smaller pages than asked for ends with an empty page, or with one that repeats others.
                if len(found) == before or (total is not None and len(found) >= total):
                    return list(found.values()), True
        return list(found.values()), False

    async def search(self, query: SearchQuery) -> Json:
        """A data-platform search; a bare list is put into the usual envelope."""
        response = await self._transport.send(
            "POST",
            f"/data-platform/{self._scope.org_segment}/executions/search",
            what="search executions",
            body=query.body(),
        )
        return in_envelope(response, "search executions")

    async def _fetch(self, query: ListQuery, page: int | None, page_size: int | None) -> Any:
        what, params = "list executions", query.params(page, page_size)
        return expect_list(
            await self._transport.send("GET", self._scope.executions_path, what=what, params=params), what
        )

    @staticmethod
    def _matching(query: ListQuery, rows: Sequence[Json]) -> list[Json]:
        """The platform's session filter lets rows without a session through (platform-facts 8.5)."""
        if query.session is None:
            return [*rows]
        return [row for row in rows if row.get("session") == query.session]
