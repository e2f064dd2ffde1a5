"""The rows of runs whose ends have to be told: who owns them, how often it is tried, and that told is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.approvals.ledger import BudgetScope, Entry, Ledger
from deeporigin_mcp.tools.approvals.notices import KEPT_SECONDS, MAX_ATTEMPTS, Notices

pytestmark = pytest.mark.anyio

SCOPE = BudgetScope("https://platform.invalid", "acme", "s-1")
NOW = 1_800_000_000.0
NAME = "3f0c1a52-0000-4000-8000-000000000000"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", is_named=False, receiver="somebody")


@pytest.fixture
async def notices(ledger: Ledger, anyio_backend: str) -> Notices:
    await enter(ledger)
    return ledger.notices(SCOPE)


async def enter(ledger: Ledger) -> None:
    entry = Entry(NAME, "deeporigin.docking", "ada", "rule", None)
    await ledger.record(SCOPE, entry, Execution({"executionId": NAME, "status": "Running"}), now=NOW)


async def test_what_a_living_process_follows_is_not_taken_up(notices: Notices) -> None:
    assert await notices.take_up(NOW) == []


async def test_what_was_released_is_taken_up_once(notices: Notices) -> None:
    await notices.release([NAME])
    assert not await notices.begin(NAME, NOW), "nobody owns it"
    assert await notices.take_up(NOW) == [NAME]
    assert await notices.take_up(NOW) == []
    assert await notices.begin(NAME, NOW)


@pytest.mark.parametrize("state", ["told", "failed"])
async def test_what_is_settled_stays_so(ledger: Ledger, notices: Notices, state: str) -> None:
    await notices.settle(NAME, "told" if state == "told" else "failed")
    await enter(ledger)
    await notices.release([NAME])
    assert not await notices.begin(NAME, NOW)
    assert await notices.take_up(NOW) == []


async def test_it_is_tried_so_often_and_no_more_whoever_tries(notices: Notices) -> None:
    tries = 0
    while await notices.begin(NAME, NOW):
        tries += 1
        await notices.release([NAME])
        await notices.take_up(NOW)
    assert tries == MAX_ATTEMPTS


async def test_another_receiver_or_organisation_takes_nothing_up(
    ledger: Ledger, notices: Notices, tmp_path: Path
) -> None:
    await notices.release([NAME])
    other = Ledger(tmp_path / "ledger", is_named=False, receiver="another")
    assert await other.notices(SCOPE).take_up(NOW) == []
    assert await ledger.notices(SCOPE._replace(organisation="emca")).take_up(NOW) == []
    assert await ledger.notices(SCOPE._replace(session="s-2")).take_up(NOW) == [NAME]


async def test_old_rows_are_removed(notices: Notices) -> None:
    await notices.release([NAME])
    assert await notices.take_up(NOW + KEPT_SECONDS + 1) == []


async def test_a_ledger_without_a_receiver_has_no_rows_and_looking_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none"
    notices = Ledger(path, is_named=False, receiver="somebody").notices(SCOPE)
    assert await notices.take_up(NOW) == []
    assert not await notices.begin(NAME, NOW)
    await notices.release([NAME])
    await notices.settle(NAME, "told")
    assert not path.exists()
    silent = Ledger(path, is_named=False)
    await enter(silent)
    assert await silent.notices(SCOPE).take_up(NOW) == []
