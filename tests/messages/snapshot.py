"""Messages compared with those that were read and agreed to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deeporigin_mcp.errors import DeepOriginError

HERE = Path(__file__).parent


def message_of(error: DeepOriginError) -> str:
    """What an error says, in a form for a snapshot: code, outcome, message, next step."""
    lines = [f"code: {error.code}"]
    lines += [f"outcome: {error.outcome}"] if error.outcome else []
    lines += [f"message: {error}"]
    lines += [f"next step: {error.next_step}"] if error.next_step else []
    return "\n".join(lines)


def assert_as_agreed(room: str, messages: Mapping[str, str]) -> None:
    """Compare messages, by the case in which they appear, with the room's file; `UPDATE_MESSAGES=1` writes it."""
    text = "\n".join(f"## {case}\n{message}\n" for case, message in messages.items())
    path = HERE / f"{room}.txt"
    if os.environ.get("UPDATE_MESSAGES"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
