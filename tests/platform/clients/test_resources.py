"""The smaller resource clients: every envelope is opened, and an answer of another shape is not taken for emptiness."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from deeporigin_mcp.errors import NotFoundError, PlatformError
from deeporigin_mcp.platform import DeepOriginClient, ListQuery
from tests.support.recording import Recorder, Reply, client_for, execution, with_code

pytestmark = pytest.mark.anyio

Call = Callable[[DeepOriginClient], Awaitable[Any]]
ROWS = [{"id": "a", "key": "a"}, {"id": "b", "key": "b"}]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c: c.clusters.list(), {"data": ROWS, "pagination": {"count": 2}}),
        (lambda c: c.organizations.list(), ROWS),
        (lambda c: c.organizations.users(), ROWS),
        (lambda c: c.tools.list(), ROWS),
        (lambda c: c.tools.get_by_key(tool_key="t"), ROWS),
        (lambda c: c.projects.list(), {"data": ROWS, "meta": {}}),
        (lambda c: c.user_logs.search(), {"data": ROWS, "meta": {}}),
        (lambda c: c.results.page(), {"data": ROWS, "meta": {}}),
        (lambda c: c.executions.search(), {"data": ROWS, "meta": {}}),
        (lambda c: c.executions.list(), {"data": ROWS, "count": 2}),
        (lambda c: c.clusters.default_id(), "a"),
    ],
)
async def test_a_bare_list_counts_as_rows(server: Recorder, call: Call, expected: Any) -> None:
    server.answer(ROWS)
    async with client_for(server) as client:
        assert await call(client) == expected


@pytest.mark.parametrize("answer", [{}, {"rows": []}, {"data": "x"}, {"data": {"a": 1}}, "text", 7, Reply(b"")])
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.clusters.list(),
        lambda c: c.organizations.list(),
        lambda c: c.tools.list(),
        lambda c: c.projects.list(),
        lambda c: c.user_logs.search(),
        lambda c: c.results.page(),
        lambda c: c.executions.search(),
        lambda c: c.executions.list(fetch_all_pages=True),
        lambda c: c.executions.list(),
    ],
)
async def test_a_response_of_another_shape_is_not_taken_for_an_empty_list(
    server: Recorder, call: Call, answer: Any
) -> None:
    server.answer(answer)
    async with client_for(server) as client:
        with pytest.raises(PlatformError, check=with_code("invalid_response")):
            await call(client)


async def test_results_are_asked_for_by_run_type_project_and_cursor(server: Recorder) -> None:
    server.answer({"data": [], "meta": {}})
    async with client_for(server, project_id="") as client:
        await client.results.page()
        await client.results.page(result_type=[" Pose ", "POCKET"], project_id="p-2", limit=2, cursor="CUR")
    first, second = [request.body for request in server.requests]
    assert first["filter"] == {}
    assert second == {
        "filter": {"result_type": {"in": ["pose", "pocket"]}, "project_id": {"eq": "p-2"}},
        "limit": 2,
        "select": ["id", "tool_key", "tool_version", "data", "compute_job_id"],
        "cursor": "CUR",
    }


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        ({"pose_score": "desc"}, {"offset": 4}),
        ({"tool_key": "asc", "pose_score": "desc"}, {"offset": 4}),
        ({"measured_at": "desc", "id": "asc"}, {"cursor": "CUR"}),
        (None, {"cursor": "CUR"}),
    ],
)
async def test_pages_of_results_are_placed_by_cursor_or_by_offset_but_never_by_both(
    server: Recorder, sort: dict[str, str] | None, place: dict[str, Any]
) -> None:
    server.answer({"data": [], "meta": {}})
    async with client_for(server) as client:
        await client.results.page(sort=sort, cursor="CUR", offset=4)
    body = server.requests[0].body
    assert {key: body[key] for key in ("cursor", "offset") if key in body} == place
    assert list((body.get("sort") or {}).items()) == list((sort or {}).items())


@pytest.mark.parametrize("visibility", ["visible", "hidden"])
async def test_a_run_may_be_hidden_from_activity_views(server: Recorder, visibility: str) -> None:
    server.answer(execution("Created"))
    async with client_for(server) as client:
        data = {"clusterId": "c", "visibility": visibility}
        await client.executions.create(tool_key="deeporigin.docking", tool_version="1", data=data)
    assert server.requests[0].body["visibility"] == visibility


async def test_statuses_are_filtered_in_the_words_of_both_eras(server: Recorder) -> None:
    server.answer({"data": [], "count": 0})
    async with client_for(server) as client:
        await client.listing.page(ListQuery(status=["Completed", "Succeeded", "Odd"]), 0, 5)
    assert server.requests[0].params["filter"] == '{"status": {"$in": ["Completed", "Succeeded", "Odd"]}}'


async def test_a_definition_that_is_no_object_is_an_error(server: Recorder) -> None:
    server.answer([], Reply(status=404))
    async with client_for(server) as client:
        with pytest.raises((PlatformError, NotFoundError)):
            await client.tools.get(tool_key="t", tool_version="1")
        assert not await client.tools.exists(tool_key="t", tool_version="1")


async def test_clients_that_were_sent_the_same_definition_hold_it_once_and_others_their_own(server: Recorder) -> None:
    same, own, other = ({"key": "t", "version": "1", "inputs": {"x": value}} for value in (1, True, 1.0))
    server.answer([same, {**own, "key": "own"}], [{**other, "key": "own"}, same])
    async with client_for(server) as one, client_for(server) as two:
        first, second = await one.tools.catalogue(), await two.tools.catalogue()
    assert first[0] is second[1]
    assert [repr(mine.inputs_schema) for mine in (first[1], second[0])] == ["{'x': True}", "{'x': 1.0}"]


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (Reply({"status": "ok"}), "ok"),
        (Reply({"status": "degraded"}), "degraded"),
        (Reply({}), "ok"),
        (Reply(["x"]), "ok"),
        (Reply(status=503, body={"status": "error"}), "HTTP 503"),
        (Reply(status=404), "HTTP 404"),
        (Reply(fault="reset"), "unreachable"),
        (Reply(b"<html>"), "unreachable"),
    ],
)
async def test_the_health_of_each_service_is_a_word_and_asked_once(server: Recorder, reply: Reply, word: str) -> None:
    server.answer(reply)
    async with client_for(server) as client:
        assert set((await client.health()).values()) == {word}
    assert sorted(server.lines) == [
        f"GET /{s}/health" for s in ("billing", "data-platform", "entities", "files", "tools")
    ]
