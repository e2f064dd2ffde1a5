"""Every kind of client against every kind of price: what starts, who was asked, what is refused (design 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.support.bench import ERAS, Agent, Bench
from tests.support.people import CANCEL, DECLINE, NO, YES, Person, agent_with, form, quoted, reprice

pytestmark = pytest.mark.anyio

LIMITS: dict[str, Any] = {"auto_approve_up_to": 1, "max_price": 20}

CLIENTS: dict[str, tuple[ElicitResult | None, str]] = {
    "yes": (YES, ""),
    "yes and more": (form(approve=True, note="do it"), ""),
    "no": (NO, "declined"),
    "decline": (DECLINE, "not_approved"),
    "cancel": (CANCEL, "not_approved"),
    "perhaps": (form(approve="perhaps"), "not_approved"),
    "the word yes": (form(approve="yes"), "not_approved"),
    "the word true": (form(approve="true"), "not_approved"),
    "the number one": (form(approve=1), "not_approved"),
    "null": (form(approve=None), "not_approved"),
    "an empty form": (form(), "not_approved"),
    "another field": (form(approved=True), "not_approved"),
    "no content": (ElicitResult(action="accept"), "not_approved"),
    "nobody": (None, "nobody_to_ask"),
}
"""What a client responds to any elicitation, and the code of the refusal that follows."""

STARTS = ("yes", "yes and more")


class Desk:
    """One server with one client; says what each confirmation did."""

    def __init__(self, bench: Bench, kind: str, mode: str) -> None:
        self.bench, self.kind, self.mode = bench, kind, mode
        answer, self.code = CLIENTS[kind]
        self.person = Person(answer)
        self.agent: Agent | None = None

    async def confirm(self, name: str) -> tuple[bool, int, str]:
        """Confirm once: (whether it started, how many elicitations were sent, the code of the refusal)."""
        assert self.agent is not None
        started_before, asked_before = len(self.bench.platform.confirms), len(self.person.questions)
        answer = await self.agent.call("confirm_execution", {"execution_id": name})
        if not answer.is_error:
            self.agent.outputs["confirm_execution"].validate(answer.content)
        started = self.bench.platform.confirms[started_before:]
        assert started in ([], [name])
        assert bool(started) is not answer.is_error
        assert answer.error is None or answer.error.outcome == "nothing_started"
        return bool(started), len(self.person.questions) - asked_before, answer.error.code if answer.error else ""


@pytest.fixture(params=[*CLIENTS])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=ERAS)
async def desk(request: pytest.FixtureRequest, bench: Bench, kind: str, anyio_backend: str) -> AsyncIterator[Desk]:
    found = Desk(bench, kind, request.param)
    async with agent_with(bench.server(**LIMITS), found.person, mode=found.mode) as found.agent:
        yield found


async def test_where_nobody_need_be_asked_or_nobody_may_say_yes_nobody_is_asked(desk: Desk, bench: Bench) -> None:
    for price in (0, 0.5, 1):
        started, questions, _ = await desk.confirm(quoted(bench, price))
        assert (started, questions) == (True, 0)
    started, questions, code = await desk.confirm(quoted(bench, 20.01))
    assert (started, questions) == (False, 0)
    assert code == "above_max_price"
    for prices in ((), (None,), (0.5, None), ("much",)):
        started, questions, code = await desk.confirm(quoted(bench, *prices))
        assert (started, questions) == (False, 0)
        assert code == "no_complete_price"
    assert len(bench.platform.confirms) == 3


async def test_what_is_above_the_automatic_limit_starts_only_with_a_clear_yes(desk: Desk, bench: Bench) -> None:
    name = quoted(bench, 5)
    started, questions, code = await desk.confirm(name)
    assert started is (desk.kind in STARTS)
    assert questions == (0 if desk.kind == "nobody" else 1)
    assert code == desk.code
    if not started:
        assert bench.platform.status(name) == "Quoted"
        assert not bench.sent("PATCH")


async def test_a_price_that_changes_during_the_elicitation_needs_another_yes(desk: Desk, bench: Bench) -> None:
    name = quoted(bench, 5)
    desk.person.meanwhile = lambda: reprice(bench, name, 6)
    started, questions, code = await desk.confirm(name)
    if desk.kind == "nobody":
        assert (started, questions) == (False, 0)
    elif desk.mode == "auto":
        # The answer was one to another question: it does not count, and the new question is asked.
        assert (started, questions) == (desk.kind in STARTS, 2)
        assert (
            "for 5.00 USD, charged to deeporigin on a simulated platform, where nothing is real?"
            in desk.person.questions[0]
        )
        assert (
            "for 6.00 USD, charged to deeporigin on a simulated platform, where nothing is real?"
            in desk.person.questions[1]
        )
    else:
        assert (started, questions) == (False, 1)
        if desk.kind in STARTS:
            assert code == "price_changed"


async def test_an_account_that_cannot_pay_starts_nothing_after_a_yes_either(desk: Desk, bench: Bench) -> None:
    bench.platform.organisations["deeporigin"].balance = 1
    started, questions, code = await desk.confirm(quoted(bench, 5))
    assert started is False
    assert questions == (0 if desk.kind == "nobody" else 1)
    assert code == ("restricted" if desk.kind in STARTS else desk.code)
