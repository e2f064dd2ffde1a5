"""The audit log's file: a line is in it whole or not at all, and what is no ordinary file is refused at the start."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeporigin_mcp.errors import SettingsError, SpendingLimitError
from deeporigin_mcp.platform import Execution
from deeporigin_mcp.server import create_server
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.approvals.audit_log import AuditLog
from tests.support.liars import named, record


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def write(log: Path, number: int) -> None:
    quote = Execution(record(named(number)))
    AuditLog(log).record(Settings(), quote, "approved", "a test", now=0)


def written(log: Path) -> list[str]:
    content = log.read_text()
    assert content.endswith("\n")
    return [json.loads(line)["execution_id"] for line in content.splitlines()]


@contextlib.contextmanager
def room_for(more_bytes: int, log: Path) -> Iterator[None]:
    """A disk that is full after so many bytes more."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + more_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 100, 250])
def test_a_full_disk_leaves_no_half_line_and_starts_nothing(log: Path, room: int) -> None:
    write(log, 1)
    before = log.read_bytes()
    with room_for(room, log), pytest.raises(SpendingLimitError):
        write(log, 2)
    assert log.read_bytes() == before
    write(log, 3)
    assert written(log) == [named(1), named(3)]


def test_a_line_that_another_program_left_unfinished_spoils_no_line_of_ours(log: Path) -> None:
    write(log, 1)
    with log.open("a") as file:
        file.write('{"half": ')
    write(log, 2)
    write(log, 3)
    lines = log.read_text().splitlines()
    assert lines[1] == '{"half": '
    assert [json.loads(lines[place])["execution_id"] for place in (0, 2, 3)] == [named(1), named(2), named(3)]


def test_checking_a_log_writes_nothing_into_it(log: Path) -> None:
    log.write_text("unfinished")
    AuditLog.checked(log)
    assert log.read_text() == "unfinished"


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "a link to a device", "a link to itself"])
def test_what_is_no_ordinary_file_stops_the_start(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    match kind:
        case "a pipe":
            os.mkfifo(place)
        case "a device":
            place = Path("/dev/null")
        case "a folder":
            place.mkdir()
        case "a link to a device":
            place.symlink_to("/dev/full")
        case _:
            place.symlink_to(place)
    with pytest.raises(SettingsError):
        create_server(Settings(audit_log=place))


def test_a_pipe_in_the_place_of_the_file_starts_nothing_and_keeps_nobody_waiting(log: Path) -> None:
    write(log, 1)
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(SpendingLimitError):
        write(log, 2)


def test_a_link_to_a_file_is_followed(log: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("")
    log.symlink_to(tmp_path / "real")
    write(log, 1)
    assert written(tmp_path / "real") == [named(1)]
