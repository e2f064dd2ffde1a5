"""The memory that bodies of requests take: a limit for the process, and one for each caller.

A body beyond a limit is refused, or another makes room for it: of the bodies that are still arriving, the largest of an
unknown caller is dropped first. So small requests are served, however many large ones arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

MAX_BODY_BYTES = 4 * 2**20
MAX_HELD_BYTES = 64 * 2**20
"""All bodies of requests under way, of all callers."""
MAX_HELD_BYTES_EACH = 16 * 2**20
"""Those of one token; or of all requests without one."""
BYTES_OF_A_VALUE = 80
"""What a JSON value takes beside its text once it is parsed."""


class TooLargeError(Exception):
    """The body is larger than any may be."""


class NoRoomError(Exception):
    """There is no memory for the body now."""


@dataclass(eq=False)
class Body:
    """One body.

    Attributes:
        caller: its sender; empty for all without a token.
        is_known: whether the platform has served the caller.
        dropped: cancelled when the body has to make room for others.
        held: bytes that it counts for.
    """

    caller: str
    is_known: Callable[[], bool]
    dropped: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    content: bytearray = field(default_factory=bytearray)
    held: int = 0


class Bodies:
    """All bodies of requests under way."""

    def __init__(
        self,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_held_bytes: int = MAX_HELD_BYTES,
        max_held_bytes_each: int = MAX_HELD_BYTES_EACH,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self._max_held = max_held_bytes
        self._max_each = max_held_bytes_each
        self._arriving: set[Body] = set()
        self._held = 0
        self._held_by: Counter[str] = Counter()

    @property
    def held(self) -> int:
        return self._held

    def add(self, body: Body, part: bytes) -> None:
        """Add a part to a body that is still arriving.

        Raises:
            TooLargeError, NoRoomError: it was not added.
        """
        if len(body.content) + len(part) > self.max_body_bytes:
            raise TooLargeError
        if body.dropped.cancel_called:
            raise NoRoomError
        self._arriving.add(body)
        self._hold(body, len(part))
        body.content += part

    def complete(self, body: Body) -> bytes:
        """The whole of a body, which is not dropped any more.

        Raises:
            TooLargeError, NoRoomError: parsed as JSON it would take too much.
        """
        values = BYTES_OF_A_VALUE * sum(body.content.count(mark) for mark in (b",", b"[", b"{"))
        if body.held + values > self._max_each:
            raise TooLargeError
        self._hold(body, values)
        self._arriving.discard(body)
        whole, body.content = bytes(body.content), bytearray()
        return whole

    def release(self, body: Body) -> None:
        """Free the memory of a body: its request has ended, or it is dropped."""
        self._arriving.discard(body)
        self._held -= body.held
        self._held_by[body.caller] -= body.held
        if not self._held_by[body.caller]:
            del self._held_by[body.caller]
        body.held = 0
        body.content = bytearray()

    def _hold(self, body: Body, size: int) -> None:
        while self._held_by[body.caller] + size > self._max_each:
            self._make_room(body, size, [other for other in self._arriving if other.caller == body.caller])
        while self._held + size > self._max_held:
            self._make_room(body, size, self._arriving)
        body.held += size
        self._held += size
        self._held_by[body.caller] += size

    def _make_room(self, body: Body, size: int, among: set[Body] | list[Body]) -> None:
        sizes = {other: other.held + (size if other is body else 0) for other in {*among, body}}
        largest = max(sizes, key=lambda other: (not other.is_known(), sizes[other], other is not body))
        if largest is body:
            raise NoRoomError
        self.release(largest)
        largest.dropped.cancel()
