"""summarize_spending."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.bench import PROJECT, Agent, Bench
from tests.support.history import ADMET, ASPIRIN, CAFFEINE, CISPLATIN, DAY, DOCKING, admet, docking, price_of

pytestmark = pytest.mark.anyio


def _by_group(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["group"]: row for row in found["groups"]}


async def test_what_was_charged_without_result_is_told_apart(agent: Agent, bench: Bench) -> None:
    good = bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY)
    failed = bench.platform.seed_run(DOCKING, docking(CISPLATIN), ago_seconds=DAY)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, started=False)
    row = _by_group(await agent.read("summarize_spending"))[DOCKING]
    lost = price_of(bench.platform, failed)
    assert row["count"] == 3
    assert row["charged"] == pytest.approx(price_of(bench.platform, good) + lost)
    assert row["without_result"] == pytest.approx(lost)
    assert row["quoted"] == 0.2


async def test_groups_add_up_to_the_total_and_the_dearest_comes_first(agent: Agent, bench: Bench) -> None:
    for ago in (1, 2):
        bench.platform.seed_run(ADMET, admet(ASPIRIN), ago_seconds=ago * DAY)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY)
    for group_by in ("tool", "project", "person", "tag", "status", "day"):
        found = await agent.read("summarize_spending", group_by=group_by)
        assert sum(row["count"] for row in found["groups"]) == found["total"]["count"] == 3
        charged = [Decimal(str(row.get("charged", 0))) for row in found["groups"]]
        assert sum(charged) == Decimal(str(found["total"]["charged"]))
        assert charged == sorted(charged, reverse=True)


async def test_a_period_holds_its_beginning_and_not_its_end(agent: Agent, bench: Bench) -> None:
    run = bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY)
    at = (await agent.read("get_execution", execution_id=run))["created_at"]
    assert (await agent.read("summarize_spending", created_after=at))["total"]["count"] == 1
    assert (await agent.read("summarize_spending", created_before=at))["total"]["count"] == 0


async def test_projects_are_shown_by_name_and_only_the_asked_one_counts(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, project_id=PROJECT)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, project_id=None)
    found = await agent.read("summarize_spending", group_by="project", project_id=PROJECT)
    assert [(row["group"], row["id"], row["count"]) for row in found["groups"]] == [("Kinase pilot", PROJECT, 1)]
    everything = await agent.read("summarize_spending", group_by="project")
    assert _by_group(everything)["no project"]["count"] == 1


async def test_a_billing_tag_has_what_the_billing_service_says_beside_what_the_runs_say(
    agent: Agent, bench: Bench
) -> None:
    bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY, billing="grant-7")
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, tag="campaign")
    found = await agent.read("summarize_spending", group_by="tag")
    rows = _by_group(found)
    assert rows["grant-7"]["usage"] == rows["grant-7"]["charged"] == 0.4
    assert "usage" not in rows["campaign"]
    assert found["usage_days"]


async def test_a_billing_service_that_fails_hides_no_sum(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, billing="grant-7")
    bench.fault("GET */usage/* status=403")
    found = await agent.read("summarize_spending", group_by="tag")
    assert _by_group(found)["grant-7"]["charged"] == 0.2
    assert "usage" not in _by_group(found)["grant-7"]
    assert found["problems"]


@pytest.mark.parametrize(
    "period",
    [
        {"created_after": "last month"},
        {"created_before": "0001-01-01"},
        {"created_after": "2026-05-02", "created_before": "2026-05-01"},
    ],
)
async def test_a_period_that_cannot_be_is_refused(agent: Agent, period: dict[str, str]) -> None:
    assert await agent.refused("summarize_spending", **period)
