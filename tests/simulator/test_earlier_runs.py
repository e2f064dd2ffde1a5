"""Runs that were started before the simulator was: they are where their age and inputs put them, and live on."""

from __future__ import annotations

import pytest

from deeporigin_mcp.simulator import ManualClock, Platform
from tests.support.api import ABFE, DOCKING, Api, abfe_inputs, docking_inputs

FOUR_HOURS = 4 * 3600


def test_an_earlier_run_is_as_far_as_its_age_says_and_goes_on(api: Api, clock: ManualClock, platform: Platform) -> None:
    execution = platform.seed_run(ABFE, abfe_inputs(), ago_seconds=FOUR_HOURS / 2, name="half way")
    now = api.get(execution)
    assert (now["status"], now["name"]) == ("Running", "half way")
    assert now["createdAt"] == "2026-10-05T07:00:00.000Z"
    assert now["billingTransaction"]["totalCost"] > 90

    clock.advance(FOUR_HOURS)
    assert api.get(execution)["status"] == "Completed"


def test_an_earlier_run_fails_completes_and_costs_by_its_inputs(api: Api, platform: Platform) -> None:
    before = platform.organisations["deeporigin"].balance
    completed = platform.seed_run(DOCKING, docking_inputs("CCO", "CCN", sync=False), ago_seconds=3600)
    failed = platform.seed_run(DOCKING, docking_inputs("N[Pt](N)(Cl)Cl", sync=False), ago_seconds=3600)
    assert (api.get(completed)["status"], api.get(failed)["status"]) == ("Completed", "Failed")
    assert "no force-field parameters for Pt" in api.get(failed)["statusReason"]["message"]
    assert platform.organisations["deeporigin"].balance == pytest.approx(before - 3 * 0.2)
    assert len(platform.executions[completed].found()) == 2 * 3


def test_an_earlier_quote_waits_for_its_confirmation(api: Api, clock: ManualClock, platform: Platform) -> None:
    quote = platform.seed_run(DOCKING, docking_inputs(sync=False), ago_seconds=24 * 3600, started=False)
    assert api.get(quote)["status"] == "Quoted"
    assert api.act(quote, "confirm").status_code == 200
    clock.advance(3600)
    assert api.get(quote)["status"] == "Completed"


def test_an_earlier_run_beyond_the_balance_never_started(platform: Platform) -> None:
    poor = platform.seed_run(ABFE, abfe_inputs(), ago_seconds=FOUR_HOURS, org="acme")
    assert platform.status(poor) == "InsufficientFunds"
    assert platform.organisations["acme"].balance == 100


def test_earlier_runs_are_nobodys_doing_and_lie_in_the_past(api: Api, platform: Platform) -> None:
    newer = platform.seed_run(DOCKING, docking_inputs(), ago_seconds=60)
    older = platform.seed_run(DOCKING, docking_inputs(), ago_seconds=3600)
    assert (platform.creates, platform.confirms) == ([], [])
    assert [row["executionId"] for row in api.listed(order="createdAt desc")["data"]] == [newer, older]


@pytest.mark.parametrize(
    ("key", "inputs", "told"),
    [("deeporigin.nothing", {}, "there is no tool"), (DOCKING, {"effort": 9}, "refuses these inputs")],
)
def test_an_impossible_past_is_refused(platform: Platform, key: str, inputs: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        platform.seed_run(key, inputs, ago_seconds=60)
