"""Callers that the platform has served, and the queue of all others.

Anybody can make up a token. A caller is known once the platform has served a request with its token. The requests of
all unknown callers share a few places and wait for these, so that they never keep a known caller out.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator

import anyio

from deeporigin_mcp.errors import BusyError

MAX_KNOWN = 4096


class KnownCallers:
    """The callers that the platform has served lately, by name.

    Args:
        unknown_calls: places for requests of unknown callers.
        queue_seconds: how long a request waits for a place.
    """

    def __init__(self, unknown_calls: int, queue_seconds: float) -> None:
        self._seconds = queue_seconds
        self._known: OrderedDict[str, None] = OrderedDict()
        self._places = anyio.CapacityLimiter(unknown_calls)
        self._holders: dict[object, str] = {}
        self._waiting: dict[anyio.CancelScope, str] = {}

    def __contains__(self, caller: str) -> bool:
        return caller in self._known

    def add(self, caller: str) -> None:
        """The platform has served the caller: its requests neither hold places nor wait for one any more."""
        self._known[caller] = None
        self._known.move_to_end(caller)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        for waiting in [scope for scope, waiter in self._waiting.items() if waiter == caller]:
            waiting.cancel()
        for request in [request for request, holder in self._holders.items() if holder == caller]:
            self._leave(request)

    @contextlib.asynccontextmanager
    async def place(self, caller: str) -> AsyncIterator[None]:
        """Hold a place for a request of an unknown caller; a known one needs none.

        Raises:
            BusyError: no place became free in time.
        """
        request = object()
        if caller not in self:
            await self._enter(request, caller)
        try:
            yield
        finally:
            self._leave(request)

    async def _enter(self, request: object, caller: str) -> None:
        try:
            self._places.acquire_on_behalf_of_nowait(request)
        except anyio.WouldBlock:
            with anyio.move_on_after(self._seconds) as waiting:
                self._waiting[waiting] = caller
                try:
                    await self._places.acquire_on_behalf_of(request)
                finally:
                    del self._waiting[waiting]
            if waiting.cancelled_caught and caller in self:
                return
            if waiting.cancelled_caught:
                raise BusyError(
                    "This MCP server is waiting for the platform to check the credentials of many other callers.",
                    code="queue_full",
                ) from None
        self._holders[request] = caller

    def _leave(self, request: object) -> None:
        if self._holders.pop(request, None) is not None:
            self._places.release_on_behalf_of(request)
