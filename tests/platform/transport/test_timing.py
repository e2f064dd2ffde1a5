"""Clocks for ages and durations."""

from __future__ import annotations

import sys
import time

import pytest

from deeporigin_mcp.platform import Timing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names a clock of Linux")
def test_ages_are_counted_by_a_clock_that_runs_while_the_machine_sleeps() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = Timing().since_boot()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_where_there_is_no_such_clock_the_monotonic_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    before = time.monotonic()
    assert before <= Timing().since_boot() <= time.monotonic()
