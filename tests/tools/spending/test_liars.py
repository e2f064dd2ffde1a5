"""Every kind of lying platform against the budget and against what is told: nothing is spent or hidden by a lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from deeporigin_mcp.tools.responses.errors import OUTCOMES
from tests.support.facts import calls_in
from tests.support.liars import Liar, lines_in, lying, named, record
from tests.support.people import Person
from tests.support.recording import Reply

pytestmark = pytest.mark.anyio

Rows = Callable[[list[str]], Any]


@pytest.fixture
async def liar(anyio_backend: str) -> AsyncIterator[Liar]:
    async with lying() as found:
        yield found


def bill(usd: Any) -> dict[str, Any]:
    return {"billingTransaction": {"totalCost": usd}}


LISTS: dict[str, Rows] = {
    "honest": lambda names: [record(name, "Running") for name in names],
    "still quoted": lambda names: [record(name) for name in names],
    "lags": lambda _: [],
    "data is null": lambda names: {"data": None, "count": len(names)},
    "a count without rows": lambda names: {"data": [], "count": len(names)},
    "no session": lambda names: [record(name, "Running", session=None) for name in names],
    "another session": lambda names: [record(name, "Running", session="x") for name in names],
    "no quotation": lambda names: [record(name, "Running", quotationResult=None) for name in names],
    "no ids": lambda names: [record("", "Running") for _ in names],
    "other ids": lambda names: [record(named(50 + place), "Quoted") for place, _ in enumerate(names)],
    "a quote of 0": lambda names: [record(name, "Running", 0) for name in names],
    "a negative quote": lambda names: [record(name, "Running", -1000) for name in names],
    "a bill of 0 while it runs": lambda names: [record(name, "Running", **bill(0)) for name in names],
    "a bill of 0 at the end": lambda names: [record(name, "Completed", **bill(0)) for name in names],
    "a small bill": lambda names: [record(name, "Completed", **bill("0.01")) for name in names],
    "cancelled before a start": lambda names: [record(name, "Cancelled") for name in names],
    "no money": lambda names: [record(name, "InsufficientFunds") for name in names],
    "a cost of -1000": lambda names: [
        record(named(77), "Completed", **bill(-1000)),
        *(record(name, "Running") for name in names),
    ],
    "a cost that is text": lambda names: [record(name, "Running", **bill("-1e9 USD")) for name in names],
    "an unknown status": lambda names: [record(name, "Paused", **bill(None)) for name in names],
    "rows that are no objects": lambda names: [*names, None, 5],
    "every row twice": lambda names: [record(name, "Running") for name in [*names, *names]],
    "sums that are no price": lambda names: [record(named(50 + number), "Running", 9e14) for number in range(3)],
}
"""What a platform's list says of the runs that were started, each at 5 USD."""


@pytest.mark.parametrize("kind", LISTS)
async def test_no_list_makes_a_budget_forget_what_was_started(liar: Liar, kind: str) -> None:
    liar.rows = LISTS[kind]
    for _ in range(2):
        # A restart forgets nothing either.
        async with liar.agent(auto_approve_up_to=100, budget=10) as agent:
            for number in range(4):
                answer = await agent.call("confirm_execution", {"execution_id": named(number)})
                assert answer.is_error or answer.content["status"] == "Running"
    assert len(liar.confirmed) <= 2
    assert liar.confirmed or kind == "sums that are no price"
    assert len(set(liar.confirmed)) == len(liar.confirmed)


async def test_what_has_ended_without_charge_is_given_back_once_the_run_itself_says_so(liar: Liar) -> None:
    async with liar.agent(auto_approve_up_to=100, budget=10) as agent:
        for number in range(2):
            await agent.read("confirm_execution", execution_id=named(number))
        assert await agent.error("confirm_execution", execution_id=named(2)) == ("over_budget", "nothing_started")
        liar.get = lambda name, started: record(
            name, "Cancelled" if name == named(0) else "Running" if started else "Quoted"
        )
        await agent.read("confirm_execution", execution_id=named(2))
        assert await agent.error("confirm_execution", execution_id=named(3)) == ("over_budget", "nothing_started")
    assert liar.confirmed == [named(0), named(1), named(2)]


@pytest.mark.parametrize(
    ("cost", "counted"), [(7, 7), (3, 5), ("7.5", 7.5), (-3, 5), (0, 0), (None, 5), ("seven", 5), (1e400, 5)]
)
async def test_a_run_counts_at_the_larger_of_what_was_approved_and_what_is_reported(
    liar: Liar, cost: Any, counted: float
) -> None:
    liar.rows = lambda names: []
    async with liar.agent(auto_approve_up_to=100, budget=12) as agent:
        await agent.read("confirm_execution", execution_id=named(0))
        liar.get = lambda name, started: record(name, "Completed", **bill(cost)) if started else record(name)
        await agent.call("confirm_execution", {"execution_id": named(1)})
        await agent.refused("confirm_execution", execution_id=named(0))
        liar.rows = lambda names: [record(name, "Completed", **bill(cost)) for name in names if name == named(0)]
        spent = (await agent.read("get_workspace"))["spending"]["spent"]
    assert spent == counted + (0 if cost == 0 else counted)


@pytest.mark.parametrize("reported", [{"price": 500}, bill(500), {"price": 500} | bill(500), bill("500.0")])
async def test_a_run_that_starts_at_another_price_is_warned_about_counted_and_audited(
    liar: Liar, tmp_path: Path, reported: dict[str, Any]
) -> None:
    log = tmp_path / "audit.jsonl"
    became: dict[str, Any] = {"status": "Running", "price": 0} | reported
    liar.get = lambda name, started: record(name, **became) if started else record(name, price=0)
    liar.patch = lambda name: record(name, **became)
    async with liar.agent(audit_log=log, budget=600) as agent:
        answer = await agent.call("confirm_execution", {"execution_id": named(0)})
        assert not answer.is_error
        assert answer.text.startswith("warning: ")
        assert calls_in(answer.content["warning"], agent.inputs) == [("cancel_execution", {"execution_id": named(0)})]
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 500
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", 0), ("unapproved", 500)]


async def test_a_run_that_becomes_dearer_later_is_audited_once(liar: Liar, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    async with liar.agent(audit_log=log, auto_approve_up_to=10, budget=100) as agent:
        answer = await agent.read("confirm_execution", execution_id=named(0))
        assert "warning" not in answer
        liar.rows = lambda names: [record(name, "Running", 5, **bill(9)) for name in names]
        for _ in range(3):
            assert (await agent.read("get_workspace"))["spending"]["spent"] == 9
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", 5), ("unapproved", 9)]


STARTED: dict[str, tuple[dict[str, Any], float]] = {
    "running": ({"status": "Running", "startedAt": "2026-11-29T00:00:00Z"}, 5),
    "created": ({"status": "Created"}, 5),
    "queued at another price": ({"status": "Queued", "price": 500}, 500),
    "completed and billed": ({"status": "Completed", **bill(3.5), "price": None}, 3.5),
    "failed": ({"status": "Failed", "startedAt": "2026-11-29T00:00:00Z"}, 5),
    "cancelled after its start": ({"status": "Cancelled", "startedAt": "2026-11-29T00:00:00Z"}, 5),
    "quoted, but billed": ({"status": "Quoted", **bill(4)}, 5),
    "quoted, but started": ({"status": "Quoted", "startedAt": "2026-11-29T00:00:00Z"}, 5),
    "no status": ({"status": None}, 5),
    "an unknown status": ({"status": "Paused"}, 5),
}
"""How a creation that asked for a quote comes back, and what it then counts for."""


@pytest.mark.parametrize("how", STARTED)
async def test_a_creation_that_starts_at_once_is_warned_about_first_counted_and_audited(
    liar: Liar, tmp_path: Path, how: str
) -> None:
    log, (fields, counted) = tmp_path / "audit.jsonl", STARTED[how]
    liar.create = lambda body: record(named(99), **fields, metadata=body["metadata"])
    liar.rows = lambda _: []
    async with liar.agent(audit_log=log, budget=600) as agent:
        for _ in range(2):
            answer = await agent.call(
                "create_execution", {"tool_key": "deeporigin.docking", "inputs": {}, "idempotency_key": "k"}
            )
            assert not answer.is_error
            assert answer.text.startswith("warning: ")
            assert liar.created[0]["approveAmount"] == -1
            # A second creation with the key finds it.
            liar.rows = lambda _: [record(named(99), **fields, metadata=liar.created[0]["metadata"])]
        assert (await agent.read("get_workspace"))["spending"]["spent"] == counted
    assert len(liar.created) == 1
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("unapproved", counted)]


async def test_a_run_that_is_started_with_its_creation_at_another_price_is_reported_too(
    liar: Liar, tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"
    liar.create = lambda body: record(named(99), price=0, metadata=body["metadata"])
    liar.get = lambda name, started: record(
        name, "Running" if started else "Quoted", 500 if started else 0, metadata=liar.created[0]["metadata"]
    )
    liar.patch = lambda name: record(name, "Running", 500)
    async with liar.agent(audit_log=log) as agent:
        answer = await agent.call("create_execution", {"tool_key": "deeporigin.docking", "inputs": {}, "start": True})
    assert answer.text.startswith("warning: ")
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", 0), ("unapproved", 500)]


async def test_a_lost_response_to_a_confirmation_hides_no_other_price(liar: Liar, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    liar.get = lambda name, started: record(name, "Running", 500) if started else record(name, price=0)
    liar.patch = lambda _: Reply(status=502)
    async with liar.agent(audit_log=log) as agent:
        answer = await agent.call("confirm_execution", {"execution_id": named(1)})
    assert answer.text.startswith("warning: ")
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("approved", 0), ("unapproved", 500)]


@pytest.mark.parametrize("status", ["Quoted", "FailedQuotation", "InsufficientFunds"])
async def test_a_creation_that_was_not_started_is_no_alarm(liar: Liar, tmp_path: Path, status: str) -> None:
    log = tmp_path / "audit.jsonl"
    liar.create = lambda body: record(named(99), status, metadata=body["metadata"])
    async with liar.agent(audit_log=log) as agent:
        answer = await agent.call("create_execution", {"tool_key": "deeporigin.docking", "inputs": {}})
    assert "warning" not in answer.content
    assert lines_in(log) == []


ANOTHER: dict[str, dict[str, Any]] = {
    "deeporigin.docking 9.9.9": {"tool": {"key": "deeporigin.docking", "version": "9.9.9"}},
    "acme.other": {"tool": {"key": "acme.other", "version": "4.2.0"}},
    "proj_2": {"projectId": "proj_2"},
}
"""What a creation comes back as, though something else was asked for."""


@pytest.mark.parametrize("what", ANOTHER)
async def test_a_creation_of_something_else_than_was_asked_for_is_reported_first(liar: Liar, what: str) -> None:
    def create(body: dict[str, Any]) -> dict[str, Any]:
        made.append(record(named(99), metadata=body["metadata"], **ANOTHER[what]))
        return made[0]

    made: list[dict[str, Any]] = []
    liar.create, liar.rows = create, lambda _: made
    async with liar.agent() as agent:
        answer = await agent.call("create_execution", {"tool_key": "deeporigin.docking", "inputs": {}})
        [step] = calls_in(answer.content["warning"], agent.inputs)
    assert step == ("cancel_execution", {"execution_id": named(99)})
    assert answer.text.startswith("warning: ")
    assert what in answer.content["warning"]
    assert liar.confirmed == []


@pytest.mark.parametrize("unsaid", ["tool", "projectId"])
async def test_what_a_creation_leaves_out_is_no_contradiction(liar: Liar, unsaid: str) -> None:
    liar.create = lambda body: record(named(99), metadata=body["metadata"]) | {unsaid: None}
    async with liar.agent() as agent:
        assert "warning" not in await agent.read("create_execution", tool_key="deeporigin.docking", inputs={})


async def test_a_start_whose_response_was_lost_is_reported_when_it_is_found(liar: Liar, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    liar.create = lambda _: Reply(status=502)
    liar.rows = lambda _: [record(named(99), "Running", metadata=liar.created[0]["metadata"])] if liar.created else []
    async with liar.agent(audit_log=log) as agent:
        answer = await agent.call("create_execution", {"tool_key": "deeporigin.docking", "inputs": {}})
    assert answer.text.startswith("warning: ")
    assert [(line["decision"], line["price_usd"]) for line in lines_in(log)] == [("unapproved", 5)]


async def test_a_run_that_was_approved_here_is_no_alarm_when_its_key_is_used_again(liar: Liar) -> None:
    async with liar.agent(auto_approve_up_to=10) as agent:
        arguments = {"tool_key": "deeporigin.docking", "inputs": {}, "idempotency_key": "k"}
        name = (await agent.read("create_execution", **arguments))["execution_id"]
        await agent.read("confirm_execution", execution_id=name)
        liar.rows = lambda _: [record(name, "Running", metadata=liar.created[0]["metadata"])]
        assert "warning" not in await agent.read("create_execution", **arguments)


UNREADABLE: dict[str, Any] = {
    "a list": [{"priceTotal": 0}, ["priceTotal", 500]],
    "a text": [{"priceTotal": 0}, "DO_ABFE: 500 USD"],
    "null": [{"priceTotal": 0}, None],
    "a number": [{"priceTotal": 0}, 500],
    "no total": [{"priceTotal": 0}, {"priceEach": 500}],
    "a total of another kind": [{"priceTotal": 0}, {"priceTotal": {"usd": 500}}],
    "thousands with a comma": [{"priceTotal": 0}, {"priceTotal": "1,000"}],
    "failed": [{"priceTotal": 0, "status": "FAILED"}],
    "below zero": [{"priceTotal": 0}, {"priceTotal": -1}],
    "no list": {"a": {"priceTotal": 0}},
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_price_that_cannot_be_read_in_full_is_no_price(liar: Liar, kind: str) -> None:
    quotation = {"successfulQuotations": UNREADABLE[kind]}
    liar.get = lambda name, started: record(name, quotationResult=quotation)
    person = Person()
    async with liar.agent(person=person, auto_approve_up_to=1000) as agent:
        assert await agent.error("confirm_execution", execution_id=named(0)) == ("no_complete_price", "nothing_started")
        liar.create = lambda body: record(named(99), quotationResult=quotation, metadata=body["metadata"])
        found = await agent.read("create_execution", tool_key="deeporigin.docking", inputs={}, start=True)
        assert found["status"] == "Quoted"
        assert "cannot be confirmed" in found["next_step"]
    assert liar.confirmed == []
    assert person.questions == []


async def test_an_answer_about_another_execution_confirms_and_cancels_nothing(liar: Liar) -> None:
    liar.get = lambda name, started: record(named(7), price=0)
    async with liar.agent() as agent:
        for tool in ("confirm_execution", "get_execution", "cancel_execution", "get_execution_results"):
            assert (await agent.error(tool, execution_id=named(1))).code == "wrong_execution"
        found = await agent.read("wait_executions", execution_ids=[named(1)], timeout_seconds=0)
        assert found["executions"][0].get("status") is None
        assert found["all_done"] is False
    assert liar.confirmed == []


async def test_a_confirmation_that_is_answered_about_another_execution_counts_for_the_one_that_was_asked(
    liar: Liar,
) -> None:
    liar.patch = lambda _: record(named(7), "Running", 0)
    async with liar.agent(auto_approve_up_to=10, budget=9) as agent:
        assert (await agent.read("confirm_execution", execution_id=named(1)))["execution_id"] == named(1)
        assert await agent.error("confirm_execution", execution_id=named(2)) == ("over_budget", "nothing_started")
    assert liar.confirmed == [named(1)]


async def test_the_same_price_with_binary_noise_is_asked_compared_capped_and_recorded_as_one(
    liar: Liar, tmp_path: Path
) -> None:
    log, noisy = tmp_path / "audit.jsonl", 3 * 0.2
    assert repr(noisy) == "0.6000000000000001"
    liar.get = lambda name, started: record(name, "Running" if started else "Quoted", noisy)
    liar.rows = lambda names: [record(name, "Running", noisy) for name in names]
    liar.patch = lambda name: record(name, "Running", noisy)
    person = Person()
    async with liar.agent(person=person, audit_log=log, max_price="0.60", budget="1.20") as agent:
        found = await agent.call("get_execution", {"execution_id": named(0)})
        assert "000001" not in found.text
        assert "expected_price=0.6)" in found.text
        await agent.read("confirm_execution", execution_id=named(0), expected_price=0.6)
        await agent.read("confirm_execution", execution_id=named(1), expected_price=noisy)
        assert (await agent.read("get_workspace"))["spending"]["left"] == 0
        assert await agent.error("confirm_execution", execution_id=named(2)) == ("over_budget", "nothing_started")
    assert all("0.60 USD" in asked for asked in person.questions)
    assert {line["price_usd"] for line in lines_in(log)} == {0.6}
    async with liar.agent(auto_approve_up_to="0.60", session="another") as agent:
        await agent.read("confirm_execution", execution_id=named(3))


@pytest.mark.parametrize("status", [301, 400, 402, 403, 404, 409, 422, 429, 500])
async def test_a_run_that_started_although_its_confirmation_was_refused_counts(liar: Liar, status: int) -> None:
    liar.patch = lambda _: Reply({"message": "no"}, status=status)
    liar.rows = lambda _: []
    async with liar.agent(auto_approve_up_to=100, budget=10) as agent:
        for number in range(4):
            await agent.call("confirm_execution", {"execution_id": named(number)})
        assert await agent.error("confirm_execution", execution_id=named(9)) == ("over_budget", "nothing_started")
    assert liar.confirmed == [named(0), named(1)]


@pytest.mark.parametrize("now", ["Running", "Completed", "unreadable"])
@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 422, 429])
async def test_a_refused_confirmation_of_a_run_that_is_not_known_to_stay_quoted_has_an_unknown_outcome(
    liar: Liar, tmp_path: Path, status: int, now: str
) -> None:
    log = tmp_path / "audit.jsonl"
    liar.patch = lambda _: Reply({"message": "no"}, status=status)
    became = Reply(status=403) if now == "unreadable" else record(named(1), now)
    liar.get = lambda name, started: became if started else record(name)
    async with liar.agent(audit_log=log, auto_approve_up_to=100) as agent:
        answer = await agent.call("confirm_execution", {"execution_id": named(1)})
        assert answer.error == ("outcome_unknown", "unknown")
        liar.get = lambda name, started: record(name, "Running")
        assert (await agent.follow(answer.text))["execution_id"] == named(1)
    assert [line["decision"] for line in lines_in(log)] == ["approved", "unknown"]
    assert liar.confirmed == [named(1)]


@pytest.mark.parametrize("now", ["Running", "unreadable"])
async def test_a_creation_with_a_start_that_was_refused_says_that_its_outcome_is_unknown(liar: Liar, now: str) -> None:
    liar.create = lambda body: record(named(99), metadata=body["metadata"])
    liar.patch = lambda _: Reply({"message": "no"}, status=403)
    liar.get = lambda name, started: (
        (Reply(status=403) if now == "unreadable" else record(name, now))
        if started
        else record(name, metadata=liar.created[0]["metadata"])
    )
    async with liar.agent(auto_approve_up_to=100) as agent:
        found = await agent.read("create_execution", tool_key="deeporigin.docking", inputs={}, start=True)
    assert OUTCOMES["unknown"] in found["next_step"]
    assert OUTCOMES["nothing_started"] not in found["next_step"]
    assert liar.confirmed == [named(99)]


@pytest.mark.parametrize("before", ["Quoted", "Running"])
@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
async def test_a_cancellation_whose_state_cannot_be_read_afterwards_has_an_unknown_outcome(
    liar: Liar, before: str, status: int
) -> None:
    sent: list[str] = []

    def cancel(name: str) -> dict[str, Any]:
        sent.append(name)
        return record(name, "Cancelled")

    liar.patch = cancel
    liar.get = lambda name, _: Reply(status=status) if sent else record(name, before)
    async with liar.agent() as agent:
        answer = await agent.call("cancel_execution", {"execution_id": named(1)})
        assert answer.error == ("outcome_unknown", "unknown")
        liar.get = lambda name, _: record(name, "Cancelled")
        assert (await agent.follow(answer.text))["status"] == "Cancelled"
    assert sent == [named(1)]


async def test_a_refused_confirmation_of_a_run_that_stays_quoted_counts_nothing(liar: Liar) -> None:
    liar.patch = lambda _: Reply({"message": "no"}, status=403)
    liar.get = lambda name, started: record(name)
    liar.rows = lambda _: []
    async with liar.agent(auto_approve_up_to=100, budget=10) as agent:
        for number in range(4):
            found = await agent.error("confirm_execution", execution_id=named(number))
            assert found.outcome == "nothing_started"
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 0
    assert len(liar.confirmed) == 4


async def test_an_id_in_capitals_is_the_same_run_and_is_counted_and_confirmed_once(liar: Liar) -> None:
    name = "abcdefab-6f0e-4f0b-9a55-0d3b6e1c7a11"
    liar.get = lambda asked, _: record(asked)
    liar.rows = lambda _: [record(name.upper(), "Running")]
    async with liar.agent(auto_approve_up_to=100, budget=100) as agent:
        await agent.call("confirm_execution", {"execution_id": name})
        assert (await agent.read("get_workspace"))["spending"]["spent"] == 5
        await agent.refused("confirm_execution", execution_id=name.upper())
    assert liar.confirmed == [name]


async def test_a_creation_that_is_answered_with_a_quote_of_others_does_not_start_that(liar: Liar) -> None:
    quotation = {"successfulQuotations": [{"priceTotal": 0}]}
    liar.create = lambda _: {"executionId": named(7), "status": "Quoted", "quotationResult": quotation}
    for metadata in ({"idempotency_key": "theirs"}, {}, None):
        liar.get = lambda name, _, metadata=metadata: record(name, price=0, metadata=metadata)  # type: ignore[misc]
        async with liar.agent() as agent:
            found = await agent.read("create_execution", tool_key="deeporigin.docking", inputs={}, start=True)
        assert "The platform shows another run" in found["next_step"]
    assert liar.confirmed == []


async def test_a_list_that_shows_a_quote_of_others_under_a_key_starts_nothing(liar: Liar) -> None:
    liar.rows = lambda _: [record(named(7), price=0, metadata={"idempotency_key": "k"})]
    liar.get = lambda name, _: record(name, price=0, metadata={"idempotency_key": "theirs"})
    async with liar.agent() as agent:
        arguments = {"tool_key": "deeporigin.docking", "inputs": {}, "idempotency_key": "k"}
        found = await agent.read("create_execution", **arguments, start=True)
    assert "The platform shows another run" in found["next_step"]
    assert liar.confirmed == []


OTHERS: dict[str, dict[str, Any]] = {
    "another tool": {"tool": {"key": "deeporigin.abfe", "version": "4.2.0"}},
    "another version": {"tool": {"key": "deeporigin.docking", "version": "5.0.0"}},
    "another project": {"projectId": "proj_2"},
}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("other", OTHERS)
async def test_a_yes_to_one_run_is_none_to_another_under_its_id(liar: Liar, mode: str, other: str) -> None:
    person = Person()

    def get(name: str, _: bool) -> dict[str, Any]:
        return record(name) | (OTHERS[other] if len(person.questions) == 1 else {})

    liar.get = get
    async with liar.agent(person=person, mode=mode) as agent:
        await agent.call("confirm_execution", {"execution_id": named(1)})
    # Asked about what it is by now, the person may say yes to that.
    assert liar.confirmed == [] or len(person.questions) > 1
