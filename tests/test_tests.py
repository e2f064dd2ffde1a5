"""The house rules of the tests: helpers live in `tests/support/`, and no directory of tests leans on another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
IMPORT = re.compile(r"\s*(?:from|import) tests\b(.*)")
FOR_ALL = ("support", "messages")
"""What every directory of tests may import."""


def imported(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and words below `tests` of each import of one of our modules: its path, and the names if they fit beside."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if found := IMPORT.match(line):
            yield number, re.findall(r"\w+", found[1])


def is_allowed(path: Path, below: list[str]) -> bool:
    """Whether a file of the tests may import this."""
    inside = path.relative_to(TESTS).parts[0]
    own = () if inside.endswith(".py") else (inside,)
    of_tests = any(part == "conftest" or part.startswith("test_") for part in below)
    return below[0] in (("support",) if own == ("support",) else (*FOR_ALL, *own)) and not of_tests


def test_tests_import_helpers_and_never_one_another() -> None:
    wrong = [
        f"{path.relative_to(TESTS.parent)}:{line} imports {' '.join(below)}: move what both need to tests/support"
        for path in FILES
        for line, below in imported(path)
        if not is_allowed(path, below)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "name", "allowed"),
    [
        ("tools/test_logs.py", "support.bench.Bench", True),
        ("install/test_files.py", "install.starting.started", True),
        ("test_cli.py", "support.processes.run", True),
        ("tools/test_logs.py", "tools.test_results.whole", False),
        ("tools/test_logs.py", "simulator.golden.GOLDEN", False),
        ("simulator/test_lists.py", "simulator.conftest.Api", False),
        ("support/bench.py", "tools.rows.stored", False),
        ("test_docs.py", "test_readme.README", False),
    ],
)
def test_the_rule_knows_helpers_from_tests(path: str, name: str, allowed: bool) -> None:
    assert is_allowed(TESTS / path, name.split(".")) is allowed
