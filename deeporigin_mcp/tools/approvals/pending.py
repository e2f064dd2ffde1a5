"""Open questions about money, by whichever way they were asked, until the one start that the answer is good for."""

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
"""How long a call joins an elicitation that is still open, and how long an answer counts that no call waited for."""


class Answer(Enum):
    """What a person answered, as a way to the person reports it."""

    YES = "yes"
    NO = "no"
    NOBODY = "nobody"
    """Nobody could be asked, or nobody knows whether a person answered."""
    PENDING = "pending"


@dataclass(frozen=True)
class Reply:
    """The outcome of an elicitation.

    Args:
        detail: by which way a yes or no came, why nobody could be asked, or where the person finds the pending one.
            Empty for a way that is not open at all.
        request: if the client brings the answer by calling again, the result that asks for it.
        meta: of a pending one, what only the client's own page may see of the call's result.
        start: of a yes that came together with the start of the run: starts it, or joins that start.
    """

    answer: Answer
    detail: str = ""
    request: InputRequiredResult | None = None
    meta: dict[str, Any] | None = None
    start: Callable[[], Awaitable[Execution]] | None = None


WITHDRAWN = Reply(Answer.NOBODY, "the elicitation was withdrawn")


class _Elicitation:
    """An elicitation that is open, or whose reply no call has taken."""

    def __init__(self, about: object, pending: Reply, since_boot: Callable[[], float]) -> None:
        self.about = about
        self.pending = pending
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
            self.reply = Reply(Answer.NOBODY, f"the elicitation failed inside this MCP server ({type(error).__name__})")
        finally:
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
class Elicitations:
    """The elicitations of one caller. An answer counts for one start, at the price that was shown.

    Args:
        since_boot: a clock that also runs while the machine sleeps, and that nobody can set.
    """

    since_boot: Callable[[], float]
    process: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    """This process, by whose clock a sealed time is."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """Where the operator gave no key that all processes share."""
    _open: dict[str, _Elicitation] = field(default_factory=dict)
    _used: dict[str, float] = field(default_factory=dict)

    def is_open(self, execution_id: str, about: object) -> bool:
        """Whether this was asked already; what was asked about another price, or too long ago, is withdrawn."""
        for name, old in [*self._open.items()]:
            if old.is_stale or (name == execution_id and old.about != about):
                self.withdraw(name)
        return execution_id in self._open

    def open(
        self,
        tasks: anyio.abc.TaskGroup,
        execution_id: str,
        about: object,
        ask: Callable[[], Awaitable[Reply]],
        pending: Reply,
    ) -> None:
        """Ask, beside the calls, unless it was asked already.

        Args:
            tasks: where the question stays open when the call ends.
            about: what is asked, such as the price.
            ask: sends the question and returns the reply.
            pending: what a call gets that ends before the reply comes.
        """
        if not self.is_open(execution_id, about):
            elicitation = self._open[execution_id] = _Elicitation(about, pending, self.since_boot)
            tasks.start_soon(elicitation.send, ask)

    def answer(self, execution_id: str, about: object, reply: Reply) -> None:
        """Give a reply that came by a request of its own to the calls that wait for it, or to the next one."""
        if self.is_open(execution_id, about):
            self._open[execution_id].answer(reply)

    async def reply(self, execution_id: str, *, until: float) -> Reply:
        """The reply to the open question about this execution; PENDING if there is none yet.

        Args:
            until: when to stop waiting, by `anyio.current_time()`.

        Raises:
            StateConflictError: another call has taken the yes.
        """
        elicitation = self._open[execution_id]
        elicitation.waiting += 1
        try:
            with anyio.CancelScope(deadline=until):
                await elicitation.replied.wait()
        except anyio.get_cancelled_exc_class():
            # The client cancelled the call: nobody waits for the answer any more, so it must not count later.
            if elicitation.waiting == 1 and self._open.get(execution_id) is elicitation:
                self.withdraw(execution_id)
            raise
        finally:
            elicitation.waiting -= 1
        if not elicitation.replied.is_set():
            return elicitation.pending
        if self._open.get(execution_id) is elicitation:
            del self._open[execution_id]
        elif elicitation.reply.answer is Answer.YES and elicitation.reply.start is None:
            raise being_confirmed(execution_id)
        return elicitation.reply

    def withdraw(self, execution_id: str) -> None:
        """Close the elicitation about this execution, if there is one, also in the client; forget its answer."""
        if elicitation := self._open.pop(execution_id, None):
            elicitation.scope.cancel()

    def use(self, elicitation_id: str) -> bool:
        """Use up an answer whose request state the client keeps; False if that was done before."""
        now = self.since_boot()
        self._used = {name: at for name, at in self._used.items() if now - at <= 2 * KEPT_SECONDS}
        if elicitation_id in self._used:
            return False
        self._used[elicitation_id] = now
        return True
