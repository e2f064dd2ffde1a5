"""`deeporigin-mcp approve`: the questions that wait on this machine, asked in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from deeporigin_mcp.tools.approvals import waiting
from deeporigin_mcp.tools.approvals.waiting import Waiting

TAKEN_SECONDS = 3.0
"""How long the server may take to fetch an answer; it looks twice a second."""
POLL_SECONDS = 0.1
YES = ("y", "yes")


NOTHING = "Nothing waits for an approval on this machine."
NO_TERMINAL = "Nothing was started: approvals need a person at a terminal. Run `deeporigin-mcp approve` there."
CLOSED = "Closed meanwhile: it was answered elsewhere, or the quote has changed. Nothing was started here."
NOT_TAKEN = "The server has not taken the answer; it may have ended. Look at the run before you try again."
APPROVED = "Passed on: your assistant starts it now, or at its next step within 10 minutes, unless the quote changes."
DECLINED = "Not started. It stays a quote, which costs nothing."


def approve(*, only_list: bool) -> int:
    """Show what waits, and ask about each. Without a terminal nothing is asked.

    Returns:
        The exit code: 0, or 1 if questions were left open because nobody could be asked.
    """
    questions = waiting.questions()
    asks = not only_list and sys.stdin.isatty() and sys.stdout.isatty()
    for each in questions:
        _say("\n".join(_lines(each)))
        if asks:
            _say(_asked(each))
        _say("")
    if not questions:
        _say(NOTHING)
    elif not asks and not only_list:
        _say(NO_TERMINAL)
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _lines(each: Waiting) -> Iterator[str]:
    question = each.question
    yield question.title
    yield from (f"  {label}: {value}" for label, value in question.facts)
    yield from (f"    {name}: {price}" if price else f"    {name}" for name, price in question.items)
    yield question.consequence


def _asked(each: Waiting) -> str:
    """Ask about one; what came of it."""
    try:
        said = input(f"Start for {each.question.price}? [y/N] ")
    except EOFError:
        said = ""
    is_yes = said.strip().lower() in YES
    if not waiting.answer(each, is_yes=is_yes):
        return CLOSED
    until = time.monotonic() + TAKEN_SECONDS
    while each.path.exists():
        if time.monotonic() > until:
            waiting.close(each)
            return NOT_TAKEN
        time.sleep(POLL_SECONDS)
    if waiting.close(each):
        return CLOSED
    return APPROVED if is_yes else DECLINED
