"""The approval page: a person's yes where the client cannot ask, and what else reaches its address."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
from mcp_types import ElicitResult

from deeporigin_mcp.tools.approvals import page
from deeporigin_mcp.tools.approvals.pending import KEPT_SECONDS, NOT_USED
from deeporigin_mcp.tools.approvals.question import NOTED
from deeporigin_mcp.tools.executions import confirm_execution as confirmation
from tests.support.bench import Agent, Answer, Bench
from tests.support.browser import Browser, PageInBrowser, title_of
from tests.support.liars import lying, named, record
from tests.support.people import CANCEL, DECLINE, NO, Person, agent_with, quoted, reprice

pytestmark = pytest.mark.anyio

WAYS: dict[str, Any] = {"approval": ("elicitation", "browser", "terminal")}


@pytest.fixture
async def agent(bench: Bench, browser: Browser) -> AsyncIterator[Agent]:
    """An agent whose client cannot ask."""
    async with bench.agent(**WAYS) as agent:
        yield agent


class Confirming:
    """A confirmation that waits for a person."""

    def __init__(self, agent: Agent, execution_id: str) -> None:
        self._agent, self._execution_id = agent, execution_id
        self._answer: Answer | None = None

    async def call(self) -> None:
        arguments = {"execution_id": self._execution_id, "wait_seconds": 0}
        self._answer = await self._agent.call("confirm_execution", arguments)

    @property
    def answer(self) -> Answer:
        assert self._answer is not None
        return self._answer

    @property
    def code(self) -> str:
        return self.answer.error.code if self.answer.error else ""


async def asked(
    agent: Agent,
    browser: Browser,
    execution_id: str,
    then: Callable[[PageInBrowser], Any],
) -> Confirming:
    """Confirm, and do something with the page that opens."""
    confirming = Confirming(agent, execution_id)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(confirming.call)
        await then(await browser.page())
    return confirming


async def test_the_button_starts_the_run_once_and_the_page_says_so(
    agent: Agent,
    bench: Bench,
    browser: Browser,
) -> None:
    name = quoted(bench, 5, name="Kinase <b>screen</b>")

    async def press(shown: PageInBrowser) -> None:
        assert "Start this Deep Origin run for 5.00 USD" in shown.title
        for part in ("deeporigin.docking", "Kinase &lt;b&gt;screen&lt;/b&gt;", "Start for 5.00 USD", name):
            assert part in shown.response.text
        assert title_of(await shown.press("yes")).startswith("Started.")
        assert title_of(await shown.press("yes")).startswith("Started.")
        assert title_of(await shown.press("no")).startswith("Started.")

    done = await asked(agent, browser, name, press)
    assert not done.answer.is_error
    assert bench.platform.confirms == [name]
    assert not [*browser.questions.iterdir()]


async def test_the_page_does_not_say_started_of_what_the_platform_did_not_start(browser: Browser) -> None:
    async with lying() as liar, liar.agent(**WAYS) as agent:
        liar.get = lambda name, sent: record(name, "InsufficientFunds" if sent else "Quoted")

        async def press(shown: PageInBrowser) -> None:
            assert title_of(await shown.press("yes")).startswith("It was not started")

        done = await asked(agent, browser, named(1), press)
    assert done.answer.content["status"] == "InsufficientFunds"


async def test_a_page_that_cannot_be_served_does_not_end_the_server(
    agent: Agent, bench: Bench, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    found = await agent.read("confirm_execution", execution_id=quoted(bench, 5))
    assert found["approval"] == "pending"
    await browser.opened()
    assert (await agent.read("confirm_execution", execution_id=found["execution_id"]))["approval"] == "pending"
    assert not bench.platform.confirms


async def test_dont_starts_nothing_and_a_later_yes_is_none(
    agent: Agent,
    bench: Bench,
    browser: Browser,
) -> None:
    async def press(shown: PageInBrowser) -> None:
        assert title_of(await shown.press("no")).startswith("Not started.")
        assert title_of(await shown.press("yes")).startswith("Not started.")

    done = await asked(agent, browser, quoted(bench, 5), press)
    assert done.code == "declined"
    assert not bench.platform.confirms


@pytest.mark.parametrize("changes", [False, True])
async def test_a_yes_after_the_call_has_returned_counts_once_and_only_at_its_price(
    agent: Agent,
    bench: Bench,
    browser: Browser,
    changes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
    monkeypatch.setattr(page, "OUTCOME_SECONDS", 0)
    name = quoted(bench, 5)
    found = await agent.read("confirm_execution", execution_id=name, expected_price=5)
    assert (found["status"], found["approval"]) == ("Quoted", "pending")
    shown = await browser.page()
    assert title_of(await shown.press("yes")) == NOTED
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 35)
    if changes:
        reprice(bench, name, 6)
        confirming = Confirming(agent, name)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(confirming.call)
            again = await browser.page()
            assert "for 6.00 USD" in again.title
            # What was noted was dropped with the old price.
            assert title_of(await shown.press("yes")) == NOT_USED
            await again.press("no")
        assert not bench.platform.confirms
        return
    await agent.read("confirm_execution", execution_id=name, expected_price=5, wait_seconds=0)
    assert bench.platform.confirms == [name]


async def test_a_click_after_a_night_is_told_that_it_does_not_count(
    agent: Agent, bench: Bench, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0)
    monkeypatch.setattr(page, "OUTCOME_SECONDS", 0)
    name = quoted(bench, 5)
    await agent.read("confirm_execution", execution_id=name)
    shown = await browser.page()
    bench.time.slept_through_seconds = KEPT_SECONDS + 1
    assert title_of(await shown.press("yes")) == page.CLOSED
    assert (await PageInBrowser.at(shown.address)).title == page.CLOSED
    assert (await agent.read("confirm_execution", execution_id=name))["approval"] == "pending"
    await browser.page()
    assert not bench.platform.confirms


async def test_a_quote_that_is_withdrawn_closes_its_page_and_opens_nothing_else(
    agent: Agent, bench: Bench, browser: Browser
) -> None:
    name = quoted(bench, 5)

    async def withdraw(shown: PageInBrowser) -> None:
        await agent.read("cancel_execution", execution_id=name)
        assert title_of(await shown.press("yes")) == page.CLOSED

    done = await asked(agent, browser, name, withdraw)
    assert done.code == "question_withdrawn"
    assert not [*browser.questions.iterdir()]
    assert not bench.platform.confirms


async def test_a_price_that_changes_while_the_page_is_open_needs_another_yes(
    agent: Agent,
    bench: Bench,
    browser: Browser,
) -> None:
    name = quoted(bench, 5)

    async def press(shown: PageInBrowser) -> None:
        reprice(bench, name, 6)
        assert title_of(await shown.press("yes")).startswith("It was not started:")

    done = await asked(agent, browser, name, press)
    assert done.code == "price_changed"
    assert not bench.platform.confirms


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Origin": ""}, None),
        ({"Host": "evil.example"}, None),
        ({"Host": "localhost"}, None),
        ({}, ""),
        ({}, "x" * 43),
    ],
)
async def test_what_does_not_come_from_the_page_itself_answers_nothing(
    agent: Agent,
    bench: Bench,
    browser: Browser,
    headers: dict[str, str],
    token: str | None,
) -> None:
    async def press(shown: PageInBrowser) -> None:
        response = await shown.press("yes", token=token, **headers)
        assert response.status_code in (403, 404)
        assert shown.token not in response.text
        assert not bench.platform.confirms
        await shown.press("no")

    assert (await asked(agent, browser, quoted(bench, 5), press)).code == "declined"


async def test_a_guessed_address_and_a_read_of_the_page_answer_nothing(
    agent: Agent,
    bench: Bench,
    browser: Browser,
) -> None:
    async def press(shown: PageInBrowser) -> None:
        for path in ("/", "/favicon.ico", f"/{'A' * 43}", f"{shown.address[len(shown.origin) :]}x"):
            for method in ("GET", "POST", "PUT"):
                async with httpx.AsyncClient(trust_env=False) as client:
                    response = await client.request(method, f"{shown.origin}{path}", headers={"Origin": shown.origin})
                assert response.status_code in (404, 405)
                assert shown.token not in response.text
        async with httpx.AsyncClient(trust_env=False) as client:
            large = await client.post(shown.address, content=b"a" * 100_000, headers={"Origin": shown.origin})
        assert large.status_code == 403
        await shown.press("perhaps")

    # Anything else than yes is no.
    assert (await asked(agent, browser, quoted(bench, 5), press)).code == "declined"


async def test_the_page_may_not_be_framed_cached_scripted_or_sent_elsewhere(
    agent: Agent,
    bench: Bench,
    browser: Browser,
) -> None:
    async def look(shown: PageInBrowser) -> None:
        headers = shown.response.headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert "script-src" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
        assert "<script" not in shown.response.text
        await shown.press("no")

    await asked(agent, browser, quoted(bench, 5), look)


async def test_the_address_is_in_no_command_line_environment_log_or_answer(
    agent: Agent,
    bench: Bench,
    browser: Browser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    name = quoted(bench, 5)
    confirming = Confirming(agent, name)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(confirming.call)
        opened = await browser.opened()
        assert opened.startswith("file://")
        (redirect,) = (path for path in browser.questions.iterdir() if path.suffix == ".html")
        assert redirect.as_uri() == opened
        assert redirect.stat().st_mode & 0o077 == browser.questions.stat().st_mode & 0o077 == 0
        address = re.findall(r'url=([^"]+)"', redirect.read_text())[0]
        shown = await PageInBrowser.at(address)
        assert not redirect.exists()
        await shown.press("yes")
    secret = address.rsplit("/", 1)[-1]
    environment = (browser.folder / "environment").read_text()
    assert "DO_AUTH_TOKEN" not in environment
    # The test's own client logs where it went.
    logged = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith("http"))
    for text in (opened, environment, logged, confirming.answer.text, str(confirming.answer.content)):
        assert secret not in text
        assert shown.token not in text
        assert shown.origin not in text


async def test_two_questions_at_once_have_a_page_each(agent: Agent, bench: Bench, browser: Browser) -> None:
    first, second = quoted(bench, 5), quoted(bench, 7)
    confirming = [Confirming(agent, name) for name in (first, second)]
    async with anyio.create_task_group() as tasks:
        pages = {}
        for each in confirming:
            tasks.start_soon(each.call)
            shown = await browser.page()
            pages[shown.title] = shown
        of_first = next(shown for title, shown in pages.items() if "5.00 USD" in title)
        of_second = next(shown for title, shown in pages.items() if "7.00 USD" in title)
        # A token of one is none for the other.
        assert (await of_second.press("yes", token=of_first.token)).status_code == 403
        await of_second.press("yes")
        await of_first.press("no")
    assert bench.platform.confirms == [second]
    assert confirming[0].code == "declined"


async def test_a_browser_that_cannot_be_opened_leaves_the_terminal(
    bench: Bench,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BROWSER", str(browser.folder / "missing"))
    async with bench.agent(**WAYS) as agent:
        found = await agent.read("confirm_execution", execution_id=quoted(bench, 5))
    assert found["approval"] == "pending"
    assert "deeporigin-mcp approve" in found["look_for"]
    assert "page" not in found["look_for"]


async def test_a_browser_that_ends_with_its_window_outlives_the_server_and_the_program_that_opened_it_does_not(
    bench: Bench,
    browser: Browser,
) -> None:
    os.mkfifo(browser.folder / "window")
    browser.program.write_text(
        f'#!/bin/sh\necho $PPID > "{browser.folder}/opener"\necho "$@" > "{browser.folder}/opened"\n'
        f'read closed < "{browser.folder}/window"\necho "$closed" > "{browser.folder}/opened"\n'
    )
    async with bench.agent(**WAYS) as agent, anyio.create_task_group() as tasks:
        tasks.start_soon(Confirming(agent, quoted(bench, 5)).call)
        await browser.opened()
        tasks.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int((browser.folder / "opener").read_text()), 0)
    await anyio.Path(browser.folder / "window").write_text("closed\n")
    assert await browser.opened() == "closed"


@pytest.mark.parametrize("setting", [("elicitation",), ("elicitation", "browser")])
async def test_a_way_that_the_operator_leaves_out_is_not_tried(
    bench: Bench,
    browser: Browser,
    setting: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    async with bench.agent(approval=setting) as agent:
        found = await agent.error("confirm_execution", execution_id=quoted(bench, 5))
    assert found == ("nobody_to_ask", "nothing_started")
    assert not browser.questions.exists()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("answer", [DECLINE, CANCEL])
async def test_after_a_form_that_the_client_may_have_dismissed_by_itself_the_page_opens(
    bench: Bench,
    browser: Browser,
    mode: str,
    answer: ElicitResult,
) -> None:
    person = Person(answer)
    async with agent_with(bench.server(**WAYS), person, mode=mode) as agent:
        done = await asked(agent, browser, name := quoted(bench, 5), lambda shown: shown.press("yes"))
    assert not done.answer.is_error
    assert bench.platform.confirms == [name]
    assert len(person.questions) == 1


async def test_after_a_form_that_a_person_answered_with_no_no_page_opens(bench: Bench, browser: Browser) -> None:
    async with agent_with(bench.server(**WAYS), Person(NO), mode="legacy") as agent:
        assert await agent.error("confirm_execution", execution_id=quoted(bench, 5)) == ("declined", "nothing_started")
    assert not browser.questions.exists()


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_price": 4}, "above_max_price"),
        ({"budget": 4}, "over_budget"),
        ({"max_per_day": 4}, "over_daily_limit"),
        ({"allowed_tool_keys": ("deeporigin.admet*",)}, "tool_not_allowed"),
    ],
)
async def test_what_a_limit_forbids_opens_no_page(
    bench: Bench,
    browser: Browser,
    limits: dict[str, Any],
    code: str,
) -> None:
    async with bench.agent(**WAYS, **limits) as agent:
        assert await agent.error("confirm_execution", execution_id=quoted(bench, 5)) == (code, "nothing_started")
    assert not browser.questions.exists()


async def test_the_page_says_what_the_limits_leave(bench: Bench, browser: Browser) -> None:
    async def look(shown: PageInBrowser) -> None:
        assert "7.00 USD of 12.00 USD for the budget are left afterwards" in shown.response.text
        assert "15.00 USD of 20.00 USD for 24 hours are left afterwards" in shown.response.text
        await shown.press("no")

    async with bench.agent(**WAYS, budget=12, max_per_day=20) as agent:
        await asked(agent, browser, quoted(bench, 5), look)
