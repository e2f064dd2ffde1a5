"""summarize_spending."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from deeporigin_mcp.tools.workspace import summarize_spending as tool
from tests.support.bench import PROJECT, Agent, Bench
from tests.support.history import (
    ADMET,
    ASPIRIN,
    CAFFEINE,
    CISPLATIN,
    DAY,
    DOCKING,
    MOLPROPS,
    admet,
    docking,
    molprops,
    price_of,
)
from tests.support.people import quotation

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


def bill(total: float, status: str = "Approved") -> dict[str, Any]:
    return {"transactionId": "68e2a0b1c2d3e4f5a6b7c8d9", "status": status, "totalCost": total}


async def test_what_is_billed_is_told_apart_from_estimates_reservations_and_refunds(agent: Agent, bench: Bench) -> None:
    started = {"startedAt": "2026-10-05T08:01:00.000Z"}
    runs: list[dict[str, Any]] = [
        {"status": "Completed", "billingTransaction": bill(1), "quotationResult": quotation(1.5)},
        {"status": "Completed", "quotationResult": quotation(2)},
        {"status": "Running", "quotationResult": quotation(4)},
        {"status": "Running", "billingTransaction": bill(8)},
        {"status": "Cancelled", "billingTransaction": bill(16)},
        {"status": "Cancelled", "billingTransaction": bill(32, "Refunded")},
        {"status": "Cancelled", "billingTransaction": bill(64, "Captured")},
        {"status": "Failed", "billingTransaction": bill(128)},
        {"status": "Completed", "quotationResult": None},
        # A partial price is no price.
        {"status": "Running", "quotationResult": {**quotation(512, None), "anyFailed": True}},
    ]
    for run in runs:
        bench.raw(**started, **run)
    bench.raw(status="Quoted", quotationResult=quotation(256))
    # What can cost nothing any more is in no sum.
    bench.raw(status="Cancelled", quotationResult=quotation(1024))
    bench.raw(**started, status="Failed", quotationResult=quotation(1024))
    assert (await agent.read("summarize_spending"))["total"] == {
        "count": 13,
        "quoted": 256,
        "estimated": 6,
        "reserved": 24,
        "charged": 193,
        "refunded": 32,
        "without_result": 192,
        "unpriced": 2,
    }


async def test_groups_add_up_to_the_total_and_the_dearest_comes_first(agent: Agent, bench: Bench) -> None:
    for ago in (1, 2):
        bench.platform.seed_run(ADMET, admet(ASPIRIN), ago_seconds=ago * DAY)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY)
    for group_by in ("tool", "project", "person", "tag", "status", "day"):
        found = await agent.read("summarize_spending", group_by=group_by)
        assert sum(row["count"] for row in found["groups"]) == found["total"]["count"] == 3
        charged = [Decimal(str(row.get("charged", 0))) for row in found["groups"]]
        assert sum(charged) == Decimal(str(found["total"]["charged"]))
        if group_by == "day":
            assert [row["group"] for row in found["groups"]] == sorted(row["group"] for row in found["groups"])
        else:
            assert charged == sorted(charged, reverse=True)


async def test_free_runs_and_many_groups_hide_no_money(agent: Agent, bench: Bench) -> None:
    for number in range(tool.MOST_GROUPS + 3):
        bench.raw(tool={"key": f"acme.free-{number}"}, billingTransaction=bill(0), status="Completed")
        bench.raw(tool={"key": f"acme.free-{number}"}, billingTransaction=bill(0), status="Completed")
    bench.platform.seed_run(MOLPROPS, molprops(ASPIRIN), ago_seconds=DAY)
    bench.raw(tool={"key": "acme.dear"}, billingTransaction=bill(7), status="Completed")
    bench.raw(tool={"key": "acme.quoted"}, quotationResult=quotation(9), status="Quoted")
    found = await agent.read("summarize_spending")
    shown = [row["group"] for row in found["groups"]]
    assert shown[:2] == ["acme.dear", "acme.quoted"]
    assert (len(shown), shown[-1]) == (tool.MOST_GROUPS, "7 further")
    assert sum(row["count"] for row in found["groups"]) == found["total"]["count"]


async def test_people_have_their_names_under_whatever_id_a_run_has(agent: Agent, bench: Bench) -> None:
    ada, other = bench.platform.organisations["deeporigin"].users
    for person in (ada["id"], f"google-apps|{ada['email']}", other["id"], "", "google-apps|left@acme.example"):
        bench.raw(createdBy=person or None, billingTransaction=bill(1), status="Completed")
    found = await agent.read("summarize_spending", group_by="person")
    names = [f"{user['firstName']} {user['lastName']}" for user in (ada, other)]
    rows = {row["group"]: row["count"] for row in found["groups"]}
    assert rows == {names[0]: 2, names[1]: 1, "google-apps|left@acme.example": 1, "no person": 1}


async def test_a_sum_over_a_part_of_the_runs_says_so_and_names_the_call_for_the_others(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "MOST_ROWS", 1_000)
    bench.platform.seed_executions(count=1_001)
    found = await agent.read("summarize_spending", group_by="person")
    assert found["total"]["count"] == 1_000
    assert found["incomplete"]
    rest = await agent.follow(found["next_step"])
    assert (rest["group_by"], rest["total"]["count"]) == ("person", 1)
    assert "incomplete" not in rest


async def test_a_platform_without_an_end_of_periods_still_gives_the_sums_of_one(agent: Agent, bench: Bench) -> None:
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=3 * DAY)
    bench.fault("GET */executions status=400 times=1")
    before = (bench.platform.clock.now() - timedelta(days=2)).isoformat()
    assert (await agent.read("summarize_spending", created_before=before))["total"]["count"] == 1


async def test_a_list_that_does_not_come_in_time_is_no_empty_sum(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.platform.seed_executions(count=2)
    monkeypatch.setattr(tool, "READ_SECONDS", 0.0)
    assert (await agent.error("summarize_spending")).code == "platform_failed"


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


async def test_of_more_billing_tags_than_are_asked_about_the_dearest_have_their_usage(
    agent: Agent, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "MOST_TAGS", 1)
    bench.platform.seed_run(DOCKING, docking(ASPIRIN), ago_seconds=DAY, billing="small")
    bench.platform.seed_run(DOCKING, docking(ASPIRIN, CAFFEINE), ago_seconds=DAY, billing="large")
    found = await agent.read("summarize_spending", group_by="tag")
    assert [(row["group"], row.get("usage")) for row in found["groups"]] == [("large", 0.4), ("small", None)]
    assert len(bench.sent("GET", "/usage/")) == 1
    assert len(found["problems"]) == 1


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
