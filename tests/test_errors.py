"""The error tree: as its docstring draws it, sorted by who can act, and built for whoever reads it."""

import inspect
import pickle
import re
from typing import Any

import pytest

from deeporigin_mcp import errors
from deeporigin_mcp.errors import (
    ArgumentError,
    DeepOriginError,
    NetworkError,
    OutcomeUnknownError,
    RateLimitError,
    RestrictionError,
    WaitTimeoutError,
)

KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def drawn_tree() -> dict[str, str]:
    """Each error of the docstring's drawing and the one above it."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        found = re.match(r"([\s│├└─]*)(\w+Error)\b", line)
        if not found:
            continue
        indent, name = len(found[1]), found[2]
        above = [entry for entry in above if entry[0] < indent]
        if above:
            parents[name] = above[-1][1]
        above.append((indent, name))
    return parents


def test_the_drawing_is_the_tree() -> None:
    tree = {name: kind.__bases__[0].__name__ for name, kind in KINDS.items() if kind is not DeepOriginError}
    assert drawn_tree() == tree
    assert len(tree) > 10


def test_each_error_says_what_it_is_for() -> None:
    assert all(kind.__doc__ for kind in KINDS.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_error_is_its_message_and_a_next_step(kind: type[DeepOriginError]) -> None:
    error = kind("It broke.")
    assert (str(error), error.message) == ("It broke.", "It broke.")
    assert isinstance(error.next_step, str)
    assert error.request_id is None
    assert isinstance(error, DeepOriginError)


def test_errors_that_python_knows_are_those_too() -> None:
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(WaitTimeoutError, TimeoutError)
    assert not issubclass(OutcomeUnknownError, NetworkError)


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (None, "Wait a minute, then call again."),
        (0.0, "Wait 0 s, then call again."),
        (7.4, "Wait 7 s, then call again."),
    ],
)
def test_a_rate_limit_says_how_long(seconds: float | None, step: str) -> None:
    error = RateLimitError("Too many.", retry_after_seconds=seconds)
    assert (error.next_step, error.http_status) == (step, 429)


def test_a_restriction_says_that_repeating_is_no_use() -> None:
    error = RestrictionError("No.", action="Add funds", execution={"executionId": "e"}, http_status=403)
    assert (error.action, error.execution, error.http_status) == ("Add funds", {"executionId": "e"}, 403)
    assert "Calling again does not help" in error.next_step


def test_only_a_network_error_may_say_that_nothing_was_sent() -> None:
    assert NetworkError("x", nothing_sent=True).nothing_sent
    assert not NetworkError("x").nothing_sent


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_error_survives_a_trip_to_another_process(kind: type[DeepOriginError]) -> None:
    arrived: Any = pickle.loads(pickle.dumps(kind("It broke.")))
    assert (type(arrived), str(arrived)) == (kind, "It broke.")
