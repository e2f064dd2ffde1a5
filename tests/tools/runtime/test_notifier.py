"""DEEPORIGIN_MCP_NOTIFY: a command or a webhook is told once that a run is over, beside all calls."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from deeporigin_mcp.http.callers import CallerLimits
from deeporigin_mcp.logs import OneLineFormatter
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.settings import Notify
from deeporigin_mcp.tools.approvals.ledger import BudgetScope, Ledger
from deeporigin_mcp.tools.approvals.notices import MAX_ATTEMPTS, Notices
from deeporigin_mcp.tools.executions import create_execution
from deeporigin_mcp.tools.runtime import notifier
from tests.support.bench import Agent, Bench, docking
from tests.support.people import Person, agent_with
from tests.support.recording import Reply
from tests.support.site import EVE, running_site
from tests.support.told import Script, Webhook, running_webhook

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _returns_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create_execution, "ENDED_SECONDS", 0.0)


@pytest.fixture
async def webhook(anyio_backend: str) -> AsyncIterator[Webhook]:
    async with running_webhook() as found:
        yield found


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """Settings of a server with a ledger of its own that starts cheap runs."""
    return {"auto_approve_up_to": Decimal(1), "ledger": tmp_path / "ledger"}


async def started(agent: Agent, **values: Any) -> str:
    """A run that was started and goes on; its id."""
    arguments = docking() | values
    arguments["inputs"] = {**arguments["inputs"], "sync": False}
    found = await agent.read("create_execution", **arguments, start=True)
    assert found["status"] != "Quoted"
    return str(found["execution_id"])


async def settled(bench: Bench, values: dict[str, Any], notify: Notify, name: str) -> str:
    """The state that is written down of it, once it is final."""
    settings = bench.settings(**values, notify=notify)
    scope = BudgetScope(settings.base_url, settings.org_key, settings.session)
    found = ""
    while found not in ("told", "failed"):
        await anyio.lowlevel.checkpoint()
        found = await state_of(Ledger.of(settings).notices(scope), scope, name)
    return found


async def state_of(notices: Notices, scope: BudgetScope, name: str) -> str:
    def look(database: Any) -> str:
        rows = database.execute("SELECT state FROM notices WHERE execution = ?", (name,)).fetchall()
        return str(rows[0][0]) if rows else ""

    return await notices._transaction(look)


async def test_the_end_of_a_run_is_told_once_without_its_inputs_or_the_token(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    async with bench.agent(**values, notify=webhook.notify) as agent:
        name = await started(agent, name="BRD4 pilot")
        assert await webhook.until_told(1) == [
            {
                "execution_id": name,
                "status": "Completed",
                "name": "BRD4 pilot",
                "cost": 0.2,
                "organization": "deeporigin",
            }
        ]
        assert await settled(bench, values, webhook.notify, name) == "told"
    [post] = webhook.posts
    assert post.method == "POST"
    assert post.headers["content-type"] == "application/json"
    assert "authorization" not in post.headers


async def test_a_run_that_a_person_approved_is_told_of_too(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    settings = values | {"auto_approve_up_to": 0}
    async with agent_with(bench.server(**settings, notify=webhook.notify), Person()) as agent:
        quote = await agent.read("create_execution", **docking())
        await agent.read("confirm_execution", execution_id=quote["execution_id"], wait_seconds=0)
        [told] = await webhook.until_told(1)
    assert (told["execution_id"], told["status"]) == (quote["execution_id"], "Completed")


async def test_a_quote_that_is_refused_is_told_to_nobody(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    bench.fault("PATCH *:confirm status=402 times=1")
    async with bench.agent(**values, notify=webhook.notify) as agent:
        quote = await agent.read("create_execution", **docking())
        await agent.error("confirm_execution", execution_id=quote["execution_id"])
        # A later one shows that what came before is through.
        name = await started(agent)
        await webhook.until_told(1)
    assert [told["execution_id"] for told in webhook.told] == [name]


async def test_a_run_that_others_started_is_told_to_nobody(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    other = bench.seeded("Running")
    async with bench.agent(**values, notify=webhook.notify) as agent:
        await agent.read("get_execution", execution_id=other)
        name = await started(agent)
        await webhook.until_told(1)
    assert [told["execution_id"] for told in webhook.told] == [name]


async def test_a_webhook_that_fails_is_told_again_and_a_redirect_is_not_followed(
    bench: Bench, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_webhook(Reply(status=503), Reply(fault="reset"), Reply({})) as webhook:
        webhook.replies.insert(1, Reply(status=307, headers={"location": f"{webhook.recorder.url}/elsewhere"}))
        async with bench.agent(**values, notify=webhook.notify) as agent:
            name = await started(agent)
            told = await webhook.until_told(4)
            assert await settled(bench, values, webhook.notify, name) == "told"
    assert [each["execution_id"] for each in told] == [name] * 4
    assert len(webhook.recorder.requests) == 4
    ours = [record.getMessage() for record in caplog.records if record.name == "deeporigin_mcp.notify"]
    assert [line.rpartition(": ")[2] for line in ours[:3]] == [
        "HTTP 503; tried again in 2 s.",
        "HTTP 307; tried again in 15 s.",
        "connection_lost; tried again in 60 s.",
    ]
    written = [OneLineFormatter().format(record) for record in caplog.records]
    assert not any("a-secret-of" in line for line in written)


async def test_a_webhook_that_never_works_is_given_up_and_disturbs_no_call(
    bench: Bench, values: dict[str, Any]
) -> None:
    async with running_webhook(Reply(status=500)) as webhook, bench.agent(**values, notify=webhook.notify) as agent:
        name = await started(agent)
        await webhook.until_told(MAX_ATTEMPTS)
        assert await settled(bench, values, webhook.notify, name) == "failed"
        assert (await agent.read("get_execution", execution_id=name))["status"] == "Completed"
    assert len(webhook.posts) == MAX_ATTEMPTS


async def test_a_webhook_that_hangs_delays_neither_a_call_nor_the_end_of_the_server(
    bench: Bench, values: dict[str, Any]
) -> None:
    async with running_webhook(Reply(fault="hang")) as webhook:
        with anyio.fail_after(20):
            async with bench.agent(**values, notify=webhook.notify) as agent:
                name = await started(agent)
                await webhook.until_told(1)
                assert (await agent.read("get_execution", execution_id=name))["status"] == "Completed"


async def test_what_was_told_is_not_told_again_by_the_next_server(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    async with bench.agent(**values, notify=webhook.notify) as agent:
        first = await started(agent)
        assert await settled(bench, values, webhook.notify, first) == "told"
    async with bench.agent(**values, notify=webhook.notify) as agent:
        await agent.error("confirm_execution", execution_id=first)
        second = await started(agent)
        await webhook.until_told(2)
    assert [told["execution_id"] for told in webhook.told] == [first, second]


async def test_a_command_reads_it_and_gets_no_credentials(
    bench: Bench, values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DO_AUTH_TOKEN", "DO_ORG_KEY", "DEEPORIGIN_MCP_STATE_KEYS", "DEEPORIGIN_TOKEN", "do_auth_token"):
        monkeypatch.setenv(name, "a-secret")
    script = Script(tmp_path)
    async with bench.agent(**values, notify=script.notify) as agent:
        name = await started(agent)
        assert await settled(bench, values, script.notify, name) == "told"
    [call] = script.calls
    assert f'"execution_id": "{name}"' in call["read"]
    assert "PATH" in call["environment"]
    assert "a-secret" not in call["environment"].values()


async def test_a_command_that_fails_is_called_again(bench: Bench, values: dict[str, Any], tmp_path: Path) -> None:
    script = Script(tmp_path, codes=(3, 1, 0))
    async with bench.agent(**values, notify=script.notify) as agent:
        name = await started(agent)
        assert await settled(bench, values, script.notify, name) == "told"
    assert len(script.calls) == 3


async def test_a_command_that_does_not_end_is_killed_and_one_that_is_gone_is_no_crash(
    bench: Bench, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for command, seconds, problem in (
        (("sleep", "600"), 0.05, "it took more than 0.05 s"),
        (("/nowhere/x",), notifier.ATTEMPT_SECONDS, "it cannot be started"),
    ):
        monkeypatch.setattr(notifier, "ATTEMPT_SECONDS", seconds)
        caplog.clear()
        async with bench.agent(**values, notify=Notify(command=command)) as agent:
            name = await started(agent)
            assert await settled(bench, values, Notify(command=command), name) == "failed"
        said = [record.getMessage() for record in caplog.records if record.name == "deeporigin_mcp.notify"]
        assert len(said) == MAX_ATTEMPTS
        assert problem in said[0]


async def test_a_ledger_that_cannot_be_written_any_more_ends_nothing(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    async with bench.agent(**values, notify=webhook.notify) as agent:
        name = await started(agent)
        values["ledger"].unlink()
        values["ledger"].mkdir()
        assert (await agent.read("get_execution", execution_id=name))["execution_id"] == name
    assert not webhook.posts


async def test_over_http_it_is_told_when_the_caller_has_left(
    bench: Bench, webhook: Webhook, values: dict[str, Any]
) -> None:
    async with running_site(bench, **values, notify=webhook.notify) as site:
        async with site.agent() as agent:
            name = await started(agent)
        [told] = await webhook.until_told(1)
    assert (told["execution_id"], told["organization"]) == (name, "deeporigin")


async def test_over_http_a_caller_takes_up_what_its_closed_state_has_left(bench: Bench, values: dict[str, Any]) -> None:
    one_state = CallerLimits(states=1)
    async with (
        running_webhook(Reply(fault="hang"), Reply({})) as webhook,
        running_site(bench, **values, notify=webhook.notify, limits=one_state) as site,
    ):
        async with site.agent() as agent:
            name = await started(agent)
        await webhook.until_told(1)
        # It makes room for another caller, although it still tells.
        async with site.agent(EVE) as eve:
            await eve.read("list_executions")
        assert len(webhook.posts) == 1
        async with site.agent() as agent:
            await agent.read("list_executions")
            await webhook.until_told(2)
        assert await settled(bench, values, webhook.notify, name) == "told"
    assert [told["execution_id"] for told in webhook.told] == [name, name]


@pytest.mark.parametrize(
    ("status", "bill", "cost"),
    [("Completed", "Approved", 0.4), ("Cancelled", "Approved", None), ("Cancelled", "Charged", 0.4)],
)
def test_what_is_held_for_a_cancelled_run_is_not_told_as_its_cost(status: str, bill: str, cost: float | None) -> None:
    run = Execution({"status": status, "billingTransaction": {"status": bill, "totalCost": 0.4}})
    assert json.loads(notifier.notice(run, "acme"))["cost"] == cost
