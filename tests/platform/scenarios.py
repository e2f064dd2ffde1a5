"""Calls that this client and the official one are compared by.

`call` is given either client: the official one answers, ours returns a coroutine. Names are those of the golden
requests in `wire_reference.json`, which were recorded from the official client 5.4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.support.recording import Reply, execution

MOMENT = datetime(2026, 5, 7, 15, 13, 25, 254999, tzinfo=UTC)
PAGE = {"data": [execution()], "count": 1}
FOUND = {"data": [{"id": "0ABCDEFGHJKMN", "compute_job_id": "e-1", "status": "Completed"}], "meta": {"count": 1}}
LOW = {"message": "Insufficient purchasing power", "actionRequest": "Add funds"}
DOCKING = "deeporigin.docking"
DEFINITION = {"key": "t", "version": "1.0.0", "enabled": True, "inputs": {}}
CLUSTERS = {"data": [{"id": "cl-1", "hostname": "h"}, {"id": "cl-2"}], "pagination": {"count": 2}}


@dataclass(frozen=True)
class Scenario:
    """One call. `differs` is the number of the deliberate difference that changes its requests, 0 for none."""

    name: str
    call: Callable[[Any], Any]
    replies: Sequence[Any]
    differs: int = 0
    ours: Callable[[Any], Any] | None = None


def _listing(name: str, *replies: Any, differs: int = 0, **arguments: Any) -> Scenario:
    return Scenario(name, lambda client: client.executions.list(**arguments), replies or [PAGE], differs)


def _search(name: str, *replies: Any, **arguments: Any) -> Scenario:
    return Scenario(name, lambda client: client.executions.search(**arguments), replies or [FOUND])


def _create(name: str, /, *replies: Any, version: str = "4", timeout: float | None = None, **data: Any) -> Scenario:
    def call(client: Any) -> Any:
        return client.executions.create(tool_key=DOCKING, tool_version=version, data=data, timeout=timeout)

    return Scenario(name, call, replies or [execution("Created")])


def _page(numbers: Sequence[int], count: int) -> dict[str, Any]:
    return {"data": [execution(execution_id=f"e-{number}") for number in numbers], "count": count}


LISTS = [
    _listing("list()"),
    _listing("list(page=0)", page=0),
    _listing("list(page=3, page_size=50)", page=3, page_size=50),
    _listing("list(page_size=10000)", page_size=10000),
    _listing("list(order='createdAt desc')", order="createdAt desc"),
    _listing("list(order='executionId? asc')", order="executionId? asc"),
    _listing("list(tool_key='deeporigin.docking')", tool_key=DOCKING),
    _listing("list(session='s-1')", {"data": [execution(session="s-1")], "count": 1}, session="s-1"),
    _listing("list(project_id='proj_1')", project_id="proj_1"),
    _listing("list(created_after=datetime(2026,5,7,15,13,25,254999,tzinfo=utc))", created_after=MOMENT),
    _listing("list(created_after=datetime(2026,5,7,15,13,25)) # naive", created_after=datetime(2026, 5, 7, 15, 13, 25)),
    _listing(
        "list(created_after=datetime(..., tz=+02:00))",
        created_after=datetime(2026, 5, 7, 15, 13, 25, tzinfo=timezone(timedelta(hours=2))),
    ),
    _listing("list(created_after='2026-05-07')", created_after="2026-05-07"),
    _listing(
        "list(all filters)",
        {"data": [execution(session="s-1")], "count": 1},
        page=0,
        page_size=20,
        order="createdAt desc",
        tool_key="deeporigin.abfe-end-to-end",
        session="s-1",
        project_id="proj_1",
        created_after=MOMENT,
    ),
    _listing("list(fetch_all_pages=True) # count<=chunk", fetch_all_pages=True),
    _listing(
        "list(fetch_all_pages=True, page=7, page_size=2, tool_key='deeporigin.docking') # 5 rows in 3 pages",
        _page([0, 1], 5),
        _page([2, 3], 5),
        _page([4], 5),
        fetch_all_pages=True,
        page=7,
        page_size=2,
        tool_key=DOCKING,
    ),
    _listing(
        "list(fetch_all_pages=True, page_size=2) # exact multiple: stops when len==count",
        _page([0, 1], 4),
        _page([2, 3], 4),
        fetch_all_pages=True,
        page_size=2,
    ),
    _listing(
        "list(fetch_all_pages=True) # server answers a bare list", [execution()], [], fetch_all_pages=True, differs=7
    ),
    _listing(
        "list(fetch_all_pages=True) # count missing",
        {"data": [execution()]},
        {"data": []},
        fetch_all_pages=True,
        differs=7,
    ),
    _listing("list() # server answers a bare list (returned as is)", [execution()]),
]

GETS = [
    Scenario("get('11111111-2222-4333-8444-555555555555')",
             lambda c: c.executions.get("11111111-2222-4333-8444-555555555555"),
             [execution(execution_id="11111111-2222-4333-8444-555555555555")]),
    Scenario("get('a b/c?d#e')  # no quoting by the client", lambda c: c.executions.get("a b/c?d#e"),
             [execution(execution_id="a b/c?d#e")], 1),
    Scenario("get('') ", lambda c: c.executions.get(""), [{}], 1),
    Scenario("get(id) # 404 message", lambda c: c.executions.get("nope"), [Reply({"message": "Gone"}, 404)]),
    Scenario("get(id) # 500,502,200", lambda c: c.executions.get("e-1"),
             [Reply(b"", 500), Reply(b"", 502), execution()]),
    Scenario("get(id) # 429 with Retry-After: 7 then 200 (Retry-After ignored)", lambda c: c.executions.get("e-1"),
             [Reply(b"", 429, {"retry-after": "7"}), execution()]),
    Scenario("get(id) # 503 forever", lambda c: c.executions.get("e-1"), [Reply(b"", 503)]),
    Scenario("get(id) # 401", lambda c: c.executions.get("e-1"), [Reply(b"", 401)]),
    Scenario("get(id) # 403 plain", lambda c: c.executions.get("e-1"), [Reply(b"", 403)]),
    Scenario("get(id) # 408 not retried", lambda c: c.executions.get("e-1"), [Reply(b"", 408)]),
    Scenario("from_data_platform('0ABCDEFGHJKMN')", lambda c: c.executions.from_data_platform("0ABCDEFGHJKMN"),
             [{"id": "0ABCDEFGHJKMN", "status": "Completed"}]),
]  # fmt: skip

SEARCHES = [
    _search("search()"),
    _search("search(project_id='proj_1')", project_id="proj_1"),
    _search("search(tool_key='deeporigin.docking')", tool_key=DOCKING),
    _search("search(tool_key=['deeporigin.docking','deeporigin.rbfe'])", tool_key=[DOCKING, "deeporigin.rbfe"]),
    _search("search(tool_key=[])", tool_key=[]),
    _search("search(tool_key='')  # dropped", tool_key=""),
    _search("search(status='Completed')", status="Completed"),
    _search("search(compute_job_id='e-1')", compute_job_id="e-1"),
    _search("search(limit=0, offset=0)", limit=0, offset=0),
    _search("search(select=['id','status'])", select=["id", "status"]),
    _search("search(with_total_count=True)", with_total_count=True),
    _search("search() # 500,200 (POST search IS retried)", Reply(b"", 500), FOUND),
]

CREATES = [
    _create("create(data={}) # cluster lookup first", CLUSTERS, execution("Created")),
    _create("create(data={'clusterId':'cl-9'})", clusterId="cl-9"),
    _create("create(data=full)", inputs={"a": 1}, outputs={}, metadata={"m": 1}, name="n", approveAmount=-1, sync=False,
            batchSize=16, clusterId="cl-9"),
    _create("create(data={approveAmount:-1})", inputs={}, approveAmount=-1, clusterId="cl-9"),
    _create("create(data={approveAmount:0})", inputs={}, approveAmount=0, clusterId="cl-9"),
    _create("create(data={approveAmount:5})", inputs={}, approveAmount=5, clusterId="cl-9"),
    _create("create(data={approveAmount:12.5})", inputs={}, approveAmount=12.5, clusterId="cl-9"),
    _create("create(data={approveAmount:None}) # JSON null is sent", inputs={}, approveAmount=None, clusterId="cl-9"),
    _create("create(data={app,session}) # overwritten by the client", clusterId="cl-9", app="mine", session="mine"),
    _create("create(data={visibility:None}) # key dropped", clusterId="cl-9", visibility=None),
    _create("create(data={projectId:'proj_1'}) same project", clusterId="cl-9", projectId="proj_1"),
    _create("create(data={projectId:'other'}) # conflict, offline", clusterId="cl-9", projectId="other"),
    _create("create(timeout=3)", clusterId="cl-9", timeout=3),
    _create("create() # 504, not retried", Reply(b"<html>", 504), clusterId="cl-9"),
    _create("create() # 429, not retried", Reply(b"", 429), clusterId="cl-9"),
    _create("create() # 400 validation", Reply({"message": "no"}, 400), clusterId="cl-9"),
    _create("create() # 403 licence restriction",
            Reply({"errors": [{"code": "LICENSE.FEATURE_NOT_LICENSED", "title": "No"}]}, 403), clusterId="cl-9"),
    _create("create() # 200 InsufficientFunds DTO", execution("InsufficientFunds", statusReason=LOW), clusterId="cl-9"),
    _create("create() # 200 FailedQuotation DTO is returned", execution("FailedQuotation"), clusterId="cl-9"),
    _create("create() # no clusters", {"data": [], "pagination": {"count": 0}}),
]  # fmt: skip

CHANGES = [
    Scenario("confirm('e-1')", lambda c: c.executions.confirm("e-1"), [execution()]),
    Scenario("confirm('e-1', timeout=600, retry=False)",
             lambda c: c.executions.confirm("e-1", timeout=600, retry=False), [execution()]),
    Scenario("confirm('e-1') # 500,200 retried", lambda c: c.executions.confirm("e-1"),
             [Reply(b"", 500), execution()], 3),
    Scenario("confirm('e-1') # 409", lambda c: c.executions.confirm("e-1"), [Reply({"message": "no"}, 409)]),
    Scenario("confirm('e-1') # InsufficientFunds DTO", lambda c: c.executions.confirm("e-1"),
             [execution("InsufficientFunds", statusReason=LOW)]),
    *(
        Scenario(f"cancel('e-1') # status {status}{end}", lambda c: c.executions.cancel("e-1"),
                 [execution(status), execution("Cancelled")])
        for end, statuses in (
            ("", ["Created", "Queued", "Running", "Suspended", "Finishing", "Accepted", "DataIngesting", None,
                  "SomethingNew"]),
            (" -> no PATCH", ["Completed", "Succeeded", "Failed", "Cancelled", "Quoted", "InsufficientFunds",
                              "FailedQuotation"]),
        )
        for status in statuses
    ),
]  # fmt: skip

WAITS = [
    Scenario("wait('e-1', poll_interval=1.0) # Created,Running,Completed",
             lambda c: c.executions.wait("e-1", poll_interval=0.001),
             [execution("Created"), execution("Running"), execution("Completed")]),
    Scenario("wait(['a','a']) # duplicates", lambda c: c.executions.wait(["a", "a"], poll_interval=0.001),
             [execution("Running", "a"), execution("Running", "a"), execution("Completed", "a")]),
    Scenario("wait('e-1', timeout=0.0) # one poll then TimeoutError",
             lambda c: c.executions.wait("e-1", timeout=0.0), [execution()]),
    Scenario("wait('e-1') # Quoted is terminal", lambda c: c.executions.wait("e-1"), [execution("Quoted")]),
    Scenario("wait('e-1') # DataIngesting is NOT terminal", lambda c: c.executions.wait("e-1", poll_interval=0.001),
             [execution("DataIngesting"), execution("Completed")]),
    Scenario("wait('e-1') # InsufficientFunds raises for a single id", lambda c: c.executions.wait("e-1"),
             [execution("InsufficientFunds", statusReason=LOW)]),
    Scenario("wait(['e-1']) # InsufficientFunds returned for a list", lambda c: c.executions.wait(["e-1"]),
             [execution("InsufficientFunds", statusReason=LOW)]),
    Scenario("wait('e-1') # unknown status then 500 (retried) then Completed",
             lambda c: c.executions.wait("e-1", poll_interval=0.001),
             [execution("Odd"), Reply(b"", 500), execution("Completed")]),
    Scenario("wait('e-1') # 404 raises", lambda c: c.executions.wait("e-1"), [Reply({"message": "Gone"}, 404)]),
]  # fmt: skip


def _rows(*numbers: int, **meta: Any) -> dict[str, Any]:
    return {"data": [{"id": f"0A{number}"} for number in numbers], "meta": meta}


async def _best_three(client: Any) -> Any:
    """What the official client makes of pages by offset."""
    sort = {"pose_score": "desc"}
    first = await client.results.page(sort=sort, limit=2)
    second = await client.results.page(sort=sort, limit=2, offset=2)
    return {**second, "data": [*first["data"], *second["data"]][:3]}


async def _all_by_time(client: Any) -> Any:
    """What the official client makes of pages by cursor."""
    sort = {"measured_at": "asc"}
    first = await client.results.page(sort=sort, limit=2)
    second = await client.results.page(sort=sort, limit=2, cursor=first["meta"]["nextCursor"])
    return {**second, "data": [*first["data"], *second["data"]]}


REST = [
    Scenario("user_logs.search('e-1')", lambda c: c.user_logs.search("e-1"), [{"data": [], "meta": {}}]),
    Scenario(
        "user_logs.search(execution_id='e-1', limit=10, offset=20, select=['message'], with_total_count=True)",
        lambda c: c.user_logs.search("e-1", limit=10, offset=20, select=["message"], with_total_count=True),
        [{"data": [], "meta": {}}],
    ),
    Scenario("tools.list()", lambda c: c.tools.list(), [{"data": [DEFINITION]}]),
    Scenario("tools.get_by_key(tool_key='deeporigin.docking')", lambda c: c.tools.get_by_key(tool_key=DOCKING),
             [[DEFINITION]]),
    Scenario("tools.get(tool_key='deeporigin.docking', tool_version='4')",
             lambda c: c.tools.get(tool_key=DOCKING, tool_version="4"), [DEFINITION]),
    Scenario("tools.exists(tool_key='x', tool_version='9') # 404",
             lambda c: c.tools.exists(tool_key="x", tool_version="9"), [Reply(b"", 404)]),
    Scenario("clusters.list()", lambda c: c.clusters.list(), [CLUSTERS]),
    Scenario("clusters.list(page=1,page_size=5,order='name? asc',filter='{}')",
             lambda c: c.clusters.list(page=1, page_size=5, order="name? asc", filter="{}"), [CLUSTERS]),
    Scenario("organizations.list()", lambda c: c.organizations.list(), [{"data": [{"orgKey": "acme"}]}]),
    Scenario("organizations.users()", lambda c: c.organizations.users(), [{"data": [{"id": "u-1"}]}]),
    Scenario("projects.list()", lambda c: c.projects.list(), [{"data": [{"id": "proj_1"}], "meta": {}}]),
    Scenario("projects.get(project_id='proj_1')", lambda c: c.projects.get(project_id="proj_1"),
             [{"data": [{"id": "proj_1"}], "meta": {}}]),
    Scenario("results.get()", lambda c: c.results.get(), [FOUND], ours=lambda c: c.results.page()),
    Scenario("results.get(compute_job_id='e-1', result_type='Pose', limit=5)",
             lambda c: c.results.get(compute_job_id="e-1", result_type="Pose", limit=5), [FOUND],
             ours=lambda c: c.results.page(compute_job_id="e-1", result_type="Pose", limit=5)),
    Scenario("results.get(sort={'pose_score':'desc'}, limit=3, page_size=2) # JSONB sort -> offset paging",
             lambda c: c.results.get(sort={"pose_score": "desc"}, limit=3, page_size=2),
             [_rows(1, 2, hasMore=True), _rows(3, 4, hasMore=True)],
             ours=_best_three),
    Scenario("results.get(sort={'measured_at':'asc'}, limit=None, page_size=2)",
             lambda c: c.results.get(sort={"measured_at": "asc"}, limit=None, page_size=2),
             [_rows(1, 2, nextCursor="CUR"), _rows(3)],
             ours=_all_by_time),
]  # fmt: skip

SCENARIOS = [*LISTS, *GETS, *SEARCHES, *CREATES, *CHANGES, *WAITS, *REST]
