"""A folder of downloads: what is there is recognised, and what a killed server left is removed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

import pytest

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.platform.records.files import RemoteFile
from deeporigin_mcp.tools.files.saving import ABANDONED_SECONDS, Folder


def remote(content: bytes, *, has_md5: bool = True) -> RemoteFile:
    return RemoteFile("a/x.sdf", len(content), hashlib.md5(content).hexdigest() if has_md5 else "")


def test_a_file_is_the_same_by_size_and_md5(tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_bytes(b"one")
    (tmp_path / "x_2.sdf").write_bytes(b"two")
    folder = Folder(tmp_path)
    assert folder.same_as(remote(b"two"), "x", ".sdf") == tmp_path / "x_2.sdf"
    assert folder.same_as(remote(b"six"), "x", ".sdf") is None


def test_a_file_is_taken_for_one_only(tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_bytes(b"one")
    folder = Folder(tmp_path)
    assert folder.same_as(remote(b"one"), "X", ".SDF") is not None
    assert folder.same_as(remote(b"one"), "x", ".sdf") is None


@pytest.mark.parametrize("size", [1, 2_000_000])
def test_without_an_md5_a_file_of_the_same_size_is_not_taken_for_it(size: int, tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_bytes(bytes(size))
    assert Folder(tmp_path).same_as(remote(b"1" * size, has_md5=False), "x", ".sdf") is None


def test_a_file_with_the_content_of_one_that_is_there_is_not_kept_twice(tmp_path: Path) -> None:
    (tmp_path / "x.sdf").write_bytes(b"one")
    folder = Folder(tmp_path)

    def content(file: IO[bytes]) -> None:
        file.write(b"one")

    assert folder.write("x", ".sdf", content) == (tmp_path / "x.sdf", True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.sdf"]


def test_a_file_that_cannot_be_written_to_its_end_is_not_there(tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ArgumentError, match="No space left") as caught:
        Folder(tmp_path).write("x", ".sdf", fail)
    assert caught.value.code == "local_file_failed"
    assert [*tmp_path.iterdir()] == []


def test_what_a_killed_server_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old, new, other = (tmp_path / f".{name}" for name in ("a.sdf.0123456789ab.part", "b.0123456789ab.part", "c.part"))
    for path in (old, new, other):
        path.touch()
        long_ago = path.stat().st_mtime - ABANDONED_SECONDS - 10
        if path != new:
            os.utime(path, (long_ago, long_ago))
    Folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((new, other))
