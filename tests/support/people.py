"""Who sits behind a client that is asked about money, and the clients that ask them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.server.mcpserver import MCPServer
from mcp_types import ElicitRequestFormParams, ElicitResult, ErrorData

from deeporigin_mcp.tools.runtime.state import ServerState
from tests.support.bench import Agent, Bench

YES = ElicitResult(action="accept", content={"approve": True})
NO = ElicitResult(action="accept", content={"approve": False})
DECLINE = ElicitResult(action="decline")
CANCEL = ElicitResult(action="cancel")


def form(**content: Any) -> ElicitResult:
    """An accepted form with this content."""
    return ElicitResult(action="accept", content=content)


@dataclass
class Person:
    """Gives one answer to every question and remembers what was asked.

    Args:
        answer: what is said; None if there is nobody to ask. An error is the client's own.
        meanwhile: what happens while the first question is on the screen.
        thinks: if given, an answer comes only once it is set.
    """

    answer: ElicitResult | ErrorData | None = field(default_factory=lambda: YES)
    meanwhile: Callable[[], None] = lambda: None
    thinks: anyio.Event | None = None
    questions: list[str] = field(default_factory=list)
    asked: anyio.Event = field(default_factory=anyio.Event)
    """Set by the next question."""
    dismissed: anyio.Event = field(default_factory=anyio.Event)
    """Set when a question is taken off the screen before it is answered."""

    async def reply(self, context: ClientRequestContext, params: Any) -> ElicitResult | ErrorData:
        assert isinstance(params, ElicitRequestFormParams)
        assert params.requested_schema["required"] == ["approve"]
        self.questions.append(params.message)
        if len(self.questions) == 1:
            self.meanwhile()
        self.asked.set()
        self.asked = anyio.Event()
        if self.thinks is not None:
            try:
                await self.thinks.wait()
            except anyio.get_cancelled_exc_class():
                self.dismissed.set()
                raise
        assert self.answer is not None
        return self.answer

    async def until_asked(self, times: int) -> None:
        while len(self.questions) < times:
            await self.asked.wait()


@contextlib.asynccontextmanager
async def agent_with(server: MCPServer[ServerState], person: Person, *, mode: str = "auto") -> AsyncIterator[Agent]:
    """An agent whose client can show questions to a person, unless there is none."""
    reply = person.reply if person.answer is not None else None
    async with Client(server, mode=mode, elicitation_callback=reply) as client:
        yield await Agent.connected(client)


def quotation(*prices: float | str | None) -> dict[str, Any]:
    """A `quotationResult` with one item per price."""
    rows = [{"itemCode": f"ITEM-{number}", "priceTotal": price} for number, price in enumerate(prices, 1)]
    return {"successfulQuotations": rows}


def quoted(bench: Bench, *prices: float | str | None, **dto: Any) -> str:
    """A quote over these items that can be confirmed."""
    return bench.raw(**({"status": "Quoted", "quotationResult": quotation(*prices)} | dto))


def reprice(bench: Bench, name: str, *prices: float) -> None:
    """Give a quote another price behind everybody's back."""
    bench.platform.executions[name].stored["quotationResult"] = quotation(*prices)
