"""Names of files on this machine, made of whatever the platform calls things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.tools.files.local_names import Names, folded, is_readable, split, stem_of

HOSTILE = {
    "../../.ssh/authorized_keys": "ssh_authorized_keys",
    "..": "",
    "a/b\\c": "a_b_c",
    "CON": "CON_",
    "com1.tar": "com1.tar_",
    "nul": "nul_",
    ".bashrc": "bashrc",
    "trailing. ": "trailing",
    "tab\tline\nnul\x00": "tab_line_nul",
    'a:b|c?d*e<f>g"h': "a_b_c_d_e_f_g_h",
    "\u202egpj.exe": "gpj.exe",
    "CC(=O)Oc1ccccc1": "CC(_O)Oc1ccccc1",
    "naïve β-blocker": "naïve_β-blocker",
    "$(rm -rf ~)": "(rm_-rf_)",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_becomes_a_harmless_one(text: str) -> None:
    assert stem_of(text) == HOSTILE[text]


@given(st.text())
def test_a_stem_is_one_visible_short_part_of_a_path(text: str) -> None:
    stem = stem_of(text)
    assert not set(stem) & set('/\\:*?"<>|\0\n\r\t ')
    assert not stem.startswith((".", "-"))
    assert not stem.endswith((".", " "))
    assert len(stem.encode()) <= 160
    assert stem_of(stem) == stem


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tool-runs/e/poses/0A.sdf", ("0A", ".sdf")),
        ("a/b.tar.gz", ("b", ".tar.gz")),
        ("a/.sdf", ("sdf", "")),
        ("a/../..", ("", "")),
        ("a/run.log/", ("run", ".log")),
        ("a/x.s/df", ("df", "")),
        ("plain", ("plain", "")),
        ("a/x.waytoolongsuffix", ("x.waytoolongsuffix", "")),
    ],
)
def test_a_path_of_the_platform_is_split_into_stem_and_ending(path: str, expected: tuple[str, str]) -> None:
    assert split(path) == expected


def test_names_that_differ_by_case_only_get_numbers() -> None:
    names = Names()
    names.take("Index.csv")
    made = [names.of("index", ".csv"), names.of("A", ".sdf"), names.of("a", ".sdf"), names.of("a_2", ".sdf")]
    assert made == ["index_2.csv", "A.sdf", "a_2.sdf", "a_2_2.sdf"]


@given(st.lists(st.sampled_from(["a", "A", "a_2", "É", "é", "e\u0301", ""]), max_size=12))
def test_no_two_names_of_a_folder_are_one_to_any_file_system(stems: list[str]) -> None:
    names = Names()
    made = [folded(names.of(stem, ".sdf")) for stem in stems]
    assert len({*made}) == len(made)


@pytest.mark.parametrize("stem", ["", "0AF3K9Q2W7T5M", "d41d8cd98f00b204e9800998ecf8427e"])
def test_an_id_or_a_digest_tells_a_reader_nothing(stem: str) -> None:
    assert not is_readable(stem)
    assert is_readable("pocket_1")
