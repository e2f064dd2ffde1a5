"""What a whole confirmation asks the platform, request by request, each with its reason: a new one shows here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from mcp import Client

from deeporigin_mcp.tools.executions import create_execution
from deeporigin_mcp.tools.spending import approval
from deeporigin_mcp.tools.spending.app import META
from tests.support.bench import ERAS, Bench, docking
from tests.support.hosts import shows_apps
from tests.support.people import Person, agent_with, quoted

pytestmark = pytest.mark.anyio

LIST = "GET /tools/executions"
QUOTE = ("GET /tools/executions/RUN", "the quote, by its id")
AGAIN = ("GET /tools/executions/RUN", "the quote, after a person had time to think")
CONFIRM = ("PATCH /tools/executions/RUN:confirm", "the start")
BECAME = ("GET /tools/executions/RUN", "what became of it")
FAILURES = (LIST, "whether such runs have failed in a row")
SPENT = (LIST, "what the session has spent, before anybody is asked")
CLAIM = (LIST, "what the session has spent, when it is entered in the ledger")
REAL = ("GET /version", "whether its price is real")
PROJECT = ("POST /projects/search", "the name of its project")


@pytest.fixture(autouse=True)
def _quotes_stay_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine would have them read again, which is another request."""
    monkeypatch.setattr(approval, "FRESH_SECONDS", 600.0)


@dataclass
class Case:
    """Who approves what, and what that asks for."""

    requests: list[tuple[str, str]]
    price: float = 5
    asks: bool = True
    mode: str = "auto"
    settings: dict[str, Any] = field(default_factory=dict)


CASES = {
    "a free run": Case([QUOTE, CONFIRM, BECAME], price=0, asks=False),
    "within the automatic limit": Case(
        [QUOTE, FAILURES, CONFIRM, BECAME], asks=False, settings={"auto_approve_up_to": 10}
    ),
    "within the automatic limit and a budget": Case(
        [QUOTE, FAILURES, CLAIM, CONFIRM, BECAME], asks=False, settings={"auto_approve_up_to": 10, "budget": 10}
    ),
    "a person answers in the middle of the call": Case([QUOTE, REAL, PROJECT, AGAIN, CONFIRM, BECAME], mode="legacy"),
    "a person's answer comes with the next call": Case([QUOTE, REAL, PROJECT, AGAIN, CONFIRM, BECAME]),
    "a person, and a budget": Case(
        [QUOTE, SPENT, REAL, PROJECT, AGAIN, CLAIM, CONFIRM, BECAME], mode="legacy", settings={"budget": 10}
    ),
    "a person, and a budget, by two calls": Case(
        [QUOTE, SPENT, REAL, PROJECT, AGAIN, SPENT, CLAIM, CONFIRM, BECAME], settings={"budget": 10}
    ),
}


def asked(bench: Bench, *names: str) -> list[str]:
    """What the platform was asked, oldest first: method and path, without organisation and query."""
    found = []
    for method, path, _ in bench.platform.requests:
        plain = (
            path.partition("?")[0].replace("/deeporigin/", "/").removeprefix("/tools").removeprefix("/data-platform")
        )
        for name in names:
            plain = plain.replace(name, "RUN")
        found.append(f"{method} {plain}")
    return found


def paths(requests: list[tuple[str, str]]) -> list[str]:
    return [request for request, _ in requests]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_confirmation_asks_for_what_it_needs_and_no_more(bench: Bench, case: Case) -> None:
    name = quoted(bench, case.price)
    person = Person()
    async with agent_with(bench.server(**case.settings), person, mode=case.mode) as agent:
        await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    assert len(person.questions) == case.asks
    assert asked(bench, name) == paths(case.requests)
    assert bench.platform.confirms == [name]


@pytest.mark.parametrize("mode", ERAS)
async def test_names_are_not_asked_for_again_by_the_next_confirmation(bench: Bench, mode: str) -> None:
    names = [quoted(bench, 5), quoted(bench, 6)]
    async with agent_with(bench.server(), Person(), mode=mode) as agent:
        for name in names:
            await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    assert asked(bench, *names)[6:] == paths([QUOTE, AGAIN, CONFIRM, BECAME])


@pytest.mark.usefixtures("built")
async def test_a_button_of_the_card_asks_for_the_quote_once_more(bench: Bench) -> None:
    name = quoted(bench, 5)
    server = bench.server(approval=("app",))
    async with Client(server, extensions=[shows_apps()]) as host:
        card = (await host.call_tool("confirm_execution", {"execution_id": name})).meta[META]  # type: ignore[index]
        assert asked(bench, name) == paths([QUOTE, REAL, PROJECT])
        pressed = {"execution_id": name, "nonce": card["nonce"], "approve": True}
        await host.call_tool("approve_execution", pressed)
    assert asked(bench, name)[3:6] == paths([AGAIN, CONFIRM, BECAME])
    assert bench.platform.confirms == [name]


async def test_a_quote_that_was_read_a_while_ago_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "FRESH_SECONDS", 0.0)
    name = quoted(bench, 0)
    async with bench.agent() as agent:
        await agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    assert asked(bench, name) == paths([QUOTE, AGAIN, CONFIRM, BECAME])


async def test_what_a_creation_answered_is_read_by_its_id_before_it_starts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_execution, "ENDED_SECONDS", 0)
    async with bench.agent(auto_approve_up_to=1) as agent:
        made = await agent.read("create_execution", **docking("CCO"), start=True)
    found = asked(bench, made["execution_id"])
    created = f"POST /tools/deeporigin.docking/{made['tool_version']}/executions"
    assert found[found.index(created) + 1 :] == paths([FAILURES, QUOTE, CONFIRM, BECAME])
