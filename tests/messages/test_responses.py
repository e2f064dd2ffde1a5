"""What a model reads as the next step of each state of an execution, and where a response was cut."""

from __future__ import annotations

from typing import Any

import pytest

from deeporigin_mcp.platform.records.status import KNOWN
from deeporigin_mcp.settings.places import IN_HEADERS
from deeporigin_mcp.tools.responses.size_limit import Summary, within_limit
from deeporigin_mcp.tools.responses.suggestions import did_you_mean
from tests.messages.snapshot import assert_as_agreed
from tests.support.bench import Bench

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]

NO_PRICE: dict[str, Any] = {"status": "Quoted", "quotationResult": {}}


async def test_the_next_step_of_each_state(bench: Bench) -> None:
    messages: dict[str, str] = {}

    async def step(case: str, name: str, **settings: Any) -> None:
        async with bench.agent(**settings) as agent:
            found = await agent.read("get_execution", execution_id=name)
        messages[case] = found.get("next_step", "none").replace(name, "ID")

    for status in KNOWN:
        if status != "Quoted":
            await step(status, bench.raw(status=status))
    quote = bench.seeded("Quoted")
    await step("Quoted", quote)
    await step("Quoted, at most the price that needs no approval", quote, auto_approve_up_to=1_000)
    await step("Quoted, above the limit for one run", quote, max_price=0.1)
    await step("Quoted, above the whole budget", quote, budget=0.1)
    await step("Quoted, read-only", quote, read_only=True)
    await step("Quoted without a price", bench.raw(**NO_PRICE))
    cancelled = bench.seeded("Running")
    async with bench.agent() as agent:
        found = await agent.read("cancel_execution", execution_id=cancelled)
    messages["Cancelled, cost reserved"] = found["next_step"]
    assert_as_agreed("next_steps", messages)


async def test_the_next_step_after_a_wait(bench: Bench) -> None:
    names = {status: bench.raw(status=status) for status in ("Completed", "Failed", "Running")}
    names |= {
        "Quoted": bench.seeded("Quoted"),
        "another Quoted": bench.seeded("Quoted"),
        "no price": bench.raw(**NO_PRICE),
    }
    names["unknown"] = "3f0c1a52-0000-4000-8000-000000000000"
    groups = (
        ("Completed", "Failed"),
        ("Completed", "Running"),
        ("Quoted",),
        ("Quoted", "another Quoted"),
        ("no price",),
        ("Completed", "unknown"),
        ("Running", "unknown"),
    )
    messages = {}

    async def step(case: str, group: tuple[str, ...], *, timeout_seconds: float = 0, **settings: Any) -> None:
        async with bench.agent(**settings) as agent:
            ids = [names[each] for each in group]
            found = await agent.read("wait_executions", execution_ids=ids, timeout_seconds=timeout_seconds)
        message = found["next_step"]
        for each in group:
            message = message.replace(names[each], f"ID of {each}")
        messages[case] = message

    for group in groups:
        await step(" and ".join(group), group)
    await step("Quoted, above a limit", ("Quoted",), max_price=0.1)
    await step("Quoted, read-only", ("Quoted",), read_only=True)
    await step("Running after a long wait", ("Running",), timeout_seconds=45)
    await step("Running after a long wait, elsewhere", ("Running",), timeout_seconds=45, places=IN_HEADERS)
    assert_as_agreed("next_steps_of_waits", messages)


def test_what_is_said_of_what_was_cut() -> None:
    rows = [{"name": f"n{number}", "note": "x" * 90} for number in range(500)]
    step = {"next_step": "list_executions(page=1)"}
    messages = {
        "rows": within_limit({"rows": rows, "has_more": False, **step}, 1_000)[0]["next_step"],
        "names of fields": "\n".join(within_limit({"rows": rows, "has_more": False, **step}, 1_000)[0]["cut"]),
        "a next step that is too long": within_limit({"next_step": "x" * 2_000}, 1_000)[0]["next_step"],
        "entries with a cursor": Summary("outputs:").of(list(range(1_000)), 300)[-1],
        "entries without one": Summary(None).of(list(range(1_000)), 100)[-1],
        "a text": Summary(None).of("x" * 1_000, 50),
        "a misspelt word": did_you_mean("Complted", KNOWN),
    }
    assert_as_agreed("cut", messages)
