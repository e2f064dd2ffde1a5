"""What was read lately, for those who may do with it."""

from __future__ import annotations

from typing import Generic, TypeVar

from deeporigin_mcp.platform.transport.timing import Timing

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The newest values.

    Args:
        most: how many.
        seconds: for how long.
    """

    def __init__(self, timing: Timing, *, most: int, seconds: float) -> None:
        self._timing = timing
        self._most = most
        self._seconds = seconds
        self._values: dict[K, tuple[float, V]] = {}
        """When each was read, and itself; the newest last."""

    def get(self, key: K) -> V | None:
        read_at, value = self._values.get(key, (float("-inf"), None))
        return value if self._timing.monotonic() - read_at < self._seconds else None

    def put(self, key: K, value: V) -> None:
        self.forget(key)
        self._values[key] = self._timing.monotonic(), value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def forget(self, key: K) -> None:
        self._values.pop(key, None)
