"""The approval page in a real browser: what a person does there, and what other pages in that browser can do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from deeporigin_mcp.tools.executions import confirm_execution as confirmation
from tests.browser.accessibility import problems_of
from tests.browser.chromium import FOREIGN_SITE
from tests.browser.pictures import take
from tests.support.bench import Agent, Answer, Bench, bench_token
from tests.support.browser import Browser
from tests.support.people import quotation, quoted, reprice
from tests.support.processes import ORGANISATION, environment

pytestmark = pytest.mark.anyio

SCREENS = {"desktop": {"width": 1280, "height": 720}, "phone": {"width": 390, "height": 844}}
MARKUP = "</p></dd><script>window.pwned=1</script><img src=x onerror='pwned=1'><b>bold</b>&lt;$title"
SECONDS = 8.0
"""Far more than anything here takes; reached only where something hangs."""


@dataclass
class Confirming:
    """A client that cannot ask, and the page that its call opened in Chromium."""

    agent: Agent
    browser: Browser
    context: Any
    name: str
    answer: Answer | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)

    async def call(self) -> None:
        arguments = {"execution_id": self.name, "wait_seconds": 0}
        self.answer = await self.agent.call("confirm_execution", arguments)
        self.ended.set()

    async def page(self) -> Any:
        """What the user sees when the program that opens addresses has handed its argument to Chromium."""
        page = await self.context.new_page()
        await opened(page, await self.browser.opened())
        return page

    @property
    def code(self) -> str:
        assert self.answer is not None
        return self.answer.error.code if self.answer.error else ""


async def opened(page: Any, address: str) -> None:
    await page.goto(address)
    await page.wait_for_url("http://127.0.0.1:*/**")
    await page.wait_for_selector("h1")


@contextlib.asynccontextmanager
async def confirming(
    bench: Bench, browser: Browser, chromium: Any, name: str, **options: Any
) -> AsyncIterator[Confirming]:
    """A confirmation that waits for a person; it ends with the block."""
    context = await chromium.new_context(viewport=options.pop("viewport", SCREENS["desktop"]), **options)
    with anyio.fail_after(SECONDS):
        async with bench.agent(approval=("elicitation", "browser")) as agent, anyio.create_task_group() as tasks:
            found = Confirming(agent, browser, context, name)
            tasks.start_soon(found.call)
            yield found
    await context.close()


async def press(page: Any, label: str) -> str:
    """Press a button; the heading that the browser shows then."""
    await page.get_by_role("button", name=label).click()
    return await heading(page)


async def heading(page: Any) -> str:
    return str(await page.locator("h1").inner_text())


async def decline(page: Any) -> None:
    assert (await press(page, "Don\u2019t")).startswith("Not started.")


async def test_the_button_starts_the_run_once_for_a_client_over_stdio(
    bench: Bench, browser: Browser, chromium: Any, tmp_path: Path
) -> None:
    name = quoted(bench, 5)
    variables = {
        "DO_BASE_URL": bench.base_url,
        "DO_AUTH_TOKEN": bench_token(),
        "DO_ORG_KEY": ORGANISATION,
        **browser.variables(),
    }
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "deeporigin_mcp"], env=environment(tmp_path, **variables)
    )
    started: list[Any] = []
    async with Client(stdio_client(server)) as client, anyio.create_task_group() as tasks:

        async def confirm() -> None:
            arguments = {"execution_id": name, "wait_seconds": 0}
            started.append(await client.call_tool("confirm_execution", arguments))

        tasks.start_soon(confirm)
        page = await chromium.new_page()
        await opened(page, await browser.opened())
        where = "on a simulated platform, where nothing is real"
        assert await heading(page) == f"Start this Deep Origin run for 5.00 USD, charged to {ORGANISATION} {where}?"
        assert (await press(page, "Start for 5.00 USD")).startswith("Started.")
        await page.close()
    assert not started[0].is_error
    assert bench.platform.confirms == [name]


async def test_dont_starts_nothing_and_going_back_offers_no_second_answer(
    bench: Bench, browser: Browser, chromium: Any
) -> None:
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        page = await asked.page()
        address = page.url
        await decline(page)
        await page.goto(address)
        assert await page.get_by_role("button").count() == 0
    assert asked.code == "declined"
    assert not bench.platform.confirms


async def test_a_closed_tab_is_no_answer(
    bench: Bench, browser: Browser, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 1.0)
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        await (await asked.page()).close()
    assert asked.answer is not None
    assert asked.answer.content["approval"] == "pending"
    assert "deeporigin-mcp approve" in asked.answer.content["look_for"]
    assert not bench.platform.confirms


async def test_a_yes_after_the_call_has_ended_is_used_by_the_next_one(
    bench: Bench, browser: Browser, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "PERSON_SECONDS", 0.0)
    name = quoted(bench, 5)
    async with confirming(bench, browser, chromium, name) as asked:
        await asked.ended.wait()
        page = await asked.page()
        monkeypatch.setattr("deeporigin_mcp.tools.approvals.page.OUTCOME_SECONDS", 0.0)
        assert (await press(page, "Start for 5.00 USD")).startswith("Your yes is noted")
        assert not bench.platform.confirms
        monkeypatch.setattr(confirmation, "PERSON_SECONDS", 35.0)
        await asked.agent.read("confirm_execution", execution_id=name, wait_seconds=0)
    assert bench.platform.confirms == [name]


async def test_a_double_click_starts_it_once(bench: Bench, browser: Browser, chromium: Any) -> None:
    name = quoted(bench, 5)
    async with confirming(bench, browser, chromium, name) as asked:
        page = await asked.page()
        await page.get_by_role("button", name="Start for").dblclick()
        await page.get_by_role("heading", name="Started.").wait_for()
    assert bench.platform.confirms == [name]


async def test_a_price_that_changed_meanwhile_is_not_paid(bench: Bench, browser: Browser, chromium: Any) -> None:
    name = quoted(bench, 5)
    async with confirming(bench, browser, chromium, name) as asked:
        page = await asked.page()
        reprice(bench, name, 6)
        assert (await press(page, "Start for 5.00 USD")).startswith("It was not started")
    assert not bench.platform.confirms


async def test_it_works_without_scripts(bench: Bench, browser: Browser, chromium: Any) -> None:
    name = quoted(bench, 5)
    async with confirming(bench, browser, chromium, name, java_script_enabled=False) as asked:
        assert (await press(await asked.page(), "Start for 5.00 USD")).startswith("Started.")
    assert bench.platform.confirms == [name]


@pytest.mark.parametrize(("tabs", "confirms"), [(1, True), (2, False)])
async def test_it_works_by_keyboard_and_no_button_is_chosen_at_first(
    bench: Bench, browser: Browser, chromium: Any, tabs: int, confirms: bool
) -> None:
    name = quoted(bench, 5)
    async with confirming(bench, browser, chromium, name) as asked:
        page = await asked.page()
        for key in ("Enter", "Space"):
            await page.keyboard.press(key)
        assert not bench.platform.confirms
        while await page.evaluate("document.activeElement.tagName") != "BUTTON":
            await page.keyboard.press("Tab")
        for _ in range(tabs - 1):
            await page.keyboard.press("Tab")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Started." if confirms else "Not started.").wait_for()
    assert bench.platform.confirms == ([name] if confirms else [])


def hostile(bench: Bench) -> str:
    """A quote with markup in every field that a user of the platform can set."""
    name = quoted(
        bench,
        name=MARKUP,
        tool={"key": f"deeporigin.{MARKUP}", "version": MARKUP},
        projectId=MARKUP,
        userInputs={MARKUP: MARKUP, "ligands": [{"smiles": MARKUP}]},
        quotationResult=quotation(5),
    )
    rows = bench.platform.executions[name].stored["quotationResult"]["successfulQuotations"]
    rows[0] |= {"itemCode": MARKUP, "itemName": MARKUP, "name": MARKUP}
    return name


async def test_markup_in_any_value_is_text(bench: Bench, browser: Browser, chromium: Any) -> None:
    async with confirming(bench, browser, chromium, hostile(bench)) as asked:
        page = await asked.page()
        assert await page.evaluate("window.pwned") is None
        for element, count in (("script", 0), ("img", 0), ("b", 1), ("form", 1), ("button", 2), ("h1", 1)):
            assert await page.locator(element).count() == count, element
        assert "<script>window.pwned=1</script>" in await page.locator("main").inner_text()
        await decline(page)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_screen_and_everybody_can_read_it(
    bench: Bench, browser: Browser, chromium: Any, screen: str, scheme: str
) -> None:
    name = quoted(
        bench,
        10.1,
        name="PIM1 hinge binders, second round",
        userInputs={"ligands": [{"smiles": "CCO"}] * 3, "protein": {"id": "08DEPR0TE1N00"}, "effort": 3},
    )
    options = {"viewport": SCREENS[screen], "color_scheme": scheme}
    async with confirming(bench, browser, chromium, name, **options) as asked:
        page = await asked.page()
        await assert_no_scrolling(page)
        assert await problems_of(page) == []
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        bright = sum(int(part) for part in ground.strip("rgb()").split(",")) > 3 * 128
        assert bright is (scheme == "light")
        if screen == "desktop":
            await take(page, "approval" if scheme == "light" else "approval-dark")
        await decline(page)
        await assert_no_scrolling(page)
        assert await problems_of(page) == []


async def assert_no_scrolling(page: Any) -> None:
    size = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight, innerWidth, innerHeight]"
    width, height, inner_width, inner_height = await page.evaluate(size)
    assert (width <= inner_width, height <= inner_height) == (True, True), (width, height)


@pytest.mark.parametrize("screen", SCREENS)
async def test_both_buttons_are_in_sight_however_long_the_values_are(
    bench: Bench, browser: Browser, chromium: Any, screen: str
) -> None:
    name = quoted(
        bench,
        *range(1, 40),
        name="W" * 500,
        tool={"key": "deeporigin." + "k" * 200, "version": "9" * 200},
        projectId="P" * 200,
        userInputs={"ligands": [{"smiles": "C" * 200}] * 50, **{f"parameter{n}": "v" * 200 for n in range(20)}},
    )
    async with confirming(bench, browser, chromium, name, viewport=SCREENS[screen]) as asked:
        page = await asked.page()
        buttons = "[...document.querySelectorAll('button')]"
        bottoms = await page.evaluate(f"{buttons}.map(button => button.getBoundingClientRect().bottom)")
        assert max(bottoms) <= SCREENS[screen]["height"]
        await decline(page)


# Other pages in the same browser. They are even given the address, which they cannot know.


@contextlib.asynccontextmanager
async def foreign(asked: Confirming, body: str) -> AsyncIterator[Any]:
    """A page of another site in the same browser, with this content."""

    async def serve(route: Any) -> None:
        await route.fulfill(content_type="text/html", body=f"<!doctype html>{body}")

    await asked.context.route(f"http://{FOREIGN_SITE}/**", serve)
    page = await asked.context.new_page()
    await page.goto(f"http://{FOREIGN_SITE}/")
    yield page


@pytest.mark.parametrize("field", ["", "<input name=token value=guess>"])
@pytest.mark.parametrize("policy", ["", '<meta name="referrer" content="no-referrer">'])
async def test_a_form_of_another_site_answers_nothing(
    bench: Bench, browser: Browser, chromium: Any, field: str, policy: str
) -> None:
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        page = await asked.page()
        inputs = f"<input name=answer value=yes>{field}<button>go</button>"
        form = f'{policy}<form method=post action="{page.url}">{inputs}</form>'
        async with foreign(asked, form) as other:
            async with other.expect_response(page.url) as posted:
                await other.get_by_role("button").click()
            assert (await posted.value).status == 403
        assert not bench.platform.confirms
        await decline(page)
    assert not bench.platform.confirms


async def test_another_site_can_neither_frame_nor_read_it_nor_reach_its_window(
    bench: Bench, browser: Browser, chromium: Any
) -> None:
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        page = await asked.page()
        async with foreign(asked, f'<iframe src="{page.url}"></iframe>') as other:
            await other.wait_for_timeout(300)
            framed = [frame for frame in other.frames if frame is not other.main_frame]
            for frame in framed:
                assert await frame.locator("button").count() == 0
            read = "(address, mode) => fetch(address, {mode}).then(r => r.text()).catch(e => 'refused')"
            for mode in ("cors", "no-cors"):
                text = await other.evaluate(f"([address, mode]) => ({read})(address, mode)", [page.url, mode])
                assert text in ("refused", "")
            body = "{method: 'POST', mode: 'no-cors', body: new URLSearchParams({answer: 'yes'})}"
            await other.evaluate(f"address => fetch(address, {body}).then(() => 0, () => 0)", page.url)
            async with asked.context.expect_page() as popup:
                await other.evaluate("address => { window.shown = window.open(address); }", page.url)
            shown = await popup.value
            await shown.wait_for_selector("h1")
            assert await shown.evaluate("window.opener") is None
            assert (
                await other.evaluate(
                    "(() => { try { return window.shown.document.body.innerHTML } catch { return '' } })()"
                )
                == ""
            )
            assert await other.evaluate("window.shown.closed")
        assert not bench.platform.confirms
        await decline(page)
    assert not bench.platform.confirms


async def test_a_name_that_leads_to_this_machine_shows_nothing(bench: Bench, browser: Browser, chromium: Any) -> None:
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        page = await asked.page()
        address = urlsplit(page.url)
        other = await asked.context.new_page()
        for path in (address.path, "/"):
            response = await other.goto(f"http://{FOREIGN_SITE}:{address.port}{path}")
            assert response.status == 404
            assert await other.get_by_role("button").count() == 0
        await decline(page)


async def test_another_site_cannot_tell_by_loading_whether_an_address_is_the_right_one(
    bench: Bench, browser: Browser, chromium: Any
) -> None:
    loads = """address => new Promise(done => {
        const image = new Image();
        image.onload = () => done("load");
        image.onerror = () => done("error");
        image.src = address;
    })"""
    async with confirming(bench, browser, chromium, quoted(bench, 5)) as asked:
        page = await asked.page()
        async with foreign(asked, "") as other:
            outcomes = {await other.evaluate(loads, address) for address in (page.url, f"{page.url}x")}
        assert outcomes == {"error"}
        await decline(page)
