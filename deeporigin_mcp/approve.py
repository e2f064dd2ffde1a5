"""`deeporigin-mcp approve`: the questions that wait on this machine, asked in a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from deeporigin_mcp.logs import say
from deeporigin_mcp.tools.approvals import waiting
from deeporigin_mcp.tools.approvals.question import NOTED
from deeporigin_mcp.tools.approvals.waiting import Waiting

TAKEN_SECONDS = 3.0
"""How long the server may take to fetch an answer; it looks twice a second."""
POLL_SECONDS = 0.1
YES = ("y", "yes")


NOTHING = "Nothing waits for an approval on this machine."
NO_TERMINAL = "Nothing was started: approvals need a person at a terminal. Run `deeporigin-mcp approve` there."
CLOSED = (
    "Closed meanwhile: it was answered elsewhere, it was open for more than 10 minutes, the quote has changed, or the "
    "server has ended. Nothing was started here."
)
NOT_TAKEN = "The server has not taken the answer; it may have ended. Look at the run before you try again."
DECLINED = "Not started. Nothing is charged."


def approve(*, only_list: bool) -> int:
    """Show what waits, and ask about each. Without a terminal nothing is asked.

    Returns:
        The exit code: 0, or 1 if questions were left open because nobody could be asked.
    """
    questions = waiting.questions()
    asks = not only_list and sys.stdin.isatty() and sys.stdout.isatty()
    for each in questions:
        say("\n".join(_lines(each)))
        if asks:
            say(_asked(each))
        say("")
    if not questions:
        say(NOTHING)
    elif not asks and not only_list:
        say(NO_TERMINAL)
        return 1
    return 0


def _lines(each: Waiting) -> Iterator[str]:
    question = each.question
    yield question.title
    yield from (f"  {label}: {value}" for label, value in question.facts)
    yield from (f"    {name}: {price}" if price else f"    {name}" for name, price in question.items)
    yield question.consequence


def _asked(each: Waiting) -> str:
    """Ask about one; what came of it."""
    _forget_typed()
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
    return NOTED if is_yes else DECLINED


def _forget_typed() -> None:
    """Drop what was typed before the question was on the screen: a second yes to the last one is none to this."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
