"""Status words: the platform's own, with one word for success, and unknown ones left alone."""

import pytest
from deeporigin.platform.constants import TERMINAL_STATES
from hypothesis import given

from deeporigin_mcp.platform.records import status
from deeporigin_mcp.platform.records.execution import Execution
from tests.support.arbitrary import json_values


def test_what_ends_a_wait_is_what_ends_it_in_the_official_client() -> None:
    assert status.SETTLED | {"Succeeded"} == set(TERMINAL_STATES)
    assert status.TERMINAL | {"Quoted"} == status.SETTLED


@pytest.mark.parametrize("word", status.KNOWN)
def test_known_words_stay(word: str) -> None:
    assert status.normalised(word) == word
    assert status.wire_words(word) == (("Completed", "Succeeded") if word == "Completed" else (word,))


def test_both_words_for_success_are_one() -> None:
    assert status.normalised("Succeeded") == "Completed"
    assert status.wire_words("Succeeded") == ("Completed", "Succeeded")
    assert Execution({"status": "Succeeded"}).is_terminal


@pytest.mark.parametrize("word", ["DataIngesting", "Suspended", "Finishing", "Accepted", "SomethingNew", "completed"])
def test_words_that_are_not_known_as_ends_are_not_ends(word: str) -> None:
    execution = Execution({"status": word})
    assert (execution.status, execution.is_settled) == (word, False)


@pytest.mark.parametrize("value", [None, "", 7, [], {}, True])
def test_a_missing_status_is_unknown_and_no_end(value: object) -> None:
    execution = Execution({"status": value})
    assert (execution.status, execution.is_terminal, execution.is_settled) == ("Unknown", False, False)


@given(value=json_values)
def test_every_value_becomes_a_word(value: object) -> None:
    word = status.normalised(value)
    assert word
    assert status.normalised(word) == word
