"""Questions that wait on this machine for `deeporigin-mcp approve`, as files that only their owner can read.

A question is one JSON file with a random name, written whole and then renamed; its answer is a second one, which has to
repeat the question's key. Both are gone once the question is closed. What a killed server left is removed by whoever
lists the questions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
import json
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from deeporigin_mcp.settings import question_directories
from deeporigin_mcp.tools.approvals.pending import UNANSWERED, Answer, Reply
from deeporigin_mcp.tools.approvals.processes import PROCESS, is_alive, this_process
from deeporigin_mcp.tools.approvals.question import Question

WAY = "terminal"
POLL_SECONDS = 0.5
QUESTION, ANSWER = ".question", ".answer"
MAX_BYTES = 64_000
TEXT_CHARACTERS = 500
MAX_QUESTIONS = 100


class Waiting(NamedTuple):
    """A question of a running server, and its file."""

    path: Path
    key: str
    question: Question


def private_directory(candidates: Iterable[Path]) -> Path | None:
    """The first of these that can be made, or is, a directory which only this user can use; None if there is none."""
    for path in candidates:
        with contextlib.suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_private(path):
                return path
    return None


def is_private(path: Path) -> bool:
    """Whether it is a directory, no link, which nobody else can write to or list."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and (
        os.name != "posix" or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
    )


async def answered(
    question: Question, sleep: Callable[[float], Awaitable[None]], is_open: Callable[[], bool] = lambda: True
) -> Reply:
    """Let a question wait until it is answered in a terminal. Cancelled, it is closed.

    Args:
        is_open: whether an answer would count now. While the machine slept, nobody could close the question.
    """
    directory = private_directory(question_directories())
    if directory is None:
        return Reply(Answer.NOBODY, "there is no folder of this user for questions")
    path, key = directory / f"{secrets.token_hex(16)}{QUESTION}", secrets.token_hex(16)
    content = {"process": this_process(), "at": time.time(), "key": key, "question": dataclasses.asdict(question)}
    try:
        _write(path, content)
    except OSError:
        return Reply(Answer.NOBODY, "the question cannot be written to a file")
    try:
        while True:
            if not is_open():
                return UNANSWERED
            reply = _read(path.with_suffix(ANSWER))
            if reply is not None and hmac.compare_digest(str(reply.get("key")).encode(), key.encode()):
                return Reply(Answer.YES if reply.get("answer") == "yes" else Answer.NO, WAY)
            await sleep(POLL_SECONDS)
    finally:
        close(Waiting(path, key, question))


def questions() -> list[Waiting]:
    """What waits on this machine for this user, the oldest first. Files of ended servers are removed."""
    found: list[tuple[float, Waiting]] = []
    for directory in question_directories():
        try:
            paths = sorted(directory.glob(f"*{QUESTION}"))[:MAX_QUESTIONS] if is_private(directory) else []
        except OSError:
            continue
        for path in paths:
            content = _read(path)
            if content is None:
                continue
            at, process = content.get("at"), content.get("process")
            if not isinstance(at, float) or not isinstance(process, str) or not PROCESS.fullmatch(process):
                continue
            question = _question(content.get("question"))
            if question is None:
                continue
            waiting = Waiting(path, str(content.get("key")), question)
            if is_alive(process, time.time() - at):
                found.append((at, waiting))
            else:
                close(waiting)
    return [waiting for _, waiting in sorted(found, key=lambda pair: pair[0])]


def answer(waiting: Waiting, *, is_yes: bool) -> bool:
    """Answer a question; False if it does not wait any more."""
    if not waiting.path.exists():
        return False
    _write(waiting.path.with_suffix(ANSWER), {"key": waiting.key, "answer": "yes" if is_yes else "no"})
    return True


def close(waiting: Waiting) -> bool:
    """Remove a question and its answer; whether there was an answer that nobody had taken."""
    was_left = False
    # In this order: where there is no question any more, an answer was not taken.
    for path in (waiting.path.with_suffix(ANSWER), waiting.path):
        with contextlib.suppress(OSError):
            path.unlink()
            was_left = was_left or path.suffix == ANSWER
    return was_left


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a file of this user's own; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            is_own = os.name != "posix" or found.st_uid == os.getuid()
            if not stat.S_ISREG(found.st_mode) or not is_own or found.st_size > MAX_BYTES:
                return None
            content = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _question(content: Any) -> Question | None:
    """A question as it was written; None if this is none."""
    if not isinstance(content, dict):
        return None
    texts = [content.get(name) for name in ("execution_id", "title", "price", "consequence")]
    pairs = [_pairs(content.get(name)) for name in ("facts", "items")]
    about = content.get("about")
    if not all(isinstance(text, str) for text in texts) or None in pairs or not isinstance(about, list):
        return None
    execution_id, title, price, consequence = (_shown(text) for text in texts)
    return Question(execution_id, title, price, pairs[0] or (), pairs[1] or (), consequence, tuple(map(str, about)))


def _pairs(content: Any) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(content, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in content):
        return None
    return tuple((_shown(name), _shown(value)) for name, value in content)


def _shown(text: Any) -> str:
    """Safe for a terminal, whoever wrote the file."""
    return "".join(each if each.isprintable() else " " for each in str(text))[:TEXT_CHARACTERS]
