"""Each request is its sender's: whose credentials count, who is refused, and what belongs to whom."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, InputRequiredResult

from deeporigin_mcp.simulator import make_token
from tests.support.bench import ACME_PROJECT, ERAS, FREE, PROJECT, SESSION, Bench
from tests.support.errors import error_of
from tests.support.people import Person, quoted
from tests.support.questions import answer, ask
from tests.support.site import ADA, EVE, YEARS, Site, credentials, operator, request, routing, running_site, token
from tests.support.task_client import MODERN, TakesTasks, get_task, handle_of

pytestmark = pytest.mark.anyio

TOOLS_WITHOUT_ARGUMENTS = ("list_executions", "search_executions", "get_workspace")


@pytest.mark.parametrize("mode", ERAS)
async def test_each_request_is_served_as_its_own_caller(site: Site, mode: str) -> None:
    for headers, organisation, user in ((ADA, "deeporigin", "ada@deeporigin"), (EVE, "acme", "eve@acme")):
        async with site.agent(headers, mode=mode) as agent:
            workspace = await agent.read("get_workspace")
        assert workspace["organization"].startswith(organisation)
        assert workspace["user"] == f"{user}.invalid"
        assert workspace["session"] == SESSION
        assert workspace["project_id"] == headers["X-Do-Project-Id"]


@pytest.mark.parametrize("mode", ERAS)
async def test_without_credentials_everything_is_listed_and_every_call_says_which_headers_are_missing(
    site: Site, bench: Bench, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the operator's own variables nor files are anybody's credentials here.
    monkeypatch.setenv("DO_AUTH_TOKEN", token("deeporigin"))
    monkeypatch.setenv("DO_ORG_KEY", "deeporigin")
    async with site.agent({}, mode=mode) as agent:
        await agent.client.list_tools()
        for tool in TOOLS_WITHOUT_ARGUMENTS:
            assert (await agent.error(tool)).code == "not_signed_in"
        for tool, arguments in (("create_execution", FREE), ("confirm_execution", {"execution_id": "x"})):
            assert (await agent.error(tool, **arguments)).code == "not_signed_in"
    assert bench.platform.requests == []
    assert len(site.pool) == 0


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Do-Auth-Token": token("deeporigin")}, "not_signed_in"),
        ({"X-Do-Org-Key": "deeporigin"}, "not_signed_in"),
        ({**ADA, "X-Do-Auth-Token": "Secret-No-Jwt"}, "invalid_token"),
        ({**ADA, "X-Do-Auth-Token": "Secret" * 2000}, "invalid_header"),
        ({**ADA, "X-Do-Org-Key": "o" * 201}, "invalid_header"),
        ({**ADA, "X-Do-Project-Id": "Secret\u00e9"}, "invalid_header"),
        ({**ADA, "X-Do-Auth-Token": make_token(expires_in_seconds=-YEARS)}, "token_expired"),
    ],
)
async def test_credentials_that_cannot_be_used_are_refused_without_being_shown(
    site: Site, bench: Bench, headers: dict[str, str], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    async with site.agent(encoded) as agent:  # type: ignore[arg-type]
        assert (await agent.error("list_executions")).code == code
        refusal = await agent.refused("list_executions")
    assert "Secret" not in refusal + caplog.text
    assert headers.get("X-Do-Auth-Token", "none") not in refusal + caplog.text
    assert bench.platform.requests == []
    assert len(site.pool) == 0


async def test_a_header_that_comes_twice_names_nobody(site: Site) -> None:
    async with site.http({}) as http:
        headers = [*routing("tools/call", "list_executions").items(), *ADA.items(), ("X-Do-Org-Key", "acme")]
        body = request("tools/call", {"name": "list_executions", "arguments": {}})
        response = await http.post("/mcp", json=body, headers=headers)
    assert error_of(CallToolResult.model_validate(response.json()["result"])).code == "invalid_header"


async def test_credentials_that_the_platform_refuses_are_an_error(site: Site, bench: Bench) -> None:
    async with site.agent({**ADA, "X-Do-Org-Key": "acme"}) as agent:
        wrong_organisation = await agent.error("list_executions")
    bench.fault("GET */executions status=401")
    async with site.agent(ADA) as agent:
        wrong_token = await agent.error("list_executions")
    assert (wrong_organisation.code, wrong_token.code) == ("credentials", "credentials")


async def test_the_platforms_address_is_the_operators_and_never_the_tokens(site: Site, bench: Bench) -> None:
    foreign = make_token(issuer="https://dev.deeporigin.io/realms/deeporigin", expires_in_seconds=1e9)
    headers = {**ADA, "X-Do-Auth-Token": foreign, "X-Do-Base-Url": "http://127.0.0.1:9", "X-Forwarded-Host": "evil"}
    async with site.agent(headers) as agent:
        await agent.read("list_executions")
    assert bench.sent("GET", "/executions")


@pytest.mark.parametrize("mode", ERAS)
async def test_no_token_is_logged_whatever_happens(
    site: Site, bench: Bench, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for fault in ("", "GET */executions status=401", "GET */executions status=500", "GET */executions reset"):
        if fault:
            bench.fault(fault)
        async with site.client(ADA, mode=mode) as client:
            await client.call_tool("list_executions", {})
            await client.call_tool("list_executions", {"no": "such argument"})
        bench.heal()
    assert ADA["X-Do-Auth-Token"] not in caplog.text
    assert ADA["X-Do-Auth-Token"].split(".")[1] not in caplog.text


async def test_an_older_client_cannot_be_asked(site: Site, bench: Bench) -> None:
    person = Person()
    name = quoted(bench, 5)
    async with site.agent(ADA, mode="legacy", person=person) as agent:
        assert await agent.error("confirm_execution", execution_id=name) == ("nobody_to_ask", "nothing_started")
    assert (person.questions, bench.sent("PATCH")) == ([], [])


async def test_a_person_is_asked_over_http_and_the_record_says_who(
    site: Site, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "deeporigin_mcp.audit")
    person = Person()
    name = quoted(bench, 5)
    async with site.agent(ADA, person=person) as agent:
        assert (await agent.read("confirm_execution", execution_id=name))["status"] == "Running"
    assert len(person.questions) == 1
    [line] = [json.loads(record.message) for record in caplog.records if record.name == "deeporigin_mcp.audit"]
    assert (line["decision"], line["user"], line["organization"]) == (
        "approved",
        "ada@deeporigin.invalid",
        "deeporigin",
    )


@pytest.mark.parametrize("keys", [(), ("k" * 32,)])
@pytest.mark.parametrize(
    "thief", [EVE, {}, credentials(who="bob", project=PROJECT), credentials(), {**ADA, "X-Do-Org-Key": "acme"}]
)
async def test_nobody_else_can_answer_an_elicitation(
    bench: Bench, thief: dict[str, str], keys: tuple[str, ...]
) -> None:
    name = quoted(bench, 5)
    async with running_site(bench, state_keys=keys) as site:
        async with site.client(ADA, person=Person()) as ada:
            asked = await ask(ada, name)
        async with site.client(thief, person=Person()) as other:
            with pytest.raises(MCPError, match="Invalid or expired requestState"):
                await answer(other, name, asked)
        assert not bench.sent("PATCH")
        async with site.client(ADA, person=Person()) as ada:
            assert '"Running"' in (await answer(ada, name, asked)).model_dump_json()
    assert bench.platform.confirms == [name]


async def test_without_credentials_there_is_no_elicitation(site: Site, bench: Bench) -> None:
    name = quoted(bench, 5)
    async with site.client({}, person=Person()) as nobody:
        refused = await nobody.session.call_tool("confirm_execution", {"execution_id": name}, allow_input_required=True)
    assert isinstance(refused, CallToolResult)
    assert error_of(refused).code == "not_signed_in"
    async with site.client(ADA, person=Person()) as ada:
        made_up = InputRequiredResult(input_requests=(await ask(ada, name)).input_requests, request_state="v1.AAAA")
        with pytest.raises(MCPError):
            await answer(ada, name, made_up)
    assert not bench.sent("PATCH")


@pytest.mark.parametrize("other", [EVE, {}, credentials(who="bob", project=PROJECT), {**ADA, "X-Do-Org-Key": "acme"}])
async def test_a_task_is_its_callers_alone(site: Site, bench: Bench, other: dict[str, str]) -> None:
    name = bench.seeded()
    async with site.client(ADA, mode=MODERN, extensions=[TakesTasks()]) as ada:
        handle = await handle_of(ada, "wait_executions", {"execution_ids": [name]})
        assert (await get_task(ada.session, handle.task_id)).status == "working"
    async with site.client(other, mode=MODERN, extensions=[TakesTasks()]) as another:
        with pytest.raises(MCPError, match="Task not found"):
            await get_task(another.session, handle.task_id)


async def test_the_budget_is_shared_by_an_organisation_and_by_no_other(bench: Bench) -> None:
    async with running_site(bench, budget=10) as site:
        async with site.agent(ADA, person=Person()) as ada:
            await ada.read("confirm_execution", execution_id=quoted(bench, 7, session=SESSION, app="deeporigin-mcp"))
            spent = (await ada.read("get_workspace"))["spending"]["spent"]
        bob = credentials(who="bob", project=PROJECT)
        async with site.agent(bob, person=Person()) as agent:
            refused = await agent.error("confirm_execution", execution_id=quoted(bench, 7))
        async with site.agent(EVE, person=Person()) as eve:
            theirs = (await eve.read("get_workspace"))["spending"]["spent"]
    assert spent == 7
    assert refused == ("over_budget", "nothing_started")
    assert theirs == 0


async def test_two_callers_of_one_organisation_cannot_overspend_together(bench: Bench) -> None:
    quotes = [quoted(bench, 7, session=SESSION) for _ in range(2)]
    outcomes: list[bool] = []

    async def confirm(headers: dict[str, str], name: str) -> None:
        async with site.client(headers, person=Person()) as client:
            outcomes.append(bool((await client.call_tool("confirm_execution", {"execution_id": name})).is_error))

    async with running_site(bench, budget=10) as site, anyio.create_task_group() as tasks:
        for who, name in zip(("ada", "bob"), quotes, strict=True):
            tasks.start_soon(confirm, credentials(who=who, project=PROJECT), name)
    assert sorted(outcomes) == [False, True]
    assert len(bench.platform.confirms) == 1


async def test_a_missing_project_is_asked_for_and_not_taken_from_the_operator(site: Site) -> None:
    async with site.agent(credentials()) as agent:
        assert await agent.error("create_execution", **FREE) == ("no_project", "nothing_created")
    async with site.agent(ADA) as agent:
        assert (await agent.read("create_execution", **FREE))["project_id"] == PROJECT
        refused = await agent.error("create_execution", **FREE, project_id=ACME_PROJECT)
    assert refused == ("unknown_project", "nothing_created")


def test_an_operators_settings_hold_nobody(bench: Bench) -> None:
    mine = operator(bench, budget=3).for_caller("hush", "o", "p")
    assert (mine.org_key, mine.project_id, mine.budget, mine.base_url) == ("o", "p", Decimal(3), bench.base_url)
    assert operator(bench).token is None
    assert "hush" not in repr(mine)


async def test_an_unknown_method_is_an_error(site: Site) -> None:
    async with site.client({}) as client:
        assert isinstance(client, Client)
        with pytest.raises(MCPError) as caught:
            await client.session.send_request(_unknown(), CallToolResult)
    assert caught.value.error.code == METHOD_NOT_FOUND


def _unknown() -> Any:
    from mcp_types import Request, RequestParams

    class Unknown(Request[RequestParams, Any]):
        method: Any = "no/such"

    return Unknown(params=RequestParams())


async def test_a_caller_whom_the_platform_refuses_gets_no_stream(site: Site) -> None:
    listen = {"notifications": {"toolsListChanged": True}}
    refused = {**credentials("acme"), "X-Do-Org-Key": "deeporigin"}
    async with site.http(routing("subscriptions/listen") | refused) as http:
        with anyio.fail_after(20):
            said = await http.post("/mcp", json=request("subscriptions/listen", listen))
    assert "HTTP 403" in said.text
    assert len(site.pool) == 0
