"""The monitor page in a real browser, in a host that carries its calls to a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp import Client

from tests.browser.accessibility import problems_of
from tests.browser.app_host import AppHost, hosted
from tests.browser.pictures import take
from tests.support.bench import Bench
from tests.support.hosts import host_of
from tests.support.people import quotation, quoted

pytestmark = pytest.mark.anyio

MONITOR = "ui://deeporigin/monitor"
STARTED = "2026-10-05T08:02:00.000Z"
TREE = {
    "displayName": "workflow-x",
    "status": "Running",
    "children": [
        {"displayName": "prepare-ligands", "status": "Succeeded"},
        {
            "displayName": "dock(0:index:0,ligands:16)",
            "status": "Running",
            "children": [
                {"displayName": "grid", "status": "Succeeded"},
                {"displayName": "search", "status": "Running", "toolProgress": {"complete": 12}, "message": "pose 12"},
            ],
        },
        {"displayName": "collect-poses", "status": "Queued"},
    ],
}
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028\u202e\"'<b>&amp;</td>"
REASON = "The ligand has no parameters for atom type B3 in the chosen force field."
SCROLL = "document.getElementById('scroll')"
LATER = 31_000
"""Milliseconds, longer than any pause between two reads."""


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with host_of(bench) as client:
        yield client


def running(bench: Bench, **dto: Any) -> str:
    return bench.raw(startedAt=STARTED, progressReport={"complete": 40}, **dto)


def ended(bench: Bench, name: str, status: str = "Completed", **dto: Any) -> None:
    """The run is over from now on."""
    bench.platform.executions[name].stored |= {"status": status, "completedAt": "2026-10-05T09:12:31.000Z", **dto}


def five_runs(bench: Bench) -> list[str]:
    price = {"quotationResult": quotation(12.4)}
    abfe = {"key": "deeporigin.abfe-end-to-end", "version": "1.2.0"}
    finished = {"startedAt": STARTED, "completedAt": "2026-10-05T09:12:31.000Z"}
    return [
        bench.raw(name="BRD4 BD1, 48 acetyl-lysine mimics", startedAt=STARTED, progressReport=TREE, **price),
        bench.raw(name="PIM1 3A99 follow-up", status="Completed", **finished, **price),
        bench.raw(
            name="ABFE of crotyl against BRD4 " + "with a very long name " * 4,
            tool=abfe,
            status="Failed",
            statusReason={"message": REASON},
            **finished,
        ),
        bench.raw(name="Pocket finder", status="Queued", **price),
        quoted(bench, 3.25, name="Not yet confirmed"),
    ]


async def reads(host: AppHost) -> list[list[str]]:
    """The ids of each read, oldest first."""
    return [arguments["execution_ids"] for name, arguments in host.asked if name == "show_progress"]


async def later(host: AppHost, milliseconds: int = LATER) -> None:
    await host.page.clock.run_for(milliseconds)


async def read_again(host: AppHost) -> None:
    """Let the page read the runs once more, and show what it has read."""
    await host.frame.evaluate("document.getElementById('read').textContent = ''")
    await later(host)
    await host.until("#read", " at ")


async def pressed_during_a_read(host: AppHost, selector: str) -> None:
    """Press it for as long as a person does, and let the page read meanwhile."""
    await host.settled()
    await host.frame.hover(selector)
    await host.page.mouse.down()
    await read_again(host)
    await host.page.mouse.up()


async def test_runs_are_seen_while_the_call_that_waits_for_them_still_lasts(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = running(bench, name="Screen")
    async with hosted(chromium, client, MONITOR) as host:
        assert await host.text("#summary") == "Waiting for the runs …"
        await host.input(execution_ids=[name])
        await host.until("#summary", "Running.")
        assert "40 %" in await host.text("td.state")
        assert " " in await host.text("td.elapsed")
        ended(bench, name)
        await later(host)
        await host.until("#summary", "Over: Completed.")
        await host.until("td.elapsed", "1 h 10 min")
        (told,) = await host.messages("ui/update-model-context")
        assert f"{name} Completed" in told["content"][0]["text"]


async def test_a_host_that_sends_no_input_shows_them_with_the_result(
    bench: Bench, client: Client, chromium: Any
) -> None:
    one, two = running(bench, name="One"), running(bench, name="Two")
    ended(bench, two, "Failed", statusReason={"message": REASON})
    async with hosted(chromium, client, MONITOR) as host:
        result = await client.call_tool("wait_executions", {"execution_ids": [one, two], "timeout_seconds": 0})
        await host.result(result.model_dump(mode="json", by_alias=True, exclude_none=True))
        await host.until("#summary", "1 Running, 1 Failed.")
        await host.until(".reason", REASON)
        await host.until("#read", "Live")
        assert await reads(host) == [[one]]


async def test_what_is_over_is_not_read_again_and_a_page_that_nobody_sees_reads_nothing(
    bench: Bench, client: Client, chromium: Any
) -> None:
    one, two = running(bench, name="One"), running(bench, name="Two")
    ended(bench, two)
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[one, two])
        await host.until("#summary", "1 Running, 1 Completed.")
        await later(host)
        await host.page.wait_for_function("host.seen.filter((each) => each.method === 'tools/call').length > 1")
        assert {tuple(ids) for ids in (await reads(host))[1:]} == {(one,)}
        await host.page.evaluate("view.style.marginTop = '4000px'")
        await host.holds("true")
        # What was on its way when it went out of sight may still arrive.
        for _ in range(3):
            before = len(await reads(host))
            await later(host)
            if len(await reads(host)) == before:
                break
        else:
            pytest.fail("it reads on although nobody sees it")
        ended(bench, one)
        await host.page.evaluate("view.style.marginTop = '0'")
        await host.until("#summary", "All are over: 2 Completed.")
        before = len(await reads(host))
        await later(host)
        assert len(await reads(host)) == before


async def test_pauses_grow_while_nothing_changes(bench: Bench, client: Client, chromium: Any) -> None:
    name = running(bench)
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[name])
        await host.until("#summary", "Running.")
        for _ in range(30):
            await later(host, 4_000)
            await host.until("#summary", "Running.")
        assert 5 < len(await reads(host)) < 15


async def test_the_steps_of_a_run_open_by_the_keyboard(bench: Bench, client: Client, chromium: Any) -> None:
    names = five_runs(bench)
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=names)
        await host.until("#summary", "1 Running, 1 Completed, 1 Failed, 1 Queued, 1 Quoted.")
        await host.frame.focus("button.name >> nth=0")
        await host.page.keyboard.press("Enter")
        await host.until(".steps", "prepare-ligands")
        assert "12 %" in await host.text(".steps ul")
        assert "collect-poses" not in await host.text(".steps ul")
        assert await host.frame.get_attribute("button.name >> nth=0", "aria-expanded") == "true"
        assert await host.frame.evaluate("document.activeElement.className") == "name"
        await host.page.keyboard.press("Enter")
        await host.frame.wait_for_selector(".steps", state="detached")


async def test_a_run_is_stopped_after_two_steps_and_the_status_that_was_read_is_shown(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name, other = bench.seeded("Running", name="To be stopped"), running(bench, name="Another")
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[name, other])
        await host.until("#summary", "2 Running.")
        await host.click("td.stop button >> nth=0")
        assert await host.frame.evaluate("document.activeElement.textContent") == "Keep it running"
        await host.page.keyboard.press("Escape")
        assert not await host.frame.is_visible(".ask")
        await host.click("td.stop button >> nth=0")
        assert "may be charged" in await host.text(".ask")
        assert "cancel_execution" not in [tool for tool, _ in host.asked]
        await host.click("text=Stop this run")
        await host.until(".said", "It was stopped.")
        await host.until("#summary", "1 Cancelled, 1 Running.")
        assert [arguments for tool, arguments in host.asked if tool == "cancel_execution"] == [{"execution_id": name}]
        assert any("Cancelled" in each["content"][0]["text"] for each in await host.messages("ui/update-model-context"))


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_read_takes_neither_the_focus_nor_a_press_that_it_falls_into(
    bench: Bench, client: Client, chromium: Any, is_open: bool
) -> None:
    name = running(bench)
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[name])
        await host.until("#summary", "Running.")
        if is_open:
            await host.click("button.name")
            await host.until(".more-in", name)
        await host.click("td.stop button")
        await read_again(host)
        assert await host.frame.evaluate("document.activeElement.textContent") == "Keep it running"
        await pressed_during_a_read(host, "text=Stop this run")
        await host.until(".said", "It was stopped.")


async def test_a_filter_is_pressed_though_a_read_falls_into_it(bench: Bench, client: Client, chromium: Any) -> None:
    names = bench.platform.seed_executions(count=8, status=["Completed", "Failed"])
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[*names, running(bench)])
        await host.until("#summary", "4 Completed, 4 Failed, 1 Running.")
        await pressed_during_a_read(host, "#filters button:has-text('Failed')")
        await host.until("#filters [aria-pressed=true]", "Failed")
        assert await host.frame.locator("tbody:visible").count() == 4


async def test_nothing_is_said_to_be_stopped_that_the_host_did_not_carry_or_the_server_refused(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = bench.seeded("Running", name="Stays")
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[name])
        await host.until("#summary", "Running.")
        await host.page.evaluate("host.allows = false")
        await host.click("td.stop button")
        await host.click("text=Stop this run")
        await host.until(".said", "not known")
        assert "Running" in await host.text("td.state")
        await host.page.evaluate("host.allows = true")
        bench.fault("* * status=403")
        await host.click("td.stop button")
        await host.click("text=Stop this run")
        await host.until(".said", "Nothing was changed by this call.")
        assert "stopped" not in await host.text(".said")
        assert "Running" in await host.text("td.state")
        bench.heal()


async def test_a_server_that_does_not_stop_runs_has_no_button_for_it(bench: Bench, chromium: Any) -> None:
    name = running(bench)
    async with host_of(bench, read_only=True) as client, hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[name])
        await host.until("#summary", "Running.")
        assert not await host.frame.is_visible("td.stop button")


async def test_where_the_page_cannot_read_it_says_of_when_what_it_shows_is(
    bench: Bench, client: Client, chromium: Any
) -> None:
    name = running(bench)
    async with hosted(chromium, client, MONITOR, without=("serverTools",)) as host:
        await host.call("wait_executions", execution_ids=[name], timeout_seconds=0)
        await host.until("#note", "what the last call returned")
        assert "Running" in await host.text("#summary")
        assert host.asked == []


async def test_a_read_that_fails_is_told_and_made_again(bench: Bench, client: Client, chromium: Any) -> None:
    one, two = running(bench, name="One"), running(bench, name="Two")
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=[one, two, "no-such-run"])
        await host.until("#summary", "2 Running. 1 run could not be read.")
        await host.until(".lost", "no-such-run")
        bench.fault("* * status=503")
        await later(host)
        await host.until("#summary", "could not be read")
        await host.until(".lost", "Not read since")
        bench.heal()
        ended(bench, one)
        ended(bench, two)
        await later(host)
        await host.until("#summary", "2 Completed. 1 run could not be read.")


async def test_a_call_that_is_refused_says_why(client: Client, chromium: Any) -> None:
    async with hosted(chromium, client, MONITOR) as host:
        await host.result({"isError": True, "content": [{"type": "text", "text": f"No such {MARKUP}"}]})
        await host.until("#summary", "No such")
        assert not await host.frame.is_visible("#table")
        assert await host.frame.evaluate("document.querySelectorAll('img, b').length") == 0


async def test_what_the_platform_says_becomes_no_markup(bench: Bench, client: Client, chromium: Any) -> None:
    tree = {"displayName": MARKUP, "status": MARKUP, "message": MARKUP, "children": [TREE | {"displayName": MARKUP}]}
    hostile = {
        "name": MARKUP,
        "status": MARKUP,
        "statusReason": MARKUP,
        "progressReport": tree,
        "tool": {"key": MARKUP, "version": MARKUP},
    }
    text = bench.raw(**{**hostile, "progressReport": f"ligand docked {MARKUP}\n{MARKUP}"})
    names = [bench.raw(**hostile), text, MARKUP[:60]]
    async with hosted(chromium, client, MONITOR) as host:
        await host.input(execution_ids=names)
        await host.until("#summary", "could not be read")
        for number in range(2):
            await host.click(f"button.name >> nth={number}")
            await host.until(".more-in", "<script>")
        assert (
            await host.frame.evaluate("document.querySelectorAll('img, script:not(body > script), td b b').length") == 0
        )
        assert "<img src=x" in await host.text("#table")


async def test_a_hundred_runs_scroll_in_the_page_and_those_that_failed_are_found(
    bench: Bench, client: Client, chromium: Any
) -> None:
    names = bench.platform.seed_executions(count=98, status=["Completed", "Completed", "Failed"])
    names += [running(bench, name="n" * 120), running(bench)]
    async with hosted(chromium, client, MONITOR) as host:
        await host.call("wait_executions", execution_ids=names, timeout_seconds=0)
        await host.until("#summary", "66 Completed, 32 Failed, 2 Running.")
        await host.until("#read", "Live")
        assert await host.frame.evaluate("innerHeight") <= 500
        assert await host.frame.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert await host.frame.evaluate(
            f"{SCROLL}.scrollHeight > 3000 && {SCROLL}.scrollWidth <= {SCROLL}.clientWidth"
        )
        await host.click("#filters button:has-text('Failed')")
        assert await host.frame.locator("tbody:visible").count() == 32
        assert await host.frame.get_attribute("#filters button:has-text('Failed')", "aria-pressed") == "true"


async def test_the_page_is_as_high_as_its_content(bench: Bench, client: Client, chromium: Any) -> None:
    async with hosted(chromium, client, MONITOR) as host:
        await host.call("wait_executions", execution_ids=[running(bench)], timeout_seconds=0)
        await host.until("#read", "Live")
        await host.holds(f"{SCROLL}.scrollHeight <= {SCROLL}.clientHeight")
        assert 100 < await host.frame.evaluate("innerHeight") < 300
        await host.click("#full")
        await host.until("#full", "Leave full screen")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["inline", "phone", "full"])
async def test_it_is_accessible_in_each_size_and_theme(
    bench: Bench, client: Client, chromium: Any, screen: str, theme: str
) -> None:
    async with hosted(chromium, client, MONITOR, screen=screen, theme=theme) as host:
        await host.input(execution_ids=five_runs(bench))
        await host.until("#summary", "Completed")
        # By key: rows may move under a pointer while they are drawn.
        await host.frame.press("button.name >> nth=0", "Enter")
        await host.until(".steps", "prepare-ligands")
        await host.frame.press("tbody:has-text('Pocket finder') td.stop button", "Enter")
        await host.until(".ask", "Stop Pocket finder?")
        await host.on_ground()
        assert await problems_of(host.frame) == []
        # A table for those who cannot see that it is one.
        rows = host.frame.get_by_role("table").get_by_role("row").filter(has=host.frame.get_by_role("rowheader"))
        assert await rows.count() == 5
        assert await host.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await host.frame.press("text=Keep it running", "Enter")
        await host.frame.evaluate(f"{SCROLL}.scrollTop = 0")
        await take(host.page, f"monitor-{screen}-{theme}")
