"""The results page in a client with MCP Apps: its rows in parts, and its files when they are looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent

from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.files import read_results_files, read_results_page, shown_runs
from tests.support.bench import ERAS, Bench
from tests.support.brd4 import FAILED, LIGANDS, drawn, example, run_of_brd4
from tests.support.errors import error_of
from tests.support.hosts import asked, host_of, read
from tests.support.run_files import FilesOfRuns, pose, sdf

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]

PAGE = "ui://deeporigin/results"
ROWS, FILES = "read_results_page", "read_results_files"
RUN = "tool-runs/e"
CLAUDE_TAKES = 150_000


def row(number: int) -> str:
    """The id of a row, which is what its file is called by."""
    return f"0A{number:011d}"


@pytest.fixture
def platform(bench: Bench) -> FilesOfRuns:
    return FilesOfRuns(bench)


async def whole(host: Client, run: str) -> tuple[dict[str, Any], int]:
    """The page's data, put together as the page does, and the number of its parts."""
    # On a slow machine the rows are still being read at the end of a call; the page asks again, too.
    while "rows" not in (data := await read(host, ROWS, execution_id=run)):
        pass
    part, parts = data, 1
    while (offset := part.get("next_offset")) is not None:
        part = await read(host, ROWS, execution_id=run, offset=offset, version=data["version"])
        data["rows"] += part["rows"]
        data["shapes"] += part["shapes"]
        parts += 1
        assert len(json.dumps(part)) < CLAUDE_TAKES
    return data, parts


async def texts(host: Client, run: str, *files: str) -> dict[str, str]:
    """Their coordinates, put together as the page does."""
    found = dict.fromkeys(files, "")
    wanted, offset = [*files], 0
    while wanted:
        part = await read(host, FILES, execution_id=run, files=wanted, offset=offset)
        for each in part["files"]:
            found[each["file"]] += each["text"]
        offset = part.get("next_offset", 0)
        wanted = wanted[len(part["files"]) - bool(offset) :]
    return found


@pytest.mark.parametrize("settings", [{}, {"places": IN_HEADERS}], ids=["stdio", "HTTP"])
async def test_the_page_gets_the_rows_of_the_run_and_names_of_files(
    bench: Bench, platform: FilesOfRuns, settings: dict[str, Any]
) -> None:
    async with host_of(bench, **settings) as host:
        data, parts = await whole(host, run_of_brd4(platform))
    assert parts == 1
    first, last = data["rows"][0], data["rows"][-1]
    assert (first["name"], first["best"]) == ("crotyl", True)
    assert (last["name"], last["smiles"], last["reason"]) == FAILED
    assert data["row_count"] == len(data["rows"]) == 2 * len(LIGANDS) + 1
    assert data["shapes"][first["shape"]] == {"format": "sdf", "file": row(4)}
    assert data["protein"] == {"name": "BRD4 BD1", "format": "pdb", "file": "protein"}
    assert (data["run"]["name"], data["run"]["simulated"], data["run"]["final"]) == ("BRD4 N-alkyl series", True, True)
    # Nothing was downloaded for that.
    assert platform.fetched() == []


async def test_a_pose_is_fetched_when_it_is_looked_at_and_only_once(bench: Bench, platform: FilesOfRuns) -> None:
    async with host_of(bench) as host:
        run = run_of_brd4(platform)
        data, _ = await whole(host, run)
        file = data["shapes"][data["rows"][0]["shape"]]["file"]
        for _ in range(2):
            assert await texts(host, run, file) == {file: example("brd-4.sdf").partition("M  END")[0] + "M  END\n"}
        assert len(platform.fetched()) == 1


async def test_a_protein_comes_in_parts_that_clients_take(
    bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with host_of(bench) as host:
        run = run_of_brd4(platform)
        assert (await texts(host, run, "protein"))["protein"] == drawn(example("brd.pdb"))
        whole_size = len(drawn(example("brd.pdb")))
        monkeypatch.setattr(read_results_files, "TEXT_CHARACTERS", 10_000)
        data, _ = await whole(host, run)
        poses = [shape["file"] for shape in data["shapes"]]
        found = await texts(host, run, "protein", *poses)
        assert len(found["protein"]) == whole_size
        assert all(text.endswith("M  END\n") for file, text in found.items() if file != "protein")
        for tool, arguments in ((ROWS, {}), (FILES, {"files": poses})):
            part = await asked(host, tool, execution_id=run, **arguments)
            assert len(json.dumps(part.structured_content)) < CLAUDE_TAKES


async def test_poses_of_one_file_are_told_apart(bench: Bench, platform: FilesOfRuns) -> None:
    platform.put(**{f"{RUN}/all.sdf": sdf("L1", 1) + sdf("L2", 2) + sdf("L3", 3)})
    rows = [pose(f"L{n}", n / 10, f"{RUN}/all.sdf#record-{n - 1}") for n in (1, 2, 3)]
    rows.append(pose("L9", 0.05, f"{RUN}/all.sdf"))
    async with host_of(bench) as host:
        run = platform.run(*rows)
        found = await texts(host, run, row(1), row(2))
        assert {file: text.splitlines()[0] for file, text in found.items()} == {row(1): "L2", row(2): "L3"}
        (lost,) = (await read(host, FILES, execution_id=run, files=[row(3)]))["files"]
        assert lost["text"] == ""
        assert "cannot be told" in lost["problem"]
    assert len(platform.fetched()) == 1


@pytest.mark.parametrize(
    "file",
    [
        f"{RUN}/secret.sdf",
        "tool-runs/other/a.sdf",
        row(1),
        "../a.sdf",
        "/etc/passwd",
        f"{row(0)}#record-1",
        "http://127.0.0.1/",
        "",
    ],
)
async def test_only_files_of_the_rows_of_this_run_can_be_read(bench: Bench, platform: FilesOfRuns, file: str) -> None:
    platform.put(**{f"{RUN}/a.sdf": sdf("L1", 1), f"{RUN}/secret.sdf": sdf(), "tool-runs/other/a.sdf": sdf("other")})
    other = platform.run(pose("L2", 0.9, "tool-runs/other/b.sdf"), pose("L3", 0.8, "tool-runs/other/a.sdf"))
    run = platform.run(pose("L1", 0.9, f"{RUN}/a.sdf"))
    async with host_of(bench) as host:
        assert await texts(host, other, row(1))
        before = platform.fetched()
        assert error_of(await asked(host, FILES, execution_id=run, files=[row(0), file])).code == "invalid_argument"
        assert platform.fetched() == before


async def test_ten_thousand_rows_come_in_parts_that_clients_take(bench: Bench, platform: FilesOfRuns) -> None:
    rows = [pose(f"L{n % 5000}", n / 1e4, f"{RUN}/{n}.sdf", smiles="C" * (n % 60)) for n in range(10_000)]
    run = platform.run(*rows)
    async with host_of(bench) as host:
        data, parts = await whole(host, run)
    assert (len(data["rows"]), len(data["shapes"]), data["row_count"]) == (10_000, 10_000, 10_000)
    assert 2 < parts < 50
    score = [column["name"] for column in data["columns"]].index("pose_score")
    for one in data["rows"][::500]:
        assert data["shapes"][one["shape"]]["file"] == row(round(one["values"][score] * 1e4))


async def test_rows_that_change_meanwhile_are_not_mixed(
    bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_results_page, "PAGE_CHARACTERS", 500)
    run = run_of_brd4(platform)
    async with host_of(bench) as host, host_of(bench) as another_worker:
        first = await read(host, ROWS, execution_id=run)
        place = {"execution_id": run, "offset": first["next_offset"], "version": first["version"]}
        assert await read(another_worker, ROWS, **place) == await read(host, ROWS, **place)
        stale = await read(host, ROWS, **place | {"version": "0123456789ab"})
        assert stale == {"is_changed": True}


async def test_a_slow_reading_goes_on_and_the_next_call_has_it(
    bench: Bench, platform: FilesOfRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of_brd4(platform)
    monkeypatch.setattr(shown_runs, "WAIT_SECONDS", 0)
    async with host_of(bench) as host:
        assert await read(host, ROWS, execution_id=run) == {"pending": True}
        assert await read(host, FILES, execution_id=run, files=["protein"]) == {"pending": True}
        monkeypatch.setattr(shown_runs, "WAIT_SECONDS", 40)
        requests = len(bench.platform.requests)
        assert (await read(host, ROWS, execution_id=run))["row_count"] == 2 * len(LIGANDS) + 1
        assert len(bench.platform.requests) - requests < 10


async def test_few_runs_are_kept(bench: Bench, platform: FilesOfRuns) -> None:
    numbers = range(shown_runs.MAX_KEPT + 1)
    platform.put(**{f"{RUN}/{n}.sdf": sdf(f"title {n}", 1) for n in numbers})
    runs = [platform.run(pose("L1", 0.9, f"{RUN}/{n}.sdf")) for n in numbers]
    async with host_of(bench) as host:
        for run in runs:
            await read(host, ROWS, execution_id=run)
        # One that is not kept is read again.
        for number, run in enumerate(runs):
            assert (await texts(host, run, row(0)))[row(0)].startswith(f"title {number}\n")


async def test_an_unknown_run_is_refused(bench: Bench) -> None:
    async with host_of(bench) as host:
        for tool, more in ((ROWS, {}), (FILES, {"files": ["protein"]})):
            refused = await asked(host, tool, execution_id="3f0c9a52-6f0e-4f0b-9a55-0d3b6e1c7a11", **more)
            assert error_of(refused).code == "not_found"


async def test_the_text_of_the_pages_data_is_one_line(bench: Bench, platform: FilesOfRuns) -> None:
    async with host_of(bench) as host:
        (block,) = (await asked(host, ROWS, execution_id=run_of_brd4(platform))).content
    assert isinstance(block, TextContent)
    assert len(block.text) < 100


@pytest.mark.parametrize("mode", ERAS)
async def test_a_model_reads_the_same_with_and_without_the_page(bench: Bench, platform: FilesOfRuns, mode: str) -> None:
    run = run_of_brd4(platform)
    async with host_of(bench, mode=mode) as host, Client(bench.server(), mode=mode) as plain:
        shown, same = [await asked(client, "get_execution_results", execution_id=run) for client in (host, plain)]
    assert (shown.content, shown.structured_content) == (same.content, same.structured_content)


async def test_without_the_tool_that_it_belongs_to_there_is_no_page(bench: Bench) -> None:
    async with host_of(bench, toolsets=("workspace",)) as host:
        assert ROWS not in [tool.name for tool in (await host.list_tools()).tools]
        assert PAGE not in [resource.uri for resource in (await host.list_resources()).resources]
