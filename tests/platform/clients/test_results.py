"""Poses and pockets: by protein, ligand or execution, all pages, each row once."""

from typing import Any

import pytest

from deeporigin_mcp.errors import PlatformError
from tests.support.recording import PROJECT, Recorder, client_for, with_code

pytestmark = pytest.mark.anyio


def page(*ids: str, **meta: Any) -> dict[str, Any]:
    return {"data": [{"id": name} for name in ids], "meta": meta}


async def test_poses_are_found_by_what_is_known_of_them(server: Recorder) -> None:
    server.answer(page())
    async with client_for(server) as client:
        await client.results.poses(protein_id="P", ligand_id=["L1", "L2"], best_pose=True, project_id="p-7")
        await client.results.pockets(protein_id="P")
    poses, pockets = (request.body["filter"] for request in server.requests)
    assert poses == {
        "protein_id": {"eq": "P"},
        "ligand_id": {"in": ["L1", "L2"]},
        "best_pose": {"eq": True},
        "result_type": {"eq": "pose"},
        "project_id": {"eq": "p-7"},
    }
    assert pockets == {"protein_id": {"eq": "P"}, "result_type": {"eq": "pocket"}, "project_id": {"eq": PROJECT}}


async def test_all_rows_come_by_cursor_or_by_offset(server: Recorder) -> None:
    server.answer(page("1", "2", nextCursor="c"), page("3"))
    async with client_for(server) as client:
        found = await client.results.all(lambda cursor, _: client.results.poses(cursor=cursor))
        assert [row["id"] for row in found] == ["1", "2", "3"]
        assert [request.body.get("cursor") for request in server.requests] == [None, "c"]
        server.requests.clear()
        server.answer(page("1", "2", hasMore=True), page("3"), page())
        sort = {"pose_score": "desc"}
        found = await client.results.all(
            lambda _, offset: client.results.poses(sort=sort, offset=offset), by_offset=True
        )
    assert [row["id"] for row in found] == ["1", "2", "3"]
    assert [request.body["offset"] for request in server.requests] == [0, 2, 3]


async def test_a_limit_ends_the_reading(server: Recorder) -> None:
    server.answer(page("1", "2", nextCursor="c"))
    async with client_for(server) as client:
        found = await client.results.all(lambda cursor, _: client.results.poses(cursor=cursor), limit=1)
    assert [row["id"] for row in found] == ["1"]
    assert len(server.requests) == 1


async def test_pages_that_repeat_themselves_are_an_error(server: Recorder) -> None:
    server.answer(page("1", nextCursor="c"))
    async with client_for(server) as client:
        with pytest.raises(PlatformError, check=with_code("invalid_response")):
            await client.results.all(lambda cursor, _: client.results.poses(cursor=cursor))


async def test_ligands_come_with_the_columns_of_tools(server: Recorder) -> None:
    server.answer(page("L", output_schemas=[]))
    async with client_for(server, project_id="") as client:
        found = await client.results.with_ligands(experiments=[{"toolId": "t", "toolVersion": "1"}], sort={"id": "asc"})
    assert found["meta"] == {"output_schemas": []}
    assert server.requests[0].body == {
        "experiments": [{"toolId": "t", "toolVersion": "1"}],
        "filter": {"deleted": False},
        "sort": {"id": "asc"},
    }
