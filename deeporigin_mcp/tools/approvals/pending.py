"""What a person was asked about money, from the question to the one start that its answer is good for."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

import anyio
import anyio.abc
from mcp_types import InputRequiredResult

from deeporigin_mcp.errors import StateConflictError
from deeporigin_mcp.tools.responses import steps

KEPT_SECONDS = 600.0
"""How long a call joins a question that is still open, and how long an answer counts that no call waited for."""


class Answer(Enum):
    """What a way to a person reports."""

    YES = "yes"
    NO = "no"
    NOBODY = "nobody"
    """Nobody could be asked, or nobody knows whether a person answered."""
    PENDING = "pending"


@dataclass(frozen=True)
class Reply:
    """What became of a question.

    Args:
        told: by which way a yes or no came, why there is nobody, or where a person finds the pending question. Empty
            for a way that is not open at all.
        request: for a pending question that the client answers by calling again, the result that says so.
    """

    answer: Answer
    told: str = ""
    request: InputRequiredResult | None = None


WITHDRAWN = Reply(Answer.NOBODY, "the question was withdrawn")


class _Question:
    """A question that is open, or whose reply no call has taken."""

    def __init__(self, about: object, since_boot: Callable[[], float]) -> None:
        self.about = about
        self.reply = WITHDRAWN
        self.replied = anyio.Event()
        self.waiting = 0
        self._since_boot = since_boot
        self._changed_at = since_boot()
        self.scope = anyio.CancelScope()

    async def put(self, ask: Callable[[], Awaitable[Reply]]) -> None:
        try:
            with self.scope:
                self.reply = await ask()
        except Exception as error:  # noqa: BLE001 (it runs beside the calls, where nobody else would catch it)
            self.reply = Reply(Answer.NOBODY, f"the question failed inside this MCP server ({type(error).__name__})")
        finally:
            self._changed_at = self._since_boot()
            self.replied.set()

    @property
    def is_stale(self) -> bool:
        return self._since_boot() - self._changed_at > KEPT_SECONDS


@dataclass
class Questions:
    """The questions of one caller. An answer counts for one start, at the price that was shown.

    Args:
        since_boot: a clock that also runs while the machine sleeps, and that nobody can set.
    """

    since_boot: Callable[[], float]
    process: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    """Whose clock a sealed time is of."""
    _open: dict[str, _Question] = field(default_factory=dict)
    _used: dict[str, float] = field(default_factory=dict)

    async def reply(
        self,
        tasks: anyio.abc.TaskGroup,
        execution_id: str,
        about: object,
        ask: Callable[[], Awaitable[Reply]],
        *,
        until: float,
    ) -> Reply | None:
        """The reply to the open question about this execution, or else to a new one.

        Args:
            about: what is asked, such as the price; a question about anything else is withdrawn.
            tasks: where the question stays open when the call ends.
            ask: puts the question to a person.
            until: when to stop waiting, by `anyio.current_time()`.

        Returns:
            None if there is none yet.

        Raises:
            StateConflictError: another call has taken the yes.
        """
        for name, old in [*self._open.items()]:
            if old.is_stale or (name == execution_id and old.about != about):
                self.withdraw(name)
        question = self._open.get(execution_id)
        if question is None:
            question = self._open[execution_id] = _Question(about, self.since_boot)
            tasks.start_soon(question.put, ask)
        question.waiting += 1
        try:
            with anyio.CancelScope(deadline=until):
                await question.replied.wait()
        except anyio.get_cancelled_exc_class():
            # The client took the call back: nobody waits for the answer any more, so it must not count later.
            if question.waiting == 1 and self._open.get(execution_id) is question:
                self.withdraw(execution_id)
            raise
        finally:
            question.waiting -= 1
        if not question.replied.is_set():
            return None
        if self._open.get(execution_id) is question:
            del self._open[execution_id]
        elif question.reply.answer is Answer.YES:
            raise StateConflictError(
                f"Execution {execution_id} is being confirmed by another call.",
                next_step=steps.call("get_execution", execution_id=execution_id) + " shows what became of it.",
                code="being_confirmed",
            )
        return question.reply

    def withdraw(self, execution_id: str) -> None:
        """Close the question about this execution, if there is one, also for the person; forget an answer to it."""
        if question := self._open.pop(execution_id, None):
            question.scope.cancel()

    def use(self, question_id: str) -> bool:
        """Use up the answer to a question whose state the client keeps; False if that was done before."""
        now = self.since_boot()
        self._used = {name: at for name, at in self._used.items() if now - at <= 2 * KEPT_SECONDS}
        if question_id in self._used:
            return False
        self._used[question_id] = now
        return True
