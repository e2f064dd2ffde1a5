"""The benchmark of journeys compares like with like: each side does the job, or it is said why not."""

from __future__ import annotations

import pytest

from benchmarks.journeys import TASKS, WITHOUT, by_official, by_ours, staged
from benchmarks.official_journeys import JOURNEYS, written_lines
from benchmarks.peer_journeys import PEERS
from tests.evals.journeys import EXPORT_POSES
from tests.evals.journeys import TASKS as ALL_TASKS
from tests.evals.suite import known_costs
from tests.evals.task import Task

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_every_journey_has_an_official_counterpart_or_a_reason_why_not() -> None:
    assert len(JOURNEYS) == 10
    assert {task.id for task in ALL_TASKS} == {*JOURNEYS, *WITHOUT}
    assert {task.id for task in TASKS} == {*JOURNEYS}
    assert all(WITHOUT.values())


def test_every_peer_has_a_source_and_says_something_of_every_journey() -> None:
    for peer in PEERS:
        assert peer.source, peer.name
        assert {*peer.needs} == {*JOURNEYS}, peer.name
        assert all(peer.needs.values()), peer.name


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
async def test_the_official_client_does_the_job_by_the_same_judge(task: Task) -> None:
    with staged(task) as stage:
        taken = await by_official(task, stage.base_url, stage.folder)
        stage.check(taken["answer"])
        assert stage.platform.requests
        assert stage.run_seconds < 1


async def test_ours_does_the_job_over_stdio_at_the_known_cost() -> None:
    with staged(EXPORT_POSES) as stage:
        taken = await by_ours(EXPORT_POSES, stage.base_url, stage.folder)
        stage.check(taken["answer"])
    assert taken["calls"] == known_costs()[EXPORT_POSES.id]["calls"]
    assert taken["job"] > 0


def test_what_was_not_done_is_not_measured() -> None:
    with staged(EXPORT_POSES) as stage, pytest.raises(AssertionError, match="export-poses"):
        stage.check({"poses": 4})


def test_comments_and_blank_lines_are_not_written_code() -> None:
    def job() -> int:
        # one

        return 1  # two

    assert written_lines(job) == 2  # type: ignore[arg-type]
