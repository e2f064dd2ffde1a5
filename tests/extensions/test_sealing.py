"""Handles open only for their key, and only as they were made."""

import json
import uuid
import zlib

import pytest

from deeporigin_mcp.extensions.sealing import MAX_CHARACTERS, TAG_BYTES, _encode, _tag, seal, unseal

KEY = b"k" * 32
CONTENT = b'[1,"wait",1760000000000,{"ids":["a","b"]}]'


def sealed(content: bytes = CONTENT, key: bytes = KEY) -> str:
    handle = seal(key, content)
    assert handle is not None
    return handle


def test_a_handle_opens_with_its_key_only() -> None:
    assert unseal(KEY, sealed()) == CONTENT
    assert unseal(b"x" * 32, sealed()) is None


def test_a_handle_changed_anywhere_is_unknown() -> None:
    handle = sealed()
    for place in range(len(handle)):
        other = "A" if handle[place] != "A" else "B"
        assert unseal(KEY, handle[:place] + other + handle[place + 1 :]) is None


def test_a_handle_written_in_another_way_is_unknown() -> None:
    # 42 bytes make a last group of four characters; any other length leaves bits that base64 ignores.
    content = next(text for text in (CONTENT + b" " * n for n in range(9)) if len(zlib.compress(text, 9)) % 3 != 1)
    handle = sealed(content)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [last for last in alphabet if unseal(KEY, handle[:-1] + last) is not None] == [handle[-1]]
    for other in (handle + "=", handle + "==", " " + handle, handle + "\n", handle[:-1], handle + "A"):
        assert unseal(KEY, other) is None


@pytest.mark.parametrize("garbage", ["", "A", "====", "é" * 40, "\0", "A" * 200, "-_" * 30, "☃", "x" * 10_000_000])
def test_garbage_is_unknown(garbage: str) -> None:
    assert unseal(KEY, garbage) is None


def test_a_handle_fits_a_header_or_is_not_made() -> None:
    ids = [str(uuid.UUID(int=0x1234567890ABCDEF << 64 | n * 0x9E3779B97F4A7C15 % 2**64)) for n in range(100)]
    assert len(sealed(json.dumps(ids).encode())) <= MAX_CHARACTERS
    assert seal(KEY, b"".join(bytes([n % 251, n % 241, n % 239, n % 233]) for n in range(2000))) is None


def test_nothing_is_unpacked_before_the_seal_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpacked(_: bytes) -> bytes:
        raise AssertionError("unpacked a stranger's content")

    bomb = zlib.compress(b"\0" * 1_000_000, 9)
    monkeypatch.setattr(zlib, "decompress", unpacked)
    assert unseal(KEY, _encode(_tag(b"not the key", bomb) + bomb)) is None
    assert unseal(KEY, _encode(b"\0" * TAG_BYTES)) is None
