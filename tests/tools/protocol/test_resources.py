"""Executions, logs and tool definitions as resources."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, ReadResourceResult, TextResourceContents

from deeporigin_mcp.platform.clients.executions import Executions
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.protocol import resources
from deeporigin_mcp.tools.runtime.state import RECENT_SECONDS, RECENT_SHOWN
from tests.support.bench import ERAS, Bench, agent_of, bench_token
from tests.support.facts import assert_harmless

pytestmark = pytest.mark.anyio

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DATA_PLATFORM_ID = "0AF3K9Q2W7T5M"
DOCKING = "deeporigin://tools/deeporigin.docking/latest"
HOUR_MS = 3_600_000


def execution_uri(name: str) -> str:
    return f"deeporigin://executions/{name}"


def content_of(read: ReadResourceResult) -> dict[str, Any]:
    (content,) = read.contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    assert_harmless(content.text)
    assert len(content.text) <= 20_000
    found: dict[str, Any] = json.loads(content.text)
    return found


async def refusal_of(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as refusal:
        await client.read_resource(uri)
    assert_harmless(refusal.value.error.message)
    assert refusal.value.error.data == {"uri": uri}
    return refusal.value


@pytest.mark.parametrize("mode", ERAS)
async def test_a_resource_is_what_the_tool_of_the_same_thing_returns(bench: Bench, mode: str) -> None:
    async with bench.agent(mode=mode) as agent:
        for status in ("Quoted", "Running", "Completed", "Failed", "Cancelled"):
            name = bench.seeded(status)
            told = await agent.read("get_execution", execution_id=name)
            assert content_of(await agent.client.read_resource(execution_uri(name))) == told
        told = await agent.read("describe_platform_tool", tool_key="deeporigin.docking")
        assert content_of(await agent.client.read_resource(DOCKING)) == told
        exact = f"deeporigin://tools/deeporigin.docking/{told['other_versions'][0]}"
        assert content_of(await agent.client.read_resource(exact))["tool_version"] == told["other_versions"][0]


async def test_the_logs_of_an_execution_are_lines(bench: Bench) -> None:
    name = bench.seeded("Failed")
    async with bench.agent() as agent:
        logs = content_of(await agent.client.read_resource(f"{execution_uri(name)}/logs"))
        assert logs["execution_id"] == name
        assert {"time", "level", "message"} == {*logs["rows"][0]}
        assert logs["has_more"] is False
        (refused,) = [await refusal_of(agent.client, f"{execution_uri(UNKNOWN)}/logs")]
    assert refused.error.code == INVALID_PARAMS


async def test_a_listing_of_templates_asks_the_platform_for_nothing(bench: Bench) -> None:
    async with bench.agent() as agent:
        assert len((await agent.client.list_resource_templates()).resource_templates) == 3
    assert bench.platform.requests == []


@pytest.mark.parametrize("mode", ERAS)
async def test_the_newest_executions_are_listed_and_each_can_be_read(bench: Bench, mode: str) -> None:
    names = [bench.seeded(status, name=f"run {status}") for status in ("Completed", "Failed", "Quoted")]
    async with bench.agent(mode=mode) as agent:
        listed = (await agent.client.list_resources()).resources
        assert {one.uri for one in listed} == {execution_uri(name) for name in names}
        for one in listed:
            read = content_of(await agent.client.read_resource(one.uri))
            assert (one.name, one.title) == (read["name"], f"{read['name']} ({read['status']})")
            assert (one.description or "").startswith(f"{read['status']}, {read['tool_key']}, 20")


async def test_a_listing_is_short_takes_one_request_and_is_kept_for_seconds(bench: Bench) -> None:
    bench.platform.seed_executions(count=150, name="n" * 400)
    hidden = bench.platform.seed_executions(status="Running", visibility="hidden")[0]
    async with bench.agent() as agent:
        first, second = [await agent.client.list_resources(cache_mode="bypass") for _ in range(2)]
        assert first.resources == second.resources
        assert execution_uri(hidden) not in [one.uri for one in first.resources]
        assert len(first.resources) == RECENT_SHOWN
        assert len(first.model_dump_json(exclude_none=True)) <= 400 * RECENT_SHOWN
        assert len(bench.platform.requests) == 1
        newest = bench.seeded("Running")
        await bench.time.timing.sleep(RECENT_SECONDS)
        again = await agent.client.list_resources(cache_mode="bypass")
        assert again.resources[0].uri == execution_uri(newest)


@pytest.mark.parametrize("fault", ["* * status=503", "* * status=401", "* * html status=200"])
async def test_a_listing_does_not_fail_with_the_platform(bench: Bench, fault: str) -> None:
    bench.seeded()
    bench.fault(fault)
    async with bench.agent() as agent:
        assert (await agent.client.list_resources(cache_mode="bypass")).resources == []
        bench.heal()
        assert len((await agent.client.list_resources(cache_mode="bypass")).resources) == 1


async def test_a_listing_does_not_wait_for_a_slow_platform(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "LIST_SECONDS", 0)
    bench.seeded()
    async with bench.agent() as agent:
        assert (await agent.client.list_resources()).resources == []


async def test_without_credentials_or_the_tool_no_execution_is_listed(bench: Bench) -> None:
    bench.seeded()
    for settings in (Settings(), Settings(toolsets=("files",))):
        async with Client(create_server(settings)) as client:
            assert (await client.list_resources()).resources == []
    async with bench.agent(toolsets=("files",)) as agent:
        assert (await agent.client.list_resources()).resources == []
    assert bench.platform.requests == []


async def test_a_listed_name_is_one_short_line(bench: Bench) -> None:
    bench.seeded(name="a\nb\u202e" + "x" * 500)
    async with bench.agent() as agent:
        (one,) = (await agent.client.list_resources()).resources
        assert_harmless(one.name)
        assert len(one.name) <= resources.LISTED_NAME_CHARACTERS


@pytest.mark.parametrize("mode", ERAS)
async def test_what_does_not_exist_is_not_found(bench: Bench, mode: str) -> None:
    async with bench.agent(mode=mode) as agent:
        for uri in (
            execution_uri(UNKNOWN),
            execution_uri(DATA_PLATFORM_ID),
            execution_uri("%20"),
            "deeporigin://tools/deeporigin.dokcing/latest",
            "deeporigin://tools/deeporigin.docking/77",
            "deeporigin://executions",
            "deeporigin://executions/a/b/c",
            "deeporigin://executions/%2e%2e",
            "https://example.com/",
        ):
            assert (await refusal_of(agent.client, uri)).error.code == INVALID_PARAMS, uri


@pytest.mark.parametrize("uri", [execution_uri(UNKNOWN), f"{execution_uri(UNKNOWN)}/logs", DOCKING])
async def test_without_credentials_each_resource_says_what_is_missing(uri: str) -> None:
    async with agent_of(create_server(Settings.load({}))) as agent:
        refused = await refusal_of(agent.client, uri)
    assert refused.error.code == INTERNAL_ERROR
    assert "DO_AUTH_TOKEN" in refused.error.message


async def test_a_platform_that_fails_is_reported_without_secrets(bench: Bench) -> None:
    name = bench.seeded("Running")
    async with bench.agent() as agent:
        bench.fault("* * status=502 html")
        refused = await refusal_of(agent.client, execution_uri(name))
    assert refused.error.code == INTERNAL_ERROR
    assert "HTTP 502" in refused.error.message
    assert bench_token() not in refused.error.message


async def test_a_crash_of_ours_is_reported_without_its_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: Any, **__: Any) -> None:
        raise KeyError(bench_token())

    monkeypatch.setattr(Executions, "get", crash)
    async with bench.agent() as agent:
        refused = await refusal_of(agent.client, execution_uri(UNKNOWN))
    assert "(KeyError)" in refused.error.message
    assert '"outcome": "crashed", "error": "KeyError", "place": "deeporigin_mcp.tools' in caplog.text
    assert bench_token() not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_platform_that_hangs_is_a_timeout(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "CALL_SECONDS", 0.05)
    bench.fault("GET */executions/* delay=1000")
    async with bench.agent() as agent:
        refused = await refusal_of(agent.client, execution_uri(UNKNOWN))
    assert refused.error.code == INTERNAL_ERROR
    assert " 0.05 s " in refused.error.message


async def test_each_reading_says_how_long_it_may_be_kept(bench: Bench) -> None:
    async with bench.agent() as agent:
        kept = {}
        for status in ("Quoted", "Running", "Completed", "Failed"):
            read = await agent.client.read_resource(execution_uri(bench.seeded(status)))
            kept[status] = read.ttl_ms
            assert read.cache_scope == "private"
        definition = await agent.client.read_resource(DOCKING)
        templates = await agent.client.list_resource_templates()
        prompts = await agent.client.list_prompts()
    assert kept == {"Quoted": 5_000, "Running": 5_000, "Completed": HOUR_MS, "Failed": HOUR_MS}
    assert (definition.ttl_ms, definition.cache_scope) == (300_000, "private")
    for listed in (templates, prompts):
        assert (listed.ttl_ms, listed.cache_scope) == (HOUR_MS, "public")


async def test_a_client_that_keeps_what_it_read_does_not_ask_again(bench: Bench) -> None:
    name = bench.seeded("Completed")
    async with bench.agent() as agent:
        for _ in range(5):
            await agent.client.read_resource(execution_uri(name))
    assert len(bench.sent("GET", name)) == 1


@pytest.mark.parametrize(
    ("toolsets", "names"),
    [
        ((), ["execution", "execution_logs", "platform_tool"]),
        (("executions",), ["execution", "execution_logs"]),
        (("catalogue",), ["platform_tool"]),
        (("workspace",), []),
    ],
)
async def test_resources_go_with_the_tools_that_show_the_same(
    bench: Bench, toolsets: tuple[str, ...], names: list[str]
) -> None:
    name = bench.seeded("Completed")
    async with bench.agent(toolsets=toolsets, read_only=True) as agent:
        listed = await agent.client.list_resource_templates()
        assert [template.name for template in listed.resource_templates] == names
        if "execution" not in names:
            assert (await refusal_of(agent.client, execution_uri(name))).error.code == INVALID_PARAMS


async def test_a_tool_that_the_operator_does_not_allow_is_described_like_by_its_tool(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.rbfe",)) as agent:
        answer = await agent.call("describe_platform_tool", {"tool_key": "deeporigin.docking"})
        assert content_of(await agent.client.read_resource(DOCKING)) == answer.content


async def test_a_resource_holds_no_half_of_a_character(bench: Bench) -> None:
    catalogue = bench.platform.catalogue
    docks = catalogue.resolve("deeporigin.docking")
    assert docks is not None
    odd = {
        "type": "object",
        "properties": {"a\ud800": {"type": "string", "default": "b\udc00"}},
        "required": ["a\ud800"],
    }
    catalogue.definitions.append(dataclasses.replace(docks, key="deeporigin.odd", inputs=odd))
    try:
        async with bench.agent() as agent:
            told = await agent.read("describe_platform_tool", tool_key="deeporigin.odd")
            read = content_of(await agent.client.read_resource("deeporigin://tools/deeporigin.odd/latest"))
        assert read == told
        json.dumps(read, ensure_ascii=False).encode()
    finally:
        catalogue.definitions.pop()
