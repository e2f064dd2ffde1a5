"""Near misses: the word that was meant comes first, and nothing is suggested where nothing is near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.platform.status import KNOWN
from deeporigin_mcp.tools.conditions import ORDER_FIELDS, SEARCH_COLUMNS
from deeporigin_mcp.tools.nearness import did_you_mean, nearest, plainly

FAMILIES = (KNOWN, SEARCH_COLUMNS, ORDER_FIELDS)


@pytest.mark.parametrize(
    ("given", "known", "meant"),
    [
        ("completed", KNOWN, "Completed"),
        ("COMPLETED", KNOWN, "Completed"),
        ("Complted", KNOWN, "Completed"),
        ("insufficient_funds", KNOWN, "InsufficientFunds"),
        ("in progress", KNOWN, "Running"),
        ("created_at", ORDER_FIELDS, "createdAt"),
        ("created_at", SEARCH_COLUMNS, "started_at"),
        ("toolKey", SEARCH_COLUMNS, "tool_key"),
        ("tools", ("tools_service", "data_platform"), "tools_service"),
    ],
)
def test_the_word_that_was_meant_comes_first(given: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest(given, known)[0] == meant
    assert did_you_mean(given, known) == f"did you mean {meant}?"


@pytest.mark.parametrize("given", ["", " ", "?!", "qwxz", "x" * 10_000, None, 7, ["Failed"], "Ünïcödé"])
def test_what_is_near_nothing_suggests_nothing(given: object) -> None:
    assert [nearest(given, known) for known in FAMILIES] == [[], [], []]
    assert did_you_mean(given, KNOWN) == ""


@given(st.sampled_from(FAMILIES), st.data())
def test_other_spellings_of_a_known_word_find_it(known: tuple[str, ...], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(known))
    for spelling in (word, word.upper(), word.lower(), word.replace("_", " "), f" {word}-"):
        assert nearest(spelling, known)[0] == word


@given(st.text(max_size=90), st.lists(st.text(max_size=20), max_size=8))
def test_only_known_words_are_suggested_each_once(given_word: str, known: list[str]) -> None:
    near = nearest(given_word, known)
    assert {*near} <= {*known}
    assert len(near) == len({*near}) <= 3
    assert near == nearest(given_word, known)


def test_plain_words_have_neither_case_nor_separators() -> None:
    assert plainly("createdAt") == plainly("created_at") == plainly("Created At") == "createdat"
