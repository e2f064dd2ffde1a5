"""A server without credentials, or with bad ones, is there and says what is missing."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.simulator import make_token
from tests.support.bench import ERAS, Bench, agent_of, bench_token
from tests.support.calls import CALLS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
async def test_without_credentials_all_tools_are_there_and_each_says_what_is_missing(mode: str) -> None:
    async with agent_of(create_server(Settings.load({})), mode=mode) as agent:
        assert [*agent.inputs] == [*CALLS]
        for tool, arguments in CALLS.items():
            answer = await agent.call(tool, arguments)
            message = answer.text if answer.is_error else answer.content["executions"][0]["error"]
            assert "DO_AUTH_TOKEN" in message, tool
            assert "DO_ORG_KEY" in message
            assert answer.is_error or tool == "wait_executions"


@pytest.mark.parametrize("tool", CALLS)
async def test_a_token_that_expires_meanwhile_is_reported_and_nothing_is_sent(bench: Bench, tool: str) -> None:
    async with bench.agent() as agent:
        await agent.read("list_executions")
        bench.platform.requests.clear()
        bench.time.token_ages_seconds = 30 * 365 * 24 * 3600
        answer = await agent.call(tool, CALLS[tool])
    assert answer.error.code == "token_expired" if answer.error else answer.content["executions"][0]["error"]
    assert not [path for _, path, _ in bench.platform.requests if not path.endswith("/health")]


async def test_a_token_that_the_platform_refuses_is_reported(bench: Bench) -> None:
    async with bench.agent() as agent:
        bench.fault("* * status=401")
        for tool, arguments in CALLS.items():
            answer = await agent.call(tool, arguments)
            message = answer.text + str(answer.content)
            assert "HTTP 401" in message, tool
            assert "DO_AUTH_TOKEN" in message or tool in ("get_workspace", "wait_executions")
            assert bench_token() not in message


async def test_another_organisation_is_forbidden_in_words(bench: Bench) -> None:
    token = make_token(orgs=["acme"], expires_in_seconds=10**9)
    async with bench.agent(token=SecretStr(token)) as agent:
        message = await agent.refused("list_executions")
    assert "HTTP 403" in message
    assert "DO_ORG_KEY" in message


@pytest.mark.parametrize("token", ["not a jwt", "a.b.c", "x" * 5000])
async def test_an_invalid_token_is_reported_without_repeating_it(bench: Bench, token: str) -> None:
    async with bench.agent(token=SecretStr(token)) as agent:
        answer = await agent.call("get_workspace", {})
    assert answer.error == ("invalid_token", None)
    assert token not in answer.text


async def test_an_unusable_setting_is_reported_at_the_first_call() -> None:
    settings = Settings.load({"DO_ENV": "production"})
    async with agent_of(create_server(settings)) as agent:
        message = await agent.refused("list_executions")
    assert "'production' in DO_ENV" in message
