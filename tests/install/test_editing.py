"""The editors of JSON and TOML: an edit does what it says, for any document, and changes nothing else."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeporigin_mcp.install import jsonc, toml
from deeporigin_mcp.install.documents import Identified, NotEditableError, SyntaxAtError
from tests.support.home import Home

ENTRY = {"command": "uvx", "args": ["deeporigin-mcp"], "env": {"A": "é ${B}"}}
PATH = ("servers", "ours")

blanks = st.sampled_from(["", " ", "\n", "\n    ", "\t", "// c }\n", "/* , ] */", "\n// ü\n", ' /* " */ \n'])
keys = st.sampled_from(["a", "b", "servers", "sérv", "x y", 'q"', "\\", "//", "/*"])
scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.sampled_from(["", "x", "// no", '"', "é😀", "{", 1.5])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """The text of an object with blanks, comments and trailing commas anywhere, and what it says."""
    value = draw(st.dictionaries(keys, values, max_size=4))
    if draw(st.booleans()):
        value["servers"] = draw(st.dictionaries(keys, values, max_size=3))
    elif "servers" in value:
        del value["servers"]

    def blank() -> str:
        return draw(blanks)

    def written(item: Any) -> str:
        if not isinstance(item, dict | list):
            return json.dumps(item, ensure_ascii=draw(st.booleans()))
        if isinstance(item, dict):
            parts = [
                f"{blank()}{json.dumps(key)}{blank()}:{blank()}{written(part)}{blank()}" for key, part in item.items()
            ]
        else:
            parts = [f"{blank()}{written(part)}{blank()}" for part in item]
        inside = ",".join(parts) or blank()
        if draw(st.booleans()) and parts:
            inside += "," + blank()
        return f"{{{inside}}}" if isinstance(item, dict) else f"[{inside}]"

    text = blank() + written(value) + blank()
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text, value


TABLES = (
    'model = "o3" # mine\n',
    "\n# a comment\n\n",
    '[projects."C:/a b"]\ntrust_level = "trusted"\n',
    "[servers.first]\ncommand = 'x'\nargs = [\n  \"y\", # why\n]\n",
    '[servers.first.env]\nA = """\n[servers.ours]\n"""\n',
    "[[hooks]]\nn = 1\n\n",
    "[[hooks]]\nn = 2\n",
    "[tui]\nnotifications = true\n  # indented\n",
    "[servers.last]\ncommand = 'z'\n\n\n",
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A TOML document of some of the parts in their order, with or without a newline at its end."""
    text = "".join(part for part in TABLES if draw(st.booleans()))
    text = text.rstrip() if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def is_inserted(before: str, after: str) -> bool:
    """Whether every character that was there is still there, in its order."""
    rest = iter(after)
    return all(character in rest for character in before)


@given(documents())
def test_an_entry_is_put_into_any_json_and_nothing_else_changes(document: tuple[str, dict[str, Any]]) -> None:
    text, value = document
    assert jsonc.read(text) == value
    after = jsonc.put(text, PATH, ENTRY)
    assert jsonc.read(after) == {**value, "servers": {**value.get("servers", {}), "ours": ENTRY}}
    assert is_inserted(text, after)
    assert ("\r\n" in after) == ("\r\n" in text) or "\n" not in text


@given(documents())
def test_an_entry_is_taken_out_of_any_json_and_comments_stay(document: tuple[str, dict[str, Any]]) -> None:
    text, value = document
    after = jsonc.remove(jsonc.put(text, PATH, ENTRY), PATH)
    assert jsonc.read(after) == {**value, "servers": value.get("servers", {})}
    if "servers" in value:
        assert re.sub(r"\s", "", after) == re.sub(r"\s", "", text)


@given(documents(), st.data())
def test_any_value_of_any_json_can_be_taken_out_or_replaced(
    document: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    text, value = document
    if not value:
        return
    key = data.draw(st.sampled_from(sorted(value)))
    assert jsonc.read(jsonc.remove(text, (key,))) == {name: item for name, item in value.items() if name != key}
    assert jsonc.read(jsonc.put(text, (key,), ENTRY)) == {**value, key: ENTRY}


@given(tables())
def test_a_table_is_put_into_any_toml_and_nothing_else_changes(text: str) -> None:
    value = tomllib.loads(text)
    after = toml.put(text, PATH, ENTRY)
    assert tomllib.loads(after) == {**value, "servers": {**value.get("servers", {}), "ours": ENTRY}}
    assert after.startswith(text)
    assert ("\r\n" in after) == ("\r\n" in text) or "\n" not in text


@given(tables())
def test_a_table_is_taken_out_of_any_toml_and_comments_stay(text: str) -> None:
    after = toml.remove(toml.put(text, PATH, ENTRY), PATH)
    value = tomllib.loads(text)
    assert {"servers": {}, **tomllib.loads(after)} == {"servers": {}, **value}
    assert after.startswith(text)
    assert after.strip() == text.strip()


@given(document=documents().map(lambda found: found[0]), bom=st.booleans())
def test_install_then_uninstall_gives_back_any_json(document: str, bom: bool) -> None:
    for client, key in (("zed", "context_servers"), ("vscode", "servers"), ("claude-code", "mcpServers")):
        restored(client, document.replace("servers", key), bom=bom)


@given(document=tables(), bom=st.booleans())
def test_install_then_uninstall_gives_back_any_toml(document: str, bom: bool) -> None:
    restored("codex", document.replace("servers", "mcp_servers"), bom=bom)


def restored(client: str, document: str, *, bom: bool) -> None:
    content = document.encode("utf-8-sig" if bom else "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder).resolve())
        path = home.write(client, content)
        assert home.install(client) == 0
        assert "deeporigin" in home.servers(client)
        assert home.uninstall(client) == 0
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "line 1, column 2"),
        ('{"a" 1}', "line 1, column 6"),
        ('{"a": 1 "b": 2}', "line 1, column 9"),
        ("{'a': 1}", "line 1, column 2"),
        ("{a: 1}", "line 1, column 2"),
        ('{"a": 01}', "line 1, column 8"),
        ('{"a": NaN}', "line 1, column 7"),
        ('{"a": "\n"}', "line 1, column 8"),
        ("{,}", "line 1, column 2"),
        ("[1,,2]", "line 1, column 4"),
        ("{} {}", "line 1, column 4"),
        ("// c\n{\r\n  /* open", "line 3, column 3"),
        ("[" * 100_000, "line 1, column 1"),
        ('{"a": ' + "1" * 10_000 + "}", "line 1, column 7"),
    ],
)
def test_what_is_not_json_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(SyntaxAtError, match=place):
        jsonc.read(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1\na = 2", "line 2, column 6"),
        ("a = ", "line 1, column 5"),
        ("[a", "line 1, column 3"),
        ("=", "line 1, column 1"),
    ],
)
def test_what_is_not_toml_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(SyntaxAtError, match=place):
        toml.read(text)


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    text = '{"servers": {"a": 1}, "servers": {}}'
    assert jsonc.put(text, PATH, 1).startswith('{"servers": {"a": 1}, "servers": {')
    assert jsonc.read(jsonc.put(text, PATH, 1)) == {"servers": {"ours": 1}}


def test_a_comment_never_swallows_what_follows() -> None:
    text = '{\n  // first\n  "a": 1, "b": 2 // second\n}'
    assert jsonc.remove(text, ("a",)) == '{\n  // first\n  "b": 2 // second\n}'
    assert jsonc.remove(text, ("b",)) == '{\n  // first\n  "a": 1 // second\n}'
    assert jsonc.put(text, ("c",), 3) == '{\n  // first\n  "a": 1, "b": 2, // second\n  "c": 3\n}'


def test_elements_of_an_array_are_found_by_their_id() -> None:
    text = '{"inputs": [{"id": "x"}]}'
    after = jsonc.put(text, ("inputs", Identified("y")), {"id": "y"})
    assert after == '{"inputs": [{"id": "x"}, {"id": "y"}]}'
    assert jsonc.remove(after, ("inputs", Identified("x"))) == '{"inputs": [{"id": "y"}]}'
    with pytest.raises(NotEditableError):
        jsonc.put('{"inputs": {}}', ("inputs", Identified("y")), {})


@pytest.mark.parametrize(("indent", "text"), [("\t", '{\n\t"a": 1\n}\n'), ("    ", '{\n    "a": 1\n}'), ("  ", "{}")])
def test_the_indentation_of_the_file_is_kept(indent: str, text: str) -> None:
    after = jsonc.put(text, PATH, {"command": "x"})
    assert f'\n{indent}"servers": {{\n{indent * 2}"ours": {{\n{indent * 3}"command": "x"\n{indent * 2}}}' in after
    assert after.endswith(f"\n{indent}}}\n}}" + ("\n" if text.endswith("\n") else ""))


def test_parts_of_a_table_that_stand_apart_are_all_taken_out_and_what_follows_keeps_its_comment() -> None:
    text = (
        "[servers.ours]\nc = 'x'\n\n# tui\n[tui]\nn = 1\n[ servers . 'ours' . env ] # e\nA = 'b'\n[servers.b]\nc = 1\n"
    )
    assert toml.remove(text, PATH) == "# tui\n[tui]\nn = 1\n[servers.b]\nc = 1\n"


@pytest.mark.parametrize(
    "text", ["servers = { ours = { c = 'x' }, b = {} }\n", "servers.ours.c = 'x'\n", "[servers]\nours.c = 1\n"]
)
def test_a_table_that_is_written_as_a_value_is_left_to_its_writer(text: str) -> None:
    with pytest.raises(NotEditableError):
        toml.remove(text, PATH)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_written_as_toml_reads_it(value: str) -> None:
    assert tomllib.loads(toml.put("", PATH, {"c": [value]})) == {"servers": {"ours": {"c": [value]}}}
