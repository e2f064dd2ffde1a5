"""A user's file is replaced whole or not at all, and stays the user's."""

from __future__ import annotations

import os
import resource
import stat
import sys
from pathlib import Path

import pytest

from tests.support.home import SAMPLES, Home, siblings
from tests.support.processes import COMMAND, run

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
any_size = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, any_size[1]))
from deeporigin_mcp.cli import main
try:
    sys.exit(main({arguments}))
finally:
    # What measures coverage writes at the end.
    resource.setrlimit(resource.RLIMIT_FSIZE, any_size)
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


def on_a_full_disk(home: Home, most_bytes: int, *arguments: str) -> tuple[int, str]:
    """Run a command on a disk that takes files of so many bytes."""
    script = FULL.format(bytes=most_bytes, arguments=[*arguments])
    # Without bytecode files: a disk that is full cuts them, and the next process cannot read them.
    done = run([sys.executable, "-B", "-c", script], home.folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("most_bytes", [0, 1, 100, 400])
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_full_disk_leaves_neither_half_a_file_nor_half_a_backup(home: Home, command: str, most_bytes: int) -> None:
    path = home.write("cursor", SAMPLES["cursor"].read_bytes() + b" " * 500)
    if command == "uninstall":
        assert home.install("cursor", name="other") == home.install("cursor") == 0
    before = {name: (path.parent / name).read_bytes() for name in siblings(path)}
    code, told = on_a_full_disk(home, most_bytes, command, "--client", "cursor")
    assert code == 1, told
    assert "Traceback" not in told
    assert {name: (path.parent / name).read_bytes() for name in siblings(path)} == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_named_and_not_waited_for(home: Home, kind: str) -> None:
    path = home.file("cursor")
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    for command in ("install", "uninstall"):
        done = run([*COMMAND, command, "--client", "cursor"], home.folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert "~/.cursor/mcp.json" in done.stderr


def test_a_pipe_among_the_backups_keeps_nobody_waiting(home: Home) -> None:
    path = home.write("cursor")
    assert home.install("cursor") == 0
    os.mkfifo(path.with_name(f"{path.name}.deeporigin-backup2"))
    assert home.uninstall("cursor") == 0
    assert path.read_bytes() == SAMPLES["cursor"].read_bytes()


@needs_root
def test_under_sudo_a_user_s_file_and_its_backup_stay_the_user_s(home: Home) -> None:
    path = home.write("cursor")
    path.chmod(0o640)
    os.chown(path, 1234, 4321)
    assert home.install("cursor") == 0
    for name in siblings(path):
        found = (path.parent / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 4321, 0o640), name
    assert home.uninstall("cursor") == 0
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (1234, 0o640)


@needs_root
def test_under_sudo_a_new_file_belongs_to_whom_its_folder_belongs(home: Home) -> None:
    os.chown(home.folder, 1234, 4321)
    assert home.install("cursor", force=True) == 0
    made: list[Path] = [home.file("cursor"), home.file("cursor").parent]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1234, 4321)}
    assert stat.S_IMODE(made[0].stat().st_mode) == 0o600
