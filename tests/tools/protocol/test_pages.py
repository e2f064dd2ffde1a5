"""Who sees the pages, the tools that these belong to, and the tools that only they call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp_types import TextResourceContents

from deeporigin_mcp.apps import pages
from tests.support.bench import ERAS, Bench
from tests.support.hosts import host_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("built")]

PAGES = {
    "confirm_execution": "ui://deeporigin/approval",
    "get_execution_results": "ui://deeporigin/results",
    "wait_executions": "ui://deeporigin/monitor",
}
"""By the tool whose results each shows."""
ONLY_FOR_PAGES = {"approve_execution", "read_results_files", "read_results_page", "show_progress"}


async def metas(client: Client) -> dict[str, Any]:
    return {tool.name: tool.meta for tool in (await client.list_tools(cache_mode="bypass")).tools}


async def uris(client: Client) -> set[str]:
    return {str(resource.uri) for resource in (await client.list_resources(cache_mode="bypass")).resources}


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_that_shows_apps_sees_each_page_and_what_it_calls(bench: Bench, mode: str) -> None:
    async with host_of(bench, mode=mode) as host:
        found = {name: meta for name, meta in (await metas(host)).items() if meta}
        assert found == {
            **{name: {"ui": {"resourceUri": uri}, "ui/resourceUri": uri} for name, uri in PAGES.items()},
            **{name: {"ui": {"visibility": ["app"]}} for name in ONLY_FOR_PAGES},
        }
        assert await uris(host) == {*PAGES.values()}
        for uri in PAGES.values():
            (page,) = (await host.read_resource(uri)).contents
            assert isinstance(page, TextResourceContents)
            assert page.mime_type == APP_MIME_TYPE
            assert page.text.startswith("<!doctype html>")
        # In revisions before 2026-07-28 the SDK has no place for it.
        assert mode == "legacy" or EXTENSION_ID in (host.server_capabilities.extensions or {})


@pytest.mark.parametrize("mode", ERAS)
async def test_for_other_clients_the_lists_are_as_if_there_were_no_pages(bench: Bench, mode: str, built: Path) -> None:
    async with Client(bench.server(), mode=mode) as plain:
        listed = (await plain.list_tools(cache_mode="bypass")).tools
        assert not {tool.name for tool in listed} & ONLY_FOR_PAGES
        assert await uris(plain) == set()
    (built / pages.RESULTS).unlink()
    async with Client(bench.server(), mode=mode) as plain:
        assert (await plain.list_tools(cache_mode="bypass")).tools == listed


@pytest.mark.parametrize("mode", ERAS)
async def test_without_built_pages_no_client_is_offered_one(bench: Bench, mode: str, built: Path) -> None:
    (built / pages.RESULTS).unlink()
    async with host_of(bench, mode=mode) as host:
        found = await metas(host)
        assert not [name for name, meta in found.items() if meta]
        assert not found.keys() & ONLY_FOR_PAGES
        assert await uris(host) == set()
        assert EXTENSION_ID not in (host.server_capabilities.extensions or {})


async def test_a_read_only_server_shows_all_pages_but_the_card(bench: Bench) -> None:
    async with host_of(bench, read_only=True) as host:
        assert await uris(host) == {*PAGES.values()} - {PAGES["confirm_execution"]}
        assert "approve_execution" not in await metas(host)
