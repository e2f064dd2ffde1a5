"""What is on the platform: a folder level by level, or the files of a run, each with its size."""

from __future__ import annotations

import pytest

from tests.support.bench import Agent, Bench
from tests.support.site import EVE, running_site

pytestmark = pytest.mark.anyio

NOWHERE = "3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11"


async def put(agent: Agent, *paths: str) -> None:
    for path in paths:
        await agent.read("upload_file", text=path, destination=path)


async def test_a_folder_is_shown_level_by_level(agent: Agent) -> None:
    await put(agent, "screens/a.csv", "screens/2026/b.sdf", "screens/2026/c.sdf", "lists/d.csv")
    top = await agent.read("list_files", path="screens")
    assert top["files"] == [{"path": "screens/2026/"}, {"path": "screens/a.csv", "size": 13}]
    assert not top["has_more"]
    assert 'download_files(paths=["screens/a.csv"])' in top["next_step"]
    inner = await agent.read("list_files", path=top["files"][0]["path"])
    assert [row["path"] for row in inner["files"]] == ["screens/2026/b.sdf", "screens/2026/c.sdf"]
    assert "lists/" in [row["path"] for row in (await agent.read("list_files"))["files"]]


async def test_the_path_of_a_file_shows_that_file(agent: Agent) -> None:
    await put(agent, "screens/a.csv")
    assert (await agent.read("list_files", path="screens/a.csv"))["files"] == [{"path": "screens/a.csv", "size": 13}]


async def test_nothing_there_leads_to_the_top(agent: Agent) -> None:
    for path in ("nowhere", "nowhere/"):
        found = await agent.read("list_files", path=path)
        assert found["files"] == []
        assert (await agent.follow(found["next_step"]))["files"] is not None
    assert (await agent.error("list_files", path="../x")).code == "invalid_path"


async def test_pages_show_every_file_once(agent: Agent) -> None:
    names = [f"many/{number:03d}.csv" for number in range(23)]
    await put(agent, *names)
    page = await agent.read("list_files", path="many", limit=7)
    seen = [row["path"] for row in page["files"]]
    while page["has_more"]:
        assert page["next_cursor"]
        page = await agent.follow(page["next_step"])
        seen += [row["path"] for row in page["files"]]
    assert seen == names


async def test_long_names_make_shorter_pages_and_none_is_lost(agent: Agent) -> None:
    names = [f"long/{number:03d}{'x' * 200}.csv" for number in range(150)]
    await put(agent, *names)
    page = await agent.read("list_files", path="long", limit=200)
    seen = [row["path"] for row in page["files"]]
    assert 20 < len(seen) < 150
    while page["has_more"]:
        page = await agent.follow(page["next_step"])
        seen += [row["path"] for row in page["files"]]
    assert seen == names


async def test_an_invalid_cursor_is_refused_with_the_call_that_starts_again(agent: Agent) -> None:
    assert (await agent.error("list_files", cursor="nonsense!", limit=5)).code == "invalid_request"
    assert "list_files(limit=5)" in await agent.refused("list_files", cursor="nonsense!", limit=5)


# The files of a run


async def test_the_files_of_a_run_come_with_size_and_molecule(bench: Bench, agent: Agent) -> None:
    name = bench.seeded("Completed")
    found = await agent.read("list_files", execution_id=name)
    assert found["count"] == len(found["files"]) > 0
    assert all(row["path"].startswith(f"tool-runs/{name}/") and row["size"] > 0 for row in found["files"])
    assert f'download_files(execution_id="{name}")' in found["next_step"]
    seen = []
    page = await agent.read("list_files", execution_id=name, limit=1)
    while page["has_more"]:
        seen += page["files"]
        page = await agent.follow(page["next_step"])
    assert [*seen, *page["files"]] == found["files"]


async def test_a_run_that_goes_on_has_no_files_and_says_how_to_wait(bench: Bench, agent: Agent) -> None:
    found = await agent.read("list_files", execution_id=bench.seeded("Running"))
    assert (found["files"], found["count"]) == ([], 0)
    assert "wait_executions" in found["next_step"]


async def test_wrong_arguments_are_refused(agent: Agent, bench: Bench) -> None:
    assert (await agent.error("list_files", execution_id=NOWHERE)).code == "not_found"
    assert (await agent.error("list_files", execution_id=NOWHERE, path="a")).code == "invalid_argument"
    name = bench.seeded("Completed")
    assert (await agent.error("list_files", execution_id=name, cursor="x")).code == "invalid_argument"


async def test_another_organisation_sees_none_of_them(bench: Bench, agent: Agent) -> None:
    await put(agent, "screens/a.csv")
    name = bench.seeded("Completed")
    async with running_site(bench) as site, site.agent(EVE) as eve:
        assert (await eve.read("list_files", path="screens"))["files"] == []
        assert (await eve.error("list_files", execution_id=name)).code == "not_found"
        # The same path is another file there.
        await put(eve, "screens/a.csv")
    assert len((await agent.read("list_files", path="screens"))["files"]) == 1
