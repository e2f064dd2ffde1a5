"""Ligands and proteins: searched in full, created once, looked up after a lost response."""

import itertools
from typing import Any

import anyio
import pytest

from deeporigin_mcp.errors import (
    ArgumentError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    PlatformError,
    StateConflictError,
)
from deeporigin_mcp.platform import RetryPolicy
from deeporigin_mcp.platform.clients.entities import KEPT_ROWS, KEPT_SECONDS
from tests.support.fake_time import FakeTime
from tests.support.recording import SESSION, Recorder, Reply, Request, client_for, with_code

pytestmark = pytest.mark.anyio

MADE = {"id": "08L", "smiles": "CCO", "tags": {"session": SESSION}}


def page(*rows: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"data": [*rows], "meta": {"count": len(rows), "hasMore": cursor is not None, "nextCursor": cursor}}


async def test_all_rows_are_read_by_cursor(server: Recorder) -> None:
    server.answer(page({"id": "1"}, {"id": "2"}, cursor="c-1"), page({"id": "3"}, cursor="c-2"), page({"id": "4"}))
    async with client_for(server) as client:
        found = await client.entities.all("ligands", {"project_id": "p"}, offset=5)
    assert [row["id"] for row in found] == ["1", "2", "3", "4"]
    bodies = [request.body for request in server.requests]
    assert [body.get("cursor") for body in bodies] == [None, "c-1", "c-2"]
    assert [body.get("offset") for body in bodies] == [5, None, None]
    assert all(body["filter"] == {"project_id": "p", "deleted": False} for body in bodies)


async def test_a_limit_cuts_the_last_page(server: Recorder) -> None:
    server.answer(page(*({"id": str(number)} for number in range(100)), cursor="c"))
    async with client_for(server) as client:
        assert len(await client.entities.all("ligands", limit=70)) == 70
    assert [request.body["limit"] for request in server.requests] == [70]


async def test_pages_that_repeat_themselves_are_an_error(server: Recorder) -> None:
    server.answer(page({"id": "1"}, cursor="again"))
    async with client_for(server) as client:
        with pytest.raises(PlatformError, check=with_code("invalid_response")):
            await client.entities.all("ligands")
    assert len(server.requests) == 2


async def test_pages_that_never_end_are_an_error(server: Recorder) -> None:
    cursors = itertools.count()
    server.handler = lambda _: Reply(page(cursor=str(next(cursors))))
    async with client_for(server) as client:
        with anyio.fail_after(20), pytest.raises(PlatformError, check=with_code("invalid_response")):
            await client.entities.all("ligands")
        with anyio.fail_after(20), pytest.raises(PlatformError, check=with_code("invalid_response")):
            await client.results.all(lambda cursor, _: client.results.poses(cursor=cursor), 10)


async def test_rows_with_unusable_ids_are_not_among_those_by_id(server: Recorder) -> None:
    server.answer(page({"id": ["1"]}, {"id": None}, {"id": "1"}))
    async with client_for(server) as client:
        assert await client.entities.get_many("ligands", ["1", "2"]) == {"1": {"id": "1"}}


async def test_deleted_rows_are_never_asked_for(server: Recorder) -> None:
    server.answer(page())
    async with client_for(server) as client:
        await client.entities.search("ligands", {"deleted": True})
    assert server.requests[0].body == {"filter": {"deleted": False}}


async def test_many_rows_come_in_the_order_of_their_ids_in_as_few_requests_as_may_be(server: Recorder) -> None:
    def serve(request: Request) -> Reply:
        ids = request.body["filter"]["id"]["in"]
        return Reply(page(*({"id": name} for name in reversed(ids) if name != "7")))

    server.handler = serve
    wanted = [str(number) for number in range(1200)]
    async with client_for(server) as client:
        found = await client.entities.get_many("ligands", [*wanted, "3"])
        assert await client.entities.get_many("ligands", []) == {}
    assert [*found] == [name for name in wanted if name != "7"]
    assert len(server.requests) == 3


async def test_ligands_are_found_by_canonical_smiles(server: Recorder) -> None:
    server.answer(page({"id": "2", "canonical_smiles": "CCN"}, {"id": "1", "canonical_smiles": "CCO"}, {"id": "9"}))
    async with client_for(server) as client:
        found = await client.entities.ligands_by_smiles(["CCO", "CCN", "CCO", "", "CCC"], project_id="p")
    assert {smiles: row["id"] for smiles, row in found.items()} == {"CCO": "1", "CCN": "2"}


async def test_a_limit_below_one_and_an_unknown_column_are_refused(server: Recorder) -> None:
    server.answer(Reply({"message": "Unknown column"}, 400))
    async with client_for(server) as client:
        with pytest.raises(ArgumentError):
            await client.entities.search("ligands", limit=0)
        assert server.requests == []
        with pytest.raises(InvalidRequestError):
            await client.entities.search("ligands", {"colour": "red"})


@pytest.mark.parametrize("reply", [{"data": MADE}, {"data": [MADE]}, MADE])
async def test_a_created_row_is_returned_in_whatever_envelope(server: Recorder, reply: Any) -> None:
    server.answer(reply)
    async with client_for(server) as client:
        values = {"smiles": "CCO", "name": "ethanol", "molecular_weight": 46.1, "tags": {"batch": "a"}}
        assert await client.entities.create("ligands", values) == MADE
    sent = server.requests[0].body["set"]
    assert "molecular_weight" not in sent
    assert sent["tags"] == {"batch": "a", "app": "deeporigin-mcp", "session": SESSION}


@pytest.mark.parametrize("lost", [Reply(fault="close"), Reply(status=504), Reply({"data": None})])
async def test_a_creation_whose_response_is_lost_is_looked_up_and_not_repeated(
    server: Recorder, time: FakeTime, lost: Reply
) -> None:
    others = {"id": "08X", "smiles": "CCO", "tags": {"session": "another"}}
    server.answer(lost, page(), Reply(status=503), page(others), page(others, MADE))
    async with client_for(server, time.timing, retry=RetryPolicy(attempts=1)) as client:
        found = await client.entities.create("ligands", {"smiles": "CCO", "project_id": "p"})
    assert found == MADE
    assert [request.path.rpartition("/")[2] for request in server.requests] == ["ligands"] + ["search"] * 4
    assert server.requests[1].body["filter"] == {
        "smiles": "CCO",
        "variant_name_tag": "",
        "project_id": "p",
        "deleted": False,
    }


async def test_a_creation_that_is_not_found_has_no_known_outcome(server: Recorder, time: FakeTime) -> None:
    server.answer(Reply(fault="close"), page())
    async with client_for(server, time.timing) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.entities.create("proteins", {"file_path": "imports/a.pdb"})
    assert sum(request.path.endswith("/proteins") for request in server.requests) == 1
    assert time.now >= 15


async def test_a_creation_that_was_never_sent_is_an_error_of_the_network(time: FakeTime) -> None:
    async with client_for(Recorder("http://127.0.0.1:9"), time.timing) as client:
        with pytest.raises(NetworkError):
            await client.entities.create("ligands", {"smiles": "CCO"})


async def test_a_duplicate_says_that_nothing_was_created(server: Recorder) -> None:
    server.answer(Reply({"message": "Duplicate key"}, 409))
    async with client_for(server) as client:
        with pytest.raises(StateConflictError, check=with_code("already_exists")) as raised:
            await client.entities.create("ligands", {"smiles": "CCO"})
    assert raised.value.outcome == "nothing_created"
    assert len(server.requests) == 1


async def test_an_update_sends_what_changes(server: Recorder) -> None:
    server.answer({"data": [MADE], "meta": {"affected": 1}})
    async with client_for(server) as client:
        assert await client.entities.update("ligands", "08L", {"name": "x", "tpsa": 1.0}) == MADE
        for values in ({}, {"tpsa": 1.0}):
            with pytest.raises(ArgumentError):
                await client.entities.update("ligands", "08L", values)
    assert [request.body["set"] for request in server.requests] == [{"name": "x"}]


async def test_a_deletion_that_deletes_nothing_says_so(server: Recorder) -> None:
    server.answer({"deleted": 1}, {"deleted": 0})
    async with client_for(server) as client:
        await client.entities.delete("ligands", "08L")
        with pytest.raises(NotFoundError):
            await client.entities.delete("ligands", "08L")


async def test_a_row_without_what_makes_it_is_refused(server: Recorder) -> None:
    async with client_for(server) as client:
        with pytest.raises(ArgumentError):
            await client.entities.create("ligands", {"name": "nothing"})
        with pytest.raises(ArgumentError):
            await client.entities.get("ligands", " ")
    assert server.requests == []


async def test_ids_are_encoded(server: Recorder) -> None:
    server.answer({"id": "a/b"})
    async with client_for(server) as client:
        await client.entities.get("proteins", "a/b?c#d")
    assert server.lines == ["GET /data-platform/acme/proteins/a%2Fb%3Fc%23d"]


async def test_rows_that_were_just_read_are_kept_for_those_who_may_do_with_that(server: Recorder) -> None:
    time, names = FakeTime(), ["1", "2"]

    def serve(request: Request) -> Reply:
        if request.method == "DELETE":
            return Reply({"deleted": 1})
        return Reply(
            page(*({"id": name, "name": f"n{name}", "tpsa": 1} for name in request.body["filter"]["id"]["in"]))
        )

    server.handler = serve
    async with client_for(server, time.timing) as client:

        async def asked(select: tuple[str, ...], *, may_be_kept: bool = True) -> list[str]:
            """The ids that the platform is asked for."""
            before = len(server.requests)
            found = await client.entities.get_many("ligands", names, select=select, may_be_kept=may_be_kept)
            assert [*found] == names
            return [name for request in server.requests[before:] for name in request.body["filter"]["id"]["in"]]

        await client.entities.get_many("ligands", ["1"], select=("id", "name"))
        assert await asked(("id", "name")) == ["2"]
        assert await asked(("id", "name")) == []
        assert await asked(("id", "name"), may_be_kept=False) == names
        assert await asked(("id", "name", "tpsa")) == names, "only what is short and of use is kept"
        await client.entities.delete("ligands", "2")
        assert await asked(("id", "name")) == ["2"]
        time.now += KEPT_SECONDS
        assert await asked(("id", "name")) == names


async def test_what_a_caller_does_with_a_kept_row_is_not_kept(server: Recorder) -> None:
    server.answer(page({"id": "1", "name": "a", "smiles": "C"}))
    async with client_for(server) as client:
        for _ in range(3):
            found = await client.entities.get_many("ligands", ["1"], select=("id", "name"), may_be_kept=True)
            assert found["1"]["name"] == "a"
            found["1"]["name"] = "b"
    assert len(server.requests) == 1


async def test_a_reading_of_fewer_fields_makes_the_others_no_younger(server: Recorder) -> None:
    time = FakeTime()
    server.handler = lambda request: Reply(page(dict.fromkeys(request.body["select"], "1")))
    async with client_for(server, time.timing) as client:
        await client.entities.get_many("ligands", ["1"], select=("id", "smiles"))
        time.now += KEPT_SECONDS / 2
        await client.entities.get_many("ligands", ["1"], select=("id",))
        time.now += KEPT_SECONDS / 2
        await client.entities.get_many("ligands", ["1"], select=("id", "smiles"), may_be_kept=True)
    assert len(server.requests) == 3


async def test_no_more_rows_are_kept_than_have_room(server: Recorder) -> None:
    names = [str(number) for number in range(KEPT_ROWS + 1)]
    server.handler = lambda request: Reply(page(*({"id": name} for name in request.body["filter"]["id"]["in"])))
    async with client_for(server) as client:
        await client.entities.get_many("ligands", names, select=("id",))
        sent = len(server.requests)
        await client.entities.get_many("ligands", names[1:], select=("id",), may_be_kept=True)
        assert len(server.requests) == sent
        await client.entities.get_many("ligands", names[:1], select=("id",), may_be_kept=True)
        assert len(server.requests) == sent + 1
