"""A token that comes back is masked, whatever of it comes back and in whichever form; nothing else is."""

from __future__ import annotations

import base64
import json
import tracemalloc
import uuid
from collections.abc import Iterator
from random import Random

import pytest

from deeporigin_mcp.platform.records import sanitizing
from deeporigin_mcp.platform.records.sanitizing import (
    MASK,
    MAX_SECRETS,
    MOST_PLACES,
    masked,
    one_line,
    register_secret,
    word,
)


def token(seed: int) -> str:
    """Three parts, as a JWT has them, of random bytes."""
    random = Random(seed)
    parts = (random.randbytes(size) for size in (27, 300, 256))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


TOKEN = token(0)


@pytest.fixture(autouse=True)
def _one_secret() -> Iterator[None]:
    kept = [*sanitizing._secrets]
    sanitizing._secrets.clear()
    sanitizing._parts.clear()
    register_secret(TOKEN)
    yield
    for secret in kept:
        register_secret(secret)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TOKEN, MASK),
        (f"Jwt verification failed: Bearer {TOKEN}.", f"Jwt verification failed: Bearer {MASK}."),
        (f"Authorization: Bearer {TOKEN[:300]}", f"Authorization: Bearer {MASK}"),
        (f"…{TOKEN[-60:]} ended", f"…{MASK} ended"),
        (f"/login?token={TOKEN}&next=1", f"/login?token={MASK}&next=1"),
        (f"{TOKEN[:400]}\n{TOKEN[400:]}", f"{MASK}\n{MASK}"),
        (f"{TOKEN},{TOKEN}", f"{MASK},{MASK}"),
        (TOKEN.split(".")[1], MASK),
    ],
    ids=["whole", "in a header", "its beginning", "its end", "in an address", "over two lines", "twice", "its claims"],
)
def test_a_token_in_a_response_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("before", ["", "a", "ab", "Bearer ", "user:", "{'Authorization': 'Bearer "])
def test_base64_of_a_text_with_the_token_in_it_is_masked(before: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = masked(encode(f"{before}{TOKEN}'}}".encode()).decode())
        assert MASK in shown
        assert len(shown) < 60


@pytest.mark.parametrize("start", range(0, 700, 37))
def test_every_piece_of_31_characters_is_masked(start: int) -> None:
    piece = TOKEN[start : start + 31]
    assert masked(f"({piece})") == f"({MASK})"


@pytest.mark.parametrize("skipped", range(3))
def test_every_piece_of_47_characters_of_its_base64_is_masked(skipped: int) -> None:
    encoded = base64.b64encode(TOKEN.encode()[skipped:]).decode().rstrip("=")
    for form in (encoded, encoded.translate(str.maketrans("+/", "-_"))):
        for start in range(0, len(form) - 47, 13):
            shown = masked(f"({form[start : start + 47]})")
            assert MASK in shown
            # Whole bytes only: of a byte that is cut nobody can tell.
            assert len(shown.replace(MASK, "")) <= 2 + 8


def test_a_caller_costs_little_memory() -> None:
    tracemalloc.start()
    for seed in range(1, 101):
        register_secret(token(seed))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / 100 < 20 * 1024


def test_json_stays_json() -> None:
    held = {"a": f"line\n{TOKEN}\tend", TOKEN: [f"\\{TOKEN[5:]}", f"\u2028{TOKEN[100:]}"]}
    for ensure_ascii in (True, False):
        read = json.loads(masked(json.dumps(held, ensure_ascii=ensure_ascii)))
        assert TOKEN[8:40] not in json.dumps(read)
        assert read["a"] == f"line\n{MASK}\tend"


def test_a_quoted_text_is_masked_before_it_is_cut() -> None:
    for limit in (20, 60, 300):
        line = one_line(f"refused: {TOKEN}\u200b{TOKEN[300:]}", limit)
        assert not any(TOKEN[start : start + 12] in line for start in range(len(TOKEN) - 12))
    assert word(TOKEN[50:150]) == MASK


def test_nothing_else_is_masked() -> None:
    register_secret(f"eyJhbGciOiJub25lIn0.{'x' * 400}.{'A' * 40}")
    random = Random(5)
    ids = " ".join(str(uuid.UUID(int=random.getrandbits(128))) for _ in range(200))
    for text in (ids, token(7), "entities/proteins/08TARGETPR001/target_prepared_v2.pdb", "A" * 5_000, "x" * 999, ""):
        assert masked(text) == text


def test_tokens_that_begin_alike_are_masked_whole() -> None:
    other = f"{TOKEN[:200]}A{TOKEN[201:]}"
    register_secret(other)
    for piece in (TOKEN, other, TOKEN[150:260], other[150:260]):
        assert masked(f"<{piece}>") == f"<{MASK}>"


def test_a_piece_that_begins_as_the_tokens_of_many_others_is_one_piece() -> None:
    for seed in range(2 * MOST_PLACES):
        register_secret(TOKEN[:37] + token(seed)[37:])
    assert masked(f"<{TOKEN[:100]}>") == f"<{MASK}>"


def test_the_tokens_used_last_are_known_and_older_ones_are_forgotten() -> None:
    for seed in range(1, MAX_SECRETS):
        register_secret(token(seed))
    register_secret(TOKEN)
    register_secret(token(MAX_SECRETS))
    assert masked(token(1)) == token(1)
    assert masked(f"{TOKEN} {token(2)} {token(MAX_SECRETS)}") == " ".join([MASK] * 3)
    assert len(sanitizing._secrets) == MAX_SECRETS
