"""Some dozens of damaged sessions with a fixed seed; `scripts/fuzz` runs as many others as there is time for."""

from __future__ import annotations

import json
from random import Random

import pytest

from deeporigin_mcp.platform import Execution
from tests.fuzz.answers import body_of, damaged, is_free, odd_value
from tests.fuzz.sessions import Findings, one_session, run_sessions

SESSIONS = 20


@pytest.mark.parametrize("seed", ["a", "b"])
def test_no_damaged_response_crashes_leaks_or_starts_anything(seed: str) -> None:
    findings = run_sessions(seed, sessions=SESSIONS)
    assert findings.calls > 10 * SESSIONS
    assert not findings.kinds, str(findings)


@pytest.mark.anyio
async def test_a_session_can_be_repeated_by_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    # A crash that depends on what the platform said.
    monkeypatch.setattr(Execution, "tool_key", property(lambda self: self.raw["tool"]["key"]))
    for _ in range(2):
        findings = Findings()
        for number in range(4):
            await one_session(f"repeated-{number}", findings)
        told.append(str(findings))
    assert told[0] == told[1]
    assert "a crash: " in told[0]


def test_damage_is_of_every_kind() -> None:
    random = Random(1)
    whole = {"data": [{"executionId": "e", "status": "Quoted"}], "count": 1}
    bodies = [body_of(damaged(random, whole, "s" * 99, ["seen"] * 9)) for _ in range(3_000)]
    for part in (b"\\ud800", b"1e999", b"NaN", b"[" * 900, b"\\u202e", b"s" * 99, b'"seen"', b"9" * 400):
        assert any(part in body for body in bodies), part
    assert all(body_of(odd_value(random, "s" * 99)) for _ in range(500))


@pytest.mark.parametrize(
    ("rows", "is_zero"),
    [
        ([0], True),
        (["0.00"], True),
        ([], False),
        ([0, None], False),
        ([True], False),
        (["nan"], False),
        ([0.01], False),
    ],
)
def test_the_judge_of_free_quotes_reads_prices_by_itself(rows: list[object], is_zero: bool) -> None:
    record = {"status": "Quoted", "quotationResult": {"successfulQuotations": [{"priceTotal": row} for row in rows]}}
    assert is_free(json.loads(json.dumps(record))) is is_zero
