"""Executions by conditions: a page, all pages, or a search of the data platform."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from deeporigin_mcp.platform.paging import all_rows
from deeporigin_mcp.platform.queries import ListQuery, SearchQuery
from deeporigin_mcp.platform.scope import Scope
from deeporigin_mcp.platform.transport import Transport
from deeporigin_mcp.platform.wire import Json, in_envelope, list_answer, rows_of, total_of

DEFAULT_FETCH_ALL_PAGE_SIZE = 1000


class ExecutionListing:
    """Lists and searches with more conditions than the eight functions offer; `client.listing`."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._transport = transport
        self._scope = scope

    async def page(self, query: ListQuery, page: int | None = None, page_size: int | None = None) -> Json:
        """One page: `{"data": [DTO, …], "count": all that match}`."""
        answer = await self._fetch(query, page, page_size)
        found = rows_of(answer)
        total = total_of(answer)
        if total is None:
            is_all = not page and (page_size is None or len(found) < page_size)
            # Without a total, only the pages themselves tell whether there are more.
            total = len(found) if is_all else (await self.all(query, fields=()))["count"]
        return {"data": self._matching(query, found), "count": total}

    async def all(
        self, query: ListQuery, page_size: int | None = None, *, fields: Collection[str] | None = None
    ) -> Json:
        """Every page, read concurrently: `{"data": [DTO, …], "count": len(data)}`.

        Args:
            fields: keep only these of each DTO, beside its id and session. Inputs and outputs are most of one.
        """
        size = DEFAULT_FETCH_ALL_PAGE_SIZE if page_size is None else page_size

        async def fetch(page: int) -> Any:
            answer = await self._fetch(query, page, size)
            if fields is None:
                return answer
            kept = {"executionId", "session", *fields}
            slim = [{key: value for key, value in row.items() if key in kept} for row in rows_of(answer)]
            return slim if isinstance(answer, list) else {**answer, "data": slim}

        rows = await all_rows(fetch)
        matching = self._matching(query, rows)
        return {"data": matching, "count": len(matching)}

    async def search(self, query: SearchQuery) -> Json:
        """A data-platform search; a bare list is put into the usual envelope."""
        answer = await self._transport.send(
            "POST",
            f"/data-platform/{self._scope.org_segment}/executions/search",
            what="search executions",
            body=query.body(),
        )
        return in_envelope(answer, "search executions")

    async def _fetch(self, query: ListQuery, page: int | None, page_size: int | None) -> Any:
        what = "list executions"
        path = f"/tools/{self._scope.org_segment}/tools/executions"
        params = query.params(page, page_size)
        return list_answer(await self._transport.send("GET", path, what=what, params=params), what)

    @staticmethod
    def _matching(query: ListQuery, rows: Sequence[Json]) -> list[Json]:
        """The platform's session filter lets rows without a session through (platform-facts 8.5)."""
        if query.session is None:
            return [*rows]
        return [row for row in rows if row.get("session") == query.session]
