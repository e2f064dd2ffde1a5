"""The approval card: a person's yes in a client with MCP Apps, and what a model can do without the card."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.server.apps import EXTENSION_ID
from mcp_types import CallToolResult

from deeporigin_mcp.apps import pages
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS
from deeporigin_mcp.tools.executions import approve_execution, confirm_execution
from deeporigin_mcp.tools.spending import app
from deeporigin_mcp.tools.spending.app import META
from tests.support.bench import ERAS, Bench
from tests.support.browser import Browser
from tests.support.errors import error_of
from tests.support.fake_time import FakeTime
from tests.support.hosts import shows_apps
from tests.support.liars import lines_in, lying, named, record
from tests.support.people import DECLINE, Person, quoted, reprice

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]

CARD = "ui://deeporigin/approval"
PLATINUM = "N[Pt](N)(Cl)Cl"
"""No tool reads it."""


def host_of(bench: Bench, *, mode: str = "auto", person: Person | None = None, **settings: Any) -> Client:
    """A client that shows apps, and that asks this person, if there is one."""
    reply = person.reply if person else None
    settings = {"approval": ("elicitation", "app"), **settings}
    return Client(bench.server(**settings), mode=mode, extensions=[shows_apps()], elicitation_callback=reply)


async def confirm(host: Client, name: str, **more: Any) -> CallToolResult:
    arguments = {"execution_id": name, "wait_seconds": 0, **more}
    result = await host.call_tool("confirm_execution", arguments)
    assert isinstance(result, CallToolResult)
    return result


async def press(host: Client, name: str, nonce: str, approve: bool = True) -> CallToolResult:
    """What the card does when a button is pressed."""
    arguments = {"execution_id": name, "nonce": nonce, "approve": approve}
    result = await host.call_tool("approve_execution", arguments)
    assert isinstance(result, CallToolResult)
    return result


def card_of(result: CallToolResult) -> dict[str, Any]:
    """What only the card receives."""
    assert result.meta is not None
    card: dict[str, Any] = result.meta[META]
    return card


def nonce_of(result: CallToolResult) -> str:
    return str(card_of(result)["nonce"])


def content_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    return result.structured_content or {}


@pytest.mark.parametrize("mode", ERAS)
async def test_the_card_starts_the_run_once_and_the_model_sees_no_nonce(bench: Bench, mode: str) -> None:
    name = quoted(bench, 5, name="Kinase <b>screen</b>")
    async with host_of(bench, mode=mode) as host:
        asked = await confirm(host, name, expected_price=5)
        shown = content_of(asked)
        assert (shown["status"], shown["approval"]) == ("Quoted", "pending")
        card = card_of(asked)
        assert card["title"].startswith("Start this Deep Origin run for 5.00 USD")
        assert {"Tool", "Name", "Project", "Execution"} <= {label for label, _ in card["facts"]}
        assert card["nonce"] not in asked.model_dump_json(exclude={"meta"})
        assert not bench.platform.confirms
        started = content_of(await press(host, name, card["nonce"]))
        assert started["status"] in ("Queued", "Running", "Completed")
        assert bench.platform.confirms == [name]
        assert error_of(await press(host, name, card["nonce"])).code == "not_quoted"
        assert error_of(await confirm(host, name)).code == "not_quoted"
    assert bench.platform.confirms == [name]


async def test_a_call_that_waits_gets_what_the_card_started(bench: Bench) -> None:
    name = quoted(bench, 5)
    waited: list[CallToolResult] = []
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))

        async def wait() -> None:
            waited.append(await confirm(host, name))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await press(host, name, nonce)
    assert content_of(waited[0])["status"] != "Quoted"
    assert bench.platform.confirms == [name]


async def test_dont_starts_nothing_and_the_next_call_learns_it(bench: Bench) -> None:
    name = quoted(bench, 5)
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))
        assert content_of(await press(host, name, nonce, approve=False))["status"] == "Quoted"
        assert error_of(await press(host, name, nonce)).code == "used_nonce"
        assert error_of(await confirm(host, name)).code == "declined"
        again = await confirm(host, name)
        assert nonce_of(again) != nonce
    assert not bench.platform.confirms


@pytest.mark.parametrize("waits", [False, True])
async def test_a_no_on_the_card_is_on_record_once(bench: Bench, tmp_path: Path, waits: bool) -> None:
    log, name = tmp_path / "audit", quoted(bench, 5)
    async with host_of(bench, audit_log=log) as host:
        nonce = nonce_of(await confirm(host, name))

        async def wait() -> None:
            assert error_of(await confirm(host, name)).code == "declined"

        async with anyio.create_task_group() as tasks:
            if waits:
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await press(host, name, nonce, approve=False)
        if not waits:
            await wait()
    assert [line["decision"] for line in lines_in(log)] == ["refused"]


async def test_a_card_does_not_wait_for_a_platform_that_shows_no_quote(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = quoted(bench, 5)
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))
        monkeypatch.setattr(approve_execution, "READ_SECONDS", -1.0)
        refused = error_of(await press(host, name, nonce))
        assert (refused.code, refused.outcome) == ("platform_failed", "nothing_started")
        monkeypatch.undo()
        # It was not used up by that.
        await press(host, name, nonce)
    assert bench.platform.confirms == [name]


async def test_a_card_that_sees_the_run_end_names_what_it_lacks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approve_execution, "SHOWN_SECONDS", 40.0)
    inputs = {"ligands": [{"smiles": "CCO"}, {"smiles": PLATINUM}], "properties": ["herg"]}
    name = bench.platform.seed_run("deeporigin.admet-properties", inputs, ago_seconds=0, started=False)
    async with host_of(bench) as host:
        found = content_of(await press(host, name, nonce_of(await confirm(host, name))))
    assert (found["status"], found["requested"], found["returned"]) == ("Completed", 2, 1)
    assert [row["name"] for row in found["missing"]] == [PLATINUM]


async def test_a_card_is_told_first_that_its_run_costs_more_than_was_approved() -> None:
    async with lying() as liar:
        liar.get = lambda name, started: record(name, "Running", 50) if started else record(name)
        server = liar.server(FakeTime(), approval=("app",))
        async with Client(server, extensions=[shows_apps()]) as host:
            asked = await confirm(host, named(1))
            found = content_of(await press(host, named(1), nonce_of(asked)))
    assert next(iter(found)) == "warning"
    assert "50" in found["warning"]


async def test_two_questions_at_once_have_an_answer_each(bench: Bench) -> None:
    one, two = quoted(bench, 5), quoted(bench, 6)
    async with host_of(bench) as host:
        first, second = nonce_of(await confirm(host, one)), nonce_of(await confirm(host, two))
        assert error_of(await press(host, one, second)).code == "wrong_nonce"
        assert not bench.platform.confirms
        await press(host, two, second)
        await press(host, one, first, approve=False)
    assert bench.platform.confirms == [two]


async def test_of_two_clicks_at_once_one_counts(bench: Bench) -> None:
    name = quoted(bench, 5)
    results = []
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))

        async def click() -> None:
            results.append(await press(host, name, nonce))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(click)
            tasks.start_soon(click)
    assert sorted(bool(result.is_error) for result in results) == [False, True]
    assert bench.platform.confirms == [name]


async def test_a_yes_is_for_the_price_that_the_card_showed(bench: Bench) -> None:
    name = quoted(bench, 5)
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))
        reprice(bench, name, 6)
        assert error_of(await press(host, name, nonce)).code == "price_changed"
        assert not bench.platform.confirms
        again = await confirm(host, name, expected_price=6)
        assert "for 6.00 USD" in card_of(again)["title"]
        assert error_of(await press(host, name, nonce)).code == "price_changed"
        await press(host, name, nonce_of(again))
    assert bench.platform.confirms == [name]


async def test_a_late_click_starts_nothing(bench: Bench) -> None:
    name = quoted(bench, 5)
    async with host_of(bench) as host:
        nonce = nonce_of(await confirm(host, name))
        bench.time.slept_through_seconds = KEPT_SECONDS + 1
        assert error_of(await press(host, name, nonce)).code == "late_nonce"
    assert not bench.platform.confirms


def forged(nonce: str, **changed: Any) -> str:
    """A nonce with another content under the same seal."""
    content, _, seal = nonce.partition(".")
    asked = json.loads(base64.urlsafe_b64decode(content)) | changed
    return f"{base64.urlsafe_b64encode(json.dumps(asked).encode()).decode()}.{seal}"


@pytest.mark.parametrize("nonce", ["", ".", "x", "bm9uY2U=.bm9uY2U=", "é.é", "{}." + "A" * 44, "A" * 4000])
async def test_a_model_without_the_nonce_starts_nothing(bench: Bench, nonce: str) -> None:
    name = quoted(bench, 5)
    async with host_of(bench) as host:
        await confirm(host, name)
        assert error_of(await press(host, name, nonce)).code == "wrong_nonce"
    assert not bench.platform.confirms


async def test_a_nonce_cannot_be_rewritten_nor_come_from_elsewhere(bench: Bench) -> None:
    name, other = quoted(bench, 5), quoted(bench, 6)
    async with host_of(bench) as host, host_of(bench) as another_server:
        nonce = nonce_of(await confirm(host, name))
        for changed in ({"execution": other}, {"about": ["0 USD"]}, {"id": "new"}, {"since_boot": 1e9}):
            assert error_of(await press(host, other, forged(nonce, **changed))).code == "wrong_nonce"
        assert error_of(await press(another_server, name, nonce)).code == "wrong_nonce"
    assert not bench.platform.confirms


async def test_workers_with_the_operators_keys_know_each_others_cards(bench: Bench) -> None:
    name = quoted(bench, 5)
    keys = ("k" * 32,)
    async with host_of(bench, state_keys=keys) as one, host_of(bench, state_keys=keys) as two:
        nonce = nonce_of(await confirm(one, name))
        assert content_of(await press(two, name, nonce))["status"] != "Quoted"
        assert error_of(await press(one, name, nonce)).code == "not_quoted"
    assert bench.platform.confirms == [name]


@pytest.mark.parametrize("elsewhere", ["another organisation", "another platform"])
async def test_a_card_is_of_no_use_elsewhere_even_with_the_operators_keys(bench: Bench, elsewhere: str) -> None:
    keys: dict[str, Any] = {"state_keys": ("k" * 32,)}
    other: dict[str, Any] = {"another organisation": {"org_key": "acme"}, "another platform": {}}[elsewhere]
    if not other:
        # The same one by another name, so that all but the name is equal.
        other = {"base_url": bench.base_url.replace("127.0.0.1", "localhost")}
    async with host_of(bench, **keys) as one, host_of(bench, **keys, **other) as stranger:
        nonce = nonce_of(await confirm(one, name := quoted(bench, 5)))
        assert error_of(await press(stranger, name, nonce)).code == "wrong_nonce"
    assert not bench.platform.confirms


@pytest.mark.parametrize("waits", [False, True])
async def test_a_no_that_reaches_another_worker_is_learned_once_and_closes_the_question(
    bench: Bench, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LOOK_SECONDS", 0.01)
    name, keys = quoted(bench, 5), ("k" * 32,)
    async with contextlib.AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(host_of(bench, state_keys=keys)) for _ in range(3)]
        nonce = nonce_of(await confirm(one, name))
        told: list[str] = []

        async def confirm_again() -> None:
            told.append(error_of(await confirm(one, name)).code)

        async with anyio.create_task_group() as tasks:
            if waits:
                tasks.start_soon(confirm_again)
                await anyio.wait_all_tasks_blocked()
            assert content_of(await press(two, name, nonce, approve=False))["status"] == "Quoted"
            # One answer, whichever worker gets it.
            for host in (one, two, three):
                assert error_of(await press(host, name, nonce)).code == "used_nonce"
            if not waits:
                await confirm_again()
        assert told == ["declined"]
        for host in (one, two, three):
            assert nonce_of(await confirm(host, name)) != nonce
    assert not bench.platform.confirms


async def test_a_no_that_cannot_be_put_on_record_is_a_no_all_the_same(bench: Bench, tmp_path: Path) -> None:
    name = quoted(bench, 5)
    async with host_of(bench, state_keys=("k" * 32,), ledger=tmp_path / "ledger") as host:
        first, second = nonce_of(await confirm(host, name)), nonce_of(await confirm(host, quoted(bench, 6)))
        (tmp_path / "ledger").unlink()
        (tmp_path / "ledger").mkdir()
        assert content_of(await press(host, name, first, approve=False))["status"] == "Quoted"
        assert error_of(await press(host, name, second)).code == "wrong_nonce"
        assert error_of(await confirm(host, name)).code == "declined"
    assert not bench.platform.confirms


@pytest.mark.parametrize("limits", [{"max_price": 4}, {"budget": 4}, {"allowed_tool_keys": ("deeporigin.other",)}])
async def test_no_card_is_shown_for_what_a_limit_forbids(bench: Bench, limits: dict[str, Any]) -> None:
    async with host_of(bench, **limits) as host:
        refused = await confirm(host, quoted(bench, 5))
        assert refused.is_error
        assert META not in (refused.meta or {})
    assert not bench.platform.confirms


async def test_limits_hold_when_the_button_is_pressed(bench: Bench) -> None:
    one, two = quoted(bench, 5), quoted(bench, 5)
    async with host_of(bench, budget=8) as host:
        first, second = nonce_of(await confirm(host, one)), nonce_of(await confirm(host, two))
        await press(host, one, first)
        assert error_of(await press(host, two, second)).code == "over_budget"
    assert bench.platform.confirms == [one]


async def test_a_client_that_declines_by_itself_gets_the_card_next(bench: Bench) -> None:
    name = quoted(bench, 5)
    person = Person(DECLINE)
    async with host_of(bench, mode="legacy", person=person) as host:
        asked = await confirm(host, name)
        assert len(person.questions) == 1
        assert "declined" in content_of(asked)["look_for"]
        await press(host, name, nonce_of(asked))
    assert bench.platform.confirms == [name]


async def test_a_call_that_waits_for_the_card_goes_on_where_another_call_asks(
    bench: Bench, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = quoted(bench, 5)
    waited: list[CallToolResult] = []
    has_begun = anyio.Event()

    class Patience:
        """That of the first call is long, and nobody else's."""

        def __radd__(self, began: float) -> float:
            is_first = not has_begun.is_set()
            has_begun.set()
            return began + 30 * is_first

    async with host_of(bench, approval=("app", "browser")) as host:
        await confirm(host, name)
        monkeypatch.setattr(confirm_execution, "PERSON_SECONDS", Patience())

        async def wait() -> None:
            waited.append(await confirm(host, name))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await has_begun.wait()
            assert "page" in content_of(await confirm(host, name))["look_for"]
            await (await browser.page()).press("yes")
    assert content_of(waited[0])["status"] != "Quoted"
    assert bench.platform.confirms == [name]


async def test_where_the_way_is_off_there_is_no_card(bench: Bench) -> None:
    async with host_of(bench, approval=("elicitation",)) as host:
        assert error_of(await confirm(host, quoted(bench, 5))).code == "nobody_to_ask"


async def test_a_client_that_loses_the_meta_still_gets_every_fact_but_no_nonce(bench: Bench) -> None:
    name = quoted(bench, 5, name="Screen")
    async with host_of(bench) as host:
        asked = await confirm(host, name)
    assert nonce_of(asked) not in asked.model_dump_json(exclude={"meta"})
    shown = content_of(asked)
    assert {"execution_id", "name", "tool_key", "quoted_price", "approval", "look_for"} <= shown.keys()


async def test_a_client_without_apps_is_not_asked_by_a_card(bench: Bench) -> None:
    other = advertise(EXTENSION_ID, {"mimeTypes": ["text/html"]})
    async with Client(bench.server(approval=("app",)), extensions=[other]) as client:
        assert error_of(await confirm(client, quoted(bench, 5))).code == "nobody_to_ask"


async def test_without_the_tool_that_shows_it_there_is_no_card(bench: Bench) -> None:
    async with host_of(bench, read_only=True) as host:
        assert "approve_execution" not in [tool.name for tool in (await host.list_tools()).tools]
        assert CARD not in [resource.uri for resource in (await host.list_resources()).resources]


async def test_where_the_page_is_not_built_there_is_no_card(bench: Bench, built: Path) -> None:
    (built / pages.RESULTS).unlink()
    async with host_of(bench, approval=("app",)) as host:
        assert error_of(await confirm(host, quoted(bench, 5))).code == "nobody_to_ask"
