"""find_platform_tools: the tool for a task comes first, whatever words the task is told in."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform import ToolDefinition
from deeporigin_mcp.simulator import Platform
from deeporigin_mcp.tools import vocabulary
from deeporigin_mcp.tools.ranking import ranked, stem, words_of
from tests.tools.bench import Agent, Bench, running_bench
from tests.tools.queries import LABELLED, ONE_ANSWER

pytestmark = pytest.mark.anyio

LEAST_MEAN_RECIPROCAL_RANK = 0.98


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with running_bench() as found:
        yield found


@pytest.fixture(scope="module")
async def agent(bench: Bench, anyio_backend: str) -> AsyncIterator[Agent]:
    async with bench.agent() as found:
        yield found


def _newest() -> list[ToolDefinition]:
    found: dict[str, ToolDefinition] = {}
    for row in Platform().catalogue.rows():
        definition = ToolDefinition(row)
        known = found.get(definition.key)
        if definition.enabled and (known is None or definition.version_numbers > known.version_numbers):
            found[definition.key] = definition
    return [*found.values()]


NEWEST = _newest()


def found_for(query: str, definitions: list[ToolDefinition] = NEWEST) -> list[str]:
    return [definition.key.removeprefix("deeporigin.") for definition in ranked(definitions, query)]


def test_the_mean_reciprocal_rank_of_the_labelled_queries_stays_high() -> None:
    assert len(LABELLED) >= 60
    first = {query: wanted.split()[0] for query, wanted in LABELLED.items()}
    ranks = {query: found_for(query).index(key) + 1 if key in found_for(query) else 0 for query, key in first.items()}
    worse = {query: found_for(query)[:4] for query, rank in ranks.items() if rank != 1}
    assert sum(1 / rank for rank in ranks.values() if rank) / len(ranks) >= LEAST_MEAN_RECIPROCAL_RANK, worse


@pytest.mark.parametrize(("query", "wanted"), LABELLED.items())
def test_every_tool_that_a_query_means_is_at_the_front(query: str, wanted: str) -> None:
    front = found_for(query)[: len(wanted.split()) + 1]
    assert set(wanted.split()) <= {*front}


@pytest.mark.parametrize(("query", "first"), ONE_ANSWER)
async def test_what_answers_a_question_comes_before_all_else(agent: Agent, query: str, first: tuple[str, ...]) -> None:
    found = await agent.read("find_platform_tools", query=query)
    assert {row["tool_key"] for row in found["tools"][: len(first)]} == {f"deeporigin.{key}" for key in first}
    described = await agent.follow(found["next_step"])
    assert described["tool_key"] == found["tools"][0]["tool_key"]


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
    assert (found["has_more"], found["count"] > 1) == (True, True)


async def test_the_tools_own_name_for_a_value_outranks_a_synonym_and_is_told(agent: Agent) -> None:
    for query in ("aqueous solubility", "predict the Aqueous Solubility of three molecules"):
        found = await agent.read("find_platform_tools", query=query)
        first, *rest = found["tools"]
        assert (first["tool_key"], first["matched"]) == (
            "deeporigin.admet-properties",
            "properties: solubility (Aqueous solubility)",
        )
        assert "deeporigin.mol-props-combined" in {row["tool_key"] for row in rest}
        assert not any("matched" in row for row in rest)
    assert (await agent.follow(found["next_step"]))["tool_key"] == "deeporigin.admet-properties"


async def test_a_step_that_is_named_like_a_tool_means_that_tool(agent: Agent) -> None:
    for query, key in (("system preparation", "system-prep"), ("plan a network of ligand pairs", "konnektor")):
        found = await agent.read("find_platform_tools", query=query)
        assert found["tools"][0]["tool_key"] == f"deeporigin.{key}"
        assert not any("matched" in row for row in found["tools"])


def test_what_fits_much_worse_than_the_best_is_not_listed() -> None:
    assert found_for("molecular properties") == ["mol-props-combined", "admet-properties", "mol-props-protonation"]
    for query, wanted in LABELLED.items():
        assert {*wanted.split()} <= {*found_for(query)}, query


async def test_an_empty_query_lists_all_that_can_run_and_tests_last(agent: Agent) -> None:
    for query in ("", " \n", "which tools are there?"):
        found = await agent.read("find_platform_tools", limit=100, query=query)
        keys = [row["tool_key"] for row in found["tools"]]
        assert len(keys) == len(set(keys)) == found["count"]
        if not query.strip():
            assert {f"deeporigin.{name}" for name in ("docking", "rbfe", "admet-properties", "draco")} <= {*keys}
            assert "deeporigin.bulk-docking" not in keys
            assert keys[-2:] == ["acme.hello-test", "test-tool"]
            assert found["has_more"] is False


async def test_disabled_tools_are_shown_on_request_and_marked(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="bulk docking", include_disabled=True)
    assert (found["tools"][0]["tool_key"], found["tools"][0]["enabled"]) == ("deeporigin.bulk-docking", False)


async def test_only_what_the_operator_allows_is_found_and_suggested(bench: Bench) -> None:
    async with bench.agent(allowed_tool_keys=("deeporigin.draco",)) as agent:
        assert (await agent.read("find_platform_tools", query="docking"))["tools"] == []
        assert [row["tool_key"] for row in (await agent.read("find_platform_tools"))["tools"]] == ["deeporigin.draco"]
        told = await agent.refused("describe_platform_tool", tool_key="dokcing")
        assert "deeporigin.docking" not in told


async def test_a_query_that_matches_nothing_names_the_call_that_lists_all(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="qwxz'\" | \n vvvv")
    assert (found["tools"], found["count"]) == ([], 0)
    assert (await agent.follow(found["next_step"]))["count"] > 10


async def test_a_query_that_matches_nothing_names_the_nearest_words(agent: Agent) -> None:
    found = await agent.read("find_platform_tools", query="antibody slvxtiqn")
    assert (found["tools"], found["count"]) == ([], 0)
    assert "Nearest words: " in found["next_step"]
    assert "solvation" in found["next_step"]
    assert (await agent.follow(found["next_step"]))["count"] > 0


def test_the_vocabulary_names_tools_that_exist_and_each_phrase_once() -> None:
    keys = [{*key.removeprefix("deeporigin.").split("-")} for key in (definition.key for definition in NEWEST)]
    seen: list[tuple[str, ...]] = []
    for phrases, parts in vocabulary.SAID:
        for part in parts.split():
            assert any({*part.split("-")} <= words for words in keys), part
        for phrase in phrases.split(", "):
            words = tuple(map(stem, words_of(phrase)))
            assert len(words) >= (2 if " " in phrase else 1), f"{phrase} is noise"
            assert words not in seen, phrase
            seen.append(words)


def test_every_phrase_of_the_vocabulary_finds_what_it_means_first() -> None:
    for phrases, parts in vocabulary.SAID:
        for phrase in phrases.split(", "):
            first = found_for(phrase)[0]
            assert {*parts.split()[0].split("-")} <= {*first.split("-")}, (phrase, found_for(phrase)[:3])


@pytest.mark.parametrize(
    ("form", "other"),
    [("ligands", "ligand"), ("properties", "property"), ("docking", "dock"), ("analogues", "analog"),
     ("ionisation", "ionization"), ("logs", "logs"), ("analysis", "analysis"), ("modelling", "model")],
)  # fmt: skip
def test_words_are_compared_without_number_and_grammar(form: str, other: str) -> None:
    assert stem(form) == other


ODD_ROWS: list[dict[str, Any]] = [
    {"key": "a.docking", "version": None, "name": 5, "description": ["x"], "inputs": []},
    {"key": "a.docking", "version": "1", "inputs": {"properties": [1], "enum": 3}},
    {"key": "deeporigin.docking-test", "version": "9.9.9", "name": "Docking", "description": "Docking docking docking"},
    {"key": "x", "version": "1", "name": "X", "inputs": {"properties": {"m": {"enum": [None, 1, "docking"]}}}},
    {"key": "TEST.Docking", "version": "1", "name": "Docking"},
    {"key": "latest.fastest-docking", "version": "1", "name": "Fast docking"},
    {"key": "", "version": "1", "name": "Docking"},
]


def test_tests_and_rows_without_a_name_come_after_real_tools() -> None:
    found = [d.key for d in ranked([*map(ToolDefinition, ODD_ROWS), *NEWEST], "docking")]
    assert found[0] == "deeporigin.docking"
    junk = ["a.docking", "deeporigin.docking-test", "TEST.Docking"]
    assert {*junk} <= {*found[-4:]}
    assert "latest.fastest-docking" in found[:-4]


def test_a_tool_asked_for_by_its_key_comes_first_whatever_it_is() -> None:
    assert found_for("acme.hello-test")[0] == "acme.hello-test"


def test_a_schema_without_end_is_read_as_far_as_it_pays() -> None:
    node: dict[str, Any] = {"properties": {"target": {"enum": ["docking"] * 10_000}}}
    for _ in range(100):
        node = {"properties": {"inner": node}, "items": [node] * 20}
    deep = ToolDefinition({"key": "x.deep", "version": "1", "name": "Deep", "inputs": node})
    assert ranked([deep, *NEWEST], "docking")[0].key == "deeporigin.docking"


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=12), lambda inner: st.lists(inner, max_size=3), max_leaves=4
)
rows = st.dictionaries(st.sampled_from(["key", "version", "name", "description", "inputs", "enabled"]), values)


@given(st.lists(rows, max_size=6), st.text(max_size=40))
def test_the_order_depends_on_nothing_but_definitions_and_query(odd: list[dict[str, Any]], query: str) -> None:
    definitions = [*map(ToolDefinition, odd), *NEWEST]
    definitions = [*{(d.key, d.version): d for d in definitions}.values()]
    first = [(d.key, d.version) for d in ranked(definitions, query)]
    random.Random(7).shuffle(definitions)
    assert [(d.key, d.version) for d in ranked(definitions, query)] == first
    assert len(first) == len({*first})


def test_a_very_long_query_is_read_as_far_as_it_pays() -> None:
    assert found_for("docking " + "qwxzv" * 20_000 + " unheardof" * 5_000)[0] == "docking"
