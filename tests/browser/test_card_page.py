"""The approval card in a real browser, in a host that carries its answer to a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client

from deeporigin_mcp.tools.executions import approve_execution
from tests.browser.accessibility import problems_of
from tests.browser.app_host import AppHost, hosted
from tests.browser.pictures import take
from tests.support.bench import Bench
from tests.support.hosts import host_of
from tests.support.people import quoted, reprice

pytestmark = pytest.mark.anyio

CARD = "ui://deeporigin/approval"
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028\u202e\"'<b>&amp;</dd>"


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with host_of(bench, approval=("elicitation", "app")) as client:
        yield client


async def confirm(host: AppHost, name: str) -> None:
    await host.call("confirm_execution", execution_id=name, wait_seconds=0)


async def test_the_button_starts_the_run_once_and_says_what_is_known(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = quoted(bench, 5, name="Kinase screen")
    async with hosted(chromium, client, CARD) as host:
        # The page's time stands still, however long this machine takes to look.
        await host.page.clock.pause_at(await host.page.evaluate("Date.now() / 1000 + 1"))
        await confirm(host, name)
        await host.until("#start", "Start for 5.00 USD")
        assert "Kinase screen" in await host.text("#facts")
        # It takes no click that was meant for what was there before.
        assert await host.frame.is_disabled("#start")
        await host.page.clock.run_for(700)
        await host.page.clock.resume()
        await host.click("#start", count=2)
        await host.until("#outcome", "Started: ")
        assert bench.platform.confirms == [name]
        assert [tool for tool, _ in host.asked] == ["approve_execution"]
        (told,) = await host.messages("ui/update-model-context")
        assert name in told["content"][0]["text"]
        assert host.asked[0][1]["nonce"] not in told["content"][0]["text"]
        assert not await host.frame.is_visible("#buttons")


async def test_a_run_that_is_over_already_names_what_has_no_result(
    bench: Bench, client: Client, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approve_execution, "SHOWN_SECONDS", 40.0)
    inputs = {"ligands": [{"smiles": "CCO"}, {"smiles": "N[Pt](N)(Cl)Cl"}], "properties": ["herg"]}
    name = bench.platform.seed_run("deeporigin.admet-properties", inputs, ago_seconds=0, started=False)
    async with hosted(chromium, client, CARD) as host:
        await confirm(host, name)
        await host.until("#start", "Start for")
        await host.page.clock.run_for(700)
        await host.click("#start")
        await host.until("#outcome", "No result for N[Pt](N)(Cl)Cl (")
        (told,) = await host.messages("ui/update-model-context")
        assert "No result for N[Pt](N)(Cl)Cl" in told["content"][0]["text"]


async def test_dont_start_leaves_a_quote(bench: Bench, client: Client, chromium: Any) -> None:
    name = quoted(bench, 5)
    async with hosted(chromium, client, CARD) as host:
        await confirm(host, name)
        await host.until("#start", "Start for")
        await host.page.clock.run_for(700)
        await host.frame.focus("#dont")
        await host.page.keyboard.press("Enter")
        await host.until("#outcome", "It stays a quote")
    assert not bench.platform.confirms


async def test_a_quote_that_has_changed_is_not_started(bench: Bench, client: Client, chromium: Any) -> None:
    name = quoted(bench, 5)
    async with hosted(chromium, client, CARD) as host:
        await confirm(host, name)
        await host.until("#start", "Start for")
        reprice(bench, name, 500)
        await host.page.clock.run_for(700)
        await host.click("#start")
        await host.until("#outcome", "The quote has changed")
    assert not bench.platform.confirms


async def test_a_host_that_does_not_carry_the_answer_is_not_said_to_have_started_it(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = quoted(bench, 5)
    async with hosted(chromium, client, CARD, without=("serverTools",)) as host:
        await confirm(host, name)
        await host.until("#start", "Start for")
        await host.page.clock.run_for(700)
        await host.click("#start")
        await host.until("#outcome", "it is not known whether the run was started")


async def test_a_host_that_loses_what_only_the_card_receives_shows_the_facts_without_a_button(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = quoted(bench, 5, name="Kinase screen")
    async with hosted(chromium, client, CARD) as host:
        result = await client.call_tool("confirm_execution", {"execution_id": name, "wait_seconds": 0})
        await host.result(result.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta"}))
        await host.until("#outcome", "Nothing is started")
        assert "Kinase screen" in await host.text("#facts")
        assert not await host.frame.is_visible("#start")


async def test_what_the_platform_says_becomes_no_markup(bench: Bench, client: Client, chromium: Any) -> None:
    price = {"successfulQuotations": [{"itemCode": MARKUP, "itemName": MARKUP, "priceTotal": 5}]}
    name = quoted(bench, name=MARKUP, quotationResult=price, tool={"key": MARKUP, "version": MARKUP})
    async with hosted(chromium, client, CARD) as host:
        await confirm(host, name)
        await host.until("#facts", "<img src=x")
        assert await host.frame.evaluate("document.querySelectorAll('img, b, script:not(body > script)').length") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["inline", "phone"])
async def test_it_is_accessible_in_each_size_and_theme(
    bench: Bench, client: Client, chromium: Any, screen: str, theme: str
) -> None:
    name = quoted(bench, 8.4, 4.0, name="BRD4 BD1, 48 acetyl-lysine mimics")
    async with hosted(chromium, client, CARD, screen=screen, theme=theme) as host:
        await confirm(host, name)
        await host.until("#start", "Start for")
        await host.page.clock.run_for(700)
        await host.on_ground()
        assert await problems_of(host.frame) == []
        assert await host.frame.evaluate("document.documentElement.scrollWidth <= innerWidth && innerHeight <= 500")
        await take(host.page, f"card-{screen}-{theme}")
