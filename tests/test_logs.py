"""The log: lines that do no harm, written where nobody has to wait for them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from deeporigin_mcp.logs import MAX_LINE_BYTES, MAX_WAITING_LINES, LineWriter, OneLineFormatter
from deeporigin_mcp.platform.records.sanitizing import register_secret
from tests.support.bench import bench_token


class Log:
    """A logger, its handler, and the other end of what it writes to."""

    def __init__(self) -> None:
        self.end, self.descriptor = os.pipe()
        self.handler = LineWriter(self.descriptor)
        self.handler.setFormatter(OneLineFormatter())
        self.logger = logging.getLogger("deeporigin_mcp.test")
        self.logger.propagate = False
        self.logger.addHandler(self.handler)

    def lines(self) -> list[bytes]:
        """Everything that was logged, to its end."""
        self.handler.flush()
        os.close(self.descriptor)
        with os.fdopen(self.end, "rb") as reader:
            return reader.read().splitlines()


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.logger.removeHandler(made.handler)


def test_a_line_that_others_wrote_parts_of_does_no_harm(log: Log) -> None:
    register_secret(bench_token())
    log.logger.warning("Host %s", "x\x1b[2J\x1b[31mFAKE\x9b31m\r\n2026 INFO forged\u2028line \u202e\U000e0041 \ud800")
    log.logger.error("debug: Authorization: Bearer %s", bench_token())
    log.logger.warning("Origin %s", "é" * 60_000)
    first, second, third = log.lines()
    assert first.rstrip().endswith(b"WARNING deeporigin_mcp.test: Host x [2J [31mFAKE 31m 2026 INFO forged line")
    assert second.endswith(b"Bearer [secret]")
    assert len(third) < MAX_LINE_BYTES + 10
    third.decode()


def test_an_exception_is_named_without_its_stack(log: Log) -> None:
    try:
        raise OSError("a secret of somebody")
    except OSError:
        log.logger.exception("It failed")
    (line,) = log.lines()
    assert line.endswith(b"It failed (OSError)")


def test_a_record_that_cannot_be_formatted_is_a_line_too(log: Log) -> None:
    log.handler.handle(logging.makeLogRecord({"msg": "%d of %d", "args": ("one",)}))
    assert b"a line that cannot be formatted" in log.lines()[0]


def test_who_logs_never_waits_for_a_reader_and_what_was_dropped_is_counted(log: Log) -> None:
    lines = 3 * MAX_WAITING_LINES
    for number in range(lines):
        log.logger.warning("%04d %s", number, "x" * 200)
    found: list[bytes] = []

    def read() -> None:
        with os.fdopen(log.end, "rb") as reader:
            found.extend(reader.read().splitlines())

    reader = threading.Thread(target=read)
    reader.start()
    log.handler.flush()
    os.close(log.descriptor)
    reader.join(10)
    told = [line for line in found if line.endswith(b" log lines were dropped: nobody read stderr.")]
    written = len(found) - len(told)
    assert 0 < written < lines
    assert sum(int(line.split()[0]) for line in told) == lines - written


def test_the_end_of_a_process_does_not_wait_for_a_reader_for_ever(log: Log) -> None:
    for _ in range(MAX_WAITING_LINES):
        log.logger.warning("x" * 200)
    log.handler.flush()
    os.close(log.end)


def test_a_reader_that_has_gone_does_no_harm(log: Log) -> None:
    os.close(log.end)
    for _ in range(3):
        log.logger.warning("x")
    log.handler.flush()
    os.close(log.descriptor)


def test_a_descriptor_that_does_not_wait_gets_every_line(log: Log) -> None:
    """Some clients share the pipe of stderr, and make it so for both sides."""
    os.set_blocking(log.descriptor, False)
    reader = os.fdopen(os.dup(log.end), "rb")
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.extend(reader.read().splitlines()))
    for number in range(MAX_WAITING_LINES - 1):
        log.logger.warning("%s %04d", "x" * 200, number)
    thread.start()
    log.handler.flush()
    os.close(log.descriptor)
    thread.join(10)
    reader.close()
    os.close(log.end)
    assert [line[-4:] for line in found] == [f"{number:04d}".encode() for number in range(MAX_WAITING_LINES - 1)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_logs_too() -> None:
    """As servers do that load an application once for several workers."""
    script = (
        "import logging, os\n"
        "from deeporigin_mcp.logs import configure_logging\n"
        "configure_logging('WARNING')\n"
        "child = os.fork()\n"
        "logging.getLogger('deeporigin_mcp').warning('child' if child == 0 else 'parent')\n"
        "child and os.waitpid(child, 0)\n"
    )
    # Newer Pythons warn of forks beside threads, on the same stream.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert sorted(line.split()[-1] for line in done.stderr.splitlines()) == [b"child", b"parent"]
