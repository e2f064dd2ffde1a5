"""find_platform_tools: tools that the query's words name come first, and the others are named unless one fits."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.tools.catalogue import find_platform_tools as finding
from tests.support.bench import Agent, Bench, compact_size

pytestmark = [pytest.mark.anyio, pytest.mark.one_bench]


def named(found: dict[str, Any]) -> list[str]:
    return [*(row["tool_key"] for row in found["tools"]), *found.get("others", [])]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("docking", "docking"),
        ("dock ligands into a protein", "docking"),
        ("constrained docking", "constrained-docking"),
        ("absolute binding free energy", "abfe-end-to-end"),
        ("molecular properties", "mol-props-combined"),
        ("protein preparation", "protein-prep"),
        ("deeporigin.rbfe", "rbfe"),
        ("acme.hello-test", ""),
    ],
)
async def test_the_tool_that_matches_best_comes_first(agent: Agent, query: str, first: str) -> None:
    found = await agent.read("find_platform_tools", query=query)
    assert found["tools"][0]["tool_key"] == (f"deeporigin.{first}" if first else query)
    assert (await agent.follow(found["next_step"]))["tool_key"] == found["tools"][0]["tool_key"]


async def test_every_tool_is_named_where_none_matches(agent: Agent) -> None:
    everything = named(await agent.read("find_platform_tools", limit=100))
    assert len(everything) > 15
    for query in ("qwxz'\" | \n vvvv", "antibody humanisation", "qwxzv" * 20_000):
        for limit in (1, 10, 100):
            found = await agent.read("find_platform_tools", query=query, limit=limit)
            assert sorted(named(found)) == sorted(everything)
            assert compact_size(found) <= 8_000


async def test_beside_a_tool_that_matches_few_words_the_others_are_named_but_no_test_tools(agent: Agent) -> None:
    everything = named(await agent.read("find_platform_tools", limit=100))
    found = await agent.read("find_platform_tools", query="docking slvxtiqn vvvv")
    assert set(everything) - set(named(found)) == {"acme.hello-test", "test-tool"}


async def test_beside_a_tool_that_matches_every_word_only_those_that_match_as_well_are_named(agent: Agent) -> None:
    for limit in (1, 10):
        found = await agent.read("find_platform_tools", query="docking", limit=limit)
        assert named(found) == ["deeporigin.docking", "deeporigin.constrained-docking"]
        assert found["has_more"] is (limit == 1)


async def test_a_query_that_nothing_matches_lists_all(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="antibody slvxtiqn")
    assert found["count"] == len(found["tools"]) > 15
    assert not any("matched" in row for row in found["tools"])


async def test_a_word_that_only_a_value_is_named_by_finds_the_tool_and_the_value(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="solubility")
    matched = {row["tool_key"]: row["matched"] for row in found["tools"]}
    assert matched["deeporigin.admet-properties"] == "properties: solubility (Aqueous solubility)"


async def test_the_row_of_a_tool_is_short_and_its_newest_version(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="docking", limit=1)
    assert found["tools"] == [
        {
            "tool_key": "deeporigin.docking",
            "tool_version": "4.2.0",
            "name": "Docking",
            "description": "Docks small molecules into a pocket of a protein and scores their poses.",
        }
    ]


async def test_tests_and_nameless_rows_come_last(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", limit=100)
    keys = named(found)
    assert "deeporigin.bulk-docking" not in keys
    assert keys[-2:] == ["acme.hello-test", "test-tool"]
    assert found["has_more"] is False


async def test_disabled_tools_are_shown_on_request_and_marked(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="bulk docking", include_disabled=True)
    assert (found["tools"][0]["tool_key"], found["tools"][0]["enabled"]) == ("deeporigin.bulk-docking", False)
    assert (await agent.follow(found["next_step"]))["enabled"] is False


async def test_only_what_the_operator_allows_is_found_and_suggested(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.draco",)) as agent:
        for query in ("", "docking"):
            assert named(await agent.read("find_platform_tools", query=query)) == ["deeporigin.draco"]
        message = await agent.refused("describe_platform_tool", tool_key="dokcing")
        assert "deeporigin.docking" not in message


async def test_hundreds_of_tools_are_cut_and_it_is_said(bench: Bench) -> None:
    known = bench.platform.catalogue.definitions
    docks = bench.platform.catalogue.resolve("deeporigin.docking")
    assert docks is not None
    before = list(known)
    known += [dataclasses.replace(docks, key=f"acme.many-{number}") for number in range(300)]
    try:
        async with bench.agent() as agent:
            found = await agent.read("find_platform_tools", query="pocket slvxtiqn vvvv")
            assert found["has_more"] is True
            assert compact_size(found) <= 8_000
    finally:
        known[:] = before


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["properties", "enum", "items", "x-enum-display-names", "$defs"]), inner)
    ),
    max_leaves=6,
)
rows = st.dictionaries(
    st.sampled_from(["key", "version", "name", "description", "inputs", "enabled", "mcpFeatured"]), values
)


@given(rows, st.text(max_size=40))
def test_no_definition_is_an_error(row: dict[str, Any], query: str) -> None:
    tool = ToolDefinition(row)
    words = finding._words(query)
    assert set(finding._match(tool, words).found) <= set(words)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("binding site", "deeporigin.pocket-finder"),
        ("find the active sites of my protein", "deeporigin.pocket-finder"),
        ("cavities", "deeporigin.pocket-finder"),
        ("binding affinity", "deeporigin.abfe-end-to-end"),
        ("pKa", "deeporigin.mol-props-protonation"),
        ("off-target panel", "deeporigin.secondary-pharma"),
    ],
)
async def test_a_chemists_other_words_find_the_tool(agent: Agent, query: str, key: str) -> None:
    found = await agent.read("find_platform_tools", query=query)
    assert found["tools"][0]["tool_key"] == key


async def test_a_good_match_comes_without_the_keys_of_all_others(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="dock ligands")
    assert "others" not in found
    assert compact_size(found) < 600
