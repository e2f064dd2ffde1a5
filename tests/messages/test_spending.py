"""What is said about money: refusals and warnings of a start, and what a person is asked."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_types import CallToolResult, ElicitResult, ErrorData

from deeporigin_mcp import approve
from deeporigin_mcp.errors import DeepOriginError
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals import page
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from deeporigin_mcp.tools.approvals.ledger import Ledger
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, NOT_USED
from deeporigin_mcp.tools.approvals.question import NOTED
from deeporigin_mcp.tools.executions import confirm_execution as confirmation
from tests.messages.snapshot import assert_as_agreed, message_of
from tests.support.bench import Agent, Answer
from tests.support.browser import Browser, title_of
from tests.support.fake_time import FakeTime
from tests.support.liars import Liar, lying, named, record
from tests.support.people import CANCEL, DECLINE, NO, Person, form, quotation
from tests.support.recording import Reply

pytestmark = pytest.mark.anyio

DOCKING: dict[str, Any] = {"tool_key": "deeporigin.docking", "inputs": {}}
METABOLISM: dict[str, Any] = {"tool_key": "deeporigin.metabolism", "inputs": {"ligands": []}}
FREELY: dict[str, Any] = {"auto_approve_up_to": 1000}
NO_MONEY = {"message": "The balance of 1.00 USD does not cover 5.00 USD", "is_approved": False, "detail": "No money"}


async def called(
    tool: str,
    arguments: dict[str, Any] | None = None,
    prepare: Callable[[Liar], object] = lambda _: None,
    *,
    person: Person | None = None,
    mode: str = "legacy",
    times: int = 1,
    **limits: Any,
) -> Answer:
    """The last of so many calls of a tool, before a platform that a test has prepared."""
    given = {"execution_id": named(1)} if arguments is None else arguments
    if tool == "confirm_execution":
        # A wait for the run's end would read it once more.
        given = {"wait_seconds": 0, **given}
    async with lying() as liar:
        prepare(liar)
        async with liar.agent(person=person, mode=mode, **limits) as agent:
            for _ in range(times):
                answer = await agent.call(tool, given)
    return answer


async def refused(prepare: Callable[[Liar], object] = lambda _: None, **values: Any) -> str:
    answer = await called("confirm_execution", prepare=prepare, **values)
    assert answer.error
    return text_of(answer)


def text_of(answer: Answer) -> str:
    assert answer.error
    return f"code: {answer.error.code}\n{answer.text}"


def shows(before: dict[str, Any], after: Any = None, patch: Any = None) -> Callable[[Liar], None]:
    """A platform that shows an execution so before and after its confirmation, and answers that with this."""

    def prepare(liar: Liar) -> None:
        def get(name: str, started: bool) -> Any:
            became = before if after is None or not started else after
            return became if isinstance(became, Reply) else record(name) | became

        liar.get = get
        if patch is not None:
            liar.patch = lambda _: patch

    return prepare


def in_turn(states: Iterable[Any]) -> Callable[[Liar], None]:
    """A platform that shows an execution as each of these in turn."""

    def prepare(liar: Liar) -> None:
        left = iter(states)
        liar.get = lambda name, _: next(left)

    return prepare


async def limits() -> dict[str, str]:
    priceless = {"quotationResult": quotation(1, None)}
    return {
        "not a quote": await refused(shows({"status": "Running"})),
        "no complete price": await refused(shows(priceless), **FREELY),
        "another price": text_of(
            await called("confirm_execution", {"execution_id": named(1), "expected_price": 4}, **FREELY)
        ),
        "another tool": await refused(allowed_tool_keys=("acme.*", "deeporigin.abfe")),
        "above the limit for one run": await refused(max_price=4),
        "over the budget": await refused(budget=4, **FREELY),
        "over the limit of a day": await refused(max_per_day=4, **FREELY),
        "no person can be asked": await refused(),
    }


async def people() -> dict[str, str]:
    replies: dict[str, ElicitResult | ErrorData] = {
        "no": NO,
        "declined": DECLINE,
        "closed": CANCEL,
        "not understood": form(approve="perhaps"),
        "an error of the client": ErrorData(code=-32603, message="gone"),
    }
    return {f"a person: {case}": await refused(person=Person(reply)) for case, reply in replies.items()}


async def confirmations(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    refusal = Reply({"message": "Refused"}, status=403)
    unreadable = Reply({"message": "Busy"}, status=403)
    quoted: dict[str, Any] = {}
    messages = {
        "another run": await refused(
            in_turn(record(named(1), tool={"key": key}) for key in ("a.b", "a.c")), person=Person(), mode="legacy"
        ),
        "no money": await refused(
            shows(quoted, {"status": "InsufficientFunds"}, Reply(NO_MONEY, status=402)), **FREELY
        ),
        "no money, still Quoted": await refused(shows(quoted, quoted, Reply(NO_MONEY, status=402)), **FREELY),
        "refused, still Quoted": await refused(shows(quoted, quoted, refusal), **FREELY),
        "refused, but started": await refused(shows(quoted, {"status": "Running"}, refusal), **FREELY),
        "refused, state unreadable": await refused(shows(quoted, unreadable, refusal), **FREELY),
        "sent, state unreadable": await refused(shows(quoted, unreadable), **FREELY),
        "sent, still Quoted": await refused(shows(quoted, quoted, record(named(1))), **FREELY),
        "started by an earlier confirmation": await refused(
            in_turn(record(named(1), status) for status in ("Quoted", "Running", "Quoted")),
            times=2,
            **FREELY,
        ),
    }
    with monkeypatch.context() as patch:
        patch.setattr(confirmation, "READ_SECONDS", -1.0)
        messages["no quote in time"] = await refused(**FREELY)
    with monkeypatch.context() as patch:
        patch.setattr(confirmation, "CONFIRMED_BY_SECONDS", -1.0)
        messages["no outcome in time"] = await refused(**FREELY)
    return messages


async def cancellations() -> dict[str, str]:
    unreadable = Reply({"message": "Busy"}, status=403)
    states = [record(named(1), "Running")] * 2 + [unreadable]
    answer = await called("cancel_execution", prepare=in_turn(states))
    return {"a cancellation, state unreadable": text_of(answer)}


async def warnings() -> dict[str, str]:
    dear = {"status": "Running", "quotationResult": quotation(500)}

    def started(status: str, price: Any = 5, *, found: bool = False) -> Callable[[Liar], None]:
        def prepare(liar: Liar) -> None:
            liar.create = lambda body: record(named(99), status, price, metadata=body["metadata"])
            if found:
                liar.create = lambda _: Reply(status=502)
                liar.rows = lambda _: [
                    record(named(99), status, price, metadata=body["metadata"]) for body in liar.created
                ]

        return prepare

    answers = {
        "dearer than approved": await called("confirm_execution", prepare=shows({}, dear), **FREELY),
        "dearer than approved, over": await called(
            "confirm_execution", prepare=shows({}, dear | {"status": "Completed"}), **FREELY
        ),
        "started at its creation": await called("create_execution", DOCKING, started("Running")),
        "started at its creation, over": await called("create_execution", DOCKING, started("Completed")),
        "started at its creation, no price": await called("create_execution", DOCKING, started("Running", None)),
        "started, found later": await called("create_execution", DOCKING, started("Running", found=True)),
    }
    return {case: answer.content["warning"] for case, answer in answers.items()}


def starts_at_once(liar: Liar) -> None:
    tool = {"key": "deeporigin.metabolism", "version": "1.0.0"}
    liar.definition = {**tool, "inputs": {"type": "object"}}


async def unquoted(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    async def created(**values: Any) -> str:
        arguments = {**METABOLISM, "idempotency_key": "k"}
        return text_of(await called("create_execution", arguments, starts_at_once, **values))

    messages = {
        "no quote: no person can be asked": await created(),
        "no quote: limits": await created(budget=5),
        "no quote: no": await created(person=Person(NO)),
        "no quote: declined": await created(person=Person(DECLINE)),
    }
    monkeypatch.setattr("deeporigin_mcp.tools.executions.create_execution.PERSON_SECONDS", 0)
    messages["no quote: no reply yet"] = await created(person=Person(thinks=anyio.Event()))
    return messages


async def test_messages_about_spending(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {**await limits(), **await people(), **await confirmations(monkeypatch), **await cancellations()}
    assert_as_agreed("spending", {**found, **await warnings(), **await unquoted(monkeypatch)})


async def test_what_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [{"itemCode": f"I{number}", "priceTotal": number / 4} for number in range(12)]

    async def asked(tool: str, arguments: dict[str, Any] | None = None, **values: Any) -> str:
        person = Person(DECLINE)
        await called(tool, arguments, person=person, **values)
        return "\n".join(person.questions)

    messages = {
        "a quote": await asked("confirm_execution", prepare=shows({"name": "Kinase screen"})),
        "many items": await asked(
            "confirm_execution", prepare=shows({"quotationResult": {"successfulQuotations": items}})
        ),
        "no quote": await asked("create_execution", METABOLISM, prepare=starts_at_once),
    }
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
    pending = await called("confirm_execution", person=Person(thinks=anyio.Event()))
    messages["while it is open"] = "\n".join(f"{name}: {pending.content[name]}" for name in ("look_for", "next_step"))
    assert_as_agreed("elicitation", messages)


async def test_messages_about_a_person_at_this_machine(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    ways: dict[str, Any] = {"approval": ("elicitation", "browser", "terminal")}
    messages: dict[str, str] = {}

    async def answer_on_page(case: str, answer: str) -> None:
        shown = await browser.page()
        messages[f"page: {case}"] = title_of(await shown.press(answer))

    async def ask(case: str, answer: str, **values: Any) -> Answer:
        found: list[Answer] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer_on_page, case, answer)
            found.append(await called("confirm_execution", **ways, **values))
        return found[0]

    await ask("yes", "yes")
    messages["no"] = text_of(await ask("no", "no"))
    dearer = in_turn([record(named(1)), *[record(named(1), price=6)] * 9])
    messages["another price after a yes"] = text_of(await ask("yes, another price", "yes", prepare=dearer))
    async with lying() as liar, liar.agent(**ways) as agent, anyio.create_task_group() as tasks:

        async def withdraw() -> None:
            await browser.page()
            await agent.call("cancel_execution", {"execution_id": named(1)})

        tasks.start_soon(withdraw)
        messages["withdrawn meanwhile"] = await agent.refused("confirm_execution", execution_id=named(1))
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
    async with lying() as liar, liar.agent(**ways) as agent:
        pending = await agent.read("confirm_execution", execution_id=named(1), wait_seconds=0)
        messages["pending on a page"] = pending["look_for"]
        # Its program is started for as long as the server runs.
        await browser.opened()
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 35)
    monkeypatch.setenv("BROWSER", str(browser.folder / "missing"))
    messages["pending in a terminal"] = (await called("confirm_execution", **ways)).content["look_for"]
    texts = (NOTED, NOT_USED, page.DECLINED, page.CLOSED, page.INVALID)
    said = (approve.NOTHING, approve.NO_TERMINAL, approve.CLOSED, approve.NOT_TAKEN, approve.DECLINED)
    messages |= {f"page: {number}": text for number, text in enumerate(texts)}
    messages |= {f"terminal: {number}": text for number, text in enumerate(said)}
    assert_as_agreed("people", messages)


@pytest.mark.usefixtures("built")
async def test_messages_about_the_approval_card(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    ways: dict[str, Any] = {"approval": ("elicitation", "app", "terminal")}
    messages: dict[str, str] = {}
    price = [5]
    async with lying() as liar:
        liar.get = lambda name, _: record(name, price=price[0])
        time = FakeTime()
        extensions = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})]
        person = Person(DECLINE)
        async with Client(
            liar.server(time, **ways), mode="legacy", extensions=extensions, elicitation_callback=person.reply
        ) as client:
            agent = await Agent.connected(client)

            async def ask() -> tuple[str, str]:
                found = await client.call_tool("confirm_execution", {"execution_id": named(1), "wait_seconds": 0})
                assert isinstance(found, CallToolResult)
                card = (found.meta or {})["deeporigin/approval"]
                return str(card["nonce"]), str((found.structured_content or {})["look_for"])

            async def press(nonce: str, *, approve: bool = True) -> Answer:
                answer = {"execution_id": named(1), "nonce": nonce, "approve": approve}
                return await agent.call("approve_execution", answer)

            nonce, messages["after a form that was declined"] = await ask()
            messages["not from the card"] = text_of(await press("x"))
            price[0] = 6
            messages["another price"] = text_of(await press(nonce))
            price[0] = 5
            await press(nonce, approve=False)
            messages["answered before"] = text_of(await press(nonce))
            time.now += KEPT_SECONDS + 1
            messages["too old"] = text_of(await press(nonce))
            await ask()
            monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
            pending = await agent.read("confirm_execution", execution_id=named(1), wait_seconds=0)
            messages["the card was not answered"] = pending["look_for"]
    assert_as_agreed("card", messages)


def error_of(action: Callable[[], object]) -> str:
    with pytest.raises(DeepOriginError) as raised:
        action()
    return message_of(raised.value)


async def test_messages_about_what_cannot_be_put_on_record(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database" * 100)
    with contextlib.closing(sqlite3.connect(tmp_path / "newer")) as database:
        database.execute("PRAGMA user_version = 99")
    os.mkfifo(tmp_path / "pipe")
    messages = {
        f"ledger: {name}": error_of(lambda name=name: Ledger.checked(Settings(ledger=tmp_path / name)))  # type: ignore[misc]
        for name in ("text", "newer", "pipe", "missing/ledger")
    }
    messages["ledger: no home directory"] = error_of(Ledger(None, is_named=False).open)
    async with lying() as liar:
        liar.rows = lambda _: []
        ledger = tmp_path / "ledger"
        async with liar.agent(ledger=ledger, budget=100, **FREELY) as agent:
            await agent.read("confirm_execution", execution_id=named(1))
            with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as database:
                database.execute("UPDATE runs SET state = 'x'")
            messages["ledger: damaged"] = text_of(await agent.call("confirm_execution", {"execution_id": named(2)}))
            ledger.unlink()
            messages["ledger: taken away"] = text_of(await agent.call("confirm_execution", {"execution_id": named(2)}))
        log = tmp_path / "audit"
        async with liar.agent(audit_log=log, **FREELY) as agent:
            log.unlink()
            log.mkdir()
            messages["audit log: a folder"] = text_of(await agent.call("confirm_execution", {"execution_id": named(3)}))
    messages["audit log: at the start"] = error_of(lambda: AuditLog.checked(log))
    assert_as_agreed("approvals", messages)
