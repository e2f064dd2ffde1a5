"""All pages of a list, while rows arrive: nothing that existed at the start is lost, nothing comes twice."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deeporigin_mcp.errors import CredentialError, NotFoundError
from deeporigin_mcp.platform import RetryPolicy
from deeporigin_mcp.platform.clients.paging import MAX_CONCURRENT_PAGES, all_rows
from tests.support.fake_time import FakeTime
from tests.support.recording import Recorder, Reply, Request, capped_listing, client_for, execution

pytestmark = pytest.mark.anyio

ENVELOPES: dict[str, Callable[[list[Any], int, int], Any]] = {
    "count": lambda rows, total, page: {"data": rows, "count": total},
    "pagination": lambda rows, total, page: {"data": rows, "pagination": {"count": total}},
    "total_count": lambda rows, total, page: {"data": rows, "meta": {"count": len(rows), "total_count": total}},
    "meta": lambda rows, total, page: {"data": rows, "meta": {"count": len(rows), "hasMore": True}},
    "data": lambda rows, total, page: {"data": rows},
    "list": lambda rows, total, page: rows,
    "null count": lambda rows, total, page: {"data": rows, "count": None},
    "count on the first page": lambda rows, total, page: (
        {"data": rows, "count": total} if page == 0 else {"data": rows}
    ),
}


class GrowingList:
    """A platform's list, into which new rows come between requests at positions that the test chose."""

    def __init__(self, total: int, page_size: int, envelope: str, arrivals: list[tuple[int, int, int]]) -> None:
        self.rows = [{"executionId": f"old-{number}"} for number in range(total)]
        self.at_start = list(self.rows)
        self.page_size = page_size
        self.envelope = ENVELOPES[envelope]
        self.arrivals = {request: (position, count) for request, position, count in arrivals}
        self.requests = 0
        self.open = 0
        self.most_open = 0

    async def fetch(self, page: int) -> Any:
        """Page `page`; where in the order of requests it is served depends on the page as well."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        # Concurrent requests are served in another order than they were sent.
        for _ in range((page * 7) % 5):
            await anyio.lowlevel.checkpoint()
        answer = self._answer(page)
        await anyio.lowlevel.checkpoint()
        self.open -= 1
        return answer

    def _answer(self, page: int) -> Any:
        if self.requests in self.arrivals:
            position, count = self.arrivals[self.requests]
            position %= len(self.rows) + 1
            self.rows[position:position] = [{"executionId": f"new-{self.requests}-{n}"} for n in range(count)]
        self.requests += 1
        start = page * self.page_size
        return self.envelope(self.rows[start : start + self.page_size], len(self.rows), page)


@given(
    total=st.integers(0, 40),
    page_size=st.integers(1, 12),
    envelope=st.sampled_from(sorted(ENVELOPES)),
    arrivals=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100), st.integers(1, 12)), max_size=12),
)
@example(total=6, page_size=2, envelope="data", arrivals=[(1, 0, 2), (2, 0, 2)])
@example(total=6, page_size=2, envelope="count on the first page", arrivals=[(1, 2, 2)])
async def test_rows_that_arrive_during_the_reading_neither_hide_nor_repeat_any(
    total: int, page_size: int, envelope: str, arrivals: list[tuple[int, int, int]], anyio_backend: str
) -> None:
    platform = GrowingList(total, page_size, envelope, arrivals)
    rows = await all_rows(platform.fetch)
    names = [row["executionId"] for row in rows]
    assert len(names) == len(set(names))
    old = [row for row in rows if row["executionId"].startswith("old")]
    assert old == platform.at_start[: len(old)]
    assert len(old) == total
    assert platform.most_open <= MAX_CONCURRENT_PAGES


@given(
    total=st.integers(0, 60),
    page_size=st.integers(1, 20),
    cap=st.integers(1, 20),
    envelope=st.sampled_from(sorted(ENVELOPES)),
)
async def test_a_platform_that_gives_fewer_rows_than_asked_for_is_followed(
    total: int, page_size: int, cap: int, envelope: str, anyio_backend: str
) -> None:
    platform = GrowingList(total, min(page_size, cap), envelope, [])
    assert await all_rows(platform.fetch) == platform.at_start


async def test_a_settled_list_costs_one_request_for_each_page() -> None:
    platform = GrowingList(95, 10, "count", [])
    assert len(await all_rows(platform.fetch)) == 95
    assert platform.requests == 10


async def test_one_page_costs_one_request() -> None:
    platform = GrowingList(10, 10, "count", [])
    assert len(await all_rows(platform.fetch)) == 10
    assert platform.requests == 1


@pytest.mark.parametrize("envelope", sorted(ENVELOPES))
@pytest.mark.parametrize("total", [10, 10**12])
async def test_a_platform_that_ignores_page_numbers_is_not_asked_for_ever(envelope: str, total: int) -> None:
    rows = [{"executionId": f"e-{number}"} for number in range(5)]
    requests = 0

    async def fetch(page: int) -> Any:
        nonlocal requests
        requests += 1
        return ENVELOPES[envelope](rows, total, page)

    assert await all_rows(fetch) == rows
    assert requests <= 2 * MAX_CONCURRENT_PAGES


async def test_a_total_that_is_far_too_high_is_not_believed() -> None:
    platform = GrowingList(25, 10, "count", [])
    platform.envelope = lambda rows, total, page: {"data": rows, "count": 10**15}
    assert await all_rows(platform.fetch) == platform.at_start
    assert platform.requests <= 2 * MAX_CONCURRENT_PAGES


async def test_rows_without_an_id_are_all_kept() -> None:
    rows = [{"type": "toolExecution", "attributes": {}} for _ in range(3)] + [{"executionId": None}]

    async def fetch(page: int) -> Any:
        return {"data": rows[page * 2 : page * 2 + 2], "count": 4}

    assert await all_rows(fetch) == rows


# Over HTTP, through the client


async def test_all_pages_are_read_in_order_through_the_client(server: Recorder) -> None:
    rows = [execution(execution_id=f"e-{number}") for number in range(33)]
    server.handler = capped_listing(rows, cap=10)
    async with client_for(server) as client:
        found = await client.executions.list(fetch_all_pages=True, page=7, page_size=1000, order="createdAt desc")
    assert found == {"data": rows, "count": 33}
    assert {request.params["pageSize"] for request in server.requests} == {"1000"}
    assert sorted(int(request.params["page"]) for request in server.requests) == [0, 1, 2, 3]


async def test_pages_are_read_at_the_same_time_but_only_a_few(server: Recorder) -> None:
    rows = [execution(execution_id=f"e-{number}") for number in range(60)]
    serve = capped_listing(rows, cap=2)

    async def slowly(request: Request) -> Reply:
        if request.params["page"] != "0":
            with anyio.move_on_after(20):
                while server.most_open_requests < MAX_CONCURRENT_PAGES:
                    await anyio.lowlevel.checkpoint()
        return serve(request)

    server.handler = slowly
    async with client_for(server) as client:
        assert (await client.executions.list(fetch_all_pages=True))["count"] == 60
    assert server.most_open_requests == MAX_CONCURRENT_PAGES


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (403, CredentialError)])
async def test_an_error_of_one_page_is_raised_as_itself(server: Recorder, status: int, kind: type[Exception]) -> None:
    serve = capped_listing([execution(execution_id=f"e-{number}") for number in range(50)], cap=5)
    server.handler = lambda request: Reply(status=status) if request.params["page"] == "4" else serve(request)
    async with client_for(server) as client:
        with pytest.raises(kind):
            await client.executions.list(fetch_all_pages=True)
        server.handler = capped_listing([])
        assert await client.executions.list(fetch_all_pages=True) == {"data": [], "count": 0}


async def test_a_page_that_fails_once_is_read_again(server: Recorder, time: FakeTime) -> None:
    rows = [execution(execution_id=f"e-{number}") for number in range(50)]
    serve = capped_listing(rows, cap=5)
    failures = iter([Reply(status=503), Reply(fault="reset")])
    server.handler = lambda request: (
        next(failures, None) or serve(request) if request.params["page"] == "4" else serve(request)
    )
    async with client_for(server, time.timing, retry=RetryPolicy(attempts=3)) as client:
        assert (await client.executions.list(fetch_all_pages=True))["data"] == rows
    assert time.sleeps == [1.0, 2.0]


async def test_rows_of_other_sessions_that_the_platform_lets_through_are_dropped(server: Recorder) -> None:
    rows = [execution(execution_id="e-1", session="s-1"), execution(execution_id="e-2", session=None)]
    server.handler = capped_listing(rows)
    async with client_for(server) as client:
        everything = await client.executions.list(session="s-1", fetch_all_pages=True)
        page = await client.executions.list(session="s-1")
    assert everything == {"data": rows[:1], "count": 1}
    assert page["data"] == rows[:1]


@pytest.mark.parametrize("envelope", ["list", "data", "null count", "meta"])
async def test_a_page_without_a_total_says_how_many_match_all_the_same(server: Recorder, envelope: str) -> None:
    rows = [execution(execution_id=f"e-{number}") for number in range(45)]

    def serve(request: Request) -> Reply:
        page, size = (int(request.params[name]) for name in ("page", "pageSize"))
        return Reply(ENVELOPES[envelope](rows[page * size : (page + 1) * size], len(rows), page))

    server.handler = serve
    async with client_for(server) as client:
        for page, shown in enumerate([20, 20, 5, 0]):
            found = await client.executions.list(page=page, page_size=20)
            assert (len(found["data"]), found["count"]) == (shown, 45)
        asked = len(server.requests)
        assert (await client.executions.list(page=0, page_size=100))["count"] == 45
        assert len(server.requests) == asked + 1, "a page that is not full is all"
