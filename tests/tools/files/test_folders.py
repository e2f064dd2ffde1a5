"""Which files of this machine can be opened: those in the folders, and nothing that a path can be made to mean."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.errors import ArgumentError
from deeporigin_mcp.settings import Settings
from deeporigin_mcp.tools.files import folders as opening
from deeporigin_mcp.tools.files.folders import Folders

SECRET = b"-----BEGIN KEY-----"
PDB = b"ATOM\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a key in it, and a folder for files."""
    home = tmp_path / "ada"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id").write_bytes(SECRET)
    (home / "letters").mkdir()
    (home / "letters" / "private.txt").write_bytes(SECRET)
    (home / "deeporigin" / "sets").mkdir(parents=True)
    (home / "deeporigin" / "model.pdb").write_bytes(PDB)
    (home / "deeporigin" / "sets" / "hits.SDF").write_bytes(b"$$$$\n")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def folders(home: Path) -> Folders:
    return Folders((home / "deeporigin",))


@pytest.fixture(params=["by descriptors", "by comparing"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to open a file without following a link; the second one is Windows'."""
    if request.param == "by comparing":
        monkeypatch.setattr(opening, "_HAS_DESCRIPTORS", False)


def read(folders: Folders, path: str | Path, **limits: Any) -> bytes:
    with folders.open(str(path), **limits) as found:
        return found.file.read()


def code_of(folders: Folders, path: str | Path, **limits: Any) -> str:
    with pytest.raises(ArgumentError) as caught:
        read(folders, path, **limits)
    assert SECRET.decode() not in f"{caught.value}{caught.value.next_step}"
    return caught.value.code


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "path", ["model.pdb", " model.pdb ", "./model.pdb", "~/deeporigin/model.pdb", "{home}/deeporigin/model.pdb"]
)
def test_a_file_is_found_however_it_is_named(folders: Folders, home: Path, path: str) -> None:
    with folders.open(path.format(home=home), suffixes=[".pdb"]) as found:
        assert (found.name, found.size, found.file.read()) == ("model.pdb", len(PDB), PDB)
    assert found.file.closed


@pytest.mark.usefixtures("way")
def test_the_first_folder_that_has_it_counts(home: Path) -> None:
    (home / "letters" / "model.pdb").write_bytes(b"other")
    (home / "letters" / "only.pdb").write_bytes(b"here")
    both = Folders((home / "deeporigin", home / "letters"))
    assert read(both, "model.pdb") == PDB
    assert read(both, "only.pdb") == b"here"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "path",
    [
        "~/.ssh/id",
        "{home}/.ssh/id",
        "{home}/letters/private.txt",
        "../letters/private.txt",
        "sets/../../letters/private.txt",
        "{home}/deeporigin/../letters/private.txt",
        "/etc/passwd",
        "/",
        "~",
        ".",
        "~/deeporigin",
        "~root/x",
    ],
)
def test_nothing_outside_of_the_folders_is_read(folders: Folders, home: Path, path: str) -> None:
    assert code_of(folders, path.format(home=home)) in ("outside_folders", "local_file_not_found")


def test_whether_a_file_outside_exists_is_not_told(folders: Folders, home: Path) -> None:
    messages = []
    for name in ("private.txt", "nothing.txt"):
        with pytest.raises(ArgumentError) as caught:
            read(folders, home / "letters" / name)
        messages.append(str(caught.value).replace(name, "…"))
    assert messages[0] == messages[1]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", [".netrc", ".git/config", "sets/.hidden.sdf"])
def test_nothing_hidden_is_read(folders: Folders, home: Path, name: str) -> None:
    path = home / "deeporigin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(SECRET)
    assert code_of(folders, name) == code_of(folders, path) == "outside_folders"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("target", ["../.ssh/id", "../letters/private.txt", "/etc/passwd", "sets/.hidden"])
def test_a_link_leads_neither_out_nor_to_what_is_hidden(folders: Folders, home: Path, target: str) -> None:
    (home / "deeporigin" / "sets" / ".hidden").write_bytes(SECRET)
    (home / "deeporigin" / "link.pdb").symlink_to(target)
    (home / "deeporigin" / "door").symlink_to("../letters", target_is_directory=True)
    assert code_of(folders, "link.pdb") == "outside_folders"
    assert code_of(folders, "door/private.txt") == "outside_folders"


@pytest.mark.usefixtures("way")
def test_a_link_inside_of_the_folder_is_followed(folders: Folders, home: Path) -> None:
    (home / "deeporigin" / "latest.pdb").symlink_to("model.pdb")
    assert read(folders, "latest.pdb") == PDB


@pytest.mark.usefixtures("way")
def test_the_folder_itself_may_be_a_link(home: Path) -> None:
    (home / "data").symlink_to(home / "deeporigin")
    through = Folders((home / "data",))
    assert read(through, "model.pdb") == read(through, "~/data/model.pdb") == read(through, "~/deeporigin/model.pdb")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_is_put_there_between_check_and_opening_is_not_followed(
    folders: Folders, home: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = home / "deeporigin" / "sets", home / "letters"
    (inside / "private.txt").write_bytes(b"harmless")
    usual: Callable[..., int] = os.open
    done: list[bool] = []

    def swap_first(*arguments: Any, **named: Any) -> int:
        if not done:
            done.append(True)
            if swapped == "folder":
                inside.rename(home / "moved")
                inside.symlink_to(outside)
            else:
                (inside / "private.txt").unlink()
                (inside / "private.txt").symlink_to(outside / "private.txt")
        return usual(*arguments, **named)

    monkeypatch.setattr(os, "open", swap_first)
    assert code_of(folders, "sets/private.txt") == "outside_folders"
    assert done


@pytest.mark.usefixtures("way")
def test_only_regular_files_are_read_and_a_pipe_keeps_nobody_waiting(
    folders: Folders, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(home / "deeporigin" / "pipe")
    assert code_of(folders, "pipe") == "local_file_failed"
    assert code_of(folders, "sets") == "local_file_failed"
    assert code_of(Folders((Path("/dev"),)), "/dev/zero") == "local_file_failed"
    # The name of a socket may have 100 characters.
    monkeypatch.chdir(home / "deeporigin")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert code_of(folders, "socket") == "local_file_failed"


@pytest.mark.usefixtures("way")
def test_a_file_above_the_limit_is_refused_before_it_is_read(folders: Folders, home: Path) -> None:
    with (home / "deeporigin" / "huge.xtc").open("wb") as huge:
        huge.truncate(200_000_001)
    assert code_of(folders, "huge.xtc") == "file_too_large"
    assert code_of(folders, "model.pdb", max_bytes=4) == "file_too_large"
    assert read(folders, "model.pdb", max_bytes=5) == PDB


def test_no_more_is_read_than_there_was_when_it_was_opened(folders: Folders, home: Path) -> None:
    with folders.open("model.pdb") as found:
        with (home / "deeporigin" / "model.pdb").open("ab") as growing:
            growing.write(SECRET)
        assert found.file.read() == PDB
        found.file.seek(0)
        assert [*found.file] == [PDB]
        found.file.seek(2)
        assert found.file.read(100) == PDB[2:]


def test_another_suffix_is_refused_and_case_does_not_matter(folders: Folders) -> None:
    assert code_of(folders, "model.pdb", suffixes=[".sdf", ".csv"]) == "invalid_path"
    assert read(folders, "sets/hits.SDF", suffixes=[".sdf"]) == b"$$$$\n"


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "a\nb.pdb"])
def test_what_is_no_path_is_refused(folders: Folders, path: str) -> None:
    assert code_of(folders, path) == "invalid_path"


def test_a_mistyped_name_is_corrected_and_other_files_are_named(folders: Folders, home: Path) -> None:
    (home / "deeporigin" / ".secret.pdb").write_bytes(SECRET)
    with pytest.raises(ArgumentError) as caught:
        read(folders, "modle.pdb")
    assert "model.pdb" in caught.value.next_step
    with pytest.raises(ArgumentError) as caught:
        read(folders, "first_hits.sdf")
    assert "model.pdb" in caught.value.next_step
    assert ".secret.pdb" not in caught.value.next_step
    assert not folders.holds("first_hits.sdf")
    assert folders.holds("sets/hits.SDF")


@given(
    st.lists(
        st.sampled_from(["..", ".", "sets", "model.pdb", ".ssh", "letters", "private.txt", "id", "~", "door", "/"])
    )
)
def test_no_path_reads_what_is_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.mktemp("any")
    inside = root / "deeporigin"
    (inside / "sets" / "letters").mkdir(parents=True)
    (inside / "model.pdb").write_bytes(PDB)
    (root / "letters").mkdir()
    (root / "letters" / "private.txt").write_bytes(SECRET)
    (inside / "door").symlink_to(root)
    for path in ("/".join(parts), f"{inside}/{'/'.join(parts)}"):
        with contextlib.suppress(ArgumentError):
            assert read(Folders((inside,)), path) == PDB


# Where downloads go


def test_the_default_folder_is_made_when_it_is_first_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = Folders(Settings().files)
    assert folders.allowed == (tmp_path / "deeporigin",)
    assert not folders.allowed[0].exists()
    assert code_of(folders, "model.pdb") == "local_file_not_found"
    assert not folders.allowed[0].exists()
    assert folders.downloads.is_dir()
    assert folders.shown(folders.downloads / "a" / "b.sdf") == "~/deeporigin/a/b.sdf"


def test_a_run_s_folder_is_below_the_first_one_whatever_it_is_called(folders: Folders, home: Path) -> None:
    made = [
        folders.new_folder(name)
        for name in ("docking 3f0c", "docking 3f0c", "../../.ssh", "/etc", "", "CON", ".hidden")
    ]
    assert {folder.parent for folder in made} == {home / "deeporigin"}
    assert all(folder.is_dir() and not folder.name.startswith(".") for folder in made)
    assert made[0] == made[1]


def test_nothing_is_put_through_a_link_or_into_a_file(folders: Folders, home: Path) -> None:
    (home / "deeporigin" / "run").symlink_to(home / "letters", target_is_directory=True)
    for name in ("run", "model.pdb"):
        with pytest.raises(ArgumentError) as caught:
            folders.new_folder(name)
        assert caught.value.code == "local_file_failed"


def test_without_a_home_directory_there_is_no_folder() -> None:
    assert code_of(Folders(()), "model.pdb") == "outside_folders"
    with pytest.raises(ArgumentError) as caught:
        _ = Folders(()).downloads
    assert caught.value.code == "outside_folders"
