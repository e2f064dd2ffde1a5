"""Open questions about money, from the asking to the one start that the answer is good for."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import anyio
import anyio.abc
from mcp_types import InputRequiredResult

from deeporigin_mcp.platform import Execution
from deeporigin_mcp.tools.approvals.ledger import being_confirmed

KEPT_SECONDS = 600.0
"""How long a call joins a question that is still open, and how long an answer counts that no call waited for."""


class Answer(Enum):
    """What a person answered, as a way to the person reports it."""

    YES = "yes"
    NO = "no"
    NOBODY = "nobody"
    """Nobody could be asked, or nobody knows whether a person answered."""
    PENDING = "pending"


class Outcome:
    """What became of a yes, for the page on which it was given."""

    def __init__(self) -> None:
        self.text = ""
        self.known = anyio.Event()

    def tell(self, text: str) -> None:
        """Say it, in a sentence for a person."""
        self.text = text
        self.known.set()


@dataclass(frozen=True)
class Reply:
    """What came of asking a person.

    Args:
        detail: by which way a yes or no came, why nobody could be asked, or where the person finds the open question.
            Empty for a way that is not open at all.
        request: if the client brings the answer by calling again, the result that asks for it.
        outcome: where the person waits to see what became of a yes.
        meta: of an open question, what only a page of the client may see of the call's result.
        start: of a yes that starts the run itself: starts it, or joins that start.
        is_on_record: it is in the audit log already.
        came_with_call: of a yes: it was given before this call, which brought it.
    """

    answer: Answer
    detail: str = ""
    request: InputRequiredResult | None = None
    outcome: Outcome | None = None
    meta: dict[str, Any] | None = None
    start: Callable[[], Awaitable[Execution]] | None = None
    is_on_record: bool = False
    came_with_call: bool = False


WITHDRAWN = Reply(Answer.NOBODY, "the question was withdrawn")
UNANSWERED = Reply(Answer.NOBODY, f"it was not answered within {KEPT_SECONDS / 60:.0f} minutes")
NOT_USED = "It was not started: the question was closed before your yes was used."
"""What a person reads whose yes was dropped."""


class _Question:
    """A question that is open, or whose reply no call has taken."""

    def __init__(self, about: object, way: str, since_boot: Callable[[], float]) -> None:
        self.about = about
        self.way = way
        self.reply = WITHDRAWN
        self.replied = anyio.Event()
        self.waiting = 0
        self._since_boot = since_boot
        self._changed_at = since_boot()
        self.scope = anyio.CancelScope()

    async def send(self, ask: Callable[[], Awaitable[Reply]]) -> None:
        try:
            with self.scope:
                self.reply = await ask()
        except Exception as error:  # noqa: BLE001 (it runs beside the calls, where nobody else would catch it)
            self.reply = Reply(Answer.NOBODY, f"asking failed inside this MCP server ({type(error).__name__})")
        finally:
            # A question that was left open overnight, while the machine slept, is not answered in the morning.
            if not self.is_stale:
                self._changed_at = self._since_boot()
            self.replied.set()

    def answer(self, reply: Reply) -> None:
        """Take a reply that came by a request of its own."""
        self.reply = reply
        self.replied.set()
        self.scope.cancel()

    @property
    def is_stale(self) -> bool:
        return self._since_boot() - self._changed_at > KEPT_SECONDS


@dataclass
class OpenQuestions:
    """The questions of one caller. An answer counts for one start, at the price that was shown.

    Args:
        since_boot: a clock that also runs while the machine sleeps, and that nobody can set.
    """

    since_boot: Callable[[], float]
    process: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    """This process, by whose clock a sealed time is."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """Seals questions, where the operator gave no key that all processes share."""
    _open: dict[str, _Question] = field(default_factory=dict)
    _used: dict[str, float] = field(default_factory=dict)
    _taken: dict[str, _Question] = field(default_factory=dict)

    def taken(self, execution_id: str) -> object:
        """The last question about this execution whose yes a call has taken; None if that was long ago, or never."""
        return self._taken.get(execution_id)

    def open_way(self, execution_id: str, about: object) -> str | None:
        """By which way a question about this is open, or was answered without a call that waited."""
        question = self._open.get(execution_id)
        return question.way if question and question.about == about and not question.is_stale else None

    async def reply(
        self,
        tasks: anyio.abc.TaskGroup,
        execution_id: str,
        about: object,
        way: str,
        ask: Callable[[], Awaitable[Reply]],
        *,
        until: float,
    ) -> Reply | None:
        """The reply to the open question about this execution, or else to a new one.

        Args:
            about: what is asked, such as the price; a question about anything else is withdrawn.
            tasks: where the question stays open when the call ends.
            way: by which it is asked.
            ask: asks, and returns the reply.
            until: when to stop waiting, by `anyio.current_time()`.

        Returns:
            None if there is none yet.

        Raises:
            StateConflictError: another call has taken the yes.
        """
        for name, old in [*self._open.items()]:
            if old.is_stale or (name == execution_id and (old.about, old.way) != (about, way)):
                self.withdraw(name)
        question = self._open.get(execution_id)
        if question is None:
            question = self._open[execution_id] = _Question(about, way, self.since_boot)
            tasks.start_soon(question.send, ask)
        question.waiting += 1
        try:
            with anyio.CancelScope(deadline=until):
                await question.replied.wait()
        except anyio.get_cancelled_exc_class():
            # The client cancelled the call: nobody waits for the answer any more, so it must not count later.
            if question.waiting == 1 and self._open.get(execution_id) is question:
                self.withdraw(execution_id)
            raise
        finally:
            question.waiting -= 1
        if not question.replied.is_set():
            return None
        if question.is_stale and question.reply.answer is Answer.YES:
            # The machine slept while this call waited.
            self._close(question)
            self._open = {name: each for name, each in self._open.items() if each is not question}
            return UNANSWERED
        if self._open.get(execution_id) is question:
            del self._open[execution_id]
            if question.reply.answer is Answer.YES:
                self._taken = {name: old for name, old in self._taken.items() if not old.is_stale}
                self._taken[execution_id] = question
        elif question.reply.answer is Answer.YES and question.reply.start is None:
            raise being_confirmed(execution_id)
        return question.reply

    def answer(self, execution_id: str, about: object, reply: Reply) -> None:
        """Give a reply that came by a request of its own to the calls that wait for it, or to the next one."""
        if self.open_way(execution_id, about) is not None:
            self._open[execution_id].answer(reply)

    def withdraw(self, execution_id: str) -> None:
        """Close the question about this execution, if there is one, also for the person; forget its answer."""
        if question := self._open.pop(execution_id, None):
            self._close(question)

    @staticmethod
    def _close(question: _Question) -> None:
        question.scope.cancel()
        if question.reply.outcome is not None:
            question.reply.outcome.tell(NOT_USED)

    def use(self, question_id: str) -> bool:
        """Use up an answer whose request state the client keeps; False if that was done before."""
        now = self.since_boot()
        self._used = {name: at for name, at in self._used.items() if now - at <= 2 * KEPT_SECONDS}
        if question_id in self._used:
            return False
        self._used[question_id] = now
        return True
